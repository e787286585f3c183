"""Work in pieces: the same results from anybody, dead workers cost their own pieces only."""

import os
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pieces_of_work as work
import pytest

from simulacra.errors import ConfigError, DependencyError, RangeError, WorkforceError
from simulacra.workforce import Workforce, workforce

NUMBERS = list(range(40))


def _environment():
    """Other processes find the work of the tests."""
    return {**os.environ, "PYTHONPATH": str(Path(work.__file__).parent)}


def _runs(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "ZX"


@pytest.mark.parametrize("workers", [1, 2])
def test_results_come_in_order(workers):
    with workforce("processes", workers) as force:
        found = list(force.in_order(work.square, iter(NUMBERS)))
    assert found == [n * n for n in NUMBERS]


def test_any_executor_will_do():
    with ThreadPoolExecutor(2) as threads, workforce(threads, 2) as force:
        assert list(force.in_order(work.square, NUMBERS)) == [n * n for n in NUMBERS]
        assert threads.submit(work.square, 3).result() == 9  # still the owner's


def test_several_processes_take_part_with_one_thread_each():
    with workforce("processes", 2) as force:
        found = list(force.in_order(work.squared_slowly, NUMBERS))
        assert len({pid for _, pid in found}) == 2
        assert all(omp == "1" for _, omp in force.in_order(work.threads, [0, 1]))


def test_pieces_are_asked_for_as_they_are_needed():
    taken = []

    def pieces():
        for n in NUMBERS:
            taken.append(n)
            yield n

    with ThreadPoolExecutor(1) as threads, workforce(threads, 1) as force:
        results = force.in_order(work.square, pieces(), ahead=3)
        next(results)
        assert len(taken) <= 5
        results.close()


def test_a_dead_worker_costs_its_unfinished_pieces(tmp_path):
    with workforce("processes", 2) as force:
        found = list(force.in_order(work.dies_once, [(n, str(tmp_path)) for n in range(30)]))
    assert found == list(range(30))
    done = Counter(int(path.name.split("-")[1]) for path in tmp_path.glob("done-*"))
    assert set(done) == set(range(30))
    assert sum(done.values()) <= 30 + 5  # at most what was under way when it died


@pytest.mark.parametrize("workers", [1, 2])
def test_what_all_pieces_share_reaches_every_worker_once(tmp_path, workers):
    with workforce("processes", workers) as force:
        shared = work.Counted(str(tmp_path))
        assert list(force.in_order(work.with_counted, NUMBERS, shared=shared)) == NUMBERS
        assert list(force.in_order(work.with_counted, NUMBERS, shared=shared)) == NUMBERS
    assert len(list(tmp_path.glob("unpacked-*"))) <= (workers if workers > 1 else 0)


def test_a_new_worker_is_told_what_all_pieces_share(tmp_path):
    tasks = [(n, str(tmp_path)) for n in range(30)]
    with workforce("processes", 2) as force:
        found = list(force.in_order(work.dies_first, tasks, shared={"answer": 42}))
    assert [(n, answer) for n, answer, _ in found] == [(n, 42) for n in range(30)]
    assert len({pid for _, _, pid in found}) > 1


def test_processes_end_with_the_one_that_started_them(tmp_path):
    code = """
import pieces_of_work as work
from simulacra.workforce import workforce
if __name__ == "__main__":
    with workforce("processes", 2) as force:
        for n, pid in force.in_order(work.squared_slowly, range(10**6)):
            print(pid, flush=True)
"""
    script = tmp_path / "script.py"
    script.write_text(code)
    process = subprocess.Popen(
        [sys.executable, script], stdout=subprocess.PIPE, text=True, env=_environment()
    )
    pids = {int(process.stdout.readline()) for _ in range(20)}
    process.kill()
    process.stdout.close()
    process.wait()
    assert pids
    deadline = time.monotonic() + 20
    while any(map(_runs, pids)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(_runs, pids))


def test_workers_that_keep_dying_are_reported():
    with workforce("processes", 2) as force, pytest.raises(WorkforceError, match="died 4 times"):
        list(force.in_order(work.always_dies, NUMBERS))


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize(
    ("failing", "error"), [(work.fails, ValueError), (work.times_out, TimeoutError)]
)
def test_errors_of_the_work_arrive(workers, failing, error):
    with workforce("processes", workers) as force, pytest.raises(error, match="piece 0"):
        list(force.in_order(failing, NUMBERS))


def test_silence_is_an_error(monkeypatch):
    class Silent:
        def submit(self, *_):
            return Future()

    monkeypatch.setattr("simulacra.workforce._PATIENCE_S", 0.01)
    force = Workforce(2, Silent, alive=lambda: False, where="Dask at tcp://gone")
    with pytest.raises(WorkforceError, match=r"tcp://gone.*Finished pieces are kept"):
        list(force.in_order(work.square, NUMBERS))


def test_bad_names_are_refused():
    for bad, error in (("slurm", ConfigError), (3, ConfigError)):
        with pytest.raises(error, match="expected"), workforce(bad):
            pass
    with pytest.raises(RangeError, match="at least 1"), workforce("processes", 0):
        pass


def test_dask_is_asked_for_by_name(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "distributed", None)
    with pytest.raises(DependencyError, match=r"simulacra\[cluster\]"), workforce("dask", 1):
        pass
