"""Are these numbers shower energies in MeV? One pass, constant memory, one sentence."""

from __future__ import annotations

import warnings
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import FileFormatError, RangeError, UnitError
from .geometry import Geometry, geometries
from .showers import VoxelShowers

__all__ = [
    "Inspection",
    "Validation",
    "refuse_bad_values",
    "refuse_gev_ratio",
    "refuse_rows",
]

_ROUNDING_OF_THRESHOLD = 1e-3
_ROUNDING_OF_INCIDENT = 1e-6
_RATIO_OF_GEV_INCIDENT = 100.0
_RATIO_OF_GEV_SHOWERS = 3e-3
_RATIO_OF_GEV_INCIDENT_POINTS = 5.0
"""Point clouds are often deposited energies, some 0.03 of the incident ones if units agree."""
_LOST_AT_MOST = 0.5
_LOST_UNSAID = 1e-3
_LOWEST_INCIDENT = {
    "calochallenge-1-photons": 256.0,
    "calochallenge-1-pions": 256.0,
    "calochallenge-2": 1000.0,
    "calochallenge-3": 1000.0,
}
"""Lowest incident energy of the challenge's own data in MeV."""


@dataclass(frozen=True)
class Validation:
    """What a file of showers holds.

    Args:
        events: number of showers.
        incident_energy_min: lowest incident energy in MeV.
        incident_energy_max: highest incident energy in MeV.
        response: median of E_tot / E_inc over showers that are not empty, dimensionless.
        filled: fraction of the voxels that are above 0.
        empty: number of showers without any energy.
        negative: number of voxels below 0, all within rounding.
        warnings: sentences about what is legal but odd.
    """

    events: int
    incident_energy_min: float
    incident_energy_max: float
    response: float
    filled: float
    empty: int
    negative: int
    warnings: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return asdict(self) | {"warnings": list(self.warnings)}


@dataclass
class Inspection:
    """Collects what :class:`Validation` reports, part by part.

    Args:
        geometry: the detector of the showers.
        source: what the showers are called in messages, usually the file.
    """

    geometry: Geometry
    source: str
    _ratios: list[NDArray[np.float64]] = field(default_factory=list)
    _incident: list[NDArray[np.float64]] = field(default_factory=list)
    _lost: list[NDArray[np.float64]] = field(default_factory=list)
    _filled: int = 0
    _above: int = 0
    _negative: int = 0

    def add(self, part: VoxelShowers) -> None:
        """Take in the next showers; they have passed :func:`refuse_bad_values`."""
        incident = part.incident_energy.astype(np.float64)
        self._incident.append(incident)
        self._ratios.append(_totals(part.energies) / incident)
        if part.lost is not None:
            self._lost.append(np.asarray(part.lost, np.float64))
        for rows in _slabs(part.energies):
            self._filled += int(np.count_nonzero(rows > 0))
            self._above += int(np.count_nonzero(rows >= self.geometry.threshold))
            if rows.min() < 0:
                self._negative += int(np.count_nonzero(rows < 0))

    def join(self, following: Inspection) -> None:
        """Take in what another inspection collected from the showers that follow."""
        self._incident += following._incident
        self._ratios += following._ratios
        self._lost += following._lost
        self._filled += following._filled
        self._above += following._above
        self._negative += following._negative

    def refuse_gev(self) -> None:
        """Refuse energies that look as if they were in GeV.

        Raises:
            UnitError: if they do.
        """
        incident, ratios = np.concatenate(self._incident), np.concatenate(self._ratios)
        if (ratios > 0).any():
            self._refuse_gev(incident, float(np.median(ratios[ratios > 0])))

    def result(self, *, trust_units: bool = False) -> Validation:
        """Judge what was taken in.

        Warns once (``UserWarning``) if there are negative voxels within rounding.

        Raises:
            FileFormatError: if there is no shower, or all are empty.
            UnitError: if energies look as if they were in GeV, unless ``trust_units``.
            RangeError: if most of the energy of point clouds lies outside the voxels.
        """
        if not self._incident:
            raise FileFormatError(f"{self.source}: has no showers; expected at least one.")
        self._refuse_lost()
        incident, ratios = np.concatenate(self._incident), np.concatenate(self._ratios)
        if not (ratios > 0).any():
            raise FileFormatError(
                f"{self.source}: all {len(ratios)} showers are empty; expected energies in MeV."
            )
        response = float(np.median(ratios[ratios > 0]))
        if not trust_units:
            self._refuse_gev(incident, response)
        found = Validation(
            events=len(incident),
            incident_energy_min=float(incident.min()),
            incident_energy_max=float(incident.max()),
            response=response,
            filled=self._filled / (len(incident) * self.geometry.voxels),
            empty=int(np.count_nonzero(ratios <= 0)),
            negative=self._negative,
            warnings=tuple(self._oddities(incident, response)),
        )
        if self._negative:
            warnings.warn(f"{self.source}: {self._negative_sentence()}", UserWarning, stacklevel=3)
        return found

    def _refuse_gev(self, incident: NDArray[np.float64], response: float) -> None:
        refuse_gev_ratio(self.source, response, points=bool(self._lost))
        if self._looks_like_gev(incident):
            raise UnitError(
                f"{self.source}: incident energies of {incident.min():.4g} to "
                f"{incident.max():.4g}, most of them below all of {self._challenge()} "
                f"({_LOWEST_INCIDENT[str(self._challenge())]:.0f} MeV and more), and most filled "
                f"voxels are below the readout threshold of {self.geometry.threshold:.3g} MeV; "
                "energies look as if they were in GeV. Multiply both by 1000."
            )

    def _looks_like_gev(self, incident: NDArray[np.float64]) -> bool:
        lowest = _LOWEST_INCIDENT.get(str(self._challenge()), 0.0)
        return bool(np.median(incident) <= lowest) and self._above < self._filled / 2

    def _challenge(self) -> str | None:
        """Name of the built-in geometry that has the same voxels."""
        same = [known.name for known in geometries() if known.digest == self.geometry.digest]
        return same[0] if same else None

    def _oddities(self, incident: NDArray[np.float64], response: float) -> list[str]:
        found = self._lost_sentences()
        if self._negative:
            found.append(self._negative_sentence())
        if not 0.2 < response < 2:
            found.append(
                f"E_tot / E_inc has the median {response:.3g}, expected about 1: deposited "
                "energies without the sampling fraction? (energy_scale corrects it)"
            )
        lowest = _LOWEST_INCIDENT.get(str(self._challenge()), 0.0)
        if np.median(incident) <= lowest:
            found.append(
                f"half of the incident energies are at most {np.median(incident):.4g} MeV, below "
                f"the data of "
                f"{self._challenge()}: are they in MeV?"
            )
        return found

    def _lost_fractions(self) -> tuple[float, float]:
        """Return the lost fraction of all energy and the median of a shower's."""
        lost = np.concatenate([np.zeros(0), *self._lost])
        kept = np.concatenate(self._ratios) * np.concatenate(self._incident)
        if len(lost) != len(kept) or not lost.any():
            return 0.0, 0.0
        total = lost + kept
        parts = np.divide(lost, total, out=np.zeros_like(lost), where=total > 0)
        return float(lost.sum() / total.sum()), float(np.median(parts))

    def _refuse_lost(self) -> None:
        fraction, _ = self._lost_fractions()
        if not fraction <= _LOST_AT_MOST:
            raise RangeError(
                f"{self.source}: {fraction:.3g} of the points' energy lies outside the voxels of "
                f'"{self.geometry.name}", at most {_LOST_AT_MOST} is tolerated. Expected x and y '
                "from the shower axis and the depth z from the calorimeter's face, all in mm: is "
                "it another unit, frame or order of the axes?"
            )

    def _lost_sentences(self) -> list[str]:
        fraction, median = self._lost_fractions()
        if fraction <= _LOST_UNSAID:
            return []
        return [
            f"{fraction:.3g} of the points' energy lies outside the voxels of "
            f'"{self.geometry.name}" (median of a shower {median:.3g}); no score of voxels sees it.'
        ]

    def _negative_sentence(self) -> str:
        return (
            f"{self._negative} voxels are negative within rounding; the threshold cuts them in an "
            "evaluation, training refuses them."
        )


def refuse_gev_ratio(source: str, response: float, *, points: bool = False) -> None:
    """Refuse a median of E_tot / E_inc that only different units explain.

    Args:
        source: what the showers are called in the message.
        response: the median, dimensionless.
        points: whether the showers are point clouds, which are often deposited energies.

    Raises:
        UnitError: if one of the two is in GeV by the look of it.
    """
    highest = _RATIO_OF_GEV_INCIDENT_POINTS if points else _RATIO_OF_GEV_INCIDENT
    if response > highest or response < _RATIO_OF_GEV_SHOWERS:
        culprit = "incident energies" if response > 1 else "showers"
        raise UnitError(
            f"{source}: E_tot / E_inc has the median {response:.3g}, expected about 1; "
            f"the {culprit} look as if they were in GeV. Both are to be in MeV: multiply "
            f"the {culprit} by 1000."
        )


def refuse_bad_values(
    showers: VoxelShowers, source: str, *, first: int = 0, strict: bool = False
) -> None:
    """Refuse numbers that no shower can have.

    Args:
        showers: what to look at.
        source: what it is called in the message, usually a file.
        first: number of the first of these showers in the source.
        strict: refuse negative voxels of any size; otherwise those below 1e-3 of the readout
            threshold or 1e-6 of the incident energy pass as rounding.

    Raises:
        FileFormatError: if a number is not finite, an incident energy is not above 0, or a
            voxel is negative.
    """
    incident = showers.incident_energy
    columns = {"incident energy": incident, **showers.conditions}
    if showers.weight is not None:
        columns["weight"] = showers.weight
    for name, column in columns.items():
        refuse_rows(~np.isfinite(column), column, f"{name} that is not a number", source, first)
    refuse_rows(incident <= 0, incident, "incident energy that is not above 0 MeV", source, first)
    with np.errstate(all="ignore"):
        totals = _totals(showers.energies)
    if not np.isfinite(totals).all():
        rows = np.flatnonzero(~np.isfinite(totals))
        bad = [showers.energies[row][~np.isfinite(showers.energies[row])] for row in rows[:1]]
        raise FileFormatError(
            f"{source}: shower {first + int(rows[0])} has voxels that are not finite "
            f"({bad[0][0] if len(bad[0]) else 'overflow'}; {len(rows)} showers of this piece are "
            "like this); expected energies in MeV. Remove or regenerate them."
        )
    _refuse_negative(showers, source, first, strict=strict)


def _refuse_negative(showers: VoxelShowers, source: str, first: int, *, strict: bool) -> None:
    energies = showers.energies
    if not len(energies) or energies.min() >= 0:
        return
    lowest = energies.min(axis=1)
    rounding = np.maximum(
        _ROUNDING_OF_THRESHOLD * showers.geometry.threshold,
        _ROUNDING_OF_INCIDENT * showers.incident_energy,
    )
    bad = lowest < 0 if strict else lowest < -rounding
    reason = (
        "negative voxel; training takes none, set them to 0"
        if strict
        else "negative voxel beyond rounding; is it noise, or the output of a network?"
    )
    refuse_rows(bad, lowest, reason, source, first)


def refuse_rows(
    bad: NDArray[Any], values: NDArray[Any], what: str, source: str, first: int
) -> None:
    """Refuse showers by one number each, naming the first.

    Args:
        bad: which showers, shape ``(events,)``.
        values: the numbers, shape ``(events,)``.
        what: what is wrong with them.
        source: what the showers are called.
        first: number of the first of these showers in the source.

    Raises:
        FileFormatError: if there is a bad one.
    """
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise FileFormatError(
            f"{source}: shower {first + row} has the value {values[row]:.6g}: {what} "
            f"({int(np.count_nonzero(bad))} showers of this piece are like this)."
        )


def _totals(energies: NDArray[Any]) -> NDArray[np.float64]:
    """Energy of each shower in MeV; not finite if any voxel is not."""
    ones = np.ones(energies.shape[1], energies.dtype)
    return np.asarray(energies @ ones, np.float64)


def _slabs(energies: NDArray[Any]) -> list[NDArray[Any]]:
    """Cut into runs of rows that stay in the cache."""
    step = max(1, 2**18 // max(1, energies.shape[1]))
    return [energies[start : start + step] for start in range(0, len(energies), step)]
