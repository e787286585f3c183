"""The set network knows neither an order nor padding, and turns with its points."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from simulacra.nets import RingPoints, RingSetNetwork

EVENTS, RINGS, PLACES, SECTORS = 5, 3, 4, 6


def _network(*, equivariant=True, trained=True):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = RingSetNetwork(
            RINGS, 2, 1, SECTORS, 3, channels=8, blocks=2, width=12, depth=4,
            equivariant=equivariant,
        ).double()  # fmt: skip
        for parameter in net.parameters() if trained else ():
            parameter.data += 0.1 * torch.randn_like(parameter)
    return net


@pytest.fixture
def network():
    return _network()


@pytest.fixture
def points():
    draw = torch.Generator().manual_seed(1)
    return RingPoints(
        angle=SECTORS * torch.rand(EVENTS, RINGS, PLACES, generator=draw, dtype=torch.float64),
        features=torch.randn(EVENTS, RINGS, PLACES, 1, generator=draw, dtype=torch.float64),
        mask=torch.rand(EVENTS, RINGS, PLACES, generator=draw) < 0.6,
        lone=torch.randn(EVENTS, 2, 1, generator=draw, dtype=torch.float64),
        lone_mask=torch.rand(EVENTS, 2, generator=draw) < 0.5,
    )


def _call(network, points):
    draw = torch.Generator().manual_seed(2)
    t = torch.rand(EVENTS, generator=draw, dtype=torch.float64)
    condition = torch.randn(EVENTS, 3, generator=draw, dtype=torch.float64)
    with torch.no_grad():
        return network(t, points, condition)


def test_it_starts_as_the_zero_map(points):
    assert not _call(_network(trained=False), points).flat().any()


def test_permuted_points_have_permuted_velocities(network, points):
    order = torch.tensor([2, 0, 3, 1])
    permuted = replace(
        points,
        angle=points.angle[:, :, order],
        features=points.features[:, :, order],
        mask=points.mask[:, :, order],
    )
    one, other = _call(network, points), _call(network, permuted)
    torch.testing.assert_close(other.angle, one.angle[:, :, order])
    torch.testing.assert_close(other.features, one.features[:, :, order])
    torch.testing.assert_close(other.lone, one.lone)
    assert one.features.any()


def test_what_stands_in_the_padding_changes_nothing(network, points):
    changed = replace(
        points,
        angle=torch.where(points.mask, points.angle, 3.3),
        features=torch.where(points.mask[..., None], points.features, 77.0),
        lone=torch.where(points.lone_mask[..., None], points.lone, -55.0),
    )
    one, other = _call(network, points), _call(network, changed)
    for a, b in ((one.angle, other.angle), (one.features, other.features)):
        there = points.mask if a.ndim == 3 else points.mask[..., None]
        torch.testing.assert_close(a * there, b * there)
    torch.testing.assert_close(one.lone, other.lone)


def test_more_places_change_nothing(network, points):
    wider = replace(
        points,
        angle=torch.nn.functional.pad(points.angle, (0, 3), value=2.5),
        features=torch.nn.functional.pad(points.features, (0, 0, 0, 3), value=9.0),
        mask=torch.nn.functional.pad(points.mask, (0, 3)),
    )
    one, other = _call(network, points), _call(network, wider)
    torch.testing.assert_close(other.angle[:, :, :PLACES], one.angle)
    torch.testing.assert_close(other.lone, one.lone)


@pytest.mark.parametrize("equivariant", [True, False])
def test_rotations_by_a_sector_commute_where_nothing_singles_out_an_angle(points, equivariant):
    net = _network(equivariant=equivariant)
    turned = replace(points, angle=(points.angle + 2) % SECTORS)
    one, other = _call(net, points), _call(net, turned)
    assert torch.allclose(one.flat(), other.flat()) is equivariant


def test_points_see_each_other(network, points):
    """Without that a set is independent points, and the velocity of one no function of others."""
    moved = replace(points, features=points.features.clone(), mask=torch.ones_like(points.mask))
    one = _call(network, moved)
    moved.features[:, 0, 0] += 1
    assert not torch.allclose(_call(network, moved).angle[:, 1:], one.angle[:, 1:])
