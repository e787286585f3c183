"""CaloGAN: one stream of locally-connected layers per calorimeter layer, against a critic."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal, Self

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.functional import leaky_relu, softplus

from ..batch import Batch, Draws
from ..config import Config
from ..nets import CarryOver, ImageStream, LocallyConnected, MinibatchFeatures, rectified
from ..preprocess import Standardize
from ..random import Stream
from .cascade import ShowerLayout
from .model import GenerativeModel

__all__ = ["CaloGan", "CaloGanConfig"]


class CaloGanConfig(Config):
    """How the streams and their critic are built and trained.

    Args:
        family: its name.
        noise: numbers that one event's noise has.
        channels: channels of the images inside the streams.
        energy_weight: weight of the relative difference between incident and total energy.
        width: hidden size of the critic's last layers.
        unit: energy in thresholds at which the logarithm of a voxel's energy takes over.
    """

    family: Literal["calogan"] = "calogan"
    noise: int = Field(default=64, ge=1)
    channels: int = Field(default=8, ge=1)
    energy_weight: float = Field(default=0.05, ge=0)
    width: int = Field(default=128, ge=1)
    unit: float = Field(default=5.0, gt=0)


class CaloGan(GenerativeModel):
    r"""A generator of whole showers by adversarial training, layer beside layer.

    After M. Paganini, L. de Oliveira, B. Nachman, "CaloGAN: simulating 3D high energy particle
    showers in multi-layer electromagnetic calorimeters with generative adversarial networks", 2017,
    arXiv:1705.02355: every calorimeter layer has a stream of locally-connected layers, an
    attention lets layer i + 1 know layer i, rectifiers make voxels empty, and
    the critic sees each layer's image, energy and occupancy, the total beside the incident energy,
    and how alike the events of a batch are. With :math:`\lambda` the energy's weight,

    .. math:: \min_D\ \mathbb E\bigl[-\ln D(x, c) - \ln(1 - D(G(z, c), c))\bigr], \qquad
        \min_G\ \mathbb E\Bigl[-\ln D(G(z, c), c)
        + \lambda\,\Bigl|\frac{E_\text{tot}(G)}{E} - 1\Bigr|\Bigr]

    Not as there: no normalisation over the batch in the generator, because a shower must not
    depend on its neighbours; voxels enter the networks as :math:`\ln(1 + e / e_0)`; the layers of
    any detector of rings or rectangular cells. Energies come out as they are: layers are not
    scaled to a total.

    Args:
        config: sizes and weights.
        layout: the detector.

    Shapes:
        x: voxel energies, ``(events, voxels)``, MeV.
        condition: ``(events, conditions)``; the first column is the incident energy in MeV.
    """

    def __init__(self, config: CaloGanConfig, layout: ShowerLayout) -> None:
        super().__init__()
        self.config, self.threshold = config, layout.threshold
        self.unit = config.unit * layout.threshold
        self.incident = layout.incident
        self.noise_size, conditions = config.noise, layout.incident.size
        shapes = list(layout.images)
        self.scale = Standardize(conditions)
        self.generator = _Streams(config.noise + conditions, shapes, config.channels)
        self.critic = _Critic(shapes, conditions, config)

    def fit_constants(self, x: Tensor, condition: Tensor, weight: Tensor, draws: Draws) -> Self:
        self.scale.fit(self.incident(condition), condition[:, 0].log(), weight)
        return self

    def encode(self, x: Tensor, condition: Tensor) -> Tensor:
        return (torch.where(x >= self.threshold, x, 0.0) / self.unit).log1p()

    def loss(self, batch: Batch, draws: Draws) -> Tensor:
        given = self._scaled(batch.condition)
        incident = batch.condition[:, :1] / self.unit
        made = self._voxels(given, draws.normal(self.noise_size, Stream.NOISE))
        right = self.critic(batch.x, given, incident)
        wrong = self.critic(made.detach(), given, incident)
        fixed = {name: value.detach() for name, value in self.critic.named_parameters()}
        judged = functional_call(self.critic, fixed, (made, given, incident))
        total = made.expm1().sum(dim=1, keepdim=True) / incident
        missing = (total - 1).abs()[:, 0]
        adversarial = softplus(-right) + softplus(wrong) + softplus(-judged)
        loss: Tensor = adversarial + self.config.energy_weight * missing
        return loss

    def draw(self, condition: Tensor, noise: Tensor) -> Tensor:
        return self._voxels(self._scaled(condition), noise).expm1() * self.unit

    def _voxels(self, given: Tensor, noise: Tensor) -> Tensor:
        """Return what :meth:`encode` makes of generated energies; nothing below the threshold."""
        voxels: Tensor = self.generator(torch.cat([noise, given], dim=1))
        voxels = voxels.clamp(max=_HIGHEST)
        kept = torch.where(voxels.expm1() * self.unit >= self.threshold, voxels, 0.0)
        return voxels + (kept - voxels).detach()  # what is cut can come back

    def _scaled(self, condition: Tensor) -> Tensor:
        scaled: Tensor = self.scale(self.incident(condition), condition[:, 0])
        return scaled


class _Streams(nn.Module):
    """The generator: images side by side, each with a look at the one before."""

    def __init__(self, inputs: int, shapes: list[tuple[int, int]], channels: int) -> None:
        super().__init__()
        self.embed = nn.Sequential(nn.Linear(inputs, 128), nn.SiLU(), nn.Linear(128, 128))
        self.streams = nn.ModuleList(ImageStream(128, shape, channels) for shape in shapes)
        self.carry = nn.ModuleList(CarryOver(a, b) for a, b in pairwise(shapes))

    def forward(self, x: Tensor) -> Tensor:
        h = leaky_relu(self.embed(x), 0.2)
        images: list[Tensor] = []
        for layer, stream in enumerate(self.streams):
            image = stream(h)
            images.append(self.carry[layer - 1](images[-1], image) if layer else image)
        return rectified(torch.cat([image.flatten(1) for image in images], dim=1) + _LIGHT)


class _Critic(nn.Module):
    """The discriminator, on logarithmic voxel energies; its value is a log-odds."""

    def __init__(
        self, shapes: list[tuple[int, int]], conditions: int, config: CaloGanConfig
    ) -> None:
        super().__init__()
        self.shapes = shapes
        self.looks = nn.ModuleList(LocallyConnected(1, config.channels, shape) for shape in shapes)
        voxels = sum(sectors * radius for sectors, radius in shapes)
        self.look = nn.Linear(config.channels * voxels, config.width)
        summary = 2 * len(shapes) + 1
        self.alike = MinibatchFeatures(config.width)
        self.alike_summary = MinibatchFeatures(summary)
        size = config.width + summary + conditions + 20
        self.judge = nn.Sequential(
            nn.Linear(size, config.width), nn.LeakyReLU(0.2), nn.Linear(config.width, 1)
        )

    def forward(self, x: Tensor, given: Tensor, incident: Tensor) -> Tensor:
        parts = x.split([sectors * radius for sectors, radius in self.shapes], dim=1)
        seen = [
            look(part.reshape(x.shape[0], 1, *shape)).flatten(1)
            for look, part, shape in zip(self.looks, parts, self.shapes, strict=True)
        ]
        h = leaky_relu(self.look(leaky_relu(torch.cat(seen, dim=1), 0.2)), 0.2)
        energies = torch.stack([part.expm1().sum(dim=1) for part in parts], dim=1) / incident
        filled = torch.stack([(part > 0).to(x.dtype).mean(dim=1) for part in parts], dim=1)
        total = energies.sum(dim=1, keepdim=True)
        summary = torch.cat([(energies + _SMALL).log(), filled, 3 * (total - 1)], dim=1)
        summary = summary.clamp(-_FAR, _FAR)
        alike = [self.alike(h), self.alike_summary(summary)]
        out: Tensor = self.judge(torch.cat([h, summary, given, *alike], dim=1))
        return out[:, 0]


_SMALL, _FAR = 1e-4, 10.0
_LIGHT = 0.5  # untrained, voxels are above the threshold: the critic teaches all of them
_HIGHEST = 15.0  # exp(15) thresholds: above any voxel, and finite
