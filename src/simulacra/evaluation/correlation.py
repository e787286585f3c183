"""How the layers' energies go together: their correlations in both samples, and a score."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import RangeError
from ..random import Stream, generator
from .metrics.comparison import floor_origin
from .observables import ShowerObservables
from .observables.products import steady_product
from .verdict import Matrix, Score

__all__ = ["correlation_score", "layer_correlation"]

Array = NDArray[Any]
FloatArray = NDArray[np.float64]

_GROUPS = 64  # of showers, which are resampled as a whole
_REPEATS = 100
_KEY = 1 << 20  # beyond the numbers of the observables
_CANNOT_SEE = "dependence that leaves linear correlations alone, within layers and between them"


def layer_correlation(reference: ShowerObservables, generated: ShowerObservables) -> Matrix:
    """Return Pearson's correlations of E_layer / E_inc, weighted, for both samples.

    Args:
        reference: the reference.
        generated: the generated showers, of the same detector.
    """
    a, b = (_Moments.of(o).correlation() for o in (reference, generated))
    return Matrix(
        name="layer_correlation",
        label=r"correlation of $E_\mathrm{layer} / E_\mathrm{inc}$",
        labels=tuple(f"layer {layer.identity}" for layer in reference.geometry.layers),
        reference=tuple(tuple(row.tolist()) for row in a),
        generated=tuple(tuple(row.tolist()) for row in b),
        cannot_see=_CANNOT_SEE,
    )


def correlation_score(
    reference: ShowerObservables,
    generated: ShowerObservables,
    *,
    seed: int,
    independent: ShowerObservables | None = None,
) -> Score:
    """Return the largest difference of two layers' correlation between the samples.

    Error and floor come from 64 random groups of showers, drawn again and again. The largest
    difference of two halves of the reference falls with the square root of the number of showers.

    Args:
        reference: the reference.
        generated: the generated showers, of the same detector.
        seed: seed of the resampling.
        independent: a second reference, for the floor.

    Raises:
        RangeError: if the detector has a single layer.
    """
    if len(reference.geometry.layers) < 2:
        raise RangeError("correlation of layers: expected at least two layers, got one.")
    rng = generator(seed, Stream.BOOTSTRAP, _KEY)
    truth, ours = (_Moments.of(o, rng) for o in (reference, generated))
    value, pair = _largest(truth.correlation(), ours.correlation())
    halves = truth.halved(rng)
    noise = _noise(reference) + _noise(generated)
    factor = np.sqrt(noise / (4 * _noise(reference)))
    null = np.array([_largest(a, b)[0] for a, b in halves]) * factor
    drawn = [
        _largest(a, b)[0]
        for a, b in zip(truth.bootstrapped(rng), ours.bootstrapped(rng), strict=True)
    ]
    floor, spread = float(null.mean()), float(null.std())
    if independent is not None:
        factor = np.sqrt(noise / (_noise(reference) + _noise(independent)))
        second = _Moments.of(independent).correlation()
        floor = float(_largest(truth.correlation(), second)[0] * factor)
    names = [reference.geometry.layers[i].identity for i in pair]
    return Score(
        name="layer_correlation",
        label="correlation of layer energies, largest difference",
        value=value,
        error=max(float(np.std(drawn)), spread),
        floor=floor,
        floor_error=spread,
        layer=None,
        unit="",
        protocol=(
            f"Pearson's correlation of E_layer / E_inc, largest between layers {names[0]} and "
            f"{names[1]}, {len(reference)} reference and {len(generated)} generated showers"
        ),
        comparable=False,
        cannot_see=_CANNOT_SEE,
        floor_from=floor_origin(
            reference,
            generated,
            independent,
            repeats=_REPEATS,
            factor=float(factor),
            law="1/sqrt(N)",
        ),
    )


@dataclass(frozen=True, eq=False)
class _Moments:
    """Sums of w, w x and w x x over groups of showers, x being the layers' energy fractions.

    Args:
        weight: shape ``(groups,)``.
        first: shape ``(groups, layers)``.
        second: shape ``(groups, layers, layers)``.
    """

    weight: FloatArray
    first: FloatArray
    second: FloatArray

    @classmethod
    def of(cls, o: ShowerObservables, rng: np.random.Generator | None = None) -> _Moments:
        """Sum over random groups; over one without a generator."""
        x = o.layer_energy.astype(np.float64) / o.incident_energy.astype(np.float64)[:, None]
        x = x - x.mean(axis=0)  # a correlation is a small difference of large sums without it
        w = o.weights
        groups = [np.arange(len(x))]
        if rng is not None:
            groups = np.array_split(rng.permutation(len(x)), min(_GROUPS, len(x)))
        return cls(
            weight=np.array([w[g].sum() for g in groups]),
            first=np.array([(w[g, None] * x[g]).sum(axis=0) for g in groups]),
            second=np.array([steady_product((w[g, None] * x[g]).T, x[g]) for g in groups]),
        )

    def correlation(self, times: Array | None = None) -> FloatArray:
        """Return the correlations with groups taken so many times; nan for a constant layer."""
        t = np.ones(len(self.weight)) if times is None else times
        total = float((t * self.weight).sum())
        if not total > 0:  # too few showers for their negative weights
            return np.full(self.second.shape[1:], np.nan)
        mean = (t[:, None] * self.first).sum(axis=0) / total
        covariance = (t[:, None, None] * self.second).sum(axis=0) / total - np.outer(mean, mean)
        variance = np.diag(covariance)
        size = np.sqrt(np.where(variance > 0, variance, np.nan))
        return np.asarray(np.clip(covariance / np.outer(size, size), -1, 1))

    def halved(self, rng: np.random.Generator) -> list[tuple[FloatArray, FloatArray]]:
        groups = len(self.weight)
        found = []
        for _ in range(_REPEATS):
            first = rng.permutation(groups) < groups // 2
            found.append((self.correlation(1.0 * first), self.correlation(1.0 * ~first)))
        return found

    def bootstrapped(self, rng: np.random.Generator) -> list[FloatArray]:
        groups = len(self.weight)
        return [
            self.correlation(np.bincount(rng.integers(0, groups, groups), minlength=groups) * 1.0)
            for _ in range(_REPEATS)
        ]


def _largest(a: FloatArray, b: FloatArray) -> tuple[float, tuple[int, int]]:
    difference = np.nan_to_num(np.abs(a - b))
    place = np.unravel_index(int(difference.argmax()), difference.shape)
    return float(difference[place]), (int(place[0]), int(place[1]))


def _noise(o: ShowerObservables) -> float:
    return float((o.weights**2).sum() / o.weights.sum() ** 2)
