"""Bridge: from one vector to another of the same size along noisy or straight lines."""

from __future__ import annotations

import math
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from ..batch import Batch, Draws
from ..config import Config
from ..errors import ConfigError
from ..random import Stream
from .kit import NetworkKit
from .model import GenerativeModel

__all__ = ["Bridge", "BridgeConfig"]


class BridgeConfig(Config):
    """How a bridge is built and walked.

    Args:
        family: its name.
        noise: width of the noise of the whole way, in widths of the data; it is largest half way
            and vanishes at both ends. 0 walks without noise.
        sees_start: whether the network sees, besides where it stands, where the way began. With
            noise the end is then drawn from p(end | start); without it only the law of all ends
            is right. A bridge without noise must not see its start: it would go to the mean.
        steps: of the walk; they are shorter towards the data, since the last one ends at the mean
            of what is left, without noise.
    """

    family: Literal["bridge"] = "bridge"
    noise: float = Field(default=1.0, ge=0)
    sees_start: bool = True
    steps: int = Field(default=40, ge=1)


class Bridge(GenerativeModel):
    r"""A generator that walks from a given vector to data.

    Between data :math:`x_0` and start :math:`x_1`, which are given in pairs, stands

    .. math:: x_t = (1 - t)\,x_0 + t\,x_1 + g \sqrt{t (1 - t)}\, n, \qquad
        \min_f\ \mathbb E\,\bigl\| f(t, x_t) - (x_t - x_0) / \sqrt t \bigr\|^2

    and a step from t to s goes, with :math:`\hat x_0 = x_t - \sqrt t f`, to

    .. math:: x_s = \hat x_0 + \tfrac st (x_t - \hat x_0) + g \sqrt{t - s}\, (s / t)^{1/4}\, n

    This is the Schroedinger bridge between pairs of G.-H. Liu, A. Vahdat, D.-A. Huang,
    E. Theodorou, W. Nie, A. Anandkumar, "I2SB: Image-to-image Schroedinger bridge", 2023,
    arXiv:2302.05872, equations 11 to 13, with a constant diffusion :math:`\beta = g^2`;
    S. Diefenbacher, G.-H. Liu, V. Mikuni, B. Nachman, W. Nie, "Improving generative model-based
    unfolding with Schroedinger bridges", 2023, arXiv:2308.12351, unfold with it. For
    :math:`g = 0` it is the deterministic limit of both, a flow from start to data. Theirs has
    :math:`(s / t)^{1/2}` in the noise of a step, which is exact if nothing was unknown in
    :math:`\hat x_0`; without that factor it is the Euler step of the bridge's equation. One
    narrows the data, the other widens it, and between them 40 steps are within 2 % of the width.

    Args:
        network: ``f(t, x, condition)`` with x of shape ``(events, features)``.
        features: size of x.
        config: how it is walked.

    Shapes:
        x: ``(events, features)``, dimensionless, of about unit width.
        condition: ``(events, conditions)``; its first ``features`` numbers are the start.

    Raises:
        ConfigError: if the condition is too short for a start, or there is neither noise nor
            ignorance of the start.
    """

    def __init__(self, network: nn.Module, features: int, config: BridgeConfig) -> None:
        super().__init__()
        if config.noise == 0 and config.sees_start:
            raise ConfigError(
                "bridge: without noise, expected sees_start=false, found true; a walk without "
                "noise that knows its start ends at the mean of the data and has no width."
            )
        self.network = network
        self.features = features
        self.config = config
        self.noise_size = features * max(1, config.steps - 1 if config.noise else 1)

    @classmethod
    def from_kit(cls, kit: NetworkKit, config: BridgeConfig) -> Bridge:
        """Build with a kit's field."""
        if kit.conditions < kit.features:
            raise ConfigError(
                f"bridge: expected a start of {kit.features} numbers at the beginning of the "
                f"condition, found {kit.conditions} conditions."
            )
        return cls(kit.field(), kit.features, config)

    def loss(self, batch: Batch, draws: Draws) -> Tensor:
        noise = draws.normal(self.features, Stream.NOISE)
        t = draws.uniform(1, Stream.PATH_TIME)
        start = batch.condition[:, : self.features]
        spread = self.config.noise * (t * (1 - t)).sqrt()
        x = (1 - t) * batch.x + t * start + spread * noise
        found = self._residual(t[:, 0], x, batch.condition)
        return (found.float() - (x - batch.x) * t.rsqrt()).square().mean(dim=1)

    def draw(self, condition: Tensor, noise: Tensor) -> Tensor:
        steps, width = self.config.steps, self.config.noise
        fresh = noise.split(self.features, dim=1)
        x: Tensor = condition[:, : self.features]
        for step in range(steps):
            t, s = ((1 - k / steps) ** 2 for k in (step, step + 1))
            residual = self._residual(torch.full_like(x[:, 0], t), x, condition)
            end = x - math.sqrt(t) * residual
            x = end + s / t * (x - end)
            if width and step + 1 < steps:
                x = x + width * math.sqrt((t - s) * (s / t) ** 0.5) * fresh[step]
        return x

    def _residual(self, t: Tensor, x: Tensor, condition: Tensor) -> Tensor:
        shown = condition if self.config.sees_start else torch.zeros_like(condition)
        out: Tensor = self.network(t, x, shown)
        return out
