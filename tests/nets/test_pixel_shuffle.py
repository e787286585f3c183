"""Pixel shuffles: which cell goes where, back bit for bit, and the networks made of them."""

from __future__ import annotations

import pytest
import torch

from simulacra.errors import ShapeError
from simulacra.generative import initialised
from simulacra.nets import ShuffleCritic, ShuffleGenerator, shuffled, unshuffled


def _image(channels, length):
    return torch.randn(3, channels, length, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("factor", [1, 2, 3])
def test_shuffling_is_undone_bit_for_bit(factor):
    x = _image(6, 12)
    assert torch.equal(unshuffled(shuffled(x, factor), factor), x)
    assert torch.equal(shuffled(unshuffled(x, factor), factor), x)


def test_channels_interleave_along_the_length():
    x = torch.arange(6.0).reshape(1, 2, 3)  # channels (0, 1, 2) and (3, 4, 5)
    assert shuffled(x, 2).tolist() == [[[0, 3, 1, 4, 2, 5]]]


def test_a_shuffle_is_the_two_dimensional_one_of_torch_row_by_row():
    x = _image(8, 5)
    twice = x.reshape(3, 4, 1, 2, 5).expand(3, 4, 2, 2, 5).reshape(3, 16, 1, 5)
    wide = torch.nn.functional.pixel_shuffle(twice, 2)
    torch.testing.assert_close(shuffled(x, 2), wide[:, :, 0])


def test_what_does_not_fit_is_refused():
    with pytest.raises(ShapeError, match="channels in a multiple of 4, got 6"):
        shuffled(_image(6, 12), 4)
    with pytest.raises(ShapeError, match="length in a multiple of 5, got 12"):
        unshuffled(_image(6, 12), 5)
    with pytest.raises(ShapeError, match="cells in a multiple of 8, got 70"):
        ShuffleGenerator(3, 18, 70)


def test_the_networks_give_images_and_judge_each_row_on_its_own():
    make = initialised(lambda: ShuffleGenerator(4, 3, 12, channels=6, factors=(2, 3)), 1)
    judge = initialised(lambda: ShuffleCritic(4, 3, 12, channels=6, factors=(2, 3)), 2)
    x = torch.randn(5, 4, generator=torch.Generator().manual_seed(1))
    noise = torch.randn(5, 3, 12, generator=torch.Generator().manual_seed(2))
    assert not make(x, noise).any()  # untrained
    for parameter in make.parameters():
        parameter.data += 0.1
    images = make(x, noise)
    values = judge(images, x)
    assert images.shape == (5, 3, 12)
    assert values.shape == (5,)
    torch.testing.assert_close(judge(make(x[2:4], noise[2:4]), x[2:4]), values[2:4])
    values.square().sum().backward()
    for network in (make, judge):
        assert all(p.grad is not None and p.grad.any() for p in network.parameters())


def test_neighbours_differ_by_the_noise_beside_them_alone():
    """Noise of one cell reaches 4 cells to each side: two convolutions of 5."""
    make = initialised(lambda: ShuffleGenerator(4, 3, 24, channels=6, factors=(2, 3)), 1)
    for parameter in make.parameters():
        parameter.data += 0.1
    x, noise = torch.ones(1, 4), torch.zeros(1, 3, 24)
    moved = noise.clone()
    moved[0, 1, 12] = 1.0
    changed = (make(x, moved) != make(x, noise))[0].any(dim=0).nonzero().flatten().tolist()
    assert changed == list(range(8, 17))
