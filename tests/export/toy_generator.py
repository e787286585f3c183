"""The smallest generator that has everything: angles, particles, a threshold, noise of its own."""

from __future__ import annotations

import torch

from simulacra.data import toy_geometry
from simulacra.deploy import Condition
from simulacra.export import Exported
from simulacra.generative import GenerativeModel

CONDITIONS = (
    Condition("incident_energy", "MeV", (1000.0, 64000.0), (990.0, 64640.0)),
    Condition("theta", "rad", (0.0, 0.5), (-0.005, 0.505)),
    Condition("pdg", "", (11.0, 22.0), (10.89, 22.11), (11.0, 22.0)),
)


class Toy(GenerativeModel):
    """Log-normal voxels, each of its own width, that shrink with the angle."""

    def __init__(self):
        super().__init__()
        self.noise_size = 60
        self.register_buffer("width", torch.linspace(0.5, 1.5, 60))

    def loss(self, batch, draws):
        return batch.x[:, 0]

    def draw(self, condition, noise):
        energy, theta, pdg = condition.split(1, dim=1)
        voxels = (noise * self.width - 2 * theta).exp() * energy * pdg / 2e3
        return torch.where(voxels >= 1, voxels, 0.0)


def exported(model=None, **provenance):
    return Exported("toy", model or Toy(), toy_geometry(), CONDITIONS, provenance)
