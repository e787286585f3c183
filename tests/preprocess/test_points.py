"""Points as scores and back: energies conserved, no two points in one cell, padding apart."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from simulacra.errors import RangeError
from simulacra.preprocess import PointPlaces, PointScores
from simulacra.preprocess.points import distinct_sectors

RINGS = ((2, 1), (3, 6), (2, 6))
CELLS = PointPlaces(RINGS, places=6, cells=True)
FREE = PointPlaces(RINGS, places=5, cells=False)
EVENTS = 400


def _showers(places, events=EVENTS):
    draw = torch.Generator().manual_seed(0)
    incident = 1000 * 64 ** torch.rand(events, generator=draw)
    if places.cells:
        x = torch.exp(2 * torch.randn(events, 32, generator=draw)) * incident[:, None] / 5000
        return torch.where(x >= 1, x, 0.0), incident
    x = torch.rand(events, 4, 7 * 5, generator=draw)
    x[:, 0] = torch.exp(4 * x[:, 0])
    x[:, 1] *= 6
    there = torch.rand(events, 1, 35, generator=draw) < 0.5
    return (x * there).flatten(1), incident


def _fitted(places, events=EVENTS):
    x, incident = _showers(places, events)
    noise = torch.randn(events, 3, generator=torch.Generator().manual_seed(1))
    return PointScores(places, 1.0).fit(x, incident, noise, None), x, incident


def test_places_are_counted():
    assert (CELLS.sectors, CELLS.whole, CELLS.lone, CELLS.features) == (6, 5, 2, 1)
    assert (FREE.sectors, FREE.whole, FREE.lone, FREE.features) == (6, 7, 0, 3)
    assert sorted(CELLS.voxels()) == list(range(32))
    assert CELLS.voxels()[:7] == [2, 5, 8, 11, 14, 17, 3]  # first ring of layer 1: every third
    assert CELLS.ring_layers == [1, 1, 1, 2, 2, 0, 0]


def test_voxels_come_back():
    scores, x, incident = _fitted(CELLS)
    points = scores.unpack(scores.encode(x, incident))
    back = scores.decode_points(replace(points, angle=points.angle + 0.5), incident)
    torch.testing.assert_close(back, x, rtol=1e-4, atol=0.0)
    assert int(points.counts().sum()) == int((x > 0).sum())


def test_free_points_come_back():
    scores, x, incident = _fitted(FREE)
    back = scores.decode_points(scores.unpack(scores.encode(x, incident)), incident)
    torch.testing.assert_close(back, x, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("places", [CELLS, FREE], ids=["cells", "free"])
def test_points_of_a_layer_sum_to_its_energy_whatever_their_scores(places):
    scores, x, incident = _fitted(places)
    points = scores.unpack(scores.encode(x, incident))
    draw = torch.Generator().manual_seed(3)
    wild = replace(
        points,
        features=3 * torch.randn(points.features.shape, generator=draw),
        lone=3 * torch.randn(points.lone.shape, generator=draw),
        angle=9 * torch.randn(points.angle.shape, generator=draw),
    )
    back = scores.decode_points(wild, incident)
    inner = back[:, scores.order] if places.cells else back.chunk(4, dim=1)[0]
    found = scores.layer_energies(inner)
    torch.testing.assert_close(found, points.layers, rtol=1e-5, atol=1e-3)
    assert (back >= 0).all()
    if places.cells:
        assert (back[back > 0] >= 1 - 1e-3).all()
        assert int((back > 0).sum()) >= 0.99 * int((x > 0).sum())
    else:
        _, angle, area, depth = back.chunk(4, dim=1)
        assert (angle < 6).all()
        assert (area <= 1).all()
        assert (depth <= 1).all()


def test_layers_with_energy_have_points_and_those_without_have_none():
    scores, _, incident = _fitted(CELLS)
    draw = torch.Generator().manual_seed(4)
    layers = 2 * torch.randn(EVENTS, 3, generator=draw)
    target, count = scores.decode_layers(layers, -4 + 0.1 * layers[:, :1].expand(-1, 7), incident)
    number = torch.stack([count[:, 5:].sum(1), count[:, :3].sum(1), count[:, 3:5].sum(1)], dim=1)
    assert torch.equal(number > 0, target > 0)


def test_a_threshold_is_needed():
    with pytest.raises(RangeError, match="expected a positive energy"):
        PointScores(CELLS, 0.0)


def test_points_of_a_ring_get_sectors_of_their_own():
    draw = torch.Generator().manual_seed(0)
    angle = 20 * torch.randn(50, 4, 6, generator=draw)
    mask = torch.rand(50, 4, 6, generator=draw) < 0.7
    found = distinct_sectors(angle, mask, 6)
    assert torch.equal(found.sort(dim=2).values, torch.arange(6).expand(50, 4, 6))


def test_points_move_no_farther_than_they_must():
    angle = torch.tensor([[[0.4, 0.9, 5.2, 3.0, 3.0, 3.0]]])
    mask = torch.tensor([[[True, True, True, False, False, False]]])
    # 0.4 is nearest to the middle of sector 0, so 0.9 goes to sector 1; 5.2 is alone
    assert distinct_sectors(angle, mask, 6)[0, 0, :3].tolist() == [0, 1, 5]


def test_sectors_do_not_depend_on_the_order_of_the_points():
    draw = torch.Generator().manual_seed(2)
    angle, mask = 6 * torch.rand(30, 2, 6, generator=draw), torch.ones(30, 2, 6) > 0
    order = torch.tensor([5, 3, 1, 0, 2, 4])
    one, other = (distinct_sectors(a, mask, 6) for a in (angle, angle[:, :, order]))
    assert torch.equal(one[:, :, order], other)


@pytest.mark.statistical
def test_numbers_fit_their_layer_before_any_training():
    """Random scores: a layer has no more points than thresholds in its energy, but for 2 %."""
    scores, _, incident = _fitted(CELLS, 6000)
    draw = torch.Generator().manual_seed(5)
    layers, counts = (torch.randn(6000, size, generator=draw) for size in (3, 7))
    target, number = scores.decode_layers(layers, counts, incident)
    own = torch.tensor(CELLS.ring_layers)
    held = torch.stack([(number * (own == layer)).sum(dim=1) for layer in range(3)], dim=1)
    too_many = ((held > target) & (target > 0)).double().mean()
    assert too_many < 0.02  # 0.03 if numbers are scores at the incident energy


def test_numbers_of_an_empty_layer_are_noise():
    scores, x, incident = _fitted(CELLS)
    points = scores.unpack(scores.encode(x, incident))
    uniform = torch.rand(EVENTS, 7, generator=torch.Generator().manual_seed(6))
    found = scores.encode_counts(points.counts(), points.layers, uniform)
    empty = points.layers[:, scores.places.ring_layers] == 0
    assert empty.any()
    torch.testing.assert_close(found[empty], torch.special.ndtri(uniform)[empty])
