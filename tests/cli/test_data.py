"""``simulacra data``: every verb, its table, its JSON, its refusals."""

from __future__ import annotations

import json
import subprocess
import sys

import h5py
import numpy as np
import pytest
from typer.testing import CliRunner

from simulacra.cli.data import app
from simulacra.data import ToyShowers, open_showers, toy_geometry, write_showers
from simulacra.errors import FileFormatError, RangeError, ShapeError, UnknownNameError

RUNNER = CliRunner()


def call(*words: object):
    return RUNNER.invoke(app, [str(word) for word in words])


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "showers.hdf5"
    showers = ToyShowers(toy_geometry()).log_uniform(30, seed=1)
    write_showers(path, showers, attributes={"simulation": "[red]toy[/red]"})
    return path


def test_info(file):
    done = call("info", file)
    assert done.exit_code == 0, done.output
    assert "toy-3x4x5" in done.stdout
    assert "[red]toy[/red]" in done.stdout  # a stranger's text is text, not markup
    (found,) = json.loads(call("info", file, "--json").stdout)
    assert (found["events"], found["voxels"], found["format"]) == (30, 60, "calochallenge")
    assert found["sha256"] == open_showers(file).digest()


def test_info_says_nan_as_text(file):
    with h5py.File(file, "a") as opened:
        opened.attrs["broken"] = [1.0, float("nan")]
    (found,) = json.loads(call("info", file, "--json").stdout)
    assert found["provenance"]["broken"] == [1.0, "nan"]


def test_validate(file):
    done = call("validate", file, file)
    assert done.exit_code == 0, done.output
    assert done.stdout.count("response") == 2
    (found,) = json.loads(call("validate", file, "--json").stdout)
    assert found["events"] == 30
    assert found["response"] == pytest.approx(1, abs=0.3)


def test_validate_counts_rounding_and_refuses_it_when_strict(file):
    with h5py.File(file, "a") as opened:
        opened["showers"][4, 4] = -1e-9
    (found,) = json.loads(call("validate", file, "--json").stdout)
    assert found["negative"] == 1
    done = call("validate", file, "--strict")
    assert isinstance(done.exception, FileFormatError)


def test_convert_and_filter(tmp_path, file):
    out = tmp_path / "out.hdf5"
    done = call("convert", file, "--to", "sparse", "--out", out)
    assert done.exit_code == 0, done.output
    assert "30 showers" in done.stdout
    assert open_showers(out).format == "sparse"
    done = call("convert", file, "--energy", "1GeV:8GeV", "--out", out, "--json")
    (written,) = json.loads(done.stdout)
    expected = int((open_showers(file).incident_energy() < 8000).sum())
    assert written == {"path": str(out), "events": expected}
    call("convert", file, "--to", "lemurs")
    assert open_showers(tmp_path / "showers-lemurs.hdf5").events == 30


@pytest.mark.parametrize("words", [(), ("--energy", "1GeV"), ("--energy", "5:4")])
def test_convert_without_sense(tmp_path, file, words):
    done = call("convert", file, *words, "--out", tmp_path / "out.hdf5")
    assert isinstance(done.exception, RangeError)
    assert not (tmp_path / "out.hdf5").exists()


def test_split(tmp_path, file):
    a, b = tmp_path / "a.hdf5", tmp_path / "b.hdf5"
    done = call("split", file, "--fraction", 0.5, "--seed", 1, "--out", a, "--rest", b)
    assert done.exit_code == 0, done.output
    keys = [set(open_showers(path).read().event_keys().tolist()) for path in (a, b)]
    assert [len(k) for k in keys] == [15, 15]
    assert not keys[0] & keys[1]
    done = call("split", file, "--events", 4, "--out", a, "--rest", b, "--to", "sparse", "--json")
    assert [part["events"] for part in json.loads(done.stdout)] == [4, 26]


def test_geometry_by_name_and_by_file(tmp_path):
    path = tmp_path / "x.hdf5"
    with h5py.File(path, "w") as opened:
        opened["showers"] = np.ones((3, 8))
        opened["incident_energies"] = np.full((3, 1), 10.0)
    xml = tmp_path / "mine.xml"
    xml.write_text(
        '<Bins><Bin pid="22" name="photon"><Layer id="0" r_edges="0,1,2" n_bin_alpha="4"/>'
        "</Bin></Bins>"
    )
    (found,) = json.loads(call("info", path, "--geometry", xml, "--json").stdout)
    assert found["geometry"] == "mine"
    done = call("info", path, "--geometry", "calochallenge-2")
    assert isinstance(done.exception, ShapeError)


def test_get_lists_and_verifies(tmp_path):
    listed = call("get")
    assert listed.exit_code == 0
    assert "calochallenge-3" in listed.stdout
    names = [known["name"] for known in json.loads(call("get", "--json").stdout)]
    assert "lemurs" in names
    states = json.loads(
        call("get", "calochallenge-2", "--verify", "--out", tmp_path, "--json").stdout
    )
    assert [state["state"] for state in states] == ["missing", "missing"]
    shown = call("get", "calochallenge-2", "--verify", "--out", tmp_path)
    assert "sampling fraction" in shown.stdout
    assert isinstance(call("get", "nothing").exception, UnknownNameError)


@pytest.mark.parametrize("verb", ["info", "validate", "convert", "split", "get"])
def test_help_has_an_example(verb):
    done = call(verb, "--help")
    assert done.exit_code == 0
    assert f"simulacra data {verb}" in " ".join(done.stdout.split())


def test_the_verbs_are_these():
    assert sorted(command.callback.__name__ for command in app.registered_commands) == [
        "convert",
        "get",
        "info",
        "split",
        "validate",
    ]


def test_data_needs_no_torch():
    code = "import sys, simulacra.cli.data; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
