"""Rows of features kept small: dense where they fit, else packed in memory or in a file.

Showers at threshold fill 5 to 30 % of their voxels. A packed row is its numbers that are not zero
and their columns; it lies in memory up to a stated budget and beyond that in a file without a
name, which is gone when nobody holds it any more. Dense batches come back bit for bit, wherever
the rows lie and in whatever pieces they came.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import OutputError, RangeError, ShapeError

__all__ = ["DENSE_LIMIT", "MEMORY_LIMIT", "DenseRows", "PackedRows", "Rows", "store_rows"]

Array = NDArray[Any]
FloatRows = NDArray[np.float32]

DENSE_LIMIT = 1 << 30
"""Bytes up to which rows stay dense in memory."""

MEMORY_LIMIT = 2 << 30
"""Bytes of packed rows that stay in memory; what comes after them makes all go to the file."""

_PIECE_BYTES = 8 << 20


class Rows(ABC):
    """Many rows of float32 features, read back in dense batches.

    Attributes:
        features: numbers per row.
        digest: SHA-256 of the content.
    """

    features: int
    digest: str

    @property
    def files(self) -> tuple[int, ...]:
        """Descriptors of the open files that a process needs to read the rows."""
        return ()

    @abstractmethod
    def __len__(self) -> int:
        """Return the number of rows."""

    @abstractmethod
    def dense(self, which: Array) -> FloatRows:
        """Return rows by number, in that order, shape ``(len(which), features)``."""


class DenseRows(Rows):
    """Rows in one array.

    Args:
        array: float32, shape ``(rows, features)``; kept, not copied.
        digest: SHA-256 of the content.
    """

    def __init__(self, array: FloatRows, digest: str) -> None:
        self.array = array
        self.features = array.shape[1]
        self.digest = digest

    def __len__(self) -> int:
        return len(self.array)

    def dense(self, which: Array) -> FloatRows:
        return self.array[which]


class PackedRows(Rows):
    """Rows without their zeros, in memory or in a file.

    May be sent to a process that was started with :attr:`files`: they are shared then.

    Args:
        records: where the bytes lie.
        filled: number of non-zero numbers of each row, shape ``(rows,)``.
        features: numbers per row.
        digest: SHA-256 of the content.
    """

    def __init__(
        self, records: _Memory | _File, filled: NDArray[np.int64], features: int, digest: str
    ) -> None:
        self._records = records
        self._filled = filled
        self._starts = np.append(0, np.cumsum(_record_bytes(filled, _column_type(features))))
        self.features = features
        self.digest = digest

    def __len__(self) -> int:
        return len(self._filled)

    @property
    def files(self) -> tuple[int, ...]:
        return () if isinstance(self._records, _Memory) else (self._records.descriptor,)

    @property
    def in_memory(self) -> bool:
        """Whether the rows lie in memory."""
        return isinstance(self._records, _Memory)

    @property
    def size(self) -> int:
        """Bytes of the packed rows."""
        return int(self._starts[-1])

    def dense(self, which: Array) -> FloatRows:
        out = np.zeros((len(which), self.features), np.float32)
        columns = _column_type(self.features)
        for row, number in zip(out, np.asarray(which).tolist(), strict=True):
            filled = self._filled[number]
            record = self._records.read(self._starts[number], self._starts[number + 1])
            places = np.frombuffer(record, columns, filled, offset=4 * filled)
            row[places] = np.frombuffer(record, np.float32, filled)
        return out


def store_rows(
    blocks: Iterable[Array],
    rows: int,
    features: int,
    *,
    dense_limit: int = DENSE_LIMIT,
    memory_limit: int = MEMORY_LIMIT,
    folder: Path | str | None = None,
) -> Rows:
    """Keep rows that come piece by piece.

    Args:
        blocks: consecutive pieces, each ``(rows of the piece, features)``.
        rows: number of all rows.
        features: numbers per row.
        dense_limit: bytes up to which they stay dense.
        memory_limit: bytes of packed rows that stay in memory.
        folder: where the file without a name lies if it is needed; by default the system's
            folder for temporary files.

    Raises:
        ShapeError: if the pieces do not have these sizes.
        RangeError: if a number is not finite.
        OutputError: if the file cannot be written.
    """
    dense = 4 * rows * features <= dense_limit
    writer = _Dense(rows, features) if dense else _Packer(features, memory_limit, folder)
    done = 0
    for block in blocks:
        if block.ndim != 2 or block.shape[1] != features or done + len(block) > rows:
            raise ShapeError(
                f"classifier: expected {rows} rows of {features} features, got a piece of shape "
                f"{block.shape} after {done} rows."
            )
        step = max(1, _PIECE_BYTES // (4 * features))
        for start in range(0, len(block), step):
            piece = block[start : start + step].astype(np.float32) + np.float32(0)  # no -0.0
            if not np.isfinite(piece).all():
                raise RangeError("classifier: expected finite features, found nan or infinity.")
            writer.add(piece)
        done += len(block)
    if done != rows:
        raise ShapeError(f"classifier: expected {rows} rows, got {done}.")
    return writer.finished()


class _Dense:
    def __init__(self, rows: int, features: int) -> None:
        self._array = np.empty((rows, features), np.float32)
        self._done = 0

    def add(self, piece: FloatRows) -> None:
        self._array[self._done : self._done + len(piece)] = piece
        self._done += len(piece)

    def finished(self) -> Rows:
        return DenseRows(self._array, hashlib.sha256(self._array.data).hexdigest())


class _Packer:
    def __init__(self, features: int, memory_limit: int, folder: Path | str | None) -> None:
        self._features = features
        self._limit = memory_limit
        self._folder = folder
        self._digest = hashlib.sha256()
        self._filled: list[NDArray[np.int64]] = [np.zeros(0, np.int64)]
        self._records: _Memory | _File = _Memory()

    def add(self, piece: FloatRows) -> None:
        filled, record = _packed(piece)
        self._digest.update(record)
        self._filled.append(filled)
        if isinstance(self._records, _Memory) and self._records.size + len(record) > self._limit:
            self._records = _File(self._folder, self._records)
        self._records.append(record)

    def finished(self) -> Rows:
        filled = np.concatenate(self._filled)
        self._digest.update(filled.tobytes())
        return PackedRows(self._records, filled, self._features, self._digest.hexdigest())


class _Memory:
    """Bytes in a list of pieces; a record never lies in two."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.size = 0
        self._starts: list[int] = []
        self._index: NDArray[np.int64] | None = None

    def append(self, record: bytes) -> None:
        self._starts.append(self.size)
        self.pieces.append(record)
        self.size += len(record)
        self._index = None

    def read(self, start: int, stop: int) -> memoryview:
        if self._index is None:
            self._index = np.array(self._starts)
        piece = int(np.searchsorted(self._index, start, side="right")) - 1
        first = int(self._index[piece])
        return memoryview(self.pieces[piece])[start - first : stop - first]


class _File:
    """Bytes in a file that has no name: nothing is left of it, however the program ends."""

    def __init__(self, folder: Path | str | None, memory: _Memory) -> None:
        self._folder = folder or tempfile.gettempdir()
        try:
            self._handle: IO[bytes] = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - kept open
        except OSError as error:
            raise self._refused(error) from error
        for piece in memory.pieces:
            self.append(piece)
        memory.pieces.clear()

    def append(self, record: bytes) -> None:
        try:
            self._handle.write(record)
            self._handle.flush()
        except OSError as error:
            raise self._refused(error) from error

    def read(self, start: int, stop: int) -> bytes:
        return os.pread(self.descriptor, int(stop - start), int(start))

    @property
    def descriptor(self) -> int:
        return self._handle.fileno()

    def __getstate__(self) -> dict[str, Any]:
        return {"descriptor": self.descriptor, "folder": self._folder}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._handle = os.fdopen(os.dup(state["descriptor"]), "r+b")
        self._folder = state["folder"]

    def __del__(self) -> None:
        with contextlib.suppress(AttributeError, OSError):  # it may not have been opened
            self._handle.close()

    def _refused(self, error: OSError) -> OutputError:
        return OutputError(
            f"{self._folder}: the classifier's inputs cannot be kept there ({error.strerror}); "
            "free some space, or choose another folder with the variable TMPDIR."
        )


def _column_type(features: int) -> type[np.uint16] | type[np.uint32]:
    return np.uint16 if features <= 1 << 16 else np.uint32


def _record_bytes(filled: Any, columns: type[np.unsignedinteger[Any]]) -> Any:
    """Return the bytes of a record: numbers, columns, rounded up so that the next is aligned."""
    return (filled * (4 + np.dtype(columns).itemsize) + 3) // 4 * 4


def _packed(piece: FloatRows) -> tuple[NDArray[np.int64], bytes]:
    """Return the number of non-zero numbers of each row and the rows' records, joined."""
    columns = _column_type(piece.shape[1])
    mask = piece != 0
    filled = mask.sum(axis=1, dtype=np.int64)
    numbers, places = piece[mask], np.nonzero(mask)[1].astype(columns)
    out = bytearray(int(_record_bytes(filled, columns).sum()))
    start = first = 0
    for count in filled.tolist():
        middle, end = start + 4 * count, start + _record_bytes(count, columns)
        out[start:middle] = numbers[first : first + count].tobytes()
        out[middle : middle + count * places.itemsize] = places[first : first + count].tobytes()
        start, first = end, first + count
    return filled, bytes(out)
