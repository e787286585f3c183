# ruff: noqa: RUF001 (the minus and the times sign are written as they are)
"""Judged samples among the published submissions: the table of places and the Pareto pictures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .. import plots
from ..published import (
    QUANTITIES,
    Place,
    Quantity,
    Standing,
    Submission,
    follows_protocol,
    own_value,
    standing,
    times_per_shower,
)
from ..verdict import Score, Verdict
from ..wording import quantity
from .cells import find_score
from .pictures import Picture, as_svg

__all__ = ["field"]

_FIRST_KINDS = ("classifier", "distance", "neighbours")
_PARETO = ("auc_resnet", "auc_low_level", "auc_high_level", "fpd_x1e3")
_BATCH = 100  # the batch size with the most published times
_CLASSIFIER_OF = {"auc_low_level": "low_level", "auc_high_level": "high_level",
                  "auc_resnet": "resnet"}  # fmt: skip


@dataclass(frozen=True)
class _Line:
    """One line of the table of places.

    Args:
        place: the numbers.
        own: the judged sample's value in words.
        rank: its rank in words; why there is none if it is None.
        neighbours: who is just ahead and just behind.
        floor: full simulation against itself as published.
        best: the best submission and its value.
        comparable: whether the judged sample's number follows the published protocol.
    """

    place: Place
    own: str
    rank: str
    neighbours: str
    floor: str
    best: str
    comparable: bool


def field(verdicts: Sequence[Verdict], names: Sequence[str]) -> dict[str, Any] | None:
    """Return what the page shows of published results; None if there is nothing to compare with.

    Samples of a detector without published results get the picture of quality against time, if
    any time is stated.
    """
    found = [standing(verdict) for verdict in verdicts]
    first = found[0]
    pictures = _pictures(verdicts, names, first)
    if first is None and not pictures:
        return None
    return {
        "first": first,
        "entries": [
            _entry(one, name, verdict)
            for one, name, verdict in zip(found, names, verdicts, strict=True)
            if one is not None
        ],
        "pictures": pictures,
        "submissions": len([s for s in first.field if not s.is_floor]) if first else 0,
    }


def _entry(one: Standing, name: str, verdict: Verdict) -> dict[str, Any]:
    lines = [_line(place, verdict) for place in one.places]
    return {
        "name": name,
        "standing": one,
        "first": [line for line in lines if line.place.quantity.kind in _FIRST_KINDS],
        "rest": [line for line in lines if line.place.quantity.kind not in _FIRST_KINDS],
    }


def _line(place: Place, verdict: Verdict) -> _Line:
    unit, column = place.quantity.unit, place.quantity.column
    between = [f"behind {place.ahead}"] * bool(place.ahead)
    between += [f"ahead of {place.behind}"] * bool(place.behind)
    return _Line(
        place=place,
        own=_number(place.value, place.error, place.quantity),
        rank=_rank(place),
        neighbours=", ".join(between),
        floor=_number(place.floor, place.floor_error, place.quantity)
        if math.isfinite(place.floor)
        else "–",
        best=f"{place.best.name}: {quantity(place.best.value(column), unit=_times(unit))}"
        if place.best
        else "–",
        comparable=follows_protocol(verdict, place.quantity),
    )


def _number(value: float, error: float, what: Quantity) -> str:
    if what.kind == "size":
        return f"{value:,.0f}"
    return quantity(value, error, _times(what.unit))


def _times(unit: str) -> str:
    return f"×{unit}" if unit.startswith("10") else unit


def _rank(place: Place) -> str:
    if place.rank is None or place.rank_range is None:
        return place.why_not
    low, high = place.rank_range
    between = "" if low == high else f" ({low} to {high} within errors)"
    return f"{place.rank} of {place.entrants}{between}"


def _pictures(
    verdicts: Sequence[Verdict], names: Sequence[str], first: Standing | None
) -> list[Picture]:
    """Quality against time, one picture per measure of quality that some judged sample has."""
    columns = {q.column: q for q in QUANTITIES}
    found = []
    for column in _PARETO:
        values = [_quality(verdict, columns[column]) for verdict in verdicts]
        if any(value is not None for value in values):
            picture = _pareto(verdicts, names, values, columns[column], first)
            if picture is not None:
                found.append(picture)
    return found


def _quality(verdict: Verdict, what: Quantity) -> tuple[float, float, bool] | None:
    """Return a sample's value, error and whether it is the published quantity.

    An AUC before calibration stands in for one that was never calibrated.
    """
    own = own_value(verdict, what)
    if own is not None:
        return (*own, True)
    classifier = _CLASSIFIER_OF.get(what.column)
    score: Score | None = find_score(verdict, f"auc/{classifier}") if classifier else None
    if score is None or not math.isfinite(score.value):
        return None
    return score.value, score.error, False


def _pareto(
    verdicts: Sequence[Verdict],
    names: Sequence[str],
    values: Sequence[tuple[float, float, bool] | None],
    what: Quantity,
    first: Standing | None,
) -> Picture | None:
    judged = [
        point
        for sample, (verdict, name, value) in enumerate(zip(verdicts, names, values, strict=True))
        if value is not None
        for point in _judged(verdict, name, value, sample)
    ]
    field = [p for s in first.field for p in _published(s, what.column)] if first else []
    if not field and not any(p.milliseconds > 0 for p in judged):
        return None
    floor = next((s for s in first.field if s.is_floor), None) if first else None
    label = what.label + (f" [{_times(what.unit)}]" if what.unit else "")
    return as_svg(
        plots.pareto(
            [*field, *judged],
            quality=label,
            floor=floor.value(what.column) if floor else math.nan,
            logarithmic=what.kind == "distance",
            background=_background(first) if first and field else "",
        ),
        f"{what.label} against time per shower in ms: {', '.join(names)} in colour"
        + (", published submissions in grey with their names." if field else "."),
        _caption(first, values, what) if first and field else "To the lower left is better.",
    )


def _judged(
    verdict: Verdict, name: str, value: tuple[float, float, bool], sample: int
) -> list[plots.Point]:
    times = [(t.milliseconds, t.hardware) for t in times_per_shower(verdict.timing)]
    return [
        plots.Point(name, milliseconds, value[0], value[1], hardware, sample)
        for milliseconds, hardware in times or [(math.nan, "unstated")]
    ]


def _published(row: Submission, column: str) -> list[plots.Point]:
    if row.is_floor:
        return []
    return [
        plots.Point(row.name, time, row.value(column), row.error(column), hardware)
        for hardware in ("CPU", "GPU")
        if math.isfinite(time := row.value(f"{hardware.lower()}_batch_{_BATCH}_ms"))
    ]


def _background(first: Standing) -> str:
    other = "" if first.ranked else " (other showers)"
    return f"published: {first.title.partition(':')[0]}, batch {_BATCH}{other}"


def _caption(
    first: Standing, values: Sequence[tuple[float, float, bool] | None], what: Quantity
) -> str:
    words = ["To the lower left is better; published times are those of another machine."]
    if not first.ranked:
        words.append(
            "Grey points were measured on the challenge's own showers and are background for the "
            f"scale only: {first.reasons[0]}."
        )
    if any(value is not None and not value[2] for value in values):
        words.append("Published AUCs are after calibration, some coloured ones are before it.")
    if what.kind == "distance":
        words.append("Values at or below zero are not drawn.")
    return " ".join(words)
