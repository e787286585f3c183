"""Weights of generated events learned as a function of their noise, and noise drawn with them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from pydantic import Field
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from ...classify.classifier import torch_threads
from ...config import Config
from ...data.weights import checked_weights, positive_total
from ...errors import ArtifactError, ConfigError, RangeError, ShapeError
from ...nets.mlp import MLP
from ...random import Stream, generator, normal, uniform
from ...samplers import hamiltonian
from .problem import checked_events
from .storing import read_method, write_method

__all__ = ["NoiseConfig", "NoiseRefiner"]

Array = NDArray[Any]
FloatArray = NDArray[np.float64]

_KIND = "noise refiner"


class NoiseConfig(Config):
    """How weights are learned as a function of noise, and how noise is drawn.

    Args:
        width: of a hidden layer.
        hidden: hidden layers.
        epochs: passes over the events.
        batch: events per step.
        learning_rate: Adam's at the start; it falls to nothing along a cosine.
        decay: weight decay per step, in units of the learning rate.
        proposals: of each chain; every event is the end of a chain of its own.
        leaps: leapfrog steps of a proposal.
        step: of the leapfrog, in units of the noise's width.
        threads: of torch while training; 0 leaves them as they are.
    """

    width: int = Field(default=128, ge=1)
    hidden: int = Field(default=2, ge=0)
    epochs: int = Field(default=10, ge=1)
    batch: int = Field(default=512, ge=1)
    learning_rate: float = Field(default=1e-3, gt=0)
    decay: float = Field(default=0.01, ge=0)
    proposals: int = Field(default=3, ge=1)
    leaps: int = Field(default=5, ge=1)
    step: float = Field(default=0.3, gt=0)
    threads: int = Field(default=1, ge=0)


class NoiseRefiner:
    r"""Pull weights of generated events back to noise, and draw noise from that law.

    .. math:: \bar w(z, c) = E[w \mid z, c],\qquad z \sim \bar w(z, c)\, N(z)

    R. Winterhalder, M. Bellagente, B. Nachman, "Latent space refinement for deep generative
    models", 2021, https://arxiv.org/abs/2106.00792. A network learns :math:`\ln \bar w` from noise
    and weights alone, so that neither the generator nor what the weights look at needs a
    derivative, as :class:`LatentRefiner` does. Noise is drawn by Hamiltonian Monte Carlo from a
    normal start, at the given condition, whose law stays as it is. Every event has weight 1. What
    the network does not find in the noise is not refined.

    Args:
        config: the settings.
    """

    name = "latent weights"

    def __init__(self, config: NoiseConfig | None = None) -> None:
        self.config = config or NoiseConfig()
        self._network: MLP | None = None
        self._numbers = 0
        self._shift, self._scale = np.zeros(0), np.ones(0)

    def fit(
        self,
        noise: ArrayLike,
        weight: ArrayLike,
        condition: ArrayLike | None = None,
        *,
        seed: int = 0,
    ) -> Self:
        r"""Learn the mean weight of events as a function of their noise and condition.

        The loss is that of a classifier of the events with their weights and without,
        :math:`\langle w \ln(1 + e^{-f}) + \ln(1 + e^f) \rangle`, least at :math:`f = \ln \bar w`.

        Args:
            noise: standard normal, ``(events, numbers)``.
            weight: of the events made of it, ``(events,)``, not negative.
            condition: features of what they were made for, ``(events, features)``.
            seed: identity of the training.

        Raises:
            ShapeError: if noise, weights and condition do not fit each other.
            RangeError: if a number is not finite, or a weight is negative: a classifier's target
                would be no probability; resample such weights first.
        """
        rows = np.asarray(checked_events(noise, "noise"), np.float32)
        w = positive_total(checked_weights(weight, len(rows), "noise"), "noise")
        if w.min() < 0:
            raise RangeError(
                f"noise weights: expected none below 0, got {w.min():.4g}; resample negative "
                "weights first (`Resampler`)."
            )
        self._numbers = rows.shape[1]
        given = _given(condition, len(rows))
        self._shift, self._scale = given.mean(axis=0), given.std(axis=0)
        self._scale = np.where(self._scale > 0, self._scale, 1.0)
        network = self._blank().initialise(generator(seed, Stream.INITIALISATION))
        inputs = torch.cat([torch.from_numpy(rows), self._scaled(given)], dim=1)
        with torch_threads(self.config.threads):
            self._train(network, inputs, torch.from_numpy(w / w.mean()).float(), seed)
        self._network = network.eval()
        return self

    def log_weight(self, noise: ArrayLike, condition: ArrayLike | None = None) -> FloatArray:
        """Return the logarithm of the mean weight, up to a function of the condition.

        Args:
            noise: ``(events, numbers)``.
            condition: as in :meth:`fit`.

        Returns:
            Shape ``(events,)``.
        """
        rows = torch.from_numpy(np.asarray(checked_events(noise, "noise"), np.float32))
        given = self._scaled(_given(condition, len(rows)))
        with torch.no_grad():
            found: FloatArray = self._score(rows, given).double().numpy()
        return found

    def draw(
        self, events: int, condition: ArrayLike | None = None, *, seed: int, first_event: int = 0
    ) -> tuple[NDArray[np.float32], FloatArray]:
        """Draw refined noise for a generator; event i is a function of seed and number.

        Args:
            events: how many.
            condition: of each, as in :meth:`fit`.
            seed: identity of the set.
            first_event: number of the first event in its set.

        Returns:
            Noise ``(events, numbers)``, and the share of its proposals that each chain took,
            ``(events,)``.

        Raises:
            ConfigError: if nothing was fitted.
            ShapeError: if the condition does not fit.
        """
        c, numbers = self.config, np.arange(first_event, first_event + events)
        given = self._scaled(_given(condition, events))
        start = normal(seed, numbers, self._numbers, stream=Stream.LATENT)
        momenta = normal(
            seed, numbers, c.proposals * self._numbers, stream=Stream.TRAJECTORY
        ).reshape(events, c.proposals, self._numbers)
        chances = uniform(seed, numbers, c.proposals, stream=Stream.ACCEPTANCE)
        found, accepted = hamiltonian(
            lambda z: self._score(z, given) - z.square().sum(dim=1) / 2,
            torch.from_numpy(start),
            torch.from_numpy(momenta.transpose(1, 0, 2).copy()),
            torch.from_numpy(chances.T.copy()),
            step=c.step,
            leaps=c.leaps,
        )
        return found.numpy(), accepted.double().numpy()

    def save(self, folder: Path | str) -> Path:
        """Write network and settings as a folder; see :func:`save_artifact`.

        Args:
            folder: its name; must not exist, or hold an earlier method, which is replaced.

        Raises:
            ConfigError: if nothing was fitted.
        """
        tensors = {f"network.{n}": v for n, v in self._fitted().state_dict().items()}
        tensors |= {"shift": torch.from_numpy(self._shift), "scale": torch.from_numpy(self._scale)}
        return write_method(folder, _KIND, self.config, tensors, numbers=self._numbers)

    @classmethod
    def load(cls, folder: Path | str) -> Self:
        """Read what :meth:`save` wrote.

        Raises:
            ArtifactError: if the folder is incomplete, changed or holds something else.
        """
        artifact = read_method(folder, _KIND)
        found = cls(NoiseConfig.from_dict(artifact.manifest["config"]))
        found._numbers = artifact.manifest["numbers"]
        state = dict(artifact.weights)
        try:
            found._shift, found._scale = (state.pop(n).numpy() for n in ("shift", "scale"))
            found._network = found._blank().eval()
            found._network.load_state_dict(
                {n.removeprefix("network."): v for n, v in state.items()}
            )
        except (KeyError, RuntimeError) as error:
            raise ArtifactError(
                f"{folder}: the stored numbers do not fit the settings ({error}). Is it another "
                "method's file?"
            ) from error
        return found

    def _train(self, network: MLP, inputs: Tensor, weight: Tensor, seed: int) -> None:
        c, rng = self.config, generator(seed, Stream.ORDER)
        optimiser = torch.optim.AdamW(
            network.parameters(), lr=c.learning_rate, weight_decay=c.decay
        )
        steps = c.epochs * -(-len(inputs) // c.batch)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
        for part in _batches(rng, len(inputs), c.batch, c.epochs):
            w = weight[part]
            # the same event with its weight and with weight 1: one soft label of weight 1 + w
            loss = binary_cross_entropy_with_logits(network(inputs[part])[:, 0], w / (1 + w), 1 + w)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            schedule.step()

    def _score(self, noise: Tensor, given: Tensor) -> Tensor:
        scores: Tensor = self._fitted()(torch.cat([noise, given], dim=1))[:, 0]
        return scores

    def _fitted(self) -> MLP:
        if self._network is None:
            raise ConfigError("noise: nothing was learned yet; call `fit` or `load` first.")
        return self._network

    def _blank(self) -> MLP:
        return MLP(self._numbers + len(self._shift), 1, self.config.width, self.config.hidden)

    def _scaled(self, given: FloatArray) -> Tensor:
        features = len(self._shift)
        if given.shape[1] != features:
            raise ShapeError(
                f"condition: expected {features} features as learned, got {given.shape[1]}."
            )
        return torch.from_numpy(((given - self._shift) / self._scale).astype(np.float32))


def _given(condition: ArrayLike | None, events: int) -> FloatArray:
    if condition is None:
        return np.zeros((events, 0))
    rows = np.asarray(checked_events(condition, "condition"))
    if len(rows) != events:
        raise ShapeError(
            f"condition: expected one row for each of {events} events, got {len(rows)}."
        )
    return rows


def _batches(rng: np.random.Generator, events: int, size: int, epochs: int) -> Iterator[Tensor]:
    for _ in range(epochs):
        order = torch.from_numpy(rng.permutation(events))
        yield from order.split(size)
