"""Showers as points in a space: the protocol's, and the one in which copies are close."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...data import VoxelShowers
from ...random import Stream, generator
from .moments import drawing_probability
from .rows import FeatureRows

__all__ = [
    "drawn_rows",
    "in_pieces",
    "manifold_inputs",
    "manifold_rows",
    "memorisation_inputs",
    "memorisation_rows",
]

Array = NDArray[Any]
FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

FILL = 0.1
"""Energy in MeV that stands for an empty voxel in the protocol, before the logarithm."""

_VOXELS = 1 << 24  # energies of a piece: 128 MiB in float64


def manifold_inputs(
    showers: VoxelShowers, *, threshold: float = 0.0, fill: float = FILL
) -> FloatArray:
    """Return the space of the protocol: log10 of the voxel energies in MeV.

    Args:
        showers: the showers, in MeV.
        threshold: voxels below it (MeV) are empty.
        fill: energy in MeV in place of an empty voxel. The protocol's 0.1 MeV lies above the
            threshold of the data sets 2 and 3, so that dim voxels come below empty ones;
            ``fill=threshold`` keeps the order of energies and cannot be compared with published
            numbers.

    Returns:
        Shape ``(events, voxels)``, float64, also for showers in single precision (the official
        program then rounds logarithms and distances to that).
    """
    energies = showers.energies.astype(np.float64)
    energies[(energies < threshold) | (energies <= 0)] = fill
    np.log10(energies, out=energies)
    return energies


def manifold_rows(
    parts: Iterable[VoxelShowers], *, threshold: float = 0.0, fill: float = FILL
) -> FeatureRows:
    """Collect :func:`manifold_inputs` of showers that are read piece by piece.

    All logarithms are shifted by that of ``fill``, which changes no distance, so that empty
    voxels need no memory and others 10 bytes each: 10,000 showers of 40,500 voxels of which 15 %
    are hit take 0.6 GB.

    Args:
        parts: consecutive showers, in MeV, in parts of any size.
        threshold: voxels below it (MeV) are empty.
        fill: energy in MeV in place of an empty voxel.
    """

    def blocks() -> Iterator[FloatArray]:
        for part in in_pieces(parts):
            inputs = manifold_inputs(part, threshold=threshold, fill=fill)
            inputs -= np.log10(fill)
            yield inputs

    return FeatureRows.from_blocks(blocks())


def drawn_rows(
    events: int, limit: int, seed: int, *, key: int = 0, weight: Array | None = None
) -> IntArray:
    """Draw which events take part where all would take too long.

    Args:
        events: number of events there are.
        limit: number to draw without replacement; 0 or a larger one than ``events`` for all.
        seed: seed of the draw.
        key: number of the sample; samples of one seed draw differently.
        weight: event weights of at least 0, shape ``(events,)``, to draw events in proportion
            where the draw shall need no weights afterwards; fewer than ``limit`` if fewer are
            positive.

    Returns:
        Increasing event numbers.

    Raises:
        RangeError: if a weight is negative.
    """
    chance = drawing_probability(weight, events)
    if chance is not None:
        limit = min(limit if limit > 0 else events, int(np.count_nonzero(chance)))
        drawn = generator(seed, Stream.SPLIT, key).choice(events, limit, replace=False, p=chance)
    elif limit <= 0 or limit >= events:
        return np.arange(events)
    else:
        drawn = generator(seed, Stream.SPLIT, key).permutation(events)[:limit]
    return np.sort(drawn).astype(np.int64)


def memorisation_inputs(showers: VoxelShowers, *, threshold: float = 0.0) -> FloatArray:
    r"""Return the space in which showers are close: the roots of energy fractions.

    Coordinates :math:`\sqrt{e_i / E_\mathrm{inc}}`; their distance is that of Hellinger between
    the energy distributions of two showers, times :math:`\sqrt 2`. The incident energy divides
    out, so that a copy scaled to another energy is close as well.

    Args:
        showers: the showers, in MeV.
        threshold: voxels below it (MeV) are empty.

    Returns:
        Dimensionless, shape ``(events, voxels)``.
    """
    energies = showers.energies.astype(np.float64)
    energies[(energies < threshold) | (energies < 0)] = 0
    energies /= showers.incident_energy.astype(np.float64)[:, None]
    np.sqrt(energies, out=energies)
    return energies


def memorisation_rows(parts: Iterable[VoxelShowers], *, threshold: float = 0.0) -> FeatureRows:
    """Collect :func:`memorisation_inputs` of showers that are read piece by piece.

    Args:
        parts: consecutive showers, in MeV, in parts of any size.
        threshold: voxels below it (MeV) are empty.
    """
    pieces = in_pieces(parts)
    return FeatureRows.from_blocks(memorisation_inputs(p, threshold=threshold) for p in pieces)


def in_pieces(parts: Iterable[VoxelShowers]) -> Iterator[VoxelShowers]:
    """Regroup showers into pieces that fit into memory and are worth a matrix product.

    Args:
        parts: consecutive showers in parts of any size.
    """
    kept: list[VoxelShowers] = []
    for part in parts:
        size = max(256, min(8192, _VOXELS // part.geometry.voxels))
        for start in range(0, len(part), size):
            kept.append(part.select(slice(start, start + size)))
            if sum(map(len, kept)) >= size:
                yield VoxelShowers.concatenate(kept)
                kept = []
    if kept:
        yield VoxelShowers.concatenate(kept)
