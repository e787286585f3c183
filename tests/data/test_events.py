"""Events of any number of particles: what is joined, picked, written and merged is the same."""

from __future__ import annotations

import pickle
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from simulacra.data.event_files import merge_events, open_events, to_awkward, write_events
from simulacra.data.events import Events, Ragged
from simulacra.data.kinematics import (
    azimuth,
    azimuth_difference,
    energy,
    from_cylinder,
    pseudorapidity,
    rapidity,
    transverse_momentum,
)
from simulacra.errors import (
    DependencyError,
    FileFormatError,
    OutputError,
    RangeError,
    ShapeError,
    UnknownNameError,
)


def events(first: int, stop: int, total: int = 2500) -> Events:
    """Make events whose content is a function of their number."""
    number = np.arange(first, stop)
    counts = (number * 7) % 5
    row = np.repeat(number, counts)
    offsets = np.r_[0, np.cumsum(counts)].astype(np.int64)
    columns = {"px": (row * 0.25).astype(np.float32), "pdg": (row % 3).astype(np.int32)}
    run = {"run": "one", "events_of_run": total, "first_event": first, "shard": f"{first}/x"}
    return Events(
        number, {"particles": Ragged(offsets, columns)}, {"weight": 1.0 - number % 2 * 3}, run
    )


def assert_same(a: Events, b: Events) -> None:
    assert_array_equal(a.number, b.number)
    assert_array_equal(a.weights, b.weights)
    for name, table in a.tables.items():
        assert_array_equal(table.offsets, b[name].offsets)
        for key, column in table.columns.items():
            assert_array_equal(column, b[name][key])
            assert column.dtype == b[name][key].dtype


# --- in memory ---------------------------------------------------------------------------------


@given(st.lists(st.integers(0, 19), max_size=30))
def test_picked_events_keep_their_rows(which):
    whole = events(0, 20)
    picked = whole.select(which)
    assert_same(picked, Events.concatenate([whole.select([one]) for one in which] or [picked]))
    assert_array_equal(
        picked["particles"].event, np.repeat(np.arange(len(which)), picked.number * 7 % 5)
    )


def test_a_mask_of_rows_keeps_the_events():
    table = events(0, 10)["particles"]
    even = table.where(table["pdg"] == 0)
    assert len(even) == 10
    assert_array_equal(even["pdg"], 0)
    assert_array_equal(even.counts, np.where(np.arange(10) % 3 == 0, table.counts, 0))


def test_rows_are_grouped_by_event():
    table = Ragged.grouped(np.array([0, 0, 3]), 5, {"x": np.array([1.0, 2.0, 3.0])})
    assert_array_equal(table.counts, [2, 0, 0, 1, 0])
    with pytest.raises(ShapeError, match="order of their events"):
        Ragged.grouped(np.array([1, 0]), 2, {})


@pytest.mark.parametrize(
    ("offsets", "columns"),
    [
        ([0, 2, 1], {"x": np.zeros(1)}),
        ([1, 2], {"x": np.zeros(2)}),
        ([0, 2], {"x": np.zeros(3)}),
        ([], {}),
    ],
)
def test_a_table_that_does_not_fit_is_refused(offsets, columns):
    with pytest.raises(ShapeError, match="expected"):
        Ragged(np.array(offsets, np.int64), columns)


def test_events_that_do_not_fit_are_refused():
    whole = events(0, 4)
    with pytest.raises(ShapeError, match="weight: expected 4 events"):
        Events(whole.number, whole.tables, {"weight": np.ones(3)})
    with pytest.raises(ShapeError, match="same tables"):
        Events.concatenate([whole, Events(whole.number, {}, whole.columns)])
    with pytest.raises(ShapeError, match="same columns"):
        Ragged.concatenate([whole["particles"], Ragged(np.zeros(1, np.int64), {})])
    with pytest.raises(RangeError, match="none"):
        Events.concatenate([])
    with pytest.raises(UnknownNameError, match="particles"):
        whole["particle"]
    with pytest.raises(UnknownNameError, match="pdg"):
        whole["particles"]["pgd"]


def test_weights_are_one_where_there_are_none():
    whole = events(0, 4)
    assert_array_equal(Events(whole.number, whole.tables).weights, 1)


@given(st.floats(1, 1e6), st.floats(-5, 5), st.floats(-3.1, 3.1), st.floats(0, 1e5))
def test_momenta_along_a_beam(pt, eta, phi, mass):
    p = from_cylinder(*(np.array([x]) for x in (pt, eta, phi, mass)))
    assert_allclose(transverse_momentum(p), pt, rtol=1e-12)
    assert_allclose(pseudorapidity(p), eta, atol=1e-9)
    assert_allclose(azimuth(p), phi, atol=1e-12)
    # y = atanh(pz / E)
    assert_allclose(np.tanh(rapidity(p)), p["pz"] / energy(p), atol=1e-9)


def test_azimuths_differ_by_at_most_half_a_turn():
    assert_allclose(azimuth_difference(np.array([3.0]), np.array([-3.0])), 6 - 2 * np.pi)


# --- on disk -----------------------------------------------------------------------------------


@pytest.fixture
def arrow():
    return pytest.importorskip("pyarrow", reason="files of events need the extra `pythia`")


def test_what_is_written_is_read(tmp_path, arrow):
    whole = events(0, 2500)
    assert write_events(tmp_path / "a.parquet", whole, provenance={"shard": "0/1"}) == 2500
    file = pickle.loads(pickle.dumps(open_events(tmp_path / "a.parquet")))
    assert len(file) == 2500
    assert file.provenance == {**whole.provenance, "shard": "0/1"}
    assert_same(file.read(), whole)
    assert [len(chunk) for chunk in file.chunks()] == [1000, 1000, 500]


def test_awkward_reads_the_file_and_the_events_alike(tmp_path, arrow):
    ak = pytest.importorskip("awkward", reason="needs the extra `pythia`")
    whole = events(0, 30)
    write_events(tmp_path / "a.parquet", whole)
    try:
        read = ak.from_parquet(tmp_path / "a.parquet")
    except ModuleNotFoundError as error:
        pytest.skip(f"before pyarrow 26, awkward's own reader needs {error.name}")
    made = to_awkward(whole)
    assert read.type.content == made.type.content
    assert ak.all(read.particles.px == made.particles.px)


def test_shards_merge_to_the_bytes_of_one_run(tmp_path, arrow):
    cuts = [0, 833, 1666, 2500]
    whole = {"first_event": 0, "shard": "0/1"}
    write_events(tmp_path / "whole.parquet", events(0, 2500), provenance=whole)
    parts = [tmp_path / f"{first}.parquet" for first in cuts[:-1]]
    for part, first, stop in zip(parts, cuts[:-1], cuts[1:], strict=True):
        pieces = (events(i, min(i + 100, stop)) for i in range(first, stop, 100))
        write_events(part, pieces, provenance={"first_event": first})
    assert merge_events(tmp_path / "merged.parquet", [parts[2], parts[0], parts[1]]) == 2500
    bytes_of_one = (tmp_path / "whole.parquet").read_bytes()
    assert (tmp_path / "merged.parquet").read_bytes() == bytes_of_one


def test_parts_that_do_not_belong_together_are_refused(tmp_path, arrow):
    names = {"a": (0, 10), "b": (10, 20), "c": (20, 30), "twice": (5, 20)}
    files = {name: tmp_path / f"{name}.parquet" for name in names}
    for name, (first, stop) in names.items():
        write_events(files[name], events(first, stop, total=30))
    write_events(tmp_path / "other.parquet", events(10, 30, total=30), provenance={"run": "two"})
    out = tmp_path / "out.parquet"
    for parts, reason in (
        (["a", "c"], "leave a gap"),
        (["a", "twice", "c"], "overlap"),
        (["a", "b"], "a shard is missing"),
    ):
        with pytest.raises(FileFormatError, match=reason):
            merge_events(out, [files[part] for part in parts])
    with pytest.raises(FileFormatError, match="not shards of one run"):
        merge_events(out, [files["a"], tmp_path / "other.parquet"])
    with pytest.raises(RangeError, match="none"):
        merge_events(out, [])
    assert not out.exists()


def test_a_file_that_is_not_ours_is_refused(tmp_path, arrow):
    path = tmp_path / "a.parquet"
    with pytest.raises(FileFormatError, match="cannot be read as Parquet"):
        open_events(path)
    write_events(path, events(0, 2500))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(FileFormatError, match="cannot be read as Parquet"):
        open_events(path)
    damaged = bytearray(whole)
    damaged[50:4000] = bytes(3950)
    path.write_bytes(damaged)
    with pytest.raises(FileFormatError, match="cannot be read as Parquet"):
        open_events(path).read()
    import pyarrow.parquet

    pyarrow.parquet.write_table(arrow.table({"x": [1]}), path)
    with pytest.raises(FileFormatError, match="not one of collision events"):
        open_events(path)


def test_nothing_is_left_of_a_file_that_fails(tmp_path, arrow):
    with pytest.raises(RangeError, match="no events"):
        write_events(tmp_path / "a.parquet", iter([]))

    def parts():
        yield events(0, 1500)
        raise ValueError("a source that breaks")

    with pytest.raises(ValueError, match="breaks"):
        write_events(tmp_path / "a.parquet", parts())
    with pytest.raises(OutputError):
        (tmp_path / "file").touch()
        write_events(tmp_path / "file" / "a.parquet", events(0, 2))
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("package", ["pyarrow", "awkward"])
def test_a_missing_package_is_named(package, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(DependencyError, match=rf"{package}; pip install 'simulacra\[pythia\]'"):
        if package == "pyarrow":
            write_events(tmp_path / "a.parquet", events(0, 2))
        else:
            to_awkward(events(0, 2))
