"""Tables with a row per shower, ROOT trees and Parquet alike: what a layout needs to know."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ...errors import FileFormatError, ShapeError
from .guard import HARMLESS_BYTES, MAX_CHUNK_BYTES, MAX_RATIO, plain

__all__ = [
    "Column",
    "Kind",
    "Lists",
    "Table",
    "TableWriter",
    "described",
    "refuse_bomb",
    "refuse_large_piece",
]

Lists = tuple[NDArray[np.int64], NDArray[Any]]
"""Rows of any length: where each begins, and the end, shape ``(rows + 1,)``; all their numbers."""

Kind = tuple[DTypeLike, int | None]
"""What a column to be written holds: dtype, and numbers per row (1, more, None for any)."""


class Column(ABC):
    """One column of an open table; it is cut like a dataset of HDF5.

    Args:
        table: the table it belongs to.
        name: of the column.
        dtype: of its numbers.
        shape: rows, and numbers of a row if it is more than one.
        ragged: whether rows have any length; such a column is read with :meth:`lists`.
        piece_rows: rows that are packed together.
        values: numbers of all rows together, at most.
    """

    def __init__(
        self,
        table: Table,
        name: str,
        *,
        dtype: DTypeLike,
        shape: tuple[int, ...],
        ragged: bool,
        piece_rows: int,
        values: int,
    ) -> None:
        self.file, self.name, self.ragged, self.values = table, name, ragged, values
        self.dtype = np.dtype(dtype)
        self.shape: tuple[Any, ...] = (*shape, "any") if ragged else shape
        self.chunks = (max(1, piece_rows),)

    @property
    def ndim(self) -> int:
        """Number of axes, as of an array."""
        return len(self.shape)

    def __len__(self) -> int:
        return int(self.shape[0])

    @abstractmethod
    def __getitem__(self, rows: slice) -> NDArray[Any]:
        """Read rows of one length.

        Raises:
            FileFormatError: if they cannot be read, or a row has another length.
        """

    @abstractmethod
    def lists(self, start: int, stop: int) -> Lists:
        """Read rows of any length.

        Raises:
            FileFormatError: if they cannot be read.
        """


class _Even(Column):
    """A ragged column whose rows turn out to have one length, that of the first."""

    def __init__(self, ragged: Column) -> None:
        width = len(ragged.lists(0, 1)[1]) if len(ragged) else 0
        super().__init__(
            ragged.file,
            ragged.name,
            dtype=ragged.dtype,
            shape=(len(ragged), width),
            ragged=False,
            piece_rows=ragged.chunks[0],
            values=ragged.values,
        )
        self._ragged = ragged

    def __getitem__(self, rows: slice) -> NDArray[Any]:
        start, stop, _ = rows.indices(len(self))
        offsets, values = self._ragged.lists(start, stop)
        counts, width = np.diff(offsets), self.shape[1]
        wrong = np.flatnonzero(counts != width)
        if len(wrong):
            raise ShapeError(
                f"{self.file.filename}: shower {start + int(wrong[0])} has {counts[wrong[0]]} "
                f"numbers in `{self.name}`, the first has {width}; expected a number for every "
                "voxel in every shower. Point clouds have columns x, y, z and energy instead."
            )
        return values.reshape(-1, width)

    def lists(self, start: int, stop: int) -> Lists:
        return self._ragged.lists(start, stop)


class Table(ABC):
    """A file of columns open for reading.

    Args:
        filename: what the file is called.
    """

    container: str

    def __init__(self, filename: str) -> None:
        self.filename = filename
        self.attrs: dict[str, Any] = {}
        self.columns: dict[str, Column] = {}
        self._even: dict[str, Column] = {}

    def __contains__(self, name: object) -> bool:
        return name in self.columns

    def __iter__(self) -> Iterator[str]:
        return iter(self.columns)

    def __getitem__(self, name: str) -> Column:
        found = self.columns[name]
        if name != "showers" or not found.ragged:
            return found
        if name not in self._even:
            self._even[name] = _Even(found)
        return self._even[name]

    def get(self, name: str) -> Column | None:
        """Return a column, or None if there is none of that name."""
        return None if name not in self.columns else self[name]

    @abstractmethod
    def array_names(self) -> tuple[str, ...]:
        """Return the names of the further arrays stored beside the showers."""

    @abstractmethod
    def array(self, name: str) -> NDArray[Any]:
        """Read a further array."""

    @abstractmethod
    def close(self) -> None:
        """Let go of the file."""

    def __enter__(self) -> Table:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class TableWriter(ABC):
    """A file of columns in the making; what ``attrs`` holds is written when it is finished."""

    def __init__(self) -> None:
        self.attrs: dict[str, Any] = {}

    @abstractmethod
    def declare(self, tree: str, columns: Mapping[str, Kind], rows: int) -> None:
        """Begin a table.

        Args:
            tree: its name; formats with one table to a file know only one.
            columns: what each column holds.
            rows: showers that are packed together.
        """

    @abstractmethod
    def extend(self, tree: str, columns: Mapping[str, NDArray[Any] | Lists]) -> None:
        """Add rows at the end."""

    @abstractmethod
    def add_array(self, name: str, array: NDArray[Any]) -> None:
        """Store an array of any shape beside the table."""

    @abstractmethod
    def finish(self) -> None:
        """Write the attributes and what the format needs at its end."""


def described(attributes: Mapping[str, Any]) -> str:
    """Return attributes as JSON; arrays become lists, and floating point numbers keep each bit."""
    return json.dumps(
        {
            name: value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value
            for name, value in attributes.items()
        }
    )


def refuse_bomb(table: Table, name: str, declared: int, stored: int) -> None:
    """Refuse a column that unfolds to far more than a shower's does.

    Raises:
        FileFormatError: if it declares more than :data:`~.guard.MAX_RATIO` times its stored bytes.
    """
    if declared > HARMLESS_BYTES and declared > MAX_RATIO * stored:
        raise FileFormatError(
            f"{table.filename}: `{plain(name)}` declares {declared / 1e9:.3g} GB but stores "
            f"{stored / 1e9:.3g} GB, more than {MAX_RATIO} times less; refused as a compression "
            "bomb (showers compress 20 to 250 times). Write only the showers you have."
        )


def refuse_large_piece(table: Table, name: str, size: int, remedy: str) -> None:
    """Refuse a piece that has to be in memory as a whole and is too large for that.

    Raises:
        FileFormatError: if it has more than :data:`~.guard.MAX_CHUNK_BYTES`.
    """
    if size > MAX_CHUNK_BYTES:
        raise FileFormatError(
            f"{table.filename}: `{plain(name)}` has pieces of {size / 1e9:.3g} GB, at most "
            f"{MAX_CHUNK_BYTES / 1e9:.3g} GB can be read piece by piece. Rewrite it {remedy}."
        )
