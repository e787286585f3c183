"""The proof: unfolded spectra beside a truth that is known, and how often errors cover it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from ...data.pairs import Pairs, Sample
from ...data.weights import effective_events
from ...errors import RangeError
from ...evaluation.metrics.separation import separation_power
from ...random import Stream, generator
from .method import Progress, Unfolder
from .problem import Unfolding
from .refold import found_factors
from .result import Unfolded
from .spectrum import ONE_SIGMA, Spectrum, histogram

__all__ = [
    "Closure",
    "Coverage",
    "Expected",
    "closure",
    "coverage",
    "pseudo_experiment",
    "self_coverage",
]

FloatArray = NDArray[np.float64]

_REPEATS = 400
_ENOUGH = 50  # experiments


@dataclass(frozen=True)
class Closure:
    r"""Distances of one observable to the truth, as triangular discriminations in [0, 1].

    Args:
        observable: its name.
        unfolded: of the unfolded spectrum, bins from which no data come left out.
        error: of ``unfolded``, from bootstrap replicas of data, simulation and truth.
        raw: of the measured spectrum as it is.
        prior: of the simulation's truth.
        floor: what two samples of one truth give, of as many events as data and truth:
            :math:`(b - 1)(1/N + 1/M)/4` for b bins.
    """

    observable: str
    unfolded: float
    error: float
    raw: float
    prior: float
    floor: float

    @property
    def closes(self) -> bool:
        """True if it is at most twice the floor away."""
        return self.unfolded <= 2 * self.floor

    @property
    def helps(self) -> bool:
        """True if it is nearer than the raw data and the prior by two errors."""
        return self.unfolded + 2 * self.error < min(self.raw, self.prior)


def closure(
    result: Unfolded,
    problem: Unfolding,
    truth: Sample,
    edges: Mapping[str, Sequence[float] | FloatArray],
    *,
    seed: int,
) -> list[Closure]:
    """Compare what was unfolded with a truth that only a test knows.

    Of pseudo-data from the simulation itself it is a closure test, of another simulation a stress
    test.

    Args:
        result: what a method found.
        problem: what it was given.
        truth: true events behind the data.
        edges: of the bins by observable.
        seed: of the resampled truth.
    """
    rows = []
    for key, (name, given) in enumerate(edges.items()):
        bins = np.asarray(given, np.float64)
        found = result.spectrum(name, bins)
        there = histogram(truth.column(name), truth.weights, bins)
        raw = _in_bins(problem.data, name, bins)
        prior = _in_bins(problem.simulation.true_sample(), name, bins)
        numbers = result.data_events, effective_events(truth.weights)
        rows.append(
            Closure(
                observable=name,
                unfolded=_distance(found.counts, there),
                error=_spread(found, there, numbers[1], generator(seed, Stream.BOOTSTRAP, key)),
                raw=_distance(raw, there),
                prior=_distance(prior, there),
                floor=(len(bins) - 2) * sum(1 / n for n in numbers) / 4,
            )
        )
    return rows


@dataclass(frozen=True, eq=False)
class Coverage:
    """How often the stated 68 % intervals held the truth.

    Args:
        covered: part of the experiments in which a bin's interval held its truth, ``(bins,)``.
        pulls: mean of (found - true) / error in each bin, ``(bins,)``.
        experiments: how many there were.
    """

    covered: FloatArray
    pulls: FloatArray
    experiments: int

    @property
    def mean(self) -> float:
        """Mean over the bins."""
        return float(self.covered.mean())

    @property
    def allowed(self) -> float:
        r"""Two standard deviations of a covered part: :math:`2 \sqrt{p (1 - p) / N}`."""
        return 2 * math.sqrt(ONE_SIGMA * (1 - ONE_SIGMA) / self.experiments)

    @property
    def least(self) -> float:
        """Part that chance leaves uncovered in any of the bins with a probability of 1 %."""
        deviations = float(norm.isf(0.01 / len(self.covered)))
        return ONE_SIGMA - deviations * self.allowed / 2

    @property
    def covers(self) -> bool:
        """True if neither the mean over bins nor a single bin is lower than chance makes it."""
        return self.mean >= ONE_SIGMA - self.allowed and bool((self.covered >= self.least).all())

    @property
    def says_much(self) -> bool:
        """True if there were so many experiments that a wrong error of a third would be seen."""
        return self.experiments >= _ENOUGH

    def sentence(self) -> str:
        """Say it in words."""
        worst = int(self.covered.argmin())
        head = (
            f"the stated 68 % errors held the truth in {self.mean:.1%} of {self.experiments} "
            f"pseudo-experiments, mean over {len(self.covered)} bins (worst bin {worst + 1}: "
            f"{self.covered[worst]:.1%}, with a mean pull of {self.pulls[worst]:+.2f})"
        )
        if self.covers and self.says_much:
            return f"errors cover: {head}."
        if self.covers:
            return f"errors cover as far as so few experiments can tell: {head}."
        return (
            f"errors do NOT cover: {head}; expected 68.3 % ± {self.allowed:.1%}, and no bin below "
            f"{max(self.least, 0.0):.1%}."
        )


@dataclass(frozen=True, eq=False)
class Expected:
    """What a spectrum should be.

    Args:
        counts: expected true counts, ``(bins,)``.
        variance: of these numbers, where they are from simulated events: errors are tested
            together with it, ``(bins,)``.
    """

    counts: FloatArray
    variance: FloatArray | float = 0.0


def coverage(
    method: Unfolder,
    draw: Callable[[int], tuple[Unfolding, Mapping[str, Expected]]],
    edges: Mapping[str, Sequence[float] | FloatArray],
    *,
    experiments: int,
    seed: int,
    progress: Progress | None = None,
) -> dict[str, Coverage]:
    """Unfold pseudo-experiments, each with errors of its own, and count.

    Args:
        method: which one, its ``replicas`` above 1.
        draw: gives experiment n and, by observable, the expected true counts.
        edges: of the bins by observable.
        experiments: how many.
        seed: identity of the unfoldings.
        progress: called after each.

    Returns:
        What was counted, by observable.

    Raises:
        RangeError: if there is no experiment.
    """
    if experiments < 1:
        raise RangeError(f"coverage: expected at least 1 experiment, got {experiments}.")
    pulls: dict[str, list[FloatArray]] = {name: [] for name in edges}
    for n in range(experiments):
        problem, truth = draw(n)
        result = method.fit(problem, seed=seed + n)
        for name, bins in edges.items():
            found = result.spectrum(name, bins)
            error = np.sqrt(found.error**2 + truth[name].variance)
            error = np.where(found.error > 0, error, np.inf)
            pulls[name].append((found.counts - truth[name].counts) / error)
        if progress:
            progress(n + 1, experiments)
    return {name: _counted(np.stack(rows)) for name, rows in pulls.items()}


def _counted(pulls: FloatArray) -> Coverage:
    held = (np.abs(pulls) <= 1) & (pulls != 0)  # a bin without an error holds nothing
    return Coverage(held.mean(axis=0), pulls.mean(axis=0), len(pulls))


def self_coverage(
    method: Unfolder,
    problem: Unfolding,
    result: Unfolded,
    spectra: Sequence[Spectrum],
    *,
    experiments: int,
    seed: int,
    progress: Progress | None = None,
) -> list[Coverage]:
    """Test a method's errors on pseudo-experiments made of the problem's own simulation.

    See :func:`pseudo_experiment`; this is how a verdict knows whether errors cover without a
    closed form.

    Args:
        method: which one.
        problem: simulation and data.
        result: what the method found.
        spectra: of it; pseudo-data follow all of them, and each is tested.
        experiments: how many.
        seed: identity of experiments and unfoldings.
        progress: called after each.
    """
    factor = found_factors(problem.simulation, result, spectra)
    edges = {found.observable: found.edges for found in spectra}

    def draw(n: int) -> tuple[Unfolding, dict[str, Expected]]:
        pseudo, truth = pseudo_experiment(problem, factor, seed=seed, experiment=n)
        return pseudo, {name: _expected(truth, name, bins) for name, bins in edges.items()}

    found = coverage(method, draw, edges, experiments=experiments, seed=seed, progress=progress)
    return list(found.values())


def pseudo_experiment(
    problem: Unfolding, factor: FloatArray, *, seed: int, experiment: int
) -> tuple[Unfolding, Sample]:
    """Make pseudo-data with a known truth from simulated events.

    Of a random third of the simulated events, weighted, each is measured n times, n Poisson of a
    mean such that there are as many as data. Another third stays the simulation. The last one,
    weighted, is the truth: that of the first has chance of its own in every bin, which is in the
    data and not in the law that they are of, and which a stiff method rightly does not follow.
    Negative weights count as none.

    Args:
        problem: simulation and data.
        factor: by which to weight a simulated event, such as that of
            :func:`~simulacra.tasks.unfolding.refold.found_factors`, shape ``(events,)``.
        seed: identity of the experiments.
        experiment: which one.

    Returns:
        The problem, and true events with their expected weights.
    """
    simulation = problem.simulation
    rng = generator(seed, Stream.SPLIT, experiment)
    parts = np.array_split(rng.permutation(len(simulation)), 3)
    kept = simulation.select(parts[1])
    behind, apart = (
        _like_data(problem, simulation.select(part), factor[part]) for part in (parts[0], parts[2])
    )
    times = rng.poisson(behind.weights[behind.in_reco]).astype(np.float64)
    data = behind.weighted(np.ones(len(behind))).reco_sample().weighted(times)
    return Unfolding(kept, data), apart.true_sample()


def _like_data(problem: Unfolding, part: Pairs, factor: FloatArray) -> Pairs:
    """Return simulated events with weights by which as many are measured as there are data."""
    weight = np.maximum(part.weights, 0.0) * factor
    weight *= effective_events(problem.data.weights) / weight[part.in_reco].sum()
    return part.weighted(weight)


def _expected(truth: Sample, name: str, edges: FloatArray) -> Expected:
    squares = histogram(truth.column(name), truth.weights**2, edges)
    return Expected(_in_bins(truth, name, edges), squares)


def _in_bins(sample: Sample, name: str, edges: FloatArray) -> FloatArray:
    return histogram(sample.column(name), sample.weights, edges)


def _distance(a: FloatArray, b: FloatArray) -> float:
    return float(separation_power(a, b))


def _spread(found: Spectrum, truth: FloatArray, events: float, rng: np.random.Generator) -> float:
    """Return the standard deviation of the distance under fluctuations of both sides."""
    drawn = rng.multivariate_normal(found.counts, found.covariance, _REPEATS, method="eigh")
    share = truth / truth.sum()
    others = rng.poisson(share * events, (_REPEATS, len(share)))
    values: Any = [
        separation_power(np.maximum(a, 0), b) for a, b in zip(drawn, others, strict=True)
    ]
    return float(np.std(values))
