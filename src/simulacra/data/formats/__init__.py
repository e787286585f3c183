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
from .points import PointFormat, Points
from .showerdata import ShowerData
from .sparse import Sparse

__all__ = [
    "FORMATS",
    "POINT_FORMATS",
    "Cells",
    "Content",
    "Format",
    "PointFormat",
    "Rows",
    "format_named",
    "recognise",
]

_CELLS = Cells()

FORMATS: dict[str, Format] = {
    known.name: known for known in (CaloChallenge(), _CELLS, Lemurs(), Sparse())
}
"""Every format of voxels by its name on the command line."""

POINT_FORMATS: dict[str, PointFormat] = {
    known.name: known for known in (Points(), ShowerData(), CaloClouds())
}
"""Every format of point clouds by its name; only ``points`` is written."""

_ALL: dict[str, Format | PointFormat] = {**FORMATS, **POINT_FORMATS}


def format_named(name: str) -> Format | PointFormat:
    """Return a format by name.

    Raises:
        UnknownNameError: if there is none of that name.
    """
    if name not in _ALL:
        raise UnknownNameError("format", name, _ALL)
    return _ALL[name]


def recognise(file: h5py.File) -> Format | PointFormat:
    """Find the format of an open file from its keys.

    Raises:
        FileFormatError: naming the keys that are missing and those that are there.
    """
    keys = set(file)
    if _CELLS.recognises(file):
        return _CELLS
    for known in _ALL.values():
        if known.required <= keys:
            return known
    closest = max(_ALL.values(), key=lambda known: len(known.required & keys))
    missing = ", ".join(f"`{key}`" for key in sorted(closest.required - keys))
    there = ", ".join(plain(key, 40) for key in sorted(keys)[:12]) or "nothing"
    raise FileFormatError(
        f"{file.filename}: {missing} missing for the format {closest.name} "
        f"({closest.description}); the file has: {there}."
    )
