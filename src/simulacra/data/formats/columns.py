"""One number per shower: incident energies, conditions and weights, in every format alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from ...errors import FileFormatError, ShapeError
from ..points import PointShowers
from ..showers import CONDITIONS, VoxelShowers
from .guard import plain
from .tables import Column

__all__ = ["Append", "Columns", "append_rows", "native", "required_dataset"]

_COLUMN_CHUNK = 8192

Append = Callable[[h5py.Dataset, NDArray[Any]], None]
"""What adds rows at the end of a dataset, such as :func:`append_rows`."""


class Columns:
    """Where a format keeps the incident energy, the conditions and the weights.

    Args:
        incident_energy: key of the incident energies in MeV.
        conditions: key by condition name, where it differs from the name.
        trailing: whether the incident energies are written as ``(events, 1)``.
        unit: of the incident energies, in MeV.
        direction: key of the incident particle's direction in the shower's frame, shape
            ``(events, 3)``, of which theta and phi are the angles; empty if there is none.
    """

    def __init__(
        self,
        incident_energy: str,
        conditions: Mapping[str, str] | None = None,
        *,
        trailing: bool = False,
        unit: float = 1.0,
        direction: str = "",
    ) -> None:
        self.incident_energy = incident_energy
        self.unit = unit
        self.direction = direction
        self.keys = {name: name for name in CONDITIONS} | dict(conditions or {})
        self.trailing = trailing

    def present(self, file: h5py.File) -> tuple[str, ...]:
        """Return the names of the conditions that the file has."""
        angles = ("theta", "phi") if self.direction in file else ()
        return tuple(name for name, key in self.keys.items() if key in file or name in angles)

    def weighted(self, file: h5py.File) -> bool:
        """Tell whether the file has event weights."""
        return "weights" in file

    def check(self, file: h5py.File, events: int) -> None:
        """Refuse columns that have not one number per shower.

        Raises:
            FileFormatError: if the incident energies are missing or a column is not one.
            ShapeError: if a column has another number of entries than there are showers.
        """
        required_dataset(file, self.incident_energy)
        for key in self._keys(file):
            dataset = required_dataset(file, key)
            if dataset.ndim not in (1, 2) or dataset.shape[1:] not in ((), (1,)):
                raise FileFormatError(
                    f"{file.filename}: `{key}` has shape {dataset.shape}; expected "
                    f"({events}, 1) or ({events},), one number per shower."
                )
            if dataset.shape[0] != events:
                raise ShapeError(
                    f"{file.filename}: `{key}` has {dataset.shape[0]} entries for {events} "
                    "showers; expected one per shower. Were two files mixed up?"
                )
        if self.direction in file:
            directions = required_dataset(file, self.direction)
            if directions.shape != (events, 3):
                raise ShapeError(
                    f"{file.filename}: `{self.direction}` has shape {directions.shape}; expected "
                    f"({events}, 3), one direction per shower."
                )

    def read(
        self, file: h5py.File, start: int, stop: int
    ) -> tuple[NDArray[Any], dict[str, NDArray[Any]], NDArray[Any] | None]:
        """Return incident energy in MeV, conditions and weights of showers start to stop."""
        angles = _angles(file, self.direction, start, stop) if self.direction in file else {}
        conditions = {
            name: angles[name] if name in angles else _column(file, self.keys[name], start, stop)
            for name in self.present(file)
        }
        weight = _column(file, "weights", start, stop) if self.weighted(file) else None
        energy = _column(file, self.incident_energy, start, stop)
        return energy * energy.dtype.type(self.unit), conditions, weight

    def create(self, file: h5py.File, first: VoxelShowers | PointShowers) -> None:
        """Make empty columns for showers like ``first``.

        Raises:
            FileFormatError: if there is a condition that the format has no name for.
        """
        for key, array in self.arrays(first).items():
            tail = (1,) if self.trailing and key == self.incident_energy else ()
            file.create_dataset(
                key,
                shape=(0, *tail),
                maxshape=(None, *tail),
                chunks=(_COLUMN_CHUNK, *tail),
                dtype=array.dtype,
                compression="gzip",
                shuffle=True,
            )

    def append(self, file: h5py.File, part: VoxelShowers | PointShowers) -> None:
        """Add the columns of ``part`` at the end."""
        for key, array in self.arrays(part).items():
            append_rows(file[key], array.reshape(-1, *file[key].shape[1:]))

    def _keys(self, file: h5py.File) -> list[str]:
        conditions = [key for key in self.keys.values() if key in file]
        return [self.incident_energy, *conditions, *(["weights"] if "weights" in file else [])]

    def arrays(self, part: VoxelShowers | PointShowers) -> dict[str, NDArray[Any]]:
        """Return the columns of showers by key.

        Raises:
            FileFormatError: if there is a condition that the format has no name for.
        """
        unknown = [name for name in part.conditions if name not in self.keys]
        if unknown:
            raise FileFormatError(
                f"conditions {', '.join(unknown)}: the format has no key for them; it knows "
                f"{', '.join(self.keys)}."
            )
        arrays = {self.incident_energy: part.incident_energy}
        arrays |= {self.keys[name]: array for name, array in part.conditions.items()}
        return arrays if part.weight is None else {**arrays, "weights": part.weight}


def required_dataset(file: h5py.File, key: str) -> h5py.Dataset:
    """Return a dataset of numbers.

    Raises:
        FileFormatError: if it is missing, is a group, or holds something else than numbers.
    """
    found = file.get(key)
    if not isinstance(found, (h5py.Dataset, Column)):
        there = ", ".join(plain(name, 40) for name in list(file)[:12]) or "nothing"
        raise FileFormatError(
            f"{file.filename}: there is no dataset `{key}`; the file has: {there}."
        )
    if found.dtype.kind not in "fiu" or found.shape is None:
        raise FileFormatError(
            f"{file.filename}: `{key}` has dtype {plain(found.dtype)}; expected numbers."
        )
    return found


def append_rows(dataset: h5py.Dataset, rows: NDArray[Any]) -> None:
    """Add rows at the end of a resizable dataset."""
    start = dataset.shape[0]
    dataset.resize(start + len(rows), axis=0)
    dataset[start:] = rows


def native(array: NDArray[Any]) -> NDArray[Any]:
    """Return the array in this machine's byte order."""
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def _angles(file: h5py.File, key: str, start: int, stop: int) -> dict[str, NDArray[Any]]:
    """Return polar angle and azimuth of directions in rad, of any length; 0 for none."""
    x, y, z = np.asarray(file[key][start:stop], np.float64).T
    return {"theta": np.arctan2(np.hypot(x, y), z), "phi": np.arctan2(y, x)}


def _column(file: h5py.File, key: str, start: int, stop: int) -> NDArray[Any]:
    column = native(np.asarray(file[key][start:stop])).reshape(-1)
    if key not in ("pdg",) and column.dtype.kind != "f":
        return column.astype(np.float64)
    return column
