from __future__ import annotations

import numpy as np
import pytest

from simulacra.data import ToyShowers, geometry, toy_geometry
from simulacra.errors import RangeError

EVENTS = 20_000


@pytest.mark.statistical
def test_means_are_the_stated_ones():
    """All 60 voxels within 5 sigma: false alarms below 60 x 6e-7 = 4e-5."""
    toy = ToyShowers(toy_geometry(), fractions=(0.2, 0.5, 0.25))
    showers = toy.sample(np.full(EVENTS, 2000.0), seed=1)
    error = showers.energies.std(axis=0) / np.sqrt(EVENTS)
    pull = (showers.energies.mean(axis=0) - toy.mean_energies(2000.0)) / error
    assert np.abs(pull).max() < 5


@pytest.mark.statistical
def test_layers_have_the_stated_mean_and_width():
    """Three layers, mean and width each within 5 sigma: false alarms below 4e-6."""
    toy = ToyShowers(toy_geometry(), fractions=(0.2, 0.5, 0.25), spread=0.3)
    layers = toy.sample(np.full(EVENTS, 2000.0), seed=2).layer_energies()
    width = toy.layer_deviation(2000.0)
    pull = (layers.mean(axis=0) - toy.layer_mean(2000.0)) / (width / np.sqrt(EVENTS))
    assert np.abs(pull).max() < 5
    centred = layers - layers.mean(axis=0)
    error_of_variance = np.sqrt(((centred**2 - width**2) ** 2).mean(axis=0) / EVENTS)
    assert (np.abs((centred**2).mean(axis=0) - width**2) < 5 * error_of_variance).all()


def test_means_add_up_to_the_layers():
    toy = ToyShowers(geometry("calochallenge-1-pions"))
    starts = toy.geometry.boundaries[:-1]
    np.testing.assert_allclose(
        np.add.reduceat(toy.mean_energies(500.0), starts), toy.layer_mean(500.0), rtol=1e-12
    )
    np.testing.assert_allclose(toy.mean_energies(500.0).sum(), 500.0, rtol=1e-12)


def test_the_profile_by_hand():
    """Two rings of 10 mm at lambda = 10 mm: (1 - 1/e) and (1/e - 1/e^2), normalised."""
    toy = ToyShowers(toy_geometry(1, 2, 2), radial_length=10.0)
    inner, outer = 1 - np.exp(-1), np.exp(-1) - np.exp(-2)
    expected = np.array([inner, outer, inner, outer]) / (2 * (inner + outer))
    np.testing.assert_allclose(toy.profile, expected, rtol=1e-12)


def test_a_seed_decides_everything():
    toy = ToyShowers(toy_geometry())
    a, b = toy.log_uniform(5, seed=1), toy.log_uniform(5, seed=1)
    np.testing.assert_array_equal(a.energies, b.energies)
    assert (a.energies != toy.log_uniform(5, seed=2).energies).any()
    assert ((a.incident_energy >= 1e3) & (a.incident_energy < 64e3)).all()


def test_small_concentration_makes_sparse_showers():
    dense = ToyShowers(toy_geometry(), concentration=1000.0).log_uniform(50, seed=1)
    sparse = ToyShowers(toy_geometry(), concentration=0.5).log_uniform(50, seed=1)
    assert np.isfinite(sparse.energies).all()
    cut = dense.geometry.threshold
    assert (sparse.energies > cut).mean() < 0.5 < (dense.energies > cut).mean()


@pytest.mark.parametrize(
    "wrong", [{"fractions": (1.0,)}, {"radial_length": 0.0}, {"concentration": 0.0}, {"spread": -1}]
)
def test_toys_without_a_distribution(wrong):
    with pytest.raises(RangeError):
        ToyShowers(toy_geometry(), **wrong)
