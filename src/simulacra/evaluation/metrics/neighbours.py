"""Nearest neighbours without a distance matrix: blocks in float32, decisions in float64."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import RangeError, ShapeError
from .rows import FeatureRows

__all__ = ["BLOCK", "Inside", "Nearest", "nearest_others", "pairs_inside"]

Array = NDArray[Any]
FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Progress = Callable[[int, int], None]

BLOCK = 2048
"""Rows of a block of the distance matrix."""

_STEP = 1024  # its columns: 8 MiB of float32
_MANY = 3  # times the neighbours that are looked for: candidates that call for a closer bound


class _Block:
    """Consecutive rows of a table that is sorted by length, dense in float32."""

    def __init__(self, table: FeatureRows, rows: IntArray) -> None:
        self.table, self.rows = table, rows
        self.square_norm = table.square_norm[rows]
        self.half_norm = (0.5 * self.square_norm).astype(np.float32)
        lengths = np.sqrt(self.square_norm)
        self.shortest, self.longest = float(lengths.min()), float(lengths.max())
        self.chunks = list(table.dense(rows, np.float32))

    def gap(self, other: _Block) -> float:
        """Return a number that no squared distance of two rows of the blocks falls below."""
        gap = max(self.shortest - other.longest, other.shortest - self.longest, 0.0)
        return (gap * (1 - 1e-9)) ** 2

    def minus_half_square_distances(self, other: _Block) -> Array:
        """Return -d²/2 of all pairs of rows, rounded in float32."""
        out: Array = self.chunks[0] @ other.chunks[0].T
        for mine, theirs in zip(self.chunks[1:], other.chunks[1:], strict=True):
            out += mine @ theirs.T
        out -= other.half_norm
        out -= self.half_norm[:, None]
        return out

    def slack(self, other: _Block) -> FloatArray:
        """Return by how much -d²/2 may be wrong at most, for each row of this block."""
        slack: FloatArray = self.table.rounding * (self.square_norm + other.square_norm.max())
        return slack


def _blocks(table: FeatureRows, order: IntArray, size: int) -> Iterator[_Block]:
    for start in range(0, len(order), size):
        yield _Block(table, order[start : start + size])


class Nearest:
    """The nearest of all rows seen so far, for each row of a table.

    Exact: a float32 distance only says which pairs need a float64 one, with the rigorous bound
    on rounding of any order of summation. So the result does not depend on blocks or threads.

    Args:
        rows: the table.
        count: number of neighbours.
    """

    def __init__(self, rows: FeatureRows, count: int) -> None:
        self.rows = rows
        self.order = np.argsort(rows.square_norm, kind="stable")
        self.square_distance = np.full((len(rows), count), np.inf)
        """Squared distances to the nearest rows, increasing, shape ``(events, count)``."""
        self.index = np.full((len(rows), count), -1, np.int64)
        """Their numbers, counted over all that was added; -1 where there are too few."""
        self._bound = np.full(len(rows), np.inf)

    def add(self, others: FeatureRows, first: int = 0) -> None:
        """Look for neighbours among further rows.

        Args:
            others: a table of the same features.
            first: number of its first row.

        Raises:
            ShapeError: if it has other features.
        """
        if others.features != self.rows.features:
            raise ShapeError(
                f"features: expected {self.rows.features} as in the first table, got "
                f"{others.features}."
            )
        order = np.argsort(others.square_norm, kind="stable")
        for block in _blocks(self.rows, self.order, BLOCK):
            for other in _blocks(others, order, _STEP):
                if block.gap(other) >= self._bound[block.rows].max():
                    continue
                self._look(block, other, block.minus_half_square_distances(other), first)

    def _look(self, block: _Block, other: _Block, halves: Array, first: int) -> None:
        """Enter the neighbours that a block of -d²/2 holds for its rows."""
        near = self._near(block, other, halves)
        i, j = np.divmod(np.flatnonzero(near), halves.shape[1])
        rows, others = block.rows[i], other.rows[j]
        distances = self.rows.square_distances(rows, other.table, others)
        self.enter(rows, others + first, distances)

    def _look_both_ways(self, block: _Block, other: _Block) -> None:
        """Enter neighbours among rows of the same table for the rows of both blocks."""
        bounds = self._bound[block.rows], self._bound[other.rows]
        if block.gap(other) >= max(bounds[0].max(), bounds[1].max()):
            return
        halves = block.minus_half_square_distances(other)
        near = self._near(block, other, halves)
        near |= self._near(other, block, halves.T).T
        i, j = np.divmod(np.flatnonzero(near), halves.shape[1])
        rows, others = block.rows[i], other.rows[j]
        distances = self.rows.square_distances(rows, self.rows, others)
        self.enter(rows, others, distances)
        self.enter(others, rows, distances)

    def _near(self, block: _Block, other: _Block, halves: Array) -> NDArray[np.bool_]:
        """Return which of a block of -d²/2 may be among the nearest of its rows.

        The nearest in this block alone bound a row's neighbours too. That is worth finding for
        rows that have no bound yet or find many below it: the short rows of a sparse space are
        near to every other, so that a bound from rows of a row's own length says nothing.
        """
        slack = block.slack(other)
        limit = -0.5 * self._bound[block.rows] - slack
        near: NDArray[np.bool_] = halves > limit.astype(np.float32)[:, None]
        count = self.square_distance.shape[1]
        many = np.flatnonzero(near.sum(axis=1) > _MANY * count)
        if len(many):
            rows = block.rows[many]
            kth = -np.partition(-halves[many], count - 1, axis=1)[:, count - 1]
            bound = np.nextafter(2 * (slack[many] - kth.astype(np.float64)), np.inf)
            self._bound[rows] = np.minimum(self._bound[rows], bound)
            limit = -0.5 * self._bound[rows] - slack[many]
            near[many] = halves[many] > limit.astype(np.float32)[:, None]
        return near

    def enter(self, rows: IntArray, others: IntArray, square_distance: FloatArray) -> None:
        """Enter distances of pairs; those that are not among the nearest are dropped."""
        near = square_distance < self.square_distance[rows, -1]
        rows, others, square_distance = rows[near], others[near], square_distance[near]
        if len(rows) == 0:
            return
        count = self.square_distance.shape[1]
        order = np.lexsort((others, square_distance, rows))
        rows, others, square_distance = rows[order], others[order], square_distance[order]
        distinct, start = np.unique(rows, return_index=True)
        place = np.arange(len(rows)) - np.repeat(start, np.diff([*start, len(rows)]))
        kept = place < count
        target = np.searchsorted(distinct, rows[kept])
        distances = np.full((len(distinct), 2 * count), np.inf)
        index = np.full((len(distinct), 2 * count), -1, np.int64)
        distances[:, :count] = self.square_distance[distinct]
        index[:, :count] = self.index[distinct]
        distances[target, count + place[kept]] = square_distance[kept]
        index[target, count + place[kept]] = others[kept]
        best = np.lexsort((index, distances), axis=1)[:, :count]
        self.square_distance[distinct] = np.take_along_axis(distances, best, axis=1)
        self.index[distinct] = np.take_along_axis(index, best, axis=1)
        last = self.square_distance[distinct, -1]
        self._bound[distinct] = np.minimum(self._bound[distinct], last)


def nearest_others(rows: FeatureRows, count: int, *, progress: Progress | None = None) -> Nearest:
    """Find the nearest other rows of each row of one table.

    Half of the distance matrix is computed; blocks whose rows differ too much in length to be
    neighbours are left out. Besides the rows, about 40 bytes per row and neighbour and 100 MiB
    (more beyond 10,000 features: 4 bytes times 3,072 times the features) are held.

    Args:
        rows: the table.
        count: number of neighbours.
        progress: called with (blocks of rows done, blocks of rows).

    Raises:
        RangeError: if the table has no more than ``count`` rows.
    """
    if len(rows) <= count:
        raise RangeError(
            f"nearest neighbours: expected more than {count} different events, got {len(rows)}."
        )
    search = Nearest(rows, count)
    starts = range(0, len(rows), BLOCK)
    for start in starts:
        inside = search.order[start : start + BLOCK]
        block = _Block(rows, inside)
        halves = block.minus_half_square_distances(block)
        np.fill_diagonal(halves, -np.inf)
        search._look(block, block, halves, 0)
    for done, start in enumerate(starts):
        block = _Block(rows, search.order[start : start + BLOCK])
        for other in _blocks(rows, search.order[start + BLOCK :], _STEP):
            search._look_both_ways(block, other)
        if progress is not None:
            progress(done + 1, len(starts))
    return search


@dataclass(frozen=True, eq=False)
class Inside:
    """Which rows of two tables lie within whose radius.

    Args:
        balls: for each row of the second table, the number of rows of the first within whose
            own radius it lies, shape ``(events_second,)``.
        has_guest: for each row of the first table, whether a row of the second lies within its
            radius, shape ``(events_first,)``.
        has_host: for each row of the first table, whether it lies within the own radius of a row
            of the second, shape ``(events_first,)``.
    """

    balls: IntArray
    has_guest: NDArray[np.bool_]
    has_host: NDArray[np.bool_]


def pairs_inside(
    first: FeatureRows,
    second: FeatureRows,
    square_radii: tuple[FloatArray, FloatArray],
    number: IntArray,
    *,
    progress: Progress | None = None,
) -> Inside:
    """Find which rows of two tables are closer than the radius of the one or of the other.

    Exact like :class:`Nearest`, strictly closer: a row at the radius is outside.

    Args:
        first: a table.
        second: another one of the same features.
        square_radii: squared radius of each row of the first and of the second table.
        number: as how many each row of the first table counts, shape ``(events_first,)``.
        progress: called with (blocks of rows done, blocks of rows).

    Raises:
        ShapeError: if the features differ.
    """
    if first.features != second.features:
        raise ShapeError(
            f"features: expected the same in both tables, got {first.features} and "
            f"{second.features}."
        )
    events = len(first)
    found = Inside(np.zeros(len(second), np.int64), np.zeros(events, bool), np.zeros(events, bool))
    order = [np.argsort(table.square_norm, kind="stable") for table in (first, second)]
    steps = -(-len(first) // BLOCK)
    for done, block in enumerate(_blocks(first, order[0], BLOCK)):
        for other in _blocks(second, order[1], _STEP):
            radii = square_radii[0][block.rows], square_radii[1][other.rows]
            if block.gap(other) >= max(radii[0].max(), radii[1].max()):
                continue
            halves = block.minus_half_square_distances(other)
            slack = block.slack(other)[:, None]
            i, j = _closer(block, other, halves, radii[0][:, None], slack)
            found.balls[:] += np.bincount(j, number[i], len(second)).astype(np.int64)
            found.has_guest[i] = True
            i, _ = _closer(block, other, halves, radii[1][None, :], slack)
            found.has_host[i] = True
        if progress is not None:
            progress(done + 1, steps)
    return found


def _closer(
    block: _Block, other: _Block, halves: Array, square_radius: FloatArray, slack: FloatArray
) -> tuple[IntArray, IntArray]:
    """Return the pairs of rows of two blocks with d² < r²; r² is given per row or column."""
    limit = np.where(square_radius > 0, -0.5 * square_radius, np.inf)
    possible = np.flatnonzero(halves > (limit - slack).astype(np.float32))
    i, j = np.divmod(possible, halves.shape[1])
    middle = np.broadcast_to(limit, halves.shape)[i, j]
    doubtful = halves[i, j] <= middle + slack[i, 0]
    rows, others = block.rows[i[doubtful]], other.rows[j[doubtful]]
    distances = block.table.square_distances(rows, other.table, others)
    closer = ~doubtful
    closer[doubtful] = distances < -2 * middle[doubtful]
    return block.rows[i[closer]], other.rows[j[closer]]
