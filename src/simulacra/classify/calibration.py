"""From scores to probabilities: isotonic regression, and the divergence they give."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression

from ..random import Stream, generator

__all__ = ["EDGE", "Calibration", "calibrate", "jensen_shannon", "null_jensen_shannon"]

Array = NDArray[Any]
FloatArray = NDArray[np.float64]

EDGE = 1e-6
"""Calibrated probabilities stay within [EDGE, 1 - EDGE], as in the challenge."""

_TOGETHER = 50  # events of a signed sample that are merged before anything is fitted


@dataclass(frozen=True, eq=False)
class Calibration:
    """A rising, piecewise linear map from scores to probabilities.

    Args:
        scores: where it is fitted, increasing, shape ``(knots,)``.
        probabilities: its values there, never falling, shape ``(knots,)``.
    """

    scores: FloatArray
    probabilities: FloatArray

    def __call__(self, scores: Array) -> FloatArray:
        """Return probabilities: linear between the knots, constant beyond the outermost."""
        return np.interp(scores, self.scores, self.probabilities)


def calibrate(scores: Array, label: Array, weight: Array | None = None) -> Calibration:
    r"""Fit the rising probabilities that are nearest to the labels, by least squares.

    .. math:: \min_{p_1 \le p_2 \le \dots} \sum_i w_i (y_i - p_i)^2

    with events in the order of their scores. Equal scores share one value; the result is cut to
    ``[EDGE, 1 - EDGE]`` and continued linearly between scores, which is what the challenge does
    with scikit-learn's ``IsotonicRegression(out_of_bounds="clip")``. Least squares over rising
    values has no answer for negative weights: if there are any, neighbours are merged into
    groups of at least 50 events with a positive sum of weights first.

    Args:
        scores: scores of the selection events, shape ``(events,)``.
        label: 1 for the first sample and 0 for the second, shape ``(events,)``.
        weight: event weights, shape ``(events,)``; default 1.
    """
    x = np.asarray(scores, np.float64)
    w = np.ones(len(x)) if weight is None else np.asarray(weight, np.float64)
    order = np.argsort(x, kind="stable")
    x, y, w = x[order], np.asarray(label, np.float64)[order], w[order]
    signed = bool((w < 0).any())
    starts = _positive_groups(w) if signed else np.flatnonzero(np.append(True, np.diff(x) > 0))
    sums = np.add.reduceat(w, starts)
    values = np.add.reduceat(w * y, starts)
    centres = x[starts]
    if signed:
        counts = np.diff(np.append(starts, len(x)))
        centres = np.add.reduceat(x, starts) / counts
    kept = sums > 0
    means = values[kept] / sums[kept]
    fitted = isotonic_regression(means, weights=sums[kept]).x
    return Calibration(centres[kept], np.clip(fitted, EDGE, 1 - EDGE))


def jensen_shannon(
    first: Array,
    second: Array,
    weight_first: Array | None = None,
    weight_second: Array | None = None,
) -> tuple[float, float]:
    r"""Return the divergence of two samples as a classifier sees it, with its sample error.

    .. math::
        J = 1 + \frac{1}{2 \ln 2} \left( \langle \ln p \rangle_\text{first}
            + \langle \ln (1 - p) \rangle_\text{second} \right)

    that is 1 - BCE / ln 2 for classes of equal weight: 0 for a classifier that always answers
    one half, 1 for one that is always right and sure. For calibrated probabilities it is a lower
    bound of the Jensen-Shannon divergence in bits; below 0 the calibration is worse than a guess.

    Args:
        first: calibrated probabilities of belonging to the first sample, of its own events.
        second: the same of the second sample's events.
        weight_first: event weights; default 1.
        weight_second: event weights; default 1.
    """
    value, variance = 1.0, 0.0
    surprises = ((np.log2(first), weight_first), (np.log2(1 - np.asarray(second)), weight_second))
    for bits, weight in surprises:
        w = np.ones(len(bits)) if weight is None else np.asarray(weight, np.float64)
        mean = float(np.average(bits, weights=w))
        value += mean / 2
        variance += float((w**2 * (bits - mean) ** 2).sum() / w.sum() ** 2) / 4
    return value, math.sqrt(variance)


def null_jensen_shannon(
    selection: tuple[int, int],
    unseen: Sequence[tuple[int, int]],
    *,
    seed: int,
    repeats: int = 50,
) -> list[tuple[float, float]]:
    """Return mean and standard deviation of the divergence that equal samples show.

    For equal samples a score is a random rank, whatever the network; so labels in random order
    give the distribution. Its mean is below 0: a calibration fitted to noise misleads.

    Args:
        selection: numbers of events of both samples that the calibration is fitted to.
        unseen: numbers of events of both samples that it is used on, for several uses.
        seed: seed of the ranks.
        repeats: number of draws.
    """
    rng = generator(seed, Stream.BOOTSTRAP, 1 << 20, *selection)
    label = np.repeat([1.0, 0.0], selection)
    found = np.empty((repeats, len(unseen)))
    for draw in range(repeats):
        fitted = calibrate(rng.random(len(label)), label)
        for use, (first, second) in enumerate(unseen):
            scores = fitted(rng.random(first)), fitted(rng.random(second))
            found[draw, use] = jensen_shannon(*scores)[0]
    return [(float(column.mean()), float(column.std())) for column in found.T]


def _positive_groups(weight: FloatArray) -> NDArray[np.int64]:
    """Return where groups of neighbours start that each have a positive sum of weights."""
    starts, total, count = [0], 0.0, 0
    for place, w in enumerate(weight.tolist()):
        if count >= _TOGETHER and total > 0:
            starts.append(place)
            total, count = 0.0, 0
        total, count = total + w, count + 1
    if len(starts) > 1 and not (total > 0 and count >= _TOGETHER):
        starts.pop()  # what is left at the end joins the group before it
    return np.array(starts)
