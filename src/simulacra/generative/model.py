"""The contract of every generator: learn p(x | condition), and turn noise into x."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Self, TypeVar

import torch
from torch import Tensor, nn

from ..batch import Batch, Draws
from ..random import Stream, generator

__all__ = ["GenerativeModel", "initialised"]

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

    @abstractmethod
    def draw(self, condition: Tensor, noise: Tensor) -> Tensor:
        """Turn noise into events, ``(events, features)``, a function of each row alone."""


def initialised(build: Callable[[], M], seed: int) -> M:
    """Build a module whose initial weights are a function of ``seed``.

    Torch's initialisers draw from its global generator; its state is put back afterwards.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(generator(seed, Stream.INITIALISATION).integers(2**32)))
        return build()
