"""Histograms of judged samples over their reference, with ratios."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...errors import RangeError
from ..verdict import Histogram, Profile
from .canvas import GREY, INK, colours, label_decades, new_figure, plain_text, safe_math, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "RATIO_RANGE",
    "observable",
    "over",
    "ratio_step",
    "reference_ratio",
    "refuse_different_bins",
    "two_panels",
]

Array = NDArray[np.float64]

RATIO_RANGE = (0.5, 1.5)
"""What a panel of ratios shows."""


def observable(
    histograms: Sequence[Histogram], labels: Sequence[str], *, reference_label: str = "reference"
) -> Figure:
    """Draw one observable of one or more judged samples over their reference, with ratios.

    Above: probability densities with bands of one standard deviation. Below: generated over
    reference; the grey band is the reference's own relative error, triangles at the border stand
    for ratios outside the panel.

    Args:
        histograms: the same observable of each judged sample, in the same bins.
        labels: name of each judged sample.
        reference_label: name of what they are compared with.

    Raises:
        RangeError: if there is none or the bins differ.
    """
    refuse_different_bins(histograms)
    with style():
        figure, above, below = two_panels()
        first = histograms[0]
        edges = np.asarray(first.edges)
        reference = np.asarray(first.reference)
        error = np.asarray(first.reference_error)
        _step(above, edges, reference, error, INK, plain_text(reference_label), fill=True)
        reference_ratio(below, edges, over(error, reference))
        for histogram, label, colour in zip(histograms, labels, colours(), strict=False):
            values = np.asarray(histogram.generated)
            spread = np.asarray(histogram.generated_error)
            _step(above, edges, values, spread, colour, plain_text(label))
            ratio_step(below, edges, over(values, reference), over(spread, reference), colour)
        _frame_observable(above, below, first)
        above.legend(loc="upper right", handlelength=1.4)
        _headroom(above, [np.asarray(h.generated) for h in histograms] + [reference])
    return figure


def two_panels() -> tuple[Figure, Axes, Axes]:
    """Return a figure with a panel for values above one for ratios."""
    figure = new_figure(4.6, 3.9)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1.25])
    figure.subplots_adjust(left=0.15, right=0.97, bottom=0.125, top=0.95, hspace=0.07)
    figure.align_ylabels()
    return figure, above, below


def refuse_different_bins(drawn: Sequence[Histogram | Profile]) -> None:
    """Refuse to draw samples over each other whose bins differ.

    Raises:
        RangeError: if there is none or the bins differ.
    """
    if not drawn:
        raise RangeError("expected at least one histogram to draw, got none.")
    for one in drawn[1:]:
        if one.edges != drawn[0].edges:
            raise RangeError(
                f"{one.name}: expected the bins of {drawn[0].name} in every sample, "
                "found others; draw them in separate pictures."
            )


def reference_ratio(axis: Axes, edges: Array, relative: Array) -> None:
    """Draw the reference's own relative error, shape ``(bins,)``, around 1."""
    axis.stairs(1 + relative, edges, baseline=1 - relative, fill=True, color=GREY, alpha=0.4)
    axis.axhline(1, color=INK, linewidth=0.8)


def _step(
    axis: Axes,
    edges: Array,
    values: Array,
    error: Array,
    colour: str,
    label: str,
    *,
    fill: bool = False,
) -> None:
    import mplhep

    if fill:
        axis.stairs(values, edges, fill=True, color="#e3e6ea", linewidth=0)
    axis.stairs(values + error, edges, baseline=values - error, fill=True, color=colour, alpha=0.3)
    mplhep.histplot(
        values,
        bins=edges,
        ax=axis,
        histtype="step",
        yerr=np.zeros_like(values),  # the band above is the error; none here would ask for scipy
        color=colour,
        label=label,
        linewidth=1.3,
        edges=False,
        flow="none",
    )


def ratio_step(
    axis: Axes,
    edges: Array,
    ratio: Array,
    error: Array,
    colour: str,
    limits: tuple[float, float] = RATIO_RANGE,
) -> None:
    """Draw a ratio with its band, and triangles for bins outside the panel's ``limits``."""
    axis.stairs(ratio + error, edges, baseline=ratio - error, fill=True, color=colour, alpha=0.3)
    axis.stairs(ratio, edges, baseline=None, color=colour, linewidth=1.2)
    centres = (edges[1:] + edges[:-1]) / 2
    low, high = limits
    for outside, height, marker in ((ratio > high, high, "^"), (ratio < low, low, "v")):
        if outside.any():
            inside = height + 0.04 * (high - low) * (1 if marker == "v" else -1)
            axis.plot(
                centres[outside],
                np.full(outside.sum(), inside),
                linestyle="none",
                marker=marker,
                markersize=3.2,
                color=colour,
            )


def _frame_observable(above: Axes, below: Axes, histogram: Histogram) -> None:
    unit = f" [{histogram.unit}]" if histogram.unit else ""
    below.set_xlabel(safe_math(histogram.label) + unit)
    above.set_ylabel(f"density [1/{histogram.unit}]" if histogram.unit else "density")
    below.set_ylabel("gen. / ref.")
    below.set_ylim(*RATIO_RANGE)
    below.set_yticks([0.5, 1.0, 1.5])
    below.grid(axis="y", color="#e4e7ea", linewidth=0.7)
    if histogram.log_x and histogram.edges[0] > 0:
        below.set_xscale("log")
        label_decades(below.xaxis)
    above.set_xlim(*_filled_range(histogram))
    if histogram.log_y and any(value > 0 for value in histogram.reference):
        above.set_yscale("log")
        label_decades(above.yaxis)


def _filled_range(histogram: Histogram) -> tuple[float, float]:
    """Return the edges between which any bin of either sample is filled, and one bin more."""
    filled = np.asarray(histogram.reference) + np.asarray(histogram.generated) > 0
    places = np.flatnonzero(filled)
    if not places.size:
        return histogram.edges[0], histogram.edges[-1]
    first, last = max(places[0] - 1, 0), min(places[-1] + 2, len(histogram.edges) - 1)
    return histogram.edges[first], histogram.edges[last]


def _headroom(axis: Axes, samples: Sequence[Array]) -> None:
    """Leave room for the legend above the highest bin, and none below the lowest filled one."""
    values = np.concatenate(samples)
    filled = values[np.isfinite(values) & (values > 0)]
    if not filled.size:
        return
    if axis.get_yscale() == "log":
        bottom = max(filled.min() / 2, filled.max() * 1e-7)
        axis.set_ylim(bottom, filled.max() * (filled.max() / bottom) ** 0.35)
    else:
        axis.set_ylim(0, filled.max() * 1.35)


def over(above: Array, below: Array) -> Array:
    """Divide, with nan (nothing drawn) where the reference is empty."""
    result = np.full(len(below), np.nan)
    np.divide(above, below, out=result, where=below > 0)
    return result
