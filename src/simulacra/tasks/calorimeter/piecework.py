"""A set of showers cut into pieces that anybody may draw, each with the same bits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...generative import GenerativeModel, draw, require_device
from ...pieces import pack
from ...workforce import Workforce

__all__ = ["Drawer", "by_threads", "by_workers", "cut", "packed", "unpacked"]

Array = NDArray[Any]

_MOST_PIECES = 2000
_WELL_FILLED = 0.5  # share of voxels with energy
_MOST_BYTES = 64 * 2**20  # of one piece in memory, however large the set


def cut(events: range, tile: int, size: int, voxels: int) -> list[range]:
    """Cut events into pieces of whole tiles; it changes no shower.

    Large sets have larger pieces, about 2000 of them, but none above 64 MB.

    Args:
        events: contiguous numbers.
        tile: rows that are computed together.
        size: events in a piece, rounded up to whole tiles.
        voxels: of one shower.
    """
    largest = max(size, min(-(-len(events) // _MOST_PIECES), _MOST_BYTES // (4 * voxels)))
    step = -(-largest // tile) * tile
    first = events.start // step * step + step
    return [range(*ends) for ends in pairwise([events.start, *range(first, events.stop, step),
                                               events.stop])]  # fmt: skip


@dataclass(frozen=True, eq=False)
class Drawer:
    """What is needed to draw any piece of a set.

    Args:
        model: the generator.
        tile: rows that are computed together.
        seed: identity of the set.
        device: where the network runs.
    """

    model: GenerativeModel
    tile: int
    seed: int
    device: str

    def draw(self, events: range, table: Array, *, threads: int = 1) -> Iterator[Array]:
        """Give voxels in MeV, a tile at a time, ``(rows, voxels)``.

        Args:
            events: contiguous numbers.
            table: their conditions, ``(events, conditions)``.
            threads: tiles that are computed at once.

        Raises:
            ConfigError: if this machine does not have the device.
        """
        device = require_device(self.device)
        tiles = draw(
            self.model.to(device),
            lambda start, stop: table[start - events.start : stop - events.start],
            events,
            seed=self.seed,
            tile=self.tile,
            workers=threads,
            device=device,
        )
        for tile in tiles:
            yield tile.x.astype(np.float32, copy=False)


def by_threads(
    drawer: Drawer, work: Iterable[tuple[range, Array]], threads: int
) -> Iterator[bytes]:
    """Draw pieces in threads of this process and give them packed, in order.

    Args:
        drawer: what draws them.
        work: event numbers and conditions of each piece.
        threads: how many.
    """
    for pieces in _neighbours(work):
        events = range(pieces[0][0].start, pieces[-1][0].stop)
        tiles = drawer.draw(events, np.concatenate([table for _, table in pieces]), threads=threads)
        for events, _ in pieces:
            yield packed(np.concatenate(list(_rows(tiles, len(events)))))


def by_workers(
    drawer: Drawer, work: Iterable[tuple[range, Array]], force: Workforce
) -> Iterator[bytes]:
    """Let workers draw pieces and give them packed, in order.

    Args:
        drawer: what draws them; each worker gets it once.
        work: event numbers and conditions of each piece.
        force: the workers.

    Raises:
        WorkforceError: if they stop.
    """
    yield from force.in_order(_drawn, work, shared=drawer)


def packed(voxels: Array) -> bytes:
    """Return showers as the content of a piece: where there is energy, and how much.

    Well-filled showers are kept as they are, which is smaller and faster.
    """
    filled = voxels.view(np.uint32) != 0  # by bits: -0.0 comes back as -0.0
    if np.count_nonzero(filled) > _WELL_FILLED * filled.size:
        return pack({"whole": voxels})
    index = np.uint16 if voxels.shape[1] <= 2**16 else np.uint32
    rows, columns = np.nonzero(filled)
    return pack(
        {
            "filled": np.bincount(rows, minlength=len(voxels)).astype(np.uint32),
            "columns": columns.astype(index),
            "values": voxels[rows, columns],
            "voxels": voxels.shape[1],
        }
    )


def unpacked(arrays: dict[str, Array]) -> Array:
    """Return the showers of a piece, ``(events, voxels)``, float32, in MeV.

    Args:
        arrays: what was packed.
    """
    if "whole" in arrays:
        return arrays["whole"]
    whole = np.zeros((len(arrays["filled"]), int(arrays["voxels"])), np.float32)
    rows = np.repeat(np.arange(len(whole)), arrays["filled"])
    whole[rows, arrays["columns"]] = arrays["values"]
    return whole


def _drawn(drawer: Drawer, piece: tuple[range, Array]) -> bytes:
    """Work on one piece, in any process."""
    return packed(np.concatenate(list(drawer.draw(*piece))))


def _neighbours(work: Iterable[tuple[range, Array]]) -> Iterator[list[tuple[range, Array]]]:
    """Give runs of pieces without a gap, so that threads need not wait for the end of each."""
    run: list[tuple[range, Array]] = []
    for piece in work:
        if run and run[-1][0].stop != piece[0].start:
            yield run
            run = []
        run.append(piece)
    if run:
        yield run


def _rows(tiles: Iterator[Array], wanted: int) -> Iterator[Array]:
    """Take so many rows; pieces end where tiles do."""
    while wanted > 0:
        tile = next(tiles)
        wanted -= len(tile)
        yield tile
