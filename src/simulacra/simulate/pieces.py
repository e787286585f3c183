"""A run in pieces that are finished one by one, so that nothing finished is made again."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ..pieces import PieceFolder, pack
from .beam import Primaries
from .geant4 import Showers

__all__ = ["Pieces", "Totals", "cut"]

Array = NDArray[Any]

_MOST_PIECES = 2000
_LEAST_MEV = 200_000.0  # below, starting and writing a piece would cost more than it saves
_LEAST_EVENTS = 1024


def cut(energy: Array, first: int) -> list[range]:
    """Cut events into pieces of similar incident energy; it changes no shower.

    A piece has about 200 GeV, which is a second or two of one core, and large runs have about 2000
    pieces.

    Args:
        energy: incident energies in MeV, shape ``(events,)``.
        first: number of the first event.
    """
    summed = np.cumsum(energy, dtype=np.float64)
    most_energy = max(_LEAST_MEV, float(summed[-1]) / _MOST_PIECES)
    most_events = max(_LEAST_EVENTS, len(energy) // _MOST_PIECES)
    pieces, start, before = [], 0, 0.0
    while start < len(energy):
        full = int(np.searchsorted(summed, before + most_energy, side="right"))
        stop = min(max(full, start + 1), start + most_events, len(energy))
        pieces.append(range(first + start, first + stop))
        start, before = stop, float(summed[stop - 1])
    return pieces


@dataclass
class Totals:
    """What the pieces of a run add up to.

    Args:
        events: number of showers.
        incident: their incident energy in MeV.
        transport_seconds: processor time of Geant4.
        filling_seconds: processor time from its steps to voxels.
        recorded: deposits that were read out, in MeV.
        outside: the part of them outside all voxels, in MeV.
        engine: which Geant4 it was.
    """

    events: int = 0
    incident: float = 0.0
    transport_seconds: float = 0.0
    filling_seconds: float = 0.0
    recorded: float = 0.0
    outside: float = 0.0
    engine: str = ""

    def add(self, other: Totals) -> None:
        """Add those of another piece."""
        for name, value in asdict(other).items():
            setattr(self, name, value if name == "engine" else getattr(self, name) + value)

    @property
    def milliseconds_per_shower(self) -> float:
        """Processor time of one core."""
        return 1e3 * (self.transport_seconds + self.filling_seconds) / max(self.events, 1)

    @property
    def milliseconds_per_gev(self) -> float:
        """Processor time of one core per GeV of incident energy."""
        return self.milliseconds_per_shower * self.events / max(self.incident * 1e-3, 1e-30)

    @property
    def filling_share(self) -> float:
        """Share of the time that goes into filling voxels."""
        both = self.transport_seconds + self.filling_seconds
        return self.filling_seconds / both if both else 0.0


class Pieces:
    """The finished pieces of a simulation; used in a ``with`` block, see :class:`PieceFolder`.

    Args:
        file: the final file; the folder is ``FILE.pieces``.
        run: identity of the run; pieces of another one are refused.

    Raises:
        OutputError: if pieces of another run lie there, or nothing can be written.
    """

    def __init__(self, file: Path, run: str) -> None:
        self._finished = PieceFolder(
            file, run, what="simulation", differs="setup, number, seed, shard or tables"
        )

    def __enter__(self) -> Self:
        self._finished.__enter__()
        return self

    def __exit__(self, *found: Any) -> None:
        self._finished.__exit__(*found)

    def __contains__(self, piece: range) -> bool:
        return piece in self._finished

    @property
    def folder(self) -> Path:
        """Where they lie."""
        return self._finished.folder

    @property
    def sampling_fraction(self) -> float | None:
        """The sampling fraction that was measured for this run, if it was."""
        found = self._finished.notes.get("sampling_fraction")
        return float(found) if found is not None else None

    def keep_sampling_fraction(self, value: float) -> None:
        """Write down a measured sampling fraction."""
        self._finished.note(sampling_fraction=value)

    def keep(self, piece: range, showers: Showers, engine: str) -> None:
        """Write a finished piece, whole or not at all.

        Raises:
            OutputError: if it cannot be written.
        """
        totals = Totals(
            len(piece),
            float(showers.primaries.energy.sum(dtype=np.float64)),
            showers.transport_seconds,
            showers.filling_seconds,
            showers.recorded,
            showers.outside,
            engine,
        )
        arrays: dict[str, Any] = {
            "totals": json.dumps(asdict(totals)),
            "energies": showers.energies,
            "pdg": showers.primaries.pdg,
            "energy": showers.primaries.energy,
            **showers.primaries.conditions,
        }
        self._finished.keep(piece, pack(arrays, compress=True))

    def read(self, piece: range) -> tuple[Array, Primaries]:
        """Read a finished piece: voxel energies in MeV, and the incident particles.

        Raises:
            FileFormatError: if it is damaged.
        """
        found = self._finished.read(piece)
        conditions = {name: found[name] for name in ("x", "y", "theta", "phi")}
        return found["energies"], Primaries(found["pdg"], found["energy"], conditions)

    def totals(self, pieces: list[range]) -> Totals:
        """Add up what the pieces say about themselves."""
        whole = Totals()
        for piece in pieces:
            whole.add(Totals(**json.loads(str(self._finished.read(piece, "totals")["totals"]))))
        return whole

    def remove(self) -> None:
        """Remove the folder, when the final file is there."""
        self._finished.remove()
