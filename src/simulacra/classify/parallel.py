"""Long jobs in processes of their own, which leave nothing behind when they are interrupted.

A retraining is not a piece of work for ``simulacra.workforce``: it takes hours, has threads of its
own, says how far it is, reads a file that has no name, and is ended at once when nobody wants it.
"""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.connection import Connection, wait
from typing import Any

from ..errors import WorkforceError

__all__ = ["answer", "run_in_processes"]

_CODE = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    f"from {__name__} import answer; answer(int(sys.argv[2]))"
)


def run_in_processes(
    work: Callable[..., Any],
    jobs: Mapping[int, tuple[Any, ...]],
    workers: int,
    *,
    on_step: Callable[[int, int], None],
    on_end: Callable[[int, Any], None],
    files: Sequence[int] = (),
) -> None:
    """Run jobs, each in a process that is started for it, a few at a time.

    The processes import nothing but this package. They do not hear Ctrl-C: when the caller is
    interrupted, or a job fails, all are ended.

    Args:
        work: called as ``work(*job, step=...)``; a function of a module.
        jobs: arguments of each job by its number; started in this order.
        workers: processes at the same time.
        on_step: called here with (number, what the job passed to ``step``).
        on_end: called here with (number, result) when a job has ended.
        files: open files by their descriptor, which the jobs find under the same numbers.

    Raises:
        WorkforceError: if a process dies without a word.
    """
    waiting = list(jobs)
    running: dict[Connection, tuple[int, subprocess.Popen[bytes]]] = {}
    try:
        while waiting or running:
            while waiting and len(running) < workers:
                number = waiting.pop(0)
                connection, process = _started(files)
                running[connection] = (number, process)
                with contextlib.suppress(OSError):  # if it died, its silence will tell
                    connection.send((work, jobs[number]))
            for ready in wait(list(running)):
                assert isinstance(ready, Connection)
                number, process = running[ready]
                kind, content = _received(ready, process)
                if kind == "step":
                    on_step(number, content)
                elif kind == "failed":
                    raise content
                else:
                    process.wait()
                    del running[ready]
                    ready.close()
                    on_end(number, content)
    finally:
        for connection, (_, process) in running.items():
            process.terminate()
            process.wait()
            connection.close()


def answer(descriptor: int) -> None:
    """Do the job that comes through a connection and send back steps and result.

    Args:
        descriptor: number of the open connection.
    """
    connection: Connection[Any, Any] = Connection(descriptor)
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):  # nobody listens
        work, job = connection.recv()
        try:
            result = work(*job, step=lambda done: connection.send(("step", done)))
        except BrokenPipeError:
            raise
        except Exception as error:
            connection.send(("failed", error))
        else:
            connection.send(("end", result))


def _started(files: Sequence[int]) -> tuple[Connection, subprocess.Popen[bytes]]:
    here, there = multiprocessing.Pipe()
    command = [sys.executable, "-c", _CODE, json.dumps(sys.path), str(there.fileno())]
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        pass_fds=(there.fileno(), *files),
        start_new_session=True,  # away from the terminal and its Ctrl-C
    )
    there.close()
    return here, process


def _received(connection: Connection, process: subprocess.Popen[bytes]) -> tuple[str, Any]:
    try:
        kind, content = connection.recv()
    except (EOFError, ConnectionResetError):
        raise WorkforceError(
            f"a worker process ended without a result (exit code {process.wait()}). Was it killed "
            "for lack of memory? Use fewer workers; finished retrainings are kept if there is a "
            "folder for them."
        ) from None
    return kind, content
