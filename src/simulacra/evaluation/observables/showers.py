"""Layer energies, centres, widths and sparsity of showers, tile by tile as matrix products."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...data import Geometry, VoxelShowers
from ...errors import RangeError

__all__ = ["EPSILON", "ShowerObservables", "angular_layers", "observe", "tile_events", "tiles"]

Array = NDArray[Any]
FloatArray = NDArray[np.float64]

EPSILON = 1e-16
"""Added to every layer energy (MeV) before dividing by it, as the challenge does."""

_TILE_VOXELS = 1 << 19  # 4 MiB of float64: a tile stays in the cache


@dataclass(frozen=True, eq=False)
class ShowerObservables:
    r"""One number per shower, or per shower and layer, all float64.

    With :math:`e_i` the energies of a layer's voxels, :math:`x_i` a coordinate of their centres
    (:math:`\eta = r \cos\alpha`, :math:`\phi = r \sin\alpha`, or :math:`r`, in mm) and
    :math:`\epsilon = 10^{-16}` MeV:

    .. math::
        \langle x^k \rangle = \frac{\sum_i x_i^k e_i}{\sum_i e_i + \epsilon}, \quad
        \text{centre} = \langle x \rangle, \quad
        \text{width} = \sqrt{\max(\langle x^2 \rangle - \langle x \rangle^2, 0)}

    An empty layer has centre and width 0. Centres and widths in eta and phi exist for the layers
    with more than one sector only (``angular``). Definitions: Krause et al., "CaloChallenge
    2022", 2024, arXiv:2410.21611.

    Args:
        geometry: the detector.
        incident_energy: in MeV, shape ``(events,)``.
        total_energy: sum of all voxels in MeV, shape ``(events,)``.
        brightest_voxel: largest voxel energy in MeV, shape ``(events,)``.
        layer_energy: in MeV, shape ``(events, layers)``.
        sparsity: fraction of a layer's voxels that are empty, shape ``(events, layers)``.
        centre_r: in mm, shape ``(events, layers)``.
        width_r: in mm, shape ``(events, layers)``.
        centre_eta: in mm, shape ``(events, angular)``.
        centre_phi: in mm, shape ``(events, angular)``.
        width_eta: in mm, shape ``(events, angular)``.
        width_phi: in mm, shape ``(events, angular)``.
        weight: event weights, shape ``(events,)``; None where the file has none.
    """

    geometry: Geometry
    incident_energy: FloatArray
    total_energy: FloatArray
    brightest_voxel: FloatArray
    layer_energy: FloatArray
    sparsity: FloatArray
    centre_r: FloatArray
    width_r: FloatArray
    centre_eta: FloatArray
    centre_phi: FloatArray
    width_eta: FloatArray
    width_phi: FloatArray
    weight: FloatArray | None = None

    def __len__(self) -> int:
        return len(self.incident_energy)

    @classmethod
    def concatenate(cls, parts: Iterable[ShowerObservables]) -> ShowerObservables:
        """Join the observables of consecutive tiles.

        Raises:
            RangeError: if there is no part.
        """
        parts = list(parts)
        if not parts:
            raise RangeError("expected at least one shower to observe, got none.")
        weighted = any(part.weight is not None for part in parts)
        weights = [np.ones(len(p)) if p.weight is None else p.weight for p in parts]
        return cls(
            geometry=parts[0].geometry,
            **{name: np.concatenate([getattr(part, name) for part in parts]) for name in _ARRAYS},
            weight=np.concatenate(weights) if weighted else None,
        )


_ARRAYS = (
    "incident_energy",
    "total_energy",
    "brightest_voxel",
    "layer_energy",
    "sparsity",
    "centre_r",
    "width_r",
    "centre_eta",
    "centre_phi",
    "width_eta",
    "width_phi",
)


def angular_layers(geometry: Geometry) -> tuple[int, ...]:
    """Return the positions of the layers that have more than one sector."""
    return tuple(i for i, layer in enumerate(geometry.layers) if layer.n_alpha > 1)


def tile_events(geometry: Geometry) -> int:
    """Return the number of events of a tile: a function of the geometry alone."""
    return max(16, _TILE_VOXELS // geometry.voxels)


def tiles(chunks: Iterable[VoxelShowers]) -> Iterator[VoxelShowers]:
    """Regroup showers into tiles aligned to the event number.

    Matrix products may round a row differently when it stands elsewhere in the matrix. Tile k
    always holds the same events, so what is computed per tile has the same bits for any chunks.

    Args:
        chunks: consecutive showers of one file, in pieces of any size.
    """
    kept: list[VoxelShowers] = []
    for chunk in chunks:
        if len(chunk) == 0:
            continue
        events = tile_events(chunk.geometry)
        joined = VoxelShowers.concatenate([*kept, chunk]) if kept else chunk
        whole = len(joined) // events * events
        for start in range(0, whole, events):
            yield joined.select(slice(start, start + events))
        kept = [joined.select(slice(whole, None))] if whole < len(joined) else []
    yield from kept


def observe(showers: VoxelShowers, *, threshold: float = 0.0) -> ShowerObservables:
    """Compute the observables of showers.

    The sums run in float64: a width is a small difference of large numbers, which float32 would
    spoil. Time is dominated by reading the voxels once.

    Args:
        showers: the showers, in MeV.
        threshold: voxels below it (MeV) count as empty; the default cuts negative ones only.

    Returns:
        The observables, one row per shower.

    Raises:
        RangeError: if there is no shower.
    """
    return ShowerObservables.concatenate(_observe_tile(t, threshold) for t in tiles([showers]))


def _observe_tile(showers: VoxelShowers, threshold: float) -> ShowerObservables:
    geometry = showers.geometry
    energies = np.where(showers.energies >= threshold, showers.energies, 0).astype(np.float64)
    moments = _moments(geometry)
    sums = [energies[:, s] @ m for s, m in zip(geometry.slices, moments, strict=True)]
    filled = [np.count_nonzero(energies[:, s], axis=1) for s in geometry.slices]
    voxels = np.diff(geometry.boundaries)
    layer_energy = np.column_stack([s[:, 0] for s in sums])
    angular = [sums[i] for i in angular_layers(geometry)]
    centre_r, width_r = _centre_width(sums, 1, len(showers))
    centre_eta, width_eta = _centre_width(angular, 3, len(showers))
    centre_phi, width_phi = _centre_width(angular, 5, len(showers))
    return ShowerObservables(
        geometry=geometry,
        incident_energy=showers.incident_energy.astype(np.float64),
        total_energy=layer_energy.sum(axis=1),
        brightest_voxel=energies.max(axis=1),
        layer_energy=layer_energy,
        sparsity=1 - np.column_stack(filled) / voxels,
        centre_r=centre_r,
        width_r=width_r,
        centre_eta=centre_eta,
        centre_phi=centre_phi,
        width_eta=width_eta,
        width_phi=width_phi,
        weight=None if showers.weight is None else showers.weight.astype(np.float64),
    )


def _moments(geometry: Geometry) -> list[FloatArray]:
    """Return 1, r, r^2 and for angular layers eta, eta^2, phi, phi^2 per layer and voxel."""
    r, eta, phi = geometry.radius, geometry.eta, geometry.phi
    columns = np.column_stack([np.ones_like(r), r, r**2, eta, eta**2, phi, phi**2])
    return [
        np.ascontiguousarray(columns[s, : 7 if layer.n_alpha > 1 else 3])
        for s, layer in zip(geometry.slices, geometry.layers, strict=True)
    ]


def _centre_width(
    sums: list[FloatArray], column: int, events: int
) -> tuple[FloatArray, FloatArray]:
    """Return centre and width in mm, each (events, layers), from the sums of x e and x^2 e."""
    centre, square = np.empty((2, events, len(sums)))
    for layer, s in enumerate(sums):
        centre[:, layer] = s[:, column] / (s[:, 0] + EPSILON)
        square[:, layer] = s[:, column + 1] / (s[:, 0] + EPSILON)
    return centre, np.sqrt(np.clip(square - centre**2, 0, None))
