"""The solvers of the diffusion model: exact where data are normal, of their order where not."""

import pytest
import torch
from torch import nn

from simulacra.generative import Diffusion, DiffusionConfig


class Normal(nn.Module):
    """The network's best answer for normal data of any width: in the angle, as the model asks."""

    def __init__(self, width: float) -> None:
        super().__init__()
        self.variance = width**2

    def forward(self, angle, scaled, condition):
        t = torch.tan(angle[:, None] * (torch.pi / 2))
        sigma = 1 / t  # angle_of(t') with t' = 1 / (1 + sigma)
        x = scaled * (1 + sigma**2).sqrt()
        clean = x * self.variance / (self.variance + sigma**2)
        return (clean - x / (1 + sigma**2)) * (1 + sigma**2).sqrt() / sigma


def drawn(width, **settings):
    model = Diffusion(Normal(width), 1, DiffusionConfig(**settings)).double()
    noise = torch.linspace(-2, 2, 5, dtype=torch.float64)[:, None]
    return model.draw(torch.zeros(5, 1, dtype=torch.float64), noise), noise


@pytest.mark.parametrize("sampler", ["heun", "ddim"])
@pytest.mark.parametrize("steps", [1, 3, 16])
def test_normal_data_are_exact_in_any_number_of_steps(sampler, steps):
    found, noise = drawn(1.0, sampler=sampler, steps=steps)
    torch.testing.assert_close(found, noise)


def test_fresh_noise_keeps_the_width():
    """20,000 draws, 8 steps: the width is 1 within five of its errors, 0.005 each."""
    model = Diffusion(Normal(1.0), 1, DiffusionConfig(sampler="stochastic", steps=8)).double()
    rng = torch.Generator().manual_seed(0)
    noise = torch.randn(20_000, model.noise_size, generator=rng, dtype=torch.float64)
    width = model.draw(torch.zeros(20_000, 1, dtype=torch.float64), noise).std()
    assert abs(float(width) - 1) < 0.025


@pytest.mark.parametrize(("sampler", "order"), [("heun", 2), ("ddim", 1)])
def test_errors_fall_with_the_order_of_the_solver(sampler, order):
    """Data of width 0.5: four times the steps, an error 4 or 16 times smaller, within a factor 2.

    The end of the grid is far below the width, so that what is left there does not count.
    """
    errors = []
    for steps in (256, 1024):
        found, noise = drawn(0.5, sampler=sampler, steps=steps, smallest=1e-4, largest=1e4)
        errors.append(float((found - 0.5 * noise).abs().max()))
    assert 4**order / 2 < errors[0] / errors[1] < 2 * 4**order
