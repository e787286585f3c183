"""A conditional GAN of images whose generator is also asked to be like the very event."""

from __future__ import annotations

from typing import Literal, Self

import torch
from pydantic import Field
from torch import Tensor

from ..batch import Batch, Draws
from ..config import Config
from ..errors import ShapeError
from ..nets import ShuffleCritic, ShuffleGenerator
from ..random import Stream
from .adversary import critic_loss, generator_loss, layer_network
from .cascade import ShowerLayout
from .model import GenerativeModel
from .regressed import RegressedShowers

__all__ = ["LikenessGan", "LikenessGanConfig"]


class LikenessGanConfig(Config):
    """How the images' generator and its discriminator are built and trained.

    Args:
        family: its name.
        likeness: weight of the mean squared difference to the event (lambda), dimensionless.
        penalty: weight of the squared slope of the discriminator at simulated events.
        pace: how far the generator's networks move its scores, beside what they say; below 1 the
            discriminator learns ahead of them.
        noise: numbers that describe a whole event's noise, beside one for each layer and cell.
        channels: channels of both networks.
        factors: how much longer each pixel shuffle makes a row.
        unit: energy in thresholds at which the logarithm of a cell's energy takes over.
    """

    family: Literal["likeness_gan"] = "likeness_gan"
    likeness: float = Field(default=0.01, ge=0)
    penalty: float = Field(default=0.1, ge=0)
    pace: float = Field(default=0.1, gt=0)
    noise: int = Field(default=32, ge=1)
    channels: int = Field(default=32, ge=1)
    factors: tuple[int, ...] = (2, 2, 2)
    unit: float = Field(default=5.0, gt=0)


class LikenessGan(GenerativeModel):
    r"""A generator of calorimeter images with readout layers as channels.

    .. math:: \min_D\ \mathbb E\,\Bigl[-\ln D(x, p) - \ln(1 - D(G(z, p), p))
        + \frac{\gamma}{2}\,\|\nabla_x \ell(x, p)\|^2\Bigr], \qquad
        \min_G\ \mathbb E\,\Bigl[-\ln D(G(z, p), p)
        + \lambda\,\overline{(G(z, p) - x)^2}\Bigr]

    with noise z, conditions p, the mean over cells and :math:`\ell` the log-odds of D, the loss
    used for the electromagnetic
    calorimeter of AMS-02; the networks are made of convolutions along a layer and one-dimensional
    pixel shuffles (:class:`~simulacra.nets.ShuffleGenerator`). The first terms are those of
    I. Goodfellow et al., "Generative adversarial networks", 2014, arXiv:1406.2661, section 3; the
    slope is kept small at simulated events as in L. Mescheder, A. Geiger, S. Nowozin, "Which
    training methods for GANs do actually converge?", 2018, arXiv:1801.04406, eq. 9; the
    last is known from P. Isola, J. Zhu, T. Zhou, A. Efros, "Image-to-image translation with
    conditional adversarial networks", 2016, arXiv:1611.07004, eq. 3. Its minimum
    alone is :math:`G = \mathbb E[x \mid p]` whatever the noise: the larger :math:`\lambda`,
    the less one shower differs from another.

    Without training the generator draws what a regression on the conditions does
    (:class:`~simulacra.generative.RegressedShowers`), and the networks move its scores. The
    discriminator sees a cell's energy e as :math:`\ln(1 + e / e_0)`, and the regressed scores of
    the layers and of the total.

    Args:
        config: sizes and weights.
        layout: the detector; all layers have the same number of cells, a multiple of the product
            of the factors.

    Shapes:
        x: cell energies, ``(events, cells)``, MeV.
        condition: ``(events, conditions)``; the first column is the incident energy in MeV, others
            in MeV, mm or rad.

    Raises:
        ShapeError: if the layers have different numbers of cells, or no such multiple.
    """

    def __init__(self, config: LikenessGanConfig, layout: ShowerLayout) -> None:
        super().__init__()
        self.config = config
        self.start = RegressedShowers(layout, config.unit)
        rows, cells = len(layout.images), self.start.sizes[0]
        if set(self.start.sizes) != {cells}:
            raise ShapeError(
                "likeness gan: expected layers with the same number of cells, got "
                f"{sorted(set(self.start.sizes))}."
            )
        self.shape, self.rows = (rows, cells), rows
        self.noise_size = config.noise + rows + rows * cells
        channels, factors, size = config.channels, config.factors, self.start.size
        self.layers = layer_network(config.noise + rows + size, rows)
        self.generator = ShuffleGenerator(
            config.noise + rows + size, rows, cells, channels=channels, factors=factors
        )
        seen = size + rows + self.start.seen_size
        self.critic = ShuffleCritic(seen, rows, cells, channels=channels, factors=factors)

    def fit_constants(self, x: Tensor, condition: Tensor, weight: Tensor, draws: Draws) -> Self:
        self.start.fit(x, condition, weight, draws)
        return self

    def encode(self, x: Tensor, condition: Tensor) -> Tensor:
        return self.start.image(x, condition)

    def loss(self, batch: Batch, draws: Draws) -> Tensor:
        given = self.start.given(batch.condition)
        white, made = self._made(batch.condition, draws.normal(self.noise_size, Stream.NOISE))
        empty = draws.normal(self.rows, Stream.EMPTY_VOXELS)
        real = self.start.white_layers(batch.x, batch.condition, empty)
        right, wrong = self._seen(batch.x, real, given), self._seen(made, white, given)
        critic = critic_loss(self.critic, right, wrong, self.config.penalty)
        generator = generator_loss(self.critic, wrong)
        unlike = (made - batch.x).square().mean(dim=1)
        loss: Tensor = critic + generator + self.config.likeness * unlike
        return loss

    def draw(self, condition: Tensor, noise: Tensor) -> Tensor:
        white, voxels = self._scores(condition, noise)
        return self.start.energies(white, voxels, condition)

    def _scores(self, condition: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Return the white scores of layers and the scores of cells."""
        whole, layers, cells = noise.tensor_split(
            [self.config.noise, self.config.noise + self.rows], dim=1
        )
        given = self.start.given(condition)
        moved: Tensor = self.layers(torch.cat([whole, layers, given], dim=1))
        white = layers + self.config.pace * moved
        vector = torch.cat([whole, white, given], dim=1)
        change = self.generator(vector, cells.reshape(-1, *self.shape))
        return white, cells + self.config.pace * change.flatten(1)

    def _made(self, condition: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Return the white scores of generated layers, and the images."""
        white, voxels = self._scores(condition, noise)
        energies = self.start.energies(white, voxels, condition)
        return white, self.start.image(energies, condition)

    def _seen(self, image: Tensor, white: Tensor, given: Tensor) -> tuple[Tensor, Tensor]:
        """Return what the discriminator looks at: rows of cells, and a vector."""
        vector = torch.cat([given, white, self.start.seen(image, white, given)], dim=1)
        return image.reshape(-1, *self.shape), vector
