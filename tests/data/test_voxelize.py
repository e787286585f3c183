"""Points into voxels: no energy is lost in silence, and the way back is exact."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic_points import DETECTOR, cloud, dressed

from simulacra.data import (
    Geometry,
    Layer,
    PointShowers,
    ToyShowers,
    embedded,
    geometry,
    read_showers,
    to_points,
    toy_geometry,
    voxelize,
)
from simulacra.errors import RangeError, ShapeError


def one_point(x: float, y: float, z: float, **more: object) -> PointShowers:
    return PointShowers(
        np.array([[x, y, z]], np.float64),
        np.array([3.0]),
        np.array([0, 1]),
        np.array([10.0]),
        **more,
    )


def place(points: PointShowers, where: Geometry = DETECTOR) -> int | None:
    """The voxel of a single point, None if it is outside."""
    found = voxelize(points, where, tolerance=1.0)
    filled = np.flatnonzero(found.energies[0])
    assert len(filled) + (found.lost[0] > 0) == 1
    return int(filled[0]) if len(filled) else None


def slow_twin(points: PointShowers, where: Geometry) -> tuple[np.ndarray, np.ndarray]:
    """One point after the other, as the definition says."""
    energies = np.zeros((len(points), where.voxels))
    lost = np.zeros(len(points))
    for event in range(len(points)):
        for p in range(points.offsets[event], points.offsets[event + 1]):
            x, y, z = points.position[p].astype(float)
            r, alpha = np.hypot(x, y), np.arctan2(y, x)
            for number, layer in enumerate(where.layers):
                ring = np.searchsorted(layer.r_edges, r, side="right") - 1
                if layer.z_min <= z < layer.z_max and 0 <= ring < layer.n_radius:
                    sector = int((alpha + np.pi) / (2 * np.pi) * layer.n_alpha) % layer.n_alpha
                    cell = where.boundaries[number] + sector * layer.n_radius + ring
                    energies[event, cell] += float(points.energy[p])
                    break
            else:
                lost[event] += float(points.energy[p])
    return energies, lost


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_it_is_what_the_definition_says(dtype):
    points = cloud(9, 200, dtype=dtype)
    found = voxelize(points, DETECTOR)
    energies, lost = slow_twin(points, DETECTOR)
    np.testing.assert_array_equal(found.energies, energies.astype(dtype))
    np.testing.assert_array_equal(found.lost, lost)
    assert found.energies.dtype == dtype
    assert (lost[points.counts > 0] > 0).all()  # the gap, the hole and the sides are hit
    assert not found.energies[1].any()
    assert found.lost[1] == 0


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    scale=st.sampled_from([0.1, 1.0, 5.0, 100.0]),
    name=st.sampled_from(["three", "calochallenge-1-photons", "calochallenge-2"]),
)
def test_energy_is_conserved(seed, scale, name):
    where = DETECTOR if name == "three" else geometry(name)
    if name == "calochallenge-1-photons":
        where = where.with_depths(range(0, 50, 10), range(10, 60, 10))
    points = cloud(5, 60, seed=seed, dtype=np.float64)
    points = replace(points, position=points.position * np.float32(scale))
    found = voxelize(points, where, tolerance=1.0)
    assert (found.energies >= 0).all()
    np.testing.assert_allclose(
        found.energies.sum(axis=1) + found.lost, points.totals(), rtol=1e-13, atol=0
    )


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), cuts=st.lists(st.integers(0, 12), max_size=5))
def test_pieces_have_the_bits_of_the_whole(seed, cuts):
    points = cloud(12, 40, seed=seed)
    whole = voxelize(points, DETECTOR)
    cuts = [0, *sorted(cuts), 12]
    parts = [voxelize(points.select(slice(a, b)), DETECTOR) for a, b in pairwise(cuts)]
    np.testing.assert_array_equal(np.concatenate([p.energies for p in parts]), whole.energies)
    np.testing.assert_array_equal(np.concatenate([p.lost for p in parts]), whole.lost)


def test_many_points_have_the_bits_of_few_at_a_time():
    """More points and events than fit into one run."""
    rng = np.random.default_rng(2)
    points = cloud(60, 3000, seed=3)
    found = voxelize(points, DETECTOR)
    for event in rng.choice(60, 10):
        alone = voxelize(points.select([event]), DETECTOR)
        np.testing.assert_array_equal(alone.energies[0], found.energies[event])


def test_turning_by_one_sector_turns_the_voxels():
    where = toy_geometry(3, 8, 5)
    showers = ToyShowers(where, concentration=3.0).log_uniform(20, seed=1)
    points = to_points(showers, seed=4, spread=0.99)
    angle = 2 * np.pi / 8
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    turned = points.position.copy()
    turned[:, :2] = points.position[:, :2] @ turn
    found = voxelize(replace(points, position=turned), where)
    expected = np.roll(showers.energies.reshape(20, *where.shape), 1, axis=2).reshape(20, -1)
    np.testing.assert_array_equal(found.energies, expected)


def test_walls_belong_to_the_cell_that_begins_there():
    first, second = DETECTOR.boundaries[:2]
    assert place(one_point(0.0, 0.0, 0.0)) == first
    assert place(one_point(5.0, 0.0, 0.0)) == first + 1
    assert place(one_point(np.nextafter(5.0, 0), 0.0, 0.0)) == first
    assert place(one_point(20.0, 0.0, 0.0)) is None
    assert place(one_point(0.0, np.nextafter(20.0, 0), 0.0)) == first + 1
    assert place(one_point(0.0, 0.0, np.nextafter(10.0, 0))) == first
    assert place(one_point(0.0, 0.0, 10.0)) == second + 2 * 3  # alpha = 0: the third sector
    assert place(one_point(0.0, 0.0, 20.0)) is None  # the gap
    assert place(one_point(0.0, 0.0, np.nextafter(0.0, -1))) is None
    assert place(one_point(3.0, 0.0, 30.0)) is None  # the hole
    assert place(one_point(4.0, 0.0, 25.0)) is not None
    assert place(one_point(4.0, 0.0, 60.0)) is None


@pytest.mark.parametrize(
    ("x", "y", "sector"),
    [(-1, 0.0, 0), (-1, -0.0, 0), (0, -1, 1), (1, 0, 2), (0, 1, 3), (-1, -1e-3, 0), (-1, 1e-3, 3)],
)
def test_sectors_begin_at_minus_pi(x, y, sector):
    assert place(one_point(x, y, 15.0)) == DETECTOR.boundaries[1] + sector * 3


def test_layers_by_number_where_depths_are_not_known():
    bare = geometry("calochallenge-1-photons")
    numbered = one_point(1.0, 0.0, np.nan, layer=np.array([12]))
    assert place(numbered, bare) == bare.boundaries[4]
    assert place(one_point(1.0, 0.0, np.nan, layer=np.array([4])), bare) is None
    assert place(one_point(1.0, 0.0, np.nan, layer=np.array([-7])), bare) is None
    assert place(one_point(5.0, 0.0, np.nan, layer=np.array([12]))) == DETECTOR.boundaries[2] + 2
    with pytest.raises(ShapeError, match="at which depths"):
        voxelize(one_point(1.0, 0.0, 3.0), bare)


def test_space_decides_before_numbers_and_each_point_for_itself():
    position = np.array([[1.0, 0, 5.0], [1.0, 0, np.nan], [1.0, 0, 15.0]])
    points = PointShowers(
        position, np.array([1.0, 2.0, 4.0]), np.array([0, 3]), np.array([9.0]),
        layer=np.array([1, 1, 0]),
    )  # fmt: skip
    found = voxelize(points, DETECTOR)
    np.testing.assert_array_equal(
        np.add.reduceat(found.energies[0], DETECTOR.boundaries[:-1]), [1.0, 6.0, 0.0]
    )


def test_what_is_no_number_is_refused():
    with pytest.raises(RangeError, match=r"shower 0: has a point at .*nan"):
        voxelize(one_point(np.nan, 0, 0), DETECTOR)
    with pytest.raises(RangeError, match="finite"):
        voxelize(one_point(0, 0, np.inf, layer=np.array([1])), DETECTOR)
    with pytest.raises(RangeError, match="finite"):
        voxelize(one_point(0, 0, np.nan), DETECTOR)


def test_layers_in_each_others_way_are_refused():
    layers = tuple(Layer(i, (0.0, 1.0), 1, 10.0 * i, 10.0 * i + 11) for i in range(3))
    with pytest.raises(RangeError, match="overlap in depth: 10 to 21"):
        voxelize(cloud(), replace(DETECTOR, layers=layers))
    twice = replace(DETECTOR, layers=tuple(replace(x, identity=1) for x in DETECTOR.layers))
    with pytest.raises(RangeError, match="number of its own"):
        voxelize(replace(cloud(), layer=np.ones(len(cloud().energy), int)), twice)


def test_a_cloud_in_other_units_is_refused():
    points = cloud()
    in_cm = replace(points, position=points.position / 10)
    assert voxelize(in_cm, DETECTOR).lost.sum() == 0  # nothing can tell
    in_um = replace(points, position=points.position * 1000)
    with pytest.raises(RangeError, match=r"outside the voxels.*another unit, frame or order"):
        voxelize(in_um, DETECTOR)
    assert voxelize(in_um, DETECTOR, tolerance=1.0).lost.sum() > 0


def test_what_comes_with_a_shower_stays_with_it():
    points = dressed(cloud())
    found = voxelize(points, DETECTOR)
    np.testing.assert_array_equal(found.weight, points.weight)
    np.testing.assert_array_equal(found.conditions["theta"], points.conditions["theta"])
    picked = found.select([4, 2])
    np.testing.assert_array_equal(picked.lost, found.lost[[4, 2]])
    joined = type(found).concatenate([picked, found])
    assert len(joined.lost) == len(found) + 2
    assert type(found).concatenate([picked, replace(found, lost=None)]).lost is None
    with pytest.raises(ShapeError, match="lost"):
        replace(found, lost=np.zeros(1))


@pytest.mark.parametrize("spread", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("name", ["three", "1-photons", "1-pions", "2", "3"])
def test_there_and_back(name, spread):
    where = DETECTOR if name == "three" else geometry(f"calochallenge-{name}")
    showers = ToyShowers(where, concentration=50.0).log_uniform(4, seed=2)
    showers = replace(showers, energies=showers.energies.astype(np.float32))
    points = to_points(showers, seed=5, spread=spread)
    assert len(points.energy) == np.count_nonzero(showers.energies)
    found = voxelize(points, where)
    np.testing.assert_array_equal(found.energies, showers.energies)
    assert not found.lost.any()


@pytest.mark.parametrize("name", ["three", "1-photons", "3"])
def test_the_rims_of_the_cells_there_and_back(name, monkeypatch):
    """The smallest and the largest numbers that can be drawn do not leave the cell."""
    where = DETECTOR if name == "three" else geometry(f"calochallenge-{name}")
    rng = np.random.default_rng(1)

    def extreme(_seed, events, count, **_more):
        return rng.choice([2.0**-24, 1 - 2.0**-24], (len(events), count))

    monkeypatch.setattr(import_module("simulacra.data.voxelize"), "uniform", extreme)
    showers = ToyShowers(where, concentration=50.0).log_uniform(4, seed=2)
    found = voxelize(to_points(showers, spread=1.0), where)
    np.testing.assert_array_equal(found.energies, showers.energies)


def test_real_showers_there_and_back():
    showers = read_showers(embedded("photons-test")).select(slice(0, 300))
    found = voxelize(to_points(showers, seed=1, spread=1.0), showers.geometry)
    np.testing.assert_array_equal(found.energies, showers.energies)
    np.testing.assert_array_equal(found.event_keys(), showers.event_keys())


def test_places_belong_to_the_event():
    showers = ToyShowers(toy_geometry()).log_uniform(10, seed=2)
    whole = to_points(showers, seed=3, spread=1.0)
    part = to_points(showers.select(slice(4, 9)), seed=3, spread=1.0, events=range(4, 9))
    np.testing.assert_array_equal(part.position, whole.select(slice(4, 9)).position)
    assert not np.array_equal(to_points(showers, seed=4, spread=1.0).position, whole.position)
    with pytest.raises(RangeError, match="spread"):
        to_points(showers, spread=1.5)


def test_points_fill_the_cell_evenly():
    """Radius squared, angle and depth are uniform: 5 sigma of the mean of 4000 draws."""
    where = Geometry("one", "x", 0, (Layer(0, (3.0, 9.0), 1, 10.0, 30.0),), 0.0)
    showers = ToyShowers(where).sample(np.full(4000, 1000.0), seed=1)
    x, y, z = to_points(showers, seed=1, spread=1.0).position.astype(float).T
    shares = [(x**2 + y**2 - 9) / 72, (np.arctan2(y, x) + np.pi) / 2 / np.pi, (z - 10) / 20]
    for share in shares:
        assert 0 <= share.min() < 0.01 < 0.99 < share.max() <= 1
        assert abs(share.mean() - 0.5) < 5 / np.sqrt(12 * 4000)
        assert abs(share.var() - 1 / 12) < 5 * np.sqrt(1 / 180 / 4000)


def test_no_events_and_no_points():
    none = cloud(3).select(slice(0, 0))
    assert voxelize(none, DETECTOR).energies.shape == (0, DETECTOR.voxels)
    empty = cloud(3, 0)
    found = voxelize(empty, DETECTOR)
    assert not found.energies.any()
    assert len(to_points(found).energy) == 0
