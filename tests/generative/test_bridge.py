"""The bridge on Gaussians: the law given a start, the law of all ends, what is known of both."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from simulacra.batch import Batch, Draws
from simulacra.errors import ConfigError
from simulacra.generative import VectorKit
from simulacra.generative.bridge import Bridge, BridgeConfig
from simulacra.random import Stream, generator

SLOPE, WIDTH = 0.8, 0.5
"""Data x0 = 0.8 x1 + 0.5 n, with a standard normal start x1."""


class _Nothing(nn.Module):
    """What a network is before training: no correction to the normal law."""

    def forward(self, t, x, condition):
        return torch.zeros_like(x)


class _Mended(nn.Module):
    """The correction that training would find if the law that is known were a wrong one."""

    def __init__(self, noise):
        super().__init__()
        self.noise = noise

    def forward(self, t, x, condition):
        walked = self.noise**2 * t[:, None]
        left = 1 / (1 + (1 - t[:, None]) / walked)
        believed = left * (x - t[:, None] * condition) / walked
        right = 1 / (1 / WIDTH**2 + (1 - t[:, None]) / walked)
        mean = right * (SLOPE * condition / WIDTH**2 + (x - t[:, None] * condition) / walked)
        return (mean - believed) * left.rsqrt()


def _pairs(seed=4, events=20_000):
    draws = torch.tensor(generator(seed, Stream.NOISE).normal(size=(events, 2)))
    return SLOPE * draws[:, :1] + WIDTH * draws[:, 1:], draws[:, :1]


def _fitted(config):
    bridge = Bridge(_Nothing(), 1, 1, config).double()
    x, start = _pairs()
    weight = torch.ones(len(x), dtype=torch.float64)
    weight[0], weight[1] = -1.0, 2.0
    return bridge.fit_constants(x, start, weight, Draws(0, 0, len(x)))


def _walk(bridge, start, seed=3):
    noise = generator(seed, Stream.NOISE).normal(size=(len(start), bridge.noise_size))
    drawn = bridge.draw(torch.tensor(start)[:, None], torch.tensor(noise))
    return drawn.numpy()[:, 0]


@pytest.mark.statistical
@pytest.mark.parametrize("steps", [1, 3, 40])
def test_without_a_network_normal_laws_are_drawn_in_any_number_of_steps(steps):
    bridge = _fitted(BridgeConfig(noise=1.0, steps=steps))
    drawn = _walk(bridge, np.full(20_000, 1.5))
    # 5 standard errors of 20,000 events, of the draw and of the fitted moments
    assert drawn.mean() == pytest.approx(SLOPE * 1.5, abs=10 * WIDTH / np.sqrt(20_000))
    assert drawn.std() == pytest.approx(WIDTH, abs=7 * WIDTH / np.sqrt(40_000))


@pytest.mark.statistical
def test_a_network_mends_a_law_that_is_known_wrongly():
    bridge = Bridge(_Mended(1.0), 1, 1, BridgeConfig(steps=400)).double()
    drawn = _walk(bridge, np.full(20_000, 1.5))
    # 5 standard errors of 20,000 events, and 1 % for the length of a step
    assert drawn.mean() == pytest.approx(SLOPE * 1.5, abs=5 * WIDTH / np.sqrt(20_000) + 0.005)
    assert drawn.std() == pytest.approx(WIDTH, abs=5 * WIDTH / np.sqrt(40_000) + 0.01)


@pytest.mark.statistical
def test_who_does_not_see_the_start_draws_the_law_of_all_ends():
    bridge = _fitted(BridgeConfig(noise=1.0, sees_start=False))
    _, starts = _pairs(seed=5)
    ends = _walk(bridge, starts.numpy()[:, 0])
    # 7 standard errors of a width of 20,000 events
    assert ends.std() == pytest.approx(np.hypot(SLOPE, WIDTH), rel=7 / np.sqrt(40_000))


@pytest.mark.statistical
def test_without_noise_only_the_law_of_all_ends_is_right():
    bridge = _fitted(BridgeConfig(noise=0.0, sees_start=False, steps=200))
    _, starts = _pairs(seed=5)
    assert _walk(bridge, starts.numpy()[:, 0]).std() == pytest.approx(
        np.hypot(SLOPE, WIDTH), abs=0.03
    )
    same = _walk(bridge, np.full(10, 1.5))
    assert np.ptp(same) == 0.0  # one start, one end


def test_shorter_steps_come_nearer():
    starts = _pairs(seed=5, events=5000)[1].numpy()[:, 0]
    spreads = [
        _walk(_fitted(BridgeConfig(noise=0.0, sees_start=False, steps=steps)), starts).std()
        for steps in (10, 20, 40, 1000)
    ]
    errors = np.abs(np.array(spreads[:-1]) - spreads[-1])
    # first order: half the step, half the error
    np.testing.assert_allclose(errors[:-1] / errors[1:], 2, rtol=0.25)


def test_the_loss_of_normal_laws_is_one_before_training():
    x, start = _pairs()
    batch = Batch(x, start, torch.ones(len(x)))
    for config in (BridgeConfig(), BridgeConfig(noise=0.0, sees_start=False)):
        loss = _fitted(config).loss(batch, Draws(1, 0, len(x)))
        # a mean of 20,000 squares of normal numbers: 5 standard errors
        assert float(loss.mean()) == pytest.approx(1.0, abs=5 * np.sqrt(2 / 20_000))


def test_what_makes_no_bridge_is_refused():
    with pytest.raises(ConfigError, match="ends at the mean"):
        Bridge(nn.Identity(), 2, 2, BridgeConfig(noise=0.0))
    with pytest.raises(ConfigError, match="a start of 3 numbers"):
        Bridge.from_kit(VectorKit(3, 2), BridgeConfig())
