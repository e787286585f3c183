"""ROOT files by way of uproot: trees as tables, basket by basket, without ROOT."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from ...errors import DependencyError, FileFormatError, SimulacraError
from .guard import HARMLESS_BYTES, plain
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

__all__ = ["RootTable", "RootWriter", "explained"]

_NOTE = "simulacra"
_PAR04 = ("global", "virtualReadout")
_MARKS = {"incident_energies", "EnergyMC"}


class RootTable(Table):
    """The branches of the trees that hold showers.

    Those of Par04's trees ``global`` and ``virtualReadout``, else those of the first tree with
    incident energies. Attributes stand as JSON in the TObjString ``simulacra``, further arrays
    in trees of the folder ``arrays``.

    Args:
        stream: the opened file; it is closed with the table.
        filename: what the file is called.

    Raises:
        FileFormatError: if the file is truncated, damaged or has no tree.
        DependencyError: if uproot is not installed.
    """

    container = "root"

    def __init__(self, stream: IO[bytes], filename: str) -> None:
        super().__init__(filename)
        self._stream = stream
        uproot = _uproot()
        _refuse_truncated(stream, filename)
        with explained(filename):
            self._root = uproot.open(stream, object_cache=None, array_cache=None)
            self._trees = {
                name: self._root[name]
                for name, kind in self._root.classnames(cycle=False).items()
                if kind == "TTree"
            }
            if _NOTE in self._root.keys(cycle=False):
                if self._root.key(_NOTE).data_uncompressed_bytes > HARMLESS_BYTES:
                    raise FileFormatError(f"{filename}: `{_NOTE}` is too long for a description.")
                self.attrs = dict(json.loads(str(self._root[_NOTE])))
            self.columns = {
                branch.name: column
                for tree in self._chosen()
                for branch in self._trees[tree].branches
                if (column := _column(self, branch)) is not None
            }

    def _chosen(self) -> list[str]:
        if set(_PAR04) <= set(self._trees):
            return list(_PAR04)
        here = [name for name in self._trees if not name.startswith("arrays/")]
        marked = [name for name in here if _MARKS & set(self._trees[name].keys(recursive=False))]
        if not here:
            there = ", ".join(
                f"{plain(name, 40)} ({plain(kind, 40)})"
                for name, kind in list(self._root.classnames(cycle=False).items())[:12]
            )
            raise FileFormatError(
                f"{self.filename}: has no TTree; the file has: {there or 'nothing'}."
                + (" Of RNTuples, write a TTree." if "RNTuple" in there else "")
            )
        return (marked or here)[:1]

    def array_names(self) -> tuple[str, ...]:
        return tuple(name[7:] for name in self._trees if name.startswith("arrays/"))

    def array(self, name: str) -> NDArray[Any]:
        branch = self._trees[f"arrays/{name}"]["value"]
        column = _column(self, branch)
        if column is None or column.ragged:
            raise FileFormatError(f"{self.filename}: `arrays/{name}` is no array of numbers.")
        return column[:]

    def close(self) -> None:
        self._root.close()
        self._stream.close()


class _Branch(Column):
    """A branch of numbers, or of fixed or any numbers of them."""

    def __init__(self, table: Table, branch: Any, dtype: np.dtype[Any], *, ragged: bool) -> None:
        declared = branch.num_entries * dtype.itemsize
        refuse_bomb(table, branch.name, declared, branch.compressed_bytes)
        refuse_bomb(table, branch.name, branch.uncompressed_bytes, branch.compressed_bytes)
        starts = branch.entry_offsets
        super().__init__(
            table,
            branch.name,
            dtype=dtype.base,
            shape=(branch.num_entries, *dtype.shape),
            ragged=ragged,
            piece_rows=starts[1] - starts[0] if len(starts) > 1 else 1,
            values=branch.uncompressed_bytes // dtype.base.itemsize,
        )
        self._branch = branch

    def __getitem__(self, rows: slice) -> NDArray[Any]:
        start, stop, _ = rows.indices(len(self))
        with explained(self.file.filename):
            self._refuse_large(start, stop)
            found = np.asarray(
                self._branch.array(entry_start=start, entry_stop=stop, library="np"), self.dtype
            )
        return self._whole(found, stop - start)

    def lists(self, start: int, stop: int) -> Lists:
        with explained(self.file.filename):
            self._refuse_large(start, stop)
            rows = self._branch.array(entry_start=start, entry_stop=stop, library="ak")
            layout = rows.layout.to_ListOffsetArray64(True)
            offsets = np.asarray(layout.offsets)
            values = np.asarray(layout.content.data, self.dtype)[: int(offsets[-1])]
        return self._whole(offsets, stop - start + 1), values

    def _whole(self, found: NDArray[Any], expected: int) -> NDArray[Any]:
        if len(found) != expected:
            raise FileFormatError(
                f"{self.file.filename}: `{plain(self.name)}` lacks showers that it declares; the "
                "file is damaged. Copy or download it again."
            )
        return found

    def _refuse_large(self, start: int, stop: int) -> None:
        starts = self._branch.entry_offsets
        first = int(np.searchsorted(starts, start, "right")) - 1
        for basket in range(max(0, first), int(np.searchsorted(starts, stop, "left"))):
            if basket < self._branch.num_baskets:
                size = int(self._branch.basket_uncompressed_bytes(basket))
                refuse_large_piece(self.file, self.name, size, "with smaller baskets")


def _column(table: Table, branch: Any) -> Column | None:
    """Return a branch of numbers as a column; None for one of anything else."""
    kind = import_module("uproot").interpretation
    found = branch.interpretation
    ragged = isinstance(found, kind.jagged.AsJagged)
    if ragged:
        found = found.content
    if type(found) is not kind.numerical.AsDtype or found.to_dtype.base.kind not in "fiub":
        return None
    dtype = np.dtype(found.to_dtype)
    return None if ragged and dtype.shape else _Branch(table, branch, dtype, ragged=ragged)


class RootWriter(TableWriter):
    """Trees written basket by basket.

    Args:
        stream: a file open for reading and writing.

    Raises:
        DependencyError: if uproot is not installed.
    """

    def __init__(self, stream: io.BufferedRandom) -> None:
        super().__init__()
        uproot = _uproot()
        self._root = uproot.recreate(stream, compression=uproot.ZLIB(2))
        self._trees: dict[str, Any] = {}
        self._rows = 1

    def declare(self, tree: str, columns: Mapping[str, Kind], rows: int) -> None:
        self._rows = rows
        self._trees[tree] = self._root.mktree(
            tree,
            {
                name: f"var * {np.dtype(dtype).name}"
                if count is None
                else np.dtype(dtype if count == 1 else (dtype, (count,)))
                for name, (dtype, count) in columns.items()
            },
        )

    def extend(self, tree: str, columns: Mapping[str, NDArray[Any] | Lists]) -> None:
        first = next(iter(columns.values()))
        events = len(first[0]) - 1 if isinstance(first, tuple) else len(first)
        for start in range(0, events, self._rows):
            stop = min(start + self._rows, events)
            self._trees[tree].extend(
                {
                    name: _jagged(value, start, stop)
                    if isinstance(value, tuple)
                    else value[start:stop]
                    for name, value in columns.items()
                }
            )

    def add_array(self, name: str, array: NDArray[Any]) -> None:
        rows = np.atleast_1d(array)
        dtype = np.dtype((rows.dtype, rows.shape[1:])) if rows.ndim > 1 else rows.dtype
        self._root.mktree(f"arrays/{name}", {"value": dtype}).extend({"value": rows})

    def finish(self) -> None:
        self._root[_NOTE] = described(self.attrs)
        self._root.close()


def _jagged(lists: Lists, start: int, stop: int) -> Any:
    awkward = import_module("awkward")
    offsets, values = lists
    cut = offsets[start : stop + 1]
    return awkward.Array(
        awkward.contents.ListOffsetArray(
            awkward.index.Index64(cut - cut[0]),
            awkward.contents.NumpyArray(np.ascontiguousarray(values[cut[0] : cut[-1]])),
        )
    )


@contextlib.contextmanager
def explained(filename: str) -> Iterator[None]:
    """Turn whatever a library reports about a damaged file into our sentence.

    Raises:
        FileFormatError: if the block fails.
    """
    try:
        yield
    except (SimulacraError, MemoryError):
        raise
    except Exception as error:  # a damaged file can break a reader anywhere
        reason = plain(" ".join(str(error).split()))
        raise FileFormatError(
            f"{filename}: cannot be read to its end, it is damaged, truncated or uses a "
            f"compression that is not installed ({type(error).__name__}: {reason}). Copy or "
            "download it again."
        ) from None


def _refuse_truncated(stream: IO[bytes], filename: str) -> None:
    """Compare the size with the header's: bytes 12 to 16, or to 20 in files above 2 GB."""
    header = stream.read(20)
    size = stream.seek(0, io.SEEK_END)
    stream.seek(0)
    long = int.from_bytes(header[4:8], "big") >= 1_000_000
    end = int.from_bytes(header[12:20] if long else header[12:16], "big")
    if len(header) < 20 or size < end:
        raise FileFormatError(
            f"{filename}: is truncated, shorter than its own header says (an interrupted copy or "
            "download?). Copy or download it again."
        )


def _uproot() -> Any:
    try:
        import_module("awkward")
        return import_module("uproot")
    except ImportError:
        raise DependencyError(
            "ROOT files need uproot and awkward, which are not installed: pip "
            "install 'simulacra[root]'."
        ) from None
