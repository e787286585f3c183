# ruff: noqa: RUF001 (Greek letters and the minus sign are written as they are)
"""Pictures of a verdict: axes filled from its numbers, never computing them.

Every function takes parts of a :class:`~simulacra.evaluation.verdict.Verdict` and returns a
``matplotlib.figure.Figure`` that belongs to nobody else: no window, no current figure, no setting
of matplotlib is left behind. :func:`png` and :func:`svg` turn it into bytes.
"""

from __future__ import annotations

import contextlib
import io
import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import RangeError
from .verdict import Curve, ExampleShower, Histogram, MeanImage, Score

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.colors import Normalize
    from matplotlib.figure import Figure

    from ..data.geometry import Geometry, Layer

__all__ = [
    "COLOURS",
    "compressed",
    "example_shower",
    "mean_image",
    "observable",
    "png",
    "roc",
    "separations",
    "svg",
    "training_curves",
]

Array = NDArray[np.float64]

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00")
"""One colour per judged sample, distinguishable by colour-blind readers (Okabe and Ito, 2008)."""

_INK = "#22262b"
_GREY = "#8a929b"
_DECADES = 5.0  # colour scale of energies: this many powers of ten below the maximum
_DASHES = ("-", "--", "-.", ":")

_STYLE: dict[str, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": _INK,
    "axes.formatter.limits": (-3, 4),
    "axes.formatter.use_mathtext": False,
    "axes.labelcolor": _INK,
    "axes.labelsize": 9.5,
    "axes.linewidth": 0.8,
    "axes.titlesize": 10,
    "axes.unicode_minus": True,
    "figure.dpi": 100,
    "figure.facecolor": "white",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9,
    "legend.fontsize": 8.5,
    "legend.frameon": False,
    "lines.linewidth": 1.4,
    "mathtext.fontset": "dejavusans",
    "savefig.bbox": "standard",
    "savefig.facecolor": "white",
    "svg.fonttype": "path",
    "svg.hashsalt": "simulacra",
    "text.color": _INK,
    "text.parse_math": True,
    "text.usetex": False,
    "xtick.color": _INK,
    "xtick.direction": "in",
    "xtick.labelsize": 8.5,
    "xtick.top": True,
    "ytick.color": _INK,
    "ytick.direction": "in",
    "ytick.labelsize": 8.5,
    "ytick.right": True,
}


@contextlib.contextmanager
def _style() -> Iterator[None]:
    import matplotlib

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        settings: Any = matplotlib.rcParams
        settings.update(_STYLE)
        yield


def observable(histograms: Sequence[Histogram], labels: Sequence[str]) -> Figure:
    """Draw one observable of one or more judged samples over their reference, with ratios.

    Above: probability densities with bands of one standard deviation. Below: generated over
    reference; the grey band is the reference's own relative error, triangles at the border stand
    for ratios outside the panel.

    Args:
        histograms: the same observable of each judged sample, in the same bins.
        labels: name of each judged sample.

    Raises:
        RangeError: if there is none or the bins differ.
    """
    _refuse_different_bins(histograms)
    with _style():
        figure = _figure(4.6, 3.9)
        above, below = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1.25])
        figure.subplots_adjust(left=0.15, right=0.97, bottom=0.125, top=0.95, hspace=0.07)
        figure.align_ylabels()
        first = histograms[0]
        edges = np.asarray(first.edges)
        reference = np.asarray(first.reference)
        error = np.asarray(first.reference_error)
        _step(above, edges, reference, error, _INK, "reference", fill=True)
        relative = _over(error, reference)
        below.stairs(1 + relative, edges, baseline=1 - relative, fill=True, color=_GREY, alpha=0.4)
        below.axhline(1, color=_INK, linewidth=0.8)
        for histogram, label, colour in zip(histograms, labels, _colours(), strict=False):
            values = np.asarray(histogram.generated)
            spread = np.asarray(histogram.generated_error)
            _step(above, edges, values, spread, colour, _plain_text(label))
            _ratio(below, edges, _over(values, reference), _over(spread, reference), colour)
        _frame_observable(above, below, first)
        above.legend(loc="upper right", handlelength=1.4)
        _headroom(above, [np.asarray(h.generated) for h in histograms] + [reference])
    return figure


def mean_image(image: MeanImage, label: str) -> Figure:
    """Draw the mean shower in one layer: reference, generated, and their difference.

    Reference and generated share one logarithmic colour scale of five decades; the difference
    (generated minus reference) has a symmetric one, linear in its inner part and logarithmic
    outside.

    Args:
        image: mean energies per voxel in MeV and radial edges in mm.
        label: name of the judged sample.
    """
    reference, generated = np.asarray(image.reference), np.asarray(image.generated)
    with _style():
        width, height, side = 11.7, 3.5, 2.75  # inches
        figure = _figure(width, height)
        axes = [
            figure.add_axes((left / width, 0.5 / height, side / width, side / height))
            for left in (0.75, 3.95, 7.95)
        ]
        titles = ("reference", _plain_text(label), "generated − reference")
        scale = _energy_scale(reference, generated)
        change = generated - reference
        panels = ((reference, scale), (generated, scale), (change, _difference_scale(change)))
        for axis, title, (values, norm) in zip(axes, titles, panels, strict=True):
            mesh = _polar(axis, values, image.r_edges, norm)
            axis.set_title(title)
            axis.set_xlabel("x = r cos α [mm]")
            if axis is not axes[0]:
                what = "difference of means" if axis is axes[2] else "mean energy per voxel"
                _bar(axis, mesh, f"{what} [MeV]")
        axes[0].set_ylabel("y = r sin α [mm]")
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
    names = ("reference", _plain_text(label))
    energies = (example.reference_incident_energy, example.generated_incident_energy)
    with _style():
        columns = len(positions)
        width = 2.15 * columns + 1.75  # inches
        figure = _figure(width, 4.7)
        axes = figure.subplots(2, columns, squeeze=False)
        figure.subplots_adjust(
            left=1.1 / width, right=1 - 0.95 / width, bottom=0.1, top=0.91, wspace=0.33, hspace=0.14
        )
        scale = _energy_scale(*rows)
        for row, values, name, energy in zip(axes, rows, names, energies, strict=True):
            for axis, position in zip(row, positions, strict=True):
                layer = geometry.layers[position]
                cells = values[geometry.slices[position]].reshape(layer.n_alpha, layer.n_radius)
                mesh = _polar(axis, cells, layer.r_edges, scale)
            row[0].set_ylabel(f"{name}\n{_energy_text(energy)}\ny [mm]")
        for axis, position in zip(axes[0], positions, strict=True):
            axis.set_title(_layer_title(geometry.layers[position]), fontsize=8.5)
        for axis in axes[1]:
            axis.set_xlabel("x [mm]")
        place = figure.add_axes((1 - 0.8 / width, 0.15, 0.17 / width, 0.7))
        bar = figure.colorbar(mesh, cax=place, extend="min")
        bar.set_label("energy per voxel [MeV]")
        _label_decades(bar.ax.yaxis)
    return figure


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
    with _style():
        below = 0.55 + 0.2 * (len(curves) + 1)  # inches for the axis label and the legend
        width, height = 5.6, 5.0 + below
        figure = _figure(width, height)
        axis = figure.add_axes((0.115, below / height, 0.855, 4.85 / height))
        axis.plot([0, 1], [0, 1], color=_GREY, linestyle=":", label="cannot tell (AUC 0.5)")
        for number, (curve, label) in enumerate(zip(curves, labels, strict=True)):
            colour = COLOURS[number % len(COLOURS)]
            x, y = np.asarray(curve.x), np.asarray(curve.y)
            dash = _DASHES[names.index(curve.name) % len(_DASHES)]
            axis.plot(x, y, color=colour, linestyle=dash, label=_plain_text(label, 90))
            if curve.y_error is not None:
                band = np.asarray(curve.y_error)
                axis.fill_between(x, y - band, y + band, color=colour, alpha=0.2, linewidth=0)
        axis.set(xlim=(0, 1), ylim=(0, 1.005), aspect="equal")
        axis.set_xlabel(_safe_math(curves[0].x_label))
        axis.set_ylabel(_safe_math(curves[0].y_label))
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
    with _style():
        figure = _figure(7.4, 1.15 + 0.27 * len(rows), layout="constrained")
        axis = figure.subplots()
        for place, row in enumerate(rows):
            _floor(axis, place, [s for s in row if s is not None], lowest)
            for number, score in enumerate(row):
                if score is not None:
                    shift = 0.16 * (number - (len(row) - 1) / 2)
                    _point(axis, score, place + shift, COLOURS[number % len(COLOURS)], lowest)
        axis.set_xscale("log")
        axis.set_xlim(left=lowest)
        _label_decades(axis.xaxis)
        axis.set_ylim(len(rows) - 0.4, -0.6)
        names = [next(s for s in row if s is not None).label for row in rows]
        names = [name.removeprefix("separation power, ") for name in names]
        axis.set_yticks(range(len(rows)), [_safe_math(name) for name in names])
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
    with _style():
        figure = _figure(6.4, 3.4)
        axis = figure.add_axes((0.11, 0.14, 0.86, 0.8))
        (name, x), *others = columns
        for number, (label, y) in enumerate(others):
            colour = COLOURS[number % len(COLOURS)]
            axis.plot(x, y, color=colour, label=_plain_text(label.replace("_", " ")))
        axis.set_xlabel(_plain_text(name.replace("_", " ")))
        axis.grid(color="#e4e7ea", linewidth=0.7)
        axis.legend(loc="best")
    return figure


def png(figure: Figure, *, dpi: int = 144, palette: bool = False) -> bytes:
    """Return the picture as PNG; the same figure gives the same bytes.

    Args:
        figure: the picture.
        dpi: pixels per inch.
        palette: at most 256 colours, for line drawings: a third of the size.
    """
    from PIL import Image

    with _style():
        canvas: Any = _canvas(figure)
        figure.set_dpi(dpi)
        canvas.draw()
        pixels = np.asarray(canvas.buffer_rgba())
    picture = Image.fromarray(np.ascontiguousarray(pixels[..., :3]))
    if palette:
        picture = picture.quantize(256, dither=Image.Dither.NONE, method=Image.Quantize.FASTOCTREE)
    packed = io.BytesIO()
    picture.save(packed, "png", compress_level=7)
    return packed.getvalue()


def svg(figure: Figure) -> bytes:
    """Return the picture as SVG with text as outlines; the same figure gives the same bytes."""
    buffer = io.BytesIO()
    with _style():
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return buffer.getvalue()


def _figure(width: float, height: float, layout: Literal["constrained"] | None = None) -> Figure:
    """Make a figure that no window and no list of figures knows; sizes in inches."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout=layout)


def _canvas(figure: Figure) -> FigureCanvasAgg:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    return FigureCanvasAgg(figure)


def _colours() -> Iterator[str]:
    while True:
        yield from COLOURS


def _refuse_different_bins(histograms: Sequence[Histogram]) -> None:
    if not histograms:
        raise RangeError("expected at least one histogram to draw, got none.")
    for histogram in histograms[1:]:
        if histogram.edges != histograms[0].edges:
            raise RangeError(
                f"{histogram.name}: expected the bins of {histograms[0].name} in every sample, "
                "found others; draw them in separate pictures."
            )


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


def _ratio(axis: Axes, edges: Array, ratio: Array, error: Array, colour: str) -> None:
    axis.stairs(ratio + error, edges, baseline=ratio - error, fill=True, color=colour, alpha=0.3)
    axis.stairs(ratio, edges, baseline=None, color=colour, linewidth=1.2)
    centres = (edges[1:] + edges[:-1]) / 2
    low, high = _RATIO_RANGE
    for outside, height, marker in ((ratio > high, high, "^"), (ratio < low, low, "v")):
        if outside.any():
            inside = height + (0.04 if marker == "v" else -0.04)
            axis.plot(
                centres[outside],
                np.full(outside.sum(), inside),
                linestyle="none",
                marker=marker,
                markersize=3.2,
                color=colour,
            )


_RATIO_RANGE = (0.5, 1.5)
_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def _label_decades(axis: Any) -> None:
    """Label powers of ten on a logarithmic axis in plain text; mathematics would take longer."""
    from matplotlib.ticker import FuncFormatter

    def name(value: float, _position: int | None = None) -> str:
        power = math.log10(value)
        if abs(power - round(power)) < 1e-6:
            small = round(power) in (0, 1)
            return f"{value:g}" if small else f"10{str(round(power)).translate(_SUPERSCRIPT)}"
        low, high = sorted(axis.get_view_interval())
        first = round(value / 10 ** math.floor(power))
        return f"{value:.3g}" if high < 20 * low and first in (2, 5) else ""

    axis.set_major_formatter(FuncFormatter(name))
    axis.set_minor_formatter(FuncFormatter(name))


def _frame_observable(above: Axes, below: Axes, histogram: Histogram) -> None:
    unit = f" [{histogram.unit}]" if histogram.unit else ""
    below.set_xlabel(_safe_math(histogram.label) + unit)
    above.set_ylabel(f"density [1/{histogram.unit}]" if histogram.unit else "density")
    below.set_ylabel("gen. / ref.")
    below.set_ylim(*_RATIO_RANGE)
    below.set_yticks([0.5, 1.0, 1.5])
    below.grid(axis="y", color="#e4e7ea", linewidth=0.7)
    if histogram.log_x and histogram.edges[0] > 0:
        below.set_xscale("log")
        _label_decades(below.xaxis)
    above.set_xlim(*_filled_range(histogram))
    if histogram.log_y and any(value > 0 for value in histogram.reference):
        above.set_yscale("log")
        _label_decades(above.yaxis)


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


def _over(above: Array, below: Array) -> Array:
    """Divide, with nan (nothing drawn) where the reference is empty."""
    result = np.full(len(below), np.nan)
    np.divide(above, below, out=result, where=below > 0)
    return result


def _polar(axis: Axes, values: Array, r_edges: Sequence[float], norm: Normalize) -> Any:
    """Draw voxels of one layer as rings and sectors; ``values`` has shape (alpha, radius)."""
    n_alpha = len(values)
    parts = max(1, math.ceil(80 / n_alpha))  # a sector is drawn as this many straight pieces
    angle = np.linspace(-np.pi, np.pi, n_alpha * parts + 1)[:, None]
    scale = _RadialScale(r_edges)
    radius = scale(np.asarray(r_edges, float))[None, :]
    symmetric = norm.vmin is not None and norm.vmin < 0
    mesh = axis.pcolormesh(
        radius * np.cos(angle),
        radius * np.sin(angle),
        np.repeat(values, parts, axis=0),
        norm=norm,
        cmap=_colour_map("RdBu_r" if symmetric else "viridis"),
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
        _label_decades(bar.ax.yaxis)


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


def compressed(r_edges: Sequence[float]) -> bool:
    """Tell whether a layer's radial axis is drawn compressed, because its rings widen outwards."""
    widths = np.diff(r_edges)
    return bool(widths.max() >= 4 * widths.min())


def _colour_map(name: str) -> Any:
    import matplotlib

    none = "#eceef1"  # no energy, or below the scale
    return matplotlib.colormaps[name].with_extremes(under=none, bad=none)


def _energy_scale(*images: Array) -> Normalize:
    """One logarithmic colour scale in MeV for all ``images``."""
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


def _layer_title(layer: Layer) -> str:
    if math.isnan(layer.z_min) or math.isnan(layer.z_max):
        return f"layer {layer.identity}"
    return f"layer {layer.identity}\nz = {layer.z_min:g} to {layer.z_max:g} mm"


def _energy_text(energy: float) -> str:
    return f"{energy / 1e3:.3g} GeV" if energy >= 1e3 else f"{energy:.3g} MeV"


def _lowest(values: Sequence[float]) -> float:
    positive = [value for value in values if value > 0 and math.isfinite(value)]
    return min(positive) / 3 if positive else 1e-6


def _floor(axis: Axes, place: int, scores: Sequence[Score], lowest: float) -> None:
    for score in scores:
        if score.floor is not None and math.isfinite(score.floor):
            end = max(score.floor + 2 * (score.floor_error or 0.0), lowest)
            axis.barh(place, end - lowest, left=lowest, height=0.7, color="#dde1e6", linewidth=0)
            axis.plot([max(score.floor, lowest)] * 2, [place - 0.35, place + 0.35], color=_GREY)
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
        for n, label in enumerate(map(_plain_text, labels))
    ]
    marks.append(Patch(color="#dde1e6", label="up to floor + 2 standard deviations"))
    axis.figure.legend(handles=marks, loc="outside lower center", ncols=2)


def _plain_text(text: str, width: int = 34) -> str:
    """Take a name as it is: no mathematics, no legend magic, not longer than a legend bears."""
    short = " ".join(text.split())
    short = short if len(short) <= width else f"{short[: width - 1]}…"
    short = short.replace("$", r"\$")
    return f" {short}" if short.startswith("_") else short


def _safe_math(text: str) -> str:
    """Return a label with mathematics as matplotlib reads it, or as plain text if it cannot."""
    from matplotlib.mathtext import MathTextParser

    if text.count("$") % 2 == 0:
        try:
            MathTextParser("path").parse(text)
            return text
        except (ValueError, RuntimeError):
            pass
    return _plain_text(text, 80)
