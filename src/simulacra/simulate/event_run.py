"""A simulation of events from its configuration to its file: parallel, resumable, in shards."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ..data.event_files import open_events, write_events
from ..data.events import Events
from ..errors import FileFormatError, OutputError, RangeError
from ..execute import Shard, require_writable
from ..pieces import PieceFolder
from ..random import NOISE_LAW
from ..workforce import workforce
from .collisions import EventSimulation, describe_source, make

__all__ = ["SimulatedEvents", "simulate_events_to_file"]

_MOST_EVENTS = 10**9
_UNITS = "momenta and masses in MeV, lengths in mm, charges in e/3, angles in rad"

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class SimulatedEvents:
    """What a simulation of events has done.

    Args:
        path: the file.
        events: how many are in it.
        made: how many were simulated now; the others were finished before.
    """

    path: Path
    events: int
    made: int


def simulate_events_to_file(
    simulation: EventSimulation,
    path: Path | str,
    events: int,
    *,
    seed: int,
    shard: Shard | None = None,
    workers: int = 1,
    executor: str | Executor | Any = "processes",
    progress: Progress | None = None,
) -> SimulatedEvents:
    """Simulate events into a Parquet file that appears whole or not at all.

    Every event is a function of (simulation, seed, number): workers and shards change no bit, and
    merged shards are the same file as one run. Finished pieces wait beside the file in
    ``FILE.pieces``; the same call after an interruption goes on from there, and a file that is
    finished already is left as it is.

    Args:
        simulation: source, detector and jets.
        path: the file to write.
        events: number of the whole set.
        seed: identity of the set.
        shard: which part of the set; all of it by default.
        workers: how many work at once.
        executor: who works, see :func:`~simulacra.workforce.workforce`.
        progress: called with the number of finished events of this shard, and of all.

    Returns:
        What was done.

    Raises:
        DependencyError: if Pythia, FastJet or pyarrow is needed and not installed.
        ConfigError: if Pythia refuses a setting.
        RangeError: if the set or the shard is empty.
        OutputError: if the file cannot be written, or another set lies there.
        WorkforceError: if workers die again and again; finished pieces are kept.
    """
    path, shard = Path(path), shard or Shard()
    numbers = _checked(events, seed, shard)
    require_writable(path.parent)
    run = _digest(simulation, events, seed)
    folder = PieceFolder(
        path,
        f"{run} {shard.index}/{shard.count}",
        what="simulation",
        differs="settings, number, seed or shard",
        ending=".parquet",
    )
    if path.exists():
        _refuse_other(path, run, shard)
        folder.remove()  # a kill may have come between writing and tidying
        return SimulatedEvents(path, len(numbers), 0)
    pieces = _cut(numbers, simulation.events_per_piece)
    with folder:
        said = describe_source(simulation)
        missing = [piece for piece in pieces if piece not in folder]
        made = sum(map(len, missing))
        done = len(numbers) - made
        with workforce(executor, workers) as force:
            work = partial(_make, simulation.to_dict(), seed)
            for piece, part in zip(missing, force.in_order(work, missing), strict=True):
                write_events(folder.path(piece), part)
                done += len(piece)
                if progress:
                    progress(done, len(numbers))
        provenance = {
            **said,
            "units": _UNITS,
            "simulation": simulation.to_dict(),
            "seed": seed,
            "noise_law": NOISE_LAW,
            "run": run,
            "events_of_run": events,
            "first_event": numbers.start,
            "shard": f"{shard.index}/{shard.count}",
        }
        write_events(path, _read(folder, pieces), provenance=provenance)
        folder.remove()
    return SimulatedEvents(path, len(numbers), made)


def _make(simulation: dict[str, Any], seed: int, events: range) -> Events:
    """Work on one piece, in any process."""
    return make(EventSimulation.from_dict(simulation), events, seed=seed)


def _checked(events: int, seed: int, shard: Shard) -> range:
    if not 1 <= events <= _MOST_EVENTS:
        raise RangeError(f"events: expected 1 to {_MOST_EVENTS:g} events, got {events}.")
    if not 0 <= seed < 2**64:
        raise RangeError(f"seed: expected a number in [0, 2**64), got {seed}.")
    numbers = shard.range(events)
    if not numbers:
        raise RangeError(
            f"shard {shard.index}/{shard.count}: has no events, because the set has only "
            f"{events}; take fewer shards."
        )
    return numbers


def _digest(simulation: EventSimulation, events: int, seed: int) -> str:
    content = [simulation.to_dict(), NOISE_LAW, events, seed]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _cut(numbers: range, size: int) -> list[range]:
    return [numbers[first : first + size] for first in range(0, len(numbers), size)]


def _read(folder: PieceFolder, pieces: list[range]) -> Iterator[Events]:
    for piece in pieces:
        try:
            yield from open_events(folder.path(piece)).chunks()
        except FileFormatError as error:
            raise FileFormatError(
                f"{error} Remove it and run the same command again, which makes only this piece."
            ) from error


def _refuse_other(path: Path, run: str, shard: Shard) -> None:
    try:
        found = open_events(path).provenance
    except FileFormatError:
        found = {}
    if (found.get("run"), found.get("shard")) != (run, f"{shard.index}/{shard.count}"):
        raise OutputError(
            f"{path}: exists and holds something else; remove it or choose another --out."
        )
