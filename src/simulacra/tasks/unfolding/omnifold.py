"""OmniFold: unfold without bins, by two classifiers in every iteration."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ...classify.ratio import RatioConfig
from ...config import Config
from ...data.weights import effective_events
from .estimator import RatioSettings, Rows, ratio_between, seed_of
from .method import Progress, Unfolder, has_settled
from .problem import Unfolding
from .result import UnfoldedEvents

__all__ = ["OmniFold", "OmniFoldConfig"]

FloatArray = NDArray[np.float64]

_DETECTOR, _TRUTH = 0, 1


class OmniFoldConfig(Config):
    """How events are reweighted.

    Args:
        method: its name.
        observables: which ones, on both sides of the detector; one is UniFold, several are
            MultiFold. If there are none, the particles of the problem where it has them, which
            is OmniFold, else all observables of each side.
        ratio: the estimator of ratios; its ``networks`` are the ensemble of every step.
        iterations: the most there are.
        tolerance: part of the data's fluctuation below which an iteration is the last, see
            :func:`~simulacra.tasks.unfolding.method.has_settled`; 0 does all.
        replicas: bootstrap replicas of data and simulation, each with trainings of its own, for
            errors.
    """

    method: Literal["omnifold"] = "omnifold"
    observables: tuple[str, ...] = ()
    ratio: RatioSettings = RatioConfig()
    iterations: int = Field(default=5, ge=1)
    tolerance: float = Field(default=0.5, ge=0)
    replicas: int = Field(default=10, ge=0)


class OmniFold(Unfolder):
    r"""Weight simulated true events until the detector would show the data.

    Iteration n learns, from the events that pass both selections,

    .. math::
        \omega_n(r) = \nu_{n-1}\, \frac{p_\text{data}(r)}{p_{\nu_{n-1}}(r)}, \qquad
        \nu_n(t) = \frac{p_{\omega_n}(t)}{p(t)}

    each a ratio of densities from a classifier: what the data are to the simulation after the
    detector, and what weights of measured events mean for true ones. A. Andreassen, P. Komiske,
    E. Metodiev, B. Nachman, J. Thaler, "OmniFold: a method to simultaneously unfold all
    observables", 2019, arXiv:1911.09107, equations 5 and 6. In expectation an iteration is one of
    :class:`~simulacra.tasks.unfolding.bayes.Bayes` with bins of no width. Both ratios are of
    observables, or of sets of particles; spectra are of any true observable either way.

    Fakes have no truth: they take part in the first step, and share one weight, the mean of what
    it gives them. The weight of a missed event is that of measured events with its true
    observables, so that the efficiency divides out.

    Args:
        config: settings.
    """

    def __init__(self, config: OmniFoldConfig | None = None) -> None:
        self.config = config or OmniFoldConfig()

    @property
    def reads_particles(self) -> bool:
        return isinstance(self.config.ratio, RatioConfig) and not self.config.observables

    def fit(
        self,
        problem: Unfolding,
        *,
        seed: int,
        errors: bool = True,
        progress: Progress | None = None,
    ) -> UnfoldedEvents:
        config = self.config
        if config.observables:
            problem = problem.of(config.observables)
        about: dict[str, Any] = {"settings": config.to_dict(), "seed": seed}
        if problem.particles is not None:
            about["particles"] = list(problem.particles)
        history = self._iterate(problem, seed, config.iterations, config.tolerance)
        number = config.replicas if errors else 0
        replicas = np.zeros((number, history.shape[1]), np.float32)
        for replica in range(number):
            if progress:
                progress(replica + 1, number + 1)
            again = problem.resampled(seed, replica)
            own = seed_of(seed, 1, replica)
            replicas[replica] = self._iterate(again, own, len(history) - 1, 0.0)[-1]
        if progress:
            progress(number + 1, number + 1)
        simulation = problem.simulation
        return UnfoldedEvents(
            method=config.method,
            names=simulation.names,
            data_events=effective_events(problem.data.weights),
            about=about,
            events=simulation.truth[simulation.in_truth],
            history=history,
            replicas=replicas,
        )

    def _iterate(
        self, problem: Unfolding, seed: int, iterations: int, tolerance: float
    ) -> FloatArray:
        """Return the weights of true events, shape ``(iterations + 1, events)``."""
        estimator, simulation, data = self.config.ratio, problem.simulation, problem.data
        there, seen = simulation.in_truth, simulation.in_reco
        both, fake = there[seen], ~there[seen]  # among the measured events
        inputs = _inputs(problem)
        measured, start = inputs.reco[seen], simulation.weights[seen]
        truth, prior = inputs.truth[there], simulation.weights[there]
        matched = inputs.truth[simulation.matched]
        total = data.weights.sum()

        push = np.ones(len(simulation))
        history = [prior * (total / start.sum())]
        for n in range(iterations):
            pushed = start * push[seen]
            found = ratio_between(
                measured,
                inputs.data,
                pushed,
                data.weights,
                config=estimator,
                seed=seed_of(seed, _DETECTOR, n),
            )
            pulled = pushed * np.exp(found.log_ratio(measured))
            pulled *= total / pulled.sum()
            found = ratio_between(
                matched,
                matched,
                start[both],
                pulled[both],
                config=estimator,
                seed=seed_of(seed, _TRUTH, n),
            )
            push[there] = np.exp(found.log_ratio(truth))
            pushed = start[both] * push[seen][both]
            push[there] *= pulled[both].sum() / pushed.sum()
            if fake.any():
                push[~there] = pulled[fake].sum() / start[fake].sum()
            history.append(prior * push[there])
            if has_settled(history[-2], history[-1], data.weights, tolerance):
                break
        return np.stack(history)


class _Inputs(NamedTuple):
    """What the classifiers read of all simulated events and of the data."""

    truth: Rows
    reco: Rows
    data: Rows


def _inputs(problem: Unfolding) -> _Inputs:
    simulation, data = problem.simulation, problem.data
    truth, reco, measured = (
        simulation.truth_particles,
        simulation.reco_particles,
        data.particles,
    )
    if truth is None or reco is None or measured is None:
        return _Inputs(simulation.truth, simulation.reco, data.values)
    return _Inputs(truth, reco, measured)
