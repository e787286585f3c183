# ruff: noqa: RUF001 (the minus sign and the dash are written as they are)
"""Single scores on a page: in words, with their floor, and how far they stand from it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ..verdict import Score, Verdict
from ..wording import excess, quantity

__all__ = [
    "Cell",
    "Gauge",
    "away",
    "find_score",
    "is_regional",
    "kind_of",
    "main_aucs",
    "own_posterior",
]

_EITHER_WAY = frozenset({"precision", "recall", "density", "coverage"})
_HIGHER_IS_BETTER = frozenset({"log_posterior"})
_FINE, _VISIBLE = 3.0, 10.0  # standard deviations above the floor


@dataclass(frozen=True)
class Cell:
    """One score on the page; ``score`` is None where a sample does not have it."""

    score: Score | None
    name: str = ""
    best: bool = False

    @property
    def text(self) -> str:
        """The value with its error."""
        if self.score is None:
            return "–"
        return quantity(self.score.value, self.score.error, self.score.unit)

    @property
    def floor(self) -> str:
        """The floor with its error."""
        if self.score is None or self.score.floor is None:
            return "unknown"
        return quantity(self.score.floor, self.score.floor_error, self.score.unit)

    @property
    def excess(self) -> float | None:
        """Standard deviations from the floor towards the worse; None if unknown."""
        return away(self.score)

    @property
    def excess_text(self) -> str:
        """The same in words."""
        if self.excess is None:
            return "–"
        return f"{round(self.excess, 1) + 0.0:+.1f} σ".replace("-", "−")

    @property
    def level(self) -> str:
        """How far from the floor: ``fine``, ``visible`` or ``strong``; ``""`` if unknown."""
        if self.excess is None:
            return ""
        return "fine" if self.excess < _FINE else "visible" if self.excess < _VISIBLE else "strong"

    @property
    def comparable(self) -> bool:
        """Whether the number may stand beside published ones."""
        return self.score is not None and self.score.comparable


@dataclass(frozen=True)
class Gauge:
    """An area under the curve on a line from 0.5 to 1; places in percent of the line.

    Args:
        cell: the score, after calibration where it was calibrated.
        place: of its value.
        low: of one standard deviation below.
        high: of one standard deviation above.
        floor: of its floor; None if unknown.
        before: the same score before calibration, if there is one.
        divergence: the Jensen-Shannon divergence of the same classifier, if there is one.
    """

    cell: Cell
    place: float
    low: float
    high: float
    floor: float | None
    before: Cell | None = None
    divergence: Cell | None = None

    @classmethod
    def of(
        cls, score: Score, before: Score | None = None, divergence: Score | None = None
    ) -> Gauge:
        """Place a score on the line."""

        def at(value: float) -> float:
            return round(100 * min(max((value - 0.45) / 0.55, 0.0), 1.0), 2)

        value = score.value if math.isfinite(score.value) else 0.5
        error = score.error if math.isfinite(score.error) else 0.0
        return cls(
            Cell(score),
            at(value),
            at(value - error),
            at(value + error),
            at(score.floor) if score.floor is not None else None,
            Cell(before) if before else None,
            Cell(divergence) if divergence else None,
        )


def away(score: Score | None) -> float | None:
    """Return how far a score stands from its floor towards the worse, in standard deviations.

    Precision, recall, density and coverage are bad on either side of their floor.
    """
    if score is None:
        return None
    found = excess(score.value, score.error, score.floor, score.floor_error)
    if found is None:
        return None
    kind = kind_of(score.name)
    if kind in _EITHER_WAY:
        return abs(found)
    return -found if kind in _HIGHER_IS_BETTER else found


def kind_of(name: str) -> str:
    """Return the first part of a score's name: ``separation``, ``auc``, ``fpd``."""
    return name.partition("@")[0].partition("/")[0]


def is_regional(score: Score) -> bool:
    """Tell whether a score is restricted to a part of phase space."""
    return "@" in score.name


def find_score(verdict: Verdict, name: str) -> Score | None:
    """Return a verdict's score of that name, or None."""
    return next((score for score in verdict.scores if score.name == name), None)


def own_posterior(verdict: Verdict) -> Score | None:
    """Return the log-posterior of a verdict's own model, which stands under the model's name."""
    return next((s for s in verdict.scores if kind_of(s.name) == "log_posterior"), None)


def main_aucs(scores: Sequence[Score]) -> list[Score]:
    """Return one area under the curve per classifier: calibrated, or else as it is."""
    known = {score.name: score for score in scores}
    names = [
        name.partition("/")[2] for name in known if name.startswith(("auc/", "auc_calibrated/"))
    ]
    return [
        known.get(f"auc_calibrated/{name}") or known[f"auc/{name}"]
        for name in dict.fromkeys(names)
        if "@" not in name
    ]
