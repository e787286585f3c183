"""Sums over showers, voxel by voxel: mean shower, its error, how often a voxel is filled."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from ...data import Geometry, VoxelShowers
from ...errors import RangeError
from .observing import filled_voxels

__all__ = ["ImageSums"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ImageSums:
    """Weighted sums over showers for each voxel, float64, after the threshold.

    Args:
        weight: sum of event weights, dimensionless.
        energy: sum of weight times energy in MeV, shape ``(voxels,)``.
        square: sum of (weight times energy) squared in MeV^2, shape ``(voxels,)``.
        filled: sum of the weights of the showers in which a voxel is filled, shape ``(voxels,)``.
        squared_weight: sum of squared event weights, dimensionless.
        ring_hits: sum of weight times the number of filled voxels of each ring, layer after
            layer from the inside out, shape ``(rings,)``.
        ring_square: sum of the squares of these products, shape ``(rings,)``.
    """

    weight: float
    energy: FloatArray
    square: FloatArray
    filled: FloatArray
    squared_weight: float
    ring_hits: FloatArray
    ring_square: FloatArray

    @classmethod
    def of(cls, showers: VoxelShowers, threshold: float = 0.0) -> ImageSums:
        """Sum over showers; voxels below the threshold (MeV) count as empty.

        Shower after shower, without linear algebra, whose threads would change the bits.

        Args:
            showers: as many as fit into memory once more in float64.
            threshold: in MeV.
        """
        flags = filled_voxels(showers, threshold)
        kept = np.multiply(showers.energies, flags).astype(np.float64, copy=False)
        hits = _ring_hits(showers.geometry, flags)
        weight = showers.weights.astype(np.float64)
        if showers.weight is None:
            filled = flags.sum(axis=0, dtype=np.uint32).astype(np.float64)
        else:
            kept *= weight[:, None]
            hits *= weight[:, None]
            filled = (flags * weight[:, None]).sum(axis=0)
        return cls(
            weight=float(weight.sum()),
            energy=kept.sum(axis=0),
            square=np.einsum("ij,ij->j", kept, kept),
            filled=filled,
            squared_weight=float((weight**2).sum()),
            ring_hits=hits.sum(axis=0),
            ring_square=np.square(hits).sum(axis=0),
        )

    @classmethod
    def joined(cls, parts: Iterable[ImageSums]) -> ImageSums:
        """Add up the sums of several parts, in order.

        Raises:
            RangeError: if there is no part.
        """
        parts = list(parts)
        if not parts:
            raise RangeError("expected at least one shower to sum up, got none.")
        sums = {f.name: np.sum([getattr(p, f.name) for p in parts], axis=0) for f in fields(cls)}
        return cls(**sums)

    @property
    def mean(self) -> FloatArray:
        """Mean energy of each voxel in MeV, shape ``(voxels,)``."""
        return self.energy / self.weight

    @property
    def mean_variance(self) -> FloatArray:
        """Variance of :attr:`mean` in MeV^2 for a Poisson number of showers."""
        return self.square / self.weight**2

    @property
    def occupancy(self) -> FloatArray:
        """Fraction of showers in which a voxel is filled, shape ``(voxels,)``."""
        return self.filled / self.weight

    @property
    def ring_rate(self) -> FloatArray:
        """Mean number of filled voxels of each ring, shape ``(rings,)``."""
        return self.ring_hits / self.weight

    @property
    def ring_rate_variance(self) -> FloatArray:
        """Variance of :attr:`ring_rate`, shape ``(rings,)``."""
        spread = self.ring_square - self.ring_rate**2 * self.squared_weight
        return np.clip(spread, 0, None) / self.weight**2


def _ring_hits(geometry: Geometry, filled: NDArray[np.bool_]) -> FloatArray:
    """Return the number of filled voxels of each ring, shape ``(events, rings)``."""
    flags = filled.view(np.uint8)
    found = [
        layer.ring_sums(flags[:, part])
        for layer, part in zip(geometry.layers, geometry.slices, strict=True)
    ]
    return np.concatenate(found, axis=1).astype(np.float64)
