"""Step 1, formats: one reader and writer per public file format, lazy and chunked."""

from __future__ import annotations

import h5py

from ...errors import FileFormatError, UnknownNameError
from .calochallenge import CaloChallenge
from .contract import Content, Format, Rows
from .guard import plain
from .lemurs import Lemurs
from .sparse import Sparse

__all__ = ["FORMATS", "Content", "Format", "Rows", "format_named", "recognise"]

FORMATS: dict[str, Format] = {known.name: known for known in (CaloChallenge(), Lemurs(), Sparse())}
"""Every format by its name on the command line."""


def format_named(name: str) -> Format:
    """Return a format by name.

    Raises:
        UnknownNameError: if there is none of that name.
    """
    if name not in FORMATS:
        raise UnknownNameError("format", name, FORMATS)
    return FORMATS[name]


def recognise(file: h5py.File) -> Format:
    """Find the format of an open file from its keys.

    Raises:
        FileFormatError: naming the keys that are missing and those that are there.
    """
    keys = set(file)
    for known in FORMATS.values():
        if known.required <= keys:
            return known
    closest = max(FORMATS.values(), key=lambda known: len(known.required & keys))
    missing = ", ".join(f"`{key}`" for key in sorted(closest.required - keys))
    there = ", ".join(plain(key, 40) for key in sorted(keys)[:12]) or "nothing"
    raise FileFormatError(
        f"{file.filename}: {missing} missing for the format {closest.name} "
        f"({closest.description}); the file has: {there}."
    )
