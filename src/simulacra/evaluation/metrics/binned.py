"""Events sorted into bins once, to be histogrammed, resampled and halved many times."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import ShapeError
from ..observables.spectrum import bin_index

__all__ = ["BinnedEvents"]

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
        """Sort one number per event, shape ``(events,)``, into bins."""
        return cls(np.asarray(edges, np.float64), bin_index(values, edges), weight)

    def __len__(self) -> int:
        return len(self.entries)

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
        return float(_noise(self.weights))

    def bootstrapped(self, rng: np.random.Generator, repeats: int) -> FloatArray:
        """Draw as many events with replacement, again and again.

        Returns:
            Sums of weights, shape ``(repeats, bins + 2)``.
        """
        if self._plain:  # drawing events and sorting them is drawing from the bins
            return rng.multinomial(len(self), self.sums / len(self), repeats).astype(np.float64)
        return np.concatenate(
            [
                self._summed(_times_drawn(rng, rows, len(self)) * self.weights)
                for rows in self._groups(repeats)
            ]
        )

    def halved(
        self, rng: np.random.Generator, repeats: int
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Split the events at random into halves, again and again.

        Returns:
            Sums of weights of both halves, each ``(repeats, bins + 2)``, and the sum of both
            halves' :attr:`noise`, shape ``(repeats,)``.
        """
        half = len(self) // 2
        if self._plain:
            drawn = rng.multivariate_hypergeometric(self.sums.astype(np.int64), half, repeats)
            first = drawn.astype(np.float64)
            noise = np.full(repeats, 1 / half + 1 / (len(self) - half))
            return first, self.sums - first, noise
        halves, noises = [], []
        for rows in self._groups(repeats):
            kept = rng.permuted(np.tile(np.arange(len(self)) < half, (rows, 1)), axis=1)
            halves.append(self._summed(kept * self.weights))
            noises.append(_noise(kept * self.weights) + _noise(~kept * self.weights))
        first = np.concatenate(halves)
        return first, self.sums - first, np.concatenate(noises)

    @property
    def _plain(self) -> bool:
        return self.weight is None and self.entries.ndim == 1

    def _summed(self, weights: FloatArray) -> FloatArray:
        """Return the sums for other weights, shape (..., events) -> (..., bins + 2)."""
        if weights.ndim > 1 and self.entries.ndim == 1:
            return np.stack([self._summed(row) for row in weights])
        if self.entries.ndim == 1:
            return np.bincount(self.entries, weights, self.columns).astype(np.float64)
        total = np.zeros((*weights.shape[:-1], self.columns))
        for block in self._blocks():
            total += weights[..., block] @ self.entries[block].astype(np.float64)
        return total

    def _blocks(self) -> list[slice]:
        step = max(1, _BLOCK // self.columns)
        return [slice(start, start + step) for start in range(0, len(self), step)]

    def _groups(self, repeats: int) -> list[int]:
        """Split the repeats so that the numbers of a group fit into a block."""
        rows = max(1, min(repeats, _BLOCK // len(self)))
        whole, rest = divmod(repeats, rows)
        return [rows] * whole + [rest] * (rest > 0)


def _times_drawn(rng: np.random.Generator, rows: int, events: int) -> IntArray:
    """Return how often each event is drawn with replacement, shape (rows, events)."""
    drawn = rng.integers(0, events, (rows, events)) + events * np.arange(rows)[:, None]
    return np.bincount(drawn.ravel(), minlength=rows * events).reshape(rows, events)


def _noise(weights: FloatArray) -> FloatArray:
    noise: FloatArray = (weights**2).sum(-1) / weights.sum(-1) ** 2
    return noise
