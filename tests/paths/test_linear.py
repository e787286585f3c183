"""The straight path: ends, and a velocity that is its derivative."""

from __future__ import annotations

import torch

from simulacra.paths import LinearPath


def test_ends_are_noise_and_data():
    noise, data = torch.zeros(3, 2), torch.ones(3, 2)
    torch.testing.assert_close(LinearPath().at(torch.zeros(3), noise, data).state, noise)
    torch.testing.assert_close(LinearPath().at(torch.ones(3), noise, data).state, data)


def test_velocity_is_the_derivative_of_the_state():
    draw = torch.Generator().manual_seed(0)
    noise, data = torch.randn(2, 5, 4, generator=draw, dtype=torch.float64)
    time = torch.rand(5, generator=draw, dtype=torch.float64)
    path, step = LinearPath(), 1e-5
    ahead = path.at(time + step, noise, data).state
    behind = path.at(time - step, noise, data).state
    torch.testing.assert_close((ahead - behind) / (2 * step), path.at(time, noise, data).velocity)
