"""A found spectrum back through the simulated detector, by weights of simulated events."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeGuard

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2

from ...data.pairs import Pairs, Sample
from .problem import Unfolding
from .result import Unfolded, UnfoldedEvents
from .spectrum import Spectrum, histogram, quantile_edges

__all__ = [
    "agreement_p_value",
    "found_factors",
    "refolded",
    "refolding_p_value",
    "truth_factors",
    "weights_the_simulation",
]

FloatArray = NDArray[np.float64]

_LARGEST = 5.0  # factor on a simulated event; beyond, a single event decides
_TURNS = 10


def truth_factors(simulation: Pairs, found: Spectrum) -> FloatArray:
    """Return by which factor to weight simulated events so that their truth has a spectrum.

    Constant within bins, between 1/5 and 5; beyond the bins that of the last one, and 1 for
    fakes. The total weight inside the bins stays.

    Args:
        simulation: its events.
        found: a spectrum of one of its true observables.

    Returns:
        Shape ``(events,)``.
    """
    values = np.where(
        simulation.in_truth,
        simulation.truth[:, simulation.names.index(found.observable)],
        np.nextafter(found.edges[0], -np.inf),
    )
    inside = (values >= found.edges[0]) & (values <= found.edges[-1])
    prior = histogram(values, np.where(inside, simulation.weights, 0.0), found.edges)
    share = np.maximum(found.counts, 0.0) / found.counts.sum() * prior.sum()
    factor = np.clip(share / np.where(prior > 0, prior, np.inf), 1 / _LARGEST, _LARGEST)
    at = np.clip(np.searchsorted(found.edges, values, side="right") - 1, 0, len(prior) - 1)
    return np.where(simulation.in_truth, factor[at], 1.0)


def found_factors(simulation: Pairs, result: Unfolded, spectra: Sequence[Spectrum]) -> FloatArray:
    """Return by which factor to weight simulated events so that their truth is what was found.

    Of a method that weights the simulation it is its weights over the prior's. Else the factors of
    :func:`truth_factors` are taken in turn until every spectrum is right (W. E. Deming, F. F.
    Stephan, "On a least squares adjustment of a sampled frequency table when the expected marginal
    totals are known", 1940): correlations stay the simulation's.

    Args:
        simulation: its events.
        result: what was unfolded.
        spectra: of it.

    Returns:
        Shape ``(events,)``.
    """
    factor = np.ones(len(simulation))
    if not weights_the_simulation(result, simulation):
        for _ in range(_TURNS if len(spectra) > 1 else 1):
            for found in spectra:
                weighted = simulation.weighted(simulation.weights * factor)
                factor = factor * truth_factors(weighted, found)
                factor = np.clip(factor, 1 / _LARGEST, _LARGEST)
        return factor
    prior = result.weights(0)
    factor[simulation.in_truth] = np.divide(
        result.weights(), prior, out=np.zeros_like(prior), where=prior != 0
    )
    return factor


def refolded(problem: Unfolding, result: Unfolded, found: Spectrum) -> Sample:
    """Return simulated measured events under the unfolded truth, see :func:`found_factors`.

    Args:
        problem: simulation and data.
        result: what was unfolded.
        found: one spectrum of it.
    """
    simulation = problem.simulation
    factor = found_factors(simulation, result, [found])
    return simulation.weighted(simulation.weights * factor).reco_sample()


def refolding_p_value(problem: Unfolding, simulated: Sample, observable: str) -> float:
    """Return the probability of a worse agreement of data and refolded truth in an observable.

    See :func:`agreement_p_value`; the truth was adjusted to the data, so the value of an unfolded
    observable is on the large side.

    Args:
        problem: simulation and data.
        simulated: what :func:`refolded` returned.
        observable: one after the detector; it need not be one that was unfolded.
    """
    return agreement_p_value(problem.data, simulated, observable)


def agreement_p_value(data: Sample, expected: Sample, observable: str) -> float:
    """Return the probability of a worse agreement of two independent samples of one law.

    Chi-square of the shapes in ten bins of equal expected weight with the statistics of both.

    Args:
        data: one sample.
        expected: the other; it chooses the bins.
        observable: one that both have.
    """
    edges = quantile_edges(expected.column(observable), expected.weights, 10)
    edges[0], edges[-1] = -np.inf, np.inf
    a, b = data.column(observable), expected.column(observable)
    weight = expected.weights * (data.weights.sum() / expected.weights.sum())
    difference = histogram(a, data.weights, edges) - histogram(b, weight, edges)
    variance = histogram(a, data.weights**2, edges) + histogram(b, weight**2, edges)
    squares = difference**2 / np.where(variance > 0, variance, np.inf)
    return float(chi2.sf(squares.sum(), max(len(edges) - 2, 1)))


def weights_the_simulation(result: Unfolded, simulation: Pairs) -> TypeGuard[UnfoldedEvents]:
    """Tell whether the unfolded events are the simulation's, in all or some observables."""
    if not isinstance(result, UnfoldedEvents) or not set(result.names) <= set(simulation.names):
        return False
    places = [simulation.names.index(name) for name in result.names]
    return np.array_equal(result.events, simulation.truth[simulation.in_truth][:, places])
