"""The contract that every preprocessing step keeps, and the plain steps."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Self

import torch
from torch import Tensor, nn

from ..errors import RangeError

__all__ = ["Bijection", "Chain", "Log", "Logit", "Standardize", "weighted_moments"]


class Bijection(nn.Module, ABC):
    """An invertible map applied to each event on its own, given the event's incident energy.

    ``forward`` leads from physics space to network space, ``inverse`` leads back. Whatever is
    learned from data in ``fit`` lives in buffers, so the state dict of a model carries its own
    preprocessing and a checkpoint can never meet the wrong one.

    Shapes:
        x, y: ``(events, features)``.
        log_energy: natural logarithm of the incident energy in MeV, dimensionless, ``(events,)``.
        weight: event weights, ``(events,)``.
    """

    def fit(self, x: Tensor, log_energy: Tensor, weight: Tensor | None = None) -> Self:
        """Learn constants from training data; most steps have none to learn."""
        return self

    @abstractmethod
    def forward(self, x: Tensor, log_energy: Tensor) -> Tensor:
        """Map physics space to network space, shape unchanged."""

    @abstractmethod
    def inverse(self, y: Tensor, log_energy: Tensor) -> Tensor:
        """Map network space back to physics space, shape unchanged."""

    @abstractmethod
    def log_det(self, x: Tensor, log_energy: Tensor) -> Tensor:
        """Return log|dy/dx| summed over the event, shape ``(events,)``."""


class Chain(Bijection):
    """Apply steps from left to right, and undo them from right to left."""

    def __init__(self, *steps: Bijection) -> None:
        super().__init__()
        self.steps = nn.ModuleList(steps)

    def fit(self, x: Tensor, log_energy: Tensor, weight: Tensor | None = None) -> Self:
        for step in self._bijections():
            x = step.fit(x, log_energy, weight)(x, log_energy)
        return self

    def forward(self, x: Tensor, log_energy: Tensor) -> Tensor:
        for step in self._bijections():
            x = step(x, log_energy)
        return x

    def inverse(self, y: Tensor, log_energy: Tensor) -> Tensor:
        for step in reversed(self._bijections()):
            y = step.inverse(y, log_energy)
        return y

    def log_det(self, x: Tensor, log_energy: Tensor) -> Tensor:
        total = x.new_zeros(len(x))
        for step in self._bijections():
            total = total + step.log_det(x, log_energy)
            x = step(x, log_energy)
        return total

    def _bijections(self) -> list[Bijection]:
        return [step for step in self.steps if isinstance(step, Bijection)]


class Log(Bijection):
    r"""Logarithm of an energy in units of a threshold, :math:`y = \ln(x / E_\text{thr})`.

    Zero is the threshold, negative is below it.

    Args:
        threshold: in MeV, positive.

    Shapes:
        x: ``(events, features)``, MeV, positive.
        y: ``(events, features)``, dimensionless.
    """

    def __init__(self, threshold: float) -> None:
        super().__init__()
        if not threshold > 0:
            raise RangeError(f"`threshold` must be positive (MeV), got {threshold!r}.")
        self.threshold = threshold

    def forward(self, x: Tensor, log_energy: Tensor) -> Tensor:
        return x.log() - math.log(self.threshold)

    def inverse(self, y: Tensor, log_energy: Tensor) -> Tensor:
        return y.exp() * self.threshold

    def log_det(self, x: Tensor, log_energy: Tensor) -> Tensor:
        return -x.log().sum(dim=1)


class Logit(Bijection):
    r"""Stretch fractions from [0, 1] onto the real line.

    .. math:: y = \mathrm{logit}\bigl(a + (1 - 2a)\,x\bigr)

    Args:
        offset: distance :math:`a` kept from 0 and from 1, in (0, 1/2).

    Shapes:
        x: ``(events, features)``, dimensionless, in [0, 1].
        y: ``(events, features)``, dimensionless.

    Example:
        >>> Logit(offset=0.25)(torch.tensor([[0.0, 0.5, 1.0]]), torch.zeros(1)).round(decimals=4)
        tensor([[-1.0986,  0.0000,  1.0986]])
    """

    def __init__(self, offset: float = 1e-6) -> None:
        super().__init__()
        if not 0 < offset < 0.5:
            raise RangeError(f"`offset` must be between 0 and 0.5, got {offset!r}.")
        self.offset = offset

    def forward(self, x: Tensor, log_energy: Tensor) -> Tensor:
        return torch.logit(self._squeeze(x))

    def inverse(self, y: Tensor, log_energy: Tensor) -> Tensor:
        return (torch.sigmoid(y) - self.offset) / (1 - 2 * self.offset)

    def log_det(self, x: Tensor, log_energy: Tensor) -> Tensor:
        p = self._squeeze(x)
        return ((1 - 2 * self.offset) / (p * (1 - p))).log().sum(dim=1)

    def _squeeze(self, x: Tensor) -> Tensor:
        return self.offset + (1 - 2 * self.offset) * x


class Standardize(Bijection):
    """Bring every feature to zero mean and unit width over the training events.

    A feature that never changes keeps width 1, so it passes through shifted only.

    Args:
        features: number of features.

    Shapes:
        x: ``(events, features)``, any unit.
        y: ``(events, features)``, dimensionless.
    """

    mean: Tensor
    width: Tensor

    def __init__(self, features: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("width", torch.ones(features))

    def fit(self, x: Tensor, log_energy: Tensor, weight: Tensor | None = None) -> Self:
        mean, width = weighted_moments(x, weight)
        self.mean.copy_(mean)
        self.width.copy_(torch.where(width > 1e-6, width, 1.0))
        return self

    def forward(self, x: Tensor, log_energy: Tensor) -> Tensor:
        return (x - self.mean) / self.width

    def inverse(self, y: Tensor, log_energy: Tensor) -> Tensor:
        return y * self.width + self.mean

    def log_det(self, x: Tensor, log_energy: Tensor) -> Tensor:
        return -self.width.log().sum().expand(len(x))


def weighted_moments(x: Tensor, weight: Tensor | None) -> tuple[Tensor, Tensor]:
    """Return mean and width of each column under event weights, in double precision.

    Negative weights may lead to a negative variance where events are few; it counts as zero.

    Raises:
        RangeError: if the total weight is not positive.
    """
    w = x.new_ones(len(x)) if weight is None else weight
    w = w.double()[:, None]
    total = float(w.sum())
    if not total > 0:
        raise RangeError(f"event weights: expected a positive sum, got {total}.")
    mean = (w * x).sum(dim=0) / total
    variance = (w * (x - mean) ** 2).sum(dim=0) / total
    return mean.to(x.dtype), variance.clamp(min=0).sqrt().to(x.dtype)
