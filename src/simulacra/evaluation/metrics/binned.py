"""Events sorted into bins once, to be histogrammed, resampled and halved many times."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import ShapeError
from ..observables.products import steady_product
from ..observables.spectrum import bin_index

__all__ = ["BinnedEvents", "noise"]

Array = NDArray[Any]
FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

_BLOCK = 1 << 22  # random numbers held at a time


@dataclass(frozen=True, eq=False)
class BinnedEvents:
    """A sample in bins; the first and last of ``bins + 2`` columns lie outside the range.

    Args:
        edges: bin edges, shape ``(bins + 1,)``.
        entries: the bin of each event, shape ``(events,)``, for one entry per event; or the
            number of entries per event and bin, shape ``(events, bins + 2)``.
        weight: event weights, shape ``(events,)``; may be negative; None for ones.

    Raises:
        ShapeError: if the shapes do not fit each other.
    """

    edges: FloatArray
    entries: Array
    weight: FloatArray | None = None

    def __post_init__(self) -> None:
        expected = (len(self.entries), self.columns) if self.entries.ndim == 2 else (len(self),)
        if self.entries.shape != expected:
            raise ShapeError(f"entries: expected shape {expected}, got {self.entries.shape}.")
        if self.weight is not None and self.weight.shape != (len(self),):
            raise ShapeError(f"weight: expected ({len(self)},), got {self.weight.shape}.")

    @classmethod
    def from_values(
        cls, values: Array, edges: FloatArray, weight: FloatArray | None = None
    ) -> BinnedEvents:
        """Sort one number per event, shape ``(events,)``, into bins; nan takes no part."""
        present = ~np.isnan(values)
        if not present.all():
            values = values[present]
            weight = None if weight is None else weight[present]
        return cls(np.asarray(edges, np.float64), bin_index(values, edges), weight)

    def __len__(self) -> int:
        return len(self.entries)

    def select(self, which: slice | Array | Sequence[int]) -> BinnedEvents:
        """Return the events picked by a slice, a mask or indices, in the same bins."""
        weight = None if self.weight is None else self.weight[which]
        return replace(self, entries=self.entries[which], weight=weight)

    @property
    def columns(self) -> int:
        """Number of bins including those below and above the range."""
        return len(self.edges) + 1

    @cached_property
    def sums(self) -> FloatArray:
        """Sum of weights in each bin, shape ``(bins + 2,)``."""
        return self._summed(self.weights)

    @cached_property
    def variances(self) -> FloatArray:
        """Variance of :attr:`sums` for a Poisson number of events, shape ``(bins + 2,)``.

        The entries of one event are not independent: it counts with the square of its entries.
        """
        if self.entries.ndim == 1:
            return self._summed(self.weights**2)
        total = np.zeros(self.columns)
        for block in self._blocks():
            total += self.weights[block] ** 2 @ self.entries[block].astype(np.float64) ** 2
        return total

    @property
    def weights(self) -> FloatArray:
        """Event weights, shape ``(events,)``."""
        return np.ones(len(self)) if self.weight is None else self.weight

    @property
    def noise(self) -> float:
        """1 / (effective number of events): sum of squared weights over squared sum."""
        return noise(self.weights)

    def bootstrapped(self, rng: np.random.Generator, repeats: int) -> FloatArray:
        """Draw each event as often as a Poisson number of mean 1 says, again and again.

        Where weights differ within a bin, the mean and the variance of their drawn sum are exact
        and its shape is normal.

        Returns:
            Sums of weights, shape ``(repeats, bins + 2)``.
        """
        if self.entries.ndim == 2:
            return np.concatenate(
                [self._drawn(_poisson(rng, rows, len(self))) for rows in self._groups(repeats)]
            )
        drawn = rng.poisson(self._counts, (repeats, self.columns))
        return self._weighed(rng, drawn, drawn)

    def halved(
        self, rng: np.random.Generator, repeats: int
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Split the events at random into halves, again and again.

        The halves of events with several entries each are equal only on average.

        Returns:
            Sums of weights of both halves, each ``(repeats, bins + 2)``, and the sum of both
            halves' :attr:`noise`, shape ``(repeats,)``.
        """
        if self.entries.ndim == 2:
            coins = [_coins(rng, rows, len(self)) for rows in self._groups(repeats)]
            first = np.concatenate([self._drawn(taken) for taken in coins])
            return first, self.sums - first, np.concatenate(list(map(self._halved_noise, coins)))
        counts, half = self._counts, len(self) // 2
        drawn = rng.multivariate_hypergeometric(counts, half, repeats)
        spread = drawn * (counts - drawn) / np.maximum(counts - 1, 1)
        first = self._weighed(rng, drawn, spread)
        squares = float((self.weights**2).sum())
        parts = zip((half, len(self) - half), (first, self.sums - first), strict=True)
        noises = sum(
            squares * events / len(self) / np.maximum(part.sum(1) ** 2, 1e-300)
            for events, part in parts
        )
        return first, self.sums - first, np.asarray(noises)

    @cached_property
    def _counts(self) -> IntArray:
        """Number of events in each bin, for one entry per event."""
        return np.bincount(self.entries, minlength=self.columns)

    def _weighed(self, rng: np.random.Generator, drawn: IntArray, spread: Array) -> FloatArray:
        """Turn drawn numbers of events into sums of weights.

        Args:
            rng: for the weights.
            drawn: numbers of events in each bin, shape ``(repeats, bins + 2)``.
            spread: variance of the drawn sum in units of the variance of a bin's weights.
        """
        if self.weight is None:
            return drawn.astype(np.float64)
        counts = np.maximum(self._counts, 1)
        mean = self.sums / counts
        variance = np.maximum(self.variances / counts - mean**2, 0)
        if not (variance > 1e-12 * mean**2).any():
            return np.asarray(drawn * mean)
        apart = np.sqrt(spread * variance) * rng.standard_normal(drawn.shape)
        total: FloatArray = drawn * mean + apart
        return total

    def _drawn(self, times: NDArray[np.uint8]) -> FloatArray:
        """Return the sums of events that are taken so many times, shape (repeats, events)."""
        total = np.zeros((len(times), self.columns))
        for block in self._blocks():
            taken = times[:, block] * self.weights[block]
            total += steady_product(taken, self.entries[block].astype(np.float64))
        return total

    def _halved_noise(self, taken: NDArray[np.uint8]) -> FloatArray:
        """Return the noise of the events that are taken plus that of the others."""
        if self.weight is None:
            first = np.maximum(taken.sum(axis=1, dtype=np.int64), 1)
            return np.asarray(1 / first + 1 / np.maximum(len(self) - first, 1))
        return _noise(taken * self.weight) + _noise((1 - taken) * self.weight)

    def _summed(self, weights: FloatArray) -> FloatArray:
        """Return the sums for other weights, shape (events,) -> (bins + 2,)."""
        if self.entries.ndim == 1:
            return np.bincount(self.entries, weights, self.columns).astype(np.float64)
        total = np.zeros(self.columns)
        for block in self._blocks():
            total += weights[block] @ self.entries[block].astype(np.float64)
        return total

    def _blocks(self) -> list[slice]:
        step = max(1, _BLOCK // (8 * self.columns))
        return [slice(start, start + step) for start in range(0, len(self), step)]

    def _groups(self, repeats: int) -> list[int]:
        """Split the repeats so that the numbers of a group fit into a block."""
        rows = max(1, min(repeats, _BLOCK // max(1, len(self))))
        whole, rest = divmod(repeats, rows)
        return [rows] * whole + [rest] * (rest > 0)


def noise(weights: Array) -> float:
    """Return 1 / (effective number of events): sum of squared weights over squared sum."""
    return float(_noise(weights))


def _noise(weights: FloatArray) -> FloatArray:
    total: FloatArray = weights.sum(-1)
    inverse: FloatArray = (weights**2).sum(-1) / np.maximum(total**2, 1e-300)
    return inverse


def _poisson(rng: np.random.Generator, rows: int, events: int) -> NDArray[np.uint8]:
    """Draw Poisson numbers of mean 1, looked up: each of them 2^-16 of all."""
    drawn = rng.integers(0, 2**16, (rows, events), dtype=np.uint16)
    numbers = np.take(_poisson_numbers(), drawn, mode="clip")  # none is outside: this is faster
    return np.asarray(numbers)


def _coins(rng: np.random.Generator, rows: int, events: int) -> NDArray[np.uint8]:
    """Draw 0 or 1."""
    drawn = rng.integers(0, 2**8, (rows, -(-events // 8)), dtype=np.uint8)
    return np.unpackbits(drawn, axis=1, count=events)


@cache
def _poisson_numbers() -> NDArray[np.uint8]:
    """Return 2^16 numbers; one of them, picked at random, is a Poisson number of mean 1."""
    probability = [math.exp(-1) / math.factorial(k) for k in range(9)]
    last = np.rint(2**16 * np.cumsum(probability)).astype(int)
    return np.searchsorted(last, np.arange(2**16), side="right").astype(np.uint8)
