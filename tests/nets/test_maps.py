"""Maps between rings, critics, perceptrons and the token transformer: shapes and symmetries."""

from __future__ import annotations

import pytest
import torch

from simulacra.generative import initialised
from simulacra.nets import RingCritic, RingMap, TokenTransformer, VectorCritic, VectorMap
from simulacra.nets.rings import Rings

SOURCE = ((3, 1), (4, 6), (2, 6))
TARGET = ((5, 6), (2, 1))
EVENTS = 7


def _awake(network):
    """Wake the layers that start at zero."""
    for parameter in network.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    return network.double()


def _ring_map(**settings):
    sizes = {"channels": 8, "blocks": 2, "width": 12, "outputs": 2, **settings}
    return _awake(RingMap(SOURCE, TARGET, 2, **sizes))


def _ring_critic(**settings):
    return _awake(RingCritic(SOURCE, 2, channels=8, blocks=2, width=12, **settings))


def _inputs():
    draw = torch.Generator().manual_seed(0)
    x = torch.randn(EVENTS, 39, generator=draw, dtype=torch.float64)
    return x, torch.randn(EVENTS, 2, generator=draw, dtype=torch.float64)


def _turned(x, rings, by=1):
    functions, invariants = Rings(rings).split(x)
    return Rings(rings).join(functions.roll(by, 0), invariants)


NETWORKS = {
    "ring map": (_ring_map, (2, 32)),
    "ring map, preferred angle": (lambda: _ring_map(equivariant=False), (2, 32)),
    "ring critic": (_ring_critic, ()),
    "vector map": (
        lambda: _awake(VectorMap(39, 5, 2, outputs=3, width=12, blocks=2)),
        (3, 5),
    ),
    "vector critic": (lambda: _awake(VectorCritic(39, 2, width=12, blocks=2)), ()),
}


@pytest.fixture(params=NETWORKS.values(), ids=NETWORKS.keys())
def case(request):
    build, shape = request.param
    return initialised(build, seed=1), shape


def test_shapes_rows_and_gradients(case):
    network, shape = case
    x, condition = _inputs()
    out = network(x, condition)
    assert out.shape == (EVENTS, *shape)
    torch.testing.assert_close(network(x[2:4], condition[2:4]), out[2:4])
    out.square().sum().backward()
    assert all(p.grad is not None and p.grad.any() for p in network.parameters())


@pytest.mark.parametrize("equivariant", [True, False])
def test_a_map_between_rings_turns_with_its_input_exactly_when_told_to(equivariant):
    network = initialised(lambda: _ring_map(equivariant=equivariant), seed=2)
    x, condition = _inputs()
    first, second = network(_turned(x, SOURCE), condition).unbind(1)
    one, two = (_turned(part, TARGET) for part in network(x, condition).unbind(1))
    same = torch.allclose(first, one, atol=1e-6) and torch.allclose(second, two, atol=1e-6)
    assert same == equivariant  # the Fourier basis is kept in single precision


@pytest.mark.parametrize("equivariant", [True, False])
def test_a_critic_of_rings_is_invariant_exactly_when_told_to(equivariant):
    network = initialised(lambda: _ring_critic(equivariant=equivariant), seed=3)
    x, condition = _inputs()
    turned = network(_turned(x, SOURCE, by=2), condition)
    assert torch.allclose(turned, network(x, condition), atol=1e-6) == equivariant


def test_a_critic_of_rings_sees_one_layer_turned_against_the_other():
    network = initialised(_ring_critic, seed=4)
    x, condition = _inputs()
    plain, first, second = x.split([3, 24, 12], dim=1)
    against = torch.cat([plain, first, second.reshape(-1, 6, 2).roll(1, 1).flatten(1)], dim=1)
    assert not torch.allclose(network(against, condition), network(x, condition), atol=1e-4)


def test_maps_start_at_zero_unless_told_otherwise():
    x, condition = (array.float() for array in _inputs())
    for zero in (True, False):
        for build in (
            lambda zero=zero: RingMap(SOURCE, TARGET, 2, channels=4, blocks=1, zero=zero),
            lambda zero=zero: VectorMap(39, 4, 2, width=8, blocks=1, zero=zero),
        ):
            assert bool(initialised(build, 5)(x, condition).any()) != zero


def test_the_gradient_of_a_critic_can_be_differentiated():
    network = initialised(_ring_critic, seed=6)
    x, condition = _inputs()
    x.requires_grad_()
    (slope,) = torch.autograd.grad(network(x, condition).sum(), x, create_graph=True)
    slope.square().sum().backward()
    assert network.body.enter.real.grad.abs().sum() > 0


def test_splitting_rings_is_undone_by_joining():
    x, _ = _inputs()
    assert torch.equal(Rings(SOURCE).join(*Rings(SOURCE).split(x)), x)


def _transformer():
    return _awake(TokenTransformer(5, 7, 2, width=8, blocks=2, heads=2))


def test_no_token_sees_itself_or_what_comes_later():
    network = initialised(_transformer, seed=7)
    token = torch.randint(7, (EVENTS, 5), generator=torch.Generator().manual_seed(1))
    condition = _inputs()[1]
    scores = network(token, condition)
    assert scores.shape == (EVENTS, 5, 7)
    changed = token.clone()
    changed[:, 2] = (changed[:, 2] + 1) % 7
    other = network(changed, condition)
    torch.testing.assert_close(other[:, :3], scores[:, :3])
    assert not torch.allclose(other[:, 3], scores[:, 3])
    assert not torch.allclose(network(token, condition + 1)[:, 0], scores[:, 0])


def test_one_token_after_the_other_gives_the_scores_of_all_at_once():
    network = initialised(_transformer, seed=8)
    token = torch.randint(7, (EVENTS, 5), generator=torch.Generator().manual_seed(2))
    condition = _inputs()[1]
    found, memory = [], []
    for place in range(5):
        last = token[:, place - 1] if place else None
        scores, memory = network.advance(last, condition, memory)
        found.append(scores)
    torch.testing.assert_close(torch.stack(found, dim=1), network(token, condition))
