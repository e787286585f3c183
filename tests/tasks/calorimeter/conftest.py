"""A surrogate of toy showers, trained for a second, for every test of the room."""

from __future__ import annotations

import pytest
from tiny_surrogate import TINY

from simulacra.data import ToyShowers, VoxelShowers, toy_geometry
from simulacra.tasks.calorimeter import Surrogate


@pytest.fixture(scope="session")
def toy_showers() -> VoxelShowers:
    return ToyShowers(toy_geometry()).log_uniform(600, seed=1)


@pytest.fixture(scope="session")
def tiny(toy_showers, tmp_path_factory) -> Surrogate:
    surrogate = Surrogate(TINY).fit(toy_showers, seed=3)
    surrogate.save(tmp_path_factory.mktemp("models") / "tiny")
    return surrogate
