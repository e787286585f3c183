"""What a page of many samples begins with: one table and pictures of what was made of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from .. import plots
from .pictures import Picture, as_svg

__all__ = ["Front", "quality_against_time"]


@dataclass(frozen=True)
class Front:
    """A table with pictures, put before everything else.

    Args:
        title: heading.
        words: paragraphs under it.
        columns: headings of the table.
        rows: cells in words, each as long as ``columns``; the first one names the row.
        pictures: shown below the table, the first two at once.
    """

    title: str
    words: tuple[str, ...]
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    pictures: tuple[Picture, ...] = ()


def quality_against_time(
    points: Sequence[plots.Point], quality: str, time: str, *, logarithmic: bool = False
) -> Picture | None:
    """Return the Pareto picture of judged samples; None if none has a quality and a time.

    Args:
        points: one per sample.
        quality: label of the vertical axis.
        time: label of the horizontal axis.
        logarithmic: whether the vertical axis is; values that are not positive are left out.
    """
    known = [
        point
        for point in points
        if point.milliseconds > 0
        and math.isfinite(point.value)
        and (point.value > 0 or not logarithmic)
    ]
    if not known:
        return None
    figure = plots.pareto(known, quality=quality, logarithmic=logarithmic, time=time, front=True)
    names = ", ".join(point.label for point in known)
    return as_svg(
        figure,
        f"{quality} against {time}: {names}.",
        "To the lower left is better; no sample lies below the dashed line.",
    )
