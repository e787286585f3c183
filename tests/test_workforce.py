"""Work in pieces: the same results from anybody, dead workers cost their own pieces only."""

from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor

import pieces_of_work as work
import pytest

from simulacra.errors import ConfigError, DependencyError, RangeError, WorkforceError
from simulacra.workforce import Workforce, workforce

NUMBERS = list(range(40))


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
