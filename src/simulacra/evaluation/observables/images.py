"""Sums over showers, voxel by voxel: mean shower, its error, how often a voxel is filled."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...data import VoxelShowers
from ...errors import RangeError

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
    """

    weight: float
    energy: FloatArray
    square: FloatArray
    filled: FloatArray

    @classmethod
    def of(cls, showers: VoxelShowers, threshold: float = 0.0) -> ImageSums:
        """Sum over showers; voxels below the threshold (MeV) count as empty."""
        weight = showers.weights.astype(np.float64)
        kept = np.where(showers.energies >= threshold, showers.energies, 0).astype(np.float64)
        return cls(
            weight=float(weight.sum()),
            energy=weight @ kept,
            square=weight**2 @ kept**2,
            filled=weight @ (kept > 0).astype(np.float64),
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
        return cls(
            weight=float(np.sum([p.weight for p in parts])),
            energy=np.sum([p.energy for p in parts], axis=0),
            square=np.sum([p.square for p in parts], axis=0),
            filled=np.sum([p.filled for p in parts], axis=0),
        )

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
