"""A Dask scheduler with a worker in processes of their own, to be killed."""

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

from simulacra.errors import WorkforceError
from simulacra.workforce import workforce


class Scheduler:
    """A scheduler with one worker, in processes of their own."""

    def __init__(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.address = f"tcp://127.0.0.1:{port}"
        there = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
        python = [sys.executable, "-m"]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "env": there}
        words = ["distributed.cli.dask_scheduler", "--port", str(port), "--no-dashboard"]
        self.scheduler = subprocess.Popen(
            [*python, *words, "--host", "127.0.0.1"], start_new_session=True, **quiet
        )
        words = ["distributed.cli.dask_worker", self.address, "--nthreads", "1", "--no-dashboard"]
        self.worker = subprocess.Popen([*python, *words], start_new_session=True, **quiet)

        self._joined = ExitStack()

    def join(self):
        """Join the scheduler as soon as it answers."""
        deadline = time.monotonic() + 60
        while True:
            try:
                return self._joined.enter_context(workforce(f"dask:{self.address}", 1))
            except WorkforceError:
                if time.monotonic() > deadline:
                    raise

    def stop(self) -> None:
        self._joined.close()
        for process in (self.scheduler, self.worker):
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
