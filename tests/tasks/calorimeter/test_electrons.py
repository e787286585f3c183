"""The recipes for layers of one shape, end to end on toy showers, with networks of a second."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from simulacra.tasks.calorimeter import Surrogate, recipe

RECIPES = ("electrons-copula", "electrons", "electrons-mean-flow", "electrons-layers")


def _tiny(name):
    config = recipe(name)
    model = config.model.updated(
        channels=4,
        blocks=1,
        width=8,
        energy_width=8,
        energy_blocks=1,
        slab=min(config.model.slab, 1),
    )
    training = config.training.updated(epochs=1, batch_size=64)
    return config.updated(tile=8, model=model.to_dict(), training=training.to_dict())


@pytest.fixture(scope="module", params=RECIPES)
def surrogate(request, toy_showers):
    return Surrogate(_tiny(request.param)).fit(toy_showers, seed=1)


def test_showers_are_physics(surrogate):
    drawn = surrogate.sample(np.geomspace(2000.0, 50000.0, 40), seed=2)
    assert np.isfinite(drawn.energies).all()
    filled = drawn.energies[drawn.energies != 0]
    assert (filled >= drawn.geometry.threshold * (1 - 1e-5)).all()
    assert len(filled) > 0


def test_a_shower_is_the_same_in_any_batch(surrogate):
    energies = np.geomspace(2000.0, 50000.0, 11)
    whole = surrogate.sample(energies, seed=3).energies
    part = surrogate.sample(energies[5:8], seed=3, first_event=5).energies
    assert_array_equal(part, whole[5:8])


def test_it_is_stored_and_draws_the_same(surrogate, tmp_path):
    """Covariances are rounded when they are stored: what is held is what others load."""
    surrogate.save(tmp_path / "model")
    loaded = Surrogate.load(tmp_path / "model")
    energies = np.geomspace(2000.0, 50000.0, 9)
    assert_array_equal(
        loaded.sample(energies, seed=4).energies, surrogate.sample(energies, seed=4).energies
    )
