"""Average showers and single ones as images of layers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ...data.geometry import Geometry
from .. import plots
from ..verdict import ExampleShower, MeanImage, Verdict
from ..wording import quantity
from .pictures import Family, Picture, as_png, even, selection

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["average_showers", "single_showers"]

_LAYERS, _MORE_LAYERS, _FEW_LAYERS = 5, 3, 8
_MOST_EXAMPLES, _OPEN_EXAMPLES = 4, 2
_MOST_IMAGES = 16  # of all samples, shown at once


def average_showers(verdicts: Sequence[Verdict], names: Sequence[str]) -> Family:
    """Mean showers: a bounded selection of layers, each judged sample below the other."""
    images = verdicts[0].images
    at_hand = [images[place].layer for place in _by_view(verdicts[0]) if place < len(images)]
    shown, folded, left_out = selection(
        at_hand,
        min(_LAYERS, max(2, _MOST_IMAGES // len(verdicts))),
        _MORE_LAYERS,
        whole=_FEW_LAYERS if len(verdicts) * len(at_hand) <= _MOST_IMAGES else 0,
    )
    depths = _depths(verdicts[0])

    def pictures(layers: Sequence[int]) -> list[Picture]:
        found = []
        for layer in layers:
            for verdict, name in zip(verdicts, names, strict=True):
                for image in verdict.images:
                    if image.layer == layer:
                        where = f"Layer {layer}{depths.get(layer, '')}"
                        found.append(
                            _mean_picture(plots.mean_image(image, name), where, name, image)
                        )
        return found

    return Family("Average showers", pictures(shown), pictures(folded), left_out)


def single_showers(verdicts: Sequence[Verdict], names: Sequence[str]) -> Family:
    """Single showers: the same number from each judged sample, in evenly chosen layers."""
    geometry = Geometry.from_dict(dict(verdicts[0].geometry))
    positions = sorted(even(_by_view(verdicts[0]), _LAYERS))
    each = max(1, _MOST_EXAMPLES // len(verdicts))
    found, left_out = [], 0
    for verdict, name in zip(verdicts, names, strict=True):
        left_out += max(0, len(verdict.examples) - each)
        for example in even(verdict.examples, each):
            figure = plots.example_shower(example, geometry, positions, name)
            found.append(_example_picture(figure, example, name))
    shown = max(_OPEN_EXAMPLES, len(verdicts))
    return Family("Single showers", found[:shown], found[shown:], left_out)


def _by_view(verdict: Verdict) -> list[int]:
    """Return the layers' places, those that see one direction before those that see another.

    An even choice among layers that see x and y by turns would show one of them only.
    """
    layers = Geometry.from_dict(dict(verdict.geometry)).layers
    directions = list(dict.fromkeys(layer.sees for layer in layers if layer.sees))
    if len(directions) < 2 or ("eta", "phi") in directions:
        return list(range(len(layers)))
    return sorted(range(len(layers)), key=lambda place: directions.index(layers[place].sees))


def _mean_picture(figure: Figure, where: str, name: str, image: MeanImage) -> Picture:
    warped = bool(image.r_edges) and plots.compressed(image.r_edges)
    kind = "Polar images" if image.r_edges else "Images"
    scale = "; radial axis compressed outwards so that every ring is seen" if warped else ""
    return as_png(
        figure,
        f"{where}: {kind.lower()} of the mean energy per voxel in MeV of the reference, of {name}, "
        "and of their difference.",
        f"{where}, {name}{scale}.",
    )


def _example_picture(figure: Figure, example: ExampleShower, name: str) -> Picture:
    energy = quantity(example.reference_incident_energy / 1e3, unit="GeV")
    pair = f"rows {example.reference_index} and {example.generated_index}"
    return as_png(
        figure,
        f"Images per layer of one reference shower of {energy} above one of "
        f"{name} of about the same incident energy.",
        f"Incident energy {energy}: reference above, {name} below ({pair} of the files).",
    )


def _depths(verdict: Verdict) -> dict[int, str]:
    layers = Geometry.from_dict(dict(verdict.geometry)).layers
    return {
        layer.identity: f" ({layer.z_min:g} to {layer.z_max:g} mm deep)"
        for layer in layers
        if not (math.isnan(layer.z_min) or math.isnan(layer.z_max))
    }
