"""Area under the ROC curve, exact for ties and event weights, with its sample error."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import RangeError

__all__ = ["area_under_curve", "auc_sample_error", "roc_curve"]

Array = NDArray[Any]
FloatArray = NDArray[np.float64]


def area_under_curve(
    first: Array,
    second: Array,
    weight_first: Array | None = None,
    weight_second: Array | None = None,
) -> float:
    r"""Return the probability that an event of the first sample scores higher.

    .. math::
        A = \frac{\sum_{ij} w_i v_j \left([s_i > t_j] + \tfrac12 [s_i = t_j]\right)}
                 {\sum_i w_i \sum_j v_j}

    0.5 for samples that the score does not tell apart. Negative weights subtract events; the
    value may then leave [0, 1] within its error. Blind to how scores are calibrated.

    Args:
        first: scores of the first sample, shape ``(events_first,)``.
        second: scores of the second sample, shape ``(events_second,)``.
        weight_first: event weights; default 1.
        weight_second: event weights; default 1.

    Raises:
        RangeError: if the weights of a sample do not sum to a positive number.
    """
    placement, _ = _placements(first, second, weight_first, weight_second)
    return float(np.average(placement, weights=weight_first))


def auc_sample_error(
    first: Array,
    second: Array,
    weight_first: Array | None = None,
    weight_second: Array | None = None,
) -> float:
    r"""Return the standard deviation of the area for fixed scores and finite samples.

    DeLong's estimate: the variance of the events' own contributions to the area, which is the
    limit of the bootstrap over events. E. DeLong, D. DeLong, D. Clarke-Pearson, "Comparing the
    areas under two or more correlated receiver operating characteristic curves", Biometrics 44
    (1988) 837. Weights enter as :math:`\sum w^2 (V - A)^2 / (\sum w)^2`.

    Args:
        first: scores of the first sample, shape ``(events_first,)``.
        second: scores of the second sample, shape ``(events_second,)``.
        weight_first: event weights; default 1.
        weight_second: event weights; default 1.
    """
    variance = 0.0
    placements = _placements(first, second, weight_first, weight_second)
    for placement, weight in zip(placements, (weight_first, weight_second), strict=True):
        w = np.ones(len(placement)) if weight is None else weight
        mean = np.average(placement, weights=w)
        variance += float((w**2 * (placement - mean) ** 2).sum() / w.sum() ** 2)
    return math.sqrt(variance)


def roc_curve(
    first: Array,
    second: Array,
    weight_first: Array | None = None,
    weight_second: Array | None = None,
    *,
    points: int = 201,
) -> tuple[FloatArray, FloatArray]:
    """Return the curve of accepted fractions for a cut that falls from above to below.

    Args:
        first: scores of the first sample.
        second: scores of the second sample.
        weight_first: event weights; default 1.
        weight_second: event weights; default 1.
        points: at most so many points, equally spaced in ranks of all scores.

    Returns:
        Accepted fraction of the second sample (x) and of the first (y), from (0, 0) to (1, 1).
    """
    cuts = np.unique(np.concatenate([first, second]))
    if len(cuts) >= points:
        cuts = cuts[np.linspace(0, len(cuts) - 1, points - 1).round().astype(int)]
    below = [
        _Cumulative(scores, weight)(cuts, "left") / _total(weight, len(scores))
        for scores, weight in ((second, weight_second), (first, weight_first))
    ]
    x, y = (np.append(0.0, (1 - b)[::-1]) for b in below)
    return x, y


def _placements(
    first: Array, second: Array, weight_first: Array | None, weight_second: Array | None
) -> tuple[FloatArray, FloatArray]:
    """Return each event's chance to stand on the right side of an event of the other sample."""
    first, second = np.asarray(first, np.float64), np.asarray(second, np.float64)
    total_first = _total(weight_first, len(first))
    total_second = _total(weight_second, len(second))
    below = _Cumulative(second, weight_second)
    of_first = (below(first, "left") + below(first, "right")) / (2 * total_second)
    below = _Cumulative(first, weight_first)
    of_second = 1 - (below(second, "left") + below(second, "right")) / (2 * total_first)
    return of_first, of_second


def _total(weight: Array | None, events: int) -> float:
    total = float(events if weight is None else weight.sum())
    if not total > 0:
        raise RangeError(f"area under the curve: the weights of a sample sum to {total:g}.")
    return total


class _Cumulative:
    """The sum of weights of scores below (left) or up to (right) given values."""

    def __init__(self, scores: Array, weight: Array | None) -> None:
        order = np.argsort(scores, kind="stable")
        self._scores = np.asarray(scores, np.float64)[order]
        ones = np.ones(len(scores)) if weight is None else np.asarray(weight, np.float64)[order]
        self._sum = np.append(0.0, np.cumsum(ones))

    def __call__(self, values: Array, side: str) -> FloatArray:
        found: FloatArray = self._sum[np.searchsorted(self._scores, values, side=side)]  # type: ignore[call-overload]
        return found
