"""Ratios of densities in this room: by networks or by a polynomial, and what follows for fakes."""

from __future__ import annotations

from typing import Annotated, Any, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import Discriminator, Tag

from ...classify.polynomial import PolynomialConfig, fit_polynomial
from ...classify.ratio import RatioConfig, fit_ratio
from ...data.clouds import Clouds
from ...data.pairs import Sample
from ...errors import RangeError, ShapeError
from ...random import Stream, generator
from .problem import Unfolding

__all__ = ["Ratio", "RatioSettings", "Rows", "miss_odds", "ratio_between", "seed_of", "signal"]

FloatArray = NDArray[np.float64]

Rows = FloatArray | Clouds
"""Events as observables, shape ``(events, observables)``, or as sets of particles."""


def _kind(given: Any) -> str:
    found = given.get("kind") if isinstance(given, dict) else getattr(given, "kind", None)
    return str(found or "network")


RatioSettings = Annotated[
    Annotated[RatioConfig, Tag("network")] | Annotated[PolynomialConfig, Tag("polynomial")],
    Discriminator(_kind),
]
"""Settings of an estimator; those with ``kind: polynomial`` are of a polynomial."""


class Ratio(Protocol):
    """A fitted ratio of two densities."""

    def log_ratio(self, x: Any) -> FloatArray:
        """Return ln(p target / p source) of events like those it was fitted to, ``(events,)``."""
        ...


def ratio_between(
    source: Rows,
    target: Rows,
    source_weight: FloatArray,
    target_weight: FloatArray,
    *,
    config: RatioConfig | PolynomialConfig,
    seed: int,
) -> Ratio:
    """Fit ln(p target / p source) with the estimator that the settings are of.

    Events of weight 0 are left out: a bootstrap replica has a third of them.

    Args:
        source: shape ``(events, observables)``, or sets of particles.
        target: the same of the other sample.
        source_weight: shape ``(events,)``; may be negative.
        target_weight: shape ``(events,)``; may be negative.
        config: settings of the estimator.
        seed: identity of the training, if there is one.

    Raises:
        RangeError: if there are too few events, or a total weight is not positive.
        ShapeError: if a polynomial was asked for of sets.
    """
    a, b = source_weight != 0, target_weight != 0
    weights = source_weight[a], target_weight[b]
    if isinstance(config, RatioConfig):
        return fit_ratio(source[a], target[b], *weights, config=config, seed=seed)
    if isinstance(source, Clouds) or isinstance(target, Clouds):
        raise ShapeError(
            "unfolding: a polynomial is one of observables and cannot read particles; take "
            "networks (the method omnifold), or leave the particles aside with problem.of(names)."
        )
    return fit_polynomial(source[a], target[b], *weights, config)


def seed_of(seed: int, *numbers: int) -> int:
    """Return a seed for one of several trainings under one seed."""
    return int(generator(seed, Stream.INITIALISATION, *numbers).integers(2**62))


def signal(problem: Unfolding, *, config: RatioConfig | PolynomialConfig, seed: int) -> Sample:
    """Return the data, each event weighted by the chance that it is no fake.

    The chance is the simulation's at the event's observables, whatever the normalisation:
    1 / (1 + odds), with the odds of fakes against events that pass both selections.

    Args:
        problem: simulation and data.
        config: how the odds are estimated.
        seed: identity of the training.
    """
    simulation, data = problem.simulation, problem.data
    fakes = simulation.in_reco & ~simulation.in_truth
    if not fakes.any():
        return data
    odds = _odds(
        simulation.reco,
        simulation.matched,
        fakes,
        simulation.weights,
        data.values,
        config=config,
        seed=seed,
    )
    return data.weighted(data.weights / (1 + odds))


def miss_odds(
    problem: Unfolding, truth: FloatArray, *, config: RatioConfig | PolynomialConfig, seed: int
) -> FloatArray:
    """Return the odds that a true event is missed against being measured, shape ``(events,)``.

    Args:
        problem: simulation and data.
        truth: true observables, shape ``(events, observables)``.
        config: how the odds are estimated.
        seed: identity of the training.
    """
    simulation = problem.simulation
    missed = simulation.in_truth & ~simulation.in_reco
    if not missed.any():
        return np.zeros(len(truth))
    return _odds(
        simulation.truth,
        simulation.matched,
        missed,
        simulation.weights,
        truth,
        config=config,
        seed=seed,
    )


def _odds(
    values: FloatArray,
    inside: NDArray[np.bool_],
    outside: NDArray[np.bool_],
    weight: FloatArray,
    at: FloatArray,
    *,
    config: RatioConfig | PolynomialConfig,
    seed: int,
) -> FloatArray:
    """Return the odds of being outside against inside at some values, shape ``(events,)``."""
    total, other = weight[inside].sum(), weight[outside].sum()
    if not other > 0:
        raise RangeError(
            f"unfolding: the weights of fakes or missed events sum to {other:g}, expected a "
            "positive total; there are too few of them for their negative weights."
        )
    ratio = ratio_between(
        values[inside], values[outside], weight[inside], weight[outside], config=config, seed=seed
    )
    return np.asarray(other / total * np.exp(ratio.log_ratio(at)))
