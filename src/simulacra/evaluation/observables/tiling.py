"""Tiles: the runs of showers that are worked on as one, whoever works."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from threadpoolctl import ThreadpoolController

from ...data import Geometry, VoxelShowers

__all__ = ["each_tile", "tile_events", "tiles"]

T = TypeVar("T")

_TILE_VOXELS = 1 << 19  # 4 MiB of float64: a tile stays in the cache


def tile_events(geometry: Geometry) -> int:
    """Return the number of events of a tile: a function of the geometry alone."""
    return max(16, _TILE_VOXELS // geometry.voxels)


def tiles(chunks: Iterable[VoxelShowers]) -> Iterator[VoxelShowers]:
    """Regroup showers into tiles aligned to the event number.

    Matrix products may round a row differently when it stands elsewhere in the matrix. Tile k
    always holds the same events, so what is computed per tile has the same bits for any chunks.

    Args:
        chunks: consecutive showers of one file, in pieces of any size.
    """
    kept: list[VoxelShowers] = []
    for chunk in chunks:
        if len(chunk) == 0:
            continue
        events = tile_events(chunk.geometry)
        missing = -sum(map(len, kept)) % events
        if missing:
            kept.append(chunk.select(slice(0, missing)))
            if len(chunk) < missing:
                continue
            yield VoxelShowers.concatenate(kept)
        last = len(chunk) - (len(chunk) - missing) % events
        for start in range(missing, last, events):
            yield chunk.select(slice(start, start + events))
        kept = [chunk.select(slice(last, None))] if last < len(chunk) else []
    if kept:
        yield VoxelShowers.concatenate(kept)


def each_tile(work: Callable[[VoxelShowers], T], showers: VoxelShowers) -> list[T]:
    """Work on each tile of some showers, in as many threads as the linear algebra may use.

    The product of a tile is small: threads that take a tile each finish sooner than threads that
    share one.

    Args:
        work: a function of a tile alone; the bits of its products must not depend on the number
            of threads.
        showers: the showers.

    Returns:
        The results, in order.
    """
    controller = ThreadpoolController().select(user_api="blas")
    threads = max((library["num_threads"] for library in controller.info()), default=1)
    if threads == 1 or len(showers) <= tile_events(showers.geometry):
        return [work(tile) for tile in tiles([showers])]
    with controller.limit(limits=1), ThreadPoolExecutor(threads) as pool:
        return list(pool.map(work, tiles([showers])))
