"""Fréchet and kernel physics distance: two samples compared in many observables at once."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ...config import Config
from ...random import Stream, generator
from .moments import (
    checked_features,
    drawing_probability,
    drawn_moments,
    frechet_distance,
    moments,
    noise,
)

__all__ = [
    "FRECHET_CANNOT_SEE",
    "FrechetPhysicsDistance",
    "FrechetSettings",
    "frechet_physics_distance",
]

Array = NDArray[Any]
FloatArray = NDArray[np.float64]
Progress = Callable[[int, int], None]

FRECHET_CANNOT_SEE = (
    "anything beyond means and linear correlations of the features: other shapes of their "
    "distributions, rare showers, single voxels"
)


class FrechetSettings(Config):
    """How the Fréchet physics distance is measured; the defaults are the challenge's."""

    smallest: int = Field(10_000, ge=2)
    """Showers of the smallest draws."""
    largest: int = Field(50_000, ge=3)
    """Showers of the largest draws."""
    points: int = Field(10, ge=3)
    """Number of sizes, equally spaced in one over the size."""
    batches: int = Field(20, ge=2)
    """Draws of each size."""
    seed: int = Field(42, ge=0)
    """Seed of the draws; 42 is what published numbers were made with."""
    halves: int = Field(20, ge=2)
    """Random halves of the reference behind the floor."""

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Showers per draw, increasing, shape ``(points,)``."""
        inverse = np.linspace(1 / self.smallest, 1 / self.largest, self.points)
        return (1 / inverse).astype(np.int64)


@dataclass(frozen=True)
class FrechetPhysicsDistance:
    """A Fréchet physics distance with what it was extrapolated from.

    Args:
        value: intercept of the fit, as the official program finds it; dimensionless.
        error: its error, as the official program states it: of the fit alone.
        sampling_error: one standard deviation of the distance for other showers of the same two
            distributions, as many of each.
        exact_value: intercept at the true minimum of the fit.
        exact_slope: its slope, in showers.
        exact_error: error of ``exact_value`` from the fit.
        plug_in: distance of the two samples as they are, without any draw.
        floor: expected ``value`` of two reference samples of the comparison's own sizes.
        floor_error: standard deviation of one such comparison.
        floor_from: where the floor comes from, in words.
        sizes: showers per draw, one per point of the fit.
        means: mean distance at each size.
        spreads: standard deviation of the draws at each size.
        events_reference: showers of the reference.
        events_generated: generated showers.
    """

    value: float
    error: float
    sampling_error: float
    exact_value: float
    exact_slope: float
    exact_error: float
    plug_in: float
    floor: float
    floor_error: float
    floor_from: str
    sizes: tuple[int, ...]
    means: tuple[float, ...]
    spreads: tuple[float, ...]
    events_reference: int
    events_generated: int


def frechet_physics_distance(
    reference: Array,
    generated: Array,
    *,
    settings: FrechetSettings | None = None,
    weight_reference: Array | None = None,
    weight_generated: Array | None = None,
    independent: Array | None = None,
    progress: Progress | None = None,
) -> FrechetPhysicsDistance:
    r"""Compare two samples by the Fréchet distance of normal distributions fitted to features.

    Features are divided by their largest absolute value in the reference. At ten sizes N, equally
    spaced in 1/N, 20 samples are drawn with replacement from both sides, and the mean squared
    distance (:func:`~.moments.frechet_distance`) is fitted by :math:`a + b / N` with
    :math:`a, b \ge 0`; the value is a. R. Kansal et al., "Evaluating generative models in high
    energy physics", 2022, arXiv:2211.10295, with the sizes of the CaloChallenge. For the same
    seed the draws are those of the program ``jetnet``, and so are the numbers, to 1e-6.

    **What the official number is.** ``jetnet`` fits with ``scipy.optimize.curve_fit``, whose
    stopping rule is absolute (gradient below 1e-8). For distances below about 1e-3 it stops
    early, up to several 1e-5 above the minimum, and states a larger error. ``value`` and ``error``
    come from the same optimiser and so stand beside published numbers; ``exact_value`` is the true
    minimum. Neither error contains the fluctuation of the samples, ``sampling_error`` does.

    **Floor.** Two samples of one truth differ by chance in proportion to
    :math:`\nu = 1/N + 1/M`. The plug-in distance of random halves of the reference (or of an
    independent reference), scaled by :math:`\nu`, replaces the comparison's own in the points of
    the fit, which is then done alike. The floor is not zero where features are many.

    Where a covariance is singular, ``jetnet`` may add 1e-6 to its diagonal; here the formula holds
    as it is.

    It cannot see anything beyond means and linear correlations of the features: other shapes of
    their distributions, rare showers, single voxels.

    Args:
        reference: features of the reference, shape ``(events_reference, features)``.
        generated: the same features of the generated showers, ``(events_generated, features)``.
        settings: sizes, draws and seed; the challenge's by default.
        weight_reference: event weights, at least 0; an event is drawn in proportion.
        weight_generated: the same for the generated showers.
        independent: features of a second reference sample, for the floor.
        progress: called with (draws done, draws).

    Raises:
        ShapeError: if arrays do not fit each other.
        RangeError: if a number is not finite, a weight negative, or a sample has fewer than four
            events.
    """
    settings = FrechetSettings() if settings is None else settings
    truth, ours = checked_features(reference, generated)
    chances = (
        drawing_probability(weight_reference, len(truth)),
        drawing_probability(weight_generated, len(ours)),
    )
    halves = _random_halves(len(truth), settings)
    batches, half_distances = _drawn_distances(truth, ours, chances, halves, settings, progress)
    means = batches.mean(axis=1)
    value, error = _official_fit(settings.sizes, means)
    exact_value, exact_slope, exact_error = _exact_fit(settings.sizes, means)
    plug_in = frechet_distance(*moments(truth, chances[0]), *moments(ours, chances[1]))
    chance_noise = noise(chances[0], len(truth)) + noise(chances[1], len(ours))
    half_distances *= chance_noise / _half_noise(halves, chances[0])
    spread, floor = float(half_distances.std()), float(half_distances.mean())
    origin = f"{settings.halves} random halves of the {len(truth)} reference showers"
    if independent is not None:
        second = checked_features(reference, independent)[1]
        floor = frechet_distance(*moments(truth, chances[0]), *moments(second))
        floor *= chance_noise / (noise(chances[0], len(truth)) + 1 / len(second))
        origin = f"{len(second)} independent reference showers"
    floor_points = means - plug_in + floor
    large = settings.sizes >= settings.largest / 2
    drawn = chance_noise / 2 * float(settings.sizes[large] @ batches[large].var(axis=1, ddof=1))
    drawn /= large.sum()
    return FrechetPhysicsDistance(
        value=value,
        error=error,
        sampling_error=float(np.sqrt(max(drawn - 2 * spread**2, spread**2))),
        exact_value=exact_value,
        exact_slope=exact_slope,
        exact_error=exact_error,
        plug_in=plug_in,
        floor=_official_fit(settings.sizes, floor_points)[0],
        floor_error=float(np.hypot(spread, exact_error)),
        floor_from=f"{origin}, scaled by 1/N to {len(truth)} against {len(ours)}",
        sizes=tuple(int(size) for size in settings.sizes),
        means=tuple(means.tolist()),
        spreads=tuple(batches.std(axis=1).tolist()),
        events_reference=len(truth),
        events_generated=len(ours),
    )


def _random_halves(events: int, settings: FrechetSettings) -> list[NDArray[np.int32]]:
    """Return the events of both halves, one after the other, for each split."""
    rng = generator(settings.seed, Stream.BOOTSTRAP)
    orders = [rng.permutation(events).astype(np.int32) for _ in range(settings.halves)]
    return [part for order in orders for part in np.split(order, [events // 2])]


def _half_noise(halves: list[NDArray[np.int32]], chance: FloatArray | None) -> FloatArray:
    """Return the sum of both halves' 1 / (effective number of events), for each split."""
    each = [noise(None if chance is None else chance[p] / chance[p].sum(), len(p)) for p in halves]
    both: FloatArray = np.array(each[::2]) + np.array(each[1::2])
    return both


def _drawn_distances(
    truth: FloatArray,
    ours: FloatArray,
    chances: tuple[FloatArray | None, FloatArray | None],
    halves: list[NDArray[np.int32]],
    settings: FrechetSettings,
    progress: Progress | None,
) -> tuple[FloatArray, FloatArray]:
    """Return the distances of pairs of draws, (points, batches), and of halves, (halves,)."""
    rng = np.random.default_rng(settings.seed)  # the official draws, shower by shower
    draws: tuple[list[NDArray[np.int32]], list[NDArray[np.int32]]] = ([], [])
    for size in settings.sizes:
        for _ in range(settings.batches):
            for drawn, sample, chance in zip(draws, (truth, ours), chances, strict=True):
                drawn.append(rng.choice(len(sample), size=int(size), p=chance).astype(np.int32))
    steps = len(draws[1])
    if chances[0] is None:  # halves are draws too: they share the products of features
        draws[0].extend(halves)
    of_truth = drawn_moments(truth, draws[0])
    found = []
    for second in drawn_moments(ours, draws[1]):
        found.append(frechet_distance(*next(of_truth), *second))
        if progress is not None:
            progress(len(found), steps)
    if chances[0] is None:
        parts = list(of_truth)
    else:
        parts = [moments(truth[p], chances[0][p] / chances[0][p].sum()) for p in halves]
    of_halves = [frechet_distance(*a, *b) for a, b in zip(parts[::2], parts[1::2], strict=True)]
    return np.array(found).reshape(settings.points, settings.batches), np.array(of_halves)


def _official_fit(sizes: NDArray[np.int64], means: FloatArray) -> tuple[float, float]:
    """Return intercept and error as scipy's bounded optimiser leaves them."""
    from scipy.optimize import OptimizeWarning, curve_fit

    def line(inverse: FloatArray, intercept: float, slope: float) -> FloatArray:
        return intercept + slope * inverse

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OptimizeWarning)  # an error that cannot be told is inf
        found, covariance = curve_fit(line, 1 / sizes, means, bounds=([0, 0], [np.inf, np.inf]))
    return float(found[0]), float(np.sqrt(covariance[0, 0]))


def _exact_fit(sizes: NDArray[np.int64], means: FloatArray) -> tuple[float, float, float]:
    """Return intercept, slope and the intercept's error at the minimum with both at least 0."""
    inverse = 1 / sizes
    table = np.column_stack([np.ones(len(sizes)), inverse])
    intercept, slope = np.linalg.lstsq(table, means, rcond=None)[0]
    if slope < 0:
        intercept, slope = max(means.mean(), 0.0), 0.0
    elif intercept < 0:
        intercept, slope = 0.0, max(float(inverse @ means / (inverse @ inverse)), 0.0)
    residuals = means - intercept - slope * inverse
    variance = residuals @ residuals / (len(sizes) - 2) * np.linalg.inv(table.T @ table)[0, 0]
    return float(intercept), float(slope), float(np.sqrt(variance))
