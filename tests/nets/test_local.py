"""Locally-connected layers see their neighbours around the circle; attention; minibatches."""

from __future__ import annotations

import pytest
import torch

from simulacra.generative import initialised
from simulacra.nets import CarryOver, ImageStream, LocallyConnected, MinibatchFeatures

SHAPE = (6, 4)


def _image(channels, shape=SHAPE, events=3):
    return torch.randn(events, channels, *shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("shape", [SHAPE, (1, 4), (2, 1)])
def test_each_place_is_a_product_with_its_own_kernel(shape):
    layer = initialised(lambda: LocallyConnected(2, 3, shape), 1)
    x, found = _image(2, shape), torch.empty(3, 3, *shape)
    around = (-1, 0, 1) if shape[0] > 1 else (0,)
    for s in range(shape[0]):
        for r in range(shape[1]):
            patch = torch.zeros(3, 2, len(around), 3)
            for i, ds in enumerate(around):
                for j, dr in enumerate((-1, 0, 1)):
                    if 0 <= r + dr < shape[1]:
                        patch[:, :, i, j] = x[:, :, (s + ds) % shape[0], r + dr]
            kernel = layer.weight[s * shape[1] + r].detach()
            found[:, :, s, r] = patch.flatten(1) @ kernel + layer.bias[:, s, r].detach()
    torch.testing.assert_close(layer(x), found)


def test_equal_kernels_make_a_convolution_that_turns_with_its_input():
    layer = initialised(lambda: LocallyConnected(2, 3, SHAPE), 2)
    x = _image(2)
    assert not torch.allclose(layer(x.roll(1, 2)), layer(x).roll(1, 2), atol=1e-3)
    layer.weight.data[:] = layer.weight.data[:1]
    torch.testing.assert_close(layer(x.roll(1, 2)), layer(x).roll(1, 2))


def test_attention_gives_a_mean_of_both_images():
    carry = initialised(lambda: CarryOver((6, 2), SHAPE), 3)
    before, image = _image(1, (6, 2))[:, 0], _image(1)[:, 0]
    assert not carry(before, torch.zeros_like(image)).any()  # untrained
    carry.resize.weight.data += torch.linspace(-1, 1, carry.resize.weight.numel()).reshape(-1, 12)
    carried = carry.resize(before.flatten(1)).reshape(-1, *SHAPE)
    low, high = torch.minimum(carried, image), torch.maximum(carried, image)
    out = carry(before, image)
    assert ((out >= low - 1e-6) & (out <= high + 1e-6)).all()
    carry.attention.bias.data[:] = -50.0
    torch.testing.assert_close(carry(before, image), image)


def test_minibatch_features_are_kernel_sums_and_know_the_others():
    features = initialised(lambda: MinibatchFeatures(5, kernels=2, depth=3), 4)
    x = torch.randn(4, 5, generator=torch.Generator().manual_seed(1))
    rows = features.matrix(x).detach().reshape(4, 2, 3)
    by_hand = [
        [
            sum(float((-(rows[i, b] - rows[j, b]).abs().sum()).exp()) for j in range(4)) / 4
            for b in range(2)
        ]
        for i in range(4)
    ]
    torch.testing.assert_close(features(x), torch.tensor(by_hand))
    torch.testing.assert_close(features(x[:1].expand(4, -1)), torch.ones(4, 2))  # collapsed
    order = torch.tensor([2, 0, 3, 1])
    torch.testing.assert_close(features(x[order]), features(x)[order])


def test_a_stream_makes_each_image_on_its_own():
    stream = initialised(lambda: ImageStream(5, SHAPE, channels=2), 5)
    x = torch.randn(7, 5, generator=torch.Generator().manual_seed(2))
    noise = torch.randn(7, *SHAPE, generator=torch.Generator().manual_seed(3))
    assert not stream(x, noise).any()  # untrained
    stream.leave.weight.data += 1.0
    assert stream(x, noise).shape == (7, *SHAPE)
    torch.testing.assert_close(stream(x[2:4], noise[2:4]), stream(x, noise)[2:4])
    assert not torch.allclose(stream(x, -noise), stream(x, noise))
