"""Precision, recall, density and coverage: whether generated showers lie where true ones lie."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ...config import Config
from ...errors import RangeError
from .balls import Balls, WeightedRows, compared, extrapolated_floor, independent_floor
from .comparison import Comparison
from .neighbours import BLOCK
from .rows import FeatureRows
from .shower_rows import drawn_rows

__all__ = [
    "MANIFOLD_CANNOT_SEE",
    "ManifoldScores",
    "ManifoldSettings",
    "manifold_scores",
]

Array = NDArray[Any]
Progress = Callable[[int, int], None]

MANIFOLD_CANNOT_SEE = {
    "precision": "whether all of the truth is generated, nor how often; one typical shower "
    "repeated for ever is precise",
    "recall": "how often something is generated, nor showers that lie nowhere near the truth",
    "density": "whether all of the truth is generated; showers close to the mean raise it above 1",
    "coverage": "how often something is generated, nor showers that lie nowhere near the truth",
}
"""What each number is blind to; all four see which voxels are hit far better than energies."""


class ManifoldSettings(Config):
    """How precision, recall, density and coverage are measured."""

    neighbours: int = Field(5, ge=1)
    """The k-th nearest neighbour that sets a shower's radius."""
    levels: int = Field(3, ge=1, le=6)
    """Levels of halving behind the floor, see :func:`manifold_scores`."""
    seed: int = Field(0, ge=0)
    """Seed of the parts of the reference behind the floor."""


@dataclass(frozen=True)
class ManifoldScores:
    """The four numbers with their errors and floors.

    Args:
        precision: fraction of generated showers inside the radius of any reference shower.
        recall: fraction of reference showers inside the radius of any generated shower.
        density: mean number of reference showers within whose radius a generated shower lies,
            over k; unbounded, 1 for perfect samples.
        coverage: fraction of reference showers with a generated one inside their radius.
        neighbours: k.
        events_reference: showers of the reference that took part.
        events_generated: generated showers that took part.
    """

    precision: Comparison
    recall: Comparison
    density: Comparison
    coverage: Comparison
    neighbours: int
    events_reference: int
    events_generated: int


def manifold_scores(
    reference: FeatureRows,
    generated: FeatureRows,
    *,
    settings: ManifoldSettings | None = None,
    weight_reference: Array | None = None,
    weight_generated: Array | None = None,
    independent: FeatureRows | None = None,
    progress: Progress | None = None,
) -> ManifoldScores:
    r"""Compare two samples by balls around their showers.

    With the radius of a shower the distance to its k-th nearest other one of the same sample,
    :math:`R_i` of reference shower :math:`x_i` and :math:`r_j` of generated :math:`y_j`:

    .. math::
        \text{precision} &= \langle \exists i: |x_i - y_j| < R_i \rangle_j &
        \text{recall} &= \langle \exists j: |x_i - y_j| < r_j \rangle_i \\
        \text{density} &= \langle \tfrac1k \#\{i: |x_i - y_j| < R_i\} \rangle_j &
        \text{coverage} &= \langle \exists j: |x_i - y_j| < R_i \rangle_i

    T. Kynkäänniemi et al., "Improved precision and recall metric for assessing generative
    models", 2019, arXiv:1904.06991; M. Naeem et al., "Reliable fidelity and diversity metrics for
    generative models", 2020, arXiv:2002.09797. Every decision is that of exact float64
    distances; equal showers are at distance 0, where the program ``prdc`` has rounding.

    **Error.** With V the variance of a number over the showers that it averages, it is
    :math:`\sqrt{V (1/N + 1/M)}`: the fluctuation of the balls counts like that of the showers
    in them. In simulations with 10 and 50 dimensions, equal and different samples, it came to
    between 0.7 and 1.5 times the true spread, mostly within 20 %.

    **Floor.** In many dimensions precision and recall fall with the number of showers, by a few
    per cent for each factor of 2, for perfect samples too. The reference is cut into disjoint
    parts that are compared with each other, at 1/2, 1/4, 1/8 of the comparison's size (in its
    ratio of generated to reference showers); the floor is the line through these in the
    logarithm of the size. An independent reference gives it without extrapolation.

    **Weights** average the showers; radii and the numbers of balls are those of unweighted
    showers. Negative ones are allowed.

    Balls in the space of logarithms see which voxels are hit much better than how much energy
    they hold; what else the numbers cannot see is in ``MANIFOLD_CANNOT_SEE``.

    Memory: the two tables, their distinct rows where showers repeat, and 200 MiB.

    Args:
        reference: the reference.
        generated: the generated showers, in the same space.
        settings: number of neighbours; floor; the challenge's by default.
        weight_reference: event weights, shape ``(events_reference,)``.
        weight_generated: event weights, shape ``(events_generated,)``.
        independent: a second reference, for the floor.
        progress: called with (steps done, steps).

    Raises:
        RangeError: if a sample has fewer than 2 (k + 1) showers or no positive sum of weights.
        ShapeError: if tables or weights do not fit.
    """
    settings = ManifoldSettings() if settings is None else settings
    truth = WeightedRows.checked(reference, weight_reference, "reference")
    ours = WeightedRows.checked(generated, weight_generated, "generated")
    k = settings.neighbours
    for name, sample in (("reference", truth), ("generated", ours)):
        if len(sample) < 2 * (k + 1):
            raise RangeError(
                f"precision and recall: expected at least 2 (k + 1) = {2 * (k + 1)} {name} "
                f"showers, got {len(sample)}."
            )
    blocks = [-(-len(sample) // BLOCK) for sample in (truth, ours, truth)]
    steps = _Steps(progress, sum(blocks) + 1)
    balls = Balls.around(truth, k, steps), Balls.around(ours, k, steps)
    found = compared(*balls, k, steps)
    if independent is None:
        floor = extrapolated_floor(truth, len(ours), k, settings.levels, settings.seed)
    else:
        drawn = drawn_rows(len(independent), len(ours), settings.seed, key=2)
        second = independent if len(drawn) == len(independent) else independent.take(drawn)
        floor = independent_floor(balls[0], second, k)
    steps.finish()
    numbers = np.array([found.values, found.errors, floor.values, floor.errors]).T.tolist()
    four = [
        Comparison(value=value, error=error, floor=low, floor_error=spread, floor_from=floor.origin)
        for value, error, low, spread in numbers
    ]
    return ManifoldScores(
        precision=four[0],
        recall=four[1],
        density=four[2],
        coverage=four[3],
        neighbours=k,
        events_reference=len(truth),
        events_generated=len(ours),
    )


class _Steps:
    """Counts steps of several stages for one progress bar."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self._progress, self._total, self._done = progress, total, 0

    def __call__(self, done: int, of: int) -> None:
        self._done += 1
        if self._progress is not None:
            self._progress(min(self._done, self._total - 1), self._total)

    def finish(self) -> None:
        if self._progress is not None:
            self._progress(self._total, self._total)
