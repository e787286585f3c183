"""Two stochastic maps between truth and measured space that are learned without a pair."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn

from ...classify.classifier import torch_threads
from ...config import Config
from ...generative import initialised
from ...generative.sliced import sliced_wasserstein
from ...nets import VectorMap
from ...random import Stream, generator, normal

__all__ = [
    "Side",
    "SlicedAutoencoder",
    "SlicedAutoencoderConfig",
    "distance_and_floor",
    "train_unpaired",
]

FloatArray = NDArray[np.float64]
_SLICES = 100
NotNegative = Annotated[float, Field(ge=0)]


class SlicedAutoencoderConfig(Config):
    """Sizes, terms of the loss, and training of both maps.

    Args:
        width: size of the networks' hidden state.
        blocks: residual blocks of each network.
        noise: normal numbers that each map takes for an event.
        reconstruction: weight of measured events against themselves through both maps.
        truth: weight of the distance between the truth's law and that of encoded events.
        measured: weight of the distance between the measured law and that of decoded truth.
        anchor: weight, at the start of the training, of how far a map moves the observables that
            both sides have; it falls to 0 linearly, so that it chooses among maps without bending
            the laws at the end.
        slices: directions per step and distance.
        batch: events of each side per step, drawn independently and with a chance as their weight.
        steps: of the training.
        learning_rate: Adam's at the start; it falls to a hundredth along a cosine.
        threads: of torch while training; 0 leaves them as they are.
    """

    width: int = Field(default=64, ge=1)
    blocks: int = Field(default=2, ge=1)
    noise: int = Field(default=2, ge=1)
    reconstruction: NotNegative = 1.0
    truth: NotNegative = 10.0
    measured: NotNegative = 10.0
    anchor: NotNegative = 1.0
    slices: int = Field(default=50, ge=1)
    batch: int = Field(default=1000, ge=2)
    steps: int = Field(default=400, ge=1)
    learning_rate: float = Field(default=1e-3, gt=0)
    threads: int = Field(default=1, ge=0)


@dataclass(frozen=True, eq=False)
class Side:
    """Events on one side of the detector, about standard normal in each observable.

    Args:
        values: shape ``(events, observables)``.
        weight: shape ``(events,)``, none negative.
    """

    values: FloatArray
    weight: FloatArray

    def batch(self, rng: np.random.Generator, size: int) -> Tensor:
        """Draw events with a chance as their weight, float32, ``(size, observables)``."""
        share = np.cumsum(self.weight)
        places = np.searchsorted(share, rng.random(size) * share[-1], side="right")
        chosen = self.values[np.minimum(places, len(share) - 1)]
        return torch.from_numpy(chosen.astype(np.float32))


class SlicedAutoencoder(nn.Module):
    r"""An encoder from measured to true observables and a decoder back, each with noise.

    .. math::
        L = \beta \langle |x - D(E(x))|^2 \rangle + \lambda\, \mathrm{SWD}_2^2(z, E(x))
            + \lambda'\, \mathrm{SWD}_2^2(x, D(z))
            + \alpha \langle |E(x) - x|^2 + |D(z) - z|^2 \rangle

    the last over observables that both sides have; squares are means over observables. J. Howard,
    S. Mandt, D. Whiteson, Y. Yang, "Learning to simulate high energy particle collisions from
    unlabeled data", 2021, arXiv:2101.08944; the anchor here is our own. Both maps start as the
    identity in what both sides have and as 0 in the rest.

    Args:
        truths: number of true observables.
        measured: number of measured ones.
        shared: place in the truth and place in what is measured of each that both have.
        config: sizes and weights of the terms.
    """

    def __init__(
        self,
        truths: int,
        measured: int,
        shared: Sequence[tuple[int, int]],
        config: SlicedAutoencoderConfig,
    ) -> None:
        super().__init__()
        self.config = config
        network = partial(
            VectorMap, conditions=config.noise, width=config.width, blocks=config.blocks
        )
        self.encoder = network(measured, truths)
        self.decoder = network(truths, measured)
        carry = torch.zeros(measured, truths)
        for at_truth, at_measured in shared:
            carry[at_measured, at_truth] = 1.0
        self.register_buffer("carry", carry)
        self.carry: Tensor

    def encode(self, x: Tensor, noise: Tensor) -> Tensor:
        """Return a truth for measured events, ``(events, truths)``."""
        moved: Tensor = self.encoder(x, noise)[:, 0]
        return x @ self.carry + moved

    def decode(self, z: Tensor, noise: Tensor) -> Tensor:
        """Return what a detector might have measured of a truth, ``(events, measured)``."""
        moved: Tensor = self.decoder(z, noise)[:, 0]
        return z @ self.carry.T + moved

    def loss(
        self, z: Tensor, x: Tensor, noise: Tensor, *, seed: int, step: int, anchor: float
    ) -> Tensor:
        """Return the loss of true and measured events that do not belong together.

        Args:
            z: true events, ``(events, truths)``.
            x: measured events, ``(events, measured)``.
            noise: ``(3, events, noise)``.
            seed: identity of the directions.
            step: each has its own directions.
            anchor: weight of the anchor now.
        """
        config = self.config
        distance = partial(
            sliced_wasserstein, slices=config.slices, seed=seed, first=step * config.slices
        )
        found, decoded = self.encode(x, noise[0]), self.decode(z, noise[1])
        again = self.decode(found, noise[2])
        loss = config.reconstruction * (again - x).square().mean()
        loss = loss + config.truth * distance(found, z)
        loss = loss + config.measured * distance(decoded, x)
        if anchor and self.carry.any():
            at_truth, at_measured = self.carry.any(dim=0), self.carry.any(dim=1)
            moved = (found - x @ self.carry)[:, at_truth].square().mean()
            back = (decoded - z @ self.carry.T)[:, at_measured].square().mean()
            loss = loss + anchor * (moved + back)
        return loss

    @torch.no_grad()
    def truth_of(self, x: FloatArray, numbers: NDArray[np.uint64], seed: int) -> FloatArray:
        """Encode events with noise that is a function of ``(seed, number)``, double precision."""
        return self.encode(*self._given(x, numbers, seed)).double().numpy()

    @torch.no_grad()
    def measured_of(self, z: FloatArray, numbers: NDArray[np.uint64], seed: int) -> FloatArray:
        """Decode events likewise."""
        return self.decode(*self._given(z, numbers, seed)).double().numpy()

    def _given(
        self, values: FloatArray, numbers: NDArray[np.uint64], seed: int
    ) -> tuple[Tensor, Tensor]:
        noise = normal(seed, numbers, self.config.noise)
        return torch.from_numpy(values.astype(np.float32)), torch.from_numpy(noise)


def train_unpaired(
    truth: Side,
    measured: Side,
    shared: Sequence[tuple[int, int]],
    config: SlicedAutoencoderConfig,
    *,
    seed: int,
) -> SlicedAutoencoder:
    """Learn both maps from two samples; which event belongs to which is not among what is given.

    Args:
        truth: events on the true side.
        measured: events on the measured side.
        shared: place in the truth and place in what is measured of each that both have.
        config: settings.
        seed: identity of initial weights, batches, noise and directions.
    """
    sizes = truth.values.shape[1], measured.values.shape[1]
    model = initialised(lambda: SlicedAutoencoder(*sizes, shared, config), seed)
    optimiser = torch.optim.Adam(model.parameters(), lr=config.learning_rate)
    rng = generator(seed, Stream.ORDER)
    with torch_threads(config.threads):
        for step in range(config.steps):
            done = step / config.steps
            for group in optimiser.param_groups:
                falls = 0.01 + 0.99 * (1 + math.cos(math.pi * done)) / 2
                group["lr"] = config.learning_rate * falls
            z, x = truth.batch(rng, config.batch), measured.batch(rng, config.batch)
            drawn = rng.standard_normal((3, config.batch, config.noise), np.float32)
            anchor = config.anchor * (1 - done)
            noise = torch.from_numpy(drawn)
            loss = model.loss(z, x, noise, seed=seed, step=step, anchor=anchor)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
    return model.eval()


def distance_and_floor(found: Side, truth: Side, *, seed: int) -> tuple[float, float]:
    """Return the squared sliced Wasserstein distance of two sides, and that of the truth's own law.

    Random halves of the truth are twice as far from each other as two samples of its size.

    Args:
        found: encoded events.
        truth: what they should look like.
        seed: of directions and halves.
    """

    def distance(a: Side, b: Side) -> float:
        values = torch.from_numpy(a.values), torch.from_numpy(b.values)
        weights = torch.from_numpy(a.weight), torch.from_numpy(b.weight)
        return float(sliced_wasserstein(*values, *weights, slices=_SLICES, seed=seed))

    order = generator(seed, Stream.SPLIT).permutation(len(truth.weight))
    a, b = (Side(truth.values[half], truth.weight[half]) for half in np.array_split(order, 2))
    return distance(found, truth), distance(a, b) / 2
