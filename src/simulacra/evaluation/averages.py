"""Weighted means and widths of a sample with their errors; weights may be negative."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["weighted_mean", "weighted_width"]

Array = NDArray[Any]
FloatArray = NDArray[np.float64]


def weighted_mean(values: Array, weight: Array) -> tuple[FloatArray, FloatArray]:
    r"""Return means over the events and their errors.

    .. math:: m = \frac{\sum_i w_i x_i}{\sum_i w_i}, \quad
        \Delta m^2 = \frac{\sum_i w_i^2 (x_i - m)^2}{(\sum_i w_i)^2}

    Args:
        values: any unit, shape ``(events,)`` or ``(events, columns)``; nan takes no part.
        weight: event weights, shape ``(events,)``.

    Returns:
        Mean and one standard deviation of it, shape ``()`` or ``(columns,)``; nan without a
        positive sum of weights.
    """
    x, w = _prepared(values, weight)
    total = _positive(w.sum(axis=0))
    mean = (w * x).sum(axis=0) / total
    return mean, np.sqrt(((w * (x - mean)) ** 2).sum(axis=0)) / total


def weighted_width(values: Array, weight: Array) -> tuple[FloatArray, FloatArray]:
    r"""Return standard deviations over means and their errors.

    .. math:: \rho = \frac{\sigma}{m}, \quad
        \Delta\rho^2 = \sum_i \frac{w_i^2}{(\sum_j w_j)^2}
        \left( \frac{(x_i - m)^2 - \sigma^2}{2 \sigma m} - \frac{\sigma (x_i - m)}{m^2} \right)^2

    Args:
        values: any unit, shape ``(events,)`` or ``(events, columns)``; nan takes no part.
        weight: event weights, shape ``(events,)``.

    Returns:
        Relative width and one standard deviation of it, dimensionless, shape ``()`` or
        ``(columns,)``; nan where it is not defined.
    """
    x, w = _prepared(values, weight)
    total = _positive(w.sum(axis=0))
    mean = (w * x).sum(axis=0) / total
    away = x - mean
    sigma = np.sqrt(_positive((w * away**2).sum(axis=0) / total))
    pull = (away**2 - sigma**2) / (2 * sigma * mean) - sigma * away / mean**2
    return sigma / mean, np.sqrt(((w * pull) ** 2).sum(axis=0)) / total


def _prepared(values: Array, weight: Array) -> tuple[FloatArray, FloatArray]:
    """Return values without nan and weights that are 0 there, of the same shape."""
    x = np.asarray(values, np.float64)
    w = np.broadcast_to(weight.reshape(-1, *[1] * (x.ndim - 1)), x.shape)
    absent = np.isnan(x)
    return np.where(absent, 0, x), np.where(absent, 0, w)


def _positive(number: Array) -> FloatArray:
    return np.where(number > 0, number, np.nan)
