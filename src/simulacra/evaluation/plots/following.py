"""Showers that follow a condition: single ones layer by layer, and means as curves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .canvas import GREY, INK, colours, label_decades, new_figure, plain_text, style
from .polar import draw_layer, energy_scale, layer_title

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Normalize
    from matplotlib.figure import Figure

    from ...data.geometry import Geometry

__all__ = ["Line", "curve_panels", "curves", "shower_rows"]

Array = NDArray[Any]

_MARGIN = 0.035  # of the panel's height


@dataclass(frozen=True)
class Line:
    """A quantity at some places, or in bins.

    Args:
        label: name in the legend.
        at: places, ``(points,)``, or edges of bins, ``(points + 1,)``.
        values: ``(points,)``; nan is left out.
        errors: one standard deviation each, ``(points,)``.
        reference: whether it is what the others are compared with: drawn in black.
    """

    label: str
    at: Sequence[float]
    values: Sequence[float]
    errors: Sequence[float]
    reference: bool = False


def shower_rows(
    showers: Array,
    names: Sequence[str],
    geometry: Geometry,
    positions: Sequence[int],
    *,
    scale: Normalize | None = None,
) -> Figure:
    """Draw showers below each other, each layer by layer, with one colour scale.

    Args:
        showers: voxel energies in MeV, ``(showers, voxels)``.
        names: what to write beside each.
        geometry: the detector they live in.
        positions: which of ``geometry.layers`` to show, from left to right.
        scale: colours of energies; by default five decades below the brightest voxel.
    """
    norm = scale or energy_scale(showers)
    with style():
        columns, rows = len(positions), len(showers)
        width, height = 2.15 * columns + 1.75, 2.0 * rows + 0.75  # inches
        figure = new_figure(width, height)
        axes = figure.subplots(rows, columns, squeeze=False)
        figure.subplots_adjust(
            left=1.1 / width,
            right=1 - 0.95 / width,
            bottom=0.42 / height,
            top=1 - 0.42 / height,
            wspace=0.33,
            hspace=0.14,
        )
        for row, energies, name in zip(axes, showers, names, strict=True):
            for axis, position in zip(row, positions, strict=True):
                layer = geometry.layers[position]
                cells = energies[geometry.slices[position]].reshape(layer.shape)
                mesh = draw_layer(axis, cells, layer, norm)
            row[0].set_ylabel(f"{plain_text(name)}\ny [mm]")
        for axis, position in zip(axes[0], positions, strict=True):
            axis.set_title(layer_title(geometry.layers[position]), fontsize=8.5)
        for axis in axes[-1]:
            axis.set_xlabel("x [mm]")
        tall = min(height - 0.9, 3.4)
        place = figure.add_axes(
            (1 - 0.8 / width, (height - tall) / 2 / height, 0.17 / width, tall / height)
        )
        bar = figure.colorbar(mesh, cax=place, extend="min")
        bar.set_label("energy per voxel [MeV]")
        label_decades(bar.ax.yaxis)
    return figure


def curves(
    lines: Sequence[Line],
    *,
    title: str,
    x_label: str,
    log_x: bool = False,
    band: tuple[float, float] | None = None,
) -> Figure:
    """Draw means against a condition, with bands of one standard deviation.

    Args:
        lines: places or bins of the same condition; those in bins are drawn as steps.
        title: what is drawn, with its unit.
        x_label: the condition, with its unit.
        log_x: whether its axis is logarithmic.
        band: part of the condition that the training left out, marked in grey.
    """
    with style():
        figure = new_figure(4.6, 3.4, layout="constrained")
        _fill(figure.subplots(), lines, title, log_x=log_x, band=band).set_xlabel(x_label)
    return figure


def curve_panels(
    panels: Sequence[tuple[str, Sequence[Line]]],
    *,
    x_label: str,
    log_x: bool = False,
    band: tuple[float, float] | None = None,
    columns: int = 3,
) -> Figure:
    """Draw several quantities as :func:`curves`, side by side.

    Args:
        panels: title and lines of each.
        x_label: the condition, with its unit.
        log_x: whether its axis is logarithmic.
        band: part of the condition that the training left out, marked in grey.
        columns: panels in a row.
    """
    rows = -(-len(panels) // columns)
    with style():
        figure = new_figure(3.2 * columns, 2.5 * rows, layout="constrained")
        axes = figure.subplots(rows, columns, squeeze=False).ravel()
        for axis, (title, lines) in zip(axes, panels, strict=False):
            _fill(axis, lines, title, log_x=log_x, band=band).set_xlabel(x_label)
        for axis in axes[len(panels) :]:
            axis.remove()
    return figure


def _fill(
    axis: Axes,
    lines: Sequence[Line],
    title: str,
    *,
    log_x: bool,
    band: tuple[float, float] | None,
) -> Axes:
    """Draw lines, the band and a legend; return the axis."""
    if band is not None:
        axis.axvspan(*band, color=GREY, alpha=0.18, linewidth=0)
        axis.annotate(
            "not trained on",
            (band[0], 0.0),
            xycoords=("data", "axes fraction"),
            xytext=(2, 3),
            textcoords="offset points",
            va="bottom",
            fontsize=7,
            color=INK,
        )
    colour = colours()
    for line in lines:
        _draw(axis, line, INK if line.reference else next(colour))
    if log_x:
        axis.set_xscale("log")
        label_decades(axis.xaxis)
    axis.margins(x=0.02, y=_MARGIN)
    axis.set_title(title, loc="left", fontsize=9.5)
    if len(lines) > 1:
        low, high = axis.get_ylim()
        axis.set_ylim(low, high + 0.1 * ((len(lines) + 1) // 2) * (high - low))
        axis.legend(ncols=2, handlelength=1.4, loc="upper right", fontsize=7.5)
    return axis


def _draw(axis: Axes, line: Line, colour: str) -> None:
    at, values, errors = (np.asarray(x, float) for x in (line.at, line.values, line.errors))
    label = plain_text(line.label)
    if len(at) == len(values):
        axis.fill_between(
            at, values - errors, values + errors, color=colour, alpha=0.25, linewidth=0
        )
        axis.plot(at, values, color=colour, marker="o", markersize=2.5, label=label)
        return
    axis.stairs(values + errors, at, baseline=values - errors, fill=True, color=colour, alpha=0.25)
    axis.stairs(values, at, baseline=None, color=colour, linewidth=1.3, label=label)
