"""Pions: layers that stay empty or are crossed, in a layout whose layers have 10 sectors or one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from simulacra.data import ToyShowers, VoxelShowers, geometry
from simulacra.tasks.calorimeter import RECIPES, Surrogate, recipe


def _late(events: int, seed: int) -> VoxelShowers:
    """Showers of which a third has nothing in layer 1, and another third a single voxel there."""
    where, draw = geometry("calochallenge-1-pions"), np.random.default_rng(seed)
    whole = ToyShowers(where).log_uniform(events, seed=seed)
    energies, kind = whole.energies.copy(), draw.integers(3, size=events)
    first = where.slices[1]
    energies[:, first] *= (kind == 0)[:, None]
    energies[kind == 1, first.start] = 90.0
    return replace(whole, energies=energies)


@pytest.fixture(scope="module")
def drawn() -> tuple[VoxelShowers, VoxelShowers]:
    truth = _late(600, seed=1)
    given = recipe("pions")
    part = {"family": "coupling_flow", "couplings": 4, "depth": 1, "bins": 6}
    model = given.model.updated(channels=6, width=12, energy_width=32, shape=part, energy=part)
    training = given.training.updated(epochs=5, batch_size=64, warmup_steps=10)
    tiny = given.updated(model=model.to_dict(), training=training.to_dict())
    surrogate = Surrogate(tiny).fit(truth, seed=1)
    return truth, surrogate.sample(truth.incident_energy, {}, seed=2)


def test_the_recipe_is_whole():
    config = recipe("pions")
    assert (RECIPES["pions"]().name, config.model.spectra) == ("pions", "layer")
    assert type(config).from_dict(config.to_dict()) == config


def test_nothing_impossible_is_drawn(drawn):
    truth, showers = drawn
    threshold = truth.geometry.threshold
    assert np.isfinite(showers.energies).all()
    filled = showers.energies[showers.energies > 0]
    assert filled.min() >= threshold * (1 - 1e-4)


def test_layers_are_as_often_empty_and_crossed_ones_as_dark(drawn):
    truth, showers = drawn
    part = truth.geometry.slices[1]
    empty, dark = [], []
    for sample in (truth, showers):
        layer = np.where(sample.energies[:, part] >= truth.geometry.threshold, 1.0, 0.0)
        total = sample.energies[:, part].sum(axis=1)
        empty.append((total < 1).mean())
        crossed = (total > 85) & (total < 95)
        dark.append(layer[crossed].sum(axis=1).mean())
    assert abs(empty[1] - empty[0]) < 0.1  # 4 errors of 600 showers each
    assert dark[1] < 3 * dark[0]
