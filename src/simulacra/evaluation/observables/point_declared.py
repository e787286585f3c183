"""The observables of point clouds as data: name, label, unit, bins, and what each cannot see."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from .declared import Observable
from .points import PointObservables

__all__ = ["POINT_FAMILIES", "POINT_SPECTRUM_CANNOT_SEE", "point_observables"]

FloatArray = NDArray[np.float64]

POINT_SPECTRUM_CANNOT_SEE = (
    "where in the shower a point lies, and how points of one shower go together"
)

_BINS = 50
_TAIL = 1e-3
_ROOM = 0.1


@dataclass(frozen=True)
class _Family:
    """One observable; ``attribute`` of the point observables, over the incident energy if so."""

    attribute: str
    label: str
    unit: str
    cannot_see: str
    over: str = ""
    log_x: bool = False
    whole: bool = False


_SHAPE = "the shape around the centre; shifts that cancel within a shower"
_TAILS = "tails and lumps that leave the second moment alone"

_FAMILIES = {
    "point_number": _Family(
        "number", "number of points", "", "where the points lie and what energy they have",
        whole=True,
    ),
    "point_total_energy_ratio": _Family(
        "total_energy", r"$E_\mathrm{points} / E_\mathrm{inc}$", "",
        "where the energy lies, and how the response changes with energy", over="incident_energy",
    ),
    "point_brightest": _Family(
        "brightest", "energy of the brightest point", "MeV",
        "every other point; showers without points", log_x=True,
    ),
    "point_effective_number": _Family(
        "effective_number", r"$(\sum e)^2 / \sum e^2$", "",
        "where the points lie; points of little energy", log_x=True,
    ),
    "point_centre_x": _Family("centre_x", r"$\langle x\rangle$", "mm", _SHAPE),
    "point_centre_y": _Family("centre_y", r"$\langle y\rangle$", "mm", _SHAPE),
    "point_centre_depth": _Family(
        "centre_depth", r"$\langle z\rangle$", "", "how far around its centre the shower reaches"
    ),
    "point_centre_r": _Family(
        "centre_r", r"$\langle r\rangle$", "mm", "the angles in which the energy lies"
    ),
    "point_width_x": _Family("width_x", r"$\sigma_x$", "mm", _TAILS),
    "point_width_y": _Family("width_y", r"$\sigma_y$", "mm", _TAILS),
    "point_width_depth": _Family("width_depth", r"$\sigma_z$", "", _TAILS),
    "point_width_r": _Family("width_r", r"$\sigma_r$", "mm", _TAILS),
    "point_mean_distance": _Family(
        "mean_distance", "mean distance of the energy from its centre", "mm",
        "the direction in which the energy is spread, and single points far away",
    ),
    "point_lost_energy_ratio": _Family(
        "lost_energy", r"$E_\mathrm{outside} / E_\mathrm{inc}$", "",
        "where the energy outside the voxels lies: behind, before or beside them",
        over="incident_energy",
    ),
}  # fmt: skip

POINT_FAMILIES = (*_FAMILIES, "point_energy")
"""Names of all quantities of points, the spectrum of their energies included."""


def point_observables(reference: PointObservables) -> tuple[Observable, ...]:
    """Return the observables of point clouds, in bins that suit a reference.

    There is no protocol for point clouds: linear ranges hold 99.8 % of the reference and a tenth
    of that span on both sides; logarithmic ones and those of whole numbers reach from its
    smallest (positive) value to its largest. What lies outside stands in the bins below and above.

    Args:
        reference: of the reference sample; its depth unit and whether lost energies are known
            decide which observables there are.

    Returns:
        Declarations whose ``values`` take a :class:`PointObservables`, nan for a shower for which
        the quantity is not defined.
    """
    return tuple(
        _declared(name, family, reference)
        for name, family in _FAMILIES.items()
        if getattr(reference, family.attribute) is not None
    )


def _declared(name: str, family: _Family, reference: PointObservables) -> Observable:
    def values(observed: Any) -> FloatArray:
        found: FloatArray = getattr(observed, family.attribute)
        return found / getattr(observed, family.over) if family.over else found

    edges = _edges(values(reference), log=family.log_x, whole=family.whole)
    deep = family.attribute.endswith("_depth")
    return Observable(
        name=name,
        family=name,
        label=family.label,
        unit=(reference.depth_unit or "mm") if deep else family.unit,
        layer=None,
        values=cast(Any, values),
        bins=lambda _largest, _threshold: edges,
        log_x=family.log_x,
        log_y=True,
        cannot_see=family.cannot_see,
    )


def _edges(values: FloatArray, *, log: bool, whole: bool) -> FloatArray:
    present = values[np.isfinite(values)]
    if log:
        present = present[present > 0]
    if not len(present):
        return np.linspace(0.0, 1.0, _BINS + 1) if not log else np.geomspace(0.1, 10, _BINS + 1)
    if log:
        low, high = float(present.min()), float(present.max())
        return np.geomspace(low, high if high > low else 2 * low, _BINS + 1)
    if whole:
        step = max(1.0, np.ceil((present.max() - present.min() + 1) / _BINS))
        return np.arange(present.min() - 0.5, present.max() + step, step)
    low, high = np.quantile(present, [_TAIL, 1 - _TAIL]).tolist()
    room = _ROOM * (high - low) or max(1e-6, 1e-3 * abs(low))
    start = low - room if present.min() < 0 else max(low - room, 0.0)
    return np.linspace(start, high + room, _BINS + 1)
