"""What all normalizing flows share: an invertible map between events and noise, and its density."""

from __future__ import annotations

import math
from abc import abstractmethod

import torch
from torch import Tensor

from ..batch import Batch, Draws
from ..random import Stream
from .kit import NetworkKit
from .model import GenerativeModel

__all__ = ["Flow", "normal_log_density"]


def normal_log_density(z: Tensor) -> Tensor:
    """Return the log-density of standard normal vectors in nats, ``(events,)``."""
    return -0.5 * (z.square() + math.log(2 * math.pi)).sum(dim=1)


class Flow(GenerativeModel):
    r"""A generator of standardised vectors by an invertible map to noise, with its exact density.

    .. math:: \ln p(x | c) = \ln \mathcal N(z) + \ln \left| \det \frac{\partial z}{\partial x}
        \right|, \qquad z = z(x, c)

    (D. Rezende, S. Mohamed, "Variational inference with normalizing flows", 2015,
    arXiv:1505.05770). Trained by the mean of :math:`-\ln p`. Where the kit has symmetries, a
    training event is turned at random by one of them.

    Args:
        kit: networks for the vectors.

    Shapes:
        x: ``(events, features)``, dimensionless, of about unit width.
        condition: ``(events, conditions)``, dimensionless.
    """

    turns: Tensor

    def __init__(self, kit: NetworkKit) -> None:
        super().__init__()
        self.noise_size = kit.features
        self.register_buffer("turns", torch.tensor(kit.turns()), persistent=False)

    @abstractmethod
    def to_noise(self, x: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        """Return noise in the shape of x, and the log-determinant of the map, ``(events,)``."""

    @abstractmethod
    def from_noise(self, z: Tensor, condition: Tensor) -> Tensor:
        """Undo :meth:`to_noise`."""

    def log_density(self, x: Tensor, condition: Tensor) -> Tensor:
        """Return the exact log-density in nats, ``(events,)``.

        Args:
            x: ``(events, features)``.
            condition: ``(events, conditions)``.
        """
        z, log_determinant = self.to_noise(x, condition)
        return normal_log_density(z) + log_determinant

    def loss(self, batch: Batch, draws: Draws) -> Tensor:
        return -self.log_density(self.turned(batch.x, draws), batch.condition) / self.noise_size

    def draw(self, condition: Tensor, noise: Tensor) -> Tensor:
        return self.from_noise(noise, condition)

    def turned(self, x: Tensor, draws: Draws) -> Tensor:
        """Return events under random symmetries of theirs; shape of x."""
        if len(self.turns) == 1:
            return x
        choice = draws.uniform(1, Stream.TURN)[:, 0] * len(self.turns)
        return x.gather(1, self.turns[choice.long()])
