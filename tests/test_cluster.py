"""Dask as a place for work: workers die, schedulers die, and nothing finished is lost."""

from __future__ import annotations

import signal
import time
from collections import Counter

import pieces_of_work as work
import pytest
from scheduler_elsewhere import Scheduler

from simulacra.errors import WorkforceError
from simulacra.workforce import workforce

distributed = pytest.importorskip("distributed", reason="needs Dask: the extra `cluster`")
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")  # Dask's own sockets

NUMBERS = list(range(40))


@pytest.fixture(scope="module")
def local():
    with workforce("dask", 2) as force:
        yield force


@pytest.fixture
def running():
    found = Scheduler()
    yield found
    found.stop()


def test_results_come_in_order_from_two_processes(local):
    found = list(local.in_order(work.squared_slowly, NUMBERS))
    assert [n for n, _ in found] == [n * n for n in NUMBERS]
    assert len({pid for _, pid in found}) == 2
    assert all(omp == "1" for _, omp in local.in_order(work.threads, [0, 1]))


def test_a_dead_worker_costs_its_unfinished_pieces(local, tmp_path):
    tasks = [(n, str(tmp_path)) for n in range(30)]
    found = list(local.in_order(work.dies_first, tasks, shared={"answer": 42}))
    assert [(n, answer) for n, answer, _ in found] == [(n, 42) for n in range(30)]
    done = Counter(int(path.name.split("-")[1]) for path in tmp_path.glob("done-*"))
    assert set(done) == set(range(30))
    assert sum(done.values()) <= 30 + 5  # results that only the dead one held are made again


def test_workers_that_keep_dying_are_reported(local):
    with pytest.raises(WorkforceError, match="died again and again"):
        list(local.in_order(work.always_dies, [0]))


def test_errors_of_the_work_arrive(local):
    with pytest.raises(ValueError, match="piece 0"):
        list(local.in_order(work.fails, NUMBERS))


def test_what_nobody_there_can_read_is_one_sentence(running, tmp_path, monkeypatch):
    (tmp_path / "only_here.py").write_text("def work(n): return n")
    monkeypatch.syspath_prepend(tmp_path)
    import only_here

    force = running.join()
    with pytest.raises(WorkforceError, match="need the same packages"):
        list(force.in_order(only_here.work, NUMBERS))


def test_a_killed_scheduler_is_one_sentence(running):
    results = running.join().in_order(work.squared_slowly, range(10**6))
    assert next(results)[0] == 0
    running.scheduler.kill()
    start = time.monotonic()
    with pytest.raises(WorkforceError, match=r"Dask at tcp.*no longer answers.*pieces are kept"):
        list(results)
    assert time.monotonic() - start < 30


def test_a_scheduler_that_is_silent_counts_as_dead(running, monkeypatch):
    monkeypatch.setattr("simulacra.cluster._SILENCE_S", 1.0)
    monkeypatch.setattr("simulacra.workforce._PATIENCE_S", 0.5)
    results = running.join().in_order(work.squared_slowly, range(10**6))
    next(results)
    running.scheduler.send_signal(signal.SIGSTOP)
    with pytest.raises(WorkforceError, match="no longer answers"):
        list(results)


def test_a_dead_scheduler_at_the_start_is_one_sentence():
    with pytest.raises(WorkforceError, match="no scheduler answers there"):
        with workforce("dask:tcp://127.0.0.1:9", 1):
            pass


def test_a_ready_client_is_taken(running):
    running.join()
    with distributed.Client(running.address) as client, workforce(client) as force:
        assert list(force.in_order(work.square, NUMBERS)) == [n * n for n in NUMBERS]
        assert client.status == "running"
    assert client.status == "closed"
