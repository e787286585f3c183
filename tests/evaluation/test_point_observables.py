"""Point clouds under judgement: their own observables, and the same verdict as their voxels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulacra.data import (
    PointShowers,
    ToyShowers,
    open_showers,
    to_points,
    toy_geometry,
    voxelize,
    write_points,
    write_showers,
)
from simulacra.data.joined import open_joined
from simulacra.errors import FileFormatError, RangeError, ShapeError
from simulacra.evaluation import Suite, evaluate
from simulacra.evaluation.metrics import BinnedEvents, separation_power
from simulacra.evaluation.observables.point_declared import POINT_FAMILIES, point_observables
from simulacra.evaluation.observables.points import (
    PointObservables,
    count_points,
    energy_in_bins,
    observe_points,
    read_and_observe,
)

DETECTOR = toy_geometry(4, 6, 5)
FIELDS = [
    name
    for name in PointObservables.__dataclass_fields__
    if name not in ("depth_unit", "lost_energy", "weight")
]


def cloud(events: int = 9, mean: float = 25, *, seed: int = 0) -> PointShowers:
    rng = np.random.default_rng(seed)
    counts = rng.poisson(mean, events)
    counts[2::4] = 0
    points = int(counts.sum())
    position = np.column_stack(
        [rng.normal(1, 9, points), rng.normal(0, 7, points), rng.gamma(2, 15, points)]
    )
    return PointShowers(
        position.astype(np.float32),
        rng.exponential(10.0, points).astype(np.float32),
        np.concatenate([[0], np.cumsum(counts)]),
        np.full(events, 300.0),
    )


def slow_twin(x: np.ndarray, e: np.ndarray) -> dict[str, float]:
    """Observables of one shower as the definition says."""
    if not len(e):
        nan = np.nan
        return dict.fromkeys(FIELDS, nan) | {"total_energy": 0, "number": 0, "brightest": 0}
    coordinates = dict(zip(("x", "y", "depth"), x.T, strict=True)) | {"r": np.hypot(*x.T[:2])}
    found = {"total_energy": e.sum(), "number": len(e), "brightest": e.max()}
    found["effective_number"] = e.sum() ** 2 / (e**2).sum()
    for name, values in coordinates.items():
        centre = np.average(values, weights=e)
        found[f"centre_{name}"] = centre
        found[f"width_{name}"] = np.sqrt(np.average((values - centre) ** 2, weights=e))
    centre = np.average(x, axis=0, weights=e)
    found["mean_distance"] = np.average(np.linalg.norm(x - centre, axis=1), weights=e)
    return found


@pytest.mark.parametrize("threshold", [0.0, 8.0, 1e6])
def test_they_are_what_the_definition_says(threshold):
    points = cloud(20)
    found = observe_points(points, threshold)
    assert found.depth_unit == ("mm" if threshold < 1e6 else "")
    for event in range(20):
        own = (points.event == event) & (points.energy >= threshold)
        expected = slow_twin(points.position[own].astype(float), points.energy[own].astype(float))
        expected["incident_energy"] = 300.0
        for name in FIELDS:
            actual = getattr(found, name)[event]
            np.testing.assert_allclose(actual, expected[name], rtol=1e-9, err_msg=name)


def test_layers_stand_for_depths_that_are_not_known():
    points = cloud()
    layer = np.arange(len(points.energy)) % 5
    flat = replace(points, position=points.position * [1, 1, np.nan], layer=layer)
    found = observe_points(flat)
    assert found.depth_unit == "layer"
    own = points.event == 0
    expected = np.average(layer[own], weights=points.energy[own].astype(float))
    np.testing.assert_allclose(found.centre_depth[0], expected)
    np.testing.assert_allclose(found.width_x, observe_points(points).width_x)
    assert (found.mean_distance[0] < observe_points(points).mean_distance[0]).all()
    with pytest.raises(ShapeError, match="others the number of a layer"):
        PointObservables.concatenate([found, observe_points(points)])
    mixed = flat.position.copy()
    mixed[0, 2] = 1.0
    with pytest.raises(ShapeError, match="some points have their depth in mm"):
        observe_points(replace(flat, position=mixed))


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), cuts=st.lists(st.integers(0, 15), max_size=5))
def test_pieces_have_the_bits_of_the_whole(seed, cuts):
    points = cloud(15, seed=seed)
    points = replace(points, weight=np.linspace(-1, 2, 15))
    whole = observe_points(points, 3.0, lost=np.arange(15.0))
    edges = [0, *sorted(cuts), 15]
    runs = [slice(a, b) for a, b in zip(edges, edges[1:], strict=False)]  # noqa: RUF007
    joined = PointObservables.concatenate(
        observe_points(points.select(run), 3.0, lost=np.arange(15.0)[run]) for run in runs
    )
    for name in (*FIELDS, "weight", "lost_energy"):
        np.testing.assert_array_equal(getattr(joined, name), getattr(whole, name), err_msg=name)
        np.testing.assert_array_equal(
            getattr(whole.select([7, 2]), name), getattr(whole, name)[[7, 2]]
        )
    assert joined.depth_unit == whole.depth_unit
    with pytest.raises(RangeError, match="at least one"):
        PointObservables.concatenate([])


def test_more_points_than_fit_into_one_run():
    points = cloud(8, 30_000)
    found = observe_points(points)
    for event in (0, 7):
        alone = observe_points(points.select([event]))
        for name in FIELDS:
            assert getattr(alone, name)[0] == getattr(found, name)[event], name


@given(scale=st.floats(0.1, 10), shift=st.floats(-50, 50))
@settings(max_examples=20, deadline=None)
def test_what_scales_and_what_does_not(scale, shift):
    points = cloud()
    found = observe_points(points)
    brighter = observe_points(replace(points, energy=points.energy * np.float64(scale)))
    for name in FIELDS:
        factor = scale if name in ("total_energy", "brightest") else 1.0
        np.testing.assert_allclose(getattr(brighter, name), factor * getattr(found, name), 1e-9)
    position = points.position.astype(float) + np.array([shift, 0, 0])
    moved = observe_points(replace(points, position=position))
    np.testing.assert_allclose(moved.centre_x, found.centre_x + shift, rtol=1e-9, atol=1e-9)
    for name in ("width_x", "width_y", "width_depth", "mean_distance", "centre_y"):
        np.testing.assert_allclose(getattr(moved, name), getattr(found, name), rtol=1e-6, atol=1e-9)


def test_spectrum_and_profiles_hold_everything():
    points = cloud(12)
    edges = np.geomspace(1.0, 30.0, 9)
    counts = count_points(points, edges, threshold=0.5)
    assert counts.shape == (12, 10)
    kept = points.energy >= 0.5
    np.testing.assert_array_equal(counts.sum(axis=1), np.bincount(points.event[kept], minlength=12))
    np.testing.assert_array_equal(
        counts[:, 1:-1].sum(axis=0), np.histogram(points.energy[kept], edges)[0]
    )
    for along, edges in (("depth", np.linspace(5, 60, 8)), ("radius", np.linspace(0, 12, 5))):
        energies = energy_in_bins(points, along, edges)
        np.testing.assert_allclose(energies.sum(axis=1), points.totals(), rtol=1e-12)
        where = points.position[:, 2] if along == "depth" else np.hypot(*points.position.T[:2])
        expected = np.histogram(where, edges, weights=points.energy.astype(float))[0]
        np.testing.assert_allclose(energies[:, 1:-1].sum(axis=0), expected, rtol=1e-5)


def test_declarations_bin_two_samples_alike():
    reference, other = (observe_points(cloud(400, seed=s), lost=np.ones(400)) for s in (1, 2))
    declared = point_observables(reference)
    assert [d.name for d in declared] == [f for f in POINT_FAMILIES if f != "point_energy"]
    for observable in declared:
        edges = observable.bins(0.0, 0.0)
        assert (np.diff(edges) > 0).all(), observable.name
        assert observable.cannot_see
        values = observable.values(reference)
        shown = values > 0 if observable.log_x else ~np.isnan(values)
        inside = (values >= edges[0]) & (values <= edges[-1])
        assert inside[shown].mean() > 0.99, observable.name
        assert observable.values(other).shape == (400,)
    without = point_observables(observe_points(cloud()))
    assert "point_lost_energy_ratio" not in [d.name for d in without]
    assert {d.unit for d in without if "depth" in d.name} == {"mm"}


@pytest.mark.parametrize("events", [1, 3])
def test_declarations_of_hardly_anything(events):
    """One shower, or none with points: any bins will do, but there are some."""
    for mean in (0, 25):
        for observable in point_observables(observe_points(cloud(events, mean))):
            assert (np.diff(observable.bins(0.0, 0.0)) > 0).all(), observable.name


def test_a_wider_shower_is_found_by_its_own_observable():
    """The width is told apart; the energy stays at its floor of 0.008 with 3000 showers each.

    50 bins of equal samples give (50 - 1) / 4 (1 / 3000 + 1 / 3000) on average, with a standard
    deviation of 0.0016: 0.02 is 7 sigma above.
    """
    reference, ours = cloud(4000, seed=1), cloud(4000, seed=2)
    ours = replace(ours, position=ours.position * np.float32([1.3, 1, 1]))
    observed = [observe_points(p).select(p.counts > 0) for p in (reference, ours)]
    found = {}
    for observable in point_observables(observed[0]):
        edges = observable.bins(0.0, 0.0)
        binned = [BinnedEvents.from_values(observable.values(o), edges) for o in observed]
        found[observable.name] = float(separation_power(*(b.sums[1:-1] for b in binned)))
    assert found["point_width_x"] > 0.1
    assert found["point_total_energy_ratio"] < 0.02


# files


def files_of_points(folder, *, spread: float = 1.0) -> dict[str, tuple]:
    """Two sets of showers as points that leak a little, and as the voxels that these make."""
    found = {}
    for seed, role in enumerate(("generated", "reference")):
        showers = ToyShowers(DETECTOR, concentration=4.0, spread=0.2 + 0.1 * seed).log_uniform(
            300, seed=seed, low=1e3, high=4e3
        )
        points = to_points(showers, seed=seed, spread=spread)
        points = replace(points, position=points.position * np.float32([1.1, 1.1, 1]))
        paths = folder / f"{role}-points.hdf5", folder / f"{role}-voxels.hdf5"
        write_points(paths[0], points, geometry=DETECTOR)
        write_showers(paths[1], voxelize(points, DETECTOR))
        found[role] = paths
    return found


def test_reading_once_gives_voxels_and_observables(tmp_path, monkeypatch):
    import simulacra.data.pointfiles as pointfiles

    path, voxels = files_of_points(tmp_path)["reference"]
    monkeypatch.setattr(pointfiles, "_PIECE_POINTS", 1000)
    file = open_showers(path)
    showers, observed = read_and_observe(file, 40, 260, threshold=2.0)
    np.testing.assert_array_equal(showers.energies, open_showers(voxels).read(40, 260).energies)
    points = file.points.read(40, 260)
    expected = observe_points(points, 2.0, lost=voxelize(points, DETECTOR).lost)
    for name in (*FIELDS, "lost_energy"):
        np.testing.assert_array_equal(getattr(observed, name), getattr(expected, name))
    assert observed.lost_energy.any()
    several = open_joined([path, path])
    showers, observed = read_and_observe(several, 290, 310)
    np.testing.assert_array_equal(showers.energies, several.read(290, 310).energies)
    assert len(observed) == 20
    with pytest.raises(FileFormatError, match="holds voxels"):
        read_and_observe(open_showers(voxels), 0, 3)


def test_points_get_the_verdict_of_their_voxels(tmp_path):
    files = files_of_points(tmp_path)
    suite = Suite(name="mine", label="mine", comparable=False, bootstrap=5, examples=2)
    points, voxels = (
        evaluate(files["generated"][kind], files["reference"][kind], suite=suite, seed=3)
        for kind in (0, 1)
    )
    own = tuple(s for s in points.scores if "/point_" in s.name)
    assert tuple(s for s in points.scores if s not in own) == voxels.scores
    assert {s.name.partition("@")[0] for s in own} >= {"separation/point_number"}
    assert tuple(h for h in points.histograms if not h.name.startswith("point_")) == (
        voxels.histograms
    )
    assert points.images == voxels.images
    assert points.examples == voxels.examples
    assert len(points.scores) > 10
    more = [w for w in points.warnings if w not in voxels.warnings]
    assert [("outside the voxels" in w, "points.hdf5" in w) for w in more] == [(True, True)] * 2


def test_the_same_points_with_the_geometry_given(tmp_path):
    path, voxels = files_of_points(tmp_path)["reference"]
    coarse = toy_geometry(4, 3, 5)
    found = open_showers(path, geometry=coarse).read()
    fine = open_showers(voxels).read().energies.reshape(300, 4, 3, 2, 5).sum(axis=3)
    np.testing.assert_allclose(found.energies, fine.reshape(300, -1), rtol=1e-5, atol=1e-4)
