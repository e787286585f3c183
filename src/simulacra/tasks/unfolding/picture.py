"""Pictures of unfolded spectra: shares per bin width, and ratios to what they are compared with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...evaluation.plots.canvas import COLOURS, GREY, INK, new_figure, plain_text, style
from .spectrum import Spectrum

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["Panel", "picture"]

FloatArray = NDArray[np.float64]

_COLUMNS = 3
_RATIOS = (0.7, 1.3)


@dataclass(frozen=True, eq=False)
class Panel:
    """One observable of a picture.

    Args:
        found: the unfolded spectrum.
        prior: counts of the simulation's truth in the same bins, ``(bins,)``.
        measured: counts of the data as measured, ``(bins,)``; None if it is not measured.
        truth: counts of the truth, where a test knows it, ``(bins,)``.
    """

    found: Spectrum
    prior: FloatArray
    measured: FloatArray | None = None
    truth: FloatArray | None = None


def picture(panels: Sequence[Panel], method: str) -> Figure:
    """Draw unfolded spectra with their errors over prior, data and, if known, truth.

    Above: share of the events per unit of the observable. Below: ratios to the truth, or to the
    prior where no truth is known; the band is the unfolded one's error.

    Args:
        panels: one for each observable.
        method: who unfolded, for the legend.
    """
    columns = min(len(panels), _COLUMNS)
    rows = -(-len(panels) // columns)
    with style():
        figure = new_figure(3.9 * columns, 3.7 * rows, layout="constrained")
        heights = [3.0, 1.3] * rows
        grid: Any = figure.subplots(
            2 * rows, columns, squeeze=False, gridspec_kw={"height_ratios": heights}
        )
        for place, panel in enumerate(panels):
            row, column = divmod(place, columns)
            _draw(grid[2 * row][column], grid[2 * row + 1][column], panel, method)
        for place in range(len(panels), rows * columns):
            row, column = divmod(place, columns)
            grid[2 * row][column].set_axis_off()
            grid[2 * row + 1][column].set_axis_off()
        grid[0][0].legend(loc="best")
    return figure


def _draw(above: Axes, below: Axes, panel: Panel, method: str) -> None:
    found = panel.found.normalised()
    edges = found.edges
    reference = panel.prior if panel.truth is None else panel.truth
    lines = [(panel.prior, "simulation", GREY), (panel.measured, "measured", COLOURS[1])]
    lines.append((panel.truth, "truth", INK))
    for counts, label, colour in lines:
        if counts is not None:
            above.stairs(_density(counts, edges), edges, color=colour, label=label)
            below.stairs(_over(_shares(counts), _shares(reference)), edges, color=colour)
    middle, width = (edges[1:] + edges[:-1]) / 2, np.diff(edges)
    dots: dict[str, Any] = {"fmt": "o", "markersize": 3.5, "color": COLOURS[0]}
    above.errorbar(
        middle, found.counts / width, found.error / width, label=plain_text(method), **dots
    )
    shares = _shares(reference)
    below.errorbar(middle, _over(found.counts, shares), _over(found.error, shares), **dots)
    below.set_ylim(*_RATIOS)
    below.set_xlabel(plain_text(found.observable))
    below.set_ylabel("over truth" if panel.truth is not None else "over simulation")
    above.set_ylabel("share per unit")
    for axis in (above, below):
        axis.set_xlim(edges[0], edges[-1])
    above.tick_params(labelbottom=False)
    above.set_ylim(bottom=0.0)


def _density(counts: FloatArray, edges: FloatArray) -> FloatArray:
    return np.asarray(_shares(counts) / np.diff(edges))


def _shares(counts: FloatArray) -> FloatArray:
    return np.asarray(counts / counts.sum())


def _over(above: FloatArray, below: FloatArray) -> FloatArray:
    return np.divide(above, below, out=np.full_like(above, np.nan), where=below != 0)
