"""Iterative Bayesian unfolding in bins: the baseline that everybody knows."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ...config import Config
from ...data.pairs import Pairs
from ...data.weights import effective_events
from ...errors import UnknownNameError
from .method import Progress, Unfolder, has_settled, refuse_particles
from .problem import Unfolding
from .result import UnfoldedSpectra
from .spectrum import checked_edges, quantile_edges

__all__ = ["Bayes", "BayesConfig"]

FloatArray = NDArray[np.float64]


class BayesConfig(Config):
    """How spectra are unfolded in bins.

    Args:
        method: its name.
        observables: which ones, each on its own; all if there are none.
        edges: of the bins of an observable, by its name, in its unit.
        bins: bins of equal simulated truth where there are no edges.
        reco_bins: bins after the detector for each true one, so that shapes within a bin help.
        iterations: the most there are.
        tolerance: part of the data's fluctuation below which an iteration is the last, see
            :func:`~simulacra.tasks.unfolding.method.has_settled`; 0 does all.
        replicas: bootstrap replicas of data and simulation, for errors.
    """

    method: Literal["bayes"] = "bayes"
    observables: tuple[str, ...] = ()
    edges: dict[str, tuple[float, ...]] = Field(default_factory=dict)
    bins: int = Field(default=10, ge=1)
    reco_bins: int = Field(default=2, ge=1)
    iterations: int = Field(default=20, ge=1)
    tolerance: float = Field(default=0.5, ge=0)
    replicas: int = Field(default=200, ge=0)


class Bayes(Unfolder):
    r"""Unfold each observable in bins, again and again with the result as the new prior.

    .. math:: n_i' = \frac{n_i}{\epsilon_i} \sum_j
        \frac{R_{ji}\, d_j}{\sum_k R_{jk} n_k}, \qquad \epsilon_i = \sum_j R_{ji}

    with :math:`R_{ji}` the probability that a true event of bin i is measured in bin j, efficiency
    :math:`\epsilon_i` and data :math:`d_j`. Fakes are one more cause beside the true bins: the
    simulation says where they are measured, the data how many there are. G. D'Agostini, "A
    multidimensional unfolding method based on Bayes' theorem", 1995, Nucl. Instrum. Meth. A 362,
    487, equations 3 to 5. It starts from the simulated truth. Bins below and above the given ones
    are unfolded too and not reported.

    Args:
        config: settings.
    """

    def __init__(self, config: BayesConfig | None = None) -> None:
        self.config = config or BayesConfig()

    def fit(
        self,
        problem: Unfolding,
        *,
        seed: int,
        errors: bool = True,
        progress: Progress | None = None,
    ) -> UnfoldedSpectra:
        config = self.config
        if not config.observables:
            refuse_particles(problem, config.method)
        names = config.observables or tuple(
            name for name in problem.simulation.names if name in problem.simulation.reco_names
        )
        for name in config.edges:
            if name not in names:
                raise UnknownNameError("observable", name, names)
        edges, history, replicas = {}, {}, {}
        number = config.replicas if errors else 0
        repeats = [problem.resampled(seed, replica) for replica in range(number)]
        for done, name in enumerate(names):
            edges[name] = self._edges(problem, name)
            rows = _unfold(_counted(problem, name, edges[name], config.reco_bins), config)
            counted = [_counted(one, name, edges[name], config.reco_bins) for one in repeats]
            fixed = config.updated(iterations=len(rows) - 1, tolerance=0.0)
            found = [_unfold(one, fixed)[-1, 1:-1] for one in counted]
            history[name] = rows[:, 1:-1]
            replicas[name] = np.reshape(found, (len(repeats), len(edges[name]) - 1))
            if progress:
                progress(done + 1, len(names))
        return UnfoldedSpectra(
            method=config.method,
            names=names,
            data_events=effective_events(problem.data.weights),
            about={"settings": config.to_dict(), "seed": seed},
            edges=edges,
            history=_padded(history),
            replicas=replicas,
        )

    def _edges(self, problem: Unfolding, name: str) -> FloatArray:
        events = effective_events(problem.data.weights)
        truth = problem.simulation.true_sample()
        given = self.config.edges.get(name)
        if given is None:
            given = tuple(quantile_edges(truth.column(name), truth.weights, self.config.bins))
        return checked_edges(given, events, f"{self.config.method}, {name}")


@dataclass(frozen=True, eq=False)
class _Counted:
    """A problem of one observable in bins, with one more bin below and above.

    Args:
        joint: simulated events by measured and true bin, ``(reco bins, bins)``.
        truth: all simulated true events, measured or not, ``(bins,)``.
        fakes: simulated measured events that are none of ours, ``(reco bins,)``.
        data: measured events without background, ``(reco bins,)``.
        fluctuation: weights of the data, from which their statistical error follows.
    """

    joint: FloatArray
    truth: FloatArray
    fakes: FloatArray
    data: FloatArray
    fluctuation: FloatArray


def _counted(problem: Unfolding, name: str, edges: FloatArray, finer: int) -> _Counted:
    simulation, data = problem.simulation, problem.data
    fine = np.concatenate(
        [np.linspace(a, b, finer, endpoint=False) for a, b in pairwise(edges)] + [edges[-1:]]
    )
    shape = (len(fine) + 1, len(edges) + 1)
    both, there = simulation.matched, simulation.in_truth
    fake = simulation.in_reco & ~there
    at_truth = np.searchsorted(edges, _column(simulation, "truth", name), side="right")
    at_reco = np.searchsorted(fine, _column(simulation, "reco", name), side="right")
    flat = at_reco[both] * shape[1] + at_truth[both]
    joint = _sums(flat, simulation.weights[both], shape[0] * shape[1]).reshape(shape)
    truth = _sums(at_truth[there], simulation.weights[there], shape[1])
    fakes = _sums(at_reco[fake], simulation.weights[fake], shape[0])
    at_data = np.searchsorted(fine, data.column(name), side="right")
    measured = _sums(at_data, data.weights, shape[0])
    return _Counted(joint, truth, fakes, measured, data.weights)


def _unfold(counted: _Counted, config: BayesConfig) -> FloatArray:
    """Return the counts after each iteration, shape ``(iterations + 1, bins + 2)``."""
    joint = np.column_stack([counted.joint, counted.fakes])
    causes = np.append(counted.truth, counted.fakes.sum())
    response = _ratio(joint, causes[None, :])
    efficiency = response.sum(axis=0)
    rows = [causes * (counted.data.sum() / joint.sum())]
    for _ in range(config.iterations):
        folded = response @ rows[-1]
        rows.append(rows[-1] * _ratio(response.T @ _ratio(counted.data, folded), efficiency))
        if has_settled(rows[-2], rows[-1], counted.fluctuation, config.tolerance):
            break
    return np.stack(rows)[:, :-1]


def _padded(history: dict[str, FloatArray]) -> dict[str, FloatArray]:
    """Repeat the last iteration of observables that were done earlier than others."""
    most = max(len(rows) for rows in history.values())
    return {
        name: np.concatenate([rows, np.repeat(rows[-1:], most - len(rows), axis=0)])
        for name, rows in history.items()
    }


def _column(simulation: Pairs, side: Literal["truth", "reco"], name: str) -> FloatArray:
    """Return an observable of all events, 0 where it is not read."""
    names = simulation.names if side == "truth" else simulation.reco_names
    if name not in names:
        raise UnknownNameError("observable", name, names)
    values = simulation.truth if side == "truth" else simulation.reco
    read = simulation.in_truth if side == "truth" else simulation.in_reco
    return np.where(read, values[:, names.index(name)], 0.0)


def _sums(place: NDArray[Any], weight: FloatArray, bins: int) -> FloatArray:
    return np.bincount(place, weight, bins).astype(np.float64)


def _ratio(above: FloatArray, below: FloatArray) -> FloatArray:
    """Divide; 0 where nothing is below."""
    below = np.broadcast_to(below, above.shape)
    return np.divide(above, below, out=np.zeros_like(above), where=below != 0)
