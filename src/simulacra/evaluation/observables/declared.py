"""The challenge's observables as data: name, label, unit, bins, and what each one is blind to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...data import Geometry, Layer, geometry
from .showers import ShowerObservables, angular_layers

__all__ = ["FAMILIES", "SPECTRUM_CANNOT_SEE", "Observable", "shower_observables", "spectrum_bins"]

FloatArray = NDArray[np.float64]
Array = NDArray[Any]

SPECTRUM_CANNOT_SEE = "where in the shower a voxel lies, and how voxels of one shower go together"


@dataclass(frozen=True, eq=False)
class Observable:
    """One number per shower and the histogram in which two samples are compared.

    Args:
        name: ``family`` or ``family/layer``, with the layer's number in its own detector.
        family: name of the quantity.
        label: axis label, may contain ``$...$`` mathematics.
        unit: unit of the values; ``""`` for a dimensionless one.
        layer: the layer's number in its own detector; None for the whole shower.
        values: the numbers, shape ``(events,)``, from a sample's observables.
        bins: edges in ``unit``, from the largest value of the reference and the threshold (MeV).
        log_x: whether the bins are equal on a logarithmic axis.
        log_y: whether the density is best shown on a logarithmic axis.
        cannot_see: one sentence on what the histogram is blind to.
    """

    name: str
    family: str
    label: str
    unit: str
    layer: int | None
    values: Callable[[ShowerObservables], FloatArray]
    bins: Callable[[float, float], FloatArray]
    log_x: bool
    log_y: bool
    cannot_see: str


@dataclass(frozen=True)
class _Family:
    """What the layers of one quantity share; ``{0}`` in the label is the layer."""

    label: str
    unit: str
    cannot_see: str
    log_x: bool = False
    log_y: bool = True


_FAMILIES = {
    "layer_energy": _Family(
        r"$E_{{{0}}}$",
        "MeV",
        "how the energy of this layer goes together with the other layers and with the incident "
        "energy; showers with less than the threshold in the layer",
        log_x=True,
    ),
    "centre_eta": _Family(
        r"$\langle\eta\rangle_{{{0}}}$", "mm", "the shape around the centre, and other layers"
    ),
    "centre_phi": _Family(
        r"$\langle\phi\rangle_{{{0}}}$", "mm", "the shape around the centre, and other layers"
    ),
    "width_eta": _Family(
        r"$\sigma_\eta$ in layer {0}", "mm", "tails and lumps that leave the second moment alone"
    ),
    "width_phi": _Family(
        r"$\sigma_\phi$ in layer {0}", "mm", "tails and lumps that leave the second moment alone"
    ),
    "centre_r": _Family(
        r"$\langle r\rangle_{{{0}}}$", "mm", "the angles in which the energy lies"
    ),
    "width_r": _Family(
        r"$\sigma_r$ in layer {0}", "mm", "the angles in which the energy lies"
    ),
    "sparsity": _Family(
        "empty fraction of layer {0}", "", "which voxels are empty and the energy of the others"
    ),
}  # fmt: skip

FAMILIES = ("total_energy_ratio", *_FAMILIES, "voxel_energy")
"""Names of all quantities, the voxel spectrum included."""

_ANGULAR = ("centre_eta", "centre_phi", "width_eta", "width_phi")


def shower_observables(detector: Geometry) -> tuple[Observable, ...]:
    """Return the observables of a detector with the challenge's binnings.

    Detectors that are not the challenge's get ranges from their own radii.
    """
    found, challenge = [_TOTAL], _challenge(detector)
    for family in _FAMILIES:
        every = range(len(detector.layers))
        positions = angular_layers(detector) if family in _ANGULAR else every
        found += [
            _in_layer(detector.layers[p], family, column, challenge)
            for column, p in enumerate(positions)
        ]
    return tuple(found)


def spectrum_bins(brightest: float, threshold: float) -> FloatArray:
    """Return the edges of the voxel spectrum in MeV, shape ``(50,)``."""
    return _log_bins(brightest, threshold, 50)


_TOTAL = Observable(
    name="total_energy_ratio",
    family="total_energy_ratio",
    label=r"$E_\mathrm{tot} / E_\mathrm{inc}$",
    unit="",
    layer=None,
    values=lambda o: o.total_energy / o.incident_energy,
    bins=lambda _largest, _threshold: np.linspace(0.5, 1.5, 101),
    log_x=False,
    log_y=True,
    cannot_see="where in the detector the energy lies, and how the response changes with energy",
)


def _in_layer(layer: Layer, family: str, column: int, challenge: str) -> Observable:
    kind = _FAMILIES[family]
    return Observable(
        name=f"{family}/{layer.identity}",
        family=family,
        label=kind.label.format(layer.identity),
        unit=kind.unit,
        layer=layer.identity,
        values=lambda o: getattr(o, family)[:, column],
        bins=lambda largest, threshold: _bins(layer, family, challenge, largest, threshold),
        log_x=kind.log_x,
        log_y=kind.log_y,
        cannot_see=kind.cannot_see,
    )


def _bins(
    layer: Layer, family: str, challenge: str, largest: float, threshold: float
) -> FloatArray:
    if family == "layer_energy":
        return _log_bins(largest, threshold, 40)
    if family == "sparsity":
        return np.linspace(0, 1, 21)
    low, high = _range(layer, family, challenge)
    return np.linspace(low, high, 101)


def _log_bins(largest: float, threshold: float, edges: int) -> FloatArray:
    low = threshold if threshold > 0 else 1e-6 * largest
    high = largest if largest > low else 10 * low  # nothing to show: any range will do
    if not high > 0:
        low, high = 1e-6, 1.0
    return np.logspace(np.log10(low), np.log10(high), edges)


def _range(layer: Layer, family: str, challenge: str) -> tuple[float, float]:
    """Return the challenge's range of a centre or width in mm."""
    if challenge == "irregular":
        deep = layer.identity in (12, 13, 14)
        ranges = {"centre": (100.0, 500.0), "width": (100.0, 400.0), "r": (500.0, 1500.0)}
        quantity = "r" if family.endswith("_r") else family.partition("_")[0]
        high = ranges[quantity][deep]
    elif challenge == "regular":
        high = {"centre_r": 42.0, "width_r": 20.0}.get(family, 30.0)
    else:
        high = layer.r_edges[-1]
    return (-high if family in ("centre_eta", "centre_phi") else 0.0), high


def _challenge(detector: Geometry) -> str:
    """Return which of the challenge's kinds a detector is: irregular, regular, or neither."""
    names = {"irregular": ("1-photons", "1-pions"), "regular": ("2", "3")}
    digest = detector.digest
    for kind, members in names.items():
        if digest in {geometry(f"calochallenge-{name}").digest for name in members}:
            return kind
    return ""
