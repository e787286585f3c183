"""Step 1, formats: one reader and writer per public file format, lazy and chunked."""

from __future__ import annotations

import h5py

from ...errors import FileFormatError, UnknownNameError
from .calochallenge import CaloChallenge
from .caloclouds import CaloClouds
from .cells import Cells
from .contract import Content, Format, Rows
from .guard import plain
from .lemurs import Lemurs
from .par04 import Par04
from .points import PointFormat, Points, WrittenPoints
from .showerdata import ShowerData
from .sparse import Sparse
from .tables import Table
from .tabular import ParquetPoints, ParquetVoxels, RootPoints, RootVoxels

__all__ = [
    "FORMATS",
    "POINT_FORMATS",
    "WRITTEN",
    "Cells",
    "Content",
    "Format",
    "PointFormat",
    "Rows",
    "WrittenPoints",
    "format_named",
    "recognise",
]

_CELLS = Cells()

FORMATS: dict[str, Format] = {
    known.name: known
    for known in (
        CaloChallenge(),
        _CELLS,
        Lemurs(),
        Sparse(),
        RootVoxels(),
        Par04(),
        ParquetVoxels(),
    )
}
"""Every format of voxels by its name on the command line."""

POINT_FORMATS: dict[str, PointFormat] = {
    known.name: known
    for known in (Points(), RootPoints(), ParquetPoints(), ShowerData(), CaloClouds())
}
"""Every format of point clouds by its name; ``showerdata`` and ``caloclouds`` are read only."""

_ALL: dict[str, Format | PointFormat] = {**FORMATS, **POINT_FORMATS}

WRITTEN: tuple[str, ...] = (
    *FORMATS,
    *(name for name, known in POINT_FORMATS.items() if isinstance(known, WrittenPoints)),
)
"""Names of the formats that are written."""


def format_named(name: str) -> Format | PointFormat:
    """Return a format by name.

    Raises:
        UnknownNameError: if there is none of that name.
    """
    if name not in _ALL:
        raise UnknownNameError("format", name, _ALL)
    return _ALL[name]


def recognise(file: h5py.File | Table) -> Format | PointFormat:
    """Find the format of an open file from its keys.

    Raises:
        FileFormatError: naming the keys that are missing and those that are there.
    """
    keys = set(file)
    container = file.container if isinstance(file, Table) else "hdf5"
    if container == "hdf5" and _CELLS.recognises(file):
        return _CELLS
    possible = [known for known in _ALL.values() if known.container == container]
    for known in possible:
        if known.required <= keys:
            return known
    closest = max(possible, key=lambda known: len(known.required & keys))
    missing = ", ".join(f"`{key}`" for key in sorted(closest.required - keys))
    there = ", ".join(plain(key, 40) for key in sorted(keys)[:12]) or "nothing"
    raise FileFormatError(
        f"{file.filename}: {missing} missing for the format {closest.name} "
        f"({closest.description}); the file has: {there}."
    )
