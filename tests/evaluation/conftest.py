"""Toy showers: small, with empty layers and voxels, in any geometry."""

import numpy as np
import pytest

from simulacra.data import Geometry, Layer, VoxelShowers, geometry

PHOTONS = geometry("calochallenge-1-photons")
SMALL = Geometry(
    name="small",
    particle="photon",
    pdg=22,
    layers=(
        Layer(0, (0.0, 5.0, 20.0), 1),
        Layer(1, (0.0, 2.0, 5.0, 11.0), 4),
        Layer(12, (0.0, 10.0, 40.0), 3),
    ),
    threshold=1.0,
)


def toy_showers(events, *, seed=0, detector=SMALL, dtype=np.float32, weight=None):
    """Return showers whose mean falls with the radius; every tenth layer is empty."""
    rng = np.random.default_rng(seed)
    incident = np.exp(rng.uniform(np.log(1e3), np.log(6.4e4), events))
    shape = np.exp(-detector.radius / 30) / np.sqrt(detector.radius)
    raw = shape * rng.gamma(0.7, size=(events, detector.voxels))
    for part in detector.slices:
        raw[rng.random(events) < 0.1, part] = 0
    response = rng.normal(1, 0.05, (events, 1))
    energies = response * incident[:, None] * raw / (raw.sum(1, keepdims=True) + 1e-9)
    return VoxelShowers(energies.astype(dtype), incident.astype(dtype), detector, weight=weight)


@pytest.fixture(scope="session")
def small():
    return SMALL


@pytest.fixture(scope="session")
def photons():
    return PHOTONS


@pytest.fixture(scope="session")
def toy():
    return toy_showers
