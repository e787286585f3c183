"""What gives generated showers away to a classifier, and what its ratio can repair."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .classifiers import ClassifierVerdict
from .metrics import separation_power
from .observables import Observable, ShowerObservables, shower_observables
from .sample import Observed
from .verdict import Diagnosis

__all__ = ["LARGEST_WEIGHT", "area_among_alike", "diagnose", "ratio_weights", "tell_tales"]

Array = NDArray[Any]
FloatArray = NDArray[np.float64]

LARGEST_WEIGHT = 20.0
"""The classifier's ratio is cut to between 1/20 and 20 before it weights a shower."""

_ALIKE = 20  # showers of both samples that are called alike, on average
_BINS = 20  # of equal contents, in which the closure is measured
_REPAIRED = ("total_energy_ratio", "layer_energy")


def diagnose(
    found: ClassifierVerdict, reference: Observed, generated: Observed, *, count: int = 10
) -> Diagnosis:
    r"""Ask a trained classifier what it has seen; only its unseen scores are used.

    **Observables.** The area under the curve is the chance that a reference shower scores higher
    than a generated one. For each observable only showers that are alike in it, and in incident
    energy, are compared: the fall of the area says how much of what the classifier sees goes
    along with this observable. Observables that go along with each other share their power, and
    faults in how observables go together give none of them away.

    **Closure.** Generated showers are weighted with the ratio :math:`p / (1 - p)` of the
    calibrated scores, cut to between 1/20 and 20, and separation powers (in 20 bins of equal
    reference contents) are taken before and after: a classifier that has found all faults brings
    them to the floor, as far as the generated showers reach where the reference is. With few
    effective showers the floor is high.

    Args:
        found: the classifier's verdict on these samples.
        reference: the reference.
        generated: the generated showers.
        count: number of observables and of showers to name.
    """
    result = found.result
    kept = [~np.isnan(s) for s in (result.calibrated_first, result.calibrated_second)]
    rows = [r[k] for r, k in zip(found.rows, kept, strict=True)]
    scores = (result.calibrated_first[kept[0]], result.calibrated_second[kept[1]])
    samples = [o.observables.select(r) for o, r in zip((reference, generated), rows, strict=True)]
    weights = (samples[0].weights, samples[1].weights)
    declared = shower_observables(reference.sample.geometry)
    energies = [o.incident_energy for o in samples]
    powers = tell_tales(
        ([_scaled(d, o) for o in samples] for d in declared), energies, scores, weights
    )
    best = np.argsort(-powers, kind="stable")[:count].tolist()
    surest = np.lexsort((result.scores_second[kept[1]], scores[1]))[:count]
    closure = [one for one in declared if one.family in _REPAIRED]
    closure += [declared[k] for k in best if declared[k] not in closure and powers[k] > 0]
    ratio = ratio_weights(scores[1])
    before, after = (
        tuple(_separation(one, samples, (weights[0], w)) for one in closure)
        for w in (weights[1], weights[1] * ratio)
    )
    return Diagnosis(
        classifier=found.record.name,
        observables=tuple(declared[k].name for k in best),
        powers=tuple(powers[best].tolist()),
        showers=tuple(rows[1][surest].tolist()),
        shower_scores=tuple(scores[1][surest].tolist()),
        closure=tuple(one.name for one in closure),
        before=before,
        after=after,
        effective=float(ratio.sum() ** 2 / (len(ratio) * (ratio**2).sum())),
    )


def tell_tales(
    values: Iterable[Sequence[Array]],
    energies: Sequence[Array],
    scores: tuple[Array, Array],
    weights: tuple[Array, Array],
) -> FloatArray:
    """Return by how much the area falls among showers that are alike in one observable at a time.

    Showers are alike if they lie in one cell of about equal numbers, in the incident energy and
    then in the observable, of 20 showers on average.

    Args:
        values: each observable of reference and generated showers; nan is a value of its own.
        energies: incident energies in MeV of reference and generated showers.
        scores: the classifier's scores of both.
        weights: event weights of both.

    Returns:
        Falls of the area, shape ``(observables,)``; noise makes them slightly negative.
    """
    events = len(energies[0]) + len(energies[1])
    cells = max(4, events // _ALIKE)
    groups = int(np.clip(round((cells / 4) ** 0.5), 1, 15))
    bins = max(2, cells // groups)
    group = _equal_cells(np.zeros(events, np.int64), np.concatenate(energies), groups)
    alike = area_among_alike(group, scores, weights)
    falls = []
    for pair in values:
        cell = group * bins + _equal_cells(group, np.concatenate(pair), bins)
        falls.append(alike - area_among_alike(cell, scores, weights))
    return np.array(falls)


def area_among_alike(
    cell: Array, scores: tuple[Array, Array], weights: tuple[Array, Array]
) -> float:
    r"""Return the area under the curve if only showers of the same cell are compared.

    .. math::
        A = \frac{\sum_c h_c A_c}{\sum_c h_c}, \quad
        h_c = \frac{W_c V_c}{W_c + V_c}

    with the area :math:`A_c` and the sums of weights :math:`W_c, V_c` of both samples in a cell,
    so that a cell counts by its showers, not by its pairs of showers.

    Args:
        cell: number of the cell of each reference and then each generated shower.
        scores: scores of both.
        weights: event weights of both.

    Returns:
        0.5 for scores that do not tell the samples apart within cells, and where no cell holds
        showers of both.
    """
    cut, score = len(scores[0]), np.concatenate(scores)
    order = np.lexsort((score, cell))
    c, s = cell[order], score[order]
    first = np.where(order < cut, np.concatenate(weights)[order], 0.0)
    second = np.where(order < cut, 0.0, np.concatenate(weights)[order])
    below = np.append(0.0, np.cumsum(second))
    ties = np.append(True, (c[1:] != c[:-1]) | (s[1:] != s[:-1]))
    starts = np.flatnonzero(ties)
    run = np.cumsum(ties) - 1
    ends = np.append(starts[1:], len(c))
    cells = np.flatnonzero(np.append(True, c[1:] != c[:-1]))
    within = np.cumsum(np.append(True, c[1:] != c[:-1])) - 1
    beaten = (below[starts] + below[ends])[run] / 2 - below[cells][within]
    wins = np.add.reduceat(first * beaten, cells)
    w, v = np.add.reduceat(first, cells), np.add.reduceat(second, cells)
    filled = (w > 0) & (v > 0)
    total = float((w * v / (w + v))[filled].sum())
    return float((wins / (w + v))[filled].sum()) / total if total else 0.5


def ratio_weights(calibrated: Array) -> FloatArray:
    """Return :math:`p / (1 - p)`, cut to between 1/20 and 20.

    Args:
        calibrated: probabilities of belonging to the reference, shape ``(events,)``.
    """
    p = np.asarray(calibrated, np.float64)
    return np.clip(p / (1 - p), 1 / LARGEST_WEIGHT, LARGEST_WEIGHT)


def _equal_cells(group: Array, values: Array, cells: int) -> NDArray[np.int64]:
    """Cut each group into cells of about equal numbers; equal values share a cell.

    Showers for which an observable is not defined (nan) are one value beyond all others.
    """
    values = np.where(np.isnan(values), np.inf, values)
    order = np.lexsort((values, group))
    g, v = group[order], values[order]
    place = np.arange(len(order))
    new = np.append(True, (v[1:] != v[:-1]) | (g[1:] != g[:-1]))
    first = np.maximum.accumulate(np.where(new, place, 0))
    starts, sizes = np.searchsorted(g, g), np.bincount(group)[g]
    found = np.empty(len(order), np.int64)
    found[order] = (first - starts) * cells // sizes
    return found


def _scaled(observable: Observable, sample: ShowerObservables) -> FloatArray:
    """Return an observable's values; energies over the incident one, which spans decades."""
    values = np.asarray(observable.values(sample), np.float64)
    return values / sample.incident_energy if observable.unit == "MeV" else values


def _separation(
    observable: Observable,
    samples: Sequence[ShowerObservables],
    weights: tuple[FloatArray, FloatArray],
) -> float:
    values = [np.asarray(observable.values(o), np.float64) for o in samples]
    present = values[0][~np.isnan(values[0])]
    if not len(present):
        return 0.0
    edges = np.unique(np.quantile(present, np.arange(1, _BINS) / _BINS))
    sums = []
    for v, w in zip(values, weights, strict=True):
        here = ~np.isnan(v)
        place = np.searchsorted(edges, v[here], side="right")
        sums.append(np.clip(np.bincount(place, w[here], len(edges) + 1), 0, None))
    return float(separation_power(*sums))
