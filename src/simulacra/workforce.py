"""Who does the work: this process, processes on this machine, Dask, or any other executor.

The one seam is the semantics of :class:`concurrent.futures.Executor`. Work is cut into pieces whose
results do not depend on who did them; a worker that dies costs its unfinished pieces only.
"""

from __future__ import annotations

import contextlib
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future
from multiprocessing import get_context
from typing import Any, TypeVar

from .errors import ConfigError, DependencyError, RangeError, WorkforceError

__all__ = ["Workforce", "workforce"]

T = TypeVar("T")
R = TypeVar("R")

_DEATHS = 3  # workers that may die without a finished piece in between
_PATIENCE_S = 5.0


class Workforce:
    """Workers that any number of pieces of work can be given to.

    Made by :func:`workforce`.

    Args:
        workers: how many pieces are worked on at once; 1 without ``hire`` is this process.
        hire: gives an executor; called again when its workers have died. None for this process.
        alive: false when the executor can no longer answer.
        where: what the workers are called in messages.
    """

    def __init__(
        self,
        workers: int = 1,
        hire: Callable[[], Executor] | None = None,
        alive: Callable[[], bool] = lambda: True,
        where: str = "this process",
    ) -> None:
        self.workers = workers
        self.where = where
        self._hire, self._alive = hire, alive
        self._executor = hire() if hire else None

    def in_order(
        self, function: Callable[[T], R], pieces: Iterable[T], *, ahead: int | None = None
    ) -> Iterator[R]:
        """Give the results of a function on each piece, in order.

        Args:
            function: the work; one that can be pickled, unless this process works.
            pieces: what it is called with, one by one.
            ahead: results that may wait for an earlier one; by default twice the workers.

        Raises:
            WorkforceError: if workers die again and again on the same pieces, or nobody answers.
        """
        if self._executor is None:
            yield from map(function, pieces)
            return
        ahead = 2 * self.workers if ahead is None else ahead
        left = iter(pieces)
        waiting: deque[tuple[T, Future[R]]] = deque()
        deaths = 0
        try:
            while True:
                while len(waiting) <= ahead and (piece := next(left, _END)) is not _END:
                    waiting.append((piece, self._submit(function, piece)))
                if not waiting:
                    return
                try:
                    result = self._wait(waiting[0][1])
                except BrokenExecutor as error:
                    deaths += 1
                    if deaths > _DEATHS:
                        raise WorkforceError(
                            f"{self.where}: a worker died {deaths} times without finishing a "
                            "piece of work. Is there enough memory for so many workers?"
                        ) from error
                    waiting = self._again(function, waiting)
                    continue
                waiting.popleft()
                deaths = 0
                yield result
        finally:
            for _, future in waiting:
                future.cancel()

    def close(self) -> None:
        """Let the workers go."""
        if self._executor is not None:
            self._executor.shutdown(wait=True, cancel_futures=True)

    def _submit(self, function: Callable[[T], R], piece: T) -> Future[R]:
        assert self._executor is not None
        try:
            return self._executor.submit(function, piece)
        except BrokenExecutor as error:  # died since: seen when its turn comes
            future: Future[R] = Future()
            future.set_exception(error)
            return future

    def _wait(self, future: Future[R]) -> R:
        while True:
            try:
                return future.result(timeout=_PATIENCE_S)
            except TimeoutError:
                if future.done():  # the work itself says so
                    raise
                if not self._alive():
                    raise self._lost() from None
            except CancelledError as error:
                raise self._lost() from error

    def _again(
        self, function: Callable[[T], R], waiting: deque[tuple[T, Future[R]]]
    ) -> deque[tuple[T, Future[R]]]:
        """Hire anew and give out again what was not finished."""
        assert self._hire is not None
        if self._executor is not None:
            self._executor.shutdown(wait=False, cancel_futures=True)
        self._executor = self._hire()
        return deque(
            (piece, future if _finished(future) else self._submit(function, piece))
            for piece, future in waiting
        )

    def _lost(self) -> WorkforceError:
        return WorkforceError(
            f"{self.where}: no longer answers; was it stopped? Finished pieces are kept: start "
            "the same command again to go on from there."
        )


_END: Any = object()


def _finished(future: Future[Any]) -> bool:
    return future.done() and not future.cancelled() and future.exception() is None


@contextlib.contextmanager
def workforce(where: str | Executor | Any = "processes", workers: int = 1) -> Iterator[Workforce]:
    """Hire workers for the time of a block.

    Args:
        where: ``processes`` on this machine (a single one is this process itself); ``dask`` for a
            local cluster, ``dask:ADDRESS`` for a running one; a ``distributed.Client``; or any
            object with the semantics of :class:`concurrent.futures.Executor`, for example
            Parsl's ``ParslPoolExecutor``.
        workers: number of processes; for a cluster that runs already, pieces per round.

    Raises:
        RangeError: if there is no worker.
        ConfigError: if ``where`` is none of these.
        DependencyError: if Dask is asked for and not installed.
        WorkforceError: if the address does not answer.
    """
    if workers < 1:
        raise RangeError(f"workers: expected at least 1, got {workers}.")
    with contextlib.ExitStack() as stack:
        if not isinstance(where, str):
            yield _foreign(where, workers)
            return
        kind, _, address = where.partition(":")
        if kind == "dask":
            yield _foreign(stack.enter_context(_dask_client(address, workers)), workers)
            return
        if where != "processes":
            raise ConfigError(
                f"executor: expected processes, dask or dask:ADDRESS, found {where!r}."
            )
        if workers == 1:
            yield Workforce()
            return
        force = Workforce(workers, lambda: _processes(workers), where=f"{workers} processes")
        stack.callback(force.close)
        yield force


def _processes(workers: int) -> Executor:
    from concurrent.futures import ProcessPoolExecutor

    return ProcessPoolExecutor(workers, get_context("spawn"), initializer=_one_thread)


def _one_thread() -> None:
    """Give each worker one thread: the bits of some sums depend on their number."""
    os.environ["OMP_NUM_THREADS"] = "1"
    from threadpoolctl import threadpool_limits

    threadpool_limits(1)


def _foreign(given: Any, workers: int) -> Workforce:
    """Take an executor, or a Dask client, that somebody else looks after."""
    if hasattr(given, "get_executor"):  # a client of dask.distributed
        count = max(workers, len(given.scheduler_info(n_workers=-1)["workers"]))
        return Workforce(
            count,
            lambda: given.get_executor(pure=False),
            alive=lambda: given.status == "running",
            where=f"Dask at {given.scheduler.address if given.scheduler else '?'}",
        )
    if not callable(getattr(given, "submit", None)):
        raise ConfigError(
            f"executor: expected an object with a method `submit`, found {type(given).__name__}."
        )
    return Workforce(workers, lambda: given, where=type(given).__name__)


@contextlib.contextmanager
def _dask_client(address: str, workers: int) -> Iterator[Any]:
    try:
        from distributed import Client, LocalCluster
    except ImportError as error:
        raise DependencyError(
            "the executor `dask` needs Dask, which is not installed: pip install "
            "'simulacra[cluster]'."
        ) from error
    if address:
        try:
            client = Client(address, timeout=_PATIENCE_S)
        except (OSError, TimeoutError, ValueError) as error:
            raise WorkforceError(
                f"dask:{address}: no scheduler answers there ({type(error).__name__}); expected "
                "the address that it printed when it started, such as tcp://host:8786."
            ) from error
        with client:
            yield client
        return
    with (
        LocalCluster(
            n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client
