"""``simulacra unfold`` from files to files."""

from __future__ import annotations

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from simulacra.cli.app import app
from simulacra.data.pair_files import write_columns, write_pairs
from simulacra.errors import ConfigError, RangeError, UnknownNameError
from simulacra.tasks.unfolding import GaussianToy, load_unfolded

FEW = ("--set", "replicas=10")


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("unfold")
    problem = GaussianToy().problem(3000, 1000, seed=1)
    write_pairs(folder / "simulation.hdf5", problem.simulation)
    write_columns(folder / "data.hdf5", {"reco_x": problem.measured.values[:, 0]})
    other = GaussianToy(mean=0.3, width=0.9).problem(1000, 10, seed=2).simulation
    write_pairs(folder / "pseudo.hdf5", other)
    return folder


def _run(files, data, *options):
    command = ["unfold", str(files / "simulation.hdf5"), str(files / data), *FEW, *options]
    result = CliRunner().invoke(app, command)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.mark.parametrize("method", ["bayes", "omnifold-polynomial"])
def test_files_in_spectra_out(files, tmp_path, method):
    out = tmp_path / "out"
    text = _run(files, "data.hdf5", "--method", method, "--out", str(out))
    assert "nobody tested whether the errors cover" in text
    stored = json.loads((out / "spectra.json").read_text())
    spectrum = stored["spectra"][0]
    result = load_unfolded(out / "result")
    found = result.spectrum("x", spectrum["edges"])
    np.testing.assert_allclose(found.counts, spectrum["counts"])
    assert result.remarks
    assert (out / "spectra.png").read_bytes()[:4] == b"\x89PNG"


def test_a_test_shows_the_distance_to_the_truth(files, tmp_path):
    out = str(tmp_path / "out")
    text = _run(files, "pseudo.hdf5", "--test", "--out", out, "--json", "--seed", "3")
    found = json.loads(text)
    (row,) = found["closure"]
    assert row["unfolded"] < row["prior"]
    assert found["about"]["seed"] == 3


def test_experiments_say_whether_errors_cover(files, tmp_path):
    out = str(tmp_path / "out")
    found = json.loads(_run(files, "data.hdf5", "--experiments", "4", "--out", out, "--json"))
    findings = {f["name"]: f["sentence"] for f in found["spectra"][0]["findings"]}
    assert "of 4 pseudo-experiments" in findings["coverage"]


def test_a_map_without_pairs_says_what_it_does_not_know(files, tmp_path):
    command = ["unfold", *(str(files / name) for name in ("simulation.hdf5", "data.hdf5"))]
    command += ["--method", "otus", "--out", str(tmp_path / "out"), "--json"]
    for setting in ("members=2", "maps.steps=5", "maps.batch=200", "maps.slices=4"):
        command += ["--set", setting]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    findings = {f["name"]: f["sentence"] for f in found["spectra"][0]["findings"]}
    assert "another map with the same laws" in findings["pairs"]
    assert found["about"]["map"]["x"]["detector"] > found["about"]["map"]["x"]["decoder"]


def test_bins_can_be_given(files, tmp_path):
    out = str(tmp_path / "out")
    found = json.loads(_run(files, "data.hdf5", "--edges", "x=-1,0,1", "--out", out, "--json"))
    assert found["spectra"][0]["edges"] == [-1, 0, 1]


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        (["--method", "omnifald"], UnknownNameError, "Did you mean `omnifold`"),
        (["--edges", "x:1,2"], ConfigError, "NAME=A,B"),
        (["--edges", "y=1,2"], UnknownNameError, "observable 'y'"),
        (["--observable", "y"], UnknownNameError, "observable 'y'"),
        (["--background", "pseudo.hdf5"], RangeError, "without their background"),
    ],
)
def test_wrong_options_are_refused(files, tmp_path, options, error, words, monkeypatch):
    monkeypatch.chdir(files)
    with pytest.raises(error, match=words):
        _run(files, "data.hdf5", "--out", str(tmp_path / "out"), *options)
