"""Networks: shapes, gradients, rows on their own, and the circle's symmetry."""

from __future__ import annotations

import pytest
import torch

from simulacra.errors import ShapeError
from simulacra.generative import initialised
from simulacra.nets import FourierEmbedding, ResidualNetwork, RingNetwork
from simulacra.nets.cylindrical import CircularLinear, angular_basis, turned

RINGS = ((3, 1), (4, 6), (2, 6), (2, 1))
VOXELS = 41


def _ring(**settings):
    sizes = {"channels": 12, "blocks": 2, "width": 16, **settings}
    network = RingNetwork(RINGS, 2, **sizes).double()
    for parameter in network.parameters():  # wake the layers that start at zero
        parameter.data += 0.1 * torch.randn(parameter.shape, dtype=torch.float64)
    return network


NETWORKS = {
    "residual": lambda: ResidualNetwork(VOXELS, 2, width=16, blocks=2).double(),
    "residual with waves": lambda: ResidualNetwork(VOXELS, 2, width=16, blocks=2, waves=3).double(),
    "ring": _ring,
    "ring with a preferred angle": lambda: _ring(equivariant=False),
    "ring, odd number of sectors": lambda: RingNetwork(
        ((3, 1), (2, 5), (5, 5), (3, 1)), 2, channels=8, blocks=1, width=8
    ).double(),
}


@pytest.fixture(params=NETWORKS.values(), ids=NETWORKS.keys())
def network(request):
    return initialised(request.param, seed=1)


def _inputs(events=6):
    draw = torch.Generator().manual_seed(0)
    t = torch.rand(events, generator=draw, dtype=torch.float64)
    x = torch.randn(events, VOXELS, generator=draw, dtype=torch.float64)
    return t, x, torch.randn(events, 2, generator=draw, dtype=torch.float64)


def test_output_has_the_shape_of_the_state(network):
    assert network(*_inputs()).shape == (6, VOXELS)


def test_gradient_reaches_every_parameter(network):
    for parameter in network.parameters():
        parameter.data += 0.01  # layers that start at zero block the gradient at first
    network(*_inputs()).square().sum().backward()
    silent = [n for n, p in network.named_parameters() if p.grad is None or not p.grad.any()]
    assert not silent


def test_every_row_is_computed_on_its_own(network):
    t, x, condition = _inputs()
    torch.testing.assert_close(
        network(t, x, condition)[2:4], network(t[2:4], x[2:4], condition[2:4])
    )


def test_state_dict_rebuilds_the_network(network):
    state = {name: value.clone() for name, value in network.state_dict().items()}
    before = network(*_inputs())
    for parameter in network.parameters():
        parameter.data += 1
    network.load_state_dict(state)
    torch.testing.assert_close(network(*_inputs()), before, atol=0, rtol=0)


def _rotated(x):
    """Turn every layer by one sector; rings are (3,1), (4,6), (2,6), (2,1)."""
    first, second, third, fourth = x.split([3, 24, 12, 2], dim=1)
    second = second.reshape(-1, 6, 4).roll(1, 1).reshape(len(x), -1)
    third = third.reshape(-1, 6, 2).roll(1, 1).reshape(len(x), -1)
    return torch.cat([first, second, third, fourth], dim=1)


@pytest.mark.parametrize("equivariant", [True, False])
def test_the_ring_network_commutes_with_rotations_exactly_when_told_to(equivariant):
    network = initialised(lambda: _ring(equivariant=equivariant), seed=2)
    t, x, condition = _inputs()
    one, other = network(t, _rotated(x), condition), _rotated(network(t, x, condition))
    assert torch.allclose(one, other, atol=1e-6) == equivariant


@pytest.mark.parametrize("sectors", [3, 4, 5, 10, 16])
def test_circular_linear_is_a_circular_convolution(sectors):
    layer = initialised(lambda: CircularLinear(2, 3, sectors).double(), seed=3)
    layer.bias.data += 1.0
    basis = angular_basis(sectors)
    torch.testing.assert_close(basis @ basis.T, torch.eye(sectors).double())

    def convolve(x):
        return torch.tensordot(basis.T, layer(torch.tensordot(basis, x, 1)), 1)

    zero = convolve(torch.zeros(sectors, 1, 2).double())
    impulse = torch.zeros(sectors, 1, 2).double()
    impulse[0, 0, 0] = 1.0
    kernel = convolve(impulse) - zero
    shifted = convolve(impulse.roll(2, 0)) - zero
    torch.testing.assert_close(shifted, kernel.roll(2, 0))
    torch.testing.assert_close(zero, torch.ones_like(zero))


def test_layers_with_different_sectors_are_refused():
    with pytest.raises(ShapeError, match=r"one common number .* got \[6, 10\]"):
        RingNetwork(((3, 6), (3, 10)), 1)
    with pytest.raises(ShapeError, match="at least 3"):
        RingNetwork(((3, 1), (4, 1)), 1)


def test_a_detector_whose_layers_all_have_sectors_has_no_invariants():
    network = initialised(lambda: RingNetwork(((2, 4), (3, 4)), 1, channels=4, blocks=1), seed=4)
    out = network(
        torch.full((5,), 0.3), torch.randn(5, 20, generator=torch.Generator()), torch.ones(5, 1)
    )
    assert out.shape == (5, 20)


def test_the_embedding_resolves_the_last_percent_of_the_path():
    embed = FourierEmbedding(64)
    near, end = embed(torch.tensor([0.99])), embed(torch.tensor([1.0]))
    assert (near - end).norm() > 0.3


def test_autocast_computes_ring_networks_in_bfloat16():
    network = initialised(lambda: _ring().float(), seed=1)
    t, x, condition = (values.float() for values in _inputs())
    with torch.no_grad():
        exact = network(t, x, condition)
        with torch.autocast("cpu", torch.bfloat16):
            coarse = network(t, x, condition).float()
    assert not torch.equal(coarse, exact)
    assert (coarse - exact).norm() < 0.03 * exact.norm()  # bfloat16 rounds by up to 1/256


def test_turned_is_a_change_of_basis_along_the_circle():
    basis = angular_basis(6)
    functions = torch.arange(72, dtype=torch.float64).sin().reshape(6, 4, 3)
    expected = torch.einsum("ks,s...->k...", basis, functions)
    torch.testing.assert_close(turned(basis, functions), expected)
    torch.testing.assert_close(turned(basis.T, turned(basis, functions)), functions)
