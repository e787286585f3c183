"""Samples as balls around their showers: compared with others and with themselves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import RangeError, ShapeError
from ...random import Stream, generator
from .neighbours import nearest_others, pairs_inside
from .rows import FeatureRows

__all__ = [
    "BallFloor",
    "BallMeans",
    "Balls",
    "WeightedRows",
    "compared",
    "extrapolated_floor",
    "independent_floor",
]

Array = NDArray[Any]
FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Progress = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class WeightedRows:
    """A sample: its showers as feature vectors, and their weights.

    Args:
        rows: the showers.
        weight: event weights, shape ``(events,)``; may be negative.
    """

    rows: FeatureRows
    weight: FloatArray

    @classmethod
    def checked(cls, rows: FeatureRows, weight: Array | None, name: str) -> WeightedRows:
        """Join showers and weights; ones by default.

        Raises:
            ShapeError: if there is not one weight per shower.
            RangeError: if the weights do not sum to a positive number.
        """
        if weight is None:
            return cls(rows, np.ones(len(rows)))
        weight = np.asarray(weight, np.float64)
        if weight.shape != (len(rows),):
            raise ShapeError(
                f"weight: expected one per {name} shower, ({len(rows)},), got {weight.shape}."
            )
        if not weight.sum() > 0:
            raise RangeError(
                f"weight: expected a positive sum for the {name} showers, found "
                f"{weight.sum():g}; too few events for their negative weights."
            )
        return cls(rows, weight)

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, which: IntArray) -> WeightedRows:
        """Return some showers, in the order of ``which``."""
        return WeightedRows(self.rows.take(which), self.weight[which])


@dataclass(frozen=True, eq=False)
class Balls:
    """The distinct showers of a sample with the distance to their k-th other shower.

    Args:
        centres: distinct showers.
        kind: which of them each shower of the sample is, shape ``(events,)``.
        number: how often each occurs, shape ``(distinct,)``.
        square_radius: squared distance to the k-th other shower; 0 where k others are equal.
        weight: event weights of the sample, shape ``(events,)``.
    """

    centres: FeatureRows
    kind: IntArray
    number: IntArray
    square_radius: FloatArray
    weight: FloatArray

    @classmethod
    def around(cls, sample: WeightedRows, k: int, progress: Progress | None = None) -> Balls:
        """Find the radii of a sample of more than ``k`` showers."""
        first, kind, number = sample.rows.identical()
        if len(first) == len(sample):
            centres, kind = sample.rows, np.arange(len(sample))
        else:
            centres = sample.rows.take(first)
        if len(first) == 1:
            return cls(centres, kind, number, np.zeros(1), sample.weight)
        near = nearest_others(centres, min(k, len(first) - 1), progress=progress)
        copies = (number - 1)[:, None]
        reached = np.hstack([copies, copies + np.cumsum(number[near.index], axis=1)])
        distances = np.hstack([np.zeros((len(first), 1)), near.square_distance])
        kth = (reached >= k).argmax(axis=1)
        radius = distances[np.arange(len(first)), kth]
        return cls(centres, kind, number, radius, sample.weight)


@dataclass(frozen=True, eq=False)
class BallMeans:
    """Precision, recall, density and coverage.

    Args:
        values: the four numbers, shape ``(4,)``.
        errors: one standard deviation of each, shape ``(4,)``.
    """

    values: FloatArray
    errors: FloatArray

    @classmethod
    def averaged(cls, parts: Sequence[BallMeans]) -> BallMeans:
        """Average comparisons of disjoint parts."""
        values = np.mean([part.values for part in parts], axis=0)
        squares = np.sum([part.errors**2 for part in parts], axis=0)
        return cls(values, np.sqrt(squares) / len(parts))


def compared(
    reference: Balls, generated: Balls, k: int, progress: Progress | None = None
) -> BallMeans:
    """Count which showers lie in whose balls."""
    inside = pairs_inside(
        reference.centres,
        generated.centres,
        (reference.square_radius, generated.square_radius),
        reference.number,
        progress=progress,
    )
    balls = inside.balls[generated.kind]
    v, w = reference.weight, generated.weight
    found = [
        _mean(balls > 0, w, v),
        _mean(inside.has_host[reference.kind], v, w),
        _mean(balls / k, w, v),
        _mean(inside.has_guest[reference.kind], v, w),
    ]
    values, errors = np.array(found).T
    return BallMeans(values, errors)


def _mean(values: Array, weight: FloatArray, others: FloatArray) -> tuple[float, float]:
    """Return the weighted mean and its error; ``others`` are the weights of the other sample."""
    noise, other_noise = ((w**2).sum() / w.sum() ** 2 for w in (weight, others))
    mean = float((weight * values).sum() / weight.sum())  # a sum, whatever the threads of a product
    variance = float((weight**2 * (values - mean) ** 2).sum() / (weight**2).sum())
    variance = max(variance, float(noise) / 2)  # all of N alike: the fraction may be 1 / (2 N) off
    return mean, float(np.sqrt(variance * (noise + other_noise)))


@dataclass(frozen=True, eq=False)
class BallFloor:
    """What two perfect samples would give.

    Args:
        values: the four numbers, shape ``(4,)``.
        errors: standard deviation of one comparison around them, with their own uncertainty.
        origin: where they come from, in words.
    """

    values: FloatArray
    errors: FloatArray
    origin: str


def independent_floor(balls: Balls, independent: FeatureRows, k: int) -> BallFloor:
    """Compare the reference with a second one."""
    second = WeightedRows(independent, np.ones(len(independent)))
    found = compared(balls, Balls.around(second, k), k)
    origin = f"{len(second)} independent reference showers against {len(balls.kind)}, not scaled"
    return BallFloor(found.values, found.errors * np.sqrt(2), origin)


def extrapolated_floor(
    reference: WeightedRows, events_generated: int, k: int, levels: int, seed: int
) -> BallFloor:
    """Compare disjoint parts of the reference, ever smaller ones, and continue to its own size.

    Each level uses every shower once, so that the levels are about equally precise.
    """
    events = len(reference)
    order = generator(seed, Stream.BOOTSTRAP).permutation(events)
    found, sizes = [], []
    for level in range(levels):
        pairs = [
            _shared(group, events / (events + events_generated), k)
            for group in np.array_split(order, 2**level)
        ]
        if level > 0 and min(len(part) for pair in pairs for part in pair) < 10 * k:
            break
        balls = [[Balls.around(reference.take(part), k) for part in pair] for pair in pairs]
        found.append(BallMeans.averaged([compared(a, b, k) for a, b in balls]))
        sizes.append(len(pairs[0][0]))
    logarithms = np.log(np.array(sizes) / events)[:, None] ** np.arange(min(len(sizes), 2))
    line = np.linalg.pinv(logarithms)[0]  # the value of the fitted line at the full size
    errors = np.array([level.errors for level in found])
    variance = line**2 @ errors**2 + errors[0] ** 2 * sizes[0] / events
    origin = (
        f"disjoint parts of the reference, {', '.join(map(str, sizes))} showers against their "
        f"share, continued to {events} against {events_generated} linearly in log N"
    )
    values = line @ np.array([level.values for level in found])
    return BallFloor(values, np.sqrt(variance), origin)


def _shared(group: IntArray, share: float, k: int) -> tuple[IntArray, IntArray]:
    """Cut a group in the ratio of the comparison, with more than k showers on both sides."""
    cut = int(np.clip(round(len(group) * share), k + 1, len(group) - k - 1))
    return np.sort(group[:cut]), np.sort(group[cut:])
