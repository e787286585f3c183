"""Batch: what a training step sees; arrays share their first axis, the events."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from .errors import ShapeError
from .random import normal, uniform

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Batch", "Draws"]


@dataclass(frozen=True, eq=False)
class Batch:
    """Some events for a model.

    Args:
        x: what is to be learned, shape ``(events, features)``; units are the model's own.
        condition: what it depends on, shape ``(events, conditions)``.
        weight: event weights, dimensionless, shape ``(events,)``; may be negative.
        mask: which features exist, shape ``(events, features)``; None if all do.
    """

    x: Tensor
    condition: Tensor
    weight: Tensor
    mask: Tensor | None = None

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if value is not None and len(value) != len(self.x):
                raise ShapeError(
                    f"batch: expected {len(self.x)} events in `{field.name}`, got {len(value)}."
                )

    def __len__(self) -> int:
        return len(self.x)

    def map(self, change: Callable[[Tensor], Tensor]) -> Batch:
        """Return the batch with ``change`` applied to every array, such as a move to a device."""
        values: dict[str, Any] = {
            field.name: None if (old := getattr(self, field.name)) is None else change(old)
            for field in fields(self)
        }
        return Batch(**values)


@dataclass(frozen=True)
class Draws:
    """The random numbers of a training step: a function of (seed, sample number) alone.

    Args:
        seed: identity of the training.
        first: number of the batch's first sample, counted over the whole training.
        events: samples in the batch.
        device: where the numbers go.
    """

    seed: int
    first: int
    events: int
    device: str = "cpu"

    def normal(self, count: int, stream: int) -> Tensor:
        """Draw standard normal numbers, shape ``(events, count)``, float32."""
        import torch

        numbers = range(self.first, self.first + self.events)
        return torch.from_numpy(normal(self.seed, numbers, count, stream=stream)).to(self.device)

    def uniform(self, count: int, stream: int) -> Tensor:
        """Draw uniform numbers in (0, 1), shape ``(events, count)``, float32."""
        import torch

        numbers = range(self.first, self.first + self.events)
        return torch.from_numpy(uniform(self.seed, numbers, count, stream=stream)).to(self.device)
