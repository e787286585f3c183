"""Numbers for scores of which only an upper bound is known, drawn given all other scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..random import Stream, uniform

__all__ = ["EmptyScores", "NormalLaw", "pieces"]

_AT_ONCE = 1024
_SETTLING = 4  # times as many sweeps before a law is learned from what a guess fills in


class NormalLaw(Protocol):
    """A conditional normal law that can be learned and asked for one number given the others."""

    def fit(self, x: Tensor, c: Tensor, weight: Tensor) -> Any:
        """Learn the law."""
        ...

    def conditional(self, x: Tensor, c: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and width of some numbers, each given all others."""
        ...


@dataclass(frozen=True, eq=False)
class EmptyScores:
    """Fills in what is empty, and learns a law from what is filled in.

    A score below its boundary says no more than that. It is drawn in sweeps of Gibbs sampling from
    the normal law cut off at the boundary, given all other scores of the shower; then the law is
    learned again (P. Hoff, "Extending the rank likelihood for semiparametric copula estimation",
    2007, arXiv:math/0610413, with the most probable covariance in place of draws of it). Numbers
    are a function of the shower alone.

    Args:
        law: the normal law; whoever holds its numbers.
        classes: places that are drawn at once, each set without two that depend much on each other.
        stream: of the random numbers.
        rounds: of filling in and learning.
        sweeps: through all classes until filled-in numbers have forgotten where they started.

    Shapes:
        scores, boundary: ``(events, features)``, dimensionless; a score below its boundary is
            empty.
        c: ``(events, conditions)``, dimensionless.
        keys: one number per shower, ``(events,)``.
    """

    law: NormalLaw
    classes: Sequence[Tensor]
    stream: Stream
    rounds: int
    sweeps: int

    def fit(
        self,
        scores: Tensor,
        boundary: Tensor,
        c: Tensor,
        weight: Tensor,
        keys: NDArray[np.uint64],
        *,
        known: bool = False,
    ) -> None:
        """Learn the law.

        Args:
            scores: see the class.
            boundary: see there.
            c: see there.
            weight: event weights, ``(events,)``.
            keys: see there.
            known: whether the law is a good guess already, from which what is empty is filled in
                first; otherwise all empty scores begin independent.
        """
        empty = scores < boundary
        first = _SETTLING * self.sweeps if known else 0  # random numbers of sweeps are used up
        x = self._filled(scores, boundary, c, keys, first)
        for number in range(first, first + self.rounds):
            self.law.fit(x, c, weight)
            if number + 1 < first + self.rounds:
                for piece in pieces(len(x)):
                    given = empty[piece], boundary[piece], c[piece], keys[piece]
                    self._sweep(x[piece], *given, number)

    def fill(self, scores: Tensor, boundary: Tensor, c: Tensor, keys: NDArray[np.uint64]) -> Tensor:
        """Return the scores with numbers for what is empty, ``(events, features)``."""
        return self._filled(scores, boundary, c, keys, self.sweeps)

    def _filled(
        self, scores: Tensor, boundary: Tensor, c: Tensor, keys: NDArray[np.uint64], sweeps: int
    ) -> Tensor:
        """Return the scores after so many sweeps from independent ones, ``(events, features)``."""
        x = self._independent(scores, boundary, keys)
        for piece in pieces(len(x)):
            given = scores[piece] < boundary[piece], boundary[piece], c[piece], keys[piece]
            for number in range(sweeps):
                self._sweep(x[piece], *given, number)
        return x

    def _independent(self, scores: Tensor, boundary: Tensor, keys: NDArray[np.uint64]) -> Tensor:
        """Fill each empty score by itself: where the sweeps start."""
        drawn = uniform(0, keys, scores.shape[1], stream=self.stream)
        below = torch.special.ndtr(boundary) * torch.from_numpy(drawn)
        return torch.where(scores < boundary, torch.special.ndtri(below.clamp(min=1e-12)), scores)

    def _sweep(
        self,
        x: Tensor,
        empty: Tensor,
        boundary: Tensor,
        c: Tensor,
        keys: NDArray[np.uint64],
        number: int,
    ) -> None:
        """Draw each empty score given all others, in place; the places of a class at once."""
        drawn = uniform(1 + number, keys, x.shape[1], stream=self.stream)
        chance = torch.from_numpy(drawn)
        for places in self.classes:
            mean, width = self.law.conditional(x, c, places)
            ceiling = boundary[:, places]
            below = torch.special.ndtr((ceiling - mean) / width) * chance[:, places]
            filled = mean + width * torch.special.ndtri(below.clamp(min=1e-12))
            filled = torch.minimum(filled, ceiling)
            x[:, places] = torch.where(empty[:, places], filled, x[:, places])


def pieces(events: int) -> list[slice]:
    """Return slices of so many showers as fit into memory together."""
    return [slice(first, first + _AT_ONCE) for first in range(0, events, _AT_ONCE)]
