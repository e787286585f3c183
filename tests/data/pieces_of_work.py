"""Work for other processes: they import it by name."""

import os
import signal
import threading
import time
from pathlib import Path


def square(number):
    return number * number


def squared_slowly(number):
    time.sleep(0.01)
    return number * number, os.getpid()


def dies_once(task):
    """Kill the own process if the marker of this piece is not there yet."""
    number, folder = task
    marker = Path(folder) / str(number)
    if number == 5 and not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    done = Path(folder) / f"done-{number}-{time.monotonic_ns()}-{os.getpid()}"
    done.touch()
    return number


def always_dies(number):
    os.kill(os.getpid(), signal.SIGKILL)


def fails(number):
    raise ValueError(f"piece {number}")


def times_out(number):
    raise TimeoutError(f"piece {number}")


def threads(_number):
    return threading.active_count(), os.environ.get("OMP_NUM_THREADS")
