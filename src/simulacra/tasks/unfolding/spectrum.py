"""A spectrum with its covariance, and histograms of weighted events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import RangeError, ShapeError

__all__ = ["Spectrum", "checked_edges", "histogram", "quantile_edges"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Spectrum:
    """Events in bins of one observable.

    Args:
        observable: its name.
        edges: increasing, in its unit, shape ``(bins + 1,)``; what lies outside is not counted.
        counts: sums of weights, shape ``(bins,)``.
        covariance: of the counts, shape ``(bins, bins)``.

    Raises:
        ShapeError: if shapes do not fit.
    """

    observable: str
    edges: FloatArray
    counts: FloatArray
    covariance: FloatArray

    def __post_init__(self) -> None:
        bins = len(self.edges) - 1
        if self.counts.shape != (bins,) or self.covariance.shape != (bins, bins):
            raise ShapeError(
                f"spectrum: expected {bins} counts and their covariance, found "
                f"{self.counts.shape} and {self.covariance.shape}."
            )

    @property
    def error(self) -> FloatArray:
        """Standard deviation of each count, shape ``(bins,)``."""
        return np.sqrt(np.maximum(np.diag(self.covariance), 0.0))

    @property
    def correlation(self) -> FloatArray:
        """Correlation of the counts, shape ``(bins, bins)``; 0 where there is no error."""
        scale = np.where(self.error > 0, self.error, np.inf)
        return np.asarray(self.covariance / np.outer(scale, scale))

    def normalised(self) -> Spectrum:
        r"""Return shares :math:`s_i = n_i / \sum_k n_k` of the bins, with their covariance.

        With :math:`J_{ij} = (\delta_{ij} - s_i) / \sum_k n_k` it is :math:`J C J^T`.

        Raises:
            RangeError: if the counts sum to nothing positive.
        """
        total = self.counts.sum()
        if not total > 0:
            raise RangeError(
                f"spectrum of {self.observable}: the counts sum to {total:g}, so that they have no "
                "shares; were the bins chosen in another unit?"
            )
        shares = self.counts / total
        slope = (np.eye(len(shares)) - shares[:, None]) / total
        return Spectrum(self.observable, self.edges, shares, slope @ self.covariance @ slope.T)


def checked_edges(edges: Sequence[float] | FloatArray, events: float, what: str) -> FloatArray:
    """Return edges of bins as float64.

    Args:
        edges: expected to increase.
        events: how many events are going to be put into the bins.
        what: whose they are, for the message.

    Raises:
        ShapeError: if they are no increasing row of numbers.
        RangeError: if there are fewer events than bins.
    """
    found = np.asarray(edges, np.float64)
    if found.ndim != 1 or len(found) < 2 or not (np.diff(found) > 0).all():
        raise ShapeError(f"{what}: expected at least two increasing edges of bins, found {edges}.")
    if events < len(found) - 1:
        raise RangeError(
            f"{what}: expected at least as many events as bins, found {events:.0f} events for "
            f"{len(found) - 1} bins; take fewer bins or more data."
        )
    return found


def histogram(values: FloatArray, weight: NDArray[Any], edges: FloatArray) -> FloatArray:
    """Return sums of weights in bins, without what lies outside; the last edge is inside.

    Args:
        values: shape ``(events,)``.
        weight: shape ``(..., events)``, such as one row per replica.
        edges: shape ``(bins + 1,)``.

    Returns:
        Shape ``(..., bins)``.
    """
    bins = len(edges) - 1
    place = np.searchsorted(edges, values, side="right") - 1
    place[values == edges[-1]] = bins - 1
    inside = (place >= 0) & (place < bins)
    rows = np.asarray(weight).reshape(-1, len(values))[:, inside]
    place = place[inside]
    sums = [np.bincount(place, weights=row, minlength=bins) for row in rows]
    return np.asarray(np.reshape(sums, (*np.shape(weight)[:-1], bins)), np.float64)


def quantile_edges(values: FloatArray, weight: FloatArray, bins: int) -> FloatArray:
    """Return edges of bins that hold about equal weight, without bins of no width.

    Args:
        values: shape ``(events,)``.
        weight: shape ``(events,)``; negative weights are left out.
        bins: how many at most; fewer where many events share a value.
    """
    order = np.argsort(values, kind="stable")
    share = np.cumsum(np.maximum(weight[order], 0.0))
    wanted = np.linspace(0.0, 1.0, bins + 1) * share[-1]
    places = np.minimum(np.searchsorted(share, wanted), len(order) - 1)
    edges = np.unique(values[order][places])
    return edges if len(edges) > 1 else np.array([edges[0] - 0.5, edges[0] + 0.5])
