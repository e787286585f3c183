"""CaloGAN: one stream of locally-connected layers per calorimeter layer, against a critic."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal, Self

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import leaky_relu

from ..batch import Batch, Draws
from ..config import Config
from ..nets import CarryOver, ImageStream, LocallyConnected, MinibatchFeatures
from ..random import Stream
from .adversary import critic_loss, generator_loss, layer_network
from .cascade import ShowerLayout
from .model import GenerativeModel
from .regressed import RegressedShowers

__all__ = ["CaloGan", "CaloGanConfig"]


class CaloGanConfig(Config):
    """How the streams and their critic are built and trained.

    Args:
        family: its name.
        noise: numbers that describe a whole event's noise, beside one for each layer and voxel.
        channels: channels of the images inside the streams.
        energy_weight: weight of the relative difference between incident and total energy.
        penalty: weight of the squared slope of the critic at simulated events.
        pace: how far the generator's networks move its scores, beside what they say; below 1 the
            critic learns ahead of them.
        width: hidden size of the critic's last layers.
        unit: energy in thresholds at which the logarithm of a voxel's energy takes over.
    """

    family: Literal["calogan"] = "calogan"
    noise: int = Field(default=32, ge=1)
    channels: int = Field(default=8, ge=1)
    energy_weight: float = Field(default=0.05, ge=0)
    penalty: float = Field(default=0.1, ge=0)
    pace: float = Field(default=0.1, gt=0)
    width: int = Field(default=128, ge=1)
    unit: float = Field(default=5.0, gt=0)


class CaloGan(GenerativeModel):
    r"""A generator of whole showers by adversarial training, layer beside layer.

    After M. Paganini, L. de Oliveira, B. Nachman, "CaloGAN: simulating 3D high energy particle
    showers in multi-layer electromagnetic calorimeters with generative adversarial networks", 2017,
    arXiv:1705.02355: every calorimeter layer has a stream of locally-connected layers, an
    attention lets layer i + 1 know layer i, and
    the critic sees each layer's image, energy and occupancy, the total beside the incident energy,
    and how alike the events of a batch are. With :math:`\lambda` the energy's weight and
    :math:`\ell` the log-odds of D,

    .. math:: \min_D\ \mathbb E\Bigl[-\ln D(x, c) - \ln(1 - D(G(z, c), c))
        + \frac{\gamma}{2}\,\|\nabla_x \ell(x, c)\|^2\Bigr], \qquad
        \min_G\ \mathbb E\Bigl[-\ln D(G(z, c), c)
        + \lambda\,\Bigl|\frac{E_\text{tot}(G)}{E} - 1\Bigr|\Bigr]

    Not as there: the streams move the scores of what a regression on the conditions draws
    (:class:`~simulacra.generative.RegressedShowers`), which is also where voxels become empty, in
    place of a rectifier; every voxel has noise of its own; the critic's slope is kept small (L.
    Mescheder, A. Geiger, S. Nowozin, "Which training methods for GANs do actually converge?", 2018,
    arXiv:1801.04406, eq. 9); no normalisation over the batch in the generator, because a shower
    must not depend on its neighbours; voxels enter the critic as :math:`\ln(1 + e / e_0)`; the
    layers of any detector of rings or rectangular cells.

    Args:
        config: sizes and weights.
        layout: the detector.

    Shapes:
        x: voxel energies, ``(events, voxels)``, MeV.
        condition: ``(events, conditions)``; the first column is the incident energy in MeV.
    """

    def __init__(self, config: CaloGanConfig, layout: ShowerLayout) -> None:
        super().__init__()
        self.config = config
        self.start = RegressedShowers(layout, config.unit)
        shapes, layers, given = list(layout.images), self.start.layers, self.start.size
        self.noise_size = config.noise + layers + layout.voxels
        self.layers = layer_network(config.noise + layers + given, layers)
        self.generator = _Streams(config.noise + layers + given, shapes, config.channels)
        self.critic = _Critic(shapes, given + layers + self.start.seen_size, config)

    def fit_constants(self, x: Tensor, condition: Tensor, weight: Tensor, draws: Draws) -> Self:
        self.start.fit(x, condition, weight, draws)
        return self

    def encode(self, x: Tensor, condition: Tensor) -> Tensor:
        return self.start.image(x, condition)

    def loss(self, batch: Batch, draws: Draws) -> Tensor:
        given = self.start.given(batch.condition)
        white, voxels = self._scores(draws.normal(self.noise_size, Stream.NOISE), given)
        energies = self.start.energies(white, voxels, batch.condition)
        made = self.start.image(energies, batch.condition)
        empty = draws.normal(self.start.layers, Stream.EMPTY_VOXELS)
        real = self.start.white_layers(batch.x, batch.condition, empty)
        right, wrong = self._seen(batch.x, real, given), self._seen(made, white, given)
        critic = critic_loss(self.critic, right, wrong, self.config.penalty)
        adversarial = critic + generator_loss(self.critic, wrong)
        missing = (energies.sum(dim=1) / batch.condition[:, 0] - 1).abs()
        loss: Tensor = adversarial + self.config.energy_weight * missing
        return loss

    def draw(self, condition: Tensor, noise: Tensor) -> Tensor:
        white, voxels = self._scores(noise, self.start.given(condition))
        return self.start.energies(white, voxels, condition)

    def _scores(self, noise: Tensor, given: Tensor) -> tuple[Tensor, Tensor]:
        """Return the white scores of layers and the scores of voxels."""
        first = self.config.noise
        whole, layers, voxels = noise.tensor_split([first, first + self.start.layers], dim=1)
        moved: Tensor = self.layers(torch.cat([whole, layers, given], dim=1))
        white = layers + self.config.pace * moved
        change = self.generator(torch.cat([whole, white, given], dim=1), voxels)
        return white, voxels + self.config.pace * change

    def _seen(self, image: Tensor, white: Tensor, given: Tensor) -> tuple[Tensor, Tensor]:
        """Return what the critic looks at: images, and a vector."""
        return image, torch.cat([given, white, self.start.seen(image, white, given)], dim=1)


class _Streams(nn.Module):
    """The generator: images side by side, each with a look at the one before."""

    def __init__(self, inputs: int, shapes: list[tuple[int, int]], channels: int) -> None:
        super().__init__()
        self.shapes = shapes
        self.embed = nn.Sequential(nn.Linear(inputs, 128), nn.SiLU(), nn.Linear(128, 128))
        self.streams = nn.ModuleList(ImageStream(128, shape, channels) for shape in shapes)
        self.carry = nn.ModuleList(CarryOver(a, b) for a, b in pairwise(shapes))

    def forward(self, x: Tensor, noise: Tensor) -> Tensor:
        h = leaky_relu(self.embed(x), 0.2)
        parts = noise.split([a * b for a, b in self.shapes], dim=1)
        images: list[Tensor] = []
        for layer, (stream, part) in enumerate(zip(self.streams, parts, strict=True)):
            image = stream(h, part.reshape(-1, *self.shapes[layer]))
            images.append(self.carry[layer - 1](images[-1], image) if layer else image)
        return torch.cat([image.flatten(1) for image in images], dim=1)


class _Critic(nn.Module):
    """The discriminator, on logarithmic voxel energies; its value is a log-odds."""

    def __init__(self, shapes: list[tuple[int, int]], told: int, config: CaloGanConfig) -> None:
        super().__init__()
        self.shapes = shapes
        self.looks = nn.ModuleList(LocallyConnected(1, config.channels, shape) for shape in shapes)
        voxels = sum(a * b for a, b in shapes)
        self.look = nn.Linear(config.channels * voxels, config.width)
        self.alike = MinibatchFeatures(config.width)
        self.alike_vector = MinibatchFeatures(told)
        size = config.width + told + self.alike.kernels + self.alike_vector.kernels
        self.judge = nn.Sequential(
            nn.Linear(size, config.width), nn.LeakyReLU(0.2), nn.Linear(config.width, 1)
        )

    def forward(self, image: Tensor, vector: Tensor) -> Tensor:
        parts = image.split([a * b for a, b in self.shapes], dim=1)
        seen = [
            look(part.reshape(-1, 1, *shape)).flatten(1)
            for look, part, shape in zip(self.looks, parts, self.shapes, strict=True)
        ]
        h = leaky_relu(self.look(leaky_relu(torch.cat(seen, dim=1), 0.2)), 0.2)
        alike = [self.alike(h), self.alike_vector(vector)]
        out: Tensor = self.judge(torch.cat([h, vector, *alike], dim=1))
        return out[:, 0]
