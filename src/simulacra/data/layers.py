"""One readout layer of a detector: rings and sectors, or rectangular cells."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import RangeError

__all__ = ["GridLayer", "Layer"]

Array = NDArray[Any]
FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Layer:
    """One readout layer: rings of ``n_alpha`` equal sectors, radius running fastest.

    Args:
        identity: the layer's number in its own detector (the challenge keeps ATLAS's 0, 1, 2,
            3, 12 for photons).
        r_edges: increasing radial edges in mm, starting where the first ring starts.
        n_alpha: number of angular sectors; the first one starts at -pi.
        z_min: depth at which the layer begins, in mm from the calorimeter's face; nan if unknown.
        z_max: depth at which it ends, in mm; nan if unknown.
    """

    identity: int
    r_edges: tuple[float, ...]
    n_alpha: int
    z_min: float = float("nan")
    z_max: float = float("nan")

    def __post_init__(self) -> None:
        if self.n_alpha < 1:
            raise RangeError(
                f"layer {self.identity}: expected at least 1 angular bin, got {self.n_alpha}."
            )
        _refuse_edges(self.identity, "radial", self.r_edges)

    def __eq__(self, other: object) -> bool:
        return self._key == other._key if isinstance(other, Layer) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._key)

    @property
    def _key(self) -> tuple[object, ...]:
        """All fields, with unknown depths equal to each other (nan is not)."""
        return self.identity, *self.cells, *_known(self.z_min, self.z_max)

    @property
    def cells(self) -> tuple[object, ...]:
        """What two layers have in common if their voxels are the same, whatever their depths."""
        return self.r_edges, self.n_alpha

    @property
    def n_radius(self) -> int:
        """Number of rings."""
        return len(self.r_edges) - 1

    @property
    def shape(self) -> tuple[int, int]:
        """``(alpha, radius)``: the layer's voxels as an image, in their flat order."""
        return self.n_alpha, self.n_radius

    @property
    def voxels(self) -> int:
        """Number of voxels in the layer."""
        return self.n_radius * self.n_alpha

    @property
    def sees(self) -> tuple[str, ...]:
        """The transverse directions in which the layer is divided: ``eta`` and ``phi``, or none."""
        return ("eta", "phi") if self.n_alpha > 1 else ()

    @property
    def radius(self) -> FloatArray:
        """Radius of each voxel's centre in mm, shape ``(voxels,)``."""
        return np.tile(_centres(self.r_edges), self.n_alpha)

    @property
    def alpha(self) -> FloatArray:
        """Angle of each voxel's centre in rad, in (-pi, pi), shape ``(voxels,)``."""
        return np.repeat(_centres(np.linspace(-np.pi, np.pi, self.n_alpha + 1)), self.n_radius)

    @property
    def x(self) -> FloatArray:
        """Position of each voxel's centre along x in mm, shape ``(voxels,)``."""
        return self.radius * np.cos(self.alpha)

    @property
    def y(self) -> FloatArray:
        """Position of each voxel's centre along y in mm, shape ``(voxels,)``."""
        return self.radius * np.sin(self.alpha)

    @property
    def ring(self) -> IntArray:
        """Number of the ring in which each voxel lies, shape ``(voxels,)``."""
        return np.tile(np.arange(self.n_radius), self.n_alpha)

    def ring_sums(self, values: Array) -> Array:
        """Sum over the voxels of each ring, shape ``(..., rings)``, in a dtype that holds the sums.

        Args:
            values: shape ``(..., voxels)``.
        """
        images = values.reshape(*values.shape[:-1], *self.shape)
        sums: Array = images.sum(axis=-2, dtype=_wide(values))
        return sums


@dataclass(frozen=True, eq=False)
class GridLayer:
    """One readout layer of rectangular cells, y running fastest, then x.

    What is a function of the radius of rings is one of the distance of the cells' centres here: the
    cells are sorted into rings as wide as the narrowest cell, and rings without a centre join the
    next one. A direction with a single cell is not seen; the distance is then that along the other.

    Args:
        identity: the layer's number in its own detector.
        x_edges: increasing edges of the cells along x, in mm.
        y_edges: the same along y.
        z_min: depth at which the layer begins, in mm from the calorimeter's face; nan if unknown.
        z_max: depth at which it ends, in mm; nan if unknown.
    """

    identity: int
    x_edges: tuple[float, ...]
    y_edges: tuple[float, ...]
    z_min: float = float("nan")
    z_max: float = float("nan")

    def __post_init__(self) -> None:
        _refuse_edges(self.identity, "x", self.x_edges)
        _refuse_edges(self.identity, "y", self.y_edges)

    def __eq__(self, other: object) -> bool:
        return self._key == other._key if isinstance(other, GridLayer) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._key)

    @classmethod
    def square(cls, identity: int, n_x: int, n_y: int, width: float, *depth: float) -> GridLayer:
        """Divide a square around the axis into equal cells.

        Args:
            identity: the layer's number.
            n_x: number of cells along x.
            n_y: number of cells along y.
            width: side of the square in mm.
            *depth: where the layer begins and ends, in mm, if that is known.

        Example:
            >>> GridLayer.square(0, 2, 1, 8.0).x_edges
            (-4.0, 0.0, 4.0)
        """
        if min(n_x, n_y) < 1:
            raise RangeError(f"layer {identity}: expected at least 1 cell, got {n_x} by {n_y}.")
        x, y = (tuple(np.linspace(-width / 2, width / 2, n + 1).tolist()) for n in (n_x, n_y))
        return cls(identity, x, y, *depth)

    @property
    def _key(self) -> tuple[object, ...]:
        """All fields, with unknown depths equal to each other (nan is not)."""
        return self.identity, *self.cells, *_known(self.z_min, self.z_max)

    @property
    def cells(self) -> tuple[object, ...]:
        """What two layers have in common if their voxels are the same, whatever their depths."""
        return self.x_edges, self.y_edges

    @property
    def shape(self) -> tuple[int, int]:
        """``(x, y)``: the layer's cells as an image, in their flat order."""
        return len(self.x_edges) - 1, len(self.y_edges) - 1

    @property
    def voxels(self) -> int:
        """Number of cells in the layer."""
        return self.shape[0] * self.shape[1]

    @property
    def sees(self) -> tuple[str, ...]:
        """The transverse directions in which the layer is divided, ``eta`` (x) and ``phi`` (y)."""
        return tuple(name for name, n in zip(("eta", "phi"), self.shape, strict=True) if n > 1)

    @property
    def x(self) -> FloatArray:
        """Position of each cell's centre along x in mm, shape ``(voxels,)``."""
        return np.repeat(_centres(self.x_edges), self.shape[1])

    @property
    def y(self) -> FloatArray:
        """Position of each cell's centre along y in mm, shape ``(voxels,)``."""
        return np.tile(_centres(self.y_edges), self.shape[0])

    @property
    def radius(self) -> FloatArray:
        """Distance of each cell's centre from the axis in mm, shape ``(voxels,)``."""
        return np.hypot(self.x, self.y)

    @property
    def alpha(self) -> FloatArray:
        """Angle of each cell's centre in rad, in [-pi, pi], shape ``(voxels,)``."""
        return np.arctan2(self.y, self.x)

    @cached_property
    def r_edges(self) -> tuple[float, ...]:
        """Edges of the rings of cells in mm; the last one is the distance of the corners."""
        sides = {"eta": np.asarray(self.x_edges), "phi": np.asarray(self.y_edges)}
        seen = [sides[name] for name in self.sees or sides]
        widths = [np.diff(edges).min() for edges in seen]
        corner = float(np.sqrt(sum(np.abs(edges).max() ** 2 for edges in seen)))
        if not self.sees:
            return 0.0, corner
        radius = self.radius
        narrowest = float(min(widths))
        marks = narrowest * np.arange(1, np.ceil(radius.max() / narrowest) + 1)
        below = np.searchsorted(np.sort(radius), marks, side="left")  # centres below each mark
        kept = [mark for mark, new in zip(marks.tolist(), np.diff(below, prepend=0), strict=True)
                if new and mark <= radius.max()]  # fmt: skip
        return 0.0, *kept, corner

    @property
    def n_radius(self) -> int:
        """Number of rings of cells."""
        return len(self.r_edges) - 1

    @cached_property
    def ring(self) -> IntArray:
        """Number of the ring in which each cell's centre lies, shape ``(voxels,)``."""
        found = np.searchsorted(self.r_edges, self.radius, side="right") - 1
        return np.minimum(found, self.n_radius - 1).astype(np.int64)

    def ring_sums(self, values: Array) -> Array:
        """Sum over the cells of each ring, shape ``(..., rings)``, in a dtype that holds the sums.

        Args:
            values: shape ``(..., voxels)``.
        """
        dtype = _wide(values) or values.dtype
        order = np.argsort(self.ring, kind="stable")
        starts = np.searchsorted(self.ring[order], np.arange(self.n_radius))
        return np.add.reduceat(values[..., order].astype(dtype), starts, axis=-1)


def _wide(values: Array) -> type[np.uint16] | None:
    """Return the dtype for sums of flags, None for that of the values."""
    return np.uint16 if values.dtype.itemsize == 1 else None


def _refuse_edges(identity: int, what: str, given: tuple[float, ...]) -> None:
    edges = np.asarray(given, float)
    if len(edges) < 2 or not np.isfinite(edges).all() or (np.diff(edges) <= 0).any():
        raise RangeError(
            f"layer {identity}: {what} edges must be at least two increasing numbers in mm, got "
            f"{given}."
        )


def _known(*depths: float) -> tuple[float | None, ...]:
    return tuple(None if np.isnan(z) else float(z) for z in depths)


def _centres(edges: Iterable[float]) -> FloatArray:
    array = np.asarray(list(edges), float)
    centres: FloatArray = (array[1:] + array[:-1]) / 2
    return centres
