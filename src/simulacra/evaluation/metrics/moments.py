"""Means and covariances of resampled events: the same events, drawn again and again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import RangeError, ShapeError

__all__ = [
    "checked_features",
    "drawing_probability",
    "drawn_moments",
    "frechet_distance",
    "moments",
    "noise",
]

Array = NDArray[Any]
FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.int32]

_GATHERED = 2048  # events that are brought together for one product of matrices
_ROWS = 512  # events at a time: their pair products stay in the cache
_PAIRED_FEATURES = 48  # up to here products of pairs beat one product of matrices per draw
_PAIRED_COUNTS = 1 << 26  # up to here the counts of all draws are held: 4 bytes each


def checked_features(
    reference: Array, generated: Array, *, normalise: bool = True
) -> tuple[FloatArray, FloatArray]:
    """Return features as float64, each divided by its largest absolute value in the reference.

    Args:
        reference: features of the reference, shape ``(events_reference, features)``.
        generated: the same features of the generated showers, ``(events_generated, features)``.
        normalise: whether to divide; a feature that is 0 throughout the reference never is.

    Raises:
        ShapeError: if the arrays are no tables of the same features.
        RangeError: if a sample has fewer than two events, or a number is not finite.
    """
    reference, generated = (np.asarray(x, np.float64) for x in (reference, generated))
    if reference.ndim != 2 or generated.ndim != 2 or reference.shape[1] != generated.shape[1]:
        raise ShapeError(
            "features: expected two tables (events, features) with equal columns, got "
            f"{reference.shape} and {generated.shape}."
        )
    for name, table in (("reference", reference), ("generated", generated)):
        if len(table) < 2 or table.shape[1] < 1:
            raise RangeError(
                f"features: expected at least two {name} events and one feature, got {table.shape}."
            )
        if not np.isfinite(table).all():
            rows = int((~np.isfinite(table)).any(axis=1).sum())
            raise RangeError(
                f"features: {rows} {name} events hold a number that is not finite; a logarithm of "
                "a negative energy? Remove them or repair the feature."
            )
    if not normalise:
        return reference, generated
    scale = np.abs(reference).max(axis=0)
    scale[scale == 0] = 1
    return reference / scale, generated / scale


def drawing_probability(weight: Array | None, events: int) -> FloatArray | None:
    """Return the probability of drawing each event, or None where all are alike.

    Args:
        weight: event weights, shape ``(events,)``, or None.
        events: number of events.

    Raises:
        ShapeError: if there is not one weight per event.
        RangeError: if a weight is negative: no event can be drawn less often than never.
    """
    if weight is None:
        return None
    weight = np.asarray(weight, np.float64)
    if weight.shape != (events,):
        raise ShapeError(f"weight: expected shape ({events},), got {weight.shape}.")
    if not (weight >= 0).all() or not weight.sum() > 0:
        raise RangeError(
            f"weight: expected weights of at least 0 with a positive sum, found {weight.min():g} "
            f"to {weight.max():g}. Events are drawn with a probability proportional to their "
            "weight, and nothing is drawn less often than never. Separation powers and precision "
            "subtract events of negative weight: use those, or leave the weights out."
        )
    chance: FloatArray = weight / weight.sum()
    return chance


def noise(probability: FloatArray | None, events: int) -> float:
    """Return 1 / (effective number of events)."""
    return 1 / events if probability is None else float((probability**2).sum())


def moments(
    values: FloatArray, probability: FloatArray | None = None
) -> tuple[FloatArray, FloatArray]:
    """Return the mean, ``(features,)``, and the unbiased covariance, ``(features, features)``."""
    p = np.full(len(values), 1 / len(values)) if probability is None else probability
    mean = p @ values
    rest = np.sqrt(p)[:, None] * (values - mean)
    return mean, rest.T @ rest / (1 - noise(probability, len(values)))


def drawn_moments(
    values: FloatArray, draws: Sequence[IndexArray]
) -> Iterator[tuple[FloatArray, FloatArray]]:
    """Give mean and unbiased covariance of each draw of events with replacement.

    No drawn sample is ever assembled: an event that was drawn n times counts n times. Few
    features are treated together for all draws, by one matrix product of the counts and the
    products of feature pairs; many features by one product per draw.

    Args:
        values: features, shape ``(events, features)``.
        draws: the events of each draw, by number; any length.

    Yields:
        The mean, shape ``(features,)``, and the covariance, shape ``(features, features)``.
    """
    centre = values.mean(axis=0)
    few = len(draws) * len(values) <= _PAIRED_COUNTS
    one_way = _paired if few and values.shape[1] <= _PAIRED_FEATURES else _each
    for drawn, (total, square) in zip(draws, one_way(values - centre, draws), strict=True):
        mean = total / len(drawn)
        yield centre + mean, (square - len(drawn) * np.outer(mean, mean)) / (len(drawn) - 1)


def _each(
    values: FloatArray, draws: Sequence[IndexArray]
) -> Iterator[tuple[FloatArray, FloatArray]]:
    """Give the sums of features and of their products, draw by draw."""
    features = values.shape[1]
    buffer = np.empty((_GATHERED, features))
    for drawn in draws:
        counts = np.bincount(drawn, minlength=len(values))
        events = np.flatnonzero(counts)
        total, square = np.zeros(features), np.zeros((features, features))
        for start in range(0, len(events), _GATHERED):
            rows = events[start : start + _GATHERED]
            chosen = np.take(values, rows, axis=0, out=buffer[: len(rows)], mode="clip")
            total += counts[rows] @ chosen
            chosen *= np.sqrt(counts[rows])[:, None]
            square += chosen.T @ chosen
        yield total, square


def _paired(
    values: FloatArray, draws: Sequence[IndexArray]
) -> Iterator[tuple[FloatArray, FloatArray]]:
    """Give the same sums for all draws together."""
    features = values.shape[1]
    first, second = np.triu_indices(features)
    counts = np.empty((len(draws), len(values)), np.int32)
    for row, drawn in zip(counts, draws, strict=True):
        row[:] = np.bincount(drawn, minlength=len(values))
    sums = np.zeros((len(draws), len(first) + features))
    for start in range(0, len(values), _ROWS):
        rows = slice(start, start + _ROWS)
        sums += counts[:, rows].astype(np.float64) @ _products(values[rows]).T
    for row in sums:
        square = np.empty((features, features))
        square[first, second] = square[second, first] = row[: len(first)]
        yield row[len(first) :], square


def _products(values: FloatArray) -> FloatArray:
    """Return the products of all pairs of features, then the features, one row each."""
    by_feature = np.ascontiguousarray(values.T)
    features, events = by_feature.shape
    out = np.empty((features * (features + 3) // 2, events))
    place = 0
    for i in range(features):
        width = features - i
        np.multiply(by_feature[i:], by_feature[i], out=out[place : place + width])
        place += width
    out[place:] = by_feature
    return out


def frechet_distance(
    mean_a: FloatArray, covariance_a: FloatArray, mean_b: FloatArray, covariance_b: FloatArray
) -> float:
    r"""Return the Fréchet distance of two normal distributions.

    .. math::
        d^2 = |\mu_a - \mu_b|^2
            + \operatorname{tr}\left(\Sigma_a + \Sigma_b - 2 (\Sigma_a \Sigma_b)^{1/2}\right)

    D. Dowson, B. Landau, "The Fréchet distance between multivariate normal distributions",
    J. Multivariate Anal. 12 (1982) 450. With :math:`\Sigma = L L^T` the trace of the root is the
    sum of the singular values of :math:`L_a^T L_b`, which is exact for singular covariances too.

    Args:
        mean_a: shape ``(features,)``.
        covariance_a: shape ``(features, features)``.
        mean_b: shape ``(features,)``.
        covariance_b: shape ``(features, features)``.

    Returns:
        The squared distance, in the square of the features' unit.

    Example:
        >>> one = np.eye(1)
        >>> float(frechet_distance(np.zeros(1), one, np.full(1, 3.0), 4 * one))
        10.0
    """
    product = _root(covariance_a).T @ _root(covariance_b)
    overlap = np.linalg.svd(product, compute_uv=False).sum()
    difference = mean_a - mean_b
    traces = np.trace(covariance_a) + np.trace(covariance_b)
    return float(difference @ difference + traces - 2 * overlap)


def _root(covariance: FloatArray) -> FloatArray:
    """Return L with L Lᵀ = covariance, which may be singular."""
    try:
        root: FloatArray = np.linalg.cholesky(covariance).astype(np.float64, copy=False)
    except np.linalg.LinAlgError:
        values, vectors = np.linalg.eigh(covariance)
        root = vectors * np.sqrt(np.clip(values, 0, None))
    return root
