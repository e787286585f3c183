"""Conditional flow matching: learn the velocity that carries noise to data."""

from __future__ import annotations

import math
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from ..batch import Batch, Draws
from ..config import Config
from ..paths import LinearPath
from ..random import Stream
from ..samplers import solve
from .kit import NetworkKit
from .model import GenerativeModel
from .pairing import paired

__all__ = ["FlowMatching", "FlowMatchingConfig"]


class FlowMatchingConfig(Config):
    """How a flow-matching generator is solved.

    Args:
        family: its name.
        coupling: which noise a training event is paired with: ``independent``, or ``optimal``, the
            pairs of a batch with the smallest squared distance, for straighter paths.
        condition_weight: weight of the conditions in that distance: two events exchange their
            noise only if their conditions are close, since noise must not depend on conditions.
        solver: one of euler (order 1), midpoint and heun (order 2), rk4 (order 4).
        along: what steps are equal in: the ``path`` time, or the ``angle`` between noise and data,
            in which the known part of the velocity is solved exactly by any number of steps.
        steps: number of equal steps.
    """

    family: Literal["flow_matching"] = "flow_matching"
    coupling: Literal["independent", "optimal"] = "independent"
    condition_weight: float = Field(default=1.0, ge=0)
    solver: Literal["euler", "midpoint", "heun", "rk4"] = "midpoint"
    along: Literal["path", "angle"] = "path"
    steps: int = Field(default=8, ge=1)


class FlowMatching(GenerativeModel):
    r"""A generator of standardised vectors by the ordinary differential equation of a path.

    The network :math:`f` is trained to give the mean velocity of straight paths,

    .. math:: \min_f\ \mathbb E_{t, x_0, x_1}\bigl\| u_t(x_t) - (x_1 - x_0) \bigr\|^2

    (Y. Lipman, R. Chen, H. Ben-Hamu, M. Nickel, M. Le, "Flow matching for generative modeling",
    2022, arXiv:2210.02747, eq. 9). It corrects the velocity that is exact when data are standard
    normal too,

    .. math::
        u_t(x) = \frac{2t - 1}{t^2 + (1 - t)^2}\,x + \frac{1}{\sqrt{t^2 + (1 - t)^2}}\,f(t, x, c)

    so that a network of zeros already generates independent normals, and what is left to learn
    has unit variance at every time. In the angle :math:`\theta = \arctan\frac{t}{1 - t}` the
    equation of :math:`y = x / \sqrt{t^2 + (1 - t)^2}` is :math:`\mathrm dy / \mathrm d\theta = f`,
    without that velocity (after T. Karras, M. Aittala, T. Aila, S. Laine, "Elucidating
    the design space of diffusion-based generative models", 2022, arXiv:2206.00364, section 5).

    Args:
        network: ``f(t, x, condition)`` with x of shape ``(events, features)``.
        features: size of x.
        config: how the equation is solved.

    Shapes:
        x: ``(events, features)``, dimensionless, of unit width.
        condition: ``(events, conditions)``, dimensionless.
    """

    def __init__(self, network: nn.Module, features: int, config: FlowMatchingConfig) -> None:
        super().__init__()
        self.network = network
        self.noise_size = features
        self.config = config
        self.path = LinearPath()

    @classmethod
    def from_kit(cls, kit: NetworkKit, config: FlowMatchingConfig) -> FlowMatching:
        """Build with a kit's field."""
        return cls(kit.field(), kit.features, config)

    def velocity(self, t: Tensor, x: Tensor, condition: Tensor) -> Tensor:
        """Return the learned velocity at times ``t``, ``(events,)``; shape of x."""
        spread = t**2 + (1 - t) ** 2
        straight, bend = (2 * t - 1) / spread, spread.rsqrt()
        correction: Tensor = self.network(t, x, condition)
        return straight[:, None] * x + bend[:, None] * correction

    def loss(self, batch: Batch, draws: Draws) -> Tensor:
        noise = draws.normal(self.noise_size, Stream.NOISE)
        if self.config.coupling == "optimal":
            noise = paired(noise, batch, self.config.condition_weight)
        time = draws.uniform(1, Stream.PATH_TIME)[:, 0]
        point = self.path.at(time, noise, batch.x)
        velocity = self.velocity(point.time, point.state, batch.condition)
        return (velocity.float() - point.velocity).square().mean(dim=1)

    def draw(self, condition: Tensor, noise: Tensor) -> Tensor:
        def field(t: float, x: Tensor) -> Tensor:
            return self.velocity(torch.full_like(x[:, 0], t), x, condition)

        def correction(share: float, y: Tensor) -> Tensor:
            sine, cosine = math.sin(_TURN * share), math.cos(_TURN * share)
            time = torch.full_like(y[:, 0], sine / (sine + cosine))
            scaled: Tensor = self.network(time, y / (sine + cosine), condition)
            return _TURN * scaled

        chosen = field if self.config.along == "path" else correction
        return solve(self.config.solver, chosen, noise, self.config.steps)


_TURN = math.pi / 2
