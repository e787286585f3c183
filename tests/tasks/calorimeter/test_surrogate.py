"""Surrogate: sklearn habits, one folder, no shower that depends on how it was asked for."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from tiny_surrogate import TINY

from simulacra.data import VoxelShowers, write_showers
from simulacra.errors import (
    ArtifactError,
    ConfigError,
    FileFormatError,
    RangeError,
    ShapeError,
    UnitError,
    UnknownNameError,
)
from simulacra.random import NOISE_LAW
from simulacra.tasks.calorimeter import RECIPES, Surrogate, SurrogateConfig, recipe


def _energies(surrogate, events=40):
    low, high = surrogate.manifest["validity"]["ranges"]["incident_energy"]
    return np.geomspace(low, high, events)


def test_constructing_reads_and_writes_nothing():
    with pytest.raises(ArtifactError, match="not trained yet"):
        Surrogate("photons").sample([2000.0])


def test_showers_have_conditions_geometry_and_provenance(tiny, toy_showers):
    drawn = tiny.sample(_energies(tiny), seed=2)
    assert drawn.energies.shape == (40, toy_showers.geometry.voxels)
    assert drawn.geometry == toy_showers.geometry
    assert drawn.provenance["noise_law"] == NOISE_LAW
    assert np.isfinite(drawn.energies).all()
    assert (drawn.energies >= 0).all()


@pytest.mark.parametrize("batch", [1, 7, 8, 33])
def test_batches_change_nothing(tiny, batch):
    energy = _energies(tiny)
    whole = tiny.sample(energy, seed=2).energies
    pieces = [
        tiny.sample(energy[a : a + batch], seed=2, first_event=a).energies
        for a in range(0, len(energy), batch)
    ]
    assert_array_equal(np.concatenate(pieces), whole)


def test_workers_change_nothing(tiny):
    energy = _energies(tiny)
    assert_array_equal(
        tiny.sample(energy, seed=2, workers=3).energies, tiny.sample(energy, seed=2).energies
    )


def test_the_seed_changes_everything(tiny):
    energy = _energies(tiny)
    assert not np.allclose(
        tiny.sample(energy, seed=2).energies, tiny.sample(energy, seed=2 + 2**32).energies
    )


def test_a_loaded_model_draws_the_same_showers(tiny, tmp_path):
    tiny.save(tmp_path / "m")
    loaded = Surrogate.load(tmp_path / "m")
    energy = _energies(tiny)
    assert_array_equal(loaded.sample(energy).energies, tiny.sample(energy).energies)
    assert loaded.config == tiny.config
    assert_array_equal(loaded.training_keys, np.sort(tiny.training_keys))


def test_half_precision_is_what_the_trained_object_holds_after_saving(toy_showers, tmp_path):
    surrogate = Surrogate(TINY.updated(half_precision=True)).fit(toy_showers, seed=3)
    surrogate.save(tmp_path / "m")
    energy = _energies(surrogate)
    assert_array_equal(
        Surrogate.load(tmp_path / "m").sample(energy).energies, surrogate.sample(energy).energies
    )


def test_training_is_repeatable(tiny, toy_showers):
    again = Surrogate(TINY).fit(toy_showers, seed=3)
    energy = _energies(tiny)
    assert_array_equal(again.sample(energy).energies, tiny.sample(energy).energies)


@pytest.mark.parametrize("energy", [1.0, 1e9, np.nan])
def test_energies_outside_the_range_are_refused(tiny, energy):
    with pytest.raises(RangeError, match=r"trained from .* 1 of 2 showers lie outside"):
        tiny.sample([_energies(tiny)[3], energy])
    if np.isfinite(energy):
        assert len(tiny.sample([energy], extrapolate=True)) == 1


def test_conditions_must_be_those_of_the_model(tiny):
    with pytest.raises(ConfigError, match="depends on the energy alone, got theta"):
        tiny.sample([2000.0], {"theta": [0.1]})


def test_a_further_condition_is_learned_and_asked_for(toy_showers, tmp_path):
    theta = np.linspace(0, 0.3, len(toy_showers)).astype(np.float32)
    tilted = VoxelShowers(
        toy_showers.energies,
        toy_showers.incident_energy,
        toy_showers.geometry,
        conditions={"theta": theta},
    )
    config = TINY.updated(
        conditions=["theta"], model={**TINY.model.to_dict(), "equivariant": False}
    )
    surrogate = Surrogate(config).fit(tilted)
    energy = _energies(surrogate, 9)
    one = surrogate.sample(energy, {"theta": np.full(9, 0.1)})
    other = surrogate.sample(energy, {"theta": np.full(9, 0.2)})
    assert one.conditions["theta"][0] == np.float32(0.1)
    assert not np.allclose(one.energies, other.energies)
    with pytest.raises(ConfigError, match="depends on theta, got none"):
        surrogate.sample(energy)
    with pytest.raises(ShapeError, match="one number per shower"):
        surrogate.sample(energy, {"theta": [0.1]})
    with pytest.raises(RangeError, match=r"theta: the model was trained from 0 to 0\.3"):
        surrogate.sample(energy, {"theta": np.full(9, 0.5)})
    with pytest.raises(ConfigError, match="the recipe depends on theta, which the file does not"):
        Surrogate(config).fit(toy_showers)


def test_a_direction_and_the_symmetry_exclude_each_other():
    with pytest.raises(ConfigError, match=r"need model\.equivariant=false"):
        TINY.updated(conditions=["theta"])


def test_the_edge_of_a_sample_is_not_the_edge_of_its_spectrum(tiny):
    low, high = tiny.manifest["validity"]["ranges"]["incident_energy"]
    assert len(tiny.sample([0.995 * low, 1.005 * high])) == 2
    with pytest.raises(RangeError):
        tiny.sample([0.98 * low])
    with pytest.raises(RangeError):
        tiny.sample([1.02 * high])


def test_weights_reach_the_training(tiny, toy_showers):
    weight = np.where(np.arange(len(toy_showers)) % 2, 1.5, 0.5)
    weighted = VoxelShowers(
        toy_showers.energies, toy_showers.incident_energy, toy_showers.geometry, weight=weight
    )
    energy = _energies(tiny)
    again = Surrogate(TINY).fit(weighted, seed=3)
    assert not np.allclose(again.sample(energy).energies, tiny.sample(energy).energies)


def test_files_that_are_no_training_data_are_refused(toy_showers, tmp_path):
    def file(energies, incident=None):
        path = tmp_path / "bad.hdf5"
        incident = toy_showers.incident_energy if incident is None else incident
        write_showers(path, VoxelShowers(energies, incident, toy_showers.geometry))
        return path

    broken = toy_showers.energies.copy()
    broken[5, 3] = -1e-9
    with pytest.raises(FileFormatError, match="negative"):
        Surrogate(TINY).fit(file(broken))
    with pytest.raises(UnitError, match="GeV"):
        Surrogate(TINY).fit(file(toy_showers.energies / 1000))
    with pytest.raises(RangeError, match="at least one batch"):
        Surrogate(TINY).fit(toy_showers.select(slice(0, 20)))


def test_the_manifest_says_what_it_is_valid_for_and_trained_on(tiny, toy_showers):
    manifest = tiny.manifest
    assert manifest["training"]["events"] == len(toy_showers)
    low, high = manifest["validity"]["ranges"]["incident_energy"]
    assert low == pytest.approx(toy_showers.incident_energy.min())
    assert high == pytest.approx(toy_showers.incident_energy.max())
    assert_array_equal(np.sort(tiny.training_keys), np.sort(toy_showers.event_keys()))


@pytest.mark.parametrize("name", RECIPES)
def test_recipes_are_whole_configurations(name, tmp_path):
    config = recipe(name)
    assert config.name == name
    assert SurrogateConfig.from_dict(config.to_dict()) == config
    (tmp_path / "c.yaml").write_text(config.to_yaml())
    assert SurrogateConfig.from_yaml(tmp_path / "c.yaml") == config


def test_an_unknown_recipe_is_named():
    with pytest.raises(UnknownNameError, match="Did you mean `photons`"):
        recipe("photos")


def test_a_checkpoint_of_another_model_is_refused(toy_showers, tmp_path):
    Surrogate(TINY).fit(toy_showers, folder=tmp_path)
    for change in ({"channels": 8}, {"shape_weight": 2.0}):
        other = TINY.updated(model={**TINY.model.to_dict(), **change})
        with pytest.raises(ArtifactError, match="other settings, data or seed"):
            Surrogate(other).fit(toy_showers, folder=tmp_path, resume=True)


def test_resuming_a_finished_training_changes_nothing(toy_showers, tmp_path):
    done = Surrogate(TINY).fit(toy_showers, folder=tmp_path)
    again = Surrogate(TINY).fit(toy_showers, folder=tmp_path, resume=True)
    assert again.history == done.history
    assert_array_equal(_energies(again), _energies(done))


def test_another_tile_is_the_same_law_with_other_last_digits(tiny, tmp_path):
    other = Surrogate.load(tiny.save(tmp_path / "model"))
    other.retile(3)
    energies = np.full(40, 2000.0)
    one, two = (
        s.sample(energies, seed=1).energies for s in (Surrogate.load(tmp_path / "model"), other)
    )
    # a voxel at the threshold may fall on the other side of it
    assert np.isclose(one, two, rtol=1e-3, atol=1e-2).mean() > 0.99
    assert Surrogate.load(other.save(tmp_path / "other")).manifest["tile"] == 3
    with pytest.raises(ConfigError):
        other.retile(0)
