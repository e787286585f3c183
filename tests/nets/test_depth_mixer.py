"""The mixer along the depth: symmetric on the circle, aware of the depth."""

from __future__ import annotations

import pytest
import torch

from simulacra.errors import ShapeError
from simulacra.generative import initialised
from simulacra.nets import DepthMixer

LAYERS, SECTORS, RADII = 4, 6, 2
RINGS = ((RADII, SECTORS),) * LAYERS
VOXELS = LAYERS * SECTORS * RADII


def _network():
    network = DepthMixer(RINGS, 2, slab=2, channels=5, blocks=2, width=8).double()
    for parameter in network.parameters():
        parameter.data += 0.3 * torch.randn_like(parameter)
    return network


@pytest.fixture(scope="module")
def network():
    return initialised(_network, seed=1)


def _given(events=6):
    draw = torch.Generator().manual_seed(2)
    real = {"generator": draw, "dtype": torch.float64}
    return (
        torch.rand(events, **real),
        torch.randn(events, VOXELS, **real),
        torch.randn(events, 2, **real),
    )


def _turned(x):
    return x.reshape(-1, LAYERS, SECTORS, RADII).roll(1, 2).reshape(len(x), -1)


def test_rotations_by_a_sector_commute(network):
    t, x, c = _given()
    turned = network(t, _turned(x), c)
    torch.testing.assert_close(turned, _turned(network(t, x, c)), rtol=1e-5, atol=1e-5)
    assert float(turned.detach().std()) > 0.1


def test_events_do_not_see_each_other(network):
    t, x, c = _given()
    torch.testing.assert_close(network(t[2:4], x[2:4], c[2:4]), network(t, x, c)[2:4])


def test_every_layer_sees_every_other(network):
    t, x, c = _given(1)
    seen = torch.autograd.functional.jacobian(lambda x: network(t, x, c), x)[0, :, 0]
    blocks = seen.reshape(LAYERS, -1, LAYERS, SECTORS * RADII).abs().amax(dim=(1, 3))
    assert (blocks > 0).all()


def test_the_depth_matters(network):
    """The same numbers in another slab give others: a slab knows its place."""
    t, x, c = _given()
    moved = x.reshape(-1, LAYERS, SECTORS * RADII).roll(2, 1).reshape(len(x), -1)
    back = network(t, moved, c).reshape(-1, LAYERS, SECTORS * RADII).roll(-2, 1)
    assert not torch.allclose(back.reshape(len(x), -1), network(t, x, c))


def test_it_starts_at_zero():
    t, x, c = _given()
    network = initialised(
        lambda: DepthMixer(RINGS, 2, slab=1, channels=5, blocks=1, width=8).double(), seed=1
    )
    assert not network(t, x, c).any()


@pytest.mark.parametrize(
    ("rings", "slab"), [(((2, 6), (3, 6)), 1), (((2, 6),) * 3, 2), (((2, 2),) * 4, 2)]
)
def test_other_layers_are_refused(rings, slab):
    with pytest.raises(ShapeError, match="layers of one shape"):
        DepthMixer(rings, 1, slab=slab)
