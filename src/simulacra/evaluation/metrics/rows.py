"""Feature vectors that are mostly zeros, kept without them: any number of columns in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ...errors import RangeError, ShapeError

__all__ = ["FeatureRows"]

Array = NDArray[Any]
FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

_COLUMNS = 1024  # columns of a chunk: a scalar product is rounded within one only


@dataclass(frozen=True, eq=False)
class _Chunk:
    """Some columns of all rows: row i holds entries starts[i] to starts[i + 1]."""

    width: int
    starts: IntArray
    columns: NDArray[np.uint16]
    values: FloatArray

    def dense(self, rows: IntArray, dtype: DTypeLike) -> Array:
        """Return rows with their zeros, shape (rows, width)."""
        counts = self.starts[rows + 1] - self.starts[rows]
        offsets = np.cumsum(counts) - counts
        if len(rows) and rows[-1] - rows[0] == len(rows) - 1 and (np.diff(rows) == 1).all():
            entries: slice | IntArray = slice(self.starts[rows[0]], self.starts[rows[-1] + 1])
        else:
            entries = np.repeat(self.starts[rows] - offsets, counts) + np.arange(counts.sum())
        out = np.zeros((len(rows), self.width), dtype)
        places = np.repeat(np.arange(len(rows)) * self.width, counts) + self.columns[entries]
        out.ravel()[places] = self.values[entries]
        return out


@dataclass(frozen=True, eq=False)
class FeatureRows:
    """Events as points in a space of many features, most of them zero.

    What is not zero takes 10 bytes, whatever the number of features. Values are float64.

    Args:
        features: number of features.
        square_norm: squared length of each row, shape ``(events,)``.
    """

    features: int
    square_norm: FloatArray
    _chunks: tuple[_Chunk, ...] = field(repr=False)

    @classmethod
    def from_blocks(cls, blocks: Iterable[Array]) -> FeatureRows:
        """Collect consecutive events, given in tables of any number of rows.

        Args:
            blocks: dense tables, each ``(events, features)``.

        Raises:
            RangeError: if there is no event, or a number is not finite.
            ShapeError: if the tables have different columns.
        """
        parts: list[list[_Chunk]] = []
        features = 0
        for block in blocks:
            if block.ndim != 2 or (parts and block.shape[1] != features):
                raise ShapeError(
                    f"features: expected tables (events, {features or 'features'}), got "
                    f"{block.shape}."
                )
            features = block.shape[1]
            parts.append(list(_compressed(block)))
        if not parts or not features or sum(len(part[0].starts) - 1 for part in parts) == 0:
            raise RangeError("features: expected at least one event and one feature, got none.")
        joined = []
        for place in range(len(parts[0])):
            joined.append(_joined([part[place] for part in parts]))
            for part in parts:
                part[place] = _EMPTY  # a chunk is held twice, never all of them
        return cls(features, _square_norm(joined), tuple(joined))

    @classmethod
    def from_array(cls, table: Array) -> FeatureRows:
        """Take events from one table, shape ``(events, features)``."""
        return cls.from_blocks([np.asarray(table)])

    def __len__(self) -> int:
        return len(self.square_norm)

    @property
    def rounding(self) -> float:
        """Bound on the error of a float32 scalar product, relative to the product of lengths."""
        width = max(chunk.width for chunk in self._chunks)
        return float((width + len(self._chunks) + 8) * 2.0**-24)

    def dense(self, rows: IntArray, dtype: DTypeLike = np.float64) -> Iterator[Array]:
        """Give some rows with their zeros, chunk of columns by chunk of columns."""
        for chunk in self._chunks:
            yield chunk.dense(rows, dtype)

    def take(self, rows: IntArray) -> FeatureRows:
        """Return some rows, in the order of their numbers in ``rows``."""
        rows = np.asarray(rows, np.int64)
        chunks = tuple(_taken(chunk, rows) for chunk in self._chunks)
        return FeatureRows(self.features, self.square_norm[rows], chunks)

    def square_distances(self, rows: IntArray, other: FeatureRows, others: IntArray) -> FloatArray:
        """Return the squared distances of pairs of rows, from differences in float64.

        Args:
            rows: rows of this table, shape ``(pairs,)``; fastest if equal ones stand together.
            other: another table of the same features, or this one.
            others: rows of that table, shape ``(pairs,)``.
        """
        out = np.zeros(len(rows))
        step = max(1, (1 << 19) // self._chunks[0].width)
        for start in range(0, len(rows), step):
            part = slice(start, start + step)
            distinct, place = np.unique(rows[part], return_inverse=True)
            pairs = zip(self.dense(distinct), other.dense(others[part]), strict=True)
            for mine, theirs in pairs:
                theirs -= mine[place]
                theirs *= theirs
                out[part] += theirs.sum(axis=1)
        return out

    def identical(self) -> tuple[IntArray, IntArray, IntArray]:
        """Find rows that are equal to the last bit.

        Returns:
            The first row of each kind, the kind of each row, and the number of rows of each kind.
        """
        keys = np.empty(len(self), np.uint64)
        for i in range(len(self)):
            digest = hashlib.blake2b(digest_size=8)
            for chunk in self._chunks:
                entries = slice(chunk.starts[i], chunk.starts[i + 1])
                digest.update(chunk.columns[entries].tobytes())
                digest.update(chunk.values[entries].tobytes())
            keys[i] = int.from_bytes(digest.digest(), "little")
        _, first, kind, number = np.unique(
            keys, return_index=True, return_inverse=True, return_counts=True
        )
        return first.astype(np.int64), kind.astype(np.int64), number.astype(np.int64)


_EMPTY = _Chunk(0, np.zeros(1, np.int64), np.zeros(0, np.uint16), np.zeros(0))


def _compressed(block: Array) -> Iterator[_Chunk]:
    for first in range(0, block.shape[1], _COLUMNS):
        part = np.ascontiguousarray(block[:, first : first + _COLUMNS])
        filled = np.flatnonzero(part)
        rows, columns = np.divmod(filled, part.shape[1])
        values = part.ravel()[filled].astype(np.float64)
        if not np.isfinite(values).all():
            raise RangeError("features: a number is not finite; a logarithm of a negative energy?")
        starts = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=len(part)))])
        yield _Chunk(part.shape[1], starts, columns.astype(np.uint16), values)


def _joined(chunks: list[_Chunk]) -> _Chunk:
    if len(chunks) == 1:
        return chunks[0]
    offsets = np.cumsum([0, *(chunk.starts[-1] for chunk in chunks)])
    starts = [chunk.starts[:-1] + offset for chunk, offset in zip(chunks, offsets, strict=False)]
    return _Chunk(
        chunks[0].width,
        np.concatenate([*starts, offsets[-1:]]),
        np.concatenate([chunk.columns for chunk in chunks]),
        np.concatenate([chunk.values for chunk in chunks]),
    )


def _taken(chunk: _Chunk, rows: IntArray) -> _Chunk:
    counts = chunk.starts[rows + 1] - chunk.starts[rows]
    starts = np.concatenate([[0], np.cumsum(counts)])
    entries = np.repeat(chunk.starts[rows] - starts[:-1], counts) + np.arange(starts[-1])
    return _Chunk(chunk.width, starts, chunk.columns[entries], chunk.values[entries])


def _square_norm(chunks: list[_Chunk]) -> FloatArray:
    events = len(chunks[0].starts) - 1
    total = np.zeros(events)
    for chunk in chunks:
        rows = np.repeat(np.arange(events), np.diff(chunk.starts))
        total += np.bincount(rows, chunk.values**2, events)
    return total
