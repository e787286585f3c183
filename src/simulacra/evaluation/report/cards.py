"""What cards of shipped models say, read as plain data and never trusted."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ..verdict import Score
from ..wording import facts
from .cells import Cell, Gauge, main_aucs
from .words import number

__all__ = ["read_card"]

_KNOWN = {"name", "description", "verdict", "scores", "suite_label", "comparable", "timing"}


def read_card(card: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a card says, in the page's terms.

    Args:
        card: plain data, see :func:`~simulacra.evaluation.report.write_report`.
    """
    inside = card.get("verdict")
    told = {**inside, **card} if isinstance(inside, Mapping) else dict(card)
    comparable = told.get("comparable") is True
    raw = told.get("scores") or ()
    scores = [_score(item, comparable) for item in raw if isinstance(item, Mapping)]
    timing = told.get("timing")
    return {
        "name": str(told.get("name", "unnamed model")),
        "description": str(told.get("description", "")),
        "suite_label": str(told.get("suite_label", "")),
        "comparable": comparable,
        "gauges": [Gauge.of(score) for score in main_aucs(scores)],
        "scores": [Cell(score) for score in scores],
        "timing": facts(timing) if isinstance(timing, Mapping) else [],
        "facts": facts({key: value for key, value in card.items() if key not in _KNOWN}),
    }


def _score(raw: Mapping[str, Any], comparable: bool) -> Score:
    def at(key: str) -> float | None:
        return number(raw, (key,))

    value, error = at("value"), at("error")
    name = str(raw.get("name", ""))
    return Score(
        name=name,
        label=str(raw.get("label", name)),
        value=math.nan if value is None else value,
        error=math.nan if error is None else error,
        floor=at("floor"),
        floor_error=at("floor_error"),
        layer=None,
        unit=str(raw.get("unit", "")),
        protocol=str(raw.get("protocol", "")),
        comparable=bool(raw.get("comparable", comparable)) and comparable,
        cannot_see=str(raw.get("cannot_see", "")),
    )
