# ruff: noqa: RUF001 (Greek letters and the minus sign are written as they are)
"""Layers seen along the beam: mean and single showers as rings and sectors, or as cells, in mm."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...data.layers import GridLayer
from ..verdict import ExampleShower, MeanImage
from .canvas import label_decades, new_figure, plain_text, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Normalize
    from matplotlib.figure import Figure

    from ...data.geometry import Geometry
    from ...data.layers import Layer

__all__ = [
    "compressed",
    "draw_layer",
    "energy_scale",
    "example_shower",
    "layer_title",
    "mean_image",
]

Array = NDArray[np.float64]

_DECADES = 5.0  # colour scale of energies: this many powers of ten below the maximum


def mean_image(image: MeanImage, label: str) -> Figure:
    """Draw the mean shower in one layer: reference, generated, and their difference.

    Reference and generated share one logarithmic colour scale of five decades; the difference
    (generated minus reference) has a symmetric one, linear in its inner part and logarithmic
    outside.

    Args:
        image: mean energies per voxel in MeV and edges in mm.
        label: name of the judged sample.
    """
    reference, generated = np.asarray(image.reference), np.asarray(image.generated)
    with style():
        width, height, side = 11.7, 3.5, 2.75  # inches
        figure = new_figure(width, height)
        axes = [
            figure.add_axes((left / width, 0.5 / height, side / width, side / height))
            for left in (0.75, 3.95, 7.95)
        ]
        titles = ("reference", plain_text(label), "generated − reference")
        scale = energy_scale(reference, generated)
        change = generated - reference
        panels = ((reference, scale), (generated, scale), (change, _difference_scale(change)))
        for axis, title, (values, norm) in zip(axes, titles, panels, strict=True):
            mesh = (
                _grid(axis, values, image.x_edges, image.y_edges, norm)
                if image.x_edges
                else _polar(axis, values, image.r_edges, norm)
            )
            axis.set_title(title)
            axis.set_xlabel("x [mm]" if image.x_edges else "x = r cos α [mm]")
            if axis is not axes[0]:
                what = "difference of means" if axis is axes[2] else "mean energy per voxel"
                _bar(axis, mesh, f"{what} [MeV]")
        axes[0].set_ylabel("y [mm]" if image.x_edges else "y = r sin α [mm]")
    return figure


def example_shower(
    example: ExampleShower, geometry: Geometry, positions: Sequence[int], label: str
) -> Figure:
    """Draw a reference shower above the generated one that is nearest to it in energy.

    Args:
        example: voxel energies of the two showers in MeV.
        geometry: the detector they live in.
        positions: which of ``geometry.layers`` to show, from left to right.
        label: name of the judged sample.
    """
    rows = (np.asarray(example.reference), np.asarray(example.generated))
    names = ("reference", plain_text(label))
    energies = (example.reference_incident_energy, example.generated_incident_energy)
    with style():
        columns = len(positions)
        width = 2.15 * columns + 1.75  # inches
        figure = new_figure(width, 4.7)
        axes = figure.subplots(2, columns, squeeze=False)
        figure.subplots_adjust(
            left=1.1 / width, right=1 - 0.95 / width, bottom=0.1, top=0.91, wspace=0.33, hspace=0.14
        )
        scale = energy_scale(*rows)
        for row, values, name, energy in zip(axes, rows, names, energies, strict=True):
            for axis, position in zip(row, positions, strict=True):
                layer = geometry.layers[position]
                cells = values[geometry.slices[position]].reshape(layer.shape)
                mesh = draw_layer(axis, cells, layer, scale)
            row[0].set_ylabel(f"{name}\n{_energy_text(energy)}\ny [mm]")
        for axis, position in zip(axes[0], positions, strict=True):
            axis.set_title(layer_title(geometry.layers[position]), fontsize=8.5)
        for axis in axes[1]:
            axis.set_xlabel("x [mm]")
        place = figure.add_axes((1 - 0.8 / width, 0.15, 0.17 / width, 0.7))
        bar = figure.colorbar(mesh, cax=place, extend="min")
        bar.set_label("energy per voxel [MeV]")
        label_decades(bar.ax.yaxis)
    return figure


def compressed(r_edges: Sequence[float]) -> bool:
    """Tell whether a layer's radial axis is drawn compressed, because its rings widen outwards."""
    widths = np.diff(r_edges)
    return bool(widths.max() >= 4 * widths.min())


def draw_layer(axis: Axes, values: Array, layer: Layer | GridLayer, norm: Normalize) -> Any:
    """Draw the voxels of one layer and return what a colour bar needs.

    Args:
        axis: the panel.
        values: energies in MeV in the shape of the layer.
        layer: its edges.
        norm: colours of energies.
    """
    if isinstance(layer, GridLayer):
        return _grid(axis, values, layer.x_edges, layer.y_edges, norm)
    return _polar(axis, values, layer.r_edges, norm)


def _grid(
    axis: Axes,
    values: Array,
    x_edges: Sequence[float],
    y_edges: Sequence[float],
    norm: Normalize,
) -> Any:
    """Draw rectangular cells of one layer; ``values`` has shape (x, y)."""
    mesh = axis.pcolormesh(
        np.asarray(x_edges), np.asarray(y_edges), values.T, norm=norm, cmap=_map_for(norm),
        rasterized=True,
    )  # fmt: skip
    axis.set(xlim=(x_edges[0], x_edges[-1]), ylim=(y_edges[0], y_edges[-1]), aspect="equal")
    step = 10 ** math.floor(math.log10(x_edges[-1]))
    ticks = [-step, 0, step] if x_edges[-1] < 5 * step else [-4 * step, 0, 4 * step]
    ticks = [2 * t for t in ticks] if 2 * step < x_edges[-1] < 5 * step else ticks
    for place in (axis.set_xticks, axis.set_yticks):
        place(ticks, [f"{t:g}".replace("-", "−") for t in ticks])
    axis.tick_params(top=False, right=False, direction="out", labelsize=7.5)
    return mesh


def _map_for(norm: Normalize) -> Any:
    symmetric = norm.vmin is not None and norm.vmin < 0
    return _colour_map("RdBu_r" if symmetric else "viridis")


def _polar(axis: Axes, values: Array, r_edges: Sequence[float], norm: Normalize) -> Any:
    """Draw voxels of one layer as rings and sectors; ``values`` has shape (alpha, radius)."""
    n_alpha = len(values)
    parts = max(1, math.ceil(80 / n_alpha))  # a sector is drawn as this many straight pieces
    angle = np.linspace(-np.pi, np.pi, n_alpha * parts + 1)[:, None]
    scale = _RadialScale(r_edges)
    radius = scale(np.asarray(r_edges, float))[None, :]
    mesh = axis.pcolormesh(
        radius * np.cos(angle),
        radius * np.sin(angle),
        np.repeat(values, parts, axis=0),
        norm=norm,
        cmap=_map_for(norm),
        rasterized=True,
    )
    outer = float(radius[0, -1])
    axis.plot(outer * np.cos(angle), outer * np.sin(angle), color="#c3c9d0", linewidth=0.8)
    edge = 1.02 * outer
    axis.set(xlim=(-edge, edge), ylim=(-edge, edge), aspect="equal", facecolor="white")
    ticks = scale.ticks()
    places = [-p for p, _ in ticks if p > 0] + [p for p, _ in ticks]
    names = [f"−{t:g}" for p, t in ticks if p > 0] + [f"{t:g}" for _, t in ticks]
    axis.set_xticks(places, names)
    axis.set_yticks(places, names)
    axis.tick_params(top=False, right=False, direction="out", labelsize=7.5)
    axis.spines[["top", "right"]].set_visible(False)
    return mesh


def _bar(axis: Axes, mesh: Any, label: str) -> None:
    """Put a colour bar of the panel's own height beside it, with few labels."""
    bar = axis.figure.colorbar(mesh, cax=axis.inset_axes((1.05, 0, 0.06, 1)), extend="neither")
    bar.set_label(label, fontsize=8.5)
    top = mesh.norm.vmax
    if mesh.norm.vmin < 0:
        decade = 10.0 ** math.floor(math.log10(top))
        marks = [decade / 10, decade]
        bar.set_ticks([-marks[1], -marks[0], 0, *marks], minor=False)
        names = [f"{mark:g}" for mark in marks]
        bar.set_ticklabels([f"−{names[1]}", f"−{names[0]}", "0", *names])
        bar.ax.minorticks_off()
    else:
        label_decades(bar.ax.yaxis)


class _RadialScale:
    """Where a radius in mm is drawn: as it is, or compressed where rings widen strongly."""

    def __init__(self, r_edges: Sequence[float]) -> None:
        widths = np.diff(r_edges)
        self.edges = np.asarray(r_edges, float)
        self.core = float(widths[0]) if compressed(r_edges) else 0.0

    def __call__(self, radius: Array) -> Array:
        return np.arcsinh(radius / self.core) if self.core else radius

    def ticks(self) -> list[tuple[float, float]]:
        """Return pairs of drawn place and radius in mm, few enough to be read."""
        outer = self.edges[-1]
        if not self.core:
            decade = 10 ** math.floor(math.log10(outer))
            step = decade * (1 if outer < 2 * decade else 2 if outer < 5 * decade else 5)
            marks = np.array([0.0, step])
        else:
            last = math.floor(math.log10(outer))
            first = math.ceil(math.log10(self.core))
            marks = np.array([0.0, *(10.0**k for k in range(min(first, last), last + 1))])
            crowded = self(marks) < 0.25 * self(outer)
            marks = marks[~crowded | (marks == 0)]
        return [(float(self(np.array(mark))), float(mark)) for mark in marks]


def _colour_map(name: str) -> Any:
    import matplotlib

    none = "#eceef1"  # no energy, or below the scale
    return matplotlib.colormaps[name].with_extremes(under=none, bad=none)


def energy_scale(*images: Array) -> Normalize:
    """Return one logarithmic colour scale in MeV, of five decades, for all images."""
    from matplotlib.colors import LogNorm

    values = np.concatenate([np.ravel(image) for image in images])
    filled = values[np.isfinite(values) & (values > 0)]
    top = float(filled.max()) if filled.size else 1.0
    lowest = float(filled.min()) if filled.size else 0.1
    return LogNorm(vmin=min(max(lowest, top / 10**_DECADES), top / 10), vmax=top)


def _difference_scale(change: Array) -> Normalize:
    from matplotlib.colors import SymLogNorm

    top = float(np.nanmax(np.abs(change), initial=0.0)) or 1.0
    decade = 10.0 ** math.floor(math.log10(top))
    return SymLogNorm(linthresh=decade / 10, linscale=0.5, vmin=-top, vmax=top)


def layer_title(layer: Layer | GridLayer) -> str:
    """Return a layer's number and, where it is known, its depth in mm."""
    if math.isnan(layer.z_min) or math.isnan(layer.z_max):
        return f"layer {layer.identity}"
    return f"layer {layer.identity}\nz = {layer.z_min:g} to {layer.z_max:g} mm"


def _energy_text(energy: float) -> str:
    return f"{energy / 1e3:.3g} GeV" if energy >= 1e3 else f"{energy:.3g} MeV"
