"""Weights pulled back to noise: exact for a Gaussian, at every condition, blind to derivatives."""

from __future__ import annotations

import numpy as np
import pytest

from simulacra.errors import ArtifactError, ConfigError, RangeError, ShapeError
from simulacra.tasks.refinement import NoiseConfig, NoiseRefiner

EVENTS = 20_000
QUICK = NoiseConfig(width=32, epochs=12, batch=256, learning_rate=3e-3)


def shifted(condition, noise):
    """Return weights that move the first number to a mean of half the condition."""
    move = condition / 2
    return np.exp(move * noise[:, 0] - move**2 / 2)


@pytest.fixture(scope="module")
def fitted() -> NoiseRefiner:
    rng = np.random.default_rng(1)
    noise, condition = rng.normal(size=(EVENTS, 3)), rng.uniform(-1, 1, EVENTS)
    return NoiseRefiner(QUICK).fit(noise, shifted(condition, noise), condition, seed=1)


@pytest.mark.statistical
def test_the_weight_is_the_closed_form(fitted) -> None:
    """The weights' own logarithms are as wide as 0.29; what is not found is below 0.06."""
    rng = np.random.default_rng(2)
    noise, condition = rng.normal(size=(4000, 3)), rng.uniform(-1, 1, 4000)
    true = np.log(shifted(condition, noise))
    assert true.std() > 0.28
    assert np.sqrt(np.mean((fitted.log_weight(noise, condition) - true) ** 2)) < 0.06


@pytest.mark.statistical
@pytest.mark.parametrize("value", [-0.8, 0.8])
def test_noise_is_drawn_at_each_condition(fitted, value) -> None:
    """A mean of half the condition and a width of 1; 4.5 errors and 0.03 of the network."""
    events = 4000
    noise, accepted = fitted.draw(events, np.full(events, value), seed=3)
    assert noise.shape == (events, 3)
    close = 4.5 / np.sqrt(events) + 0.03
    assert np.abs(noise.mean(axis=0) - [value / 2, 0, 0]).max() < close
    assert np.abs(noise.std(axis=0) - 1).max() < close
    assert accepted.mean() > 0.9


def test_an_event_belongs_to_its_seed_and_number(fitted) -> None:
    condition = np.linspace(-1, 1, 10)
    whole, _ = fitted.draw(10, condition, seed=5)
    part, _ = fitted.draw(4, condition[6:], seed=5, first_event=6)
    np.testing.assert_allclose(part, whole[6:], rtol=1e-5, atol=1e-6)
    assert not np.allclose(part, fitted.draw(4, condition[6:], seed=6, first_event=6)[0])


def test_it_comes_back_bit_for_bit(fitted, tmp_path) -> None:
    again = NoiseRefiner.load(fitted.save(tmp_path / "method"))
    condition = np.linspace(-1, 1, 10)
    np.testing.assert_array_equal(
        fitted.draw(10, condition, seed=5)[0], again.draw(10, condition, seed=5)[0]
    )
    with pytest.raises(ConfigError, match="nothing was learned yet"):
        NoiseRefiner().save(tmp_path / "other")
    (tmp_path / "method" / "weights.safetensors").write_bytes(b"")
    with pytest.raises(ArtifactError, match="was changed"):
        NoiseRefiner.load(tmp_path / "method")


def test_a_step_in_the_weights_is_found() -> None:
    """Weights of 2 and 1/2 on the halves of a number are found again."""
    noise = np.random.default_rng(1).normal(size=(4000, 1))
    method = NoiseRefiner(QUICK).fit(noise, np.where(noise[:, 0] > 0, 2.0, 0.5), seed=1)
    low, high = method.log_weight([[-1.0], [1.0]])
    assert high - low == pytest.approx(np.log(4), abs=0.3)


def test_mistakes_are_one_sentence(fitted) -> None:
    noise = np.random.default_rng(1).normal(size=(50, 2))
    with pytest.raises(ConfigError, match="call `fit`"):
        NoiseRefiner().draw(3, seed=1)
    with pytest.raises(RangeError, match="resample negative weights first"):
        NoiseRefiner().fit(noise, np.where(np.arange(50) == 3, -1.0, 1.0))
    with pytest.raises(ShapeError, match="one for each of 50 events"):
        NoiseRefiner().fit(noise, np.ones(49))
    with pytest.raises(ShapeError, match="expected one row for each of 50 events, got 49"):
        NoiseRefiner().fit(noise, np.ones(50), np.ones(49))
    with pytest.raises(ShapeError, match="expected 1 features as learned, got 0"):
        fitted.draw(3, seed=1)
