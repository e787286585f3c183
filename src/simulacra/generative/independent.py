"""Independent normals: a family that learns nothing, for what is known in closed form."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from ..batch import Batch, Draws
from ..config import Config
from .kit import NetworkKit
from .model import GenerativeModel

__all__ = ["Independent", "IndependentConfig"]


class IndependentConfig(Config):
    """Nothing is learned.

    Args:
        family: its name.
    """

    family: Literal["independent"] = "independent"


class Independent(GenerativeModel):
    """Hands its noise through: independent normals of width 1, whatever the condition.

    Behind scores and a :class:`~simulacra.generative.Copula` these are showers with the right
    spectrum of every voxel and the right correlations of pairs, without a network and in one step:
    what every other family has to improve on.

    Args:
        features: size of x.

    Shapes:
        x: ``(events, features)``, dimensionless.
        condition: ``(events, conditions)``, not looked at.
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        self.noise_size = features

    @classmethod
    def from_kit(cls, kit: NetworkKit, _: IndependentConfig) -> Independent:
        """Build for a kit's vectors."""
        return cls(kit.features)

    def loss(self, batch: Batch, draws: Draws) -> Tensor:
        return batch.x.new_zeros(len(batch.x))

    def draw(self, condition: Tensor, noise: Tensor) -> Tensor:
        return noise
