"""``simulacra simulate``: options become a setup, mistakes one sentence."""

from __future__ import annotations

import json
import re
import sys
import warnings

import pytest
from small_calorimeter import Inline, invented_showers, small_setup

from simulacra.cli import main
from simulacra.cli.simulate import EXAMPLE
from simulacra.data import open_showers
from simulacra.simulate import EVENT_SIMULATIONS, PRESETS, Tables, run


@pytest.fixture
def simulacra(capsys, monkeypatch):
    """Run the command line and return exit code, stdout and stderr."""
    tables = Tables("rendered", (("G4LEDATA", "nowhere"),), "rendered")
    monkeypatch.setattr(run, "_engine_version", lambda: "calzone 0")
    monkeypatch.setattr(run, "find_tables", lambda _: tables)
    monkeypatch.setattr(run, "simulate_piece", invented_showers)
    monkeypatch.setattr(run, "local_pool", lambda *_: Inline())

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["simulacra", "simulate", *map(str, arguments)])
        with pytest.raises(SystemExit) as end, warnings.catch_warnings():
            warnings.simplefilter("always")  # as for a user: a line on stderr
            main()
        printed = capsys.readouterr()
        return int(end.value.code or 0), printed.out, printed.err

    return call


def test_options_change_the_preset(simulacra, tmp_path):
    out = tmp_path / "a.hdf5"
    code, told, _ = simulacra(
        *("pbwo4-lar", "--particle", "e-, gamma", "--energy", "2GeV:3GeV", "-n", 9, "--seed", 4),
        *("--set", "beam.spectrum=uniform", "--set", "calorimeter.width=1500.0", "--out", out),
    )
    assert code == 0
    assert told.startswith(f"{out}: 9 showers, ")
    file = open_showers(out)
    setup = json.loads(file.provenance["setup"])
    assert setup["beam"]["particles"] == ["e-", "gamma"]
    assert setup["beam"]["energy"] == [2000.0, 3000.0]
    assert setup["beam"]["spectrum"] == "uniform"
    assert setup["calorimeter"]["width"] == 1500.0
    energies = file.incident_energy()
    assert (energies >= 2000).all()
    assert (energies <= 3000).all()


def test_the_help_names_everything_there_is():
    named = set(re.findall(r"[a-z0-9-]+", EXAMPLE))
    assert {*PRESETS, *EVENT_SIMULATIONS} <= named


def test_a_yaml_file_does_as_well(simulacra, tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(small_setup().to_yaml())
    code, told, _ = simulacra(path, "-n", 5, "--json", "--out", tmp_path / "a.hdf5")
    assert code == 0
    found = json.loads(told)
    assert (found["events"], found["shard"], found["seed"]) == (5, "0/1", 0)
    assert found["milliseconds_per_shower"] > 0


def test_approximate_physics_is_said_on_the_terminal(simulacra, tmp_path):
    code, _, told = simulacra("fe-hadron", "-n", 5, "--out", tmp_path / "a.hdf5")
    assert code == 0
    assert "warning: hadronic physics is approximate" in told


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["pbwo4-lr", "-n", 5], "Did you mean `pbwo4-lar`"),
        (["pbwo4-lar", "-n", 5, "--particle", "photon"], "there is no particle 'photon'"),
        (["pbwo4-lar", "-n", 5, "--particle", "pi-"], "needs hadronic physics"),
        (["pbwo4-lar", "-n", 5, "--shard", "5/5"], "shards count from 0"),
        (["pbwo4-lar", "-n", 2, "--shard", "0/5"], "take fewer shards"),
        (["pbwo4-lar", "-n", 5, "--energy", "5GeV:2GeV"], "5000 to 2000 MeV"),
        (["pbwo4-lar", "-n", 5, "--energy", "5 apples"], "expected an energy such as"),
        (["pbwo4-lar", "-n", 5, "--set", "calorimeter.width=100.0"], "voxels miss"),
        (["pbwo4-lar", "-n", 5, "--set", "physics.electromagnetic=option4"], "tables are missing"),
        (["pbwo4-lar", "-n", 5, "--executor", "slurm"], "found 'slurm'"),
        (["nowhere.yaml", "-n", 5], "cannot be read"),
    ],
)
def test_mistakes_are_one_sentence(simulacra, tmp_path, arguments, told):
    code, _, err = simulacra(*arguments, "--out", tmp_path / "out" / "a.hdf5")
    assert code == 2
    assert told in err
    assert err.count("\n") == 1
    assert not (tmp_path / "out" / "a.hdf5").exists()
