"""Single showers as data for the turning view: sparse, bounded, and safe inside a page."""

from __future__ import annotations

import base64
import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from ...data.geometry import Geometry
from ...data.layers import GridLayer, Layer
from .. import plots
from ..verdict import ExampleShower, Verdict
from ..wording import quantity
from .pictures import even

__all__ = ["MOST_VOXELS", "View", "safe_json", "script", "script_hash", "viewer"]

MOST_VOXELS = 3000
"""The brightest voxels of a shower that the view draws."""

_MOST_PAIRS = 12


@dataclass(frozen=True)
class View:
    """What the view is made from.

    Args:
        json: its data, for a ``<script>`` element.
        depths: whether the layers stand at the detector's own depths.
        compressed: whether radii are compressed outwards.
    """

    json: Markup
    depths: bool
    compressed: bool


def viewer(verdicts: Sequence[Verdict], names: Sequence[str]) -> View | None:
    """Return the view's data; None without examples.

    Args:
        verdicts: of one detector.
        names: of the judged samples.
    """
    geometry = Geometry.from_dict(dict(verdicts[0].geometry))
    each = max(1, _MOST_PAIRS // len(verdicts))
    pairs = [
        _pair(example, name, verdict, several=len(verdicts) > 1)
        for verdict, name in zip(verdicts, names, strict=True)
        for example in even(verdict.examples, each)
    ]
    if not pairs:
        return None
    detector = _detector(geometry)
    text = safe_json({**detector, "pairs": pairs})
    return View(text, bool(detector["depths"]), bool(detector["core"]))


def script() -> Markup:
    """Return the view's program, written for this project and shipped beside the templates."""
    path = files(__package__.rpartition(".")[0]) / "templates" / "viewer.js"
    return Markup(path.read_text(encoding="utf-8"))


def script_hash() -> str:
    """Return the source expression by which the page's policy lets :func:`script` run."""
    digest = hashlib.sha256(str(script()).encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"


def safe_json(plain: Any) -> Markup:
    r"""Return JSON that no text inside can lead out of a ``<script>`` element.

    Example:
        >>> print(safe_json({"name": "</script><!--"}))
        {"name":"\u003c/script\u003e\u003c!--"}
    """
    text = json.dumps(plain, separators=(",", ":"), allow_nan=False, ensure_ascii=True)
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)


def _detector(geometry: Geometry) -> dict[str, Any]:
    """Describe the layers: their voxels' edges in mm, beginning and end in depth."""
    known = not any(math.isnan(z) for layer in geometry.layers for z in (layer.z_min, layer.z_max))
    core = 0.0
    rings = [layer.r_edges for layer in geometry.layers if isinstance(layer, Layer)]
    if any(plots.compressed(edges) for edges in rings):
        core = min(edges[1] - edges[0] for edges in rings)
    return {
        "depths": known,
        "core": core,
        "layers": [_layer(place, layer, known) for place, layer in enumerate(geometry.layers)],
    }


def _layer(place: int, layer: Layer | GridLayer, known: bool) -> dict[str, Any]:
    voxels = (
        {"x": list(layer.x_edges), "y": list(layer.y_edges)}
        if isinstance(layer, GridLayer)
        else {"n": layer.n_alpha, "r": list(layer.r_edges)}
    )
    return {
        "id": layer.identity,
        **voxels,
        "z": [layer.z_min, layer.z_max] if known else [place + 0.2, place + 0.8],
    }


def _pair(example: ExampleShower, name: str, verdict: Verdict, *, several: bool) -> dict[str, Any]:
    energy = quantity(example.reference_incident_energy / 1e3, unit="GeV")
    return {
        "label": f"{energy}, {name}" if several else energy,
        "showers": [
            _shower(
                "reference",
                example.reference,
                example.reference_incident_energy,
                example.reference_index,
                verdict.threshold,
            ),
            _shower(
                name,
                example.generated,
                example.generated_incident_energy,
                example.generated_index,
                verdict.threshold,
            ),
        ],
    }


def _shower(
    name: str, energies: Sequence[float], incident: float, row: int, threshold: float
) -> dict[str, Any]:
    values = np.asarray(energies, np.float64)
    order = _brightest(values, threshold)
    seen, above = len(order), int(((values > 0) & (values >= threshold)).sum())
    drawn = "" if seen == above else f", the brightest {seen:,} drawn"
    return {
        "name": name,
        "note": (
            f"incident energy {quantity(incident / 1e3, unit='GeV')}, row {row}; {above:,} voxels "
            f"of {threshold:.3g} MeV or more{drawn}"
        ),
        "i": order.tolist(),
        "e": [float(f"{values[voxel]:.3g}") for voxel in order],
    }


def _brightest(values: NDArray[np.float64], threshold: float) -> NDArray[np.int64]:
    """Return the numbers of the brightest voxels, the brightest first."""
    finite = np.where(np.isfinite(values), values, 0.0)
    order = np.argsort(-finite, kind="stable")[:MOST_VOXELS]
    return order[(finite[order] > 0) & (finite[order] >= threshold)].astype(np.int64)
