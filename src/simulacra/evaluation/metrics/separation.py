"""Separation power of two histograms, with its error and its floor."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import RangeError, ShapeError
from ...random import Stream, generator
from .binned import BinnedEvents
from .comparison import Comparison, floor_origin

__all__ = ["separation", "separation_power"]

Array = NDArray[Any]
FloatArray = NDArray[np.float64]


def separation_power(a: Array, b: Array) -> FloatArray:
    r"""Compare histograms by their triangular discrimination.

    .. math:: S = \frac12 \sum_i \frac{(p_i - q_i)^2}{|p_i| + |q_i| + 10^{-16}}

    with p and q normalised to unit sum. 0 for equal and 1 for disjoint histograms, symmetric.
    Where negative weights make a bin negative, the absolute values keep the denominator
    positive; elsewhere they change nothing. A histogram without entries has nothing in common
    with a filled one (1) and everything with another empty one (0). Diefenbacher et al.,
    "DCTRGAN", 2020, arXiv:2009.03796, eq. 15, in the spelling of the CaloChallenge.

    It cannot see what lies outside the bins nor how entries are spread within one.

    Args:
        a: sums of weights in each bin of the first sample, shape ``(..., bins)``.
        b: the same of the second sample, shape ``(..., bins)``.

    Returns:
        Dimensionless, shape ``(...)``.

    Raises:
        ShapeError: if the numbers of bins differ.
        RangeError: if the sum of weights of a sample is negative.

    Example:
        >>> round(float(separation_power(np.array([1.0, 1.0]), np.array([2.0, 0.0]))), 6)
        0.333333
    """
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if a.shape[-1] != b.shape[-1]:
        raise ShapeError(f"expected equal bins, got {a.shape[-1]} and {b.shape[-1]}.")
    total_a, total_b = a.sum(-1, keepdims=True), b.sum(-1, keepdims=True)
    if (total_a < 0).any() or (total_b < 0).any():
        raise RangeError(
            "separation power: the weights of a sample sum to a negative number inside the bins; "
            "too few events for their negative weights."
        )
    p = np.divide(a, total_a, out=np.zeros_like(a), where=total_a > 0)
    q = np.divide(b, total_b, out=np.zeros_like(b), where=total_b > 0)
    value = 0.5 * ((p - q) ** 2 / (np.abs(p) + np.abs(q) + 1e-16)).sum(-1)
    one_empty = (total_a > 0)[..., 0] != (total_b > 0)[..., 0]
    return np.where(one_empty, 1.0, value)


def separation(
    reference: BinnedEvents,
    generated: BinnedEvents,
    *,
    seed: int,
    key: int = 0,
    repeats: int = 200,
    independent: BinnedEvents | None = None,
) -> Comparison:
    r"""Compare two samples, with an error from resampled events and the floor of the comparison.

    **Floor.** Two samples of one truth differ by chance, in leading order by a number
    proportional to the sum of their inverse (effective) numbers of events,
    :math:`\nu = 1/N + 1/M`. The mean S of random halves of the reference, times
    :math:`\nu / \nu_\text{halves}`, is the floor; an independent reference sample is scaled in
    the same way. The correction assumes filled bins: where bins hold few entries the truth
    lies below it.

    **Error.** The variance of S over bootstrap samples of both sides counts the chance
    differences of the sample a second time. For Gaussian bins the excess is exactly twice the
    variance of the floor, which is subtracted; the error is never below the floor's.

    Args:
        reference: the reference in bins.
        generated: the generated showers in the same bins.
        seed: seed of the resampling.
        key: number of the comparison; others with the same seed draw other numbers.
        repeats: number of bootstrap samples and of random halves.
        independent: a second reference sample in the same bins, for the floor.

    Raises:
        RangeError: if a sample is too small to be halved or sums to a negative weight.
        ShapeError: if the bins differ.
    """
    if len(reference) < 2 or len(generated) < 1:
        raise RangeError("separation power: expected at least two reference showers and one other.")
    rng = generator(seed, Stream.BOOTSTRAP, key)
    value = float(separation_power(_inside(reference.sums), _inside(generated.sums)))
    noise = reference.noise + generated.noise
    first, second, noise_halves = reference.halved(rng, repeats)
    halves = _resampled_power(first, second) * noise / noise_halves
    floor, spread = float(halves.mean()), float(halves.std())
    factor = noise / float(noise_halves.mean())
    if independent is not None:
        factor = noise / (reference.noise + independent.noise)
        power = separation_power(_inside(reference.sums), _inside(independent.sums))
        floor = float(power * factor)
    origin = floor_origin(
        reference, generated, independent, repeats=repeats, factor=factor, law="1/N"
    )
    drawn = _resampled_power(
        reference.bootstrapped(rng, repeats), generated.bootstrapped(rng, repeats)
    )
    variance = max(float(drawn.var()) - 2 * spread**2, spread**2)
    return Comparison(value, variance**0.5, floor, spread, origin)


def _inside(sums: FloatArray) -> FloatArray:
    return sums[..., 1:-1]


def _resampled_power(a: FloatArray, b: FloatArray) -> FloatArray:
    """Return S of resampled histograms; samples with a negative sum count as empty."""
    a, b = _inside(a), _inside(b)
    a = np.where(a.sum(-1, keepdims=True) < 0, 0, a)
    b = np.where(b.sum(-1, keepdims=True) < 0, 0, b)
    return separation_power(a, b)
