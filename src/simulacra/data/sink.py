"""Files in the making, whose disk may fill up at any moment."""

from __future__ import annotations

import io
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import h5py

from ..errors import RangeError
from .formats import Format, PointFormat
from .formats.opening import table_writer

__all__ = ["Hdf5Sink", "TableSink", "container_of", "refuse_misnamed", "sink_of"]

_CACHE_BYTES = 16 * 2**20
"""Per dataset: a chunk that is not full yet waits in memory instead of being packed twice."""


class Hdf5Sink:
    """Opens a new HDF5 file; a failing disk is reported once, in full, and at a safe moment.

    When a write fails, the HDF5 library loses the error of chunks that it flushes late, prints
    to stderr and can crash at the end of the process. So the library writes through a Python
    file that remembers the first error and lets the library believe in success; :meth:`check`
    raises what was remembered.

    Args:
        path: the file to create.
    """

    def __init__(self, path: Path) -> None:
        self._raw = _RememberingFile(path)
        self.file = h5py.File(self._raw, "w", rdcc_nbytes=_CACHE_BYTES)

    def hold(self) -> list[h5py.Dataset]:
        """Return handles to keep: HDF5 packs a chunk each time its last handle is closed."""
        return list(self.file.values())

    def check(self) -> None:
        """Raise the first error of the disk, if there was one.

        Raises:
            OSError: as the operating system reported it.
        """
        if self._raw.error is not None:
            raise self._raw.error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self.file.close()
        except (OSError, RuntimeError):
            if self._raw.error is None:
                raise
        finally:
            self._raw.close()
        if error is None or isinstance(error, (OSError, RuntimeError)):
            self.check()


class TableSink:
    """Opens a new ROOT or Parquet file, which is finished where no error ends it.

    Args:
        path: the file to create.
        container: ``root`` or ``parquet``.

    Raises:
        DependencyError: if the package for this kind of file is not installed.
    """

    def __init__(self, path: Path, container: str) -> None:
        self._raw = _open(path)
        try:
            self.file, self._stream = table_writer(container, self._raw)
        except BaseException:
            self._raw.close()
            raise

    def hold(self) -> list[Any]:
        """Return nothing: these files need no handles kept."""
        return []

    def check(self) -> None:
        """Do nothing: an error of the disk is raised at once."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if error is None:
                self.file.finish()
                self._stream.close()
        finally:
            self._raw.close()  # what still waits in memory is of no use after an error


def sink_of(layout: Format | PointFormat, path: Path) -> Hdf5Sink | TableSink:
    """Open a new file of the kind that a layout needs."""
    if layout.container == "hdf5":
        return Hdf5Sink(path)
    return TableSink(path, layout.container)


def container_of(path: Path | str) -> str:
    """Return the kind of file that a name asks for.

    Example:
        >>> container_of("showers.root"), container_of("showers.h5")
        ('root', 'hdf5')
    """
    ending = Path(path).suffix.lower().removeprefix(".")
    return ending if ending in ("root", "parquet") else "hdf5"


def refuse_misnamed(path: Path | str, layout: Format | PointFormat) -> None:
    """Refuse to write one kind of file under the name of another.

    Raises:
        RangeError: if the name ends in ``.root`` or ``.parquet`` and the layout is of another kind.
    """
    if container_of(path) not in ("hdf5", layout.container):
        raise RangeError(
            f"{path}: the format {layout.name} makes a file of the kind {layout.container}; let "
            f"its name end in .{layout.container}, or choose a format of the kind "
            f"{container_of(path)}."
        )


class _RememberingFile(io.RawIOBase):
    """A file for reading and writing that never raises on writing."""

    def __init__(self, path: Path) -> None:
        self.error: OSError | None = None
        self._file = _open(path)

    def write(self, data: Any) -> int:
        view = memoryview(data).cast("B")
        written = 0
        while written < len(view) and self.error is None:
            try:
                written += self._file.write(view[written:])
            except OSError as error:
                self.error = error
        return len(view)

    def truncate(self, size: int | None = None) -> int:
        try:
            return self._file.truncate(size)
        except OSError as error:
            self.error = self.error or error
            return size or 0

    def readinto(self, buffer: Any) -> int:
        """Read; what was never written because of an error reads as zero."""
        view = memoryview(buffer).cast("B")
        got = 0
        while got < len(view):
            step = self._file.readinto(view[got:])
            if not step:
                break
            got += step
        view[got:] = bytes(len(view) - got)
        return len(view)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def close(self) -> None:
        try:
            self._file.close()
        except OSError as error:
            self.error = self.error or error
        super().close()


def _open(path: Path) -> io.FileIO:
    return io.FileIO(path, "w+")
