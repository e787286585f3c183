"""ROOT trees and Parquet: files of plain uproot and pyarrow, round trips, bad files."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from dataclasses import replace

import awkward as ak
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import uproot
from synthetic_points import DETECTOR, cloud
from synthetic_points import dressed as dressed_points
from test_files import assert_same, dressed
from typer.testing import CliRunner

from simulacra.cli.data import app
from simulacra.data import (
    ToyShowers,
    convert_showers,
    geometry,
    merge_showers,
    open_points,
    open_showers,
    split_showers,
    toy_geometry,
    toy_grid,
    write_points,
    write_showers,
)
from simulacra.data.formats import guard, tables
from simulacra.errors import (
    DependencyError,
    FileFormatError,
    OutputError,
    RangeError,
    ShapeError,
    UnitError,
)

TABLES = ["root", "par04", "parquet"]
MESH = toy_geometry(2, 3, 4)
"""Two layers of three angles and four rings."""


def par04(path, *, phi=None, old=False, **changes):
    """Three showers as Par04 writes them, by plain uproot; the second is empty."""
    cells = {
        "EnergyCell": ak.values_astype(ak.Array([[1.0, 2.0, 30.0], [], [5.0]]), np.float64),
        "rhoCell": ak.values_astype(ak.Array([[0, 3, 0], [], [1]]), np.int32),
        "phiCell": ak.values_astype(ak.Array([[0, 0, 2], [], [1]]), np.int32),
        "zCell": ak.values_astype(ak.Array([[0, 0, 1], [], [1]]), np.int32),
        **({} if phi is None else {"phiCell": ak.Array(phi)}),
        **changes,
    }
    cells = {name: value for name, value in cells.items() if value is not None}
    whole = {"EnergyMC": np.array([40.0, 20.0, 10.0]), "SimTime": np.zeros(3)}
    with uproot.recreate(path) as file:
        trees = (
            {"events": {**whole, **cells}} if old else {"global": whole, "virtualReadout": cells}
        )
        for name, columns in trees.items():
            kinds = {
                key: f"var * {ak.to_numpy(ak.flatten(value)).dtype}"
                if isinstance(value, ak.Array)
                else value.dtype
                for key, value in columns.items()
            }
            file.mktree(name, kinds).extend(columns)
    return path


def par04_energies():
    """The same showers in voxels, by hand: ring + 4 (angle + 3 layer)."""
    expected = np.zeros((3, 24))
    expected[0, [0, 3, 0 + 4 * (2 + 3)]] = 1.0, 2.0, 30.0
    expected[2, 1 + 4 * (1 + 3)] = 5.0
    return expected


@pytest.mark.parametrize("old", [False, True])
def test_par04_as_plain_uproot_writes_it(tmp_path, old):
    found = open_showers(par04(tmp_path / "a.root", old=old), geometry=MESH)
    assert (found.format, found.events, found.dtype) == ("par04", 3, np.float64)
    np.testing.assert_array_equal(found.read().energies, par04_energies())
    np.testing.assert_array_equal(found.read(1, 3).energies, par04_energies()[1:])
    np.testing.assert_array_equal(found.incident_energy(), [40, 20, 10])


def test_azimuths_in_place_of_numbers(tmp_path):
    """floor((pi + phi) / (2 pi / 3)): -3 is bin 0, 0 bin 1, 3 and pi bin 2."""
    path = par04(tmp_path / "a.root", phi=[[-3.0, -np.pi, np.pi], [], [0.0]])
    np.testing.assert_array_equal(
        open_showers(path, geometry=MESH).read().energies, par04_energies()
    )


def test_cells_of_one_number_are_added(tmp_path):
    rho = ak.values_astype(ak.Array([[0, 0, 0], [], [1]]), np.int32)
    found = open_showers(par04(tmp_path / "a.root", rhoCell=rho), geometry=MESH).read()
    assert found.energies[0, 0] == 3.0


@pytest.mark.parametrize("vectors", [False, True])
def test_a_tree_of_plain_uproot(tmp_path, photons, vectors):
    columns = {
        "incident_energies": photons.incident_energy,
        "theta": np.linspace(0, 1, 20),
        "weights": np.linspace(-1, 1, 20),
        "showers": photons.energies,
    }
    with uproot.recreate(tmp_path / "a.root") as file:
        kinds = {name: np.dtype((c.dtype, c.shape[1:])) for name, c in columns.items()}
        if vectors:
            columns["showers"] = ak.from_regular(ak.Array(photons.energies))
            kinds["showers"] = f"var * {photons.energies.dtype}"
        tree = file.mktree("any_name", kinds)
        for start in (0, 7):
            stop = 7 if start == 0 else 20
            tree.extend({name: column[start:stop] for name, column in columns.items()})
        file["other"] = "a text"
    found = open_showers(tmp_path / "a.root")
    assert (found.format, found.geometry) == ("root", photons.geometry)
    expected = replace(photons, conditions={"theta": columns["theta"]}, weight=columns["weights"])
    assert_same(found.read(), expected)
    np.testing.assert_array_equal(found.read(5, 9).energies, photons.energies[5:9])


@pytest.mark.parametrize("kind", ["fixed", "list", "large"])
def test_parquet_of_plain_pyarrow(tmp_path, photons, kind):
    number = pa.from_numpy_dtype(photons.energies.dtype)
    lists = {
        "fixed": pa.list_(number, 368),
        "list": pa.list_(number),
        "large": pa.large_list(number),
    }
    table = pa.table(
        {
            "showers": pa.array(list(photons.energies), lists[kind]),
            "comment": ["x"] * 20,
            "incident_energies": photons.incident_energy,
        }
    )
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=6)
    found = open_showers(tmp_path / "a.parquet")
    assert found.format == "parquet"
    assert_same(found.read(), photons)
    np.testing.assert_array_equal(found.read(5, 13).energies, photons.energies[5:13])


def test_points_of_plain_awkward(tmp_path):
    points = dressed_points(cloud(8))
    columns = {
        **{name: points.position[:, axis].copy() for axis, name in enumerate("xyz")},
        "energy": points.energy,
        "layer": points.layer,
    }
    lists = {name: ak.unflatten(column, points.counts) for name, column in columns.items()}
    ak.to_parquet(
        ak.zip({**lists, "incident_energies": points.incident_energy}, depth_limit=1),
        tmp_path / "a.parquet",
        row_group_size=3,
    )
    with uproot.recreate(tmp_path / "a.root") as file:
        kinds = {name: f"var * {column.dtype}" for name, column in columns.items()}
        tree = file.mktree("t", {**kinds, "incident_energies": points.incident_energy.dtype})
        tree.extend({**lists, "incident_energies": points.incident_energy})
    for name in ("a.parquet", "a.root"):
        found = open_points(tmp_path / name).read()
        for key in ("position", "energy", "offsets", "layer", "incident_energy"):
            np.testing.assert_array_equal(getattr(found, key), getattr(points, key))


@pytest.mark.parametrize("format", TABLES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_there_and_back_bit_for_bit(tmp_path, toy, format, dtype):
    energies = np.where(toy.energies > toy.energies.mean(), toy.energies, 0).astype(dtype)
    incident = toy.incident_energy.astype(dtype)
    showers = dressed(replace(toy, energies=energies, incident_energy=incident))
    keys = toy.event_keys()
    attributes = {"digests": ["a", "b"], "cut_mev": 0.1, "steps": 7}
    arrays = {"training_keys": keys, "matrix": np.arange(6.0).reshape(2, 3)}
    write_showers(tmp_path / "a.hdf5", showers, attributes=attributes, arrays=arrays)
    kind = "parquet" if format == "parquet" else "root"
    convert_showers(open_showers(tmp_path / "a.hdf5"), tmp_path / f"b.{kind}", format=format)
    back = tmp_path / "c.hdf5"
    convert_showers(open_showers(tmp_path / f"b.{kind}"), back, format="calochallenge")
    found = open_showers(back)
    assert_same(found.read(), showers)
    assert found.geometry.digest == showers.geometry.digest
    np.testing.assert_array_equal(found.read().event_keys(), showers.event_keys())
    for name, array in arrays.items():
        assert found.array(name).dtype == array.dtype
        np.testing.assert_array_equal(found.array(name), array)
    first = open_showers(tmp_path / "a.hdf5").provenance
    differ = {"format", "made_from"}
    assert {k: v for k, v in found.provenance.items() if k not in differ} == {
        k: v for k, v in first.items() if k not in differ
    }


@pytest.mark.parametrize("container", ["root", "parquet"])
def test_points_there_and_back(tmp_path, container):
    points = dressed_points(cloud(9))
    points = replace(points, conditions={**points.conditions, "x": np.arange(9.0)})
    points.position[3:6, 2] = np.nan
    write_points(tmp_path / "a.hdf5", points, geometry=DETECTOR, arrays={"k": np.arange(3)})
    name = tmp_path / f"b.{container}"
    convert_showers(open_points(tmp_path / "a.hdf5"), name, format=f"{container}-points")
    convert_showers(open_points(name), tmp_path / "c.hdf5", format="points")
    found = open_points(tmp_path / "c.hdf5")
    assert found.geometry == DETECTOR
    np.testing.assert_array_equal(found.array("k"), np.arange(3))
    read = found.read()
    for key in ("position", "energy", "offsets", "layer", "incident_energy", "weight"):
        np.testing.assert_array_equal(getattr(read, key), getattr(points, key))
    np.testing.assert_array_equal(read.event_keys(), points.event_keys())
    assert set(read.conditions) == {"theta", "pdg", "x"}


def test_the_name_of_the_file_chooses_the_format(tmp_path, toy):
    for name, format in (("a.root", "root"), ("a.parquet", "parquet"), ("a.h5", "calochallenge")):
        write_showers(tmp_path / name, toy)
        assert open_showers(tmp_path / name).format == format
    with pytest.raises(RangeError, match=r"let its name end in \.parquet"):
        write_showers(tmp_path / "b.root", toy, format="parquet")
    source = open_showers(tmp_path / "a.h5")
    split_showers(source, tmp_path / "b.root", tmp_path / "b.parquet", events=3)
    assert open_showers(tmp_path / "b.root").format == "root"
    assert open_showers(tmp_path / "b.parquet").format == "parquet"
    merge_showers(tmp_path / "all.root", [tmp_path / "a.root", tmp_path / "a.parquet"])
    assert open_showers(tmp_path / "all.root").events == 114
    write_points(tmp_path / "p.parquet", cloud())
    assert open_points(tmp_path / "p.parquet").format == "parquet-points"


def test_cells_go_into_a_tree(tmp_path):
    showers = ToyShowers(toy_grid(((2, 3), (4, 1)))).log_uniform(5, seed=1)
    write_showers(tmp_path / "a.root", showers)
    assert_same(open_showers(tmp_path / "a.root").read(), showers)


def test_what_uproot_and_pyarrow_see(tmp_path, photons):
    write_showers(tmp_path / "a.root", photons)
    with uproot.open(tmp_path / "a.root") as file:
        assert file["showers"]["showers"].interpretation.to_dtype.shape == (368,)
        assert json.loads(file["simulacra"])["geometry"] == photons.geometry.name
    write_showers(tmp_path / "a.parquet", photons)
    schema = pq.read_schema(tmp_path / "a.parquet")
    assert schema.field("showers").type == pa.list_(pa.float64(), 368)
    write_showers(tmp_path / "m.root", ToyShowers(MESH).log_uniform(4, seed=1), format="par04")
    with uproot.open(tmp_path / "m.root") as file:
        assert {"EnergyMC", "SimTime"} <= set(file["global"].keys())
        cells = file["virtualReadout"].arrays()
        assert ak.all(cells.rhoCell < 4)
        assert ak.all(cells.phiCell < 3)
        assert ak.all(cells.zCell < 2)


# read from disk piece by piece


@pytest.mark.parametrize("format", ["root", "parquet"])
def test_pieces_lie_apart_on_disk(tmp_path, monkeypatch, format):
    """A short run unpacks the baskets or row groups it lies in, not the file."""
    import simulacra.data.formats.tabular as tabular

    monkeypatch.setattr(tabular, "rows_per_chunk", lambda *_: 10)
    showers = ToyShowers(toy_geometry()).log_uniform(95, seed=1)
    path = tmp_path / f"a.{format}"
    write_showers(path, showers)
    assert open_showers(path).chunk_events == 10
    if format == "parquet":
        assert pq.ParquetFile(path).num_row_groups == 10
        read, kept = pq.ParquetFile.read_row_group, []
        monkeypatch.setattr(
            pq.ParquetFile, "read_row_group", lambda s, i, **k: kept.append(i) or read(s, i, **k)
        )
        open_showers(path).read(12, 31)
        assert set(kept) == {1, 2, 3}
    else:
        with uproot.open(path) as file:
            assert file["showers"]["showers"].num_baskets == 10


# bad files


def refused(path, error, match, **options):
    """The file is refused in one line, also when it is to be converted."""
    with pytest.raises(error, match=match) as caught:
        open_showers(path, **options).validate()
    assert "\n" not in str(caught.value)
    with pytest.raises(error, match=match):
        convert_showers(open_showers(path, **options), path.with_name("out.hdf5"), format="sparse")
    assert not path.with_name("out.hdf5").exists()


@pytest.mark.parametrize("name", ["EnergyCell", "phiCell"])
def test_a_missing_branch_is_named(tmp_path, name):
    path = par04(tmp_path / "a.root", **{name: None})
    refused(path, FileFormatError, f"`{name}` missing for the format par04", geometry=MESH)


def test_par04_without_a_mesh_says_which_would_do(tmp_path):
    refused(par04(tmp_path / "a.root"), FileFormatError, "9 x 16 x 45 cells.*calochallenge-2")


def test_a_mesh_that_is_too_small(tmp_path):
    refused(
        par04(tmp_path / "a.root"),
        ShapeError,
        r"`rhoCell` has the cell 3; the mesh of .* is 3 x 3 x 2",
        geometry=toy_geometry(2, 3, 3),
    )
    refused(par04(tmp_path / "a.root"), ShapeError, "irregular", geometry="calochallenge-1-photons")


def test_lists_of_different_length(tmp_path):
    short = ak.values_astype(ak.Array([[0, 0, 0], [], [1, 1]]), np.int32)
    path = tmp_path / "a.root"
    with uproot.recreate(path) as file:
        file.mktree("global", {"EnergyMC": np.float64}).extend({"EnergyMC": np.ones(3) * 30})
        cells = file.mktree(
            "virtualReadout",
            {"EnergyCell": "var * float64"}
            | {n: "var * int32" for n in ("rhoCell", "phiCell", "zCell")},
        )
        one = ak.values_astype(ak.Array([[0, 0, 0], [], [1]]), np.int32)
        energy = ak.Array([[1.0, 2.0, 3.0], [], [5.0]])
        cells.extend({"EnergyCell": energy, "rhoCell": one, "phiCell": short, "zCell": one})
    refused(
        path, ShapeError, "shower 2 has 2 entries in `phiCell` and 1 in `EnergyCell`", geometry=MESH
    )


def test_trees_of_different_length(tmp_path):
    path = tmp_path / "a.root"
    par04(path)
    with uproot.update(path) as file:
        del file["global"]
        file.mktree("global", {"EnergyMC": np.float64}).extend({"EnergyMC": np.ones(4) * 30})
    refused(path, ShapeError, "`EnergyMC` has 4 entries for 3 showers", geometry=MESH)


def test_ragged_showers(tmp_path):
    lists = [np.ones(24), np.ones(23), np.ones(24)]
    columns = {"incident_energies": np.full(3, 20.0)}
    pq.write_table(pa.table({**columns, "showers": pa.array(lists)}), tmp_path / "a.parquet")
    with uproot.recreate(tmp_path / "a.root") as file:
        tree = file.mktree("t", {"incident_energies": np.float64, "showers": "var * float64"})
        tree.extend({**columns, "showers": ak.Array([x.tolist() for x in lists])})
    for name in ("a.parquet", "a.root"):
        refused(tmp_path / name, ShapeError, "shower 1 has 23 numbers", geometry=MESH)


@pytest.mark.parametrize("format", TABLES)
def test_incident_energies_in_gev(tmp_path, format):
    showers = ToyShowers(MESH).log_uniform(20, seed=1)
    write_showers(
        tmp_path / "a",
        replace(showers, incident_energy=showers.incident_energy / 1000),
        format=format,
    )
    refused(tmp_path / "a", UnitError, "look as if they were in GeV")


@pytest.mark.parametrize("format", TABLES)
@pytest.mark.parametrize("kept", [0.3, 0.9, 0.999])
def test_truncated(tmp_path, toy, format, kept):
    write_showers(tmp_path / "a", toy, format=format)
    whole = (tmp_path / "a").read_bytes()
    (tmp_path / "a").write_bytes(whole[: int(kept * len(whole))])
    refused(tmp_path / "a", FileFormatError, "truncated")


@pytest.mark.filterwarnings("ignore:.*within rounding")
@pytest.mark.parametrize("format", TABLES)
def test_changed_bytes_never_end_in_a_traceback(tmp_path, toy, format):
    """Any byte may be wrong: the file is read, or refused in a sentence."""
    path = tmp_path / "a"
    write_showers(path, toy.select(slice(0, 5)), format=format)
    whole = path.read_bytes()
    rng = np.random.default_rng(4)
    for place in rng.integers(4, len(whole), 60):
        broken = bytearray(whole)
        broken[place] ^= 0xFF
        path.write_bytes(broken)
        with contextlib.suppress(FileFormatError, ShapeError, UnitError, RangeError):
            open_showers(path).validate()


def test_what_is_no_root_file(tmp_path):
    (tmp_path / "a.root").write_bytes(b"root" + b"\0" * 40)
    refused(tmp_path / "a.root", FileFormatError, "cannot be read|truncated")
    (tmp_path / "b.root").write_text("something else")
    refused(tmp_path / "b.root", FileFormatError, "expected an HDF5, ROOT or Parquet file")
    with uproot.recreate(tmp_path / "c.root") as file:
        file["text"] = "no tree"
    refused(tmp_path / "c.root", FileFormatError, r"no TTree.*text \(TObjString\)")


def test_missing_numbers(tmp_path):
    energies = pa.array([None, 5.0])
    showers = pa.array([[1.0] * 24, [2.0] * 24], pa.list_(pa.float64(), 24))
    table = {"incident_energies": energies, "showers": showers}
    pq.write_table(pa.table(table), tmp_path / "a.parquet")
    refused(tmp_path / "a.parquet", FileFormatError, "1 missing numbers", geometry=MESH)
    showers = pa.array([None, [2.0] * 24], pa.list_(pa.float64(), 24))
    table = {"incident_energies": pa.array([20.0, 5.0]), "showers": showers}
    pq.write_table(pa.table(table), tmp_path / "a.parquet")
    refused(tmp_path / "a.parquet", FileFormatError, "null", geometry=MESH)


@pytest.mark.parametrize("format", ["root", "parquet"])
def test_a_bomb_and_a_piece_that_is_too_large(tmp_path, monkeypatch, format):
    toy = ToyShowers(MESH).log_uniform(2000, seed=1)
    zeros = replace(toy, energies=np.zeros_like(toy.energies))
    write_showers(tmp_path / "a", zeros, format=format)
    monkeypatch.setattr(tables, "HARMLESS_BYTES", 1000)
    monkeypatch.setattr(tables, "MAX_RATIO", 20)
    with pytest.raises(FileFormatError, match="compression bomb"):
        open_showers(tmp_path / "a")
    monkeypatch.undo()
    monkeypatch.setattr(tables, "MAX_CHUNK_BYTES", 1000)
    write_showers(tmp_path / "b", toy, format=format)
    with pytest.raises(FileFormatError, match="pieces of"):
        open_showers(tmp_path / "b").read()
    assert guard.MAX_CHUNK_BYTES > 1000


@pytest.mark.parametrize("allowed", [0, 1, 3])
@pytest.mark.parametrize("format", TABLES)
def test_a_full_disk_leaves_nothing(tmp_path, toy, full_disk, allowed, format):
    calls = full_disk(allowed)
    with pytest.raises(OutputError, match="the disk is full; nothing was left"):
        write_showers(tmp_path / "a", [toy] * 40, format=format)
    assert len(calls) > allowed
    assert list(tmp_path.iterdir()) == []


MISSING = """
import sys
for name in ("uproot", "awkward", "pyarrow"):
    sys.modules[name] = None
from simulacra.data import ToyShowers, open_showers, toy_geometry, write_showers
from simulacra.errors import DependencyError
showers = ToyShowers(toy_geometry()).log_uniform(3, seed=1)
write_showers(sys.argv[1] + "/b.hdf5", showers)
for name in ("a.root", "a.parquet"):
    for step in (open_showers, lambda path: write_showers(path, showers)):
        try:
            step(sys.argv[1] + "/" + name)
        except DependencyError as error:
            print(error)
"""


def test_without_the_extra_the_sentence_says_what_to_install(tmp_path, toy):
    for name in ("a.root", "a.parquet"):
        write_showers(tmp_path / name, toy)
    done = subprocess.run(
        [sys.executable, "-c", MISSING, str(tmp_path)], capture_output=True, text=True, check=True
    )
    lines = done.stdout.splitlines()
    assert len(lines) == 4
    assert all("pip install 'simulacra[root]'" in line for line in lines)
    assert open_showers(tmp_path / "a.root").events == 57  # untouched by the failed writing
    assert issubclass(DependencyError, ImportError)


# on the command line


def run(*words: object) -> object:
    done = CliRunner().invoke(app, [*map(str, words), "--json"])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return json.loads(done.stdout)


def test_info_validate_and_convert(tmp_path):
    path = par04(tmp_path / "a.root")
    mesh = toy_geometry(2, 3, 4)
    write_showers(tmp_path / "m.root", open_showers(path, geometry=mesh).read(), format="par04")
    (info,) = run("info", tmp_path / "m.root")
    assert (info["format"], info["events"], info["voxels"]) == ("par04", 3, 24)
    run("validate", tmp_path / "m.root")
    done = run("convert", tmp_path / "m.root", "--to", "parquet", "--sampling-fraction", "0.5")
    assert done[0]["path"].endswith("m-parquet.parquet")
    found = open_showers(tmp_path / "m-parquet.parquet")
    assert found.provenance["sampling_fraction"] == 0.5
    np.testing.assert_array_equal(found.read().energies, par04_energies() * 2)
    with pytest.raises(RangeError, match="already divided"):
        run("convert", found.path, "--to", "root", "--sampling-fraction", "0.5")
    with pytest.raises(RangeError, match="expected 0 to 1"):
        run("convert", tmp_path / "m.root", "--to", "root", "--sampling-fraction", "33")


def test_the_default_mesh_of_par04_is_that_of_data_set_2():
    assert geometry("calochallenge-2").shape == (45, 16, 9)
    assert geometry("calochallenge-3").shape == (45, 50, 18)
