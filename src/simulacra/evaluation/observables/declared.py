"""The challenge's observables as data, with its binnings; and all observables of a detector."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...data import Geometry, GridLayer, Layer, geometry
from .observable import Observable, log_bins
from .physics import PHYSICS_FAMILIES, physics_observables
from .showers import ShowerObservables, angular_layers

__all__ = [
    "FAMILIES",
    "PROTOCOL_FAMILIES",
    "SPECTRUM_CANNOT_SEE",
    "Observable",
    "response_observables",
    "shower_observables",
    "spectrum_bins",
]

FloatArray = NDArray[np.float64]
Array = NDArray[Any]

SPECTRUM_CANNOT_SEE = "where in the shower a voxel lies, and how voxels of one shower go together"


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

PROTOCOL_FAMILIES = (
    "total_energy_ratio",
    *_FAMILIES,
    "voxel_energy",
    "total_energy_ratio_at",
)
"""Names of the challenge's quantities, the voxel spectrum and the response per energy included."""

FAMILIES = (*PROTOCOL_FAMILIES, *PHYSICS_FAMILIES)
"""Names of all quantities: those of the challenge, then those that it does not look at."""

_ANGULAR = ("centre_eta", "centre_phi", "width_eta", "width_phi")


def shower_observables(detector: Geometry) -> tuple[Observable, ...]:
    """Return the observables of a detector: the challenge's, then those that it does not look at.

    The challenge's have its binnings; for detectors that are not the challenge's the ranges come
    from their own radii. The voxel spectrum (see :func:`spectrum_bins`) and the response at
    single energies (see :func:`response_observables`) are not among them.
    """
    found, challenge = [_TOTAL], _challenge(detector)
    for family in _FAMILIES:
        every = range(len(detector.layers))
        positions = angular_layers(detector) if family in _ANGULAR else every
        found += [
            _in_layer(detector.layers[p], family, column, challenge)
            for column, p in enumerate(positions)
            if family not in _ANGULAR or family.partition("_")[2] in detector.layers[p].sees
        ]
    return (*found, *physics_observables(detector))


def response_observables(detector: Geometry, *incident_energies: Array) -> tuple[Observable, ...]:
    """Return E_tot / E_inc at each incident energy of the challenge's data set 1.

    The challenge looks at each octave from 2^8 to 2^23 MeV, each of which holds one of the
    energies of its data set 1.

    Args:
        detector: the detector; without such observables if it is not that of data set 1.
        incident_energies: of each sample that is compared, in MeV, shape ``(events,)``; an
            octave in which one of them has less than two showers is left out.
    """
    if _challenge(detector) != "irregular":
        return ()
    photons = detector.digest == geometry("calochallenge-1-photons").digest
    low = 2.0 ** np.arange(8, 23)
    return tuple(
        _response(float(e), _NARROW if photons and place > 3 else _WIDE, incident_energies)
        for place, e in enumerate(low)
        if all(((s >= e) & (s < 2 * e)).sum() > 1 for s in incident_energies)
    )


def spectrum_bins(brightest: float, threshold: float) -> FloatArray:
    """Return the edges of the voxel spectrum in MeV, shape ``(50,)``.

    Args:
        brightest: largest voxel of the reference in MeV, in the precision of its file: a
            rounded edge decides on which side of it that voxel lies.
        threshold: in MeV.
    """
    return log_bins(brightest, threshold, 50)


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

_WIDE, _NARROW = (0.4, 1.4), (0.9, 1.1)


def _response(
    low: float, limits: tuple[float, float], incident_energies: tuple[Array, ...]
) -> Observable:
    def values(o: ShowerObservables) -> Array:
        inside = (o.incident_energy >= low) & (o.incident_energy < 2 * low)
        return np.where(inside, _TOTAL.values(o), np.nan)

    single = all((s[(s >= low) & (s < 2 * low)] == low).all() for s in incident_energies)
    where = f"at {_gev(low)}" if single else f"from {_gev(low)} to {_gev(2 * low)}"
    return Observable(
        name=f"total_energy_ratio_at/{low:.0f}",
        family="total_energy_ratio_at",
        label=rf"{_TOTAL.label} {where}",
        unit="",
        layer=None,
        values=values,
        bins=lambda _largest, _threshold: np.linspace(*limits, 21),
        log_x=False,
        log_y=False,
        cannot_see="where in the detector the energy lies; showers of other incident energies, "
        "and a response outside the range",
    )


def _gev(mev: float) -> str:
    return f"{mev / 1e6:.3g} TeV" if mev >= 1e6 else f"{mev / 1e3:.3g} GeV"


def _in_layer(layer: Layer | GridLayer, family: str, column: int, challenge: str) -> Observable:
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
    layer: Layer | GridLayer, family: str, challenge: str, largest: float, threshold: float
) -> FloatArray:
    if family == "layer_energy":
        return log_bins(largest, threshold, 40)
    if family == "sparsity":
        return np.linspace(0, 1, 21)
    low, high = _range(layer, family, challenge)
    return np.linspace(low, high, 101)


def _range(layer: Layer | GridLayer, family: str, challenge: str) -> tuple[float, float]:
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
