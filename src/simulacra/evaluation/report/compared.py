# ruff: noqa: RUF001 (the minus sign and the dash are written as they are)
"""Several judged samples side by side: the best is marked only where the difference is real."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ..published import QUANTITIES, Quantity, own_value
from ..verdict import Score, Verdict
from ..wording import quantity
from .cells import Cell, find_score, is_regional, kind_of
from .pictures import first_of_each

__all__ = ["SIGNIFICANT", "best_of", "compared"]

SIGNIFICANT = 3.0
"""Combined standard deviations from which one sample counts as better than another."""

_KINDS = ("auc", "auc_calibrated", "jsd", "fpd", "kpd", "precision", "recall", "density",
          "coverage", "memorisation", "log_posterior")  # fmt: skip
_NEAREST_FLOOR = frozenset({"precision", "recall", "density", "coverage"})
_UNRANKED = frozenset({"memorisation"})


def compared(verdicts: Sequence[Verdict]) -> list[dict[str, Any]]:
    """Return the rows of the comparison; none for a single sample.

    One row per score of the whole sample that is not an observable's, one per family of
    separation powers (its mean over the layers), and time and size.
    """
    if len(verdicts) < 2:
        return []
    rows = []
    for score in first_of_each(verdicts, lambda v: v.scores):
        if kind_of(score.name) in _KINDS and not is_regional(score):
            cells = [Cell(find_score(verdict, score.name)) for verdict in verdicts]
            best = best_of([cell.score for cell in cells])
            cells = [replace(cell, best=number == best) for number, cell in enumerate(cells)]
            rows.append({"label": score.label, "cells": [_shown(cell) for cell in cells]})
    rows += [row for q in QUANTITIES if (row := _quantity_row(verdicts, q))]
    return rows


def best_of(scores: Sequence[Score | None]) -> int | None:
    """Return which score is better than every other by :data:`SIGNIFICANT`; None if none is.

    Errors are taken as independent although the samples share their reference: a cautious choice.

    Args:
        scores: the same score of each sample; None where one does not have it.
    """
    known = [(n, s) for n, s in enumerate(scores) if s is not None and math.isfinite(s.value)]
    if len(known) < 2 or kind_of(known[0][1].name) in _UNRANKED:
        return None
    ordered = sorted(known, key=lambda item: _badness(item[1]))
    (first, best), (_, second) = ordered[:2]
    errors = [e for e in (best.error, second.error) if math.isfinite(e)]
    apart = _badness(second) - _badness(best)
    clear = len(errors) == 2 and apart > SIGNIFICANT * math.hypot(*errors)
    return first if clear else None


def _badness(score: Score) -> float:
    kind = kind_of(score.name)
    if kind in _NEAREST_FLOOR:
        return abs(score.value - (score.floor if score.floor is not None else 1.0))
    return -score.value if kind == "log_posterior" else score.value


def _shown(cell: Cell) -> dict[str, Any]:
    return {
        "text": cell.text,
        "note": cell.excess_text if cell.score else "",
        "level": cell.level,
        "best": cell.best,
        "comparable": cell.score is None or cell.comparable,
    }


def _quantity_row(verdicts: Sequence[Verdict], what: Quantity) -> dict[str, Any] | None:
    """Return a row of a mean over layers, a time or a size; times and sizes have no winner."""
    if what.kind not in ("separation", "time", "size") or what.over_layers == "maximum":
        return None
    values = [own_value(verdict, what) for verdict in verdicts]
    if all(value is None for value in values):
        return None
    best = _best_mean(values) if what.kind == "separation" else None
    cells = [
        {
            "text": _text(value, what),
            "note": "",
            "level": "",
            "best": number == best,
            "comparable": what.kind != "separation" or verdict.comparable,
        }
        for number, (value, verdict) in enumerate(zip(values, verdicts, strict=True))
    ]
    return {"label": what.label, "cells": cells}


def _best_mean(values: Sequence[tuple[float, float] | None]) -> int | None:
    known = sorted((v[0], v[1], n) for n, v in enumerate(values) if v is not None)
    if len(known) < 2:
        return None
    (a, error_a, first), (b, error_b, _) = known[:2]
    return first if b - a > SIGNIFICANT * math.hypot(error_a, error_b) else None


def _text(value: tuple[float, float] | None, what: Quantity) -> str:
    if value is None:
        return "–"
    if what.kind == "size":
        return f"{value[0]:,.0f}"
    unit = f"×{what.unit}" if what.unit.startswith("10") else what.unit
    return quantity(value[0], value[1], unit)
