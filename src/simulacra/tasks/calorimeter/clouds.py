"""Point clouds as rows of numbers for a generator of points, and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...data import Geometry, Layer, PointShowers, VoxelShowers, cells_of, to_points
from ...errors import ConfigError, RangeError
from ...generative import PointCascadeConfig
from .problem import SurrogateConfig

__all__ = ["CloudRows", "cloud_rows", "spread_points"]

Array = NDArray[Any]
_INSIDE = 1e-6  # of a share: float32 rounds by 6e-8


@dataclass(frozen=True)
class CloudRows:
    """Showers of points as :class:`~simulacra.preprocess.PointPlaces` has them, without cells.

    Args:
        geometry: the detector, of rings.
        places: points that a ring has room for.
        smallest: energy in MeV below which a point is left out.
    """

    geometry: Geometry
    places: int
    smallest: float

    @property
    def width(self) -> int:
        """Numbers in a row."""
        return 4 * len(self._rings) * self.places

    def rows(self, points: PointShowers) -> Array:
        """Return rows, ``(events, width)``, float32: energies, angles, shares of area and depth.

        Points outside all voxels are no part of the shower; their energy is in ``lost`` of
        :func:`~simulacra.data.voxelize`.

        Args:
            points: the showers.

        Raises:
            RangeError: if a ring holds more points than there are places, or nearly all of the
                energy lies outside the rings.
        """
        voxel = cells_of(points, self.geometry)
        inside = (voxel < self.geometry.voxels) & (points.energy >= self.smallest)
        self._refuse_lost(points, voxel)
        ring = self._ring_of_voxel[voxel[inside]]
        event, place = points.event[inside], points.position[inside].astype(np.float64)
        slot = event * len(self._rings) + ring
        order = np.argsort(slot, kind="stable")
        first = np.searchsorted(slot[order], slot[order])
        number = np.empty(len(slot), np.int64)
        number[order] = np.arange(len(slot)) - first
        if len(number) and number.max() >= self.places:
            raise RangeError(
                f"points: a ring holds {number.max() + 1} of them, the generator has room for "
                f"{self.places}; set model.places to at least that."
            )
        layers, inner, outer = self._rings[ring].T
        depth = np.array([(one.z_min, one.z_max) for one in self.geometry.layers])[
            layers.astype(np.int64)
        ]
        square = place[:, 0] ** 2 + place[:, 1] ** 2
        sectors = self._sectors
        turn = (np.arctan2(place[:, 1], place[:, 0]) + np.pi) / (2 * np.pi) * sectors
        area = (square - inner**2) / (outer**2 - inner**2)
        along = (place[:, 2] - depth[:, 0]) / (depth[:, 1] - depth[:, 0])
        along = np.where(np.isfinite(along), along, 0.5)
        out = np.zeros((len(points), 4, len(self._rings), self.places), np.float32)
        values = (points.energy[inside], turn, area, along)
        for column, value in enumerate(values):
            out[event, column, ring, number] = value
        return out.reshape(len(points), -1)

    def points(self, rows: Array, incident_energy: Array, **more: Any) -> PointShowers:
        """Return the showers of rows.

        Args:
            rows: ``(events, width)``.
            incident_energy: in MeV, ``(events,)``.
            more: conditions, weight and provenance, see :class:`~simulacra.data.PointShowers`.
        """
        block = np.asarray(rows).reshape(len(rows), 4, len(self._rings), self.places)
        event, ring, place = np.nonzero(block[:, 0] > 0)
        energy, turn, area, along = (block[event, i, ring, place] for i in range(4))
        layers, inner, outer = self._rings[ring].T
        layer = layers.astype(np.int64)
        area = np.clip(area.astype(np.float64), _INSIDE, 1 - _INSIDE)
        along = np.clip(along.astype(np.float64), _INSIDE, 1 - _INSIDE)
        radius = np.sqrt(inner**2 + area * (outer**2 - inner**2))
        alpha = turn.astype(np.float64) * (2 * np.pi / self._sectors) - np.pi
        depth = np.array([(one.z_min, one.z_max) for one in self.geometry.layers])[layer]
        z = depth[:, 0] + along * (depth[:, 1] - depth[:, 0])
        return PointShowers(
            position=np.column_stack([radius * np.cos(alpha), radius * np.sin(alpha), z]).astype(
                np.float32
            ),
            energy=energy.astype(np.float32),
            offsets=np.searchsorted(event, np.arange(len(rows) + 1)).astype(np.int64),
            incident_energy=np.asarray(incident_energy),
            layer=np.array([one.identity for one in self.geometry.layers], np.int64)[layer],
            **more,
        )

    @property
    def _layers(self) -> list[Layer]:
        return [layer for layer in self.geometry.layers if isinstance(layer, Layer)]

    @property
    def _rings(self) -> Array:
        """Layer and radii of each ring in mm, ``(rings, 3)``."""
        return np.array(
            [
                (number, low, high)
                for number, layer in enumerate(self._layers)
                for low, high in zip(layer.r_edges[:-1], layer.r_edges[1:], strict=True)
            ],
            np.float64,
        )

    @property
    def _sectors(self) -> int:
        return max(layer.n_alpha for layer in self._layers)

    @property
    def _ring_of_voxel(self) -> Array:
        first = np.cumsum([0, *(layer.n_radius for layer in self._layers)])
        return np.concatenate(
            [start + layer.ring for start, layer in zip(first[:-1], self._layers, strict=True)]
        )

    def _refuse_lost(self, points: PointShowers, voxel: Array) -> None:
        lost = float(points.energy[voxel == self.geometry.voxels].sum(dtype=np.float64))
        total = float(points.energy.sum(dtype=np.float64))
        if lost > 0.5 * total:
            raise RangeError(
                f"points: {lost / total:.3g} of the energy lies outside the rings of "
                f'"{self.geometry.name}"; expected x and y from the shower axis and z from the '
                "calorimeter's face, in mm."
            )


def cloud_rows(config: SurrogateConfig, geometry: Geometry) -> CloudRows | None:
    """Return how a generator of free points sees showers; None for one of voxels.

    Raises:
        ConfigError: if the detector has no rings.
    """
    model = config.model
    if not isinstance(model, PointCascadeConfig) or model.cells:
        return None
    if geometry.rectangular:
        raise ConfigError(
            f'geometry "{geometry.name}": points lie on rings, this detector has rectangular '
            "cells; take a recipe of voxels."
        )
    return CloudRows(geometry, model.places, model.smallest)


def spread_points(showers: VoxelShowers, *, seed: int, first: int) -> PointShowers:
    """Put one point somewhere into each voxel that has energy, a function of (seed, event, voxel).

    Args:
        showers: the showers.
        seed: of the places.
        first: number of the first shower in its set.
    """
    events = range(first, first + len(showers))
    return to_points(showers, seed=seed, spread=1.0, events=events)
