"""Point clouds in memory and in files: ours, and those of other people."""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
import time
from dataclasses import replace

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic_points import DETECTOR, cloud, dressed, padded, write_caloclouds, write_showerdata
from typer.testing import CliRunner

from simulacra.cli.data import app
from simulacra.data import (
    POINT_FORMATS,
    PointShowers,
    ToyShowers,
    convert_showers,
    energy_between,
    geometry,
    open_points,
    open_showers,
    read_showers,
    split_showers,
    to_points,
    toy_geometry,
    voxelize,
    write_points,
    write_showers,
)
from simulacra.data.formats import WRITTEN
from simulacra.data.joined import open_joined
from simulacra.errors import FileFormatError, OutputError, RangeError, ShapeError, UnitError

RUNNER = CliRunner()


def assert_same(a: PointShowers, b: PointShowers) -> None:
    for name in ("position", "energy", "offsets", "incident_energy", "layer", "weight"):
        one, other = getattr(a, name), getattr(b, name)
        assert (one is None) == (other is None), name
        if one is not None:
            np.testing.assert_array_equal(one, other, err_msg=name)
            assert one.dtype.kind == other.dtype.kind
    assert set(a.conditions) == set(b.conditions)
    for name, column in a.conditions.items():
        np.testing.assert_array_equal(column, b.conditions[name])


def info(*words: object) -> dict:
    done = RUNNER.invoke(app, ["info", *map(str, words), "--json"])
    assert done.exit_code == 0, done.output or done.exception
    (found,) = json.loads(done.stdout)
    return found


# in memory


def test_events_are_cut_by_the_offsets():
    points = cloud()
    assert len(points) == 7
    assert points.counts.sum() == len(points.energy) == len(points.event)
    for event in range(7):
        own = points.event == event
        np.testing.assert_allclose(points.totals()[event], points.energy[own].sum(), rtol=1e-6)
    assert points.counts[1] == 0


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"position": np.zeros((3, 2))}, "position: expected"),
        ({"offsets": np.array([0, 1])}, "offsets: expected shape"),
        ({"incident_energy": np.ones(3)}, "offsets|incident"),
        ({"layer": np.zeros(1, int)}, "layer: expected shape"),
        ({"layer": np.zeros(3)}, "layer: expected whole numbers"),
        ({"offsets": np.array([0.0, 1.0, 3.0])}, "offsets: expected whole numbers"),
        ({"weight": np.ones(3)}, "weight: expected"),
        ({"conditions": {"theta": np.ones(1)}}, "theta: expected"),
    ],
)
def test_arrays_that_do_not_fit_each_other(change, match):
    good = PointShowers(np.zeros((3, 3)), np.ones(3), np.array([0, 1, 3]), np.ones(2))
    with pytest.raises(ShapeError, match=match):
        replace(good, **change)


@pytest.mark.parametrize("offsets", [[1, 1, 3], [0, 2, 2], [0, 4, 3], [0, -1, 3]])
def test_offsets_that_cut_nothing(offsets):
    with pytest.raises(RangeError, match="offsets"):
        PointShowers(np.zeros((3, 3)), np.ones(3), np.array(offsets), np.ones(2))


@pytest.mark.parametrize(
    "which",
    [slice(2, 5), slice(None), slice(0, 0), slice(6, None, -2), [3, 3, 0], np.array([True] * 7)],
    ids=str,
)
def test_select(which):
    points = dressed(cloud())
    found = points.select(which)
    numbers = np.arange(7)[which]
    assert len(found) == len(numbers)
    for place, number in enumerate(numbers):
        assert_same(found.select([place]), points.select([number]))
        own = points.event == number
        np.testing.assert_array_equal(found.energy[found.event == place], points.energy[own])
        np.testing.assert_array_equal(found.layer[found.event == place], points.layer[own])


def test_concatenate_joins_what_select_parts():
    points = dressed(cloud())
    parts = [points.select(slice(a, b)) for a, b in ((0, 3), (3, 3), (3, 7))]
    assert_same(PointShowers.concatenate(parts), points)
    with pytest.raises(RangeError, match="at least one"):
        PointShowers.concatenate([])
    with pytest.raises(ShapeError, match="layer numbers"):
        PointShowers.concatenate([points, replace(points, layer=None)])
    mixed = PointShowers.concatenate([points, replace(points, weight=None, conditions={})])
    np.testing.assert_array_equal(mixed.weight[7:], 1)
    assert mixed.conditions == {}


@given(points=st.integers(1, 50), events=st.integers(1, 5))
def test_runs_cover_everything_once(points, events):
    found = list(cloud(13, 9).runs(points, events))
    numbers = [n for run in found for n in range(run.start, run.stop)]
    assert numbers == list(range(13))
    for run in found:
        few = cloud(13, 9).select(run)
        assert len(few) <= events
        assert len(few) == 1 or len(few.energy) <= points


def test_threshold_and_shift():
    points = dressed(cloud())
    cut = points.thresholded(40.0)
    assert cut.energy.min() >= 40
    np.testing.assert_array_equal(cut.energy, points.energy[points.energy >= 40])
    np.testing.assert_array_equal(cut.event, points.event[points.energy >= 40])
    np.testing.assert_allclose(points.moved(3, -4).position - points.position, [[-3, 4, 0]] * len(
        points.energy), atol=1e-5)  # fmt: skip


def test_keys_find_a_shower_again_whatever_the_order_of_its_points():
    points = dressed(cloud())
    keys = points.event_keys()
    assert keys.dtype == np.uint64
    filled = points.counts > 0
    assert len(np.unique(keys[filled])) == filled.sum()
    np.testing.assert_array_equal(points.select([4, 2]).event_keys(), keys[[4, 2]])
    rng = np.random.default_rng(0)
    order = np.lexsort((rng.random(len(points.energy)), points.event))
    shuffled = replace(
        points,
        position=points.position[order],
        energy=points.energy[order],
        layer=points.layer[order],
    )
    np.testing.assert_array_equal(shuffled.event_keys(), keys)
    as_double = replace(points, energy=points.energy.astype(float))
    np.testing.assert_array_equal(as_double.event_keys(), keys)


@pytest.mark.parametrize("field", ["position", "energy", "incident_energy"])
def test_keys_see_the_smallest_change(field):
    points = cloud()
    changed = getattr(points, field).copy()
    changed.flat[0] = np.nextafter(changed.flat[0], np.float32(1e9))
    other = replace(points, **{field: changed}).event_keys()
    assert (other != points.event_keys()).sum() == 1


def test_keys_tell_apart_what_is_only_rearranged():
    points = cloud()
    keys, filled = points.event_keys(), points.counts > 1
    mirrored = replace(points, position=points.position[:, [1, 0, 2]])
    energy = points.energy.copy()
    for start, count in zip(points.offsets, points.counts, strict=False):
        energy[start : start + count] = np.roll(energy[start : start + count], 1)
    for other in (mirrored, replace(points, energy=energy)):
        assert (other.event_keys() != keys)[filled].all()


def test_points_without_energy_do_not_change_a_key():
    points = cloud()
    energy = points.energy.copy()
    energy[::4] = 0
    points = replace(points, energy=energy)
    np.testing.assert_array_equal(points.thresholded(0.0).event_keys(), points.event_keys())


def test_padding_is_no_part_of_a_shower():
    points = cloud()
    found = PointShowers.from_padded(padded(points, 70), points.incident_energy[:, None])
    assert_same(found, points)
    np.testing.assert_array_equal(found.event_keys(), points.event_keys())
    layers = padded(replace(points, position=np.round(points.position)), 70)
    layered = PointShowers.from_padded(layers, points.incident_energy, depth_is_layer=True)
    np.testing.assert_array_equal(layered.layer, np.round(points.position[:, 2]))
    assert not layered.depth_known
    with pytest.raises(RangeError, match=r"whole number.*depth in mm"):
        PointShowers.from_padded(padded(points, 70), points.incident_energy, depth_is_layer=True)
    with pytest.raises(ShapeError, match="padded points"):
        PointShowers.from_padded(np.ones((2, 3)), np.ones(2))


# our own layout


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("with_columns", [False, True])
def test_what_is_written_is_read_back(tmp_path, dtype, with_columns):
    points = cloud(dtype=dtype)
    points = dressed(points) if with_columns else points
    path = tmp_path / "a.hdf5"
    assert write_points(path, points, geometry=DETECTOR, attributes={"model": "none"}) == 7
    found = open_points(path)
    assert (found.events, len(found), found.point_number) == (7, 7, len(points.energy))
    assert (found.format, found.dtype, found.weighted) == ("points", dtype, with_columns)
    assert set(found.conditions) == set(points.conditions)
    assert found.geometry == DETECTOR
    assert found.provenance["model"] == "none"
    assert_same(found.read(), points)
    assert_same(pickle.loads(pickle.dumps(found)).read(2, 5), points.select(slice(2, 5)))
    with pytest.raises(RangeError, match="the file has 7"):
        found.read(3, 8)


@settings(max_examples=8, deadline=None)
@given(data=st.data())
def test_any_partition_gives_the_same_file(tmp_path_factory, data):
    points = dressed(cloud(11))
    cuts = sorted(data.draw(st.lists(st.integers(0, 11), max_size=5)))
    parts = [points.select(slice(a, b)) for a, b in zip([0, *cuts], [*cuts, 11], strict=True)]
    path = tmp_path_factory.mktemp("parts") / "a.hdf5"
    write_points(path, iter(parts))
    step = data.draw(st.integers(1, 12))
    assert_same(PointShowers.concatenate(open_points(path).chunks(step)), points)
    voxels = [part.energies for part in open_showers(path, geometry=DETECTOR).chunks(step)]
    whole = voxelize(points, DETECTOR).energies
    np.testing.assert_array_equal(np.concatenate(voxels), whole)


def test_a_file_of_points_is_one_of_voxels_too(tmp_path, monkeypatch):
    import simulacra.data.pointfiles as pointfiles

    points = dressed(cloud(40))
    points = replace(points, weight=np.abs(points.weight))
    write_points(tmp_path / "a.hdf5", points, geometry=DETECTOR)
    expected = voxelize(points, DETECTOR)
    monkeypatch.setattr(pointfiles, "_PIECE_POINTS", 100)  # so that pieces are put together
    file = open_showers(tmp_path / "a.hdf5")
    found = file.read(3, 33)
    np.testing.assert_array_equal(found.energies, expected.energies[3:33])
    np.testing.assert_array_equal(found.lost, expected.lost[3:33])
    np.testing.assert_array_equal(found.weight, points.weight[3:33])
    assert_same(file.points.read(3, 33), points.select(slice(3, 33)))
    joined = open_joined([tmp_path / "a.hdf5", tmp_path / "a.hdf5"])
    np.testing.assert_array_equal(joined.read(39, 42).lost, expected.lost[[39, 0, 1]])
    with file as opened:
        np.testing.assert_array_equal(opened.read(0, 2).energies, expected.energies[:2])
    scaled = open_showers(tmp_path / "a.hdf5", energy_scale=2.0).read()
    np.testing.assert_array_equal(scaled.energies, 2 * expected.energies)
    np.testing.assert_array_equal(scaled.lost, 2 * expected.lost)


def test_what_is_outside_is_said(tmp_path):
    write_points(tmp_path / "a.hdf5", cloud(40), geometry=DETECTOR)
    validation = open_showers(tmp_path / "a.hdf5").validate()
    expected = voxelize(cloud(40), DETECTOR)
    lost = expected.lost.sum() / (expected.lost.sum() + expected.energies.sum(dtype=float))
    assert f"{lost:.3g} of the points' energy lies outside" in " ".join(validation.warnings)
    far = replace(cloud(40), position=cloud(40).position * np.float32(100))
    write_points(tmp_path / "b.hdf5", far, geometry=DETECTOR)
    with pytest.raises(RangeError, match=r"b.hdf5: .*another unit, frame"):
        open_showers(tmp_path / "b.hdf5").validate()
    with pytest.raises(RangeError, match="outside the voxels"):
        read_showers(tmp_path / "b.hdf5")
    off = open_points(tmp_path / "a.hdf5", axis=(40.0, 0.0)).validate()
    assert "x = -" in off.warnings[0]
    assert open_points(tmp_path / "a.hdf5").validate().warnings == ()


def test_the_geometry_must_be_given_or_stated(tmp_path):
    write_points(tmp_path / "a.hdf5", cloud())
    with pytest.raises(FileFormatError, match=r"points, which are judged in voxels.*pass a geom"):
        open_showers(tmp_path / "a.hdf5")
    with pytest.raises(ShapeError, match="layer column"):
        open_showers(tmp_path / "a.hdf5", geometry="calochallenge-1-photons").read()
    assert open_showers(tmp_path / "a.hdf5", geometry="calochallenge-2").read().lost is not None


def test_other_voxels_than_the_stated_ones(tmp_path):
    deep = geometry("calochallenge-1-photons").with_depths(range(5), range(1, 6))
    write_points(tmp_path / "a.hdf5", cloud(), geometry=deep)
    assert open_points(tmp_path / "a.hdf5").geometry == deep
    assert open_showers(tmp_path / "a.hdf5").geometry == deep
    assert open_showers(tmp_path / "a.hdf5", geometry=deep.name).geometry == deep
    assert open_showers(tmp_path / "a.hdf5", geometry=DETECTOR).geometry == DETECTOR
    two = geometry("calochallenge-2")
    assert open_showers(tmp_path / "a.hdf5", geometry="calochallenge-2").geometry == two


@pytest.mark.parametrize(
    ("key", "value", "match"),
    [
        ("event_offsets", [0, 500, 100, *[200] * 5], "does not describe events"),
        ("event_offsets", [0] * 7 + [10**9], "does not describe events"),
        ("event_offsets", [0.0] * 8, "whole numbers"),
        ("event_offsets", [], "event_offsets"),
        ("event_offsets", [0] * 4, "7 entries for 3 showers"),
        ("point_energy", [1.0] * 3, r"expected `point_position` \(points, 3\)"),
        ("point_layer", [1] * 3, "point_layer"),
        ("point_position", [[1.0, 2.0]] * 3, "point_position"),
    ],
)
def test_damaged_layouts(tmp_path, key, value, match):
    path = tmp_path / "a.hdf5"
    write_points(path, cloud(), geometry=DETECTOR)
    with h5py.File(path, "a") as file:
        if key in file:
            del file[key]
        file[key] = np.array(value)
    with pytest.raises((FileFormatError, ShapeError), match=match):
        open_points(path).read()


@pytest.mark.parametrize(
    ("key", "value", "match"),
    [
        ("point_energy", np.nan, "energy that is not finite"),
        ("point_energy", -3.0, "negative energy"),
        ("point_position", np.nan, "position that is not finite"),
        ("point_position", np.inf, "position that is not finite"),
        ("incident_energies", 0.0, "not above 0"),
        ("incident_energies", np.nan, "not a number"),
    ],
)
def test_numbers_that_are_none(tmp_path, key, value, match):
    path = tmp_path / "a.hdf5"
    write_points(path, cloud(), geometry=DETECTOR)
    with h5py.File(path, "a") as file:
        file[key][0] = value
    for call in (
        lambda: open_points(path).validate(),
        lambda: open_showers(path).validate(),
        lambda: open_showers(path).read(0, 2),
    ):
        with pytest.raises(FileFormatError, match=rf"a.hdf5: shower 0 .*{match}"):
            call()


@pytest.mark.parametrize(
    ("key", "culprit"), [("incident_energies", "incident energies"), ("point_energy", "showers")]
)
def test_gev_are_refused(tmp_path, key, culprit):
    path = tmp_path / "a.hdf5"
    write_points(path, cloud(60), geometry=DETECTOR)
    with h5py.File(path, "a") as file:
        file[key][...] = file[key][...] / 1000
    for call in (
        lambda: open_points(path).validate(),
        lambda: open_points(path).refuse_gev(),
        lambda: open_showers(path).validate(),
        lambda: read_showers(path),
        lambda: convert_showers(open_points(path), tmp_path / "out.hdf5", format="points"),
    ):
        with pytest.raises(UnitError, match=f"the {culprit} look as if they were in GeV"):
            call()
    assert not (tmp_path / "out.hdf5").exists()


def test_empty_files_and_showers(tmp_path):
    with pytest.raises(RangeError, match="no showers to write"):
        write_points(tmp_path / "a.hdf5", [cloud().select(slice(0, 0))])
    assert list(tmp_path.iterdir()) == []
    write_points(tmp_path / "a.hdf5", cloud(4, 0), geometry=DETECTOR)
    with pytest.raises(FileFormatError, match="all 4 showers are empty"):
        open_points(tmp_path / "a.hdf5").validate()
    with pytest.raises(FileFormatError, match="all 4 showers are empty"):
        open_showers(tmp_path / "a.hdf5").validate()


def test_parts_must_be_alike(tmp_path):
    with pytest.raises(ShapeError, match="same columns"):
        write_points(tmp_path / "a.hdf5", [cloud(), dressed(cloud())])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("allowed", [0, 3, 6])
def test_a_full_disk_leaves_nothing(tmp_path, full_disk, allowed):
    full_disk(allowed)
    with pytest.raises(OutputError, match="nothing was left"):
        write_points(tmp_path / "a.hdf5", cloud())
    assert list(tmp_path.iterdir()) == []


ENDLESS = """
import sys, itertools
import numpy as np
from simulacra.data import PointShowers, write_points
part = PointShowers(np.ones((5000, 3), "f4"), np.ones(5000), np.array([0, 5000]), np.ones(1))
def parts():
    for number in itertools.count():
        if number == 20:
            print("writing", flush=True)
        yield part
write_points(sys.argv[1], parts())
"""


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")
def test_a_killed_writer_leaves_nothing_under_the_name(tmp_path):
    path = tmp_path / "a.hdf5"
    process = subprocess.Popen(
        [sys.executable, "-c", ENDLESS, str(path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "writing\n"
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    deadline = time.monotonic() + 10
    while process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not path.exists()


# layouts of other people


def layered(events: int = 9) -> PointShowers:
    """Showers that know the numbers of their layers only, as in the layouts of other people."""
    points = cloud(events, 30, seed=4)
    position = points.position.copy()
    position[:, 2] = np.nan
    layer = np.random.default_rng(2).choice([0, 1, 12], len(points.energy))
    return replace(points, position=position, layer=layer)


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("front", [False, True])
def test_caloclouds(tmp_path, last, front):
    points = layered()
    write_caloclouds(tmp_path / "a.hdf5", points, last=last, front=front)
    found = open_points(tmp_path / "a.hdf5")
    assert (found.format, found.events, found.geometry) == ("caloclouds", 9, None)
    read = found.read()
    np.testing.assert_allclose(read.incident_energy, points.incident_energy, rtol=1e-6)
    np.testing.assert_allclose(read.totals(), points.totals(), rtol=1e-6)
    assert not read.depth_known
    voxels = open_showers(tmp_path / "a.hdf5", geometry=DETECTOR).read()
    expected = voxelize(points, DETECTOR)
    np.testing.assert_allclose(voxels.energies, expected.energies, rtol=1e-5)
    np.testing.assert_allclose(voxels.lost, expected.lost, rtol=1e-5, atol=1e-3)
    moved = open_points(tmp_path / "a.hdf5", axis=(1.0, 2.0)).read()
    np.testing.assert_allclose(moved.position[:, :2], read.position[:, :2] - [1, 2], atol=1e-5)


def test_caloclouds_with_depths_in_mm_are_refused(tmp_path):
    write_caloclouds(tmp_path / "a.hdf5", layered())
    with h5py.File(tmp_path / "a.hdf5", "a") as file:
        file["events"][:, 1] = file["events"][:, 1] + 1811.34
    with pytest.raises(FileFormatError, match=r"whole number, got 18.*from_padded"):
        open_points(tmp_path / "a.hdf5").read()


def test_shapes_that_are_not_those_of_caloclouds(tmp_path):
    for number, shape in enumerate([(3, 4, 4), (3, 7, 8), (3, 4), (3, 4, 5, 6)]):
        with h5py.File(tmp_path / f"{number}.hdf5", "w") as file:
            file["events"] = np.ones(shape, np.float32)
            file["energy"] = np.ones((3, 1))
        with pytest.raises(FileFormatError, match=r"`events` has shape"):
            open_points(tmp_path / f"{number}.hdf5")


@pytest.mark.parametrize("width", [4, 5])
def test_showerdata(tmp_path, width):
    points = layered()
    write_showerdata(tmp_path / "a.h5", points, width)
    found = open_points(tmp_path / "a.h5")
    assert (found.format, found.point_number) == ("showerdata", len(points.energy))
    assert set(found.conditions) == {"theta", "phi", "pdg"}
    read = found.read()
    np.testing.assert_array_equal(read.position, points.position)
    np.testing.assert_array_equal(read.layer, points.layer)
    np.testing.assert_allclose(read.energy, points.energy, rtol=1e-6)
    np.testing.assert_allclose(read.incident_energy, points.incident_energy, rtol=1e-6)
    np.testing.assert_allclose(found.incident_energy(), points.incident_energy, rtol=1e-6)
    np.testing.assert_allclose(read.conditions["theta"], np.arctan2(0.6, 0.8), rtol=1e-6)
    np.testing.assert_allclose(read.conditions["phi"], 0.0)
    assert_same(found.read(3, 8), read.select(slice(3, 8)))
    assert found.provenance["showerdata_version"] == "0.6.1"
    voxels = open_showers(tmp_path / "a.h5", geometry=DETECTOR).read()
    np.testing.assert_array_equal(voxels.energies, voxelize(read, DETECTOR).energies)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda f: f.__delitem__("shape"), "`shape`"),
        (lambda f: f["shape"].write_direct(np.array([9, 40, 7])), "`shape` says 40 points of 7"),
        (lambda f: f["shape"].write_direct(np.array([9, 40, 4])), "multiple of 4"),
        (lambda f: f["showers"].__setitem__(0, np.ones(11, "f4")), "multiple of 5"),
        (lambda f: f["showers"].__setitem__(0, np.full(10, 3.4, "f4")), "whole number, got 3.4"),
        (lambda f: (f.__delitem__("num_points"), f.__setitem__("num_points", [1])), "num_points"),
    ],
)
def test_damaged_showerdata(tmp_path, change, match):
    write_showerdata(tmp_path / "a.h5", layered())
    with h5py.File(tmp_path / "a.h5", "a") as file:
        change(file)
    with pytest.raises(FileFormatError, match=match):
        open_points(tmp_path / "a.h5").read()


@pytest.mark.parametrize("write", [write_caloclouds, write_showerdata])
def test_layouts_in_gev_refuse_mev(tmp_path, write):
    points = layered(60)
    write(tmp_path / "a.h5", replace(points, incident_energy=points.incident_energy * 1e4))
    with pytest.raises(UnitError, match="look as if they were in MeV"):
        open_points(tmp_path / "a.h5")
    write(tmp_path / "b.h5", replace(points, energy=points.energy * 1000))
    with pytest.raises(UnitError, match="incident energies look as if they were in GeV"):
        open_points(tmp_path / "b.h5").validate()
    deposited = replace(points, energy=points.energy * 0.03)
    write(tmp_path / "c.h5", deposited)
    assert "sampling fraction" in open_points(tmp_path / "c.h5").validate().warnings[0]
    write(tmp_path / "d.h5", replace(deposited, energy=deposited.energy * 1000))
    with pytest.raises(UnitError, match="incident energies"):  # 0.03 times 1000
        open_showers(tmp_path / "d.h5", geometry=DETECTOR).validate()


def test_ragged_text_and_objects_stay_refused(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("showers", (2,), dtype=h5py.vlen_dtype(h5py.ref_dtype))
        for key in ("shape", "num_points", "energies"):
            file[key] = np.ones(3)
    with pytest.raises(FileFormatError, match="expected plain numbers"):
        open_points(tmp_path / "a.h5")


def test_other_layouts_are_only_read(tmp_path):
    showers = ToyShowers(toy_geometry()).log_uniform(3, seed=1)
    read_only = set(POINT_FORMATS) - set(WRITTEN)
    assert read_only == {"showerdata", "caloclouds"}
    for name in ("showerdata", "caloclouds"):
        with pytest.raises(FileFormatError, match="only read"):
            write_showers(tmp_path / "a.h5", showers, format=name)
    with pytest.raises(FileFormatError, match="holds voxels"):
        write_showers(tmp_path / "a.h5", showers)
        open_points(tmp_path / "a.h5")


# converted, split, on the command line


def test_convert_between_points_and_voxels(tmp_path):
    points = cloud(30)
    points = replace(points, incident_energy=np.linspace(900, 2000, 30).astype(np.float32))
    write_points(
        tmp_path / "a.hdf5", points, geometry=DETECTOR, arrays={"training_keys": np.arange(4)}
    )
    source = open_showers(tmp_path / "a.hdf5")
    assert convert_showers(source, tmp_path / "v.hdf5", format="calochallenge") == 30
    np.testing.assert_array_equal(
        open_showers(tmp_path / "v.hdf5").read().energies, voxelize(points, DETECTOR).energies
    )
    keep = energy_between(1000, 1500)
    kept = convert_showers(source, tmp_path / "p.hdf5", format="points", keep=keep)
    few = open_points(tmp_path / "p.hdf5")
    assert 0 < kept == few.events < 30
    assert_same(few.read(), points.select(keep(points)))
    assert few.geometry == DETECTOR
    np.testing.assert_array_equal(few.array("training_keys"), np.arange(4))
    bare = open_points(tmp_path / "a.hdf5")
    assert split_showers(bare, tmp_path / "x.hdf5", tmp_path / "y.hdf5", events=10) == (10, 20)
    halves = [open_points(tmp_path / name).read() for name in ("x.hdf5", "y.hdf5")]
    assert_same(PointShowers.concatenate(halves), points)
    with pytest.raises(FileFormatError, match="in a geometry only"):
        convert_showers(bare, tmp_path / "z.hdf5", format="sparse")


def test_voxels_become_points_in_the_middle_of_their_cells(tmp_path):
    showers = ToyShowers(toy_geometry(), concentration=3.0).log_uniform(20, seed=1)
    write_showers(tmp_path / "a.hdf5", showers, format="points")
    assert_same(open_points(tmp_path / "a.hdf5").read(), to_points(showers))
    found = read_showers(tmp_path / "a.hdf5")
    np.testing.assert_array_equal(found.energies, showers.energies)
    assert found.geometry == showers.geometry


def test_the_command_line(tmp_path):
    write_points(tmp_path / "bare.hdf5", cloud(30))
    found = info(tmp_path / "bare.hdf5")
    assert (found["format"], found["events"], found["geometry"]) == ("points", 30, None)
    assert found["points"] == len(cloud(30).energy)
    found = info(tmp_path / "bare.hdf5", "--geometry", "calochallenge-2")
    assert (found["voxels"], found["geometry"]) == (6480, "calochallenge-2")
    assert info_text(tmp_path / "bare.hdf5")
    write_points(tmp_path / "a.hdf5", cloud(30), geometry=DETECTOR)
    assert info(tmp_path / "a.hdf5")["geometry"] == "three"
    for name, key in (("bare.hdf5", "radius"), ("a.hdf5", "filled")):
        done = RUNNER.invoke(app, ["validate", str(tmp_path / name), "--json"])
        assert key in json.loads(done.stdout)[0], done.output
    out = tmp_path / "v.hdf5"
    done = RUNNER.invoke(
        app, ["convert", str(tmp_path / "a.hdf5"), "--to", "calochallenge", "--out", str(out)]
    )
    assert done.exit_code == 0, done.output
    assert open_showers(out).geometry == DETECTOR
    write_showerdata(tmp_path / "s.h5", layered())
    done = RUNNER.invoke(app, ["convert", str(tmp_path / "s.h5"), "--energy", "1:1TeV"])
    assert done.exit_code == 0, done.exception
    assert open_points(tmp_path / "s-points.hdf5").events == 9


def info_text(path) -> str:
    return RUNNER.invoke(app, ["info", str(path)]).stdout
