"""Deposits to voxels: many steps of many events at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .calorimeter import Calorimeter, Cells, Ring

__all__ = ["Voxels", "rotations"]

Array = NDArray[Any]
FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Voxels:
    """Finds the voxel of a point.

    The flat order is that of the files: layer by layer; in rings radius fastest, then angle from
    -pi; in grids y fastest, then x.

    Args:
        edges: depths in mm between the readout layers, shape ``(layers + 1,)``.
        layers: what each is divided into.
        width: side in mm of the square that a grid divides; not used for rings.
    """

    edges: FloatArray
    layers: tuple[Ring | Cells, ...]
    width: float = 0.0

    @classmethod
    def of(cls, calorimeter: Calorimeter) -> Voxels:
        """Return the voxels of a calorimeter's readout."""
        width = getattr(calorimeter.readout, "width", 0.0)
        return cls(np.array(calorimeter.layer_edges), calorimeter.layers, width)

    @property
    def shapes(self) -> tuple[tuple[int, int], ...]:
        """``(angles, radii)`` or ``(cells in x, cells in y)`` of each layer."""
        return tuple(
            (layer.n_alpha, len(layer.r_edges) - 1)
            if isinstance(layer, Ring)
            else (layer.n_x, layer.n_y)
            for layer in self.layers
        )

    @property
    def starts(self) -> IntArray:
        """Flat number of the first voxel of each layer, and of the end, ``(layers + 1,)``."""
        return np.cumsum([0, *(a * b for a, b in self.shapes)]).astype(np.int64)

    @property
    def count(self) -> int:
        """Number of voxels."""
        return int(self.starts[-1])

    def find(self, x: FloatArray, y: FloatArray, z: FloatArray) -> IntArray:
        """Return the flat number of the voxel at each point, -1 outside; shape ``(points,)``.

        Args:
            x: in mm, shape ``(points,)``.
            y: in mm, shape ``(points,)``.
            z: depth in mm, shape ``(points,)``.
        """
        place = np.searchsorted(self.edges, z, side="right") - 1
        found = np.full(len(z), -1, np.int64)
        kinds: dict[Any, list[int]] = {}
        for number, layer in enumerate(self.layers):
            kinds.setdefault(_divisions(layer), []).append(number)
        one = len(kinds) == 1
        for numbers in kinds.values():
            chosen = (place >= 0) & (place < len(self.layers)) if one else np.isin(place, numbers)
            rows = np.flatnonzero(chosen)
            layer = self.layers[numbers[0]]
            inside = (
                _in_rings(layer, x[rows], y[rows])
                if isinstance(layer, Ring)
                else _in_cells(layer, self.width, x[rows], y[rows])
            )
            flat = self.starts[place[rows]] + inside
            found[rows] = np.where(inside >= 0, flat, -1)
        return found

    def fill(self, events: int, event: IntArray, voxel: IntArray, energy: FloatArray) -> FloatArray:
        """Sum energies per event and voxel, in the order in which they come.

        Args:
            events: number of events.
            event: of each deposit, shape ``(deposits,)``.
            voxel: of each deposit, -1 outside, shape ``(deposits,)``.
            energy: of each deposit in MeV, shape ``(deposits,)``.

        Returns:
            Energies in MeV, shape ``(events, voxels)``.
        """
        hit = voxel >= 0
        flat = event[hit] * self.count + voxel[hit]
        summed: FloatArray = np.bincount(
            flat, weights=energy[hit], minlength=events * self.count
        ).astype(np.float64, copy=False)
        return summed.reshape(events, self.count)


def rotations(direction: FloatArray) -> FloatArray:
    """Return the frame of each particle: unit vectors x', y', z' as rows, ``(events, 3, 3)``.

    z' is the line of flight and x' lies in its plane with z; at normal incidence nothing turns.

    Args:
        direction: unit vectors, shape ``(events, 3)``.
    """
    z = direction
    azimuth = np.arctan2(z[:, 1], z[:, 0])
    y = np.stack([-np.sin(azimuth), np.cos(azimuth), np.zeros(len(z))], axis=1)
    return np.stack([np.cross(y, z), y, z], axis=1)


def _divisions(layer: Ring | Cells) -> tuple[Any, ...]:
    if isinstance(layer, Ring):
        return layer.r_edges, layer.n_alpha
    return layer.n_x, layer.n_y


def _in_rings(layer: Ring, x: FloatArray, y: FloatArray) -> IntArray:
    radii = len(layer.r_edges) - 1
    ring = np.searchsorted(np.square(layer.r_edges), x * x + y * y, side="right") - 1
    inside = (ring >= 0) & (ring < radii)
    if layer.n_alpha == 1:
        return np.where(inside, ring, -1)
    turn = (np.arctan2(y, x) + np.pi) * (layer.n_alpha / (2 * np.pi))
    sector = np.minimum(turn.astype(np.int64), layer.n_alpha - 1)
    return np.where(inside, sector * radii + ring, -1)


def _in_cells(layer: Cells, width: float, x: FloatArray, y: FloatArray) -> IntArray:
    column = np.floor((x / width + 0.5) * layer.n_x).astype(np.int64)
    row = np.floor((y / width + 0.5) * layer.n_y).astype(np.int64)
    inside = (column >= 0) & (column < layer.n_x) & (row >= 0) & (row < layer.n_y)
    return np.where(inside, column * layer.n_y + row, -1)
