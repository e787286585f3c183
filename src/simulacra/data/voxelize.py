"""Points into voxels and back, with the energy conserved."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import RangeError, ShapeError
from ..random import Stream, uniform
from .geometry import Geometry
from .layers import GridLayer, Layer
from .points import PointShowers
from .showers import VoxelShowers

__all__ = ["cells_of", "to_points", "voxelize"]

Array = NDArray[Any]
FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

_SLAB_POINTS = 1 << 15  # what is held per point stays in the cache
_SLAB_CELLS = 1 << 20
_MARGIN = 1e-6
"""Relative distance of points from the walls of their cell; float32 rounds by 6e-8."""


def voxelize(points: PointShowers, geometry: Geometry, *, tolerance: float = 0.5) -> VoxelShowers:
    r"""Sum the points of each shower in the voxels that they lie in.

    The layer is that whose depths :math:`z_\mathrm{min} \le z < z_\mathrm{max}` enclose the
    point, or the one of its layer number where the geometry's depths or its z are not known; the
    ring is :math:`r_k \le \sqrt{x^2 + y^2} < r_{k+1}`, the sector
    :math:`\lfloor n_\alpha (\mathrm{atan2}(y, x) + \pi) / 2\pi \rfloor`; rectangular cells are
    :math:`x_i \le x < x_{i+1}, y_j \le y < y_{j+1}`. Sums run in float64 in
    the order of the points, so that the result has the same bits however the events are cut into
    pieces.

    Energy outside all voxels is a loss of containment. It is never moved into the outermost
    cells, which would forge them, and never dropped in silence: it stands per shower in ``lost``
    of the result, and ``energies.sum() + lost`` is the energy of the points.

    Args:
        points: the showers, in mm and MeV.
        geometry: the detector.
        tolerance: largest fraction of all the energy that may be lost; more looks like another
            frame or another unit of length and is refused. 1 refuses nothing.

    Returns:
        The showers in the dtype of the points' energies, at least float32.

    Raises:
        ShapeError: if neither depths nor layer numbers say in which layer a point lies.
        RangeError: if a position is not finite, or more energy is lost than tolerated.
    """
    cells = _Cells(geometry, points)
    dtype = np.float64 if points.energy.dtype.itemsize > 4 else np.float32
    energies = np.empty((len(points), geometry.voxels), dtype)
    lost = np.empty(len(points))
    for events in points.runs(_SLAB_POINTS, max(1, _SLAB_CELLS // geometry.voxels)):
        sums = _summed(points.select(events), cells)
        energies[events] = sums[:, :-1]
        lost[events] = sums[:, -1]
    showers = VoxelShowers(
        energies=energies,
        incident_energy=points.incident_energy,
        geometry=geometry,
        conditions=points.conditions,
        weight=points.weight,
        provenance=points.provenance,
        lost=lost,
    )
    inside, outside = float(energies.sum(dtype=np.float64)), float(lost.sum())
    if outside > tolerance * (inside + outside):
        raise RangeError(
            f"{outside / (inside + outside):.3g} of the energy lies outside the voxels of "
            f'"{geometry.name}", at most {tolerance:.3g} is tolerated. Expected x and y from the '
            "shower axis and the depth z from the calorimeter's face, all in mm: is it another "
            "unit, frame or order of the axes?"
        )
    return showers


def cells_of(points: PointShowers, geometry: Geometry) -> IntArray:
    """Return the voxel that each point lies in, ``(points,)``, or the number of voxels for none.

    Args:
        points: the showers, in mm.
        geometry: the detector.

    Raises:
        ShapeError: if neither depths nor layer numbers say in which layer a point lies.
        RangeError: if a position is not finite.
    """
    return _Cells(geometry, points)(points)


def to_points(
    showers: VoxelShowers,
    *,
    seed: int = 0,
    spread: float = 0.0,
    events: Iterable[int] | None = None,
) -> PointShowers:
    """Put one point into each voxel that has energy; :func:`voxelize` leads back exactly.

    A layer of undivided rings has its points at alpha = 0, on one side of the axis, unless they
    are spread.

    Args:
        showers: the showers.
        seed: of the places, a function of (seed, event, voxel).
        spread: 0 puts the points into the middle of radius, angle and depth; 1 spreads them
            uniformly over the volume of the cell; between the two, over that part of it.
        events: numbers of the showers within their set, for the places; by default from 0.

    Raises:
        RangeError: if ``spread`` is not between 0 and 1.
    """
    if not 0 <= spread <= 1:
        raise RangeError(f"spread: expected a part of the cell from 0 to 1, got {spread}.")
    where = showers.geometry
    event, voxel = np.nonzero(showers.energies)
    middle = np.full((len(voxel), 3), 0.5)
    if spread > 0:
        numbers = range(len(showers)) if events is None else events
        draws = uniform(seed, numbers, 3 * where.voxels, stream=Stream.PLACE, dtype=np.float64)
        drawn = draws.reshape(len(showers), where.voxels, 3)[event, voxel]
        middle += spread * (drawn - 0.5)
    layer = np.array([found.identity for found in where.layers], np.int64)
    return PointShowers(
        position=_inside(where, voxel, middle, area=spread > 0).astype(np.float32),
        energy=showers.energies[event, voxel],
        offsets=np.searchsorted(event, np.arange(len(showers) + 1)).astype(np.int64),
        incident_energy=showers.incident_energy,
        layer=layer[where.layer_index[voxel]],
        conditions=showers.conditions,
        weight=showers.weight,
        provenance=showers.provenance,
    )


def _inside(where: Geometry, voxel: IntArray, share: FloatArray, *, area: bool) -> FloatArray:
    """Return x, y, z in mm at these shares of the cells' radius (or area), angle and depth."""
    index = where.layer_index[voxel]
    depths = np.array([(layer.z_min, layer.z_max) for layer in where.layers])[index]
    top, bottom = _shrunk(depths[:, 0], depths[:, 1])
    depth = top + share[:, 2] * (bottom - top)
    if where.rectangular:
        sides = [_shrunk(low[voxel], high[voxel]) for low, high in _sides(where)]
        x, y = (low + s * (high - low) for (low, high), s in zip(sides, share.T, strict=False))
        return np.column_stack([x, y, depth])
    inner, outer, sectors = _walls(where)
    power = 2 if area else 1
    low, high = _shrunk(inner[voxel], outer[voxel])
    radius = (low**power + share[:, 0] * (high**power - low**power)) ** (1 / power)
    alpha = where.alpha[voxel] + (2 * share[:, 1] - 1) * (np.pi / sectors[index] - _MARGIN)
    return np.column_stack([radius * np.cos(alpha), radius * np.sin(alpha), depth])


def _shrunk(low: FloatArray, high: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return walls so far inside that rounding to float32 does not carry a point through."""
    margin = _MARGIN * np.maximum(np.abs(low), np.abs(high))
    return low + margin, high - margin


def _walls(where: Geometry) -> tuple[FloatArray, FloatArray, IntArray]:
    """Return inner and outer radius of each voxel in mm and the sectors of each layer."""
    rings = [layer for layer in where.layers if isinstance(layer, Layer)]
    edges = [np.asarray(layer.r_edges, np.float64) for layer in rings]
    tiles = [layer.n_alpha for layer in rings]
    inner = np.concatenate([np.tile(e[:-1], n) for e, n in zip(edges, tiles, strict=True)])
    outer = np.concatenate([np.tile(e[1:], n) for e, n in zip(edges, tiles, strict=True)])
    return inner, outer, np.array(tiles)


def _sides(where: Geometry) -> list[tuple[FloatArray, FloatArray]]:
    """Return where each cell begins and ends along x, and along y, in mm."""
    grids = [layer for layer in where.layers if isinstance(layer, GridLayer)]
    return [
        (
            np.concatenate([np.repeat(layer.x_edges[:-1], layer.shape[1]) for layer in grids]),
            np.concatenate([np.repeat(layer.x_edges[1:], layer.shape[1]) for layer in grids]),
        ),
        (
            np.concatenate([np.tile(layer.y_edges[:-1], layer.shape[0]) for layer in grids]),
            np.concatenate([np.tile(layer.y_edges[1:], layer.shape[0]) for layer in grids]),
        ),
    ]


def _summed(points: PointShowers, cells: _Cells) -> FloatArray:
    """Return the sums in each voxel and, in the last column, outside of all."""
    columns = cells.outside + 1
    index = cells(points)
    index += points.event * columns
    sums = np.bincount(index, points.energy, len(points) * columns)
    return sums.astype(np.float64, copy=False).reshape(len(points), columns)


class _Cells:
    """Finds the voxel of each point; points outside get the number after the last one.

    Args:
        geometry: the detector.
        points: the points to come; they decide whether depths or layer numbers are used.

    Raises:
        ShapeError: if nothing says in which layer a point lies.
        RangeError: if layers overlap or share their number, or a position is not finite.
    """

    def __init__(self, geometry: Geometry, points: PointShowers) -> None:
        self.outside = geometry.voxels
        depths = np.array([(layer.z_min, layer.z_max) for layer in geometry.layers])
        self._by_depth = bool(np.isfinite(depths).all())
        if not self._by_depth and points.layer is None:
            raise ShapeError(
                f'geometry "{geometry.name}": does not say at which depths its layers lie, and '
                "the points have no layer numbers. Give it depths (Geometry.with_depths, or the "
                "file's attributes `layer_z_min_mm` and `layer_z_max_mm`) or the points a layer "
                "column."
            )
        _refuse_not_finite(points)
        if self._by_depth:
            self._depth = _Finder(np.unique(depths))
            self._layer_at = _layer_by_depth(self._depth.edges, depths)
        if points.layer is not None:
            identities = [layer.identity for layer in geometry.layers]
            self._first, self._layer_of = _layer_by_number(identities)
        self._grids = [layer for layer in geometry.layers if isinstance(layer, GridLayer)]
        self._starts = geometry.boundaries
        rings = [layer for layer in geometry.layers if isinstance(layer, Layer)]
        if rings:
            self._prepare_rings(rings)

    def _prepare_rings(self, rings: list[Layer]) -> None:
        edges = [np.asarray(layer.r_edges, np.float64) for layer in rings]
        self._radius = _Finder(np.unique(np.concatenate(edges)))
        self._ring = np.full((len(edges) + 1, len(self._radius.edges) + 1), self.outside)
        for number, (own, start) in enumerate(zip(edges, self._starts, strict=False)):
            ring = np.searchsorted(own, self._radius.edges, side="right") - 1
            inside = (ring >= 0) & (ring < len(own) - 1)
            self._ring[number, 1:][inside] = start + ring[inside]
        self._sectors = np.array([*(layer.n_alpha for layer in rings), 1])
        self._rings = np.array([*(layer.n_radius for layer in rings), 0])
        self._divided = bool((self._sectors > 1).any())

    def __call__(self, points: PointShowers) -> IntArray:
        """Return the voxel of each point, shape ``(points,)``."""
        x = points.position[:, 0].astype(np.float64)
        y = points.position[:, 1].astype(np.float64)
        layer = self._layers(points)
        if self._grids:
            return self._cells_at(layer, x, y)
        radius = np.sqrt(x * x + y * y)
        cell: IntArray = np.take(self._ring, layer * self._ring.shape[1] + self._radius(radius))
        if self._divided:
            sectors = np.take(self._sectors, layer)
            turn = np.arctan2(y, x)
            turn += np.pi
            turn /= 2 * np.pi
            sector = (turn * sectors).astype(np.int64)
            sector[sector == sectors] = 0  # alpha = pi is -pi
            sector *= np.take(self._rings, layer)
            cell += sector
            np.minimum(cell, self.outside, out=cell)
        return cell

    def _cells_at(self, layer: IntArray, x: FloatArray, y: FloatArray) -> IntArray:
        """Return the rectangular cell at x and y of each point's layer."""
        cell = np.full(len(layer), self.outside)
        for number, grid in enumerate(self._grids):
            here = np.flatnonzero(layer == number)
            along = [
                np.searchsorted(edges, place[here], side="right") - 1
                for edges, place in ((grid.x_edges, x), (grid.y_edges, y))
            ]
            inside = np.logical_and.reduce(
                [(i >= 0) & (i < n) for i, n in zip(along, grid.shape, strict=True)]
            )
            flat = self._starts[number] + along[0] * grid.shape[1] + along[1]
            cell[here[inside]] = flat[inside]
        return cell

    def _layers(self, points: PointShowers) -> IntArray:
        """Return the position of each point's layer; the number of layers stands for none."""
        depth = points.position[:, 2].astype(np.float64)
        unknown = np.isnan(depth) if points.layer is not None else np.zeros(len(depth), bool)
        if not self._by_depth:
            unknown[:] = True
        if points.layer is None or not unknown.any():
            return np.take(self._layer_at, self._depth(depth))
        number = np.clip(points.layer.astype(np.int64) - self._first, 0, len(self._layer_of) - 1)
        if unknown.all():
            return np.take(self._layer_of, number)
        depth[unknown] = self._depth.edges[0]
        found: IntArray = np.take(self._layer_at, self._depth(depth))
        found[unknown] = self._layer_of[number[unknown]]
        return found


class _Finder:
    """Finds the bin of each number, exactly as ``numpy.searchsorted(edges, x, "right")``.

    Equal cells of a fine grid hold at most one edge each. The cell of a number never decreases
    with it, whatever the rounding, so that edges in other cells are decided and the one in the
    same cell takes one comparison; the binary search would be slower by a factor of three.
    """

    def __init__(self, edges: FloatArray) -> None:
        self.edges = edges
        for bits in range(8, 21):
            self._cells = 1 << bits
            own = self._cell(edges)
            if len(np.unique(own)) == len(own):
                break
        else:
            self._cells = 0
            return
        self._split = np.full(self._cells, np.inf)
        self._split[own] = edges
        self._before = np.searchsorted(own, np.arange(self._cells))

    def _cell(self, numbers: FloatArray) -> IntArray:
        scaled = (numbers - self.edges[0]) * (self._cells / (self.edges[-1] - self.edges[0]))
        np.clip(scaled, 0, self._cells - 1, out=scaled)
        cell: IntArray = scaled.astype(np.int64)
        return cell

    def __call__(self, numbers: FloatArray) -> IntArray:
        if not self._cells:
            return np.searchsorted(self.edges, numbers, side="right")
        cell = self._cell(numbers)
        found: IntArray = np.take(self._before, cell)
        found += numbers >= np.take(self._split, cell)
        return found


def _layer_by_depth(edges: FloatArray, depths: FloatArray) -> IntArray:
    """Return the layer between each two edges; the number of layers where there is none."""
    table = np.full(len(edges) + 1, len(depths))
    for number, (low, high) in enumerate(depths):
        inside = slice(*(np.searchsorted(edges, [low, high]) + 1))
        if (table[inside] != len(depths)).any():
            raise RangeError(
                f"layers overlap in depth: {low:.6g} to {high:.6g} mm of layer {number} is partly "
                "that of another one; give the geometry depths that follow each other."
            )
        table[inside] = number
    return table


def _layer_by_number(identities: list[int]) -> tuple[int, IntArray]:
    """Return the number before the first layer's, and each number's position from there on."""
    first, last = min(identities) - 1, max(identities) + 1
    if len(set(identities)) != len(identities) or last - first > 10**6:
        raise RangeError(f"expected each layer to have a number of its own, got {identities}.")
    table = np.full(last - first + 1, len(identities))
    table[np.array(identities) - first] = np.arange(len(identities))
    return first, table


def _refuse_not_finite(points: PointShowers) -> None:
    bad = ~np.isfinite(points.position).all(axis=1)
    if bad.any() and points.layer is not None:  # then an unknown depth is no fault
        bad = ~np.isfinite(points.position[:, :2]).all(axis=1) | np.isinf(points.position[:, 2])
    if bad.any():
        point = int(np.flatnonzero(bad)[0])
        raise RangeError(
            f"shower {points.event[point]}: has a point at {points.position[point].tolist()} mm; "
            "expected finite positions."
        )
