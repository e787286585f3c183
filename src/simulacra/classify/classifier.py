"""A binary classifier with event weights: the challenge's network, seeded and in float32."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from ..config import Config
from ..errors import RangeError, ShapeError
from ..nets.mlp import MLP
from ..random import Stream, generator

__all__ = [
    "ClassifierConfig",
    "Discriminator",
    "LabelledSample",
    "torch_threads",
    "train_discriminator",
]

Array = NDArray[Any]
Progress = Callable[[int, int], None]

_SCORING_BATCH = 4096


class ClassifierConfig(Config):
    """Settings of a classifier; the defaults are those of the CaloChallenge.

    Krause et al., "CaloChallenge 2022", 2024, arXiv:2410.21611. The challenge trains in double
    precision; here it is single, which changes AUCs far less than a retraining does.
    """

    width: int = Field(2048, ge=1)
    """Size of each hidden layer."""
    hidden: int = Field(3, ge=0)
    """Number of hidden layers."""
    slope: float = 0.01
    """Slope of the rectifier below 0."""
    learning_rate: float = Field(2e-4, gt=0)
    """Adam's, constant."""
    batch: int = Field(1000, ge=1)
    """Events per step."""
    epochs: int = Field(50, ge=1)
    """Passes over the training events."""
    folds: int = Field(5, ge=1, le=5)
    """How many of the five rotated 60/20/20 splits are trained; each scores a fifth."""
    standardise: bool = False
    """Whether to bring each feature to mean 0 and width 1 first; the challenge does not."""
    threads: int = Field(0, ge=0)
    """Threads of torch while training, restored afterwards; 0 leaves them as they are."""
    device: str = "cpu"
    """Where to train; the bits of a result belong to a device and a number of threads."""


@dataclass(frozen=True, eq=False)
class LabelledSample:
    """Both samples on one tensor.

    Args:
        inputs: features, float32, shape ``(events, features)``.
        label: 1 for the first sample and 0 for the second, float32, shape ``(events,)``.
        weight: event weights with mean 1, float32, shape ``(events,)``; may be negative.
    """

    inputs: Tensor
    label: Tensor
    weight: Tensor

    @classmethod
    def of(
        cls,
        first: Array,
        second: Array,
        weight_first: Array | None = None,
        weight_second: Array | None = None,
        *,
        standardise: bool = False,
        device: str = "cpu",
    ) -> LabelledSample:
        """Join two samples; both classes get the same sum of weights.

        Args:
            first: features of the first sample, shape ``(events_first, features)``.
            second: features of the second sample, shape ``(events_second, features)``.
            weight_first: event weights; default 1.
            weight_second: event weights; default 1.
            standardise: bring each feature to mean 0 and width 1 over both samples; labels
                and weights play no part.
            device: where the tensors live.

        Raises:
            ShapeError: if the samples have different features or weights do not fit.
            RangeError: if a sample is empty, not finite, or its weights do not sum to a
                positive number.
        """
        if first.ndim != 2 or second.ndim != 2 or first.shape[1] != second.shape[1]:
            raise ShapeError(
                "classifier: expected two samples (events, features) with the same features, "
                f"got {first.shape} and {second.shape}."
            )
        inputs = np.empty((len(first) + len(second), first.shape[1]), np.float32)
        inputs[: len(first)], inputs[len(first) :] = first, second
        if not np.isfinite(inputs).all():
            raise RangeError("classifier: expected finite features, found nan or infinity.")
        if standardise:
            _standardise(inputs)
        weight = np.concatenate(
            [_balanced(first, weight_first, inputs), _balanced(second, weight_second, inputs)]
        )
        label = np.concatenate([np.ones(len(first)), np.zeros(len(second))])
        as_tensors = (torch.from_numpy(x.astype(np.float32, copy=False)) for x in (label, weight))
        label_tensor, weight_tensor = as_tensors
        return cls(
            torch.from_numpy(inputs).to(device), label_tensor.to(device), weight_tensor.to(device)
        )


@dataclass(frozen=True, eq=False)
class Discriminator:
    """A trained classifier.

    Args:
        network: the network with the weights of its best epoch.
        epoch: number of that epoch, from 1.
        accuracy: weighted accuracy on the selection events at that epoch.
        losses: mean training loss of each epoch, in nats.
    """

    network: MLP
    epoch: int
    accuracy: float
    losses: tuple[float, ...]

    def logits(self, inputs: Tensor) -> Tensor:
        """Return the log-odds of belonging to the first sample, shape ``(events,)``."""
        return _logits(self.network, inputs)


def train_discriminator(
    sample: LabelledSample,
    training: Array,
    selection: Array,
    config: ClassifierConfig,
    *,
    seed: int,
    fold: int = 0,
    progress: Progress | None = None,
) -> Discriminator:
    """Train one network and keep the epoch with the best accuracy on the selection events.

    The loss is the binary cross-entropy, each event with its weight: an event of weight two
    counts as one that is there twice.

    Args:
        sample: both samples.
        training: numbers of the events to train on.
        selection: numbers of the events that choose the epoch.
        config: the settings.
        seed: seed of weights and order; torch's own generators are neither read nor moved.
        fold: number of the retraining; another one draws other numbers.
        progress: called with (epochs done, epochs) after each epoch.
    """
    device = sample.inputs.device
    network = MLP(sample.inputs.shape[1], 1, config.width, config.hidden, config.slope)
    network.initialise(generator(seed, Stream.INITIALISATION, fold)).to(device)
    optimiser = torch.optim.Adam(network.parameters(), lr=config.learning_rate, fused=True)
    best = Discriminator(network, 0, -np.inf, ())
    kept: dict[str, Tensor] = {}
    losses: list[float] = []
    with torch_threads(config.threads):
        for epoch in range(1, config.epochs + 1):
            order = generator(seed, Stream.ORDER, fold, epoch).permutation(training)
            losses.append(_train_epoch(network, optimiser, sample, order, config.batch))
            accuracy = _accuracy(network, sample, selection)
            if accuracy > best.accuracy:
                best = Discriminator(network, epoch, accuracy, ())
                kept = {name: value.clone() for name, value in network.state_dict().items()}
            if progress is not None:
                progress(epoch, config.epochs)
            if accuracy == 1.0:  # as the challenge does: nothing is left to learn
                break
    network.load_state_dict(kept)
    return Discriminator(network, best.epoch, best.accuracy, tuple(losses))


@contextlib.contextmanager
def torch_threads(count: int) -> Iterator[int]:
    """Let torch use so many threads inside the block (0: as many as before); give the number."""
    before = torch.get_num_threads()
    if count:
        torch.set_num_threads(count)
    try:
        yield torch.get_num_threads()
    finally:
        torch.set_num_threads(before)


def _train_epoch(
    network: MLP, optimiser: torch.optim.Adam, sample: LabelledSample, order: Array, batch: int
) -> float:
    rows = torch.from_numpy(order).to(sample.inputs.device)
    total = torch.zeros((), device=sample.inputs.device)
    for part in torch.split(rows, batch):
        logits = network(sample.inputs[part])[:, 0]
        loss = binary_cross_entropy_with_logits(logits, sample.label[part], sample.weight[part])
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        total += loss.detach() * len(part)
    return float(total) / len(rows)


def _accuracy(network: MLP, sample: LabelledSample, events: Array) -> float:
    rows = torch.from_numpy(events).to(sample.inputs.device)
    right = (_logits(network, sample.inputs[rows]) > 0) == (sample.label[rows] > 0.5)
    weight = sample.weight[rows].double()
    return float((weight * right).sum() / weight.sum())


def _logits(network: MLP, inputs: Tensor) -> Tensor:
    with torch.inference_mode():
        return torch.cat([network(part)[:, 0] for part in torch.split(inputs, _SCORING_BATCH)])


def _balanced(part: Array, weight: Array | None, inputs: Array) -> Array:
    """Return weights that sum to half the number of all events."""
    w = np.ones(len(part)) if weight is None else np.asarray(weight, np.float64)
    if w.shape != (len(part),):
        raise ShapeError(f"classifier: expected {len(part)} weights, got {w.shape}.")
    if not w.sum() > 0:
        raise RangeError(
            f"classifier: expected samples with a positive sum of weights, got {w.sum():g} for "
            f"{len(part)} events."
        )
    return np.asarray(w * (len(inputs) / 2 / w.sum()))


def _standardise(inputs: NDArray[np.float32]) -> None:
    """Shift and scale each column in place; constant ones become 0."""
    mean = inputs.mean(axis=0, dtype=np.float64)
    inputs -= mean.astype(np.float32)
    width = np.sqrt((inputs**2).mean(axis=0, dtype=np.float64))
    inputs /= np.where(width > 0, width, 1).astype(np.float32)
