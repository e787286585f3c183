"""Diffusion: learn to remove noise of every size, then remove it step by step."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from ..batch import Batch, Draws
from ..config import Config
from ..random import Stream
from .kit import NetworkKit
from .model import GenerativeModel

__all__ = ["Diffusion", "DiffusionConfig", "angle_of"]


class DiffusionConfig(Config):
    """How a diffusion model is trained and solved.

    Args:
        family: its name.
        noise: how sizes of noise are drawn in training: ``edm`` log-normal with the loss in units
            of its target, ``cosine`` uniform in the angle between data and noise (v-prediction).
        sampler: ``heun`` solves the probability flow (second order), ``ddim`` does so with single
            evaluations (first order), ``stochastic`` adds fresh noise in every step before
            removing it.
        steps: number of steps.
        churn: largest relative noise that a stochastic step adds.
        smallest: noise at which removing ends, in widths of the data.
        largest: noise from which it starts.
        curvature: 1 spaces the steps equally in noise; more puts them to small noise.
    """

    family: Literal["diffusion"] = "diffusion"
    noise: Literal["edm", "cosine"] = "edm"
    sampler: Literal["heun", "ddim", "stochastic"] = "heun"
    steps: int = Field(default=16, ge=1)
    churn: float = Field(default=0.3, ge=0)
    smallest: float = Field(default=0.005, gt=0)
    largest: float = Field(default=80.0, gt=0)
    curvature: float = Field(default=7.0, gt=0)


_MEAN, _WIDTH = -0.4, 1.4  # of the logarithm of the noise: scores have width 1, not 0.5


def angle_of(t: Tensor) -> Tensor:
    """Return the angle between noise and data on a straight line, 0 for noise and 1 for data.

    Args:
        t: path time in [0, 1].
    """
    return torch.atan2(t, 1 - t) * (2 / math.pi)


class Diffusion(GenerativeModel):
    r"""A generator of standardised vectors that removes noise.

    Data of unit width plus noise of size :math:`\sigma` are denoised by

    .. math::
        D(x; \sigma) = \frac{x}{1 + \sigma^2} + \frac{\sigma}{\sqrt{1 + \sigma^2}}\,
            f\Bigl(t_\sigma, \frac{x}{\sqrt{1 + \sigma^2}}, c\Bigr), \qquad
        \min_f\ \mathbb E\,\frac{1 + \sigma^2}{\sigma^2}\,\|D(x_1 + \sigma x_0; \sigma) - x_1\|^2

    and noise is removed along :math:`\mathrm dx / \mathrm d\sigma = (x - D(x; \sigma)) / \sigma`,
    which in :math:`y = x / \sqrt{1 + \sigma^2}` and the angle :math:`\theta = \arctan \sigma` is

    .. math:: \frac{\mathrm dy}{\mathrm d\theta} = -f(t_\sigma, y, c)

    so that data that are normal, with f = 0, are exact in any number of steps (solved in x, sixteen
    steps of second order make them 5 % too wide)
    (T. Karras, M. Aittala, T. Aila, S. Laine, "Elucidating the design space of diffusion-based
    generative models", 2022, arXiv:2206.00364, eqs. 3, 7, 8 and algorithms 1, 2, with data of
    width 1). The target of :math:`f` is then the velocity :math:`v` of T. Salimans, J. Ho,
    "Progressive distillation for fast sampling of diffusion models", 2022, arXiv:2202.00512,
    appendix D, up to its sign; ``noise="cosine"`` is their uniform angle. A generator of
    calorimeter showers of this kind: V. Mikuni, B. Nachman, "Score-based generative models for
    calorimeter shower simulation", 2022, arXiv:2206.11898.

    Args:
        network: ``f(t, x, condition)`` with x of shape ``(events, features)``.
        features: size of x.
        config: how it is trained and solved.

    Shapes:
        x: ``(events, features)``, dimensionless, of unit width.
        condition: ``(events, conditions)``, dimensionless.
    """

    def __init__(self, network: nn.Module, features: int, config: DiffusionConfig) -> None:
        super().__init__()
        self.network = network
        self.features = features
        self.config = config
        fresh = config.steps if config.sampler == "stochastic" else 0
        self.noise_size = features * (1 + fresh)

    @classmethod
    def from_kit(cls, kit: NetworkKit, config: DiffusionConfig) -> Diffusion:
        """Build with a kit's field."""
        return cls(kit.field(), kit.features, config)

    def denoise(self, x: Tensor, sigma: Tensor, condition: Tensor) -> Tensor:
        """Return the mean of the data given data plus noise.

        Args:
            x: data plus noise, ``(events, features)``.
            sigma: size of the noise, ``(events,)``.
            condition: ``(events, conditions)``.
        """
        skip = 1 / (1 + sigma.square())
        out = sigma * skip.sqrt()
        return skip[:, None] * x + out[:, None] * self._direction(x, sigma, condition)

    def velocity(self, t: Tensor, x: Tensor, condition: Tensor) -> Tensor:
        r"""Return the mean velocity of straight lines from noise to data, as flow matching does.

        With :math:`\sigma = (1 - t) / t` the state of a line is :math:`t (x_1 + \sigma x_0)`.

        Args:
            t: path time, ``(events,)``.
            x: state, ``(events, features)``.
            condition: ``(events, conditions)``.
        """
        spread = t**2 + (1 - t) ** 2
        scaled = x * spread.rsqrt()[:, None]
        direction: Tensor = self.network(angle_of(t), scaled, condition)
        return ((2 * t - 1)[:, None] * scaled + direction) * spread.rsqrt()[:, None]

    def loss(self, batch: Batch, draws: Draws) -> Tensor:
        noise = draws.normal(self.features, Stream.NOISE)
        sigma = self._sizes(draws.uniform(1, Stream.PATH_TIME)[:, 0])
        size = sigma[:, None]
        direction = self._direction(batch.x + size * noise, sigma, batch.condition)
        target = (size * batch.x - noise) * (1 + size.square()).rsqrt()
        return (direction.float() - target).square().mean(dim=1)

    def draw(self, condition: Tensor, noise: Tensor) -> Tensor:
        first, *fresh = noise.split(self.features, dim=1)
        sizes = self._grid()
        x: Tensor = first  # data plus noise, scaled to unit width
        for step, (now, after) in enumerate(pairwise(sizes)):
            if fresh:
                now, x = self._stirred(x, now, fresh[step])
            turn = math.atan(now) - math.atan(after)
            slope = self._direction_of_scaled(x, torch.full_like(x[:, 0], now), condition)
            moved = x + turn * slope
            if self.config.sampler != "ddim" and after > 0:
                then = torch.full_like(x[:, 0], after)
                slope = (slope + self._direction_of_scaled(moved, then, condition)) / 2
                moved = x + turn * slope
            x = moved
        return x

    def _direction(self, x: Tensor, sigma: Tensor, condition: Tensor) -> Tensor:
        """Evaluate the network on data plus noise of sizes ``(events,)``."""
        scaled = x * (1 + sigma.square()).rsqrt()[:, None]
        return self._direction_of_scaled(scaled, sigma, condition)

    def _direction_of_scaled(self, scaled: Tensor, sigma: Tensor, condition: Tensor) -> Tensor:
        """Evaluate the network on data plus noise that were scaled to unit width."""
        out: Tensor = self.network(angle_of(1 / (1 + sigma)), scaled, condition)
        return out

    def _stirred(self, scaled: Tensor, sigma: float, fresh: Tensor) -> tuple[float, Tensor]:
        """Add noise before a step."""
        more = sigma * (1 + min(self.config.churn, math.sqrt(2) - 1))
        x = math.hypot(1.0, sigma) * scaled + math.sqrt(more**2 - sigma**2) * fresh
        return more, x / math.hypot(1.0, more)

    def _grid(self) -> list[float]:
        """Return the sizes of noise from the largest to 0, ``(steps + 1,)``."""
        config, power = self.config, 1 / self.config.curvature
        high, low = config.largest**power, config.smallest**power
        steps = max(1, config.steps - 1)
        sizes = [(high + i / steps * (low - high)) ** config.curvature for i in range(config.steps)]
        return [*sizes, 0.0]

    def _sizes(self, uniform: Tensor) -> Tensor:
        """Turn uniform numbers into sizes of noise."""
        if self.config.noise == "cosine":
            inside = 0.001 + 0.998 * uniform  # neither all noise nor none
            return torch.tan(inside * (math.pi / 2))
        sigma: Tensor = torch.exp(_MEAN + _WIDTH * torch.special.ndtri(uniform))
        return sigma
