"""Showers in a voxelised calorimeter: arrays plus the detector they live in, in MeV and mm."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import RangeError, ShapeError
from .geometry import Geometry, geometries_with

__all__ = ["CONDITIONS", "VoxelShowers", "event_keys", "refuse_voxel_number"]

Array = NDArray[Any]

CONDITIONS = {
    "theta": "polar angle of the incident particle in rad",
    "phi": "azimuth of the incident particle in rad",
    "x": "impact position along x in mm",
    "y": "impact position along y in mm",
    "pdg": "particle number of the Particle Data Group",
}
"""Conditions that a file may carry besides the incident energy, each of shape ``(events,)``."""


@dataclass(frozen=True, eq=False)
class VoxelShowers:
    """Showers of one detector.

    Args:
        energies: energy of each voxel in MeV, shape ``(events, voxels)``, floating point.
        incident_energy: energy of the incident particle in MeV, shape ``(events,)``.
        geometry: the detector whose voxels these are.
        conditions: further conditions by name (see :data:`CONDITIONS`), shape ``(events,)``.
        weight: event weights, dimensionless, shape ``(events,)``; may be negative. Default 1.
        provenance: where the showers come from: plain strings and numbers.
        lost: energy in MeV that lies outside the voxels, where these are known to be sums of
            points, shape ``(events,)``; None otherwise.

    Raises:
        ShapeError: if an array does not fit the geometry or the number of events.
    """

    energies: Array
    incident_energy: Array
    geometry: Geometry
    conditions: Mapping[str, Array] = field(default_factory=dict)
    weight: Array | None = None
    provenance: Mapping[str, Any] = field(default_factory=dict)
    lost: Array | None = None

    def __post_init__(self) -> None:
        if self.energies.ndim != 2 or self.energies.shape[1] != self.geometry.voxels:
            refuse_voxel_number(self.energies.shape, self.geometry)
        events = len(self.energies)
        arrays = {"incident_energy": self.incident_energy, **self.conditions}
        if self.weight is not None:
            arrays["weight"] = self.weight
        if self.lost is not None:
            arrays["lost"] = self.lost
        for name, array in arrays.items():
            if array.shape != (events,):
                raise ShapeError(
                    f"{name}: expected shape ({events},), one number per shower, "
                    f"got {tuple(array.shape)}."
                )

    def __len__(self) -> int:
        return len(self.energies)

    @property
    def weights(self) -> Array:
        """Event weights, shape ``(events,)``, ones where the file has none."""
        return np.ones(len(self)) if self.weight is None else self.weight

    def select(self, which: slice | Array | Sequence[int]) -> VoxelShowers:
        """Return the showers picked by a slice, a mask or indices, in that order."""
        return replace(
            self,
            energies=self.energies[which],
            incident_energy=self.incident_energy[which],
            conditions={name: array[which] for name, array in self.conditions.items()},
            weight=None if self.weight is None else self.weight[which],
            lost=None if self.lost is None else self.lost[which],
        )

    def thresholded(self, threshold: float | None = None) -> VoxelShowers:
        """Return the showers with every voxel below ``threshold`` set to zero.

        Args:
            threshold: cut in MeV; by default the geometry's readout threshold.
        """
        cut = self.geometry.threshold if threshold is None else threshold
        kept = np.where(self.energies >= cut, self.energies, self.energies.dtype.type(0))
        return replace(self, energies=kept)

    def layer_energies(self) -> Array:
        """Return the energy of each layer in MeV, shape ``(events, layers)``, float64."""
        starts = self.geometry.boundaries[:-1]
        return np.add.reduceat(self.energies.astype(np.float64), starts, axis=1)

    def event_keys(self) -> NDArray[np.uint64]:
        """Return one 64-bit digest per shower, by which the same shower is found again."""
        return event_keys(self.energies, self.incident_energy)

    @classmethod
    def concatenate(cls, parts: Iterable[VoxelShowers]) -> VoxelShowers:
        """Join showers of one detector, in order.

        Conditions, weights and lost energies are kept only where every part has them; the
        provenance is the first part's.

        Raises:
            ShapeError: if the detectors differ.
            RangeError: if there is no part.
        """
        parts = list(parts)
        if not parts:
            raise RangeError("expected at least one set of showers to join, got none.")
        first = parts[0]
        if any(part.geometry.digest != first.geometry.digest for part in parts):
            names = ", ".join(sorted({part.geometry.name for part in parts}))
            raise ShapeError(f"expected showers of one geometry, got {names}.")
        shared = [n for n in first.conditions if all(n in part.conditions for part in parts)]
        weighted = any(part.weight is not None for part in parts)
        lost = [part.lost for part in parts if part.lost is not None]
        return cls(
            energies=np.concatenate([part.energies for part in parts]),
            incident_energy=np.concatenate([part.incident_energy for part in parts]),
            geometry=first.geometry,
            conditions={n: np.concatenate([part.conditions[n] for part in parts]) for n in shared},
            weight=np.concatenate([part.weights for part in parts]) if weighted else None,
            provenance=first.provenance,
            lost=np.concatenate(lost) if len(lost) == len(parts) else None,
        )


def event_keys(energies: Array, incident_energy: Array) -> NDArray[np.uint64]:
    """Return a 64-bit digest of each shower's content.

    Computed from the little-endian float32 spelling of the incident energy and the voxels, so
    that it is the same whatever dtype the file has; a shower that was scaled or cut is another
    shower.

    Args:
        energies: voxel energies in MeV, shape ``(events, voxels)``.
        incident_energy: in MeV, shape ``(events,)``.

    Returns:
        The keys, shape ``(events,)``.
    """
    rows = np.ascontiguousarray(
        np.column_stack([incident_energy.astype("<f4"), energies.astype("<f4")])
    )
    rows += np.float32(0)  # -0.0 and 0.0 are the same energy
    digests = b"".join(hashlib.blake2b(row.tobytes(), digest_size=8).digest() for row in rows)
    return np.frombuffer(digests, dtype="<u8").astype(np.uint64)


def refuse_voxel_number(shape: tuple[int, ...], geometry: Geometry) -> None:
    """Raise the error for showers that do not fit ``geometry``, naming one that they would fit."""
    fits = geometries_with(shape[-1]) if len(shape) == 2 else ()
    remedy = (
        f' This is the shape of "{fits[0].name}"; pass geometry="{fits[0].name}".'
        if fits
        else " No built-in geometry has this number; pass the file's own binning XML as geometry."
    )
    raise ShapeError(
        f"showers: expected (events, {geometry.voxels}) for geometry "
        f'"{geometry.name}", got {tuple(shape)}.{remedy}'
    )
