"""One pass over a sample, in blocks that any number of processes may work on."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from multiprocessing import get_context
from typing import TypeVar

from threadpoolctl import threadpool_limits

from ..data import VoxelShowers
from ..data.joined import JoinedFiles
from ..errors import RangeError
from .observables.showers import tile_events

__all__ = ["blocks", "over_blocks", "pool"]

T = TypeVar("T")

_BLOCK_BYTES = 64 * 2**20


def blocks(source: VoxelShowers | JoinedFiles) -> list[tuple[int, int]]:
    """Return the runs of showers that are worked on as a whole, as (start, stop).

    They are a function of the sample alone and hold whole tiles, so that what is computed block
    by block has the same bits for any number of workers.
    """
    tile = tile_events(source.geometry)
    wanted = _BLOCK_BYTES // (4 * source.geometry.voxels)
    if isinstance(source, JoinedFiles):
        wanted = max(wanted, 2 * source.chunk_events)  # else pieces of the file are read twice
    step = max(1, wanted // tile) * tile
    return [(start, min(start + step, len(source))) for start in range(0, len(source), step)]


def over_blocks(
    source: VoxelShowers | JoinedFiles,
    work: Callable[[VoxelShowers], T],
    executor: Executor | None = None,
) -> Iterator[T]:
    """Give the results of some work on each block of a sample, in order.

    Args:
        source: the showers.
        work: the work; for an executor of processes a function that can be pickled.
        executor: where to work; by default here.
    """
    runs = blocks(source)
    if executor is None or len(runs) == 1 or not isinstance(source, JoinedFiles):
        for start, stop in runs:
            yield work(_read(source, start, stop))
        return
    waiting: deque[Future[T]] = deque()
    try:
        for start, stop in runs:
            waiting.append(executor.submit(_work, source, start, stop, work))
            if len(waiting) > _AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()


_AHEAD = 16  # results that wait for an earlier one


@contextlib.contextmanager
def pool(workers: int) -> Iterator[Executor | None]:
    """Give an executor with so many processes, or None for a single worker.

    Each process uses one thread of numpy: its work is limited by the memory.

    Raises:
        RangeError: if there is no worker.
    """
    if workers < 1:
        raise RangeError(f"workers: expected at least 1, got {workers}.")
    if workers == 1:
        yield None
        return
    executor = ProcessPoolExecutor(workers, get_context("spawn"), initializer=_one_thread)
    try:
        yield executor
    finally:
        executor.shutdown(cancel_futures=True)


def _one_thread() -> None:
    threadpool_limits(1)


def _work(source: JoinedFiles, start: int, stop: int, work: Callable[[VoxelShowers], T]) -> T:
    return work(_read(source, start, stop))


def _read(source: VoxelShowers | JoinedFiles, start: int, stop: int) -> VoxelShowers:
    if isinstance(source, JoinedFiles):
        return source.read(start, stop)
    return source.select(slice(start, stop))
