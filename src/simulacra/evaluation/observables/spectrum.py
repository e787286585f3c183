"""Sorting numbers into histogram bins, and the voxels of each shower into a spectrum."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...data import VoxelShowers
from ...errors import RangeError
from .showers import tiles

__all__ = ["bin_index", "count_voxels"]

Array = NDArray[Any]
IntArray = NDArray[np.int64]

_TABLE_BITS = 17  # sign, exponent and 8 bits of the mantissa: cells 0.4 % wide
_INFINITY = 0x7F800000  # bit pattern of float32 infinity; nan lies above it


def bin_index(values: Array, edges: Array) -> IntArray:
    """Return the bin of each value: 0 below the range, 1..bins inside, bins + 1 above.

    Bins are closed below and open above, the last one closed on both sides, as in
    ``numpy.histogram``; nan counts as above the range.

    Args:
        values: any shape, unit of ``edges``.
        edges: increasing, shape ``(bins + 1,)``.

    Returns:
        Shape of ``values``.
    """
    index = np.searchsorted(edges, values, side="right")
    index[values == edges[-1]] = len(edges) - 1
    return index.astype(np.int64, copy=False)


def count_voxels(showers: VoxelShowers, edges: Array, *, threshold: float = 0.0) -> NDArray[Any]:
    """Count the voxels of each shower in bins of their energy.

    Args:
        showers: the showers, in MeV.
        edges: positive increasing edges in MeV, shape ``(bins + 1,)``.
        threshold: voxels below it (MeV) are dropped.

    Returns:
        Numbers of voxels, shape ``(events, bins + 2)``, int32; the first and last columns hold
        what lies below the range (empty voxels are not counted) and above it.

    Raises:
        RangeError: if an edge is not positive: empty voxels must not fall into a bin.
    """
    if not edges[0] > 0:
        raise RangeError(f"voxel spectrum: expected positive edges in MeV, got {edges[0]}.")
    lookup = _Lookup(np.asarray(edges, np.float64))
    parts = [_count_tile(tile, lookup, threshold) for tile in tiles([showers])]
    return np.concatenate(parts) if parts else np.zeros((0, len(edges) + 1), np.int32)


def _count_tile(tile: VoxelShowers, lookup: _Lookup, threshold: float) -> NDArray[Any]:
    energies = np.ascontiguousarray(tile.energies, np.float32)
    if tile.energies.dtype != np.float32:  # rounding could carry a voxel over an edge
        index = bin_index(tile.energies, lookup.edges)
    else:
        index = lookup(energies)
    columns = len(lookup.edges) + 1
    dropped = ~(tile.energies >= threshold) | (tile.energies <= 0)
    index[dropped] = columns
    index += (columns + 1) * np.arange(len(tile))[:, None]
    counts = np.bincount(index.ravel(), minlength=len(tile) * (columns + 1))
    return counts.reshape(len(tile), columns + 1)[:, :columns].astype(np.int32)


class _Lookup:
    """Exact bins of positive float32 numbers from their leading bits.

    The bit pattern of a positive float grows with it, so its leading bits number cells that are
    narrower than any bin. A cell holds at most one edge: one table look-up and one comparison
    replace the binary search.
    """

    def __init__(self, edges: NDArray[np.float64]) -> None:
        self.edges = edges
        cells = (_INFINITY >> (32 - _TABLE_BITS)) + 1
        lowest = (np.arange(cells, dtype=np.uint32) << (32 - _TABLE_BITS)).view(np.float32)
        self._first = bin_index(lowest.astype(np.float64), edges)
        after = np.append(self._first[1:], self._first[-1])
        self._unique = bool((after - self._first <= 1).all())
        # a float32 is >= an edge if it is >= the smallest float32 that is
        up = edges.astype(np.float32)
        up = np.where(up < edges, np.nextafter(up, np.float32(np.inf)), up)
        self._split = np.append(up, np.float32(np.inf))[np.minimum(self._first, len(edges))]

    def __call__(self, values: NDArray[np.float32]) -> IntArray:
        if not self._unique:
            return bin_index(values, self.edges)
        cell = values.view(np.uint32) >> (32 - _TABLE_BITS)
        np.minimum(cell, len(self._first) - 1, out=cell)  # negative numbers are dropped later
        index: IntArray = self._first[cell]
        index += values >= self._split[cell]
        index[values == self.edges[-1]] = len(self.edges) - 1
        return index
