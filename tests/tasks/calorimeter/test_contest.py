"""The contest of recipes and its table."""

from __future__ import annotations

import dataclasses
import json

import pytest
from tiny_surrogate import TINY

from simulacra.data import write_showers
from simulacra.errors import ConfigError
from simulacra.tasks.calorimeter.contest import (
    Contest,
    Entry,
    parse_budget,
    rows_of,
    verdicts_of,
)
from simulacra.tasks.calorimeter.contest_table import COLUMNS, as_csv, as_markdown, table_of

SUITE = """
extends: quick
name: tiny
classifiers: []
regions: 0
physics_distance: false
manifold: false
images: false
examples: 0
"""


@pytest.mark.parametrize(("text", "minutes"), [("90s", 1.5), ("20m", 20), ("2h", 120)])
def test_a_budget_is_a_time(text, minutes):
    assert parse_budget(text) == pytest.approx(minutes)


@pytest.mark.parametrize("text", ["", "20", "m", "-1m", "0s", "nanh", "1d"])
def test_no_other_budget(text):
    with pytest.raises(ConfigError, match="20m"):
        parse_budget(text)


@pytest.fixture
def contest(toy_showers, tmp_path):
    train, test = toy_showers.select(slice(0, 450)), toy_showers.select(slice(450, 600))
    write_showers(tmp_path / "train.hdf5", train)
    write_showers(tmp_path / "test.hdf5", test)
    (tmp_path / "suite.yaml").write_text(SUITE)
    return Contest(
        tmp_path / "out",
        tmp_path / "train.hdf5",
        tmp_path / "test.hdf5",
        minutes=0.02,
        suite=str(tmp_path / "suite.yaml"),
        threads=1,
    )


def test_an_entry_is_trained_judged_and_not_done_twice(contest, monkeypatch):
    timed = {"normalised_ms": {"1": 2.0}, "raw_ms": {"1": 3.0}, "sampling_peak_gb": 0.1}
    monkeypatch.setattr(Contest, "_timed", lambda *_: timed)
    said = []
    entry = Entry(TINY, seed=3)
    row = contest.run(entry, said.append)
    assert row.get("failure") is None
    assert [line.split(": ")[1].split()[0] for line in said] == [
        "timing",
        "training",
        "drawing",
        "timing",
        "judging",
    ]
    assert row["judged_events"] == 150
    assert any(name.startswith("separation/") for name in row["scores"])
    assert not row["density"]
    again = []
    assert contest.run(entry, again.append) == row
    assert not again
    assert rows_of(contest.folder) == [row]
    (verdict,) = verdicts_of(contest.folder, [row])
    assert verdict.size["generation"] == row["parameters"]


@pytest.mark.slow
def test_sampling_is_timed_in_a_process_of_its_own(contest):
    short = dataclasses.replace(contest, batches=(1, 64))
    row = short.run(Entry(TINY, seed=3), lambda _: None)
    assert row["normalised_ms"].keys() == {"1", "64"}
    assert 0.05 < row["sampling_peak_gb"] < 4
    assert table_of([row])[0].cells[0] == "tiny"


def test_what_fails_has_a_row_and_the_reason(contest):
    short = dataclasses.replace(contest, minutes=1e-9)
    row = short.run(Entry(TINY, seed=0), lambda _: None)
    assert "Give more time" in row["failure"]
    (line,) = table_of([row])
    assert dict(zip(COLUMNS, line.cells, strict=True))["seeds, failed"] == "1, 1"


def _row(name, seed, low, error=0.01, **more):
    score = {"value": low, "error": error, "floor": None}
    return {
        "name": name,
        "seed": seed,
        "family": "flow_matching",
        "scores": {"auc/low_level": score, "auc/high_level": score},
        "parameters": 1_000_000,
        "training_minutes": 2.0,
        "normalised_ms": {"1": 1.0, "100": 0.5, "10000": 0.25},
        "sampling_peak_gb": 0.5,
        "density": False,
        "suite": "quick",
        "judged_events": 100,
        **more,
    }


def test_the_table_joins_seeds_and_puts_the_best_first():
    failed = {"name": "b", "seed": 2, "failure": "lost"}
    rows = [_row("a", 0, 0.8), _row("b", 0, 0.5), _row("b", 1, 0.6), failed]
    best, other = table_of(rows)
    assert best.cells[0] == "b"
    mean, error = best.values["auc/low_level"]
    assert mean == pytest.approx(0.55)
    # one judgement's error and the spread of two seeds, over the root of two
    assert error == pytest.approx(((0.01**2 + 0.005) / 2) ** 0.5)
    assert dict(zip(COLUMNS, best.cells, strict=True))["seeds, failed"] == "3, 1"
    assert other.cells[2] == "0.800 ± 0.010"
    assert as_markdown([best]).count("\n") == 3
    assert as_csv([best]).splitlines()[0].startswith("model,family")
    json.dumps(rows)
