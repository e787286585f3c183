"""Observables as standard normal numbers, and back, by their quantiles in a sample."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

__all__ = ["Marginals"]

FloatArray = NDArray[np.float64]

_EDGE = 1e-4  # probability beyond which a number is taken as the last of the sample


@dataclass(frozen=True, eq=False)
class Marginals:
    r"""The map :math:`y = \Phi^{-1}(F(x))` of each observable, F its distribution in a sample.

    Values that many events share (whole numbers, zeros) are spread over their part of the normal
    distribution at random, and come back as themselves. Beyond the sample the map is its last
    value.

    Args:
        values: sorted values of each observable, shape ``(observables, sample)``.
        share: distribution below and up to each of them, shape ``(observables, sample + 1)``.
    """

    values: FloatArray
    share: FloatArray

    @classmethod
    def of(cls, x: FloatArray, weight: FloatArray) -> Marginals:
        """Learn the map.

        Args:
            x: shape ``(events, observables)``.
            weight: shape ``(events,)``; negative weights are left out.
        """
        order = np.argsort(x, axis=0, kind="stable").T
        shares = np.cumsum(np.maximum(weight, 0.0)[order], axis=1)
        shares = np.concatenate([np.zeros((len(shares), 1)), shares / shares[:, -1:]], axis=1)
        return cls(np.take_along_axis(x.T, order, axis=1), shares)

    def forward(self, x: FloatArray, u: FloatArray) -> FloatArray:
        """Return normal numbers.

        Args:
            x: shape ``(events, observables)``.
            u: uniform numbers that spread what is equal, shape of x.
        """
        columns = []
        for k, (values, share) in enumerate(zip(self.values, self.share, strict=True)):
            low = np.searchsorted(values, x[:, k], side="left")
            low = np.minimum(low, len(values) - 1)
            # what lies between two values goes to the part of the upper one
            high = np.searchsorted(values, np.maximum(x[:, k], values[low]), side="right")
            chance = share[low] + u[:, k] * (share[high] - share[low])
            columns.append(ndtri(np.clip(chance, _EDGE, 1 - _EDGE)))
        return np.stack(columns, axis=1)

    def inverse(self, y: FloatArray) -> FloatArray:
        """Undo :meth:`forward`, shape ``(events, observables)``."""
        columns = []
        for k, (values, share) in enumerate(zip(self.values, self.share, strict=True)):
            middle = (share[1:] + share[:-1]) / 2
            chance = ndtr(y[:, k])
            found = np.interp(chance, middle, values)
            # interpolation would blur a value that many events share: take it as it is
            at = np.clip(np.searchsorted(share, chance, side="right") - 1, 0, len(values) - 1)
            columns.append(np.where(self._shared(values)[at], values[at], found))
        return np.stack(columns, axis=1)

    @staticmethod
    def _shared(values: FloatArray) -> NDArray[np.bool_]:
        """Return which sorted values occur more than once."""
        same = np.diff(values) == 0
        return np.asarray(np.append(same, False) | np.append(False, same))
