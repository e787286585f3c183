"""The contract of every unfolding method."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ...data.weights import effective_events
from ...errors import ShapeError
from .problem import Unfolding
from .result import Unfolded

__all__ = ["Progress", "Unfolder", "has_settled", "refuse_particles"]

FloatArray = NDArray[np.float64]

Progress = Callable[[int, int], None]
"""Called with the number of finished steps and of all."""


class Unfolder(ABC):
    """A way to find what was there before the detector.

    Nothing is read or written and nothing is kept between calls: the same problem and the same
    seed give the same result.
    """

    @property
    def reads_particles(self) -> bool:
        """True if events may be sets of particles; else a problem with particles is refused."""
        return False

    @abstractmethod
    def fit(
        self,
        problem: Unfolding,
        *,
        seed: int,
        errors: bool = True,
        progress: Progress | None = None,
    ) -> Unfolded:
        """Unfold a measurement.

        Args:
            problem: simulation and data. Its particles, if there are any, are for methods that read
                them; others refuse the problem.
            seed: identity of the result: of bootstrap replicas, trainings and draws.
            errors: unfold bootstrap replicas too; without, the result has no errors.
            progress: called after every step.

        Raises:
            RangeError: if there are too few events for what was asked.
            UnknownNameError: if an observable was asked for that the problem does not have.
            ShapeError: if the problem carries particles, and the method cannot read them.
        """


def refuse_particles(problem: Unfolding, method: str) -> None:
    """Refuse a problem with particles, for methods of observables.

    Raises:
        ShapeError: naming the method that can read them, and how to leave them aside.
    """
    if problem.particles is not None:
        raise ShapeError(
            f"{method}: unfolds observables and cannot read the particles of this problem; take "
            "OmniFold with networks, or leave the particles aside with problem.of(names)."
        )


def has_settled(before: FloatArray, after: FloatArray, data: FloatArray, tolerance: float) -> bool:
    r"""Tell whether an iteration moved less than the data fluctuate.

    It moves the share :math:`\tfrac12 \sum_i |n_i' - n_i| / \sum_i n_i'` of the events; the data
    fluctuate by about :math:`1 / \sqrt N` of themselves. Further iterations add noise, so the
    first for which the share is below ``tolerance`` times that is the last.

    Args:
        before: counts or weights of true events before the iteration.
        after: the same after it.
        data: weights of the measured events, N is their effective number.
        tolerance: 0 never stops.
    """
    moved = 0.5 * np.abs(after - before).sum() / after.sum()
    return bool(moved < tolerance / np.sqrt(effective_events(data)))
