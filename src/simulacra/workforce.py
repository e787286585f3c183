"""Who does the work: this process, processes on this machine, Dask, or any other executor.

The one seam is the semantics of :class:`concurrent.futures.Executor`. Work is cut into pieces whose
results do not depend on who did them; a worker that dies costs its unfinished pieces only.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import pickle
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, CancelledError, Executor, Future
from concurrent.futures import wait as wait_for
from dataclasses import dataclass, field
from enum import Enum
from multiprocessing import connection, get_context, parent_process
from typing import Any, TypeVar

from .cluster import answers, dask_client, explained
from .errors import ConfigError, RangeError, WorkforceError

__all__ = ["Workforce", "end_with_parent", "workforce"]

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
        explain: what is to be said of an error that is the executor's own, else an empty text.
    """

    def __init__(
        self,
        workers: int = 1,
        hire: Callable[[], Executor] | None = None,
        alive: Callable[[], bool] = lambda: True,
        where: str = "this process",
        explain: Callable[[Exception], str] = lambda _: "",
    ) -> None:
        self.workers = workers
        self.where = where
        self._hire, self._alive, self._explain = hire, alive, explain
        self._executor = hire() if hire else None

    def in_order(
        self,
        function: Callable[..., R],
        pieces: Iterable[T],
        *,
        ahead: int | None = None,
        shared: Any = None,
    ) -> Iterator[R]:
        """Give the results of a function on each piece, in order.

        Args:
            function: the work; one that can be pickled, unless this process works.
            pieces: what it is called with, one by one.
            ahead: results that may wait for an earlier one; by default twice the workers.
            shared: what every piece needs and is too large to go along with each, such as a model:
                a worker gets it once, and the function is called as ``function(shared, piece)``.

        Raises:
            WorkforceError: if workers die again and again on the same pieces, or nobody answers.
        """
        if self._executor is None:
            for piece in pieces:
                yield function(piece) if shared is None else function(shared, piece)
            return
        ahead = 2 * self.workers if ahead is None else ahead
        work = _Work(function, None if shared is None else _Lesson.of(shared))
        left = iter(pieces)
        waiting: deque[_Task] = deque()
        deaths = given = 0
        try:
            while True:
                while len(waiting) <= ahead and (piece := next(left, _END)) is not _END:
                    task = _Task(piece, work, taught=given < self.workers)
                    waiting.append(self._submit(task))
                    given += 1
                if not waiting:
                    return
                self._wait(waiting)
                for task in waiting:
                    if _finished(task.future) and task.future.result() is _Answer.untaught:
                        task.taught = True
                        self._submit(task)
                if not waiting[0].future.done():
                    continue
                try:
                    result = self._result(waiting[0].future)
                except BrokenExecutor as error:
                    deaths += 1
                    if deaths > _DEATHS:
                        raise WorkforceError(
                            f"{self.where}: a worker died {deaths} times without finishing a "
                            "piece of work. Is there enough memory for so many workers?"
                        ) from error
                    self._again(waiting)
                    continue
                waiting.popleft()
                deaths = 0
                yield result
        finally:
            for task in waiting:
                task.future.cancel()

    def close(self) -> None:
        """Let the workers go."""
        if self._executor is not None:
            self._executor.shutdown(wait=True, cancel_futures=True)

    def _submit(self, task: _Task) -> _Task:
        assert self._executor is not None
        try:
            task.future = self._executor.submit(_worked, *task.work.words(task.taught), task.piece)
        except BrokenExecutor as error:  # died since: seen when its turn comes
            task.future = Future()
            task.future.set_exception(error)
        except Exception as error:
            if self._alive():
                raise
            raise self._lost() from error
        return task

    def _wait(self, waiting: deque[_Task]) -> None:
        """Wait until another piece is finished, but not for somebody who is gone."""
        while not waiting[0].future.done():
            pending = [task.future for task in waiting if not task.future.done()]
            if wait_for(pending, _PATIENCE_S, FIRST_COMPLETED).done:
                return
            if not self._alive():
                raise self._lost()

    def _result(self, future: Future[Any]) -> Any:
        try:
            return future.result()
        except BrokenExecutor:
            raise
        except CancelledError as error:
            raise self._lost() from error
        except Exception as error:
            if words := self._explain(error):
                raise WorkforceError(f"{self.where}: {words}") from error
            raise

    def _again(self, waiting: deque[_Task]) -> None:
        """Hire anew and give out again what was not finished."""
        assert self._hire is not None
        if self._executor is not None:
            self._executor.shutdown(wait=False, cancel_futures=True)
        self._executor = self._hire()
        for task in waiting:
            if not _finished(task.future):
                self._submit(task)

    def _lost(self) -> WorkforceError:
        return WorkforceError(
            f"{self.where}: no longer answers; was it stopped? Finished pieces are kept: start "
            "the same command again to go on from there."
        )


_END: Any = object()


class _Answer(Enum):
    """What a worker says instead of a result."""

    untaught = "I have not been told what all pieces share."


@dataclass(frozen=True)
class _Lesson:
    """What all pieces share, ready to be sent."""

    key: str
    content: bytes

    @classmethod
    def of(cls, shared: Any) -> _Lesson:
        content = pickle.dumps(shared, protocol=pickle.HIGHEST_PROTOCOL)
        return cls(hashlib.sha256(content).hexdigest(), content)


@dataclass(frozen=True)
class _Work:
    """What is done with each piece."""

    function: Callable[..., Any]
    lesson: _Lesson | None

    def words(self, taught: bool) -> tuple[Callable[..., Any], str, bytes]:
        if self.lesson is None:
            return self.function, "", b""
        return self.function, self.lesson.key, self.lesson.content if taught else b""


@dataclass
class _Task:
    """A piece that somebody is at work on."""

    piece: Any
    work: _Work
    taught: bool
    future: Future[Any] = field(default_factory=Future)


_known: dict[str, Any] = {}


def _worked(function: Callable[..., Any], key: str, content: bytes, piece: Any) -> Any:
    """Work on a piece; called in a worker, which remembers the last thing that it was taught."""
    if not key:
        return function(piece)
    if content and key not in _known:
        shared = pickle.loads(content)
        _known.clear()
        _known[key] = shared
    shared = _known.get(key)
    return _Answer.untaught if shared is None else function(shared, piece)


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
            yield _foreign(stack.enter_context(dask_client(address, workers)), workers)
            return
        if where != "processes":
            raise ConfigError(
                "executor: expected processes, dask or dask:ADDRESS (sampling knows threads too), "
                f"found {where!r}."
            )
        if workers == 1:
            yield Workforce()
            return
        force = Workforce(workers, lambda: _processes(workers), where=f"{workers} processes")
        stack.callback(force.close)
        yield force


def _processes(workers: int) -> Executor:
    from concurrent.futures import ProcessPoolExecutor

    return ProcessPoolExecutor(workers, get_context("spawn"), initializer=_begin)


def _begin() -> None:
    """Prepare a process for work: one thread, deaf to Ctrl-C, and mortal.

    The bits of some sums depend on the number of threads.
    """
    with contextlib.suppress(ValueError):  # only the main thread may
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ["OMP_NUM_THREADS"] = "1"
    from threadpoolctl import threadpool_limits

    threadpool_limits(1)
    end_with_parent()


def end_with_parent() -> None:
    """Let this process end when the one that started it is gone, however it went.

    A killed one leaves nobody who would collect the result or close the pool.
    """
    parent = parent_process()
    if parent is not None:
        threading.Thread(target=_follow, args=(parent.sentinel,), daemon=True).start()


def _follow(sentinel: int) -> None:
    connection.wait([sentinel])
    os._exit(1)


def _foreign(given: Any, workers: int) -> Workforce:
    """Take an executor, or a Dask client, that somebody else looks after."""
    if hasattr(given, "get_executor"):  # a client of dask.distributed
        count = max(workers, len(given.scheduler_info(n_workers=-1)["workers"]))
        return Workforce(
            count,
            lambda: given.get_executor(pure=False),
            alive=lambda: answers(given),
            where=f"Dask at {given.scheduler.address if given.scheduler else '?'}",
            explain=explained,
        )
    if not callable(getattr(given, "submit", None)):
        raise ConfigError(
            f"executor: expected an object with a method `submit`, found {type(given).__name__}."
        )
    return Workforce(workers, lambda: given, where=type(given).__name__)
