"""From a simulation of events to its file: any workers, any shards, any interruption."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from simulacra.data.event_files import merge_events, open_events
from simulacra.errors import ConfigError, OutputError, RangeError, UnknownNameError
from simulacra.execute import Shard
from simulacra.simulate import event_run
from simulacra.simulate.collisions import (
    EVENT_SIMULATIONS,
    EventSimulation,
    describe_source,
    event_simulation,
    make,
)
from simulacra.simulate.event_run import simulate_events_to_file

pytest.importorskip("pyarrow", reason="files of events need the extra `pythia`")

QUICK = event_simulation("toyshower").updated(
    source={**event_simulation("toyshower").source.to_dict(), "cutoff": 8000.0}
)
EVENTS = 1300


@pytest.fixture(autouse=True)
def _small_pieces(monkeypatch):
    monkeypatch.setattr(EventSimulation, "events_per_piece", 200)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Return the file of one undisturbed run."""
    path = tmp_path_factory.mktemp("finished") / "whole.parquet"
    simulate_events_to_file(QUICK, path, EVENTS, seed=7)
    return path


@pytest.fixture
def whole(finished):
    """Return its bytes."""
    return finished.read_bytes()


def test_shards_merge_to_the_bytes_of_one_run(tmp_path, whole):
    parts = [tmp_path / f"{i}.parquet" for i in range(3)]
    for i, part in enumerate(parts):
        done = simulate_events_to_file(QUICK, part, EVENTS, seed=7, shard=Shard(i, 3))
        assert done.events == done.made == len(open_events(part))
    merge_events(tmp_path / "merged.parquet", parts[::-1])
    assert (tmp_path / "merged.parquet").read_bytes() == whole


def test_two_workers_make_the_bytes_of_one(tmp_path, whole):
    simulate_events_to_file(QUICK, tmp_path / "two.parquet", EVENTS, seed=7, workers=2)
    assert (tmp_path / "two.parquet").read_bytes() == whole
    assert not (tmp_path / "two.parquet.pieces").exists()


def test_a_run_goes_on_where_it_was_interrupted(tmp_path, whole, monkeypatch):
    path = tmp_path / "a.parquet"
    honest, asked = event_run.make, []

    def dies(simulation, events, *, seed):
        asked.append(events)
        if len(asked) == 3:
            raise KeyboardInterrupt
        return honest(simulation, events, seed=seed)

    monkeypatch.setattr(event_run, "make", dies)
    with pytest.raises(KeyboardInterrupt):
        simulate_events_to_file(QUICK, path, EVENTS, seed=7)
    assert not path.exists()
    with pytest.raises(OutputError, match="finished pieces of another simulation"):
        simulate_events_to_file(QUICK, path, EVENTS, seed=8)
    seen = []
    done = simulate_events_to_file(
        QUICK, path, EVENTS, seed=7, progress=lambda n, total: seen.append((n, total))
    )
    assert done.made == EVENTS - 400
    assert seen[0] == (600, EVENTS)
    assert seen[-1] == (EVENTS, EVENTS)
    assert path.read_bytes() == whole
    assert not path.with_name("a.parquet.pieces").exists()


def test_a_finished_file_is_left_alone(finished, whole):
    path = finished
    assert simulate_events_to_file(QUICK, path, EVENTS, seed=7).made == 0
    with pytest.raises(OutputError, match="holds something else"):
        simulate_events_to_file(QUICK, path, EVENTS, seed=8)
    assert path.read_bytes() == whole


def test_what_cannot_work_leaves_nothing(tmp_path):
    negative = {**QUICK.source.to_dict(), "kernels": {"f_qq": -3.0}}
    for simulation, events, seed, shard, error in (
        (QUICK, 0, 0, Shard(), RangeError),
        (QUICK, 10, -1, Shard(), RangeError),
        (QUICK, 2, 0, Shard(2, 3), None),
        (QUICK, 2, 0, Shard(0, 3), RangeError),
        (QUICK.updated(source=negative), 10, 0, Shard(), RangeError),
    ):
        if error is not None:
            with pytest.raises(error):
                simulate_events_to_file(
                    simulation, tmp_path / "a.parquet", events, seed=seed, shard=shard
                )
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "a.parquet.pieces").mkdir()
    (tmp_path / "a.parquet.pieces" / "thesis.tex").touch()
    with pytest.raises(OutputError, match="is in the way"):
        simulate_events_to_file(QUICK, tmp_path / "a.parquet", 10, seed=0)


def test_a_worker_that_fails_before_anything_is_done_leaves_nothing(tmp_path, monkeypatch):
    def fails(simulation, events, *, seed):
        raise ConfigError("no")

    monkeypatch.setattr(event_run, "make", fails)
    with pytest.raises(ConfigError, match="no"):
        simulate_events_to_file(QUICK, tmp_path / "a.parquet", 10, seed=0)
    assert list(tmp_path.iterdir()) == []


def test_the_file_says_where_it_comes_from(finished):
    said = open_events(finished).provenance
    assert said["generator"] == "simulacra toy parton shower"
    assert EventSimulation.from_dict(said["simulation"]) == QUICK
    assert said["events_of_run"] == EVENTS
    assert "MeV" in said["units"]


def test_names_are_known_and_nonsense_is_refused():
    assert {"dijets", "zjets", "ttbar", "toyshower"} <= set(EVENT_SIMULATIONS)
    with pytest.raises(UnknownNameError, match="Did you mean `dijets`"):
        event_simulation("dijet")
    with pytest.raises(ConfigError, match=r"^`EventSimulation`: a detector sees hadrons"):
        QUICK.updated(respond=True)
    for simulation in EVENT_SIMULATIONS.values():
        assert EventSimulation.from_dict(simulation.to_dict()) == simulation


def test_collisions_become_pairs_with_jets():
    for name in ("pythia8mc", "fastjet", "awkward"):
        pytest.importorskip(name, reason="needs the extra `pythia`")
    simulation = event_simulation("dijets").updated(respond=True, cluster=True)
    events = make(simulation, range(3), seed=1)
    assert set(events.tables) == {"truth", "reco", "hard", "jets_truth", "jets_reco"}
    assert events["jets_reco"].counts.min() >= 1
    said = describe_source(simulation)
    assert said["generator"] == "Pythia 8.317"
    assert 1e-3 < said["cross_section_mb"] < 2e-3


@pytest.mark.slow
def test_killed_at_any_moment_nothing_finished_is_lost(tmp_path, whole, monkeypatch):
    """kill -9 at 20 moments; every start goes on, and the end is the bytes of one run."""
    path = tmp_path / "a.parquet"
    monkeypatch.setattr(EventSimulation, "events_per_piece", 20)
    code = f"""
from simulacra.simulate.collisions import EventSimulation
from simulacra.simulate.event_run import simulate_events_to_file
EventSimulation.events_per_piece = 20
simulate_events_to_file(
    EventSimulation.from_dict({QUICK.to_dict()!r}), {str(path)!r}, {EVENTS}, seed=7)
"""
    killed = 0
    for moment in range(20):
        before = _pieces(tmp_path)
        process = subprocess.Popen([sys.executable, "-c", code])
        while process.poll() is None and _pieces(tmp_path) == before:
            time.sleep(0.001)
        time.sleep(0.003 * moment)
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
            killed += 1
        process.wait()
        assert path.exists() or _pieces(tmp_path) > before
        if path.exists():
            break
    assert killed >= 5
    simulate_events_to_file(QUICK, path, EVENTS, seed=7)
    assert path.read_bytes() == whole
    assert [found.name for found in tmp_path.iterdir()] == ["a.parquet"]


def _pieces(folder):
    return len(list(folder.glob("a.parquet.pieces/0*.parquet")))
