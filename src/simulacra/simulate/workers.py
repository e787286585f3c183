"""What runs in other processes: Geant4, one piece of a run after the other."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import threading
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from ..errors import SimulationError
from ..units import GeV
from ..workforce import end_with_parent
from .beam import Primaries
from .geant4 import Geant4, Showers, transport_indices
from .setup import Setup
from .tables import Tables

__all__ = ["Work", "last_words", "local_pool", "measure_sampling_fraction", "simulate_piece"]

_CALIBRATION_EVENTS = 100
_CALIBRATION_ENERGY = 10 * GeV
_CALIBRATION_SEED = 0
_AT_ONCE = 10

_engine_thread: list[int] = []


@dataclass(frozen=True)
class Work:
    """What a worker needs to know for one piece of a run; small, and the same for any worker.

    Args:
        setup: the whole setup as JSON.
        tables: Geant4's tables.
        seed: identity of the set.
        first: number of the first event.
        stop: number after the last one.
        sampling_fraction: deposits are divided by it.
    """

    setup: str
    tables: Tables
    seed: int
    first: int
    stop: int
    sampling_fraction: float


def simulate_piece(work: Work) -> tuple[Showers, str]:
    """Simulate a piece of a run; called in a worker.

    Args:
        work: which one.

    Returns:
        The showers, and which Geant4 made them.

    Raises:
        SimulationError: if Geant4 gives up, or the worker has several threads.
    """
    _claim_thread()
    engine = _engine(work.setup, work.tables)
    events = range(work.first, work.stop)
    found = engine.showers(work.seed, events, sampling_fraction=work.sampling_fraction)
    return found, engine.version


def measure_sampling_fraction(work: Work) -> float:
    """Simulate 100 electrons of 10 GeV and return the active share of all deposits.

    They enter on the axis at normal incidence. The share is rounded to 5 decimals: its statistical
    error is about 0.3 % of its value.

    Args:
        work: setup and tables; the rest is not used.

    Raises:
        SimulationError: if nothing is deposited in active slabs, or Geant4 gives up.
    """
    _claim_thread()
    engine = Geant4(Setup.from_dict(json.loads(work.setup)), work.tables, record_all=True)
    shares = []
    for first in range(0, _CALIBRATION_EVENTS, _AT_ONCE):
        zeros = np.zeros(_AT_ONCE, np.float32)
        electrons = Primaries(
            pdg=np.full(_AT_ONCE, 11),
            energy=np.full(_AT_ONCE, _CALIBRATION_ENERGY, np.float32),
            conditions=dict.fromkeys(("x", "y", "theta", "phi"), zeros),
        )
        indices = transport_indices(_CALIBRATION_SEED, range(first, first + _AT_ONCE))
        shares.append(engine.active_share(electrons, indices))
    return round(float(np.mean(shares)), 5)


def local_pool(workers: int, logs: Path) -> Executor:
    """Return processes on this machine that stop when this one does.

    Args:
        workers: how many.
        logs: folder that takes what Geant4 prints.
    """
    return ProcessPoolExecutor(
        workers, mp_context=get_context("spawn"), initializer=_begin, initargs=(str(logs),)
    )


def last_words(logs: Path) -> str:
    """Return what Geant4 printed last, in one line, or an empty text."""
    texts = [path.read_text(errors="replace").strip() for path in logs.glob("worker-*.log")]
    found = [text for text in texts if text]
    lines = [line for text in found for line in text.splitlines() if line.strip(" *-")]
    telling = [line for line in lines if "Aborting" not in line]
    return " ".join((telling or lines or [""])[-1].split())


def _begin(logs: str) -> None:
    """Prepare a worker: quiet, deaf to Ctrl-C, and mortal."""
    with contextlib.suppress(ValueError):  # only the main thread may
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    log = os.open(Path(logs) / f"worker-{os.getpid()}.log", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    end_with_parent()


@lru_cache(maxsize=1)
def _engine(setup: str, tables: Tables) -> Geant4:
    return Geant4(Setup.from_dict(json.loads(setup)), tables)


def _claim_thread() -> None:
    """Refuse a second thread: Geant4 keeps its state in the one that started it."""
    here = threading.get_ident()
    if _engine_thread and _engine_thread[0] != here:
        raise SimulationError(
            "Geant4 was called from two threads of one process; give the executor processes "
            "with one thread each."
        )
    _engine_thread[:] = [here]
