"""Sorting numbers into histogram bins, and the voxels of each shower into a spectrum."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...data import VoxelShowers
from ...errors import RangeError
from .observing import filled_voxels
from .tiling import each_tile

__all__ = ["bin_index", "count_voxels"]

Array = NDArray[Any]
FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

_SHIFT = 15  # leaves sign, exponent and 8 bits of the mantissa: cells 0.4 % wide
_EVEN = 1e-6  # bins whose widths differ by less are computed, not searched
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
    width = np.diff(edges)
    if len(width) > 1 and np.ptp(width) < _EVEN * width[0]:
        index, unsure = _near_bin(values, edges)
        index[unsure] = _searched(values[unsure], edges)
        return index
    return _searched(values, edges)


def _near_bin(values: Array, edges: Array) -> tuple[IntArray, NDArray[np.bool_]]:
    """Compute bins of equal width; tell where rounding, or a value outside, made them wrong."""
    bins = len(edges) - 1
    with np.errstate(invalid="ignore"):  # nan and infinity are among the unsure
        near = ((values - edges[0]) * (bins / (edges[-1] - edges[0]))).astype(np.int64)
    np.clip(near, 0, bins - 1, out=near)
    sure = (values >= edges[near]) & (values < edges[near + 1])
    near += 1
    return near, ~sure


def _searched(values: Array, edges: Array) -> IntArray:
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
    column = _Columns(np.asarray(edges, np.float64))
    parts = each_tile(lambda tile: _count_tile(tile, column, threshold), showers)
    return np.concatenate(parts) if parts else np.zeros((0, len(edges) + 1), np.int32)


def _count_tile(tile: VoxelShowers, column: _Columns, threshold: float) -> NDArray[Any]:
    filled, columns = filled_voxels(tile, threshold), len(column.edges) + 1
    index = column(tile.energies.ravel()[np.flatnonzero(filled)])
    first = columns * np.arange(len(tile))
    place = np.repeat(first, np.count_nonzero(filled, axis=1)) + index
    counts = np.bincount(place, minlength=len(tile) * columns)
    return counts.reshape(len(tile), columns).astype(np.int32)


class _Columns:
    """The exact column of positive numbers, for float32 from their leading bits.

    The bit pattern of a positive float grows with it, so its leading bits number cells that are
    narrower than any bin: a table gives the column at once. Only in the few cells that hold an
    edge the numbers themselves are compared.
    """

    def __init__(self, edges: FloatArray) -> None:
        self.edges = edges
        self._unsure = len(edges) + 1
        cells = _INFINITY >> _SHIFT
        lowest = np.arange(cells + 1, dtype=np.uint32) << _SHIFT
        columns = bin_index(lowest[:-1].view(np.float32), edges)
        last = bin_index((lowest[1:] - 1).view(np.float32), edges)
        table = np.full(1 << (32 - _SHIFT), self._unsure, np.min_scalar_type(self._unsure))
        table[:cells] = np.where(columns == last, columns, self._unsure)
        self._table = table

    def __call__(self, energies: Array) -> Array:
        """Return the columns of energies in MeV, shape ``(voxels,)``."""
        if energies.dtype != np.float32:  # rounding could carry a voxel over an edge
            return bin_index(energies, self.edges)
        cell = energies.view(np.uint32) >> np.uint32(_SHIFT)
        index = np.take(self._table, cell, mode="clip")  # none is outside: this is faster
        unsure = np.flatnonzero(index == self._unsure)
        index[unsure] = bin_index(energies[unsure], self.edges)
        return index
