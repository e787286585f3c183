"""A detector for collision events: tracks, cells and particle flow; (truth, reco) pairs.

A parametrised response in the spirit of J. de Favereau et al., "DELPHES 3", 2013, arXiv:1307.6346:
tracks bend, are lost and are smeared; energy goes to cells, where particles merge; what tracks
explain is taken out of the cells, and the rest is photons and neutral hadrons. It knows no
material: no conversions, nuclear interactions, decays in flight or lateral spread of showers.
"""

from __future__ import annotations

from typing import Annotated, Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from ..config import Config
from ..data.events import Events, Ragged
from ..data.kinematics import (
    azimuth,
    energy,
    from_cylinder,
    pseudorapidity,
    transverse_momentum,
)
from ..random import Stream, normal, uniform
from ..units import GeV, MeV
from .helix import Cylinder, entry
from .particle_flow import Calorimeter, Cells, neutral_excess, read_out

__all__ = ["CalorimeterConfig", "Detector", "respond"]

Array = NDArray[Any]
Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Fraction = Annotated[float, Field(ge=0, le=1)]

_PARTICLES = 2**20
"""More than an event has; a draw of a particle is keyed by ``event * 2**20 + row``."""

_INVISIBLE = (12, 14, 16)
_ELECTRON, _MUON, _PHOTON, _PION, _KAON = 11, 13, 22, 211, 130
_PION_MASS = 139.57 * MeV
_SMALLEST_CURVE = 0.05  # of the true curvature: a smeared track keeps its sign


class CalorimeterConfig(Config):
    r"""One calorimeter; its resolution is :math:`\sigma^2 = s^2 E + c^2 E^2 + n^2`.

    Args:
        eta_cells: cells in pseudorapidity, over the whole acceptance.
        phi_cells: cells around.
        eta_max: acceptance.
        stochastic: s in sqrt(GeV), for E in GeV.
        constant: c, dimensionless.
        noise: n per cell in MeV.
        threshold: cells below are not read out, in MeV.
    """

    eta_cells: Annotated[int, Field(ge=1, le=1000)]
    phi_cells: Annotated[int, Field(ge=1, le=1000)]
    eta_max: Positive
    stochastic: NotNegative
    constant: NotNegative
    noise: NotNegative
    threshold: NotNegative

    @model_validator(mode="after")
    def _not_too_many(self) -> Self:
        if self.eta_cells * self.phi_cells > _PARTICLES // 2:
            raise ValueError(f"expected at most {_PARTICLES // 2} cells")
        return self


class Detector(Config):
    r"""A barrel and two end caps, of the size and the quality of CMS in rough numbers.

    Args:
        field: of the solenoid in tesla.
        radius: of the tracker, where the calorimeters begin, in mm.
        half_length: of the tracker in mm.
        track_eta_max: acceptance of the tracker.
        track_pt_min: smallest transverse momentum of a track in MeV.
        efficiency: of finding a charged hadron's track with absolute pseudorapidity below 1.5.
        efficiency_forward: the same beyond.
        lepton_efficiency: of finding and naming electrons and muons.
        track_constant: a in :math:`\sigma(p_T) / p_T = a \oplus b\,p_T`.
        track_linear: b per GeV.
        angle: resolution of a track's pseudorapidity and azimuth (rad).
        ecal: electromagnetic calorimeter; photons and electrons beyond it go to the hadronic one.
        hcal: hadronic calorimeter.
        early: mean part of a hadron's energy that the electromagnetic calorimeter takes; it is
            uniform between 0 and twice this, so a neutral hadron may become two objects.
        excess: standard deviations from which energy over a track counts as a neutral particle.
        truth_pt_min: smallest transverse momentum in the table ``truth`` in MeV.
    """

    field: NotNegative = 3.8
    radius: Positive = 1290.0
    half_length: Positive = 3000.0
    track_eta_max: Positive = 2.5
    track_pt_min: NotNegative = 0.5 * GeV
    efficiency: Fraction = 0.97
    efficiency_forward: Fraction = 0.93
    lepton_efficiency: Fraction = 0.95
    track_constant: NotNegative = 0.007
    track_linear: NotNegative = 1.5e-4
    angle: NotNegative = 5e-4
    ecal: CalorimeterConfig = CalorimeterConfig(
        eta_cells=240,
        phi_cells=256,
        eta_max=3.0,
        stochastic=0.03,
        constant=0.005,
        noise=40.0,
        threshold=200.0,
    )
    hcal: CalorimeterConfig = CalorimeterConfig(
        eta_cells=100,
        phi_cells=64,
        eta_max=5.0,
        stochastic=1.0,
        constant=0.05,
        noise=200.0,
        threshold=800.0,
    )
    early: Annotated[float, Field(ge=0, le=0.5)] = 0.25
    excess: NotNegative = 1.5
    truth_pt_min: NotNegative = 0.0


def respond(events: Events, detector: Detector, *, seed: int) -> Events:
    """Put events through a detector.

    Every draw belongs to (seed, event, particle or cell), so batches, shards and workers change
    nothing.

    Args:
        events: with the table ``particles`` (``pdg``, ``charge`` in units of e/3, momenta in MeV,
            and perhaps vertices in mm), as from ``simulate.pythia``.
        detector: its settings.
        seed: identity of the set; the collisions' own seed may be used again.

    Returns:
        The events with ``truth`` and ``reco`` in place of ``particles``. ``truth``: visible
        particles within the acceptance of the hadronic calorimeter. ``reco``: objects by falling
        transverse momentum with ``pdg`` (211, 11, 13 with sign; 22 photon; 130 neutral hadron),
        ``charge`` in units of e/3, momenta in MeV (photons and neutral hadrons massless, charged
        hadrons with the pion's mass) and ``truth``, the row, within the event, of the particle
        that gave most to the object.
    """
    truth = _visible(events["particles"], detector)
    pieces = _Response(events, truth, detector, seed).objects()
    columns = {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}
    event = columns.pop("event")
    order = np.lexsort((-transverse_momentum(columns), event))
    reco = Ragged.grouped(event[order], len(events), {k: c[order] for k, c in columns.items()})
    kept = {name: table for name, table in events.tables.items() if name != "particles"}
    return Events(
        events.number, {**kept, "truth": truth, "reco": reco}, events.columns, events.provenance
    )


def _visible(particles: Ragged, detector: Detector) -> Ragged:
    kept = ~np.isin(np.abs(particles["pdg"]), _INVISIBLE)
    kept &= np.abs(pseudorapidity(particles.columns)) < detector.hcal.eta_max
    kept &= transverse_momentum(particles.columns) >= detector.truth_pt_min
    return particles.where(kept)


class _Response:
    """The passage of one batch: every array has one row per true particle."""

    def __init__(self, events: Events, truth: Ragged, detector: Detector, seed: int) -> None:
        self.detector, self.seed, self.numbers = detector, seed, events.number
        self.truth, self.event = truth, truth.event
        self.row = np.arange(len(self.event)) - truth.offsets[self.event]
        self.kind = np.abs(truth["pdg"])
        self.light = np.isin(self.kind, (_ELECTRON, _PHOTON))
        self.energy = energy(truth.columns)
        key = events.number[self.event] * _PARTICLES + self.row
        stream = Stream.PARTICLE_RESPONSE
        self.normals = normal(seed, key, 4, stream=stream, dtype=np.float64)  # words 0 to 3
        self.uniforms = uniform(seed, key, 6, stream=stream, dtype=np.float64)[:, 4:]

    def objects(self) -> list[dict[str, Array]]:
        """Return tracks, photons and neutral hadrons."""
        found = self._found()
        tracks = self._tracks(found)
        momentum, spread = self._expected(tracks, found)
        d, eta, phi = self.detector, *self._entry()
        ecal = Calorimeter(**d.ecal.to_dict())
        hcal = Calorimeter(**d.hcal.to_dict(), first=ecal.cells)
        covered = np.abs(eta) < ecal.eta_max
        mean = np.where(covered, np.where(self.light, 1.0, d.early), 0.0)
        share = np.where(self.light, mean, 2 * mean * self.uniforms[:, 1])
        unknown = np.where(self.light, 0.0, mean / np.sqrt(3.0)) * momentum
        pieces = [tracks]
        for grid, true, expected, pdg in (
            (ecal, share, mean, _PHOTON),
            (hcal, 1 - share, 1 - mean, _KAON),
        ):
            cell = np.where(self.kind == _MUON, -1, grid.cell(eta, phi))
            deposit = self.energy * true
            cells = read_out(grid, self.event, cell, deposit, numbers=self.numbers, seed=self.seed)
            error = np.hypot(spread * expected, unknown)
            pieces.append(self._neutral(grid, cells, momentum * expected, error, pdg))
        return pieces

    def _found(self) -> NDArray[np.bool_]:
        """Tell which particles have a track."""
        d, p = self.detector, self.truth.columns
        eta = np.abs(pseudorapidity(p))
        plateau = np.where(eta < 1.5, d.efficiency, d.efficiency_forward)
        lepton = np.isin(self.kind, (_ELECTRON, _MUON))
        found = self.uniforms[:, 0] < np.where(lepton, d.lepton_efficiency, plateau)
        found &= (self.truth["charge"] != 0) & (eta < d.track_eta_max)
        return found & (transverse_momentum(p) >= d.track_pt_min)

    def _tracks(self, found: NDArray[np.bool_]) -> dict[str, Array]:
        d = self.detector
        p = {name: column[found] for name, column in self.truth.columns.items()}
        pt, draws = transverse_momentum(p), self.normals[found]
        curve = np.maximum(1 + self._track_resolution(pt) * draws[:, 0], _SMALLEST_CURVE)
        eta = pseudorapidity(p) + d.angle * draws[:, 1]
        phi = azimuth(p) + d.angle * draws[:, 2]
        lepton = np.isin(np.abs(p["pdg"]), (_ELECTRON, _MUON))
        name = np.where(lepton, p["pdg"], np.sign(p["charge"]) * np.int32(_PION))
        mass = np.where(lepton, p["mass"], _PION_MASS)
        momenta = from_cylinder(pt / curve, eta, phi, mass)
        return _objects(self.event[found], name, p["charge"], momenta, self.row[found])

    def _track_resolution(self, pt: Array) -> Array:
        d = self.detector
        return np.hypot(d.track_constant, d.track_linear * pt / GeV)

    def _entry(self) -> tuple[Array, Array]:
        """Return pseudorapidity and azimuth where particles enter the calorimeter."""
        d, p = self.detector, self.truth.columns
        momentum = np.column_stack([p[name] for name in ("px", "py", "pz")]).astype(np.float64)
        vertex = np.zeros_like(momentum)
        if "x" in p:
            vertex = np.column_stack([p[name] for name in ("x", "y", "z")]).astype(np.float64)
        volume = Cylinder(d.radius, d.half_length, d.field)
        place = entry(momentum, p["charge"] / 3.0, vertex, volume)
        with np.errstate(divide="ignore", invalid="ignore"):
            eta = np.arcsinh(place[:, 2] / np.hypot(place[:, 0], place[:, 1]))
        return np.nan_to_num(eta, nan=np.inf), np.nan_to_num(np.arctan2(place[:, 1], place[:, 0]))

    def _expected(self, tracks: dict[str, Array], found: NDArray[np.bool_]) -> tuple[Array, Array]:
        """Return the energy that each particle's track promises, and its standard deviation."""
        promised, spread = np.zeros(len(found)), np.zeros(len(found))
        promised[found] = energy(tracks)
        spread[found] = promised[found] * self._track_resolution(transverse_momentum(tracks))
        return promised, spread

    def _neutral(
        self, grid: Calorimeter, cells: Cells, expected: Array, error: Array, pdg: int
    ) -> dict[str, Array]:
        """Turn what tracks do not explain into massless objects in the middle of cells."""
        met, count = cells.owner >= 0, len(cells.cell)
        owner = cells.owner[met]
        left = np.bincount(owner, weights=expected[met], minlength=count)
        variance = np.bincount(owner, weights=error[met] ** 2, minlength=count)
        excess = neutral_excess(grid, cells, left, np.sqrt(variance), self.detector.excess)
        kept = np.flatnonzero(excess)
        eta, phi = grid.centre(cells.cell[kept])
        momenta = from_cylinder(excess[kept] / np.cosh(eta), eta, phi, np.zeros(len(kept)))
        name = np.full(len(kept), pdg)
        leader = self.row[cells.leader[kept]]
        return _objects(cells.event[kept], name, np.zeros(len(kept)), momenta, leader)


def _objects(
    event: Array, pdg: Array, charge: Array, momenta: dict[str, Array], truth: Array
) -> dict[str, Array]:
    return {
        "event": event,
        "pdg": pdg.astype(np.int32),
        "charge": charge.astype(np.int8),
        **{name: column.astype(np.float32) for name, column in momenta.items()},
        "truth": truth.astype(np.int32),
    }
