"""The incident particles of a run; each is a function of (seed, event)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ..config import Config
from ..errors import RangeError, UnknownNameError
from ..random import Stream, uniform

__all__ = ["HADRONS", "PARTICLES", "Beam", "Primaries", "draw_energies", "draw_primaries"]

Array = NDArray[Any]
Pair = tuple[float, float]

PARTICLES = {
    **{"gamma": 22, "e-": 11, "e+": -11, "mu-": 13, "mu+": -13, "pi+": 211, "pi-": -211},
    **{"pi0": 111, "kaon+": 321, "kaon-": -321, "proton": 2212, "anti_proton": -2212},
    **{"neutron": 2112},
}
"""Geant4's names of the particles that can be shot, and their numbers (Particle Data Group)."""

HADRONS = frozenset(name for name, pdg in PARTICLES.items() if abs(pdg) > 111)
"""Those that need hadronic physics."""

_ENERGIES_AT_ONCE = 2**20


class Beam(Config):
    """What is shot at the calorimeter.

    Args:
        particles: names; each event draws one of them, all with the same chance.
        energy: smallest and largest kinetic energy in MeV.
        spectrum: ``log`` is flat in the logarithm of the energy, ``uniform`` in the energy.
        x: range of the impact position on the face along x, in mm; flat.
        y: the same along y.
        theta: range of the polar angle in rad; isotropic, that is flat in its cosine.
        phi: range of the azimuth in rad; flat.
    """

    particles: Annotated[tuple[str, ...], Field(min_length=1)] = ("gamma",)
    energy: Pair = (1000.0, 64000.0)
    spectrum: Literal["log", "uniform"] = "log"
    x: Pair = (0.0, 0.0)
    y: Pair = (0.0, 0.0)
    theta: Pair = (0.0, 0.0)
    phi: Pair = (-np.pi, np.pi)

    def refuse_nonsense(self) -> None:
        """Refuse what cannot be shot.

        Raises:
            UnknownNameError: if a particle is not known.
            RangeError: if a range is empty, an energy not positive or the angle beyond 90 degrees.
        """
        for name in self.particles:
            if name not in PARTICLES:
                raise UnknownNameError("particle", name, PARTICLES)
        low, high = self.energy
        if not 0 < low <= high:
            raise RangeError(
                f"energy: expected a range of positive energies, got {low:g} to {high:g} MeV."
            )
        for name in ("x", "y", "theta", "phi"):
            first, last = getattr(self, name)
            if not first <= last:
                raise RangeError(f"beam.{name}: expected [low, high], got [{first:g}, {last:g}].")
        if not (self.theta[0] >= 0 and self.theta[1] < np.pi / 2):
            raise RangeError(
                "beam.theta: expected angles from 0 to below pi/2 rad, got "
                f"{self.theta[0]:g} to {self.theta[1]:g}; is it in degrees?"
            )


@dataclass(frozen=True, eq=False)
class Primaries:
    """Incident particles of a run of events.

    Args:
        pdg: their numbers, shape ``(events,)``.
        energy: kinetic energy in MeV, float32, shape ``(events,)``.
        conditions: ``x``, ``y`` on the face in mm, ``theta``, ``phi`` in rad, float32, shape
            ``(events,)`` each.
    """

    pdg: Array
    energy: Array
    conditions: dict[str, Array]

    def __len__(self) -> int:
        return len(self.energy)

    @property
    def direction(self) -> Array:
        """Unit vectors of flight, float64, shape ``(events, 3)``."""
        theta, phi = (self.conditions[name].astype(np.float64) for name in ("theta", "phi"))
        sine = np.sin(theta)
        return np.stack([sine * np.cos(phi), sine * np.sin(phi), np.cos(theta)], axis=1)

    @property
    def impact(self) -> Array:
        """Where they enter, in mm, float64, shape ``(events, 3)``."""
        x, y = (self.conditions[name].astype(np.float64) for name in ("x", "y"))
        return np.stack([x, y, np.zeros_like(x)], axis=1)

    def varying(self, beam: Beam) -> dict[str, Array]:
        """Return the conditions that differ from event to event, as a file keeps them."""
        ranges = {name: getattr(beam, name) for name in ("theta", "phi", "x", "y")}
        if ranges["theta"] == (0.0, 0.0):
            del ranges["phi"]
        kept = {n: self.conditions[n] for n, (low, high) in ranges.items() if low < high}
        return kept if len(beam.particles) == 1 else {**kept, "pdg": self.pdg}


def draw_energies(beam: Beam, seed: int, events: range) -> Array:
    """Draw kinetic energies in MeV, float32, shape ``(events,)``; the law of ``sample``.

    Args:
        beam: the spectrum.
        seed: identity of the set.
        events: numbers of the events, without gaps.
    """
    low, high = beam.energy
    energy = np.empty(len(events), np.float32)
    for first in range(0, len(events), _ENERGIES_AT_ONCE):
        numbers = np.asarray(events[first : first + _ENERGIES_AT_ONCE])
        u = uniform(seed, numbers, 1, stream=Stream.INCIDENT_ENERGY, dtype=np.float64)[:, 0]
        drawn = low * (high / low) ** u if beam.spectrum == "log" else low + (high - low) * u
        energy[first : first + len(u)] = np.clip(drawn, low, high)
    return energy


def draw_primaries(beam: Beam, seed: int, events: range) -> Primaries:
    """Draw the incident particles of a run of events.

    Args:
        beam: the distributions.
        seed: identity of the set.
        events: numbers of the events, without gaps.
    """
    u = uniform(seed, np.asarray(events), 5, stream=Stream.BEAM, dtype=np.float64)
    numbers = np.array([PARTICLES[name] for name in beam.particles])
    cosines = np.cos(beam.theta[0]), np.cos(beam.theta[1])
    theta = np.arccos(cosines[0] + (cosines[1] - cosines[0]) * u[:, 3])
    conditions = {
        "x": beam.x[0] + (beam.x[1] - beam.x[0]) * u[:, 1],
        "y": beam.y[0] + (beam.y[1] - beam.y[0]) * u[:, 2],
        "theta": np.clip(theta, *beam.theta),
        "phi": beam.phi[0] + (beam.phi[1] - beam.phi[0]) * u[:, 4],
    }
    return Primaries(
        pdg=numbers[(u[:, 0] * len(numbers)).astype(int)],
        energy=draw_energies(beam, seed, events),
        conditions={name: column.astype(np.float32) for name, column in conditions.items()},
    )
