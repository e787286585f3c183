"""Are these numbers points of showers, in MeV and mm? One pass, constant memory."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import FileFormatError
from .inspection import refuse_gev_ratio, refuse_rows
from .points import PointShowers

__all__ = ["PointInspection", "PointValidation", "refuse_bad_points"]

FloatArray = NDArray[np.float64]

_ROUNDING_OF_INCIDENT = 1e-6
_OFF_AXIS = 0.5
"""Warn if the mean shower lies off the axis by more than this part of its radius."""


@dataclass(frozen=True)
class PointValidation:
    """What a file of point clouds holds.

    Args:
        events: number of showers.
        points: number of points with energy.
        incident_energy_min: lowest incident energy in MeV.
        incident_energy_max: highest incident energy in MeV.
        response: median of E_tot / E_inc over showers that are not empty, dimensionless.
        empty: number of showers without any energy.
        centre: mean x and y of the energy in mm; about 0 if the frame is the shower's own.
        radius: root mean square distance of the energy from that centre in mm.
        depth: lowest and highest z in mm; None if the points know their layers only.
        layers: lowest and highest layer number; None if there are none.
        warnings: sentences about what is legal but odd.
    """

    events: int
    points: int
    incident_energy_min: float
    incident_energy_max: float
    response: float
    empty: int
    centre: tuple[float, float]
    radius: float
    depth: tuple[float, float] | None
    layers: tuple[int, int] | None
    warnings: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return asdict(self) | {"warnings": list(self.warnings)}


@dataclass
class PointInspection:
    """Collects what :class:`PointValidation` reports, part by part.

    Args:
        source: what the showers are called in messages, usually the file.
    """

    source: str
    _incident: list[FloatArray] = field(default_factory=list)
    _totals: list[FloatArray] = field(default_factory=list)
    _sums: FloatArray = field(default_factory=lambda: np.zeros(4))
    _points: int = 0
    _depth: list[float] = field(default_factory=list)
    _layers: list[int] = field(default_factory=list)

    def add(self, part: PointShowers) -> None:
        """Take in the next showers; they have passed :func:`refuse_bad_points`."""
        filled = part.thresholded(0.0)
        energy = filled.energy.astype(np.float64)
        x, y = filled.position[:, 0].astype(np.float64), filled.position[:, 1].astype(np.float64)
        self._incident.append(part.incident_energy.astype(np.float64))
        self._totals.append(part.totals())
        self._sums += [energy.sum(), energy @ x, energy @ y, energy @ (x * x + y * y)]
        self._points += len(energy)
        if part.depth_known and len(energy):
            self._depth += [float(filled.position[:, 2].min()), float(filled.position[:, 2].max())]
        if filled.layer is not None and len(energy):
            self._layers += [int(filled.layer.min()), int(filled.layer.max())]

    def refuse_gev(self) -> None:
        """Refuse energies that look as if they were in GeV.

        Raises:
            UnitError: if they do.
        """
        ratios = self._ratios()
        if (ratios > 0).any():
            refuse_gev_ratio(self.source, float(np.median(ratios[ratios > 0])), points=True)

    def result(self, *, trust_units: bool = False) -> PointValidation:
        """Judge what was taken in.

        Raises:
            FileFormatError: if there is no shower, or all are empty.
            UnitError: if energies look as if they were in GeV, unless ``trust_units``.
        """
        if not self._incident or not self._sums[0] > 0:
            raise FileFormatError(
                f"{self.source}: all {sum(map(len, self._incident))} showers are empty; expected "
                "energies in MeV."
            )
        if not trust_units:
            self.refuse_gev()
        incident, ratios = np.concatenate(self._incident), self._ratios()
        x, y, square = (self._sums[1:] / self._sums[0]).tolist()
        radius = float(np.sqrt(max(square - x * x - y * y, 0)))
        response = float(np.median(ratios[ratios > 0]))
        return PointValidation(
            events=len(incident),
            points=self._points,
            incident_energy_min=float(incident.min()),
            incident_energy_max=float(incident.max()),
            response=response,
            empty=int(np.count_nonzero(ratios <= 0)),
            centre=(x, y),
            radius=radius,
            depth=(min(self._depth), max(self._depth)) if self._depth else None,
            layers=(min(self._layers), max(self._layers)) if self._layers else None,
            warnings=tuple(_oddities(x, y, radius, response)),
        )

    def _ratios(self) -> FloatArray:
        return np.concatenate(self._totals) / np.concatenate(self._incident)


def _oddities(x: float, y: float, radius: float, response: float) -> list[str]:
    found = []
    if np.hypot(x, y) > _OFF_AXIS * radius:
        found.append(
            f"the mean shower lies at x = {x:.3g}, y = {y:.3g} mm, expected about 0: is the "
            "origin elsewhere than on the shower axis? (axis=(x, y) moves it)"
        )
    if not 0.2 < response < 2:
        found.append(
            f"E_tot / E_inc has the median {response:.3g}, expected about 1: deposited energies "
            "without the sampling fraction? (energy_scale corrects it)"
        )
    return found


def refuse_bad_points(points: PointShowers, source: str, *, first: int = 0) -> None:
    """Refuse numbers that no shower can have.

    Args:
        points: what to look at.
        source: what it is called in the message, usually a file.
        first: number of the first of these showers in the source.

    Raises:
        FileFormatError: if a number is not finite, an incident energy is not above 0, a point's
            energy is negative beyond 1e-6 of the incident energy, or its depth is unknown
            without a layer number.
    """
    columns = {"incident energy": points.incident_energy, **points.conditions}
    if points.weight is not None:
        columns["weight"] = points.weight
    for name, column in columns.items():
        refuse_rows(~np.isfinite(column), column, f"{name} that is not a number", source, first)
    incident = points.incident_energy
    refuse_rows(incident <= 0, incident, "incident energy that is not above 0 MeV", source, first)
    known = 3 if points.layer is None else 2
    wrong = ~np.isfinite(points.position[:, :known]).all(axis=1) | np.isinf(points.position[:, 2])
    _refuse_points(points, wrong, points.position, "position that is not finite", source, first)
    _refuse_points(
        points, ~np.isfinite(points.energy), points.energy, "energy that is not finite",
        source, first,
    )  # fmt: skip
    if not len(points.energy) or points.energy.min() >= 0:
        return
    wrong = points.energy < -_ROUNDING_OF_INCIDENT * incident[points.event]
    _refuse_points(
        points, wrong, points.energy,
        "negative energy; is it the output of a network? Set it to 0", source, first,
    )  # fmt: skip


def _refuse_points(
    points: PointShowers,
    wrong: NDArray[np.bool_],
    values: NDArray[Any],
    what: str,
    source: str,
    first: int,
) -> None:
    if wrong.any():
        point = int(np.flatnonzero(wrong)[0])
        raise FileFormatError(
            f"{source}: shower {first + int(points.event[point])} has a point with the value "
            f"{values[point].tolist()}: {what} ({int(np.count_nonzero(wrong))} points of this "
            "piece are like this)."
        )
