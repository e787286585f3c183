"""Files of showers of any kind, told apart by their first bytes and opened with care."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import h5py

from ...remote import address, opened
from .guard import open_hdf5, refuse_dangerous, translated
from .parquetfile import ParquetTable, ParquetWriter
from .rootfile import RootTable, RootWriter
from .tables import Table, TableWriter

__all__ = ["guarded", "open_file", "refuse_unsafe", "table_writer"]

_TABLES: dict[bytes, type[RootTable] | type[ParquetTable]] = {
    b"root": RootTable,
    b"PAR1": ParquetTable,
}


@contextlib.contextmanager
def guarded(path: Path) -> Iterator[h5py.File | Table]:
    """Open a file for reading and turn what libraries report into our sentences.

    Args:
        path: an HDF5, ROOT or Parquet file.

    Raises:
        FileFormatError: if the file is missing, is none of these, is truncated or damaged.
        DependencyError: if the package for this kind of file is not installed.
    """
    with open_file(path) as file, translated(path):
        yield file


def open_file(path: Path) -> h5py.File | Table:
    """Open a file for reading; the caller closes it.

    Raises:
        FileFormatError: if the file is missing, is none of these, is truncated or damaged.
        DependencyError: if the package for this kind of file or address is not installed.
    """
    kind = _TABLES.get(_first_bytes(path))
    if kind is None:
        return open_hdf5(path)
    stream = opened(path)
    try:
        return kind(stream, str(path))
    except BaseException:
        stream.close()
        raise


def refuse_unsafe(file: h5py.File | Table, path: Path) -> None:
    """Refuse what no file of showers needs; tables refuse it while they are opened.

    Raises:
        FileFormatError: see :func:`~.guard.refuse_dangerous`.
    """
    if not isinstance(file, Table):
        refuse_dangerous(file, path)


def table_writer(container: str, raw: io.FileIO) -> tuple[TableWriter, IO[bytes]]:
    """Return a writer of tables and the stream that it writes to.

    Raises:
        DependencyError: if the package for this kind of file is not installed.
    """
    stream = io.BufferedRandom(raw)
    writer = RootWriter if container == "root" else ParquetWriter
    return writer(stream), stream


def _first_bytes(path: Path) -> bytes:
    if address(path) is not None and not str(path).endswith((".root", ".parquet")):
        return b""
    try:
        with opened(path) as stream:
            return stream.read(4)
    except OSError:
        return b""  # the reader of HDF5 says what is wrong
