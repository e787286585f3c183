"""The challenge's residual network: its size, its law of first numbers, its edges."""

import math

import numpy as np
import torch

from simulacra.nets import ResNet3d


def network(shape=(45, 16, 9), **options):
    return ResNet3d(shape, **options).initialise(np.random.default_rng(0)).eval()


def showers(events, features):
    return torch.rand(events, features, generator=torch.Generator().manual_seed(0))


def test_the_challenges_number_of_parameters():
    """2,516,644 by the challenge's own program, for both of its regular geometries."""
    for shape in ((45, 16, 9), (45, 50, 18)):
        assert sum(p.numel() for p in network(shape).parameters()) == 2_516_644
    # by hand: stem 7^3 x 32 + 64; blocks of c -> d channels: 27 c d + 27 d^2 + 4 d, and shortcuts
    by_hand = 343 * 32 + 64 + 2 + 130
    for c, d in ((32, 32), (32, 64), (64, 64), (64, 128)):
        by_hand += 27 * (c * d + 3 * d * d) + 8 * d
        by_hand += 0 if (c, d) == (32, 32) else c * d + 2 * d
    assert by_hand == 2_516_644


def test_shapes_and_small_images():
    assert network((3, 4, 5), outputs=4)(showers(6, 61)).shape == (6, 4)


def test_first_numbers_follow_the_law():
    """Width sqrt(2 / fan out) of 110,592 draws: 5 sigma are 1.1 %; same seed, same numbers."""
    one, two = network(), network()
    weight = one.blocks[1].first.weight
    assert weight.numel() == 27 * 32 * 32
    assert abs(weight.std().item() / math.sqrt(2 / (27 * 32)) - 1) < 0.025
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))
    assert one.leave.weight.abs().max() <= 1 / math.sqrt(129)


def test_torchs_own_generator_is_left_alone():
    before = torch.random.get_rng_state()
    network()
    assert torch.equal(before, torch.random.get_rng_state())


def test_gradient_reaches_every_parameter():
    net = network().train()
    net(showers(4, 6481)).square().sum().backward()
    assert [n for n, p in net.named_parameters() if p.grad is None or not p.grad.any()] == []


def test_rows_are_computed_on_their_own_when_not_training():
    net, x = network((5, 6, 7)), showers(8, 211)
    torch.testing.assert_close(net(x)[2:4], net(x[2:4]), atol=1e-5, rtol=1e-4)


def test_the_image_has_edges_in_the_angle():
    """The network of the challenge does not know that the angle closes on itself."""
    net, x = network(), showers(2, 6481)
    turned = x[:, 1:].reshape(2, 45, 16, 9).roll(3, dims=2).reshape(2, -1)
    assert not torch.allclose(net(x), net(torch.cat([x[:, :1], turned], 1)), atol=1e-4)


def test_the_extra_number_is_seen():
    net, x = network((5, 6, 7)), showers(2, 211)
    other = x.clone()
    other[:, 0] += 1
    assert not torch.allclose(net(x), net(other))


def test_autocast_leaves_inputs_and_outputs_in_single_precision():
    net, x = network((5, 6, 7)), showers(2, 211)
    with torch.autocast("cpu", torch.bfloat16):
        out = net(x)
    assert out.dtype == torch.float32
    assert not torch.equal(out, net(x))
    torch.testing.assert_close(out, net(x), atol=0.05, rtol=0.05)
