"""HDF5 files from strangers: refused before anything in them is followed, allocated or run."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import h5py
import numpy as np

from ...errors import FileFormatError
from ...remote import address, opened

__all__ = [
    "MAX_CHUNK_BYTES",
    "MAX_RATIO",
    "guarded",
    "open_hdf5",
    "plain",
    "refuse_dangerous",
    "translated",
]

MAX_RATIO = 500
"""Largest ratio of declared to stored bytes; showers reach about 250, zeros 1000 and more."""

HARMLESS_BYTES = 64 * 2**20
"""Below this declared size the ratio does not matter."""

MAX_CHUNK_BYTES = 512 * 2**20
"""Largest HDF5 chunk: it has to fit into memory several times."""

_MAX_OBJECTS = 1000
_MAX_DEPTH = 8


@contextlib.contextmanager
def guarded(path: Path) -> Iterator[h5py.File]:
    """Open an HDF5 file for reading and turn what HDF5 reports into our sentences.

    Args:
        path: the file.

    Raises:
        FileFormatError: if the file is missing, is not HDF5, is truncated or damaged.
    """
    with open_hdf5(path) as file, translated(path):
        yield file


def open_hdf5(path: Path) -> h5py.File:
    """Open an HDF5 file for reading; the caller closes it.

    Raises:
        FileFormatError: if the file is missing, is not HDF5, is truncated or cannot be reached.
        DependencyError: if the package for a remote address is not installed.
    """
    try:
        if address(path) is not None:
            return _StreamedFile(opened(path))
        return h5py.File(path, "r", locking="best-effort")
    except FileFormatError:
        raise
    except (OSError, RuntimeError, ValueError) as error:
        raise _not_opened(path, error) from None


class _StreamedFile(h5py.File):  # type: ignore[misc]  # h5py has no types
    """A file that is read through a stream, which ends with it."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        try:
            super().__init__(stream, "r")
        except BaseException:
            stream.close()
            raise

    def close(self) -> None:
        super().close()
        self._stream.close()


@contextlib.contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn what HDF5 reports while reading ``path`` into our sentence.

    Raises:
        FileFormatError: if the file is damaged.
    """
    try:
        yield
    except (OSError, RuntimeError, KeyError) as error:
        if isinstance(error, FileFormatError) or not _from_hdf5(error):
            raise
        raise FileFormatError(
            f"{path}: cannot be read to its end, it is damaged, truncated or uses a compression "
            f"that is not installed ({plain(error)}). Copy or download it again."
        ) from None


def refuse_dangerous(file: h5py.File, path: Path) -> None:
    """Walk over a file's links and declared sizes and refuse what no shower file needs.

    Links (soft or external), virtual datasets, external storage, datasets of objects or
    references, chunks beyond :data:`MAX_CHUNK_BYTES` and declared sizes beyond
    :data:`MAX_RATIO` times the stored bytes. Nothing is read and no link is followed.

    Raises:
        FileFormatError: naming the first such thing.
    """
    seen: set[Any] = set()
    waiting: list[tuple[h5py.Group, int]] = [(file, 0)]
    while waiting:
        group, depth = waiting.pop()
        for name in group:
            child = _hard_linked(group, name, path)
            key = h5py.h5o.get_info(child.id).addr
            if key in seen:
                continue
            seen.add(key)
            if len(seen) > _MAX_OBJECTS or depth > _MAX_DEPTH:
                raise FileFormatError(
                    f"{path}: holds more than {_MAX_OBJECTS} objects or is nested deeper than "
                    f"{_MAX_DEPTH} groups; expected a few datasets. Is it a file of showers?"
                )
            if isinstance(child, h5py.Dataset):
                _refuse_dataset(child, path)
            elif isinstance(child, h5py.Group):
                waiting.append((child, depth + 1))


def plain(text: object, length: int = 120) -> str:
    """Return a stranger's text on one line, printable and short."""
    line = "".join(c if c.isprintable() else "?" for c in str(text))
    return line if len(line) <= length else line[:length] + "..."


def _hard_linked(group: h5py.Group, name: str, path: Path) -> Any:
    link = group.get(name, getlink=True)
    if not isinstance(link, h5py.HardLink):
        kind = "an external" if isinstance(link, h5py.ExternalLink) else "a soft"
        raise FileFormatError(
            f"{path}: `{plain(name)}` is {kind} link; links can lead to other files and are "
            "refused. Copy the data into one file (h5repack or h5copy -f ref)."
        )
    return group[name]


def _refuse_dataset(dataset: h5py.Dataset, path: Path) -> None:
    name = plain(dataset.name.lstrip("/"))
    if dataset.is_virtual or dataset.external:
        raise FileFormatError(
            f"{path}: `{name}` keeps its data in other files (virtual or external storage); "
            "refused. Copy the data into one file (h5repack)."
        )
    text = h5py.check_string_dtype(dataset.dtype) is not None  # harmless, never read
    ragged = h5py.check_vlen_dtype(dataset.dtype)
    numbers = dataset.dtype if ragged is None else np.dtype(ragged)
    if not text and (numbers.kind not in "fiub" or numbers.hasobject):
        raise FileFormatError(
            f"{path}: `{name}` has dtype {plain(dataset.dtype)}; expected plain numbers."
        )
    _refuse_repeated_filters(dataset, name, path)
    declared = int(np.prod(dataset.shape, dtype=object)) * dataset.dtype.itemsize
    stored = dataset.id.get_storage_size()
    if declared > HARMLESS_BYTES and declared > MAX_RATIO * stored:
        raise FileFormatError(
            f"{path}: `{name}` declares {declared / 1e9:.3g} GB but stores {stored / 1e9:.3g} GB, "
            f"more than {MAX_RATIO} times less; refused as a compression bomb (showers compress "
            "20 to 250 times). Fill the file or write only the showers you have."
        )
    chunk = int(np.prod(dataset.chunks or (1,), dtype=object)) * dataset.dtype.itemsize
    if chunk > MAX_CHUNK_BYTES:
        raise FileFormatError(
            f"{path}: `{name}` has chunks of {chunk / 1e9:.3g} GB, at most "
            f"{MAX_CHUNK_BYTES / 1e9:.3g} GB can be read piece by piece. Rewrite it with smaller "
            "ones (h5repack -l CHUNK=1000x368)."
        )


def _refuse_repeated_filters(dataset: h5py.Dataset, name: str, path: Path) -> None:
    """Compressing twice defeats every bound on how far a chunk can unfold."""
    pipeline = dataset.id.get_create_plist()
    filters = [pipeline.get_filter(i)[0] for i in range(pipeline.get_nfilters())]
    if len(set(filters)) < len(filters):
        raise FileFormatError(
            f"{path}: `{name}` is compressed several times over; refused as a compression bomb. "
            "Rewrite it with one compression (h5repack -f GZIP=4)."
        )


def _from_hdf5(error: BaseException) -> bool:
    """Tell HDF5's complaints from our own errors of the same Python type."""
    return type(error) in (OSError, RuntimeError, KeyError)


def _not_opened(path: Path, error: BaseException) -> FileFormatError:
    if address(path) is None and not path.exists():
        return FileFormatError(f"{path}: there is no such file.")
    if path.is_dir():
        return FileFormatError(f"{path}: is a folder; expected an HDF5 file of showers.")
    if "truncated" in str(error):
        return FileFormatError(
            f"{path}: is truncated, shorter than its own header says (an interrupted copy or "
            "download?). Copy or download it again."
        )
    if isinstance(error, PermissionError):
        return FileFormatError(f"{path}: may not be read (permission denied).")
    return FileFormatError(
        f"{path}: expected an HDF5, ROOT or Parquet file, found something else ({plain(error)})."
    )
