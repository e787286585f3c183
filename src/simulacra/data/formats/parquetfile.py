"""Parquet files by way of pyarrow: columns and lists, row group by row group."""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import Mapping
from importlib import import_module
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from ...errors import DependencyError, FileFormatError
from .guard import plain
from .rootfile import explained
from .tables import (
    Column,
    Kind,
    Lists,
    Table,
    TableWriter,
    described,
    refuse_bomb,
    refuse_large_piece,
)

__all__ = ["ParquetTable", "ParquetWriter"]

_NOTE = b"simulacra_showers"
_ARRAY = b"simulacra_array:"


class ParquetTable(Table):
    """The columns of numbers and of lists of them.

    Attributes stand as JSON under the key ``simulacra_showers`` of the file's metadata, further
    arrays under keys of their own, in base64.

    Args:
        stream: the opened file; it is closed with the table.
        filename: what the file is called.

    Raises:
        FileFormatError: if the file is truncated or damaged.
        DependencyError: if pyarrow is not installed.
    """

    container = "parquet"

    def __init__(self, stream: IO[bytes], filename: str) -> None:
        super().__init__(filename)
        self._stream = stream
        arrow, parquet = _arrow()
        with explained(filename):
            self.parquet = parquet.ParquetFile(
                stream, pre_buffer=False, memory_map=False, page_checksum_verification=True
            )
            described = self.parquet.metadata
            self._notes = dict(described.metadata or {})
            self.attrs = dict(json.loads(self._notes.get(_NOTE, b"{}")))
            groups = [described.row_group(i) for i in range(described.num_row_groups)]
            self.starts = np.cumsum([0, *(group.num_rows for group in groups)])
            places = {
                described.schema.column(i).path.partition(".")[0]: i
                for i in range(described.num_columns)
            }
            for field in self.parquet.schema_arrow:
                kind = _numbers(arrow, field.type)
                if kind is not None and field.name in places:
                    chunks = [group.column(places[field.name]) for group in groups]
                    self.columns[field.name] = _Field(self, field.name, *kind, chunks)

    def array_names(self) -> tuple[str, ...]:
        return tuple(key[len(_ARRAY) :].decode() for key in self._notes if key.startswith(_ARRAY))

    def array(self, name: str) -> NDArray[Any]:
        with explained(self.filename):
            found = json.loads(self._notes[_ARRAY + name.encode()])
            dtype = np.dtype(str(found["dtype"]))
            if dtype.kind not in "fiub":
                raise FileFormatError(f"{self.filename}: `{plain(name)}` is no array of numbers.")
            raw = base64.b64decode(found["data"])
            return np.frombuffer(raw, dtype).reshape(found["shape"]).copy()

    def close(self) -> None:
        self.parquet.close()
        self._stream.close()


class _Field(Column):
    """A column of numbers, or of lists of one or of any length."""

    def __init__(
        self,
        table: ParquetTable,
        name: str,
        dtype: np.dtype[Any],
        width: int | None,
        chunks: list[Any],
    ) -> None:
        values = sum(chunk.num_values for chunk in chunks)
        stored = sum(chunk.total_compressed_size for chunk in chunks)
        refuse_bomb(table, name, values * dtype.itemsize, stored)
        largest = max([chunk.num_values * dtype.itemsize for chunk in chunks], default=0)
        refuse_large_piece(table, name, largest, "with smaller row groups (row_group_size)")
        rows = int(table.starts[-1])
        super().__init__(
            table,
            name,
            dtype=dtype,
            shape=(rows, width) if width else (rows,),
            ragged=width is None,
            piece_rows=int(table.starts[1]) if len(table.starts) > 1 else 1,
            values=values,
        )
        self._table, self._width = table, width

    def __getitem__(self, rows: slice) -> NDArray[Any]:
        start, stop, _ = rows.indices(len(self))
        shape = (-1, self._width) if self._width else (-1,)
        empty = np.zeros((0, *shape[1:]), self.dtype)
        parts = [empty]
        with explained(self.file.filename):
            for piece in self._pieces(start, stop):
                flat = piece.flatten() if self._width else piece
                parts.append(self._array(flat).reshape(shape))
        found = parts[1] if len(parts) == 2 else np.concatenate(parts)
        if len(found) != stop - start:
            raise FileFormatError(
                f"{self.file.filename}: `{plain(self.name)}` has rows without numbers (null); "
                "expected a list of numbers in every row."
            )
        return found

    def lists(self, start: int, stop: int) -> Lists:
        compute = import_module("pyarrow.compute")
        counts, values = [np.zeros(0, np.int64)], [np.zeros(0, self.dtype)]
        with explained(self.file.filename):
            for piece in self._pieces(start, stop):
                lengths = compute.list_value_length(piece)
                counts.append(self._array(lengths).astype(np.int64))
                values.append(self._array(piece.flatten()))
        offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(np.concatenate(counts))])
        return offsets.astype(np.int64), np.concatenate(values)

    def _pieces(self, start: int, stop: int) -> Any:
        starts = self._table.starts
        for group in range(len(starts) - 1):
            first, last = max(start, int(starts[group])), min(stop, int(starts[group + 1]))
            if first < last:
                table = self._table.parquet.read_row_group(
                    group, columns=[self.name], use_threads=False
                )
                cut = table.column(self.name).slice(first - int(starts[group]), last - first)
                yield from cut.chunks

    def _array(self, flat: Any) -> NDArray[Any]:
        if flat.null_count:
            raise FileFormatError(
                f"{self.file.filename}: `{plain(self.name)}` has {flat.null_count} missing numbers "
                "(null) in one piece; expected numbers only. Fill or drop them."
            )
        return np.asarray(flat.to_numpy(zero_copy_only=False))


def _numbers(arrow: Any, kind: Any) -> tuple[np.dtype[Any], int | None] | None:
    """Return dtype and numbers per row (0 for one, None for any); None for other columns."""
    width: int | None = 0
    if arrow.types.is_fixed_size_list(kind):
        width, kind = kind.list_size or None, kind.value_type
    elif arrow.types.is_list(kind) or arrow.types.is_large_list(kind):
        width, kind = None, kind.value_type
    of_numbers = (arrow.types.is_integer, arrow.types.is_floating, arrow.types.is_boolean)
    if not any(is_kind(kind) for is_kind in of_numbers):
        return None
    return np.dtype(kind.to_pandas_dtype()), width


class ParquetWriter(TableWriter):
    """Columns written row group by row group, packed with Zstandard.

    Args:
        stream: a file open for writing.

    Raises:
        DependencyError: if pyarrow is not installed.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        super().__init__()
        self._arrow, self._parquet = _arrow()
        self._stream, self._writer, self._rows = stream, None, 1
        self._notes: dict[bytes, bytes] = {}

    def declare(self, tree: str, columns: Mapping[str, Kind], rows: int) -> None:
        arrow = self._arrow
        fields = []
        for name, (dtype, count) in columns.items():
            number = arrow.from_numpy_dtype(np.dtype(dtype))
            if count != 1:
                number = arrow.list_(number, -1 if count is None else count)
            fields.append(arrow.field(name, number))
        self._schema, self._rows = arrow.schema(fields), rows
        self._writer = self._parquet.ParquetWriter(
            self._stream,
            self._schema,
            compression="zstd",
            use_dictionary=False,
            write_page_checksum=True,
        )

    def extend(self, tree: str, columns: Mapping[str, NDArray[Any] | Lists]) -> None:
        arrays = []
        for field in self._schema:
            value = columns[field.name]
            if isinstance(value, tuple):
                offsets = self._arrow.array(value[0].astype(np.int32))
                arrays.append(self._arrow.ListArray.from_arrays(offsets, value[1]))
            elif value.ndim == 2:
                flat = self._arrow.array(np.ascontiguousarray(value).reshape(-1))
                arrays.append(self._arrow.FixedSizeListArray.from_arrays(flat, value.shape[1]))
            else:
                arrays.append(self._arrow.array(np.ascontiguousarray(value)))
        table = self._arrow.table(arrays, schema=self._schema)
        self._required().write_table(table, row_group_size=self._rows)

    def add_array(self, name: str, array: NDArray[Any]) -> None:
        text = base64.b64encode(array.tobytes()).decode()
        note = {"dtype": array.dtype.str, "shape": array.shape, "data": text}
        self._notes[_ARRAY + name.encode()] = json.dumps(note).encode()

    def finish(self) -> None:
        writer = self._required()
        writer.add_key_value_metadata({_NOTE: described(self.attrs).encode(), **self._notes})
        writer.close()

    def _required(self) -> Any:
        assert self._writer is not None
        return self._writer


def _arrow() -> tuple[Any, Any]:
    with contextlib.suppress(ImportError):
        return import_module("pyarrow"), import_module("pyarrow.parquet")
    raise DependencyError(
        "Parquet files need pyarrow, which is not installed: pip install 'simulacra[root]'."
    )
