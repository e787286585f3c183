"""Embedded pictures with their words, and the choice of which ones a page bears."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .. import plots
from ..verdict import Verdict
from .cells import Cell

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Family", "Picture", "as_png", "as_svg", "even", "first_of_each", "selection"]


@dataclass(frozen=True)
class Picture:
    """An embedded picture with its words.

    Args:
        source: data URI.
        alt: what one would see, for those who cannot.
        caption: what is shown and how to read it.
        width: natural width in pixels of the page.
        height: natural height.
        cells: score of each judged sample, in words, with the label of its standing.
    """

    source: str
    alt: str
    caption: str
    width: int
    height: int
    cells: tuple[Cell, ...] = ()


@dataclass(frozen=True)
class Family:
    """Pictures of one quantity: some at once, some behind a fold, the rest in the table only."""

    title: str
    shown: list[Picture] = field(default_factory=list)
    folded: list[Picture] = field(default_factory=list)
    left_out: int = 0


def as_png(
    figure: Figure,
    alt: str,
    caption: str,
    *,
    palette: bool = False,
    cells: tuple[Cell, ...] = (),
) -> Picture:
    """Embed a picture as pixels; ``palette`` suits line drawings."""
    return _picture(figure, "image/png", plots.png(figure, palette=palette), alt, caption, cells)


def as_svg(figure: Figure, alt: str, caption: str) -> Picture:
    """Embed a picture as lines."""
    return _picture(figure, "image/svg+xml", plots.svg(figure), alt, caption)


def _picture(
    figure: Figure,
    kind: str,
    content: bytes,
    alt: str,
    caption: str,
    cells: tuple[Cell, ...] = (),
) -> Picture:
    width, height = (round(100 * inches) for inches in figure.get_size_inches())
    source = f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"
    return Picture(source, alt, caption, width, height, cells)


def selection(
    items: Sequence[Any], at_once: int, folded: int, *, whole: int = 0, always: Any = None
) -> tuple[list[Any], list[Any], int]:
    """Choose evenly what is shown, what is folded, and count the rest; order is kept.

    Args:
        items: what there is.
        at_once: how many to show.
        folded: how many further ones to fold.
        whole: up to this many items are all shown.
        always: an item that is shown in any case.
    """
    if len(items) <= max(at_once, whole):
        return list(items), [], 0
    shown = even(items, at_once)
    if always is not None and always not in shown:
        shown = [item for item in items if item in shown or item is always]
    rest = [item for item in items if item not in shown]
    more = even(rest, folded)
    return shown, more, len(rest) - len(more)


def even(items: Sequence[Any], number: int) -> list[Any]:
    """Choose a number of items at even distances, the first and the last among them."""
    if len(items) <= number:
        return list(items)
    if number == 1:
        return [items[len(items) // 2]]
    return [items[round(k * (len(items) - 1) / (number - 1))] for k in range(number)]


def first_of_each(
    verdicts: Sequence[Verdict], part: Callable[[Verdict], Iterable[Any]]
) -> list[Any]:
    """Everything that some verdict has, once by name, in order of appearance."""
    found: dict[str, Any] = {}
    for verdict in verdicts:
        for item in part(verdict):
            found.setdefault(item.name, item)
    return list(found.values())
