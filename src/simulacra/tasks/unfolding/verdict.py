"""When not to believe an unfolded spectrum: prior, support, hidden variables, coverage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from .closure import Coverage
from .map_check import MapCheck
from .method import Unfolder
from .problem import Unfolding
from .refold import found_factors, refolded, refolding_p_value
from .result import Unfolded
from .spectrum import Spectrum, histogram

__all__ = ["Finding", "Verdict", "prior_shifts", "verdict"]

FloatArray = NDArray[np.float64]

_SHIFT = 0.5  # of the error, by which another prior may move a bin
_OUTSIDE = 0.01  # of the data, that may lie outside of the simulation
_FEWEST = 10  # simulated events in a bin
_UNLIKELY = 1e-3
_FLOORS = 2.0  # between the law of encoded events and the truth's
_ALIKE = 0.8  # of the smaller mean distance to the larger, above which two maps count as one


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Args:
        name: what.
        level: ``good``; ``weak`` if it was not or cannot be proven; ``bad``.
        sentence: what was found.
    """

    name: str
    level: Literal["good", "weak", "bad"]
    sentence: str


@dataclass(frozen=True)
class Verdict:
    """All findings on one unfolded spectrum."""

    observable: str
    findings: tuple[Finding, ...]

    @property
    def believable(self) -> bool:
        """True if everything is in order."""
        return all(finding.level == "good" for finding in self.findings)

    @property
    def remarks(self) -> tuple[str, ...]:
        """What is not in order, in sentences."""
        found = [f for f in self.findings if f.level != "good"]
        return tuple(f"{self.observable}: {f.sentence}" for f in found)


def verdict(
    problem: Unfolding,
    result: Unfolded,
    found: Spectrum,
    *,
    shift: FloatArray | None = None,
    coverage: Coverage | None = None,
) -> Verdict:
    """Look at everything that can be known without the truth.

    Args:
        problem: what was unfolded.
        result: what came out.
        found: one spectrum of it.
        shift: what :func:`prior_shifts` returned; None if nobody asked.
        coverage: of pseudo-experiments, see
            :func:`~simulacra.tasks.unfolding.closure.self_coverage`; None if there were none.
    """
    findings = (
        _support(problem, found),
        _statistics(problem, found),
        _refolding(problem, result, found),
        *_hidden(problem, result, found),
        *_map(result, found),
        _prior(result, shift),
        _covered(coverage),
    )
    return Verdict(found.observable, findings)


def prior_shifts(
    method: Unfolder,
    problem: Unfolding,
    result: Unfolded,
    spectra: Sequence[Spectrum],
    *,
    seed: int,
) -> list[FloatArray]:
    r"""Unfold again from another prior; return by how many errors each bin moves.

    The other prior is half way to what was found: true events weigh :math:`\sqrt{n / p}` more, with
    the found density and the simulation's, see
    :func:`~simulacra.tasks.unfolding.refold.found_factors`. A result that owes nothing to its
    prior stays where it was.

    Args:
        method: who unfolded.
        problem: what was unfolded.
        result: what came out.
        spectra: of it.
        seed: that of the result, so that nothing but the prior differs.

    Returns:
        Shape ``(bins,)`` for each spectrum.
    """
    simulation = problem.simulation
    shifts = []
    factor = np.clip(found_factors(simulation, result, spectra), 0.2, 5.0)
    other = replace(problem, simulation=simulation.weighted(simulation.weights * np.sqrt(factor)))
    again = method.fit(other, seed=seed, errors=False)
    for found in spectra:
        error = np.where(found.error > 0, found.error, np.inf)
        counts = again.counts(found.observable, found.edges)
        shifts.append(np.asarray((counts - found.counts) / error))
    return shifts


def _support(problem: Unfolding, found: Spectrum) -> Finding:
    shares = problem.overlap()
    share = shares.get(found.observable, min(shares.values()))
    if share >= 1 - _OUTSIDE:
        return Finding("support", "good", f"{share:.2%} of the data lie where the simulation does.")
    return Finding(
        "support",
        "bad",
        f"{1 - share:.1%} of the data lie outside of the simulation, which cannot say what they "
        "were; simulate a wider range.",
    )


def _statistics(problem: Unfolding, found: Spectrum) -> Finding:
    there = problem.simulation.true_sample()
    values, weight = there.column(found.observable), there.weights
    sums = histogram(values, weight, found.edges)
    squares = histogram(values, weight**2, found.edges)
    events = float(np.divide(sums**2, squares, out=np.zeros_like(sums), where=squares > 0).min())
    if events >= _FEWEST:
        return Finding(
            "statistics", "good", f"every bin has at least {events:.0f} simulated events."
        )
    return Finding(
        "statistics",
        "bad",
        f"a bin has {events:.0f} simulated events, too few to know its response; join bins or "
        "simulate more.",
    )


def _refolding(problem: Unfolding, result: Unfolded, found: Spectrum) -> Finding:
    if found.observable not in problem.simulation.reco_names:
        return Finding("refolding", "weak", "it is not measured, so it cannot be refolded.")
    p = refolding_p_value(problem, refolded(problem, result, found), found.observable)
    if p >= _UNLIKELY:
        return Finding("refolding", "good", f"refolded, it agrees with the data (p = {p:.2g}).")
    return Finding(
        "refolding",
        "bad",
        f"passed through the detector again, it does not give the data (p = {p:.2g}); "
        f"{_remedy(result)}, or fit better.",
    )


def _hidden(problem: Unfolding, result: Unfolded, found: Spectrum) -> list[Finding]:
    simulated = refolded(problem, result, found)
    others = [name for name in simulated.names if name not in result.names]
    findings = []
    for name in others:
        p = refolding_p_value(problem, simulated, name)
        if p >= _UNLIKELY:
            sentence = f"`{name}`, not unfolded, agrees with the data (p = {p:.2g})."
            findings.append(Finding(f"hidden {name}", "good", sentence))
            continue
        sentence = (
            f"`{name}`, which was not unfolded, disagrees with the data after refolding "
            f"(p = {p:.2g}); if the detector depends on it, the spectrum is wrong. Unfold it too."
        )
        findings.append(Finding(f"hidden {name}", "bad", sentence))
    return findings


def _map(result: Unfolded, found: Spectrum) -> list[Finding]:
    """Judge a map that was learned without pairs; other methods have none."""
    given = result.about.get("map", {}).get(found.observable)
    if given is None:
        return []
    check = MapCheck(**given)
    laws, far = min(check.encoded, check.decoded), check.joint / check.floor
    head = f"(p = {laws:.2g}; all observables together {far:.1f} floors apart)"
    learned = Finding("map", "good", f"the map gives simulation its own laws {head}.")
    if laws < _UNLIKELY or far > _FLOORS:
        learned = Finding(
            "map",
            "bad",
            f"the map does not give the simulation its own laws {head}; more steps are needed.",
        )
    back = Finding("decoder", "good", f"both maps give the data back (p = {check.again:.2g}).")
    if check.again < _UNLIKELY:
        back = Finding(
            "decoder",
            "bad",
            f"both maps one after the other do not give the data back (p = {check.again:.2g}); "
            "more steps, or a larger `reconstruction`, are needed.",
        )
    return [learned, back, _pairs(check)]


def _pairs(check: MapCheck) -> Finding:
    head = (
        f"in simulated pairs the detector moves it by {check.detector:.3g} on average, the map "
        f"that was learned without pairs by {check.decoder:.3g}"
    )
    low, high = sorted((check.detector, check.decoder))
    if low >= _ALIKE * high:
        return Finding("pairs", "good", f"{head}.")
    return Finding(
        "pairs",
        "weak",
        f"{head}: it is another map with the same laws, so single events are not unfolded, and "
        "the spectrum leans on its prior.",
    )


def _prior(result: Unfolded, shift: FloatArray | None) -> Finding:
    if shift is None:
        return Finding("prior", "weak", "nobody looked whether it depends on the prior.")
    most = float(np.abs(shift).max())
    if most <= _SHIFT:
        return Finding(
            "prior", "good", f"another prior moves no bin by more than {most:.2f} error."
        )
    return Finding(
        "prior",
        "bad",
        f"it remembers its prior: one half way to the result moves a bin by {most:.2f} of its "
        f"error; {_remedy(result)}, or add that to the error.",
    )


def _remedy(result: Unfolded) -> str:
    """Say what makes a result owe less to its prior; a map without pairs has one pass."""
    if "map" in result.about:
        return "take a simulation nearer to the data, or a method that uses its pairs"
    return "iterate more"


def _covered(coverage: Coverage | None) -> Finding:
    if coverage is None:
        return Finding("coverage", "weak", "nobody tested whether the errors cover.")
    proven: Literal["good", "weak"] = "good" if coverage.says_much else "weak"
    return Finding("coverage", proven if coverage.covers else "bad", coverage.sentence())
