"""The smallest generators that have everything: angles, particles, a threshold, noise."""

from __future__ import annotations

import torch

from simulacra.data import toy_geometry
from simulacra.deploy import Condition
from simulacra.export import Exported
from simulacra.generative import GenerativeModel

ENERGY = Condition("incident_energy", "MeV", (1000.0, 64000.0), (990.0, 64640.0))
ANGLE = Condition("theta", "rad", (0.0, 0.5), (-0.005, 0.505))
CONDITIONS = (
    ENERGY,
    ANGLE,
    Condition("pdg", "", (11.0, 22.0), (10.89, 22.11), (11.0, 22.0)),
)


class Toy(GenerativeModel):
    """Log-normal voxels, each of its own width, that shrink with the angle."""

    def __init__(self, voxels=60):
        super().__init__()
        self.noise_size = voxels
        self.register_buffer("width", torch.linspace(0.5, 1.5, voxels))

    def loss(self, batch, draws):
        return batch.x[:, 0]

    def draw(self, condition, noise):
        energy, theta, pdg = condition.split(1, dim=1)
        voxels = (noise * self.width - 2 * theta).exp() * energy * pdg / 2e3
        return torch.where(voxels >= 1, voxels, 0.0)


class Showerlike(Toy):
    """Voxels that depend on the energy, in no fixed share of it, and on the angle."""

    def draw(self, condition, noise):
        energy, turn = condition[:, :1], condition[:, 1:].sum(dim=1, keepdim=True)
        voxels = (0.5 * noise * self.width - turn).exp() * energy**0.9 / 20
        return torch.where(voxels >= 1, voxels, 0.0)


def exported(model=None, **provenance):
    return Exported("toy", model or Toy(), toy_geometry(), CONDITIONS, provenance)


def simple(conditions=(ENERGY,), geometry=None, model=None, name="toy"):
    where = geometry or toy_geometry()
    return Exported(name, model or Showerlike(where.voxels), where, conditions, {})
