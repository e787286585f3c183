"""Geant4 itself, through the optional package ``calzone``; for a process of its own.

Geant4 keeps global state, ends its process on a fatal error and reads environment variables. So
:mod:`simulacra.simulate.run` runs it in other processes than the caller's.

Sources: S. Agostinelli et al., "Geant4: a simulation toolkit", 2003,
doi:10.1016/S0168-9002(03)01368-8; V. Niess, "Calzone", https://github.com/niess/calzone.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError, DependencyError, SimulationError, suggestion
from ..random import Stream, words
from ..units import cm, mm
from .beam import Primaries, draw_primaries
from .calorimeter import Calorimeter
from .setup import Setup
from .tables import Tables, provide_elements
from .voxels import Voxels, rotations

__all__ = ["Geant4", "Showers", "transport_indices", "volumes"]

Array = NDArray[Any]
FloatArray = NDArray[np.float64]

_WORLD_MARGIN = 100.0  # mm of vacuum around the plates
_GUN_DISTANCE = 10.0  # mm before the face
_NUDGE = 1e-6  # of a step: its end lies inside the slab that it crossed, not on the boundary
_MOST_DATA_SETS = 32
_MEV_AT_ONCE = 100_000.0  # about 10 to 40 MB of steps

_COMMON_MATERIALS = (
    *("G4_Al", "G4_AIR", "G4_BGO", "G4_BRASS", "G4_CESIUM_IODIDE", "G4_Cu", "G4_Fe", "G4_Galactic"),
    *("G4_GLASS_LEAD", "G4_lAr", "G4_lKr", "G4_lXe", "G4_Pb", "G4_PbWO4", "G4_POLYSTYRENE"),
    *("G4_PLASTIC_SC_VINYLTOLUENE", "G4_Si", "G4_SODIUM_IODIDE", "G4_STAINLESS-STEEL", "G4_U"),
    *("G4_W", "G4_WATER"),
)


@dataclass(frozen=True, eq=False)
class Showers:
    """Simulated showers of a run of events.

    Args:
        energies: of the voxels in MeV, divided by the sampling fraction, float32, shape
            ``(events, voxels)``.
        primaries: the incident particles.
        transport_seconds: processor time of Geant4.
        filling_seconds: processor time from its steps to the voxels.
        recorded: sum of the deposits that were read out, in MeV.
        outside: the part of them that lay outside the voxels, in MeV.
    """

    energies: Array
    primaries: Primaries
    transport_seconds: float
    filling_seconds: float
    recorded: float
    outside: float

    @classmethod
    def joined(cls, parts: Iterable[Showers]) -> Showers:
        """Join runs of events that follow each other; at least one."""
        several = list(parts)
        primaries = Primaries(
            pdg=np.concatenate([part.primaries.pdg for part in several]),
            energy=np.concatenate([part.primaries.energy for part in several]),
            conditions={
                name: np.concatenate([part.primaries.conditions[name] for part in several])
                for name in several[0].primaries.conditions
            },
        )
        return cls(
            energies=np.concatenate([part.energies for part in several]),
            primaries=primaries,
            transport_seconds=sum(part.transport_seconds for part in several),
            filling_seconds=sum(part.filling_seconds for part in several),
            recorded=sum(part.recorded for part in several),
            outside=sum(part.outside for part in several),
        )


@dataclass(frozen=True, eq=False)
class _Steps:
    """Deposits of one slab: event, energy in MeV, and where in mm, shape ``(steps, 3)``."""

    slab: int
    event: NDArray[np.int64]
    energy: FloatArray
    place: FloatArray


class Geant4:
    """Geant4 with one setup, in this process.

    Args:
        setup: calorimeter, physics and beam.
        tables: Geant4's tables; rendered ones are made where they are missing.
        record_all: read out every slab, whatever the setup says.

    Raises:
        DependencyError: if calzone is not installed.
        ConfigError: if a material is not known, or tables are missing for it.
        OutputError: if rendered tables cannot be written.
    """

    def __init__(self, setup: Setup, tables: Tables, *, record_all: bool = False) -> None:
        calzone = _calzone(tables)
        self.setup = setup
        calorimeter = setup.calorimeter
        everything = record_all or calorimeter.readout.deposits == "all"
        self._slabs = tuple(
            place for place, slab in enumerate(calorimeter.slabs) if everything or slab.active
        )
        provide_elements(tables, _elements(calzone, calorimeter))
        self._voxels = Voxels.of(calorimeter)
        self._calzone = calzone
        self._simulation = calzone.Simulation(
            calzone.Geometry(volumes(calorimeter, recorded=self._slabs))
        )
        physics = setup.physics
        self._simulation.physics = calzone.Physics(
            physics.electromagnetic,
            default_cut=physics.production_cut / cm,
            had_model=None if physics.hadronic == "none" else physics.hadronic,
        )
        self._simulation.random = calzone.Random(0)
        self._simulation.sample_deposits = "detailed"
        self._simulation.sample_particles = False

    @property
    def version(self) -> str:
        """Which Geant4 this is, and by way of which package."""
        return f"Geant4 {self._calzone.GEANT4_VERSION} through calzone {self._calzone.VERSION}"

    def showers(self, seed: int, events: range, *, sampling_fraction: float) -> Showers:
        """Simulate the showers of some events; each is a function of (seed, event) alone.

        Args:
            seed: identity of the set.
            events: numbers of the events, without gaps, at least one.
            sampling_fraction: deposits are divided by it.

        Raises:
            SimulationError: if Geant4 gives up.
        """
        parts = []
        for run in self._batches(seed, events):
            primaries = draw_primaries(self.setup.beam, seed, run)
            start = time.thread_time()
            result = self._transported(primaries, transport_indices(seed, run))
            middle = time.thread_time()
            summed, recorded = self._filled(primaries, self._steps(result))
            energies = (summed / sampling_fraction).astype(np.float32)
            end = time.thread_time()
            outside = recorded - float(summed.sum())
            seconds = middle - start, end - middle
            parts.append(Showers(energies, primaries, *seconds, recorded, max(outside, 0.0)))
        return Showers.joined(parts)

    def active_share(self, primaries: Primaries, indices: Array) -> float:
        """Return which share of all deposits lies in active slabs; needs ``record_all``.

        Args:
            primaries: incident particles.
            indices: places in the stream of random numbers, see :func:`transport_indices`.

        Raises:
            SimulationError: if Geant4 gives up or nothing is deposited.
        """
        slabs = self.setup.calorimeter.slabs
        active = total = 0.0
        for steps in self._steps(self._transported(primaries, indices)):
            energy = float(steps.energy.sum())
            total += energy
            active += energy if slabs[steps.slab].active else 0.0
        if not active:
            raise SimulationError(
                f"{self.setup.calorimeter.name}: electrons of 10 GeV deposit nothing in the active "
                "slabs; is there material before them that stops everything?"
            )
        return active / total

    def _batches(self, seed: int, events: range) -> Iterator[range]:
        """Cut a run of events so that the steps of one piece fit into memory."""
        energy = draw_primaries(self.setup.beam, seed, events).energy
        first, held = events.start, 0.0
        for event, one in zip(events, energy.tolist(), strict=True):
            if held + one > _MEV_AT_ONCE and event > first:
                yield range(first, event)
                first, held = event, 0.0
            held += one
        yield range(first, events.stop)

    def _transported(self, primaries: Primaries, indices: Array) -> Any:
        direction = primaries.direction
        particles = self._calzone.particles(len(primaries))
        particles["pid"] = primaries.pdg
        particles["energy"] = primaries.energy
        particles["direction"] = direction
        before = direction * (_GUN_DISTANCE / direction[:, 2:])
        particles["position"] = (primaries.impact - before) * (mm / cm)
        for _ in range(_MOST_DATA_SETS):
            try:
                return self._simulation.run(particles, random_indices=indices)
            except self._calzone.Geant4Exception as error:
                raise SimulationError(f"Geant4 gave up: {' '.join(str(error).split())}") from None
            except FileNotFoundError as error:
                _provide_folder(error)
        raise SimulationError("calzone asks for more folders of tables than Geant4 has data sets.")

    def _steps(self, result: Any) -> Iterator[_Steps]:
        """Yield the deposits slab by slab, so that sums do not depend on what ran together."""
        at_end = self.setup.calorimeter.readout.deposit_at == "end"
        back = _NUDGE if at_end else 0.5
        for slab in self._slabs:
            found = result.get(_path(slab))
            if found is None:
                continue
            line, point = found.line, found.point
            place = line["end"] + back * (line["start"] - line["end"])
            yield _Steps(
                slab,
                np.concatenate([line["event"], point["event"]]).astype(np.int64),
                np.concatenate([line["value"], point["value"]]),
                np.concatenate([place, point["position"]]) * (cm / mm),
            )

    def _filled(self, primaries: Primaries, steps: Iterable[_Steps]) -> tuple[FloatArray, float]:
        """Return energies per event and voxel in MeV, and the sum of all deposits."""
        several = list(steps)
        events = len(primaries)
        if not several:
            return np.zeros((events, self._voxels.count)), 0.0
        event = np.concatenate([one.event for one in several])
        energy = np.concatenate([one.energy for one in several])
        place = np.concatenate([one.place for one in several])
        if self.setup.calorimeter.readout.axis == "particle":
            moved = place - primaries.impact[event]
            frames = rotations(primaries.direction)[event]
            place = np.einsum("sij,sj->si", frames, moved)
        voxel = self._voxels.find(place[:, 0], place[:, 1], place[:, 2])
        return self._voxels.fill(events, event, voxel, energy), float(energy.sum())


def transport_indices(seed: int, events: range) -> NDArray[np.uint64]:
    """Return where in Geant4's stream of random numbers each event begins, ``(events, 2)``.

    The 128-bit place is drawn from the event's own stream of the noise law. Two events of a set
    of 1e9 share numbers with a probability below 1e-10, because the stream has a period of 2^126
    and a shower of a TeV uses less than 1e9 of them.

    Args:
        seed: identity of the set.
        events: numbers of the events, without gaps.
    """
    word = words(seed, np.asarray(events), 4, stream=Stream.TRANSPORT).astype(np.uint64)
    high, low = (word[:, i] << np.uint64(32) | word[:, i + 1] for i in (0, 2))
    return np.ascontiguousarray(np.stack([high, low], axis=1))


def volumes(calorimeter: Calorimeter, *, recorded: Iterable[int]) -> dict[str, Any]:
    """Return the calorimeter in calzone's words: boxes in a vacuum, lengths in cm.

    Args:
        calorimeter: the slabs.
        recorded: numbers of those whose deposits are wanted.
    """
    wanted = set(recorded)
    side, margin = calorimeter.width, _WORLD_MARGIN
    across = side + 2 * margin
    along = 2 * (calorimeter.depth + margin)
    world: dict[str, Any] = {"box": _cm(across, across, along), "material": "G4_Galactic"}
    edges = calorimeter.slab_edges
    for place, slab in enumerate(calorimeter.slabs):
        volume: dict[str, Any] = {
            "box": _cm(side, side, slab.thickness),
            "position": _cm(0.0, 0.0, (edges[place] + edges[place + 1]) / 2),
            "material": slab.material,
        }
        if place in wanted:
            volume["role"] = "record_deposits"
        world[_name(place)] = volume
    return {"World": world}


def _cm(*lengths: float) -> list[float]:
    return [length * (mm / cm) for length in lengths]


def _name(slab: int) -> str:
    return f"Slab{slab}"


def _path(slab: int) -> str:
    return f"World.{_name(slab)}"


def _provide_folder(error: FileNotFoundError) -> None:
    """Make the empty folder that calzone looks for before it lets Geant4 read its variables."""
    match = re.search(r"missing folder: (.+?)\)?$", str(error))
    base = os.environ["GEANT4_DATA_DIR"]
    if match is None or not match.group(1).startswith(base):
        raise SimulationError(f"calzone did not find Geant4's tables: {error}") from None
    Path(match.group(1)).mkdir(parents=True, exist_ok=True)


def _calzone(tables: Tables) -> Any:
    """Import calzone after Geant4's environment is set."""
    os.environ.update(tables.environment)
    try:
        import calzone
    except ImportError as error:
        raise DependencyError(
            f"simulating needs the package calzone, which brings Geant4 ({error}); "
            "pip install 'simulacra[geant4]'."
        ) from None
    return calzone


def _elements(calzone: Any, calorimeter: Calorimeter) -> dict[int, str]:
    """Return the atomic numbers in the calorimeter, each with a material that holds it."""
    symbols = _ELEMENTS.split()
    found = {1: "G4_Galactic"}
    for material in calorimeter.materials:
        described = calzone.describe(material=material)
        if described is None or not material.startswith("G4_"):
            raise ConfigError(
                f"{calorimeter.name}: there is no material {material!r} in Geant4's NIST database."
                f"{suggestion(material, _COMMON_MATERIALS)} Names are such as G4_Pb, G4_lAr, "
                "G4_POLYSTYRENE."
            )
        for symbol, _ in described.composition:
            found.setdefault(symbols.index(symbol) + 1, material)
    return found


_ELEMENTS = (
    "H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As "
    "Se Br Kr Rb Sr Y Zr Nb Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe Cs Ba La Ce Pr Nd Pm Sm Eu "
    "Gd Tb Dy Ho Er Tm Yb Lu Hf Ta W Re Os Ir Pt Au Hg Tl Pb Bi Po At Rn Fr Ra Ac Th Pa U Np "
    "Pu Am Cm Bk Cf "
)
"""Symbols in the order of atomic numbers."""
