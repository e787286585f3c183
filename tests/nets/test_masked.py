"""The masked network sees only what is before, and unrolled it is the same network."""

from __future__ import annotations

import pytest
import torch

from simulacra.nets import MaskedNetwork, Unrolled


def _network(features=5, width=17, blocks=2):
    draw = torch.Generator().manual_seed(0)
    with torch.random.fork_rng(devices=[]):
        network = MaskedNetwork(features, 2, 3, width=width, blocks=blocks)
    for parameter in network.parameters():
        parameter.data = torch.randn(parameter.shape, generator=draw)
    return network.double()


def _inputs(features=5):
    draw = torch.Generator().manual_seed(1)
    x = torch.randn(4, features, generator=draw, dtype=torch.float64)
    return x, torch.randn(4, 2, generator=draw, dtype=torch.float64)


def test_a_feature_depends_on_all_before_it_and_on_nothing_else():
    network, (x, condition) = _network(), _inputs()
    jacobian = torch.autograd.functional.jacobian(
        lambda row: network(row[None], condition[:1])[0], x[0]
    )
    seen = (jacobian != 0).all(dim=0)
    assert torch.equal(seen, torch.ones(5, 5).tril(-1).bool())


def test_every_feature_depends_on_the_condition():
    network, (x, condition) = _network(), _inputs()
    change = network(x, condition) - network(x, condition + 1)
    assert (change.abs() > 1e-6).all()


@pytest.mark.parametrize(("features", "width"), [(5, 17), (5, 5), (9, 4), (1, 3)])
def test_unrolled_is_the_same_network(features, width):
    network, (x, condition) = _network(features, width), _inputs(features)
    with torch.no_grad():
        whole = network(x, condition)
        unrolled = Unrolled(network, condition)
        for feature in range(features):
            one = unrolled.parameters_of(feature)
            torch.testing.assert_close(one[..., 0], whole[..., feature])
            unrolled.x[:, feature] = x[:, feature]


def test_values_start_at_zero():
    with torch.random.fork_rng(devices=[]):
        network = MaskedNetwork(5, 2, 3)
    x, condition = (values.float() for values in _inputs())
    assert not network(x, condition).any()
