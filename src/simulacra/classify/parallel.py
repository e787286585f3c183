"""Long jobs in processes of their own, which leave nothing behind when they are interrupted.

A retraining is not a piece of work for ``simulacra.workforce``: it takes hours, has threads of its
own, says how far it is, reads a file that has no name, and is ended at once when nobody wants it.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
from collections.abc import Callable, Iterator, Mapping
from multiprocessing.connection import Connection, wait
from typing import Any

from ..errors import WorkforceError

__all__ = ["run_in_processes"]


def run_in_processes(
    work: Callable[..., Any],
    jobs: Mapping[int, tuple[Any, ...]],
    workers: int,
    *,
    on_step: Callable[[int, int], None],
    on_end: Callable[[int, Any], None],
) -> None:
    """Run jobs, each in a process that is spawned for it, a few at a time.

    When a job fails, or the caller is interrupted, the others are ended.

    Args:
        work: called as ``work(*job, step=...)``; a function of a module.
        jobs: arguments of each job by its number; started in this order.
        workers: processes at the same time.
        on_step: called here with (number, what the job passed to ``step``).
        on_end: called here with (number, result) when a job has ended.

    Raises:
        WorkforceError: if a process dies without a word.
    """
    context = multiprocessing.get_context("spawn")
    waiting = list(jobs)
    running: dict[Connection, tuple[int, Any]] = {}
    try:
        while waiting or running:
            while waiting and len(running) < workers:
                number = waiting.pop(0)
                here, there = context.Pipe(duplex=False)
                process = context.Process(
                    target=_run, args=(there, work, jobs[number]), daemon=True
                )
                running[here] = (number, process)
                with _interrupts_wait():  # the child must not be the one who hears of them
                    process.start()
                there.close()
            for connection in wait(list(running)):
                assert isinstance(connection, Connection)
                number, process = running[connection]
                kind, content = _received(connection, process)
                if kind == "step":
                    on_step(number, content)
                elif kind == "failed":
                    raise content
                else:
                    process.join()
                    del running[connection]
                    connection.close()
                    on_end(number, content)
    finally:
        for connection, (_, process) in running.items():
            if process.pid is not None:
                process.terminate()
                process.join()
            connection.close()


def _run(connection: Connection, work: Callable[..., Any], job: tuple[Any, ...]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent hears it and ends us
    try:
        connection.send(("end", work(*job, step=lambda done: connection.send(("step", done)))))
    except Exception as error:
        connection.send(("failed", error))


def _received(connection: Connection, process: Any) -> tuple[str, Any]:
    try:
        kind, content = connection.recv()
    except EOFError:
        process.join()
        raise WorkforceError(
            f"a worker process ended without a result (exit code {process.exitcode}). Was it "
            "killed for lack of memory? Use fewer workers. Was it started from a script without "
            '`if __name__ == "__main__":`? Add that.'
        ) from None
    return kind, content


@contextlib.contextmanager
def _interrupts_wait() -> Iterator[None]:
    """Hold Ctrl-C back inside the block; a process that is started there never gets it."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
