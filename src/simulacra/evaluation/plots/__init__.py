"""Pictures of a verdict: axes filled from its numbers, never computing them.

Every function takes parts of a :class:`~simulacra.evaluation.verdict.Verdict` and returns a
``matplotlib.figure.Figure`` that belongs to nobody else: no window, no current figure, no setting
of matplotlib is left behind. :func:`png` and :func:`svg` turn it into bytes.
"""

from __future__ import annotations

from .canvas import COLOURS, png, svg
from .following import Line, curve_panels, curves, shower_rows
from .histograms import observable
from .pareto import Point, pareto
from .polar import compressed, energy_scale, example_shower, mean_image
from .profiles import matrices, profile
from .scores import roc, separations, training_curves

__all__ = [
    "COLOURS",
    "Line",
    "Point",
    "compressed",
    "curve_panels",
    "curves",
    "energy_scale",
    "example_shower",
    "matrices",
    "mean_image",
    "observable",
    "pareto",
    "png",
    "profile",
    "roc",
    "separations",
    "shower_rows",
    "svg",
    "training_curves",
]
