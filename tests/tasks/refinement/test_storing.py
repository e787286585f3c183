"""Every fitted method comes back from its folder as it was, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from simulacra.classify import Clouds, RatioConfig
from simulacra.errors import ArtifactError, ConfigError
from simulacra.tasks.refinement import (
    ConditionalConfig,
    ConditionalReweighter,
    LatentConfig,
    LatentRefiner,
    Learned,
    ParameterReweighter,
    Resampler,
    ResamplerConfig,
    Reweighter,
    ReweighterConfig,
    Transport,
    TransportConfig,
    load_refiner,
)
from simulacra.tasks.refinement.closure import GaussianShift, SignedMixture

TINY = RatioConfig(width=8, hidden=1, epochs=2, networks=2, threads=1)
REFINERS = {
    "weights": lambda: Reweighter(ReweighterConfig(ratio=TINY, largest=3)),
    "conditional": lambda: ConditionalReweighter(ConditionalConfig(ratio=TINY, largest=3)),
    "transport": lambda: Transport(TransportConfig(steps=3, batch=64)),
    "transport at conditions": lambda: Transport(
        TransportConfig(steps=3, batch=64, conditions=1, hidden=2)
    ),
}


@pytest.fixture(scope="module")
def samples():
    return GaussianShift(0.8).draw(300, seed=1)


@pytest.mark.parametrize("name", REFINERS)
def test_a_refiner_comes_back(name, samples, tmp_path) -> None:
    weight = np.where(np.arange(300) % 10, 1.0, -0.5)
    method = REFINERS[name]().fit(*samples, weight, seed=3)
    learned = Learned(("mass", "pt"))
    again, on = load_refiner(method.save(tmp_path / "method", learned))
    assert type(again) is type(method)
    assert (on, again.config) == (learned, method.config)
    for before, after in zip(
        method.refine(samples[0], weight), again.refine(samples[0], weight), strict=True
    ):
        np.testing.assert_array_equal(before, after)


def test_a_resampler_comes_back(tmp_path) -> None:
    x, w = SignedMixture().draw(500, seed=1)
    method = Resampler(ResamplerConfig(ratio=TINY)).fit(x, w, seed=1)
    again = Resampler.load(method.save(tmp_path / "method"))
    before, after = (one.resample(x, seed=2) for one in (method, again))
    np.testing.assert_array_equal(before.kept, after.kept)
    np.testing.assert_array_equal(before.weights, after.weights)


@pytest.mark.parametrize("sets", [False, True])
def test_a_parameter_reweighter_comes_back(sets, tmp_path) -> None:
    rng = np.random.default_rng(1)
    theta = rng.uniform(-1, 1, (400, 2))
    rows = rng.normal(size=(400, 3)) + theta[:, :1]
    base = rng.normal(size=(400, 3))
    if sets:
        mask = np.ones((400, 3), bool)
        rows, base = (Clouds(x[..., None].astype(np.float32), mask) for x in (rows, base))
    method = ParameterReweighter(TINY).fit(base, rows, theta, seed=1)
    found = method.estimate(rows[:100], base[:100])
    plain = ParameterReweighter.load(method.save(tmp_path / "plain"))
    np.testing.assert_array_equal(plain.estimate(rows[:100], base[:100]).errors, found.errors)
    method.calibrate([(found, found.values + 0.1 * i) for i in range(-5, 6)])
    again = ParameterReweighter.load(method.save(tmp_path / "method"))
    np.testing.assert_array_equal(
        method.predict_weights(base, [0.1, 0.2]), again.predict_weights(base, [0.1, 0.2])
    )
    before, after = (one.estimate(rows[:100], base[:100]) for one in (method, again))
    np.testing.assert_array_equal(before.errors, after.errors)
    assert not np.array_equal(before.errors, found.errors)


def test_a_latent_refiner_comes_back_to_its_generator(samples, tmp_path) -> None:
    def doubled(z: torch.Tensor) -> torch.Tensor:
        return 2 * z

    method = LatentRefiner(doubled, 2, LatentConfig(ratio=TINY, proposals=2)).fit(samples[1])
    folder = method.save(tmp_path / "method", generator="doubled")
    again = LatentRefiner.load(folder, {"doubled": doubled}.__getitem__)
    np.testing.assert_array_equal(method.draw(20, seed=1).events, again.draw(20, seed=1).events)
    with pytest.raises(ConfigError, match="only a ratio that `fit` has learned"):
        LatentRefiner(doubled, 2).given(doubled).save(tmp_path / "other", generator="doubled")


@pytest.mark.parametrize("name", REFINERS)
def test_nothing_is_saved_before_it_was_learned(name, tmp_path) -> None:
    with pytest.raises(ConfigError, match="nothing was learned yet"):
        REFINERS[name]().save(tmp_path / "method")
    assert not (tmp_path / "method").exists()


def test_another_kind_is_refused(samples, tmp_path) -> None:
    folder = Reweighter(ReweighterConfig(ratio=TINY)).fit(*samples).save(tmp_path / "method")
    with pytest.raises(ArtifactError, match="expected a transport, found reweighter"):
        Transport.load(folder)
    x, w = SignedMixture().draw(200, seed=1)
    other = Resampler(ResamplerConfig(ratio=TINY)).fit(x, w).save(tmp_path / "resampler")
    with pytest.raises(ArtifactError, match="a method that refines events"):
        load_refiner(other)
