"""Chunks of HDF5 datasets, packed by a thread beside whoever makes the rows."""

from __future__ import annotations

import zlib
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any, Self

import h5py
import numpy as np
from numpy.typing import NDArray

from .formats.columns import append_rows

__all__ = ["ChunkPacker"]

_WAITING = 2  # chunks that are packed or wait to be written; they are held in memory


class ChunkPacker:
    """Appends rows to datasets; whole chunks are packed by a thread of its own.

    The HDF5 library packs while it keeps every other thread of Python waiting. Here zlib packs
    without that, as the library's shuffle and gzip filters would, and the library is handed chunks
    that are ready. Of floating-point numbers only runs of one byte are looked for, which is faster
    and smaller; any reader unpacks both. What fills no whole chunk, or has other filters, goes the
    usual way. The file is the same for the same rows, however fast anybody is.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1)
        self._waiting: deque[tuple[h5py.Dataset, int, Future[bytes]]] = deque()

    def append(self, dataset: h5py.Dataset, rows: NDArray[Any]) -> None:
        """Add rows at the end of a resizable dataset.

        Args:
            dataset: its rows are chunked along the first axis alone.
            rows: ``(events, ...)``, of the dataset's further shape.
        """
        start, whole = dataset.shape[0], 0
        if _packable(dataset):
            step = dataset.chunks[0]
            whole = len(rows) // step * step if start % step == 0 else 0
            dataset.resize(start + whole, axis=0)
            for first in range(0, whole, step):
                chunk = rows[first : first + step]
                packed = self._thread.submit(
                    _packed, chunk, dataset.dtype, dataset.compression_opts, dataset.shuffle
                )
                self._waiting.append((dataset, start + first, packed))
                self._write(_WAITING)
        if whole < len(rows):
            append_rows(dataset, rows[whole:])

    def finish(self) -> None:
        """Write what still waits."""
        self._write(0)

    def _write(self, most: int) -> None:
        while len(self._waiting) > most:
            dataset, start, packed = self._waiting.popleft()
            place = (start, *(0 for _ in dataset.shape[1:]))
            dataset.id.write_direct_chunk(place, packed.result())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._waiting.clear()
        self._thread.shutdown(cancel_futures=True)


def _packable(dataset: h5py.Dataset) -> bool:
    return (
        dataset.compression == "gzip"
        and dataset.chunks[1:] == dataset.shape[1:]
        and not dataset.fletcher32
        and dataset.scaleoffset is None
    )


def _packed(rows: NDArray[Any], dtype: np.dtype[Any], level: int, shuffle: bool) -> bytes:
    """Pack one chunk as HDF5's filters do: bytes of equal significance together, then deflate."""
    content: NDArray[Any] = np.ascontiguousarray(rows, dtype).reshape(-1).view(np.uint8)
    if shuffle:
        content = np.ascontiguousarray(content.reshape(-1, dtype.itemsize).T)
    # of energies nothing comes again but zeros: a search for more takes half of the time or more,
    # and what it finds by chance makes the file larger
    strategy = zlib.Z_RLE if dtype.kind == "f" else zlib.Z_DEFAULT_STRATEGY
    packer = zlib.compressobj(level, strategy=strategy)
    return packer.compress(content.data) + packer.flush()
