"""Collision events: tables of particles, one variable-length set per event, in MeV and mm."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import RangeError, ShapeError, UnknownNameError

__all__ = ["Events", "Ragged"]

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Ragged:
    """A table whose rows belong to events, any number of rows to each.

    Args:
        offsets: where each event's rows begin, and after the last one the number of rows;
            int64, shape ``(events + 1,)``.
        columns: what each row says, by name, shape ``(rows,)`` each. A four-momentum has the
            columns ``px``, ``py``, ``pz`` and ``mass``, in MeV.

    Raises:
        ShapeError: if the offsets do not rise from 0 to the length of every column.
    """

    offsets: NDArray[np.int64]
    columns: Mapping[str, Array]

    def __post_init__(self) -> None:
        offsets = self.offsets
        if offsets.ndim != 1 or not len(offsets) or offsets[0] or (np.diff(offsets) < 0).any():
            raise ShapeError("offsets: expected numbers that rise from 0, one more than events.")
        for name, column in self.columns.items():
            if column.shape != (offsets[-1],):
                raise ShapeError(
                    f"{name}: expected shape ({offsets[-1]},), one number per row, "
                    f"got {tuple(column.shape)}."
                )

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, name: str) -> Array:
        """Return a column of all rows, shape ``(rows,)``."""
        try:
            return self.columns[name]
        except KeyError:
            raise UnknownNameError("column", name, self.columns) from None

    @property
    def counts(self) -> NDArray[np.int64]:
        """Rows of each event, shape ``(events,)``."""
        return np.diff(self.offsets)

    @property
    def event(self) -> NDArray[np.int64]:
        """Position of the event that each row belongs to, shape ``(rows,)``."""
        return np.repeat(np.arange(len(self)), self.counts)

    def select(self, which: slice | Array | Sequence[int]) -> Ragged:
        """Return the rows of the events picked by a slice, a mask or indices, in that order."""
        starts, counts = self.offsets[:-1][which], self.counts[which]
        offsets = _offsets(counts)
        rows = np.arange(offsets[-1]) + np.repeat(starts - offsets[:-1], counts)
        return Ragged(offsets, {name: column[rows] for name, column in self.columns.items()})

    def where(self, kept: NDArray[np.bool_]) -> Ragged:
        """Return the same events with only the rows of a mask, shape ``(rows,)``."""
        counts = np.bincount(self.event[kept], minlength=len(self))
        columns = {name: column[kept] for name, column in self.columns.items()}
        return Ragged(_offsets(counts), columns)

    def with_columns(self, **columns: Array) -> Ragged:
        """Return the same rows with further columns, shape ``(rows,)`` each."""
        return Ragged(self.offsets, {**self.columns, **columns})

    @classmethod
    def grouped(cls, event: Array, events: int, columns: Mapping[str, Array]) -> Ragged:
        """Build from rows in the order of their events.

        Args:
            event: position of each row's event, not falling, shape ``(rows,)``.
            events: number of events, also those without rows.
            columns: by name, shape ``(rows,)`` each.

        Raises:
            ShapeError: if the rows are not in the order of their events.
        """
        if len(event) and ((np.diff(event) < 0).any() or event[-1] >= events or event[0] < 0):
            raise ShapeError("event: expected rows in the order of their events, from 0.")
        return cls(_offsets(np.bincount(event, minlength=events)), columns)

    @classmethod
    def concatenate(cls, parts: Sequence[Ragged]) -> Ragged:
        """Join tables with the same columns, event after event.

        Raises:
            ShapeError: if the columns differ.
        """
        names = list(parts[0].columns)
        if any(set(part.columns) != set(names) for part in parts):
            raise ShapeError("expected tables with the same columns to join.")
        counts = np.concatenate([part.counts for part in parts])
        columns = {name: np.concatenate([part[name] for part in parts]) for name in names}
        return cls(_offsets(counts), columns)


@dataclass(frozen=True, eq=False)
class Events:
    """Collision events: named tables of objects, and numbers of each event as a whole.

    A simulated pair of truth and reconstruction is an ``Events`` with the tables ``truth`` and
    ``reco``: the two share the event, and their rows do not correspond.

    Args:
        number: number of each event within its set, int64, shape ``(events,)``.
        tables: objects by name (``particles``, ``truth``, ``reco``, ``jets``, ...).
        columns: numbers by name, shape ``(events,)`` each. ``weight`` is the event's weight;
            ``weight_<variation>`` is the weight under a variation. Both may be negative.
        provenance: where the events come from: plain strings, numbers, lists.

    Raises:
        ShapeError: if a table or a column has another number of events.
    """

    number: NDArray[np.int64]
    tables: Mapping[str, Ragged]
    columns: Mapping[str, Array] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        found = {name: len(table) for name, table in self.tables.items()}
        found |= {name: len(column) for name, column in self.columns.items()}
        for name, events in found.items():
            if events != len(self.number):
                raise ShapeError(
                    f"{name}: expected {len(self.number)} events, as there are numbers, "
                    f"got {events}."
                )

    def __len__(self) -> int:
        return len(self.number)

    def __getitem__(self, name: str) -> Ragged:
        """Return a table."""
        try:
            return self.tables[name]
        except KeyError:
            raise UnknownNameError("table", name, self.tables) from None

    @property
    def weights(self) -> Array:
        """Event weights, shape ``(events,)``, ones where there are none."""
        return self.columns.get("weight", np.ones(len(self)))

    def select(self, which: slice | Array | Sequence[int]) -> Events:
        """Return the events picked by a slice, a mask or indices, in that order."""
        return replace(
            self,
            number=self.number[which],
            tables={name: table.select(which) for name, table in self.tables.items()},
            columns={name: column[which] for name, column in self.columns.items()},
        )

    def with_tables(self, **tables: Ragged) -> Events:
        """Return the same events with further tables; one of an old name takes its place."""
        return replace(self, tables={**self.tables, **tables})

    @classmethod
    def concatenate(cls, parts: Iterable[Events]) -> Events:
        """Join events with the same tables and columns; the provenance is the first part's.

        Raises:
            ShapeError: if tables or columns differ.
            RangeError: if there is no part.
        """
        parts = list(parts)
        if not parts:
            raise RangeError("expected at least one set of events to join, got none.")
        first = parts[0]
        for part in parts:
            if set(part.tables) != set(first.tables) or set(part.columns) != set(first.columns):
                raise ShapeError("expected events with the same tables and columns to join.")
        return cls(
            np.concatenate([part.number for part in parts]),
            {name: Ragged.concatenate([part[name] for part in parts]) for name in first.tables},
            {
                name: np.concatenate([part.columns[name] for part in parts])
                for name in first.columns
            },
            first.provenance,
        )


def _offsets(counts: Array) -> NDArray[np.int64]:
    offsets = np.zeros(len(counts) + 1, np.int64)
    np.cumsum(counts, out=offsets[1:])
    return offsets
