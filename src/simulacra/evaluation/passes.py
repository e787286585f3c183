"""One pass over a sample, in blocks that any number of workers may work on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TypeVar

from ..data import VoxelShowers
from ..data.joined import JoinedFiles
from ..workforce import Workforce
from .observables.tiling import tile_events

__all__ = ["blocks", "over_blocks"]

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
    force: Workforce | None = None,
) -> Iterator[T]:
    """Give the results of some work on each block of a sample, in order.

    Args:
        source: the showers.
        work: the work; one that can be pickled, for workers that are other processes.
        force: who works; by default this process. Showers in memory stay here.
    """
    runs = blocks(source)
    if force is None or len(runs) == 1 or not isinstance(source, JoinedFiles):
        force = Workforce()
    yield from force.in_order(partial(_on_block, source, work), runs)


def _on_block(
    source: VoxelShowers | JoinedFiles, work: Callable[[VoxelShowers], T], run: tuple[int, int]
) -> T:
    if isinstance(source, JoinedFiles):
        return work(source.read(*run))
    return work(source.select(slice(*run)))
