"""One refinement to be done: a source that is almost right, and the target it should equal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...classify import Clouds
from ...data.weights import checked_weights, positive_total
from ...errors import RangeError, ShapeError
from ...random import Stream, generator

__all__ = ["Samples", "checked_events"]

Array = NDArray[Any]
FloatArray = NDArray[np.float64]
Rows = FloatArray | Clouds

_FEWEST = 20  # events of a sample; fewer cannot be cut into training, selection and unseen ones


@dataclass(frozen=True, eq=False)
class Samples:
    """Two samples of the same observables with event weights, checked once.

    Made by :meth:`of`, which checks.

    Args:
        source: the sample to be refined, ``(events, features)`` or clouds of points.
        target: the sample it should look like, with as many features.
        source_weight: ``(events,)``, may be negative; its sum is positive.
        target_weight: the same of the target.
    """

    source: Rows
    target: Rows
    source_weight: FloatArray
    target_weight: FloatArray

    @classmethod
    def of(
        cls,
        source: ArrayLike | Clouds,
        target: ArrayLike | Clouds,
        source_weight: ArrayLike | None = None,
        target_weight: ArrayLike | None = None,
    ) -> Samples:
        """Check two samples and their weights.

        Args:
            source: ``(events, features)``, in any unit; one number per event may be ``(events,)``.
            target: the same, in the same units.
            source_weight: event weights, may be negative; default 1.
            target_weight: the same of the target.

        Raises:
            ShapeError: if the samples have different features or weights of another length.
            RangeError: if a number is not finite, a sum of weights is not positive, a sample has
                fewer than 20 events, or a feature of the two has no value in common.
        """
        rows = checked_events(source, "source"), checked_events(target, "target")
        _refuse_different(*rows)
        for name, one in zip(("source", "target"), rows, strict=True):
            if len(one) < _FEWEST:
                raise RangeError(f"{name}: expected at least {_FEWEST} events, got {len(one)}.")
        weights = (
            positive_total(checked_weights(source_weight, len(rows[0]), "source"), "source"),
            positive_total(checked_weights(target_weight, len(rows[1]), "target"), "target"),
        )
        _refuse_disjoint(*rows)
        return cls(*rows, *weights)

    @property
    def features(self) -> int:
        """Number of observables of an event, or of a point of its cloud."""
        return _features(self.source)

    @property
    def tables(self) -> tuple[FloatArray, FloatArray]:
        """Source and target as rows of observables, ``(events, features)`` each.

        Raises:
            ShapeError: if events are sets of points.
        """
        if isinstance(self.source, Clouds) or isinstance(self.target, Clouds):
            raise ShapeError(
                "refinement: expected one row of observables per event, got sets of points; fit a "
                "method to the sets and diagnose it on observables of them."
            )
        return self.source, self.target

    def halves(self, *, seed: int) -> tuple[Samples, Samples]:
        """Cut both samples at random into a half to learn from and a half to be judged on.

        Args:
            seed: identity of the split.

        Raises:
            RangeError: if the weights of a half do not sum to a positive number.
        """
        which = self.split(seed=seed)
        parts = tuple(
            Samples(
                self.source[source],
                self.target[target],
                positive_total(self.source_weight[source], "source"),
                positive_total(self.target_weight[target], "target"),
            )
            for source, target in zip(*which, strict=True)
        )
        return parts[0], parts[1]

    def split(self, *, seed: int) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
        """Return for the source and for the target the event numbers of both halves, rising."""
        found = []
        for number, rows in enumerate((self.source, self.target)):
            order = generator(seed, Stream.SPLIT, number).permutation(len(rows))
            cut = len(rows) // 2
            found.append((np.sort(order[:cut]), np.sort(order[cut:])))
        return found[0], found[1]


def checked_events(events: ArrayLike | Clouds, name: str) -> Rows:
    """Return observables as finite numbers, ``(events, features)``, or clouds as they are.

    Args:
        events: what a user gave.
        name: of the sample, for messages.

    Raises:
        ShapeError: if the array is no table.
        RangeError: if a number is not finite.
    """
    rows: Rows
    if isinstance(events, Clouds):
        rows, finite = events, np.isfinite(events.points[events.mask]).all()
    else:
        table = np.asarray(events, np.float64)
        rows = table[:, None] if table.ndim == 1 else table
        if rows.ndim != 2 or rows.shape[1] == 0:
            raise ShapeError(
                f"{name}: expected observables of shape (events, features), got {table.shape}."
            )
        finite = np.isfinite(rows).all()
    if not finite:
        raise RangeError(
            f"{name}: an observable is not a finite number{_which(rows)}; leave such events out "
            "or give the observable a value for them."
        )
    return rows


def _refuse_different(source: Rows, target: Rows) -> None:
    kinds = [isinstance(rows, Clouds) for rows in (source, target)]
    if kinds[0] != kinds[1] or _features(source) != _features(target):
        names = [
            f"{_features(rows)} {'features per point' if cloud else 'observables'}"
            for rows, cloud in zip((source, target), kinds, strict=True)
        ]
        raise ShapeError(
            f"expected source and target with the same observables, got {names[0]} and {names[1]}."
        )


def _refuse_disjoint(source: Rows, target: Rows) -> None:
    """Refuse samples of which a feature's ranges do not touch: no ratio is defined anywhere."""
    low, high = _over(source, np.min), _over(source, np.max)
    other_low, other_high = _over(target, np.min), _over(target, np.max)
    apart = np.flatnonzero((high < other_low) | (other_high < low))
    if len(apart):
        i = apart[0]
        raise RangeError(
            f"source and target do not overlap: observable {i} lies in {low[i]:.4g} to "
            f"{high[i]:.4g} in the source and in {other_low[i]:.4g} to {other_high[i]:.4g} in the "
            "target. Weights cannot make events where there are none; check units and selection."
        )


def _over(rows: Rows, extreme: Callable[..., Any]) -> FloatArray:
    numbers = rows.points[rows.mask] if isinstance(rows, Clouds) else rows
    return np.asarray(extreme(numbers, axis=0), np.float64)


def _features(rows: Rows) -> int:
    return int((rows.points if isinstance(rows, Clouds) else rows).shape[-1])


def _which(rows: Rows) -> str:
    if isinstance(rows, Clouds):
        return ""
    bad = ~np.isfinite(rows)
    return f" in {int(bad.any(axis=1).sum())} of {len(rows)} events, first in column " + str(
        int(np.flatnonzero(bad.any(axis=0))[0])
    )
