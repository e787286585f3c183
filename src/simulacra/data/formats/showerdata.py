"""The layout of the package showerdata, as AllShowers uses it, in GeV."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import h5py
import numpy as np
from numpy.typing import NDArray

from ...errors import FileFormatError, RangeError
from ...units import GeV
from ..points import PointShowers, whole_layers
from .columns import Columns, native, required_dataset
from .contract import Content
from .points import PointFormat, refuse_mev

__all__ = ["ShowerData"]

_AT_ONCE = 256
_AT_ONCE_BYTES = 2**30
_MOST_POINTS = 10**8


class ShowerData(PointFormat):
    """``showers`` (events,) of ragged rows, ``shape``, ``num_points``, ``energies`` in GeV.

    A row is the flat list of a shower's points: x and y in mm, the *number of the layer*, the
    energy in GeV and, if ``shape`` ends in 5, the time, which is not read. ``energies``
    (events, 1) are the incident ones in GeV, ``pdg`` (events,) the particles, ``directions``
    (events, 3) their directions, with z along the depth: theta and phi are taken from them.
    Energies are deposited ones. Points without energy are left out.

    Source: the package showerdata 0.6.1 (FLC-QU-hep/ShowerData: ``core.py`` for the keys,
    ``filter.py`` for mm and GeV of points, ``observables.py`` for the layers); T. Buss et al.,
    "AllShowers: One model for all calorimeter showers", 2026, arXiv:2601.11716. The package does
    not state the unit of the incident energies; they are taken to be in GeV like the points'.
    """

    name: ClassVar[str] = "showerdata"
    description: ClassVar[str] = "point clouds: ragged showers, energies (N, 1), GeV, read only"
    required: ClassVar[frozenset[str]] = frozenset({"showers", "shape", "num_points", "energies"})
    columns: ClassVar[Columns] = Columns("energies", unit=GeV, direction="directions")

    def content(self, file: h5py.File) -> Content:
        showers = file["showers"]
        ragged = h5py.check_vlen_dtype(showers.dtype) if isinstance(showers, h5py.Dataset) else None
        if ragged is None or np.dtype(ragged).kind != "f" or showers.ndim != 1:
            raise FileFormatError(
                f"{file.filename}: expected `showers` (events,) of rows of floating point numbers "
                "with a length of their own, as showerdata writes them."
            )
        room = _shape(file)
        counts = required_dataset(file, "num_points")
        if counts.shape != showers.shape or counts.dtype.kind not in "iu":
            raise FileFormatError(
                f"{file.filename}: `num_points` has shape {counts.shape}; expected "
                f"{showers.shape}, one whole number per shower."
            )
        self.columns.check(file, len(showers))
        refuse_mev(file, "energies")
        return Content(
            events=len(showers),
            voxels=0,
            dtype=np.dtype(np.float32 if np.dtype(ragged).itemsize <= 4 else np.float64),
            conditions=self.columns.present(file),
            weighted=self.columns.weighted(file),
            chunk_events=1,
            points=min(int(counts[()].sum(dtype=np.int64)), len(showers) * room[0]),
        )

    def points(self, file: h5py.File, start: int, stop: int) -> PointShowers:
        width = _shape(file)[1]
        rows = _rows(file, start, stop, width)
        kept = [row[row[:, 3] != 0] for row in rows]
        every = np.concatenate([np.zeros((0, width), np.float32), *kept])
        incident, conditions, weight = self.columns.read(file, start, stop)
        offsets = np.cumsum([0, *map(len, kept)]).astype(np.int64)
        unknown = np.full(len(every), np.nan, np.float32)
        return PointShowers(
            position=np.column_stack([every[:, :2].astype(np.float32), unknown]),
            energy=every[:, 3] * every.dtype.type(GeV),
            offsets=offsets,
            incident_energy=incident,
            layer=_layers(file, every[:, 2]),
            conditions=conditions,
            weight=weight,
        )


def _shape(file: h5py.File) -> tuple[int, int]:
    """Return the largest number of points of a shower and the numbers of a point."""
    found = required_dataset(file, "shape")
    if found.shape != (3,) or found.dtype.kind not in "iu":
        raise FileFormatError(
            f"{file.filename}: `shape` is {found.shape} of {found.dtype}; expected three whole "
            "numbers: showers, most points, 4 or 5."
        )
    _, room, width = (int(number) for number in found[()])
    if width not in (4, 5) or not 0 <= room <= _MOST_POINTS:
        raise FileFormatError(
            f"{file.filename}: `shape` says {room} points of {width} numbers; expected 4 (x, y, "
            f"layer, energy) or 5 (and time), and at most {_MOST_POINTS} points."
        )
    return room, width


def _rows(file: h5py.File, start: int, stop: int, width: int) -> list[NDArray[np.floating]]:
    """Read ragged rows, few at a time: nothing says beforehand how long they are."""
    step = max(1, min(_AT_ONCE, _AT_ONCE_BYTES // max(1, Path(file.filename).stat().st_size)))
    found = []
    for first in range(start, stop, step):
        for row in file["showers"][first : min(first + step, stop)]:
            if row.size % width:
                raise FileFormatError(
                    f"{file.filename}: shower {first} or one of the next {step} has {row.size} "
                    f"numbers; expected a multiple of {width}, as `shape` says."
                )
            found.append(native(row).reshape(-1, width))
    return found


def _layers(file: h5py.File, numbers: NDArray[np.floating]) -> NDArray[np.int64]:
    try:
        return whole_layers(numbers)
    except RangeError as error:
        raise FileFormatError(f"{file.filename}: {error}") from None
