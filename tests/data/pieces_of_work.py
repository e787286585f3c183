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


def dies_first(shared, task):
    """As above, with something that all pieces share."""
    return dies_once(task), shared["answer"], os.getpid()


def always_dies(number):
    os.kill(os.getpid(), signal.SIGKILL)


def fails(number):
    raise ValueError(f"piece {number}")


def times_out(number):
    raise TimeoutError(f"piece {number}")


def threads(_number):
    return threading.active_count(), os.environ.get("OMP_NUM_THREADS")


class Counted:
    """Something large that leaves a trace wherever it is unpacked."""

    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return _unpack, (self.folder,)


def _unpack(folder):
    (Path(folder) / f"unpacked-{os.getpid()}-{time.monotonic_ns()}").touch()
    return Counted(folder)


def with_counted(_shared, number):
    time.sleep(0.01)
    return number
