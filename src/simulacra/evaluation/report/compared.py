# ruff: noqa: RUF001 (the times sign and the dash are written as they are)
"""Several judged samples side by side: the best is marked only where the difference is real."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ..published import QUANTITIES, Quantity, follows_protocol, own_value
from ..verdict import Score, Verdict
from ..wording import quantity
from .cells import Cell, find_score, is_regional, kind_of, own_posterior
from .pictures import first_of_each

__all__ = ["SIGNIFICANT", "ComparedCell", "ComparedRow", "best_of", "compared"]

SIGNIFICANT = 3.0
"""Combined standard deviations from which one sample counts as better than another."""

_OBSERVABLE = frozenset({"separation", "wasserstein", "kolmogorov_smirnov"})
_NEAREST_FLOOR = frozenset({"precision", "recall", "density", "coverage"})
_LOWER_IS_BETTER = frozenset({"auc", "auc_calibrated", "jsd", "fpd", "kpd", "response",
                              "linearity", "resolution", "layer_correlation"})  # fmt: skip
_POSTERIOR = "log_posterior"


@dataclass(frozen=True)
class ComparedCell:
    """One number of one sample.

    Args:
        text: with its error, in words.
        value: the number; nan if the sample does not have it.
        error: one standard deviation; nan if unknown.
        note: distance from the floor in words.
        level: ``fine``, ``visible`` or ``strong``; ``""`` if unknown.
        best: whether it is clearly better than all others.
        comparable: whether it may stand beside published numbers.
    """

    text: str
    value: float
    error: float
    note: str = ""
    level: str = ""
    best: bool = False
    comparable: bool = True


@dataclass(frozen=True)
class ComparedRow:
    """One quantity of all samples.

    Args:
        name: key: a score's name or a published column's.
        label: in words.
        cells: one per sample.
    """

    name: str
    label: str
    cells: tuple[ComparedCell, ...]


def compared(verdicts: Sequence[Verdict]) -> list[ComparedRow]:
    """Return the rows of the comparison.

    One row per score of the whole sample that is not an observable's, one per family of
    separation powers (its mean over the layers), and times and sizes.
    """
    rows = []
    for score in first_of_each(verdicts, lambda v: v.scores):
        if kind_of(score.name) not in (*_OBSERVABLE, _POSTERIOR) and not is_regional(score):
            scores = [find_score(verdict, score.name) for verdict in verdicts]
            rows.append(_score_row(score.name, score.label, scores))
    posteriors = [own_posterior(verdict) for verdict in verdicts]
    if any(posteriors):
        rows.append(_score_row(_POSTERIOR, "mean log-posterior among these models", posteriors))
    return rows + [row for q in QUANTITIES if (row := _quantity_row(verdicts, q)) is not None]


def best_of(scores: Sequence[Score | None]) -> int | None:
    """Return which score is better than every other by :data:`SIGNIFICANT`; None if none is.

    Errors are taken as independent although the samples share their reference: a cautious choice.

    Args:
        scores: the same score of each sample; None where one does not have it.
    """
    known = [(n, s) for n, s in enumerate(scores) if s is not None and math.isfinite(s.value)]
    kinds = {kind_of(score.name) for _, score in known}
    if not kinds <= _NEAREST_FLOOR | _LOWER_IS_BETTER | {_POSTERIOR}:
        return None
    return _winner([(n, _badness(s), s.error) for n, s in known])


def _winner(entrants: Sequence[tuple[int, float, float]]) -> int | None:
    """Return the number of the entrant that is clearly the least bad: (number, badness, error)."""
    if len(entrants) < 2:
        return None
    ordered = sorted(entrants, key=lambda one: one[1])
    number, best, error = ordered[0]
    errors = [one[2] for one in ordered]
    if not all(math.isfinite(e) for e in errors):
        return None
    clear = all(
        other - best > SIGNIFICANT * math.hypot(error, spread) for _, other, spread in ordered[1:]
    )
    return number if clear else None


def _badness(score: Score) -> float:
    kind = kind_of(score.name)
    if kind in _NEAREST_FLOOR:
        return abs(score.value - (score.floor if score.floor is not None else 1.0))
    return -score.value if kind == _POSTERIOR else score.value


def _score_row(name: str, label: str, scores: Sequence[Score | None]) -> ComparedRow:
    best = best_of(scores)
    cells = tuple(_score_cell(s, n == best) for n, s in enumerate(scores))
    return ComparedRow(name, label, cells)


def _score_cell(score: Score | None, best: bool) -> ComparedCell:
    cell = Cell(score)
    if score is None:
        return ComparedCell(cell.text, math.nan, math.nan)
    note = cell.excess_text if cell.excess is not None else ""
    return ComparedCell(
        cell.text, score.value, score.error, note, cell.level, best, cell.comparable
    )


def _quantity_row(verdicts: Sequence[Verdict], what: Quantity) -> ComparedRow | None:
    """Return a row of a mean over layers, a time or a size; times and sizes have no winner."""
    if what.kind not in ("separation", "time", "size") or what.over_layers == "maximum":
        return None
    values = [own_value(verdict, what) for verdict in verdicts]
    if all(value is None for value in values):
        return None
    best = None
    if what.kind == "separation":
        best = _winner([(n, *value) for n, value in enumerate(values) if value is not None])
    cells = (
        ComparedCell(
            _text(value, what),
            *(value or (math.nan, math.nan)),
            best=number == best,
            comparable=follows_protocol(verdict, what),
        )
        for number, (value, verdict) in enumerate(zip(values, verdicts, strict=True))
    )
    return ComparedRow(what.column, what.label, tuple(cells))


def _text(value: tuple[float, float] | None, what: Quantity) -> str:
    if value is None:
        return "–"
    if what.kind == "size":
        return f"{value[0]:,.0f}"
    unit = f"×{what.unit}" if what.unit.startswith("10") else what.unit
    return quantity(value[0], value[1], unit)
