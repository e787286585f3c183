"""The contract of every generator: learn p(x | condition), and turn noise into x."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Protocol, Self, TypeVar, runtime_checkable

import torch
from torch import Tensor, nn

from ..batch import Batch, Draws
from ..errors import ConfigError
from ..random import Stream, generator

__all__ = ["GenerativeModel", "HasDensity", "Student", "initialised"]

M = TypeVar("M", bound=nn.Module)


class GenerativeModel(nn.Module, ABC):
    """A conditional distribution that can be trained and drawn from.

    Noise is an argument, never drawn inside, so that an event depends on its own noise alone and
    the model can be exported. The number of standard normals that one event needs is
    ``noise_size``.

    Shapes:
        x: ``(events, features)``, in the model's physical units.
        condition: ``(events, conditions)``, in physical units.
        noise: ``(events, noise_size)``, standard normal.
    """

    noise_size: int

    def fit_constants(self, x: Tensor, condition: Tensor, weight: Tensor, draws: Draws) -> Self:
        """Learn preprocessing constants from training data, before the first step."""
        return self

    def encode(self, x: Tensor, condition: Tensor) -> Tensor:
        """Return what ``loss`` sees of ``x``: the part of the preprocessing done once per event."""
        return x

    @abstractmethod
    def loss(self, batch: Batch, draws: Draws) -> Tensor:
        """Return each event's loss, ``(events,)``; ``batch.x`` went through :meth:`encode`."""

    def learn_from(self, teacher: GenerativeModel) -> None:
        """Learn what a trained generator draws, in place of the data alone; before training.

        Args:
            teacher: it is not changed.

        Raises:
            ConfigError: if this family has no teachers, or none of that kind.
        """
        raise ConfigError(
            f"{type(self).__name__}: learns from data, not from a teacher. Students are the "
            "families mean_flow and inverse_autoregressive_flow."
        )

    @abstractmethod
    def draw(self, condition: Tensor, noise: Tensor) -> Tensor:
        """Turn noise into events, ``(events, features)``, a function of each row alone."""


class Student(nn.Module):
    """What models share that keep a teacher while they learn.

    The teacher stands in a list, so that its weights are not among the student's.
    """

    _teacher: list[Any]

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """Move the teacher along with the student, such as to another device."""
        for teacher in self._teacher:
            teacher._apply(fn, recurse)
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        return self


@runtime_checkable
class HasDensity(Protocol):
    """A generator that can say how probable an event is."""

    def log_density(self, x: Tensor, condition: Tensor) -> Tensor:
        """Return the log-density of events in nats, ``(events,)``.

        Args:
            x: ``(events, features)``.
            condition: ``(events, conditions)``.
        """
        ...


def initialised(build: Callable[[], M], seed: int) -> M:
    """Build a module whose initial weights are a function of ``seed``.

    Torch's initialisers draw from its global generator; its state is put back afterwards.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(generator(seed, Stream.INITIALISATION).integers(2**32)))
        return build()
