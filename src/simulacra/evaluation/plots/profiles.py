# ruff: noqa: RUF001 (the minus sign is written as it is)
"""Profiles of judged samples over their reference, and tables such as correlations as colours."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..verdict import Matrix, Profile
from .canvas import INK, colours, label_decades, new_figure, plain_text, safe_math, style
from .histograms import over, ratio_step, reference_ratio, refuse_different_bins, two_panels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["matrices", "profile"]

Array = NDArray[np.float64]

_RATIO_WIDTHS = (0.02, 0.05, 0.1, 0.2, 0.5)  # half widths of the panel of ratios
_MOST_LABELS = 12


def profile(profiles: Sequence[Profile], labels: Sequence[str]) -> Figure:
    """Draw a profile of one or more judged samples over their reference, with ratios.

    Bands are one standard deviation. The panel of ratios is as wide as the ratios need, from 2 to
    50 %; triangles stand for ratios outside.

    Args:
        profiles: the same profile of each judged sample, in the same bins.
        labels: name of each judged sample.

    Raises:
        RangeError: if there is none or the bins differ.
    """
    refuse_different_bins(profiles)
    first = profiles[0]
    edges, reference, error = map(np.asarray, (first.edges, first.reference, first.reference_error))
    ratios = [over(np.asarray(p.generated), reference) for p in profiles]
    with style():
        figure, above, below = two_panels()
        figure.subplots_adjust(top=0.92)  # for the title
        _band(above, edges, reference, error, INK, "reference")
        reference_ratio(below, edges, over(error, reference))
        limits = _ratio_limits(ratios)
        for one, ratio, label, colour in zip(profiles, ratios, labels, colours(), strict=False):
            spread = np.asarray(one.generated_error)
            _band(above, edges, np.asarray(one.generated), spread, colour, plain_text(label))
            ratio_step(below, edges, ratio, over(spread, reference), colour, limits)
        _frame(above, below, profiles, limits)
        _room(above, [reference, *(np.asarray(p.generated) for p in profiles)])
        above.legend(loc="upper right", handlelength=1.4)
    return figure


def matrices(matrix: Matrix, label: str) -> Figure:
    """Draw a table of both samples as colours: reference, generated, and their difference.

    Args:
        matrix: the values, from -1 to 1 for correlations.
        label: name of the judged sample.
    """
    reference = np.asarray(matrix.reference, float)
    generated = np.asarray(matrix.generated, float)
    change = generated - reference
    with style():
        width, height, side = 10.8, 3.7, 2.6  # inches
        figure = new_figure(width, height)
        axes = [
            figure.add_axes((left / width, 0.75 / height, side / width, side / height))
            for left in (0.95, 3.75, 7.45)
        ]
        span = _span(reference, generated)
        largest = float(np.nanmax(np.abs(change), initial=0.0)) or 1.0
        panels = (
            (reference, span, "reference"),
            (generated, span, plain_text(label)),
            (change, (-largest, largest), "generated − reference"),
        )
        for axis, (values, (low, high), title) in zip(axes, panels, strict=True):
            image = axis.imshow(values, vmin=low, vmax=high, cmap=_map(low), origin="upper")
            axis.set_title(title)
            _name_rows(axis, matrix.labels, left=axis is axes[0])
            if axis is not axes[0]:
                bar = figure.colorbar(image, cax=axis.inset_axes((1.05, 0, 0.06, 1)))
                bar.set_label("difference" if axis is axes[2] else safe_math(matrix.label))
    return figure


def _band(axis: Axes, edges: Array, values: Array, error: Array, colour: str, label: str) -> None:
    axis.stairs(values + error, edges, baseline=values - error, fill=True, color=colour, alpha=0.3)
    axis.stairs(values, edges, baseline=None, color=colour, linewidth=1.3, label=label)


def _ratio_limits(ratios: Sequence[Array]) -> tuple[float, float]:
    away = np.abs(np.concatenate(ratios) - 1)
    away = away[np.isfinite(away)]
    wanted = float(np.quantile(away, 0.95)) * 1.2 if away.size else 0.0
    half = next((width for width in _RATIO_WIDTHS if width >= wanted), _RATIO_WIDTHS[-1])
    return 1 - half, 1 + half


def _frame(
    above: Axes, below: Axes, profiles: Sequence[Profile], limits: tuple[float, float]
) -> None:
    first = profiles[0]
    below.set_xlabel(_with_unit(first.x_label, first.x_unit))
    above.set_title(_with_unit(first.label, first.unit), loc="left", fontsize=9.5, pad=5)
    below.set_ylabel("gen. / ref.")
    below.set_ylim(*limits)
    below.set_yticks([limits[0], 1.0, limits[1]])
    below.grid(axis="y", color="#e4e7ea", linewidth=0.7)
    if first.log_x and first.edges[0] > 0:
        below.set_xscale("log")
        label_decades(below.xaxis)
    above.set_xlim(*_filled_range(profiles))
    if first.log_y and any(value > 0 for value in first.reference):
        above.set_yscale("log")
        label_decades(above.yaxis)


def _filled_range(profiles: Sequence[Profile]) -> tuple[float, float]:
    """Return the edges between which some sample has a value that is not 0."""
    first = profiles[0]
    values = np.array([first.reference, *(p.generated for p in profiles)], float)
    places = np.flatnonzero((np.isfinite(values) & (values != 0)).any(axis=0))
    if not places.size:
        return first.edges[0], first.edges[-1]
    return first.edges[places[0]], first.edges[places[-1] + 1]


def _room(axis: Axes, samples: Sequence[Array]) -> None:
    """Leave room for the legend; a linear axis starts at 0 only where the values are near it."""
    values = np.concatenate(samples)
    values = values[np.isfinite(values)]
    if axis.get_yscale() == "log":
        values = values[values > 0]
        bottom = values.min() / 1.5
        axis.set_ylim(bottom, values.max() * (values.max() / bottom) ** 0.4)
    elif values.size:
        low, high = float(values.min()), float(values.max())
        low = 0.0 if 0 <= low < 0.5 * high else low
        spread = (high - low) or abs(high) or 1.0
        axis.set_ylim(low - (0.1 * spread if low else 0), high + 0.45 * spread)


def _with_unit(label: str, unit: str) -> str:
    return safe_math(label) + (f" [{unit}]" if unit else "")


def _span(*tables: Array) -> tuple[float, float]:
    values = np.concatenate([np.ravel(table) for table in tables])
    values = values[np.isfinite(values)]
    if not values.size or np.abs(values).max() <= 1 + 1e-9:
        return -1.0, 1.0
    return float(values.min()), float(values.max())


def _map(low: float) -> Any:
    import matplotlib

    return matplotlib.colormaps["RdBu_r" if low < 0 else "viridis"].with_extremes(bad="#eceef1")


def _name_rows(axis: Axes, labels: Sequence[str], *, left: bool) -> None:
    step = max(1, math.ceil(len(labels) / _MOST_LABELS))
    places = list(range(0, len(labels), step))
    names = [safe_math(labels[place]) for place in places]
    axis.set_xticks(places, names, rotation=60, ha="right", rotation_mode="anchor", fontsize=7.5)
    axis.set_yticks(places, names if left else [""] * len(places), fontsize=7.5)
    axis.tick_params(top=False, right=False, direction="out")
