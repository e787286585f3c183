"""Several files of one detector that are read as one set of showers."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import RangeError, ShapeError
from ..remote import expanded
from .files import ShowerFile, open_showers
from .geometry import Geometry
from .inspection import Inspection, Validation
from .showers import VoxelShowers

__all__ = ["JoinedFiles", "open_joined"]

_NAMED = 8  # files; of more, the first and the last are named


class JoinedFiles:
    """Files of showers one after the other; nothing but their descriptions is in memory.

    Made by :func:`open_joined`. Offers what a :class:`ShowerFile` offers for reading and may be
    sent to other processes. A file is open while it is read, and no other.

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
    def events(self) -> int:
        """Number of showers."""
        return len(self)

    @property
    def name(self) -> str:
        """Names of the files, without their folders."""
        names = [f.path.name for f in self.files]
        if len(names) <= _NAMED:
            return " + ".join(names)
        return f"{names[0]} ... {names[-1]} ({len(names)} files)"

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
        number = int(np.searchsorted(self._starts, start, side="right")) - 1
        while (first := int(self._starts[number])) < stop:
            file = self.files[number]
            parts.append(file.read(max(start - first, 0), min(stop - first, len(file))))
            number += 1
        return VoxelShowers.concatenate(parts)

    def chunks(self, *, strict: bool = False) -> Iterator[VoxelShowers]:
        """Read everything piece by piece, in order; see :meth:`ShowerFile.chunks`."""
        for file in self.files:
            yield from file.chunks(strict=strict)

    def validate(self, *, strict: bool = False) -> Validation:
        """Read everything once and say what is in it; see :meth:`ShowerFile.validate`."""
        if len(self.files) == 1:
            return self.files[0].validate(strict=strict)
        whole = Inspection(self.geometry, self.name)
        for file in self.files:
            inspection = Inspection(self.geometry, str(file.path))
            for part in file.chunks(strict=strict):
                inspection.add(part)
            inspection.refuse_gev()  # one file of a thousand would not show in the sum
            whole.join(inspection)
        return whole.result()

    def columns(self) -> dict[str, NDArray[Any]]:
        """Return what is one number per shower and in every file, shape ``(events,)`` each."""
        parts = [f.columns() for f in self.files]
        return {
            name: np.concatenate([part[name] for part in parts])
            for name in parts[0]
            if all(name in part for part in parts)
        }

    def refuse_unlike(self) -> None:
        """Refuse files whose columns differ from those of the first.

        Raises:
            ShapeError: naming the first file with other conditions, or with weights where the
                others have none.
        """
        first = self.files[0]
        for other in self.files[1:]:
            if _columns(other) != _columns(first):
                raise ShapeError(
                    f"{other.path}: has the columns {', '.join(_columns(other))}; expected those "
                    f"of {first.path}, {', '.join(_columns(first))}."
                )

    def array(self, name: str) -> NDArray[Any]:
        """Return a further array of the files, see :meth:`ShowerFile.array`."""
        return np.concatenate([f.array(name) for f in self.files])


def open_joined(
    paths: Sequence[Path | str] | Path | str, *, geometry: str | Path | Geometry | None = None
) -> JoinedFiles:
    """Open one or several files as one set of showers.

    Args:
        paths: the files, in the order of their showers; a folder stands for its HDF5 files and a
            pattern such as ``part-*.hdf5`` for those that match, in the order of their names.
        geometry: the detector; by default the files' own.

    Raises:
        RangeError: if there is no file.
        ShapeError: if the detectors differ.
        FileFormatError: if a file is not one of showers, see :func:`open_showers`, or a folder or
            a pattern has no file.
    """
    several = [paths] if isinstance(paths, Path | str) else list(paths)
    files: list[ShowerFile] = []
    for path in expanded(several):
        file = open_showers(path, geometry=geometry)
        if files and file.geometry == files[0].geometry:
            file.geometry = files[0].geometry  # one object for a thousand files
        files.append(file)
    return JoinedFiles(files)


def _columns(file: ShowerFile) -> list[str]:
    return ["incident_energy", *sorted(file.conditions), *(["weight"] if file.weighted else [])]
