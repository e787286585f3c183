"""Faults that have a name: which layer, which energies, which copies; with their significance.

A score says that two samples differ. A finding says how: each function below looks for one kind of
fault with the statistic that sees it best, and gives sentences. The significances are standard
deviations of equal samples. A fault is named if its chance among all places where it was looked
for is below :data:`FALSE_ALARMS`, so that a page of equal samples names one in about a hundred.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from .observables import ShowerObservables
from .observables.showers import angular_layers
from .sample import Observed
from .verdict import Finding

__all__ = ["CERTAIN", "FALSE_ALARMS", "LOOKED_FOR", "find_copies", "find_faults"]

Array = NDArray[Any]
FloatArray = NDArray[np.float64]

FALSE_ALARMS = 1e-3
"""Chance that a kind of fault is named in equal samples, over all layers and slices."""

CERTAIN = 99.0
"""Significance of what equal samples never show."""

LOOKED_FOR = (
    "energy scale of each layer and of the sum; resolution; layers turned against the others; "
    "radial order; numbers of voxels above the threshold; rates of empty layers; missing incident "
    "energies; copies of training showers and of each other"
)
"""What :func:`find_faults` can name, in words."""

_ENERGY_BINS = 10
_SPECTRUM_BINS = 20
_MOST_OF_A_KIND = 5
_AS_GOOD = 9.0  # chi-square within which another explanation is named, too
_REVERSED = 0.2  # share of the difference of a radial profile that is left after reversing it


def find_faults(reference: Observed, generated: Observed) -> tuple[Finding, ...]:
    """Name what is wrong with generated showers.

    Args:
        reference: the reference.
        generated: the generated showers.

    Returns:
        What was found, the surest first. Nothing here says that the showers are good: a fault
        without a name in :data:`LOOKED_FOR` shows in the scores only.
    """
    truth, ours = reference.observables, generated.observables
    slices = _EnergySlices(truth.incident_energy, ours.incident_energy)
    found = [
        *_missing_energies(truth, ours),
        *_layer_scales(truth, ours, slices),
        *_resolution(truth, ours, slices),
        *_turned_layers(truth, ours),
        *_reversed_radii(reference, generated),
        *_hits(truth, ours, slices),
        *_rings(reference, generated),
        *_empty_layers(truth, ours, slices),
        *_repeated(reference, generated),
    ]
    return tuple(sorted(found, key=lambda f: -f.significance))


def find_copies(generated: Observed, copies: int) -> tuple[Finding, ...]:
    """Name exact copies of training showers; there is no chance to have one.

    Args:
        generated: the generated showers.
        copies: how many of them are training showers.
    """
    if not copies:
        return ()
    events = generated.sample.events
    sentence = (
        f"{copies} of {events} generated showers ({100 * copies / events:.2g} %) are exact copies "
        "of training showers"
    )
    return (Finding("training_copies", sentence, CERTAIN),)


def _needed(looks: int) -> float:
    """Return the standard deviations from which one of so many looks is a fault."""
    return float(ndtri(1 - FALSE_ALARMS / (2 * max(looks, 1))))


class _EnergySlices:
    """Slices of incident energy, and the reference's mean in each taken away from both samples."""

    def __init__(self, reference: FloatArray, generated: FloatArray) -> None:
        levels = np.unique(reference)
        if len(levels) <= 2 * _ENERGY_BINS:
            edges = np.sqrt(levels[1:] * levels[:-1])
        else:
            edges = np.unique(np.quantile(reference, np.arange(1, _ENERGY_BINS) / _ENERGY_BINS))
        self.of = [np.searchsorted(edges, e, side="right") for e in (reference, generated)]
        self.count = len(edges) + 1

    def means(self, values: FloatArray, weight: FloatArray, sample: int) -> FloatArray:
        """Return the weighted mean of values (events, columns) in each slice, nan if empty."""
        total = np.bincount(self.of[sample], weight, self.count)
        sums = np.stack(
            [np.bincount(self.of[sample], weight * v, self.count) for v in values.T], axis=1
        )
        empty = ~(total > 0)[:, None]
        return np.where(empty, np.nan, sums / np.where(empty, 1, total[:, None]))


def _mean_and_covariance(values: FloatArray, weight: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the weighted mean of (events, columns) and the covariance of that mean."""
    total = weight.sum()
    mean = weight @ values / total
    scaled = weight[:, None] * (values - mean)
    return mean, scaled.T @ scaled / total**2


def _difference(
    values: tuple[FloatArray, FloatArray],
    weights: tuple[FloatArray, FloatArray],
    slices: _EnergySlices,
) -> tuple[FloatArray, FloatArray]:
    """Return generated minus reference mean and its covariance, free of the incident energy."""
    level = slices.means(values[0], weights[0], 0)
    parts = []
    for sample in (0, 1):
        rest = values[sample] - level[slices.of[sample]]
        known = ~np.isnan(rest).any(axis=1)
        parts.append(_mean_and_covariance(rest[known], weights[sample][known]))
    (mean_r, cov_r), (mean_g, cov_g) = parts
    return mean_g - mean_r, cov_r + cov_g


def _pair(
    values: Callable[[ShowerObservables], Array], truth: ShowerObservables, ours: ShowerObservables
) -> tuple[FloatArray, FloatArray]:
    return values(truth).astype(np.float64), values(ours).astype(np.float64)


def _both(truth: ShowerObservables, ours: ShowerObservables) -> tuple[FloatArray, FloatArray]:
    return truth.weights, ours.weights


def _layer_scales(
    truth: ShowerObservables, ours: ShowerObservables, slices: _EnergySlices
) -> Iterator[Finding]:
    """Find layers whose energy is off, by the fewest that explain the differences of all.

    The layers share the energy of a shower, so each one's fluctuation is known from the others:
    a generalised least-squares fit of layer scales to the vector of differences sees a shift
    far below a layer's own spread. Layers are taken in one by one, the best first, as long as
    each improves the fit significantly.
    """
    fractions = _pair(lambda o: o.layer_energy / o.incident_energy[:, None], truth, ours)
    mean = np.average(fractions[0], axis=0, weights=truth.weights)
    shift, covariance = _difference(fractions, _both(truth, ours), slices)
    alive = np.flatnonzero((mean > 0) & (np.diag(covariance) > 0))
    if len(alive) == 0:
        return
    identities = [truth.geometry.layers[i].identity for i in alive]
    scale = np.sqrt(np.diag(covariance)[alive])
    correlation = covariance[np.ix_(alive, alive)] / np.outer(scale, scale)
    inverse = np.linalg.pinv(correlation + 1e-9 * np.eye(len(alive)), hermitian=True)
    d = shift[alive] / scale
    columns = np.column_stack([mean[alive], np.diag(mean[alive])]) / scale[:, None]
    names = ["all layers", *(f"layer {identity}" for identity in identities)]
    for column, size, error, others in _fewest(columns, d, inverse):
        also = " or of ".join(f"{names[c]} alone by {100 * s:+.2g} %" for c, s in others)
        yield Finding(
            name="energy_scale" if column == 0 else f"layer_scale/{identities[column - 1]}",
            sentence=(
                f"the energy of {names[column]} is {100 * abs(size):.2g} ± {100 * error:.1g} % "
                f"{'above' if size > 0 else 'below'} the reference"
                + (f" (or that of {also}: this many showers cannot tell)" if also else "")
            ),
            significance=abs(size) / error,
            layer=None if column == 0 else identities[column - 1],
        )


def _fewest(
    columns: FloatArray, d: FloatArray, inverse: FloatArray
) -> list[tuple[int, float, float, list[tuple[int, float]]]]:
    """Return the fewest columns that explain d, the first one for all layers at once.

    Returns:
        Column, coefficient, its error, and other columns with their coefficients that would
        have done nearly as well in its place.
    """
    chosen: list[int] = []
    others: list[list[tuple[int, float]]] = []
    norms = np.einsum("ic,ij,jc->c", columns, inverse, columns)
    while len(chosen) < min(_MOST_OF_A_KIND, columns.shape[1] - 1):
        rest = d - _fit(columns[:, chosen], d, inverse)[2] if chosen else d
        projected = columns.T @ inverse @ rest
        power = projected**2 / norms
        power[chosen] = 0
        best = int(np.argmax(power))
        if power[best] < _needed(columns.shape[1]) ** 2:
            break
        close = [c for c in np.argsort(-power) if c != best and power[c] > power[best] - _AS_GOOD]
        others.append([(int(c), float(projected[c] / norms[c])) for c in close[:2]])
        chosen.append(best)
    if not chosen:
        return []
    sizes, errors, _ = _fit(columns[:, chosen], d, inverse)
    return list(zip(chosen, sizes.tolist(), errors.tolist(), others, strict=True))


def _fit(
    columns: FloatArray, d: FloatArray, inverse: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return coefficients, errors and the fitted vector of a generalised least-squares fit."""
    covariance = np.linalg.pinv(columns.T @ inverse @ columns, hermitian=True)
    sizes = covariance @ columns.T @ inverse @ d
    return sizes, np.sqrt(np.diag(covariance)), columns @ sizes


def _resolution(
    truth: ShowerObservables, ours: ShowerObservables, slices: _EnergySlices
) -> Iterator[Finding]:
    """Compare the width of the response, slice by slice, in units of the reference's."""
    logs = []
    for sample, o in enumerate((truth, ours)):
        response = (o.total_energy / o.incident_energy)[:, None]
        weight = o.weights
        rest = (response - slices.means(response, weight, sample)[slices.of[sample]])[:, 0]
        logs.append(_log_widths(rest, weight, slices.of[sample], slices.count))
    (width_r, noise_r), (width_g, noise_g) = logs
    noise = noise_r + noise_g
    known = np.isfinite(width_r) & np.isfinite(width_g) & (noise > 0)
    if not known.any():
        return
    weight = 1 / noise[known]
    ratio = float(np.average((width_g - width_r)[known], weights=weight))
    error = float(weight.sum() ** -0.5)
    if abs(ratio) < _needed(1) * error:
        return
    yield Finding(
        name="resolution",
        sentence=(
            f"the energy resolution is {100 * abs(math.expm1(ratio)):.2g} ± {100 * error:.1g} % "
            f"{'wider' if ratio > 0 else 'narrower'} than the reference's"
        ),
        significance=abs(ratio) / error,
    )


def _log_widths(
    rest: FloatArray, weight: FloatArray, where: Array, count: int
) -> tuple[FloatArray, FloatArray]:
    """Return the logarithm of the standard deviation in each slice and its variance."""
    width, noise = np.full((2, count), np.nan)
    for k in range(count):
        x, w = rest[where == k], weight[where == k]
        if len(x) < 20 or not w.sum() > 0:
            continue
        variance = float(w @ x**2 / w.sum())
        if not variance > 0:
            continue
        width[k] = 0.5 * math.log(variance)
        noise[k] = float(w**2 @ (x**2 / variance - 1) ** 2 / w.sum() ** 2) / 4
    return width, noise


def _turned_layers(truth: ShowerObservables, ours: ShowerObservables) -> Iterator[Finding]:
    """Find layers whose angle against the other layers is not the reference's.

    With z the first angular harmonic of a layer's energy, the phase of the mean of z times the
    conjugate of the other layers' energy-weighted sum is the angle between them.
    """
    angular = list(angular_layers(truth.geometry))
    identities = [truth.geometry.layers[i].identity for i in angular]
    left = [k for k, i in enumerate(angular) if len(truth.geometry.layers[i].sees) == 2]
    while len(left) > 1:
        angles = [_angles(o, angular, left) for o in (truth, ours)]
        turned = np.angle(np.exp(1j * (angles[1][0] - angles[0][0])))
        noise = np.hypot(angles[0][1], angles[1][1])
        sure = np.where(noise < 0.5, np.abs(turned) / noise, 0)
        worst = int(np.argmax(sure))
        if sure[worst] < _needed(len(angular)):
            return
        layer = identities[left[worst]]
        others = [identities[k] for k in left if k != left[worst]]
        against = f"layer {others[0]}" if len(others) == 1 else "the other layers"
        yield Finding(
            name=f"turned_layer/{layer}",
            sentence=(
                f"layer {layer} is turned by {math.degrees(turned[worst]):.0f} ± "
                f"{math.degrees(noise[worst]):.1g} degrees against {against}"
            ),
            significance=float(sure[worst]),
            layer=layer,
        )
        left.remove(left[worst])


def _angles(
    o: ShowerObservables, angular: list[int], left: list[int]
) -> tuple[FloatArray, FloatArray]:
    """Return each layer's mean angle (rad) against the others, and its error."""
    z = (o.harmonic_cos + 1j * o.harmonic_sin)[:, left]
    energy = o.layer_energy[:, [angular[k] for k in left]] / o.incident_energy[:, None]
    pull = (energy * z).sum(axis=1, keepdims=True) - energy * z
    product = z * np.conj(pull)
    weight = o.weights
    mean = weight @ product / weight.sum()
    size = np.abs(mean)
    across = (product * np.exp(-1j * np.angle(mean))).imag
    noise = np.sqrt((weight**2) @ across**2) / weight.sum()
    return np.angle(mean), np.where(size > 0, noise / np.where(size > 0, size, 1), np.inf)


def _reversed_radii(reference: Observed, generated: Observed) -> Iterator[Finding]:
    """Find layers whose mean radial profile fits the reference better when read backwards."""
    geometry = reference.sample.geometry
    for layer, part in zip(geometry.layers, geometry.slices, strict=True):
        rings, noises = [], []
        for o in (reference, generated):
            rings.append(layer.ring_sums(o.images.mean[part]))
            noises.append(layer.ring_sums(o.images.mean_variance[part]))
        truth, ours = rings
        if len(truth) < 2 or not truth.sum() > 0:
            continue
        off = np.abs(ours - truth).sum()
        backwards = np.abs(ours[::-1] - truth).sum()
        noise = math.sqrt(float((noises[0] + noises[1]).sum()))
        if backwards > _REVERSED * off or off - backwards <= _needed(1) * noise:
            continue
        yield Finding(
            name=f"reversed_radius/{layer.identity}",
            sentence=(
                f"the radial order of layer {layer.identity} looks reversed: read from outside, "
                f"its mean profile is off by {100 * backwards / truth.sum():.2g} %, as it stands "
                f"by {100 * off / truth.sum():.3g} %"
            ),
            significance=float(off - backwards) / noise,
            layer=layer.identity,
        )


def _hits(
    truth: ShowerObservables, ours: ShowerObservables, slices: _EnergySlices
) -> Iterator[Finding]:
    """Compare the number of voxels above the threshold of showers with equal layer energies.

    What a linear fit to the reference predicts from the layers' energies is taken away, so that
    a wrong energy is not also counted as wrong voxels.
    """
    hits = _pair(lambda o: np.column_stack([o.hits, o.hits.sum(axis=1)]), truth, ours)
    weights = _both(truth, ours)
    known = _pair(_explaining, truth, ours)
    slopes = _slopes(known[0], hits[0], weights[0], slices)
    rest = (hits[0] - known[0] @ slopes, hits[1] - known[1] @ slopes)
    shift, covariance = _difference(rest, weights, slices)
    mean = np.average(hits[0], axis=0, weights=weights[0])

    def words(layer: int | None, k: int, error: float) -> str:
        where = "showers have" if layer is None else f"layer {layer} has"
        return (
            f"{where} {abs(shift[k]):.2g} ± {error:.1g} voxels above the threshold "
            f"{'more' if shift[k] > 0 else 'less'} than reference showers with the same energy in "
            f"each layer; on average the reference has {mean[k]:.3g}"
        )

    yield from _of_layers(truth, shift, np.sqrt(np.diag(covariance)), "voxel_number", words)


def _explaining(o: ShowerObservables) -> FloatArray:
    """Return what the number of voxels depends on most, shape (events, 2 layers)."""
    return np.column_stack(
        [o.layer_energy / o.incident_energy[:, None], np.log(o.layer_energy + 1.0)]
    )


def _slopes(
    known: FloatArray, values: FloatArray, weight: FloatArray, slices: _EnergySlices
) -> FloatArray:
    """Fit values (events, columns) linearly, inside slices of incident energy."""
    x = known - slices.means(known, weight, 0)[slices.of[0]]
    y = values - slices.means(values, weight, 0)[slices.of[0]]
    scale = np.sqrt(np.average(x**2, axis=0, weights=weight))
    x = x / np.where(scale > 0, scale, 1)
    square = (x * weight[:, None]).T @ x
    slopes = np.linalg.pinv(square, rcond=1e-9, hermitian=True) @ (x * weight[:, None]).T @ y
    return slopes / np.where(scale > 0, scale, 1)[:, None]


def _empty_layers(
    truth: ShowerObservables, ours: ShowerObservables, slices: _EnergySlices
) -> Iterator[Finding]:
    """Compare the rates of layers without any voxel above the threshold."""
    empty = _pair(lambda o: (o.hits == 0).astype(np.float64), truth, ours)
    truth_rate, our_rate = (
        np.average(e, axis=0, weights=o.weights) for e, o in zip(empty, (truth, ours), strict=True)
    )
    shift, covariance = _difference(empty, _both(truth, ours), slices)
    least = (1.0 / np.square([len(truth), len(ours)])).sum() ** 0.5  # one event, where none differs
    yield from _of_layers(
        truth,
        shift,
        np.maximum(np.sqrt(np.diag(covariance)), least),
        "empty_layer",
        lambda layer, k, _error: (
            f"layer {layer} is empty in {100 * our_rate[k]:.3g} % of the generated showers, in "
            f"{100 * truth_rate[k]:.3g} % of the reference"
        ),
    )


def _rings(reference: Observed, generated: Observed) -> Iterator[Finding]:
    """Compare the number of voxels above the threshold ring by ring: noise shows far outside."""
    rates = [o.images.ring_rate for o in (reference, generated)]
    noise = np.sqrt(sum(o.images.ring_rate_variance for o in (reference, generated)))
    shift = rates[1] - rates[0]
    sure = np.divide(np.abs(shift), noise, out=np.zeros_like(shift), where=noise > 0)
    places = [
        (layer.identity, low, high)
        for layer in reference.sample.geometry.layers
        for low, high in itertools.pairwise(layer.r_edges)
    ]
    named: set[int] = set()
    for k in np.argsort(-sure, kind="stable"):
        layer, low, high = places[k]
        if sure[k] < _needed(len(sure)) or len(named) == _MOST_OF_A_KIND:
            return
        if layer in named:
            continue
        named.add(layer)
        yield Finding(
            name=f"ring_voxels/{layer}",
            sentence=(
                f"layer {layer} has {rates[1][k]:.3g} ± {noise[k]:.1g} voxels above the threshold "
                f"between {low:g} and {high:g} mm per shower, the reference {rates[0][k]:.3g}"
            ),
            significance=float(sure[k]),
            layer=layer,
        )


def _of_layers(
    truth: ShowerObservables, shift: FloatArray, error: FloatArray, name: str, words: Any
) -> Iterator[Finding]:
    """Give the most significant layers of a comparison by layer."""
    sure = np.divide(np.abs(shift), error, out=np.zeros_like(shift), where=error > 0)
    for k in np.argsort(-sure, kind="stable")[:_MOST_OF_A_KIND]:
        if sure[k] < _needed(len(sure)):
            return
        layers = truth.geometry.layers
        layer = layers[k].identity if k < len(layers) else None
        key = name if layer is None else f"{name}/{layer}"
        yield Finding(key, words(layer, k, error[k]), float(sure[k]), layer)


def _missing_energies(truth: ShowerObservables, ours: ShowerObservables) -> Iterator[Finding]:
    """Find ranges of incident energy that hold too few or too many generated showers."""
    levels = np.unique(truth.incident_energy)
    if len(levels) <= 2 * _SPECTRUM_BINS:
        inner = np.sqrt(levels[1:] * levels[:-1])
        edges = np.concatenate([[levels[0] * 0.99], inner, [levels[-1] * 1.01]])
    else:
        edges = np.geomspace(levels[0] * (1 - 1e-9), levels[-1] * (1 + 1e-9), _SPECTRUM_BINS + 1)
    counts = np.stack([np.histogram(o.incident_energy, edges)[0] for o in (truth, ours)])
    totals = counts.sum(axis=1)
    if not totals.all():
        return
    share = counts / totals[:, None]
    pooled = counts.sum(axis=0) / totals.sum()
    noise = np.sqrt(pooled * (1 - pooled) * (1 / totals[0] + 1 / totals[1]))
    sure = np.divide(share[1] - share[0], noise, out=np.zeros(len(pooled)), where=noise > 0)
    for start, stop in _runs(np.sign(sure) * (np.abs(sure) >= _needed(len(sure)))):
        low, high = (_energy(edges[k]) for k in (start, stop))
        ours_there, truth_there = (int(counts[s, start:stop].sum()) for s in (1, 0))
        what = (
            "no generated shower has"
            if ours_there == 0
            else (f"{ours_there} of {totals[1]} generated showers have")
        )
        yield Finding(
            name=f"incident_energy/{start}",
            sentence=(
                f"{what} an incident energy between {low} and {high}; the reference has "
                f"{truth_there} of {totals[0]} there"
            ),
            significance=float(np.abs(sure[start:stop]).max()),
        )


def _runs(flags: Array) -> Iterator[tuple[int, int]]:
    """Give runs of equal nonzero flags as half-open ranges."""
    start = 0
    for k in range(1, len(flags) + 1):
        if k == len(flags) or flags[k] != flags[start]:
            if flags[start] != 0:
                yield start, k
            start = k


def _energy(mev: float) -> str:
    return f"{mev / 1000:.3g} GeV" if mev >= 1000 else f"{mev:.3g} MeV"


def _repeated(reference: Observed, generated: Observed) -> Iterator[Finding]:
    """Find generated showers that are there more than once."""
    again, before = generated.repeated, reference.repeated
    events, others = generated.sample.events, reference.sample.events
    expected = before * events / others
    significance = (again - expected) / math.sqrt(expected) if expected else CERTAIN
    if again <= expected or significance < _needed(1):
        return
    yield Finding(
        name="repeated",
        sentence=(
            f"{again} of {events} generated showers are copies of another generated shower; of "
            f"{others} reference showers {before} are"
        ),
        significance=significance,
    )
