"""The contest of recipes and its table."""

from __future__ import annotations

import dataclasses
import json

import pytest
from tiny_surrogate import TINY

from simulacra.data import write_showers
from simulacra.errors import ConfigError
from simulacra.pieces import locked
from simulacra.tasks.calorimeter import contest_conditions
from simulacra.tasks.calorimeter.contest import (
    Contest,
    Entry,
    parse_budget,
    rows_of,
    teachers_first,
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
    (said,) = row["judged"].values()
    assert said["events"] == 150
    assert any(name.startswith("separation/") for name in said["scores"])
    assert not row["density"]
    again = []
    assert contest.run(entry, again.append) == row
    assert not again
    assert rows_of(contest.folder) == [row]
    (verdict,) = verdicts_of(contest.folder, [row])
    assert verdict.size["generation"] == row["parameters"]
    # another suite judges what is there; another budget makes it anew
    other = contest.folder.parent / "other.yaml"
    other.write_text(SUITE.replace("tiny", "other"))
    further = dataclasses.replace(contest, suite=str(other)).run(entry, again.append)
    assert [line.split(": ")[1].split()[0] for line in again] == ["judging"]
    assert len(further["judged"]) == 2
    longer = dataclasses.replace(contest, minutes=0.03)
    with pytest.raises(ConfigError, match=r"another budget in minutes \(0.02, now 0.03\).*--again"):
        longer.run(entry, again.append)
    assert len(dataclasses.replace(longer, again=True).run(entry, again.append)["judged"]) == 1


def test_a_trained_model_stands_beside_them(contest, tiny, tmp_path, monkeypatch):
    timed = {"normalised_ms": {"1": 2.0}, "raw_ms": {"1": 3.0}, "sampling_peak_gb": 0.1}
    monkeypatch.setattr(Contest, "_timed", lambda *_: timed)
    said = []
    entry = Entry(tiny.config, 0, tiny.save(tmp_path / "trained"))
    row = contest.run(entry, said.append)
    assert row["budget_minutes"] is None
    assert [line.split(": ")[1].split()[0] for line in said] == ["drawing", "timing", "judging"]


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


STAGES = {
    "_trained": "model",
    "_described": {"family": "flow_matching", "parameters": 1, "density": False},
    "_drawn": {"showers": "showers.hdf5"},
    "_timed": {"normalised_ms": {"1": 2.0}, "raw_ms": {"1": 3.0}},
    "_judged": {"suite": "tiny", "comparable": False},
}


@pytest.fixture
def stages(monkeypatch):
    """Replace the work of a contest by what it returns; return what was done."""
    done = []

    def stage(name, result):
        def work(self, *given):
            done.append(name)
            if name == "_trained":
                (given[1] / "model").mkdir(exist_ok=True)
                (given[1] / "model" / "manifest.json").write_text('{"digest": "d"}')
            return result

        monkeypatch.setattr(Contest, name, work)

    for name, result in STAGES.items():
        stage(name, result)
    monkeypatch.setattr(contest_conditions, "digest_of_model", lambda _: "d")
    return done


def _silent(_):
    pass


def test_other_showers_are_refused_before_anything_is_done(contest, stages):
    contest.run_all([Entry(TINY, 0)], _silent)
    stages.clear()
    other = dataclasses.replace(contest, data=contest.reference)
    with pytest.raises(ConfigError, match=r"tiny.seed-0: was made with another training file\. "):
        other.run_all([Entry(TINY, 1), Entry(TINY, 0)], _silent)
    assert not stages
    assert len(rows_of(contest.folder)) == 1
    # what another version left is not taken for one's own either
    (contest.folder / "tiny" / "seed-0" / "conditions.json").unlink()
    with pytest.raises(ConfigError, match="another recipe, another training file"):
        contest.run_all([Entry(TINY, 0)], _silent)


@pytest.mark.parametrize("stage", ["_judged", "_timed"])
def test_what_is_cut_off_goes_on_where_it_stopped(contest, stages, monkeypatch, stage):
    class Killed(BaseException):
        pass

    def killed(*_):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Contest, stage, killed)
        with pytest.raises(Killed):
            contest.run(Entry(TINY, 0), _silent)
    stages.clear()
    row = contest.run(Entry(TINY, 0), _silent)
    assert stages == (["_judged"] if stage == "_judged" else list(STAGES))
    assert row["judged"].keys() == {contest.suite}
    assert "failure" not in row


def test_one_that_fails_does_not_keep_the_others(contest, stages, monkeypatch):
    def broken(self, entry, *_):
        if entry.seed == 0:
            raise ZeroDivisionError("by zero")
        return "model"

    with monkeypatch.context() as patch:
        patch.setattr(Contest, "_trained", broken)
        contest.run_all([Entry(TINY, 0), Entry(TINY, 1)], _silent)
    failed, good = rows_of(contest.folder)
    assert failed["failure"] == "ZeroDivisionError: by zero"
    assert "broken" in (contest.folder / "tiny" / "seed-0" / "failure.txt").read_text()
    assert "failure" not in good
    contest.run_all([Entry(TINY, 0)], _silent)  # and is tried again
    assert all("failure" not in row for row in rows_of(contest.folder))


def test_an_entry_belongs_to_one_process(contest, stages):
    place = contest.folder / "tiny" / "seed-0"
    place.mkdir(parents=True)
    let_in = locked(place, place.mkdir)
    said = []
    contest.run_all([Entry(TINY, 0), Entry(TINY, 1)], said.append)
    assert said[0] == "tiny/seed-0: left to the process that is at work on it"
    assert [row["seed"] for row in rows_of(contest.folder)] == [1]
    let_in()
    contest.run_all([Entry(TINY, 0)], said.append)
    assert len(rows_of(contest.folder)) == 2


def test_students_come_after_their_teachers_and_learn_from_the_contest(contest, stages):
    student = Entry(TINY.updated(name="student", teacher="tiny"), 0)
    assert teachers_first([student, Entry(TINY, 0)]) == [Entry(TINY, 0), student]
    with pytest.raises(ConfigError, match=r"student.seed-0: learns from tiny, which has no part"):
        Contest._teacher(contest, student)
    (contest.folder / "tiny" / "seed-0").mkdir(parents=True)
    with pytest.raises(ConfigError, match="is not trained yet with seed 0"):
        Contest._teacher(contest, student)
    contest.run(Entry(TINY, 0), _silent)
    assert Contest._teacher(contest, student) == str(contest.folder / "tiny" / "seed-0" / "model")
    assert Contest._teacher(contest, Entry(TINY, 0)) is None
    other = dataclasses.replace(student, seed=1)
    with pytest.raises(ConfigError, match="with seed 1"):
        Contest._teacher(contest, other)


def _row(name, seed, low, error=0.01, **more):
    score = {"value": low, "error": error, "floor": None}
    scores = {"auc/low_level": score, "auc/high_level": score}
    quick = {"suite": "quick", "scores": scores, "events": 100, "comparable": False}
    return {
        "name": name,
        "seed": seed,
        "family": "flow_matching",
        "judged": {"quick": quick},
        "parameters": 1_000_000,
        "training_minutes": 2.0,
        "training_processor_minutes": 3.5,
        "normalised_ms": {"1": 1.0, "100": 0.5, "10000": 0.25},
        "sampling_peak_gb": 0.5,
        "density": False,
        **more,
    }


def test_the_table_joins_seeds_and_puts_the_best_first():
    failed = {"name": "b", "seed": 2, "failure": "lost", "judged": {}}
    rows = [_row("a", 0, 0.8), _row("b", 0, 0.5), _row("b", 1, 0.6), failed]
    best, other = table_of(rows)
    assert best.cells[0] == "b"
    mean, error = best.values["auc/low_level"]
    assert mean == pytest.approx(0.55)
    # one judgement's error and the spread of two seeds, over the root of two
    assert error == pytest.approx(((0.01**2 + 0.005) / 2) ** 0.5)
    assert dict(zip(COLUMNS, best.cells, strict=True))["seeds, failed"] == "3, 1"
    assert other.cells[2] == "0.800 ± 0.010"
    cells = dict(zip(COLUMNS, best.cells, strict=True))
    assert cells["protocol"] == "quick, 100 showers, 2 seeds"
    assert cells["training min (of a core)"] == "2.0 (3.5)"
    assert not cells["AUC low-level, challenge"]
    assert as_markdown([best]).count("\n") == 3
    assert as_csv([best]).splitlines()[0].startswith("model,family")
    json.dumps(rows)


def test_what_the_challenge_said_has_columns_of_its_own():
    row = _row("a", 0, 0.8)
    full = {**row["judged"]["quick"], "suite": "calochallenge", "comparable": True}
    full["scores"] = {"auc/low_level": {"value": 0.9, "error": 0.01, "floor": None}}
    row["judged"]["calochallenge"] = full
    cells = dict(zip(COLUMNS, table_of([row])[0].cells, strict=True))
    assert cells["AUC low-level"] == "0.800 ± 0.010"
    assert cells["AUC low-level, challenge"] == "0.900 ± 0.010"
    assert cells["protocol"] == "quick, 100 showers, 1 seed; calochallenge, 100 showers, 1 seed"


def test_a_cell_says_of_how_many_seeds_it_is():
    rows = [_row("a", 0, 0.8), _row("a", 1, 0.8)]
    scores = {"fpd": {"value": 0.004, "error": 0.001, "floor": 0.0012}}
    ranked = {**rows[0]["judged"]["quick"], "suite": "ranking"}
    ranked["scores"] = {**ranked["scores"], **scores, "memorisation": {"value": 0.2, "error": 0}}
    rows[0]["judged"]["ranking"] = ranked
    rows[0]["normalised_ms"]["100"] = 0.7
    cells = dict(zip(COLUMNS, table_of(rows)[0].cells, strict=True))
    assert cells["FPD x 1000"] == "4.00 ± 1.00 (floor 1.20) [1 of 2 seeds]"
    assert cells["AUC low-level"] == "0.800 ± 0.007"
    assert cells["ms, batch 100"] == "0.6 ± 0.14"
    assert cells["memorisation p"] == "0.2"
    assert cells["protocol"] == "quick, 100 showers, 2 seeds; ranking, 100 showers, 1 seed"


def test_a_student_names_its_teacher_and_an_unfinished_row_says_so():
    begun = {"name": "a", "seed": 1, "judged": {}, "family": "mean_flow", "teacher": "photons"}
    (line,) = table_of([begun])
    cells = dict(zip(COLUMNS, line.cells, strict=True))
    assert cells["family"] == "mean_flow, taught by photons"
    assert cells["seeds, failed"] == "1, 0, 1 not finished"
