"""Showers as refinement sees them: the judge's high-level observables, one row per shower."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ...data import VoxelShowers
from ...errors import ShapeError
from ...evaluation.observables import high_level_inputs, high_level_names, observe

__all__ = ["shower_table", "weighted_showers"]

FloatArray = NDArray[np.float64]


def shower_table(parts: Iterable[VoxelShowers]) -> tuple[FloatArray, tuple[str, ...]]:
    """Return the judge's high-level observables of showers, and their names.

    Layer energies, centres, widths and sparsities after the challenge, see
    :func:`~simulacra.evaluation.observables.high_level_inputs`, of voxels above the detector's
    readout threshold, which a surrogate draws and a simulation passes: weights learned from them
    are blind to everything else in a shower, such as single voxels.

    Args:
        parts: showers, or parts of a file one after another, with one geometry.

    Returns:
        ``(events, observables)``, and one name per column.

    Raises:
        ShapeError: if there are no showers, or parts of different detectors.
    """
    tables, geometries = [], []
    for part in parts:
        tables.append(high_level_inputs(observe(part, threshold=part.geometry.threshold)))
        geometries.append(part.geometry)
    if not tables or any(one.name != geometries[0].name for one in geometries):
        names = ", ".join(sorted({one.name for one in geometries})) or "none"
        raise ShapeError(f"showers: expected parts of one detector, got {names}.")
    return np.concatenate(tables), high_level_names(geometries[0])


def weighted_showers(showers: VoxelShowers, weight: FloatArray) -> VoxelShowers:
    """Return the same showers with other weights, ``(events,)``."""
    return replace(showers, weight=np.asarray(weight, np.float32))
