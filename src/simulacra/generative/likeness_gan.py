"""A conditional GAN of images whose generator is also asked to be like the very event."""

from __future__ import annotations

from typing import Literal, Self

import torch
from pydantic import Field
from torch import Tensor
from torch.func import functional_call
from torch.nn.functional import softplus

from ..batch import Batch, Draws
from ..config import Config
from ..errors import ShapeError
from ..nets import ShuffleCritic, ShuffleGenerator, rectified
from ..preprocess import IncidentParticle, Standardize
from ..random import Stream
from .model import GenerativeModel

__all__ = ["LikenessGan", "LikenessGanConfig"]


class LikenessGanConfig(Config):
    """How the images' generator and its discriminator are built and trained.

    Args:
        family: its name.
        likeness: weight of the mean squared difference to the event (lambda), dimensionless.
        noise: numbers that one event's noise has.
        channels: channels of both networks.
        factors: how much longer each pixel shuffle makes a row.
        unit: energy in MeV at which the logarithm of a cell's energy takes over.
    """

    family: Literal["likeness_gan"] = "likeness_gan"
    likeness: float = Field(default=1.0, ge=0)
    noise: int = Field(default=32, ge=1)
    channels: int = Field(default=48, ge=1)
    factors: tuple[int, ...] = (2, 2, 2)
    unit: float = Field(default=5.0, gt=0)


class LikenessGan(GenerativeModel):
    r"""A generator of calorimeter images with readout layers as channels.

    .. math:: \min_D\ \mathbb E\,\bigl[-\ln D(x, p) - \ln(1 - D(G(z, p), p))\bigr], \qquad
        \min_G\ \mathbb E\,\Bigl[-\ln D(G(z, p), p)
        + \lambda\,\overline{(G(z, p) - x)^2}\Bigr]

    with noise z, conditions p and the mean over cells, the loss used for the electromagnetic
    calorimeter of AMS-02; the networks are made of convolutions along a layer and one-dimensional
    pixel shuffles (:class:`~simulacra.nets.ShuffleGenerator`). The first terms are those of
    I. Goodfellow et al., "Generative adversarial networks", 2014, arXiv:1406.2661, section 3; the
    second is known from P. Isola, J. Zhu, T. Zhou, A. Efros, "Image-to-image translation with
    conditional adversarial networks", 2016, arXiv:1611.07004, eq. 3. Its minimum
    alone is :math:`G = \mathbb E[x \mid p]` whatever the noise: the larger :math:`\lambda`,
    the less one shower differs from another.

    A cell's energy e is :math:`\ln(1 + e / e_0)` for the networks, and never below 0.

    Args:
        config: sizes and weight.
        rows: readout layers.
        cells: cells of each, a multiple of the product of the factors.
        conditions: names of the conditions; the first is the incident energy.
        particles: numbers of the Particle Data Group that the condition ``pdg`` can have.

    Shapes:
        x: cell energies, ``(events, rows * cells)``, MeV.
        condition: ``(events, conditions)``; incident energy in MeV, others in any unit.

    Raises:
        ShapeError: if the cells are not a multiple of the factors' product, or there is no
            condition.
    """

    def __init__(
        self,
        config: LikenessGanConfig,
        rows: int,
        cells: int,
        conditions: tuple[str, ...],
        particles: tuple[int, ...] = (),
    ) -> None:
        super().__init__()
        if not conditions:
            raise ShapeError("likeness gan: expected the incident energy as first condition.")
        self.config, self.shape = config, (rows, cells)
        self.incident = IncidentParticle(conditions, particles)
        self.noise_size, size = config.noise, self.incident.size
        self.scale = Standardize(size)
        channels, factors = config.channels, config.factors
        self.generator = ShuffleGenerator(
            config.noise + size, rows, cells, channels=channels, factors=factors
        )
        self.critic = ShuffleCritic(size, rows, cells, channels=channels, factors=factors)

    def fit_constants(self, x: Tensor, condition: Tensor, weight: Tensor, draws: Draws) -> Self:
        self.scale.fit(self.incident(condition), condition[:, 0].log(), weight)
        return self

    def encode(self, x: Tensor, condition: Tensor) -> Tensor:
        return (x / self.config.unit).log1p()

    def loss(self, batch: Batch, draws: Draws) -> Tensor:
        given = self._scaled(batch.condition)
        real = batch.x.reshape(-1, *self.shape)
        made = self._images(given, draws.normal(self.noise_size, Stream.NOISE))
        critic = softplus(-self.critic(real, given)) + softplus(self.critic(made.detach(), given))
        fixed = {name: value.detach() for name, value in self.critic.named_parameters()}
        generator = softplus(-functional_call(self.critic, fixed, (made, given)))
        unlike = (made - real).square().mean(dim=(1, 2))
        loss: Tensor = critic + generator + self.config.likeness * unlike
        return loss

    def draw(self, condition: Tensor, noise: Tensor) -> Tensor:
        return self._images(self._scaled(condition), noise).flatten(1).expm1() * self.config.unit

    def _images(self, given: Tensor, noise: Tensor) -> Tensor:
        images: Tensor = self.generator(torch.cat([noise, given], dim=1))
        return rectified(images)

    def _scaled(self, condition: Tensor) -> Tensor:
        scaled: Tensor = self.scale(self.incident(condition), condition[:, 0])
        return scaled
