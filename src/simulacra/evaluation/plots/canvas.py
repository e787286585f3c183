"""What every picture is drawn on: style, colours, texts that cannot hurt, and bytes."""

from __future__ import annotations

import contextlib
import io
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

__all__ = [
    "COLOURS",
    "GREY",
    "INK",
    "colours",
    "label_decades",
    "new_figure",
    "plain_text",
    "png",
    "safe_math",
    "style",
    "svg",
]

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00")
"""One colour per judged sample, distinguishable by colour-blind readers (Okabe and Ito, 2008)."""

INK = "#22262b"
"""Colour of axes and of the reference."""

GREY = "#8a929b"
"""Colour of what stands in the background."""

_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")

_STYLE: dict[str, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": INK,
    "axes.formatter.limits": (-3, 4),
    "axes.formatter.use_mathtext": False,
    "axes.labelcolor": INK,
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
    "text.color": INK,
    "text.parse_math": True,
    "text.usetex": False,
    "xtick.color": INK,
    "xtick.direction": "in",
    "xtick.labelsize": 8.5,
    "xtick.top": True,
    "ytick.color": INK,
    "ytick.direction": "in",
    "ytick.labelsize": 8.5,
    "ytick.right": True,
}


@contextlib.contextmanager
def style() -> Iterator[None]:
    """Give matplotlib our settings for the time of a block, and back what it had before."""
    import matplotlib

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        settings: Any = matplotlib.rcParams
        settings.update(_STYLE)
        yield


def png(figure: Figure, *, dpi: int = 144, palette: bool = False) -> bytes:
    """Return the picture as PNG; the same figure gives the same bytes.

    Args:
        figure: the picture.
        dpi: pixels per inch.
        palette: at most 256 colours, for line drawings: a third of the size.
    """
    from PIL import Image

    with style():
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
    with style():
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return buffer.getvalue()


def new_figure(width: float, height: float, layout: Literal["constrained"] | None = None) -> Figure:
    """Make a figure that no window and no list of figures knows; sizes in inches."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout=layout)


def _canvas(figure: Figure) -> FigureCanvasAgg:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    return FigureCanvasAgg(figure)


def colours() -> Iterator[str]:
    """Give the colours of judged samples, again and again."""
    while True:
        yield from COLOURS


def label_decades(axis: Any) -> None:
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


def plain_text(text: str, width: int = 34) -> str:
    """Take a name as it is: no mathematics, no legend magic, not longer than a legend bears."""
    short = " ".join(text.split())
    short = short if len(short) <= width else f"{short[: width - 1]}…"
    short = short.replace("$", r"\$")
    return f" {short}" if short.startswith("_") else short


def safe_math(text: str) -> str:
    """Return a label with mathematics as matplotlib reads it, or as plain text if it cannot."""
    from matplotlib.mathtext import MathTextParser

    if text.count("$") % 2 == 0:
        try:
            MathTextParser("path").parse(text)
            return text
        except (ValueError, RuntimeError):
            pass
    return plain_text(text, 80)
