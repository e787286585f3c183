"""A Wasserstein GAN: a generator against a critic that is kept from being steep."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.func import functional_call

from ..batch import Batch, Draws
from ..config import Config
from ..random import Stream
from .kit import NetworkKit
from .model import GenerativeModel

__all__ = ["WassersteinGan", "WassersteinGanConfig"]


class WassersteinGanConfig(Config):
    """How generator and critic are trained against each other.

    Args:
        family: its name.
        critic_steps: steps of the critic for each one of the generator.
        penalty: weight of the critic's gradient penalty.
        drift: weight of the square of the critic's values, which keeps them near 0.
    """

    family: Literal["wasserstein_gan"] = "wasserstein_gan"
    critic_steps: int = Field(default=2, ge=1)
    penalty: float = Field(default=10.0, gt=0)
    drift: float = Field(default=1e-3, ge=0)


class WassersteinGan(GenerativeModel):
    r"""A generator of standardised vectors trained against a critic.

    .. math:: \min_D\ \mathbb E\,\bigl[D(G(\epsilon, c), c) - D(x, c)
        + \lambda\,(\|\nabla_{\hat x} D(\hat x, c)\| - 1)^2\bigr], \qquad
        \min_G\ -\mathbb E\,D(G(\epsilon, c), c)

    with :math:`\hat x` uniform between an event and a generated one (I. Gulrajani, F. Ahmed,
    M. Arjovsky, V. Dumoulin, A. Courville, "Improved training of Wasserstein GANs", 2017,
    arXiv:1704.00028, eq. 3). The generator of ATLAS' FastCaloGAN is of this kind, one per slice in
    :math:`|\eta|` and particle (ATLAS collaboration, "AtlFast3: the next generation of fast
    simulation in ATLAS", 2021, arXiv:2109.02551). Here :math:`G(\epsilon, c) = \epsilon +
    g(\epsilon, c)`, which starts as the identity.

    Both sides learn in one backward pass: the parameters of the other side are kept fixed in each
    loss. In steps that are the critic's alone the generator takes no part, so that an optimiser
    leaves it where it is. Steps are counted by the number of the first sample, so all of a step's
    samples must come in one batch (``accumulate=1``, one process) for the ratio to be exact. The
    loss says nothing about quality.

    Args:
        generator: ``g(noise, condition)`` with values ``(events, 1, features)``.
        critic: ``D(x, condition)`` with values ``(events,)``, twice differentiable.
        features: size of x.
        config: how they are trained.

    Shapes:
        x: ``(events, features)``, dimensionless, of unit width.
        condition: ``(events, conditions)``, dimensionless.
    """

    def __init__(
        self, generator: nn.Module, critic: nn.Module, features: int, config: WassersteinGanConfig
    ) -> None:
        super().__init__()
        self.generator, self.critic = generator, critic
        self.noise_size = features
        self.config = config

    @classmethod
    def from_kit(cls, kit: NetworkKit, config: WassersteinGanConfig) -> WassersteinGan:
        """Build with a kit's map onto its own vectors and its critic."""
        return cls(kit.map(kit), kit.critic(), kit.features, config)

    def loss(self, batch: Batch, draws: Draws) -> Tensor:
        noise = draws.normal(self.noise_size, Stream.NOISE)
        turn = draws.first // draws.events % self.config.critic_steps == 0
        with torch.set_grad_enabled(torch.is_grad_enabled() and turn):
            made = self.draw(batch.condition, noise)
        loss = self._critic_loss(batch, made.detach(), draws)
        if turn:
            fixed = {name: value.detach() for name, value in self.critic.named_parameters()}
            judged: Tensor = functional_call(self.critic, fixed, (made, batch.condition))
            loss = loss - judged
        return loss

    def draw(self, condition: Tensor, noise: Tensor) -> Tensor:
        change: Tensor = self.generator(noise, condition)
        return noise + change[:, 0]

    def _critic_loss(self, batch: Batch, made: Tensor, draws: Draws) -> Tensor:
        real = self.critic(batch.x, batch.condition)
        fake = self.critic(made, batch.condition)
        loss: Tensor = fake - real + self.config.drift * real.square()
        if not torch.is_grad_enabled():
            return loss
        share = draws.uniform(1, Stream.PATH_TIME)
        between = (share * batch.x + (1 - share) * made).requires_grad_()
        values = self.critic(between, batch.condition)
        (slope,) = torch.autograd.grad(values.sum(), between, create_graph=True)
        steepness = (slope.square().sum(dim=1) + _TINY).sqrt()
        return loss + self.config.penalty * (steepness - 1).square()


_TINY = 1e-12
