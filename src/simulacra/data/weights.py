"""Event weights as users give them: checked once, and how many events they are worth."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import RangeError, ShapeError

__all__ = ["checked_weights", "effective_events", "positive_total"]

FloatArray = NDArray[np.float64]


def checked_weights(weight: ArrayLike | None, events: int, name: str) -> FloatArray:
    """Return one finite weight per event, ``(events,)``; 1 by default.

    Args:
        weight: what a user gave, dimensionless, ``(events,)``; may be negative.
        events: number of events.
        name: of the sample, for messages.

    Raises:
        ShapeError: if there is not one weight per event.
        RangeError: if a weight is not finite.
    """
    if weight is None:
        return np.ones(events)
    weights = np.asarray(weight, np.float64)
    if weights.shape != (events,):
        raise ShapeError(
            f"{name} weights: expected one for each of {events} events, shape ({events},), got "
            f"{weights.shape}; weights and observables must come from the same selection."
        )
    if not np.isfinite(weights).all():
        raise RangeError(
            f"{name} weights: {int((~np.isfinite(weights)).sum())} of {events} are NaN or "
            "infinite; leave these events out or find what made them so."
        )
    return weights


def positive_total(weights: FloatArray, name: str) -> FloatArray:
    """Return weights as they are if their sum is positive.

    Args:
        weights: ``(events,)``.
        name: of the sample, for the message.

    Raises:
        RangeError: if it is not.
    """
    if not weights.sum() > 0:
        raise RangeError(
            f"{name} weights: they sum to {weights.sum():.4g}, expected a positive total; a sample "
            "whose negative weights win describes no density. Add events or another process."
        )
    return weights


def effective_events(weight: NDArray[Any]) -> float:
    r"""Return how many events of unit weight have the same relative error of their sum.

    .. math:: n = \frac{(\sum w)^2}{\sum w^2}

    Blind to where the weights are large: a region may rest on one event while n looks healthy.

    Args:
        weight: event weights, negative ones too, ``(events,)``.

    Raises:
        RangeError: if all weights are zero.
    """
    weight = np.asarray(weight, np.float64)
    squares = float((weight**2).sum())
    if squares == 0:
        raise RangeError("effective events: expected weights, found only zeros.")
    return float(weight.sum() ** 2) / squares
