"""A small calorimeter and an executor that works in this process, for the tests of simulating."""

from __future__ import annotations

import json
from concurrent.futures import Executor, Future

import numpy as np

from simulacra.simulate import Beam, Calorimeter, Ring, Rings, Setup, Slab, Stack
from simulacra.simulate.beam import draw_primaries
from simulacra.simulate.geant4 import Showers
from simulacra.simulate.voxels import Voxels
from simulacra.simulate.workers import Work


def small_setup(**readout) -> Setup:
    """Four layers of lead and argon, 3 x 4 x 3 voxels, electrons of 50 to 200 MeV."""
    layer = Ring(depth=16.0, r_edges=(0.0, 10.0, 30.0, 100.0), n_alpha=4)
    settings = {"layers": (layer,), "repeat": 3, "sampling_fraction": 0.2, **readout}
    return Setup(
        calorimeter=Calorimeter(
            name="small",
            width=300.0,
            stacks=(
                Stack(
                    slabs=(
                        Slab(material="G4_Pb", thickness=2.0),
                        Slab(material="G4_lAr", thickness=10.0, active=True),
                    ),
                    repeat=4,
                ),
            ),
            readout=Rings(**settings),
        ),
        beam=Beam(particles=("e-",), energy=(50.0, 200.0)),
    )


class Inline(Executor):
    """Works at once, in this process; counts what it was given."""

    def __init__(self) -> None:
        self.calls = 0

    def submit(self, work, /, *arguments, **more):
        self.calls += 1
        future: Future = Future()
        try:
            future.set_result(work(*arguments, **more))
        except Exception as error:
            future.set_exception(error)
        return future


def invented_showers(work: Work):
    """Stand in for Geant4: every voxel has the event's energy times its own number."""
    setup = Setup.from_dict(json.loads(work.setup))
    primaries = draw_primaries(setup.beam, work.seed, range(work.first, work.stop))
    count = Voxels.of(setup.calorimeter).count
    energies = primaries.energy[:, None] * np.arange(1, count + 1) / count**2
    energies = (energies / work.sampling_fraction).astype(np.float32)
    return Showers(energies, primaries, 0.1, 0.001, 10.0, 1.0), "Geant4 0 through calzone 0"
