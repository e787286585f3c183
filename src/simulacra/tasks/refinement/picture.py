"""One observable before and after refinement, with ratios to the target."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...evaluation.plots.canvas import COLOURS, GREY, INK, new_figure, plain_text, style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from .result import Refinement

__all__ = ["three_histograms"]

FloatArray = NDArray[np.float64]


def three_histograms(result: Refinement, column: int, bins: int | Sequence[float]) -> Figure:
    """Draw an observable of target, source and refined source, each with unit area.

    Bands and bars are one standard deviation, from the sum of squared weights.

    Args:
        result: what was refined.
        column: number of the observable.
        bins: how many between the extremes of the target, or edges.
    """
    samples = result.samples
    source, target = (table[:, column] for table in samples.tables)
    edges = np.asarray(np.histogram_bin_edges(target, bins), np.float64)
    truth, truth_error = _density(target, samples.target_weight, edges)
    curves = (
        ("source", GREY, source, samples.source_weight),
        (result.method, COLOURS[1], result.events[:, column], result.weights),
    )
    with style():
        figure = new_figure(5.2, 4.2, "constrained")
        above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
        _step(above, edges, truth, truth_error, INK, "target")
        with np.errstate(divide="ignore", invalid="ignore"):
            _step(below, edges, truth / truth, truth_error / truth, INK, "")
            for name, colour, values, weight in curves:
                density, error = _density(values, weight, edges)
                _step(above, edges, density, error, colour, plain_text(name))
                _step(below, edges, density / truth, error / truth, colour, "")
        above.set(ylabel="density", title=_title(result))
        above.legend()
        below.set(xlabel=plain_text(result.names[column]), ylabel="over target", ylim=(0.5, 1.5))
    return figure


def _title(result: Refinement) -> str:
    d = result.diagnosis
    return (
        f"AUC {d.auc_before:.3f} to {d.auc_after:.3f}, {100 * d.kept:.0f} % effective, "
        f"{100 * d.uncovered:.2g} % uncovered"
    )


def _density(
    values: FloatArray, weight: FloatArray, edges: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return the density with unit area over everything, and its standard deviation."""
    total = weight.sum() * np.diff(edges)
    counts, _ = np.histogram(values, edges, weights=weight)
    squares, _ = np.histogram(values, edges, weights=weight**2)
    return counts / total, np.sqrt(squares) / total


def _step(
    axes: object, edges: FloatArray, y: FloatArray, error: FloatArray, colour: str, label: str
) -> None:
    axes.stairs(y, edges, color=colour, label=label or None)  # type: ignore[attr-defined]
    axes.stairs(  # type: ignore[attr-defined]
        y + error, edges, baseline=y - error, fill=True, color=colour, alpha=0.2, linewidth=0
    )
