"""The bridge on Gaussians: conditional law with noise, law of all ends without."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from simulacra.errors import ConfigError
from simulacra.generative import VectorKit
from simulacra.generative.bridge import Bridge, BridgeConfig
from simulacra.random import Stream, generator

SLOPE, WIDTH = 0.8, 0.5
"""Data x0 = 0.8 x1 + 0.5 n: the mean of x0 given x_t (and x1) is linear, so that f is known."""


class _Exact(nn.Module):
    """The function that training would find, in closed form."""

    def __init__(self, noise, sees_start):
        super().__init__()
        self.noise, self.sees_start = noise, sees_start

    def forward(self, t, x, condition):
        t = t[:, None]
        variance = self.noise**2 * t * (1 - t)
        if self.sees_start:
            # x_t - t x1 - (1 - t) 0.8 x1 = (1 - t) 0.5 n + noise
            middle = SLOPE * condition[:, :1]
            rest = x - t * condition[:, :1] - (1 - t) * middle
            gain = (1 - t) * WIDTH**2 / ((1 - t) ** 2 * WIDTH**2 + variance + 1e-12)
            mean = middle + gain * rest
        else:
            # x1 standard normal: x_t = ((1 - t) 0.8 + t) x1 + (1 - t) 0.5 n + noise
            along = (1 - t) * SLOPE + t
            total = along**2 + (1 - t) ** 2 * WIDTH**2 + variance
            mean = (SLOPE * along + (1 - t) * WIDTH**2) / total * x
        return (x - mean) * t.rsqrt()


def _walk(config, start, seed=3):
    bridge = Bridge(_Exact(config.noise, config.sees_start), 1, config)
    noise = generator(seed, Stream.NOISE).normal(size=(len(start), bridge.noise_size))
    drawn = bridge.draw(torch.tensor(start)[:, None], torch.tensor(noise))
    return drawn.numpy()[:, 0]


@pytest.mark.statistical
def test_with_noise_the_end_is_drawn_given_the_start():
    config = BridgeConfig(noise=1.0, steps=200)
    drawn = _walk(config, np.full(20_000, 1.5))
    # 5 standard errors of 20,000 events, and 1 % for the length of a step
    assert drawn.mean() == pytest.approx(SLOPE * 1.5, abs=5 * WIDTH / np.sqrt(20_000) + 0.005)
    assert drawn.std() == pytest.approx(WIDTH, abs=5 * WIDTH / np.sqrt(40_000) + 0.01)


@pytest.mark.statistical
def test_the_usual_number_of_steps_keeps_the_width():
    drawn = _walk(BridgeConfig(), np.full(20_000, 1.5))
    # 2 % is stated; 5 standard errors of a width of 20,000 events are 2.5 %
    assert drawn.std() == pytest.approx(WIDTH, rel=0.02 + 0.025)


@pytest.mark.statistical
def test_without_noise_only_the_law_of_all_ends_is_right():
    config = BridgeConfig(noise=0.0, sees_start=False, steps=200)
    starts = generator(4, Stream.NOISE).normal(size=20_000)
    ends = _walk(config, starts)
    assert ends.std() == pytest.approx(np.hypot(SLOPE, WIDTH), abs=0.03)
    same = _walk(config, np.full(10, 1.5))
    assert np.ptp(same) == 0.0  # one start, one end


def test_shorter_steps_come_nearer():
    starts = generator(4, Stream.NOISE).normal(size=5000)
    spreads = [
        _walk(BridgeConfig(noise=0.0, sees_start=False, steps=steps), starts).std() / np.std(starts)
        for steps in (10, 20, 40)
    ]
    errors = np.abs(np.array(spreads) - np.hypot(SLOPE, WIDTH))
    # first order: half the step, half the error
    np.testing.assert_allclose(errors[:-1] / errors[1:], 2, rtol=0.25)


def test_what_makes_no_bridge_is_refused():
    with pytest.raises(ConfigError, match="ends at the mean"):
        Bridge(nn.Identity(), 2, BridgeConfig(noise=0.0))
    with pytest.raises(ConfigError, match="a start of 3 numbers"):
        Bridge.from_kit(VectorKit(3, 2), BridgeConfig())
