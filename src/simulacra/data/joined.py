"""Several files of one detector that are read as one set of showers."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import RangeError, ShapeError
from .files import ShowerFile, open_showers
from .geometry import Geometry
from .showers import VoxelShowers

__all__ = ["JoinedFiles", "open_joined"]


class JoinedFiles:
    """Files of showers one after the other; nothing but their descriptions is in memory.

    Made by :func:`open_joined`. Offers what a :class:`ShowerFile` offers for reading and may be
    sent to other processes.

    Args:
        files: at least one, all of one detector.

    Raises:
        RangeError: if there is no file.
        ShapeError: if the detectors differ.
    """

    def __init__(self, files: Sequence[ShowerFile]) -> None:
        if not files:
            raise RangeError("expected at least one file of showers, got none.")
        first = files[0]
        for other in files[1:]:
            if other.geometry.digest != first.geometry.digest:
                raise ShapeError(
                    f'{other.path}: is of geometry "{other.geometry.name}", expected that of '
                    f'{first.path}, "{first.geometry.name}"; only showers of one detector join.'
                )
        self.files = tuple(files)
        self.geometry = first.geometry
        self.arrays = tuple(a for a in first.arrays if all(a in f.arrays for f in files))
        self._starts = np.cumsum([0, *(len(f) for f in files)])

    def __len__(self) -> int:
        return int(self._starts[-1])

    @property
    def name(self) -> str:
        """Names of the files, without their folders."""
        return " + ".join(f.path.name for f in self.files)

    @property
    def provenance(self) -> dict[str, Any]:
        """What the files say about themselves: what all agree on, and what only some say."""
        found: dict[str, Any] = {}
        for file in reversed(self.files):
            found |= file.provenance
        return found

    @property
    def chunk_events(self) -> int:
        """Showers of the largest piece that a file compresses as a whole."""
        return max(f.chunk_events for f in self.files)

    def digests(self) -> tuple[str, ...]:
        """Return the SHA-256 of each file."""
        return tuple(f.digest() for f in self.files)

    def digest(self) -> str:
        """Return the SHA-256 of a single file, or that of the digests of several."""
        found = self.digests()
        if len(found) == 1:
            return found[0]
        return hashlib.sha256(" ".join(found).encode()).hexdigest()

    def read(self, start: int = 0, stop: int | None = None) -> VoxelShowers:
        """Read a run of showers into memory, see :meth:`ShowerFile.read`."""
        stop = len(self) if stop is None else stop
        if not 0 <= start <= stop <= len(self):
            raise RangeError(f"{self.name}: showers {start} to {stop} asked for, has {len(self)}.")
        if len(self.files) == 1 or start == stop:
            return self.files[0].read(start, stop) if start != stop else self.files[0].read(0, 0)
        parts = []
        for file, first in zip(self.files, self._starts[:-1].tolist(), strict=True):
            low, high = max(start, first), min(stop, first + len(file))
            if low < high:
                parts.append(file.read(low - first, high - first))
        return VoxelShowers.concatenate(parts)

    def chunks(self) -> Iterator[VoxelShowers]:
        """Read everything piece by piece, in order; see :meth:`ShowerFile.chunks`."""
        for file in self.files:
            yield from file.chunks()

    def columns(self) -> dict[str, NDArray[Any]]:
        """Return what is one number per shower and in every file, shape ``(events,)`` each."""
        parts = [f.columns() for f in self.files]
        return {
            name: np.concatenate([part[name] for part in parts])
            for name in parts[0]
            if all(name in part for part in parts)
        }

    def array(self, name: str) -> NDArray[Any]:
        """Return a further array of the files, see :meth:`ShowerFile.array`."""
        return np.concatenate([f.array(name) for f in self.files])


def open_joined(
    paths: Sequence[Path | str] | Path | str, *, geometry: str | Path | Geometry | None = None
) -> JoinedFiles:
    """Open one or several files as one set of showers.

    Args:
        paths: the files, in the order of their showers.
        geometry: the detector; by default the files' own.

    Raises:
        RangeError: if there is no file.
        ShapeError: if the detectors differ.
        FileFormatError: if a file is not one of showers, see :func:`open_showers`.
    """
    several = [paths] if isinstance(paths, Path | str) else list(paths)
    return JoinedFiles([open_showers(path, geometry=geometry) for path in several])
