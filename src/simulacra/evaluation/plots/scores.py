"""Scores beside their floors, ROC curves, and the log of a training."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import RangeError
from ..verdict import Curve, Score
from .canvas import COLOURS, GREY, label_decades, new_figure, plain_text, safe_math, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["roc", "separations", "training_curves"]

_DASHES = ("-", "--", "-.", ":")


def roc(curves: Sequence[Curve], labels: Sequence[str]) -> Figure:
    """Draw receiver operating characteristics, with the diagonal of a blind classifier.

    Args:
        curves: the curves; those of one ``name`` share a line style.
        labels: entry of each curve in the legend, AUC included.

    Raises:
        RangeError: if there is no curve.
    """
    if not curves:
        raise RangeError("expected at least one curve to draw, got none.")
    names = list(dict.fromkeys(curve.name for curve in curves))
    with style():
        below = 0.55 + 0.2 * (len(curves) + 1)  # inches for the axis label and the legend
        width, height = 5.6, 5.0 + below
        figure = new_figure(width, height)
        axis = figure.add_axes((0.115, below / height, 0.855, 4.85 / height))
        axis.plot([0, 1], [0, 1], color=GREY, linestyle=":", label="cannot tell (AUC 0.5)")
        for number, (curve, label) in enumerate(zip(curves, labels, strict=True)):
            colour = COLOURS[number % len(COLOURS)]
            x, y = np.asarray(curve.x), np.asarray(curve.y)
            dash = _DASHES[names.index(curve.name) % len(_DASHES)]
            axis.plot(x, y, color=colour, linestyle=dash, label=plain_text(label, 90))
            if curve.y_error is not None:
                band = np.asarray(curve.y_error)
                axis.fill_between(x, y - band, y + band, color=colour, alpha=0.2, linewidth=0)
        axis.set(xlim=(0, 1), ylim=(0, 1.005), aspect="equal")
        axis.set_xlabel(safe_math(curves[0].x_label))
        axis.set_ylabel(safe_math(curves[0].y_label))
        axis.grid(color="#e4e7ea", linewidth=0.7)
        figure.legend(loc="lower center", frameon=False)
    return figure


def separations(scores: Sequence[Sequence[Score | None]], labels: Sequence[str]) -> Figure:
    """Draw one kind of score of many observables beside their floors, on a logarithmic axis.

    Args:
        scores: for each row of the picture, the score of each judged sample; None where one does
            not have it. Values at or below zero stand at the left border.
        labels: name of each judged sample.

    Raises:
        RangeError: if there is no row.
    """
    rows = [row for row in scores if any(score is not None for score in row)]
    if not rows:
        raise RangeError("expected at least one score to draw, got none.")
    present = [score for row in rows for score in row if score is not None]
    lowest = _lowest([s.value for s in present] + [s.floor for s in present if s.floor is not None])
    with style():
        figure = new_figure(7.4, 1.15 + 0.27 * len(rows), layout="constrained")
        axis = figure.subplots()
        for place, row in enumerate(rows):
            _floor(axis, place, [s for s in row if s is not None], lowest)
            for number, score in enumerate(row):
                if score is not None:
                    shift = 0.16 * (number - (len(row) - 1) / 2)
                    _point(axis, score, place + shift, COLOURS[number % len(COLOURS)], lowest)
        axis.set_xscale("log")
        axis.set_xlim(left=lowest)
        label_decades(axis.xaxis)
        axis.set_ylim(len(rows) - 0.4, -0.6)
        names = [next(s for s in row if s is not None).label for row in rows]
        names = [name.removeprefix("separation power, ") for name in names]
        axis.set_yticks(range(len(rows)), [safe_math(name) for name in names])
        axis.tick_params(axis="y", length=0)
        axis.grid(axis="x", color="#e4e7ea", linewidth=0.7)
        axis.set_xlabel("separation power (0: equal histograms, 1: disjoint)")
        _separation_legend(axis, labels)
    return figure


def training_curves(columns: Sequence[tuple[str, Sequence[float]]]) -> Figure:
    """Draw the columns of a training log against the first one.

    Args:
        columns: name and numbers of each column, of one length; the first is the horizontal axis.

    Raises:
        RangeError: if there are fewer than two columns.
    """
    if len(columns) < 2:
        raise RangeError(f"expected at least two columns to draw, got {len(columns)}.")
    with style():
        figure = new_figure(6.4, 3.4)
        axis = figure.add_axes((0.11, 0.14, 0.86, 0.8))
        (name, x), *others = columns
        for number, (label, y) in enumerate(others):
            colour = COLOURS[number % len(COLOURS)]
            axis.plot(x, y, color=colour, label=plain_text(label.replace("_", " ")))
        axis.set_xlabel(plain_text(name.replace("_", " ")))
        axis.grid(color="#e4e7ea", linewidth=0.7)
        axis.legend(loc="best")
    return figure


def _lowest(values: Sequence[float]) -> float:
    positive = [value for value in values if value > 0 and math.isfinite(value)]
    return min(positive) / 3 if positive else 1e-6


def _floor(axis: Axes, place: int, scores: Sequence[Score], lowest: float) -> None:
    for score in scores:
        if score.floor is not None and math.isfinite(score.floor):
            end = max(score.floor + 2 * (score.floor_error or 0.0), lowest)
            axis.barh(place, end - lowest, left=lowest, height=0.7, color="#dde1e6", linewidth=0)
            axis.plot([max(score.floor, lowest)] * 2, [place - 0.35, place + 0.35], color=GREY)
            return


def _point(axis: Axes, score: Score, height: float, colour: str, lowest: float) -> None:
    value = max(score.value, lowest)
    if not math.isfinite(value):
        return
    error = score.error if math.isfinite(score.error) else 0.0
    axis.plot([max(value - error, lowest), value + error], [height] * 2, color=colour)
    axis.plot([value], [height], marker="o", markersize=4.5, color=colour)


def _separation_legend(axis: Axes, labels: Sequence[str]) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    marks: list[Any] = [
        Line2D([], [], marker="o", markersize=4.5, color=COLOURS[n % len(COLOURS)], label=label)
        for n, label in enumerate(map(plain_text, labels))
    ]
    marks.append(Patch(color="#dde1e6", label="up to floor + 2 standard deviations"))
    axis.figure.legend(handles=marks, loc="outside lower center", ncols=2)
