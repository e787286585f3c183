"""Were training showers learnt by heart? Distances to the training, against those of the truth."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ...config import Config
from ...data import VoxelShowers
from ...errors import RangeError
from ...random import Stream, generator
from .neighbours import Nearest
from .rows import FeatureRows
from .shower_rows import in_pieces, memorisation_rows

__all__ = [
    "MEMORISATION_CANNOT_SEE",
    "Memorisation",
    "MemorisationSettings",
    "memorisation",
]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Progress = Callable[[int, int], None]

MEMORISATION_CANNOT_SEE = (
    "copies that were turned, mirrored or shifted by a voxel, parts of showers put together anew, "
    "and copies of showers that are not in the training file"
)


class MemorisationSettings(Config):
    """How memorisation is looked for."""

    neighbours: int = Field(5, ge=2)
    """The k-th nearest training shower, whose distance is the scale of the nearest one's."""
    tail: float = Field(0.005, gt=0, lt=0.5)
    """Part of both samples with the smallest relative distances that is counted."""
    seed: int = Field(0, ge=0)
    """Seed of the random numbers that make counts continuous."""


@dataclass(frozen=True, eq=False)
class Memorisation:
    """How close generated showers come to training showers, beside showers of the truth.

    Args:
        p_value: chance of a relative distance so small, or of so many, if the generated showers
            were independent of the training; uniform in [0, 1] then.
        bulk_p_value: the rank test's part of it.
        tail_p_value: the part of the count in the tail.
        extreme_p_value: the part of the count below all reference showers.
        closer_p_value: rank test of the plain distances. Small too where generated showers are
            smoother than true ones, which is no memorisation; so it is not in ``p_value``.
        exact_copies: generated showers equal to a training shower, voxel by voxel.
        reference_copies: the same of the reference, which should be none.
        near_copies: numbers of generated showers whose relative distance is smaller than that of
            every reference shower, nearest first; about one is expected by chance.
        originals: the training showers nearest to these, by number in the training.
        expected_near_copies: number expected by chance.
        generated_rows: numbers of the generated showers that took part.
        generated_distance: their distance to the nearest training shower, dimensionless.
        generated_relative: the same in units of the distance to the k-th nearest.
        reference_rows: numbers of the reference showers that took part.
        reference_distance: their distances.
        reference_relative: their relative distances.
        events_training: training showers.
        neighbours: k.
    """

    p_value: float
    bulk_p_value: float
    tail_p_value: float
    extreme_p_value: float
    closer_p_value: float
    exact_copies: int
    reference_copies: int
    near_copies: IntArray
    originals: IntArray
    expected_near_copies: float
    generated_rows: IntArray
    generated_distance: FloatArray
    generated_relative: FloatArray
    reference_rows: IntArray
    reference_distance: FloatArray
    reference_relative: FloatArray
    events_training: int
    neighbours: int


def memorisation(
    generated: FeatureRows,
    reference: FeatureRows,
    training: Iterable[VoxelShowers],
    *,
    settings: MemorisationSettings | None = None,
    threshold: float = 0.0,
    progress: Callable[[int], None] | None = None,
) -> Memorisation:
    r"""Compare the distances to the nearest training shower of generated and of true showers.

    For each shower the distance :math:`d_1` to the nearest training shower is divided by that to
    the k-th nearest: a copy has a ratio near 0, an independent shower one near 1, whether showers
    are alike or not in that corner of phase space. If the generated showers are an independent
    sample of the truth, their ratios and those of the reference are exchangeable, whatever the
    training. Three one-sided tests: the ranks of all (Mann and Whitney), how many of the smallest
    0.5 % of both are generated (hypergeometric), and how many generated ones lie below every
    reference one. The smallest of the three p-values is corrected for their number,
    :math:`1 - (1 - p)^3`; counts are made continuous by a random number of the seed, so that the
    result is uniform under independence.

    It cannot see copies that were turned, mirrored or shifted by a voxel, parts of showers put
    together anew, and copies of showers that are not in the training file. A model that
    generates other incident energies than the reference is not independent of the truth either.

    Showers without energy above the threshold are left out: they are all alike. Weighted showers
    should be drawn in proportion to their weight before (:func:`~.shower_rows.drawn_rows`). The
    training is read once, in any pieces; memory is that of the showers compared and one piece.

    Args:
        generated: generated showers, from :func:`~.shower_rows.memorisation_rows`.
        reference: showers of the truth that the training did not see, with the same incident
            energies; best as many as generated ones.
        training: the training showers, piece by piece; their weights do not matter.
        settings: neighbours, tail, seed.
        threshold: voxels of the training below it (MeV) are empty.
        progress: called with the number of training showers done.

    Raises:
        RangeError: if a sample has fewer than 20 showers that are not empty, or the training no
            more than k showers.
        ShapeError: if the numbers of voxels differ.
    """
    settings = MemorisationSettings() if settings is None else settings
    chosen = [np.flatnonzero(rows.square_norm) for rows in (generated, reference)]
    for name, rows in zip(("generated", "reference"), chosen, strict=True):
        if len(rows) < 20:
            raise RangeError(
                f"memorisation: expected at least 20 {name} showers with energy above the "
                f"threshold, got {len(rows)}."
            )
    searches = [
        Nearest(rows.take(which), settings.neighbours)
        for rows, which in zip((generated, reference), chosen, strict=True)
    ]
    seen = 0
    for part in in_pieces(training):
        others = memorisation_rows([part], threshold=threshold)
        for search in searches:
            search.add(others, seen)
        seen += len(part)
        if progress is not None:
            progress(seen)
    if seen <= settings.neighbours:
        raise RangeError(f"training: expected more than {settings.neighbours} showers, got {seen}.")
    return _judged(searches, chosen, seen, settings)


def _judged(
    searches: list[Nearest], chosen: list[IntArray], training: int, settings: MemorisationSettings
) -> Memorisation:
    distance = [np.sqrt(search.square_distance) for search in searches]
    ours, truth = (
        np.divide(d[:, 0], d[:, -1], out=np.zeros(len(d)), where=d[:, -1] > 0) for d in distance
    )
    bulk = _rank_p_value(ours, truth)
    u = generator(settings.seed, Stream.BOOTSTRAP).random(2)
    tail = _tail_p_value(ours, truth, settings.tail, float(u[0]))
    below = np.flatnonzero(ours < truth.min())
    extreme = _extreme_p_value(len(below), len(ours), len(truth), float(u[1]))
    near = below[np.argsort(ours[below], kind="stable")]
    smallest = min(bulk, tail, extreme)
    return Memorisation(
        p_value=-math.expm1(3 * math.log1p(-min(smallest, 1 - 1e-16))),
        bulk_p_value=bulk,
        tail_p_value=tail,
        extreme_p_value=extreme,
        closer_p_value=_rank_p_value(distance[0][:, 0], distance[1][:, 0]),
        exact_copies=int((distance[0][:, 0] == 0).sum()),
        reference_copies=int((distance[1][:, 0] == 0).sum()),
        near_copies=chosen[0][near],
        originals=searches[0].index[near, 0],
        expected_near_copies=len(ours) / (len(truth) + 1),
        generated_rows=chosen[0],
        generated_distance=distance[0][:, 0],
        generated_relative=ours,
        reference_rows=chosen[1],
        reference_distance=distance[1][:, 0],
        reference_relative=truth,
        events_training=training,
        neighbours=settings.neighbours,
    )


def _rank_p_value(ours: FloatArray, truth: FloatArray) -> float:
    """Return the chance of such small ranks of ours (normal limit, corrected for ties)."""
    pooled = np.concatenate([ours, truth])
    values, place, times = np.unique(pooled, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(times) - (times - 1) / 2)[place]
    n, m, total = len(ours), len(truth), len(pooled)
    ties = float((times.astype(np.float64) ** 3 - times).sum()) / (total * (total - 1))
    variance = n * m / 12 * (total + 1 - ties)
    excess = ranks[:n].sum() - n * (total + 1) / 2
    if len(values) == 1:
        return 1.0
    return 0.5 * math.erfc(-excess / math.sqrt(2 * variance))


def _tail_p_value(ours: FloatArray, truth: FloatArray, tail: float, u: float) -> float:
    """Return the chance that so many of the smallest values of both are ours."""
    from scipy.stats import hypergeom

    pooled = np.sort(np.concatenate([ours, truth]))
    count = min(max(20, math.ceil(tail * len(pooled))), len(pooled))
    edge = pooled[count - 1]
    found, drawn = int((ours <= edge).sum()), int((pooled <= edge).sum())
    law = hypergeom(len(pooled), len(ours), drawn)
    return float(law.sf(found) + u * law.pmf(found))


def _extreme_p_value(found: int, ours: int, truth: int, u: float) -> float:
    """Return the chance that the smallest ``found`` values of both are all ours, or more."""
    steps = np.arange(min(found + 1, ours))
    chances = np.concatenate([[1.0], np.cumprod((ours - steps) / (ours + truth - steps))])
    more = chances[found + 1] if found + 1 < len(chances) else 0.0
    return float(more + u * (chances[found] - more))
