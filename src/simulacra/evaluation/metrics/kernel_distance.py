"""Kernel physics distance: the maximum mean discrepancy of two samples' observables."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ...config import Config
from ...random import Stream, generator
from .moments import checked_features, drawing_probability, noise

__all__ = [
    "KERNEL_CANNOT_SEE",
    "KernelPhysicsDistance",
    "KernelSettings",
    "kernel_physics_distance",
]

Array = NDArray[Any]
FloatArray = NDArray[np.float64]
Progress = Callable[[int, int], None]

KERNEL_CANNOT_SEE = (
    "anything beyond fourth moments of the features, small differences (its error is that of "
    "batches of 10,000 showers), single voxels"
)

_SPREAD_ROWS = 2000  # reference showers behind the spread of the floor
_ROWS = 1024  # showers of a block: its part of a kernel matrix stays in the cache


class KernelSettings(Config):
    """How the kernel physics distance is measured; the defaults are the challenge's."""

    batch_size: int = Field(10_000, ge=2)
    """Showers per batch."""
    batches: int = Field(10, ge=2)
    """Number of batches."""
    seed: int = Field(42, ge=0)
    """Seed of the draws; 42 is what published numbers were made with."""


@dataclass(frozen=True)
class KernelPhysicsDistance:
    """A kernel physics distance with the batches it is the median of.

    Args:
        value: median of the batches; dimensionless, may be negative.
        error: half the width of the central 67.45 % of the batches: the spread of one batch, as
            the official program states it.
        median_error: one standard deviation of ``value`` as a median of batches.
        floor: expected ``value`` of two reference samples of the comparison's own sizes.
        floor_error: standard deviation of one such comparison.
        floor_from: where the floor comes from, in words.
        batches: the value of each batch.
        batch_size: showers per batch.
        events_reference: showers of the reference.
        events_generated: generated showers.
    """

    value: float
    error: float
    median_error: float
    floor: float
    floor_error: float
    floor_from: str
    batches: tuple[float, ...]
    batch_size: int
    events_reference: int
    events_generated: int


def kernel_physics_distance(
    reference: Array,
    generated: Array,
    *,
    settings: KernelSettings | None = None,
    weight_reference: Array | None = None,
    weight_generated: Array | None = None,
    progress: Progress | None = None,
) -> KernelPhysicsDistance:
    r"""Compare two samples by the maximum mean discrepancy with a polynomial kernel.

    Features are divided by their largest absolute value in the reference. Ten batches of 10,000
    showers are drawn with replacement from both samples, and the median of the unbiased estimates

    .. math::
        \frac{\sum_{i \ne j} k(x_i, x_j)}{m (m - 1)} + \frac{\sum_{i \ne j} k(y_i, y_j)}{m (m - 1)}
        - \frac{2}{m^2} \sum_{ij} k(x_i, y_j), \qquad k(x, y) = (x \cdot y / d + 1)^4

    is the value, with d the number of features. R. Kansal et al., "Evaluating generative models
    in high energy physics", 2022, arXiv:2211.10295, with the sizes of the CaloChallenge. For the
    same seed the draws are those of the program ``jetnet``, and so are the numbers, to 1e-12 of
    the kernel (1e-6 of all but vanishing distances).

    Few features are summed exactly by their fourth moments, in which the kernel factorises; many
    by blocks of the kernel matrix, using its symmetry and counting repeated showers once.

    **Floor.** The estimate is unbiased for the samples that the batches are drawn from, and these
    differ by chance. The floor is that difference in closed form, with averages over different
    reference showers: :math:`(1/N + 1/M)\,(\langle k(x, x) \rangle - \langle k(x, x') \rangle)`;
    usually it is far below the error. Its error is the spread of that difference and of the
    median of the batches.

    It cannot see anything beyond fourth moments of the features, small differences (its error is
    that of batches of 10,000 showers), single voxels.

    Args:
        reference: features of the reference, shape ``(events_reference, features)``.
        generated: the same features of the generated showers, ``(events_generated, features)``.
        settings: batches and seed; the challenge's by default.
        weight_reference: event weights, at least 0; an event is drawn in proportion.
        weight_generated: the same for the generated showers.
        progress: called with (batches done, batches).

    Raises:
        ShapeError: if arrays do not fit each other.
        RangeError: if a number is not finite, a weight negative, or a sample has fewer than two
            events.
    """
    settings = KernelSettings() if settings is None else settings
    truth, ours = checked_features(reference, generated)
    chances = (
        drawing_probability(weight_reference, len(truth)),
        drawing_probability(weight_generated, len(ours)),
    )
    size = settings.batch_size
    found, excess = [], []
    for batch in range(settings.batches):
        rng = np.random.default_rng(settings.seed + 1000 * batch)  # the official draws
        drawn = [
            _counted(sample, rng.choice(len(sample), size=size, p=chance))
            for sample, chance in zip((truth, ours), chances, strict=True)
        ]
        sums = _kernel_sums(drawn[0], drawn[1], size)
        found.append(sums.unbiased)
        excess.append(sums.diagonal - sums.different)
        if progress is not None:
            progress(batch + 1, settings.batches)
    low, median, high = np.percentile(found, [16.275, 50, 83.725])
    median_error = 1.2533 * float(np.std(found, ddof=1)) / settings.batches**0.5
    chance_noise = noise(chances[0], len(truth)) + noise(chances[1], len(ours))
    between = _null_spread(truth, chances[0], settings.seed) * chance_noise
    return KernelPhysicsDistance(
        value=float(median),
        error=float(high - low) / 2,
        median_error=median_error,
        floor=float(np.mean(excess)) * chance_noise,
        floor_error=float(np.hypot(median_error, between)),
        floor_from=(
            f"closed form for {len(truth)} against {len(ours)}, from {settings.batches} batches of "
            f"{size} of the {len(truth)} reference showers"
        ),
        batches=tuple(found),
        batch_size=size,
        events_reference=len(truth),
        events_generated=len(ours),
    )


def _null_spread(truth: FloatArray, chance: FloatArray | None, seed: int) -> float:
    r"""Return the spread of the discrepancy of two samples of one truth, over 1/N + 1/M.

    It is :math:`(2 \sum \lambda^2)^{1/2}` with the eigenvalues of the centred kernel, whose squares
    sum to the mean square of the centred kernel of two different showers.
    """
    rng = generator(seed, Stream.BOOTSTRAP)
    number = len(truth) if chance is None else int(np.count_nonzero(chance))
    some = truth[rng.choice(len(truth), min(number, _SPREAD_ROWS), replace=False, p=chance)]
    kernel = _kernel(some @ some.T, some.shape[1])
    kernel -= kernel.mean(axis=0)
    kernel -= kernel.mean(axis=1)[:, None]
    np.fill_diagonal(kernel, 0)
    kernel *= kernel
    return float(np.sqrt(2 * kernel.sum() / (len(some) * (len(some) - 1))))


@dataclass(frozen=True)
class _KernelSums:
    """Averages of the kernel: the unbiased discrepancy, and k(x, x), k(x, x') of the reference."""

    unbiased: float
    diagonal: float
    different: float


def _counted(sample: FloatArray, drawn: NDArray[np.int64]) -> tuple[FloatArray, FloatArray]:
    """Return the showers of a batch, each once, and how often each was drawn."""
    counts = np.bincount(drawn, minlength=len(sample))
    rows = np.flatnonzero(counts)
    return sample[rows], counts[rows].astype(np.float64)


def _kernel_sums(
    first: tuple[FloatArray, FloatArray], second: tuple[FloatArray, FloatArray], size: int
) -> _KernelSums:
    features = first[0].shape[1]
    pairs = (features + 1) * (features + 2) // 2
    by_moments = pairs**2 < (2 * features + 20) * size
    averages = _by_moments if by_moments else _by_blocks
    xx, yy, discrepancy = averages(first, second, size)
    diagonals = [float(n @ _kernel((x * x).sum(1), features)) / size for x, n in (first, second)]
    # sum over different showers / (m (m - 1)) = average + (average - diagonal) / (m - 1)
    corrections = [(s - d) / (size - 1) for s, d in zip((xx, yy), diagonals, strict=True)]
    return _KernelSums(discrepancy + sum(corrections), diagonals[0], xx + corrections[0])


def _kernel(products: FloatArray, features: int) -> FloatArray:
    """Turn scalar products into the kernel, in place."""
    products /= features
    products += 1
    products *= products
    products *= products
    return products


def _by_moments(
    first: tuple[FloatArray, FloatArray], second: tuple[FloatArray, FloatArray], size: int
) -> tuple[float, float, float]:
    """Return the averages of k(x, x'), of k(y, y'), and the discrepancy with the diagonal."""
    a, b = (_fourth_moments(*sample) / size for sample in (first, second))
    return float((a * a).sum()), float((b * b).sum()), float(((a - b) ** 2).sum())


def _fourth_moments(sample: FloatArray, counts: FloatArray) -> FloatArray:
    r"""Return T with :math:`\sum_{ij} n_i n_j k(x_i, x_j) = \sum_{pq} T_{pq}^2`.

    With :math:`u = (1, x / \sqrt d)` the kernel is :math:`(u \cdot u')^4`, a scalar product of
    products of four components; T sums them over showers, as a matrix over unordered pairs p of
    components, in which those of different components count :math:`\sqrt 2`.
    """
    features = sample.shape[1]
    first, second = np.triu_indices(features + 1)
    scale = np.where(first == second, 1.0, np.sqrt(2.0))[:, None]
    total = np.zeros((len(first), len(first)))
    for start in range(0, len(sample), _ROWS):
        rows = slice(start, start + _ROWS)
        extended = np.empty((features + 1, len(sample[rows])))
        extended[0] = 1
        extended[1:] = sample[rows].T / np.sqrt(features)
        pairs = extended[first]
        pairs *= extended[second]
        pairs *= scale
        pairs *= np.sqrt(counts[rows])
        total += pairs @ pairs.T
    return total


def _by_blocks(
    first: tuple[FloatArray, FloatArray], second: tuple[FloatArray, FloatArray], size: int
) -> tuple[float, float, float]:
    """Return the same averages from the kernel matrix itself, a block at a time."""
    xx, yy, xy = (
        _kernel_total(a, b) / size**2
        for a, b in ((first, first), (second, second), (first, second))
    )
    return xx, yy, xx + yy - 2 * xy


def _kernel_total(a: tuple[FloatArray, FloatArray], b: tuple[FloatArray, FloatArray]) -> float:
    """Return the sum of the kernel over all pairs; of a sample with itself by symmetry."""
    total = 0.0
    starts = range(0, len(a[0]), _ROWS)
    for i in starts:
        rows = slice(i, i + _ROWS)
        for j in range(i if a is b else 0, len(b[0]), _ROWS):
            columns = slice(j, j + _ROWS)
            block = _kernel(a[0][rows] @ b[0][columns].T, a[0].shape[1])
            part = float(a[1][rows] @ block @ b[1][columns])
            total += 2 * part if a is b and j > i else part
    return total
