"""Quality against time: judged samples in front of published submissions."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...errors import RangeError
from .canvas import COLOURS, GREY, INK, label_decades, new_figure, plain_text, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["Point", "pareto"]

_MARKERS = {"CPU": "o", "GPU": "s", "unstated": "D"}
_FIELD = {"CPU": "#9aa3ad", "GPU": "#5f6b78", "unstated": "#9aa3ad"}
_CHARACTER, _LINE = 4.6, 10.0  # size of a small letter in points, for keeping labels apart


@dataclass(frozen=True)
class Point:
    """One sample at one speed.

    Args:
        label: its name.
        milliseconds: time per shower; nan if it is not stated.
        value: quality in the unit of the axis.
        error: one standard deviation; nan if unknown.
        hardware: ``CPU``, ``GPU`` or ``unstated``.
        sample: number of the judged sample, which chooses its colour; -1 for a published one.
    """

    label: str
    milliseconds: float
    value: float
    error: float
    hardware: str
    sample: int = -1


def pareto(
    points: Sequence[Point],
    *,
    quality: str,
    floor: float = math.nan,
    logarithmic: bool = False,
    background: str = "",
    time: str = "time per shower [ms]",
    front: bool = False,
) -> Figure:
    """Draw quality against time per shower; to the lower left is better.

    Points of one name are joined. A judged sample without a time becomes a horizontal line. More
    judged samples than there are colours have their names beside them.

    Args:
        points: published and judged samples; values that are not positive are left out of a
            logarithmic axis.
        quality: label of the vertical axis.
        floor: what full simulation reaches against itself; nan if unknown.
        logarithmic: whether the vertical axis is.
        background: what the grey points are, in words, for the legend; ``""`` if there are none.
        time: label of the horizontal axis.
        front: join the judged samples that no other one beats in both.

    Raises:
        RangeError: if there is no point.
    """
    shown = [p for p in points if math.isfinite(p.value) and (p.value > 0 or not logarithmic)]
    if not shown:
        raise RangeError("expected at least one point to draw, got none.")
    with style():
        many = max(p.sample for p in shown) >= len(COLOURS)
        handles = _legend([p for p in shown if p.sample < 0 or not many], background, floor)
        below = 0.62 + 0.17 * math.ceil(len(handles) / 2)  # inches for the axis label, the legend
        height = 4.2 + below
        figure = new_figure(7.6, height)
        axis = figure.add_axes((0.1, below / height, 0.87, 4.1 / height))
        axis.set_xscale("log")
        if logarithmic:
            axis.set_yscale("log")
        for point in shown:
            _draw(axis, point)
        _joined(axis, shown)
        if front:
            _draw_front(axis, [p for p in shown if p.sample >= 0])
        _frame(axis, shown, quality, floor)
        axis.set_xlabel(time)
        _labels(axis, [p for p in shown if p.sample < 0 or many])
        figure.legend(handles=handles, loc="lower center", ncols=2, fontsize=8)
    return figure


def _draw(axis: Axes, point: Point) -> None:
    if not point.milliseconds > 0:
        if point.sample >= 0:
            axis.axhline(point.value, color=_colour(point), linewidth=1.2, linestyle="--")
        return
    own = point.sample >= 0
    axis.errorbar(
        [point.milliseconds],
        [point.value],
        yerr=[point.error] if math.isfinite(point.error) else None,
        marker=_MARKERS.get(point.hardware, "D"),
        markersize=10 if own else 4.5,
        markeredgecolor=INK if own else "none",
        markeredgewidth=0.8,
        color=_colour(point),
        elinewidth=1,
        zorder=5 if own else 2,
        linestyle="none",
    )


def _joined(axis: Axes, points: Sequence[Point]) -> None:
    """Join the times of one sample by a thin line."""
    for name in dict.fromkeys((p.sample, p.label) for p in points):
        mine = [p for p in points if (p.sample, p.label) == name and p.milliseconds > 0]
        if len(mine) > 1:
            mine.sort(key=lambda p: p.milliseconds)
            x, y = [p.milliseconds for p in mine], [p.value for p in mine]
            own = name[0] >= 0
            colour = _colour(mine[0]) if own else "#d3d8dd"
            axis.plot(x, y, color=colour, linewidth=1.2 if own else 0.7, zorder=4 if own else 1)


def _draw_front(axis: Axes, points: Sequence[Point]) -> None:
    """Draw a staircase below which no sample lies."""
    corners: list[Point] = []
    for point in sorted(points, key=lambda p: (p.milliseconds, p.value)):
        if point.milliseconds > 0 and (not corners or point.value < corners[-1].value):
            corners.append(point)
    x, y = [p.milliseconds for p in corners], [p.value for p in corners]
    axis.step(x, y, where="post", color=GREY, linewidth=1.0, linestyle="--", zorder=1)


def _colour(point: Point) -> str:
    if point.sample < 0:
        return _FIELD.get(point.hardware, GREY)
    return COLOURS[point.sample % len(COLOURS)]


def _frame(axis: Axes, points: Sequence[Point], quality: str, floor: float) -> None:
    times = [p.milliseconds for p in points if p.milliseconds > 0] or [1.0]
    axis.set_xlim(min(times) / 2.2, max(times) * 3)
    values = [p.value for p in points] + ([floor] if math.isfinite(floor) else [])
    if axis.get_yscale() == "log":
        positive = [v for v in values if v > 0]
        axis.set_ylim(min(positive) / 1.6, max(positive) * 1.6)
        label_decades(axis.yaxis)
    else:
        spread = (max(values) - min(values)) or 0.1
        axis.set_ylim(min(values) - 0.06 * spread, max(values) + 0.12 * spread)
    if math.isfinite(floor):
        axis.axhline(floor, color=INK, linewidth=0.9, linestyle=":")
    axis.set_ylabel(plain_text(quality, 80))
    axis.grid(color="#e9ecef", linewidth=0.6)
    label_decades(axis.xaxis)


def _labels(axis: Axes, points: Sequence[Point]) -> None:
    """Name each sample once, at its fastest point, where no other label stands."""
    from matplotlib import patheffects

    timed = [p for p in points if p.milliseconds > 0]
    fastest: dict[str, Point] = {}
    for point in sorted(timed, key=lambda p: p.milliseconds):
        fastest.setdefault(point.label, point)
    frame = _frame_box(axis)
    taken = [_box(_place(axis, p), 6.0, 6.0, (-3.0, -3.0)) for p in timed]
    for label, point in sorted(fastest.items(), key=lambda item: item[1].value):
        text = plain_text(label, 28)
        width, place = len(text) * _CHARACTER, _place(axis, point)
        offset = _free(place, width, taken, frame)
        taken.append(_box(place, width, _LINE, offset))
        axis.annotate(
            text,
            (point.milliseconds, point.value),
            xytext=offset,
            textcoords="offset points",
            fontsize=7.5,
            color="#59636e",
            path_effects=[patheffects.withStroke(linewidth=2.5, foreground="white")],
            arrowprops={"arrowstyle": "-", "color": "#b4bcc5", "linewidth": 0.6}
            if abs(offset[1]) > 20
            else None,
        )


Box = tuple[float, float, float, float]


def _place(axis: Axes, point: Point) -> tuple[float, float]:
    """Return where a point stands, in points of the page (72 per inch)."""
    x, y = axis.transData.transform((point.milliseconds, point.value))
    scale = 72.0 / axis.figure.dpi
    return float(x) * scale, float(y) * scale


def _frame_box(axis: Axes) -> Box:
    scale = 72.0 / axis.figure.dpi
    x0, y0, x1, y1 = (float(side) * scale for side in axis.bbox.extents)
    return x0, y0, x1, y1


def _box(place: tuple[float, float], width: float, height: float, at: tuple[float, float]) -> Box:
    x, y = place[0] + at[0], place[1] + at[1]
    return x, y, x + width, y + height


def _free(
    place: tuple[float, float], width: float, taken: Sequence[Box], frame: Box
) -> tuple[float, float]:
    """Return the nearest offset at which a label meets no other one and stays in the frame."""
    for offset in _offsets(width):
        box = _box(place, width, _LINE, offset)
        inside = frame[0] < box[0] and box[2] < frame[2] and frame[1] < box[1] and box[3] < frame[3]
        if inside and not any(_overlap(box, other) for other in taken):
            return offset
    return 5.0, -3.0


def _overlap(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _offsets(width: float) -> Iterator[tuple[float, float]]:
    for step in range(12):
        for up in (-3.0 - 10 * step, -3.0 + 10 * step):
            yield 6.0, up
            yield -width - 5.0, up
            if step > 1:
                yield -width / 2, up


def _legend(points: Sequence[Point], background: str, floor: float) -> list[Any]:
    from matplotlib.lines import Line2D

    handles: list[Any] = []
    for sample, label in dict.fromkeys((p.sample, p.label) for p in points if p.sample >= 0):
        mine = [p for p in points if p.sample == sample]
        timed = any(p.milliseconds > 0 for p in mine)
        handles.append(
            Line2D([], [], color=_colour(mine[0]), marker="o" if timed else "", markersize=8,
                   linestyle="none" if timed else "--",
                   label=plain_text(label, 48) + ("" if timed else " (time not stated)"))
        )  # fmt: skip
    if background:
        handles.append(
            Line2D([], [], color=_FIELD["GPU"], marker="s", markersize=4.5, linestyle="none",
                   label=plain_text(background, 110))
        )  # fmt: skip
    for hardware in dict.fromkeys(p.hardware for p in points if p.milliseconds > 0):
        handles.append(
            Line2D([], [], color=INK, marker=_MARKERS.get(hardware, "D"), markersize=5,
                   markerfacecolor="none", linestyle="none",
                   label=hardware if hardware != "unstated" else "hardware not stated")
        )  # fmt: skip
    if math.isfinite(floor):
        handles.append(Line2D([], [], color=INK, linestyle=":", label="full simulation (floor)"))
    return handles
