"""Response and resolution against the incident energy: profiles, fits and scores."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..units import GeV
from .averages import weighted_mean, weighted_width
from .observables import ShowerObservables
from .verdict import Profile, Score
from .wording import quantity

__all__ = ["Fit", "fit_linearity", "fit_resolution", "linearity", "resolution", "response_scores"]

Array = NDArray[Any]
FloatArray = NDArray[np.float64]

_BINS = 10
_MOST_ENERGIES = 15  # so many different incident energies have a bin each
_FEWEST = 20  # showers that a mean or a width needs


@dataclass(frozen=True)
class Fit:
    """Fitted parameters.

    Args:
        values: of the parameters; 0 for one that the fit left out.
        errors: one standard deviation each; 0 for one that the fit left out.
        chi2: sum of squared deviations over squared errors.
        points: number of points.
    """

    values: tuple[float, ...]
    errors: tuple[float, ...]
    chi2: float
    points: int


def fit_linearity(energy: Array, response: Array, error: Array) -> Fit:
    r"""Fit a straight line in the logarithm of the incident energy.

    .. math:: R(E) = R_0 + s \log_{10} (E / E_0)

    with :math:`E_0` the geometric mean of the points' energies. A single point gives
    :math:`R_0` alone.

    Args:
        energy: incident energies in MeV, shape ``(points,)``.
        response: mean E_tot / E_inc there, shape ``(points,)``; nan takes no part.
        error: one standard deviation each, shape ``(points,)``.

    Returns:
        :math:`R_0` and the slope s per decade, dimensionless.
    """
    use = np.isfinite(response) & (error > 0)
    if not use.any():
        return Fit((math.nan, 0.0), (math.nan, 0.0), 0.0, 0)
    x = np.log10(np.asarray(energy, np.float64)[use])
    terms = np.column_stack([np.ones_like(x), x - x.mean()])
    chosen = (0, 1) if len(np.unique(x)) > 1 else (0,)
    values, errors, chi2 = _least_squares(terms, response[use], error[use], chosen)
    return Fit(tuple(values), tuple(errors), chi2, int(use.sum()))


def fit_resolution(energy: Array, width: Array, error: Array) -> Fit:
    r"""Fit stochastic, noise and constant terms, added in quadrature.

    .. math:: \frac{\sigma}{E} = \frac{a}{\sqrt{E}} \oplus \frac{b}{E} \oplus c

    with E in GeV: a straight fit of the squares. A term whose square would come out negative is
    left out, and so are terms for which there are too few points: with one point there is only
    c, with two a and c.

    Args:
        energy: incident energies in MeV, shape ``(points,)``.
        width: relative widths there, shape ``(points,)``; nan takes no part.
        error: one standard deviation each, shape ``(points,)``.

    Returns:
        a in sqrt(GeV), b in GeV and c.
    """
    use = np.isfinite(width) & (error > 0) & (width > 0)
    if not use.any():
        return Fit((math.nan,) * 3, (math.nan,) * 3, 0.0, 0)
    e = np.asarray(energy, np.float64)[use] / GeV
    square, square_error = width[use] ** 2, 2 * width[use] * error[use]
    terms = np.column_stack([1 / e, 1 / e**2, np.ones_like(e)])
    allowed = {1: (2,), 2: (0, 2)}.get(len(np.unique(e)), (0, 1, 2))
    best: tuple[float, FloatArray, FloatArray] | None = None
    for number in range(1, len(allowed) + 1):
        for chosen in combinations(allowed, number):
            values, errors, chi2 = _least_squares(terms, square, square_error, chosen)
            if (values >= 0).all() and (best is None or chi2 < best[0] - 1e-9):
                best = chi2, values, errors
    assert best is not None, "a single positive term fits positive squares with a positive factor"
    chi2, values, errors = best
    roots = np.sqrt(values)
    slopes = np.divide(errors, 2 * roots, out=np.zeros(3), where=roots > 0)
    return Fit(tuple(roots.tolist()), tuple(slopes.tolist()), float(chi2), int(use.sum()))


def linearity(reference: ShowerObservables, generated: ShowerObservables) -> Profile:
    """Return the mean response E_tot / E_inc in bins of the incident energy, with a fit.

    Args:
        reference: the reference, which defines the bins: one for each of up to 15 different
            energies, else quantiles.
        generated: the generated showers.
    """
    edges, centres, bins = _binned(reference, generated)
    a, a_error, b, b_error = (np.array(x) for x in zip(*(b.means for b in bins), strict=True))
    fits = [fit_linearity(centres, *x) for x in ((a, a_error), (b, b_error))]
    middle = 10 ** np.mean(np.log10(centres)) / GeV
    return _profile(
        "linearity",
        r"$\langle E_\mathrm{tot} / E_\mathrm{inc} \rangle$",
        edges,
        (a, a_error, b, b_error),
        f"response at {middle:.3g} GeV {_line(fits[1])}; reference {_line(fits[0])}",
        "where in the detector the energy lies, and the shape of its distribution",
    )


def resolution(reference: ShowerObservables, generated: ShowerObservables) -> Profile:
    """Return the relative width of E_tot / E_inc in bins of the incident energy, with a fit.

    Args:
        reference: the reference, which defines the bins: one for each of up to 15 different
            energies, else quantiles.
        generated: the generated showers.
    """
    edges, centres, bins = _binned(reference, generated)
    a, a_error, b, b_error = (np.array(x) for x in zip(*(b.widths for b in bins), strict=True))
    fits = [fit_resolution(centres, *x) for x in ((a, a_error), (b, b_error))]
    return _profile(
        "resolution",
        r"relative width of $E_\mathrm{tot} / E_\mathrm{inc}$",
        edges,
        (a, a_error, b, b_error),
        f"a/sqrt(E) + b/E + c in quadrature, E in GeV: {_terms(fits[1])}; reference "
        f"{_terms(fits[0])}",
        "where in the detector the energy lies, and tails apart from the rest: a standard "
        "deviation takes both together",
    )


def response_scores(reference: ShowerObservables, generated: ShowerObservables) -> list[Score]:
    """Return how far response, linearity and resolution are off, with floors.

    Floors are those of normal deviations with the errors of the bins.

    Args:
        reference: the reference.
        generated: the generated showers.
    """
    _, _, bins = _binned(reference, generated)
    means = np.array([b.means for b in bins]).T
    widths = np.array([b.widths for b in bins]).T
    sizes = f"{len(reference)} reference and {len(generated)} generated showers"
    off = _relative_difference(*means), _relative_difference(*widths)
    pulls = _pulls(*means)
    blind = "where in the detector the energy lies"
    return [
        _absolute("response", "mean response, relative difference", *off[0], sizes, blind),
        _largest("linearity", "response, largest deviation in a bin", pulls, sizes, blind),
        _absolute("resolution", "energy resolution, relative difference", *off[1], sizes, blind),
    ]  # fmt: skip


@dataclass(frozen=True)
class _Bin:
    """Mean and relative width of the response in one bin, reference with error, generated too."""

    means: tuple[float, float, float, float]
    widths: tuple[float, float, float, float]


def _binned(
    reference: ShowerObservables, generated: ShowerObservables
) -> tuple[FloatArray, FloatArray, list[_Bin]]:
    """Return edges and mean energies of the bins in MeV, and what is in them."""
    edges = _energy_edges(reference.incident_energy)
    samples = [_response(o) for o in (reference, generated)]
    centres, found = [], []
    for low, high in pairwise(edges):
        last = high == edges[-1]
        inside = [(e >= low) & ((e < high) | (last & (e <= high))) for e, _, _ in samples]
        parts = [(r[i], w[i]) for (_, r, w), i in zip(samples, inside, strict=True)]
        energy = samples[0][0][inside[0]]
        centres.append(float(energy.mean()) if len(energy) else math.sqrt(low * high))
        found.append(_Bin(_pair(weighted_mean, parts), _pair(weighted_width, parts)))
    return edges, np.array(centres), found


def _pair(measure: Any, parts: list[tuple[Array, Array]]) -> tuple[float, float, float, float]:
    found: list[float] = []
    for values, weight in parts:
        known = int((~np.isnan(values)).sum()) >= _FEWEST
        found += map(float, measure(values, weight)) if known else (math.nan, math.nan)
    return found[0], found[1], found[2], found[3]


def _response(o: ShowerObservables) -> tuple[FloatArray, FloatArray, FloatArray]:
    energy = o.incident_energy.astype(np.float64)
    return energy, o.total_energy / energy, o.weights


def _energy_edges(energy: Array) -> FloatArray:
    """Return edges between single energies or at quantiles, in MeV."""
    energy = np.asarray(energy, np.float64)
    single = np.unique(energy)
    if len(single) > _MOST_ENERGIES:
        bins = int(np.clip(len(energy) // (5 * _FEWEST), 1, _BINS))
        return np.unique(np.quantile(energy, np.linspace(0, 1, bins + 1)))
    ratio = math.sqrt(single[1] / single[0]) if len(single) > 1 else 1.1
    outer = [single[0] / ratio], [single[-1] * ratio]
    return np.concatenate([outer[0], np.sqrt(single[1:] * single[:-1]), outer[1]])


def _least_squares(
    terms: FloatArray, y: Array, error: Array, chosen: tuple[int, ...]
) -> tuple[FloatArray, FloatArray, float]:
    """Fit the chosen terms; parameters and errors of the others are 0."""
    scaled = terms[:, chosen] / error[:, None]
    size = np.abs(scaled).max(axis=0)
    covariance = np.linalg.pinv((scaled / size).T @ (scaled / size))
    fitted = covariance @ ((scaled / size).T @ (y / error))
    values, errors = np.zeros((2, terms.shape[1]))
    values[list(chosen)] = fitted / size
    errors[list(chosen)] = np.sqrt(np.diag(covariance)) / size
    residual = y / error - (scaled / size) @ fitted
    return values, errors, float(residual @ residual)


def _relative_difference(
    a: FloatArray, a_error: FloatArray, b: FloatArray, b_error: FloatArray
) -> tuple[float, float]:
    """Return the mean of b / a - 1 over the bins, weighted with its errors, and its error."""
    ratio = b / a
    error = np.abs(ratio) * np.hypot(a_error / a, b_error / b)
    use = np.isfinite(ratio) & (error > 0)
    if not use.any():
        return math.nan, math.nan
    weight = 1 / error[use] ** 2
    return float((weight @ (ratio[use] - 1)) / weight.sum()), float(weight.sum() ** -0.5)


def _pulls(a: FloatArray, a_error: FloatArray, b: FloatArray, b_error: FloatArray) -> FloatArray:
    error = np.hypot(a_error, b_error)
    use = np.isfinite(a + b) & (error > 0)
    return np.abs(b - a)[use] / error[use]


def _absolute(
    name: str, label: str, difference: float, error: float, sizes: str, blind: str
) -> Score:
    return Score(
        name=name,
        label=label,
        value=abs(difference),
        error=error,
        floor=error * math.sqrt(2 / math.pi),
        floor_error=error * math.sqrt(1 - 2 / math.pi),
        layer=None,
        unit="",
        protocol=(
            f"{difference:+.3%} of the reference's, mean over bins of incident energy weighted "
            f"with their errors, {sizes}"
        ),
        comparable=False,
        cannot_see=f"{blind}; differences that change sign with energy",
        floor_from="the mean size of a normal deviation with the error of the value",
    )


def _largest(name: str, label: str, pulls: FloatArray, sizes: str, blind: str) -> Score:
    floor, spread = _largest_normal(max(len(pulls), 1))
    return Score(
        name=name,
        label=label,
        value=float(pulls.max()) if len(pulls) else math.nan,
        error=1.0,
        floor=floor,
        floor_error=spread,
        layer=None,
        unit="standard deviations",
        protocol=f"mean E_tot / E_inc in {len(pulls)} bins of incident energy, {sizes}",
        comparable=False,
        cannot_see=f"{blind}; a difference below the error of every bin",
        floor_from=f"the largest of {len(pulls)} normal deviations",
    )


def _largest_normal(number: int) -> tuple[float, float]:
    """Return mean and standard deviation of the largest size of so many normal deviations."""
    x = np.linspace(0, 10, 4001)
    below = np.array([math.erf(v / math.sqrt(2)) for v in x.tolist()]) ** number
    step = float(x[1] - x[0])  # the trapezoidal rule: what it integrates ends at 0
    mean = step * float((1 - below).sum() - 0.5)
    square = step * float((2 * x * (1 - below)).sum())
    return mean, math.sqrt(square - mean**2)


def _profile(
    name: str,
    label: str,
    edges: FloatArray,
    values: tuple[FloatArray, ...],
    note: str,
    cannot_see: str,
) -> Profile:
    a, a_error, b, b_error = (tuple(v.tolist()) for v in values)
    return Profile(
        name=name,
        label=label,
        unit="",
        x_label=r"$E_\mathrm{inc}$",
        x_unit="MeV",
        edges=tuple(edges.tolist()),
        reference=a,
        reference_error=a_error,
        generated=b,
        generated_error=b_error,
        log_x=bool(edges[-1] > 5 * edges[0]),
        log_y=False,
        note=note,
        cannot_see=cannot_see,
    )


def _line(fit: Fit) -> str:
    value, slope = (quantity(v, e) for v, e in zip(fit.values, fit.errors, strict=True))
    return f"{value}, {slope} per decade of energy" if fit.errors[1] else value


def _terms(fit: Fit) -> str:
    return ", ".join(_each_term(fit))


def _each_term(fit: Fit) -> Iterator[str]:
    for name, value, error in zip("abc", fit.values, fit.errors, strict=True):
        yield f"{name} = {quantity(100 * value, 100 * error)} %" if error else f"{name} left out"
