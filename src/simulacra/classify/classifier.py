"""One network trained to tell classes apart, with event weights, seeded and in float32."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy
from torch.utils.flop_counter import FlopCounterMode

from ..errors import ShapeError
from ..nets.mlp import MLP
from ..nets.point_set import PointSet
from ..nets.resnet3d import ResNet3d
from ..random import Stream, generator
from .sample import Feeder, LabelledSample
from .settings import ClassifierConfig

__all__ = [
    "Discriminator",
    "operations_per_event",
    "precision_used",
    "torch_threads",
    "train_discriminator",
]

Array = NDArray[Any]
FloatArray = NDArray[np.float64]
Progress = Callable[[int, int], None]

_SCORING_NUMBERS = 1 << 26  # features scored at once: 256 MB


@dataclass(frozen=True, eq=False)
class Discriminator:
    """A trained classifier.

    Args:
        network: the network with the weights of its best epoch.
        config: how it was trained.
        epoch: number of that epoch, from 1.
        accuracy: weighted accuracy on the selection events at that epoch.
        losses: mean training loss of each epoch, in nats.
    """

    network: nn.Module
    config: ClassifierConfig
    epoch: int
    accuracy: float
    losses: tuple[float, ...]

    @property
    def parameters(self) -> int:
        """Number of trained parameters."""
        return sum(p.numel() for p in self.network.parameters())

    def logits(self, sample: LabelledSample, events: Array) -> FloatArray:
        """Score events of a sample.

        Returns:
            For two classes the log-odds of belonging to the first, shape ``(events,)``; for more
            the logarithms of the probabilities, shape ``(events, classes)``.
        """
        feeder = Feeder(sample, self.config.device)
        return np.asarray(_scores(self.network, feeder, sample, events, self.config))


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
    """Train one network and keep the epoch with the best accuracy (or loss) on selection events.

    The loss is the cross-entropy, each event with its weight: an event of weight two counts as
    one that is there twice (in the residual network's normalisation it counts once). As in the
    challenge, training ends early when every selection event is classified correctly.

    Args:
        sample: the events of all classes.
        training: numbers of the events to train on.
        selection: numbers of the events that choose the epoch.
        config: the settings.
        seed: seed of weights and order; torch's own generators are neither read nor moved.
        fold: number of the retraining; another one draws other numbers.
        progress: called with (epochs done, epochs) after each epoch.

    Raises:
        ShapeError: if the network needs an image or sets and the sample is none.
    """
    network = _network(sample, config, generator(seed, Stream.INITIALISATION, fold))
    optimiser = torch.optim.Adam(network.parameters(), lr=config.learning_rate, fused=True)
    feeder = Feeder(sample, config.device)
    best, best_epoch, best_accuracy = -np.inf, 0, 0.0
    kept, losses = _state(network), list[float]()
    with torch_threads(config.threads):
        for epoch in range(1, config.epochs + 1):
            order = generator(seed, Stream.ORDER, fold, epoch).permutation(training)
            losses.append(_train_epoch(network, optimiser, feeder, order, config))
            scores = _scores(network, feeder, sample, selection, config)
            accuracy = _accuracy(scores, sample, selection)
            merit = (
                accuracy if config.select == "accuracy" else -_surprise(scores, sample, selection)
            )
            if merit > best:
                best, best_epoch, best_accuracy = merit, epoch, accuracy
                _keep(network, kept)
            if progress is not None:
                progress(epoch, config.epochs)
            late = config.patience and epoch - best_epoch >= config.patience
            if accuracy == 1.0 or late:
                break
    network.load_state_dict(kept)
    return Discriminator(network, config, best_epoch, best_accuracy, tuple(losses))


def precision_used(config: ClassifierConfig) -> str:
    """Return ``float32`` or ``bfloat16``: what ``automatic`` stands for on this machine."""
    if config.precision != "automatic":
        return config.precision
    if config.network != "mlp":
        return "float32"  # convolutions gain little from it
    if config.device.startswith("cuda"):
        return "bfloat16" if torch.cuda.is_bf16_supported() else "float32"
    asked = ("_is_amx_tile_supported", "_is_avx512_bf16_supported")
    native = any(getattr(torch.cpu, name, lambda: False)() for name in asked)
    return "bfloat16" if native else "float32"


def operations_per_event(sample: LabelledSample, config: ClassifierConfig) -> tuple[float, float]:
    """Return the floating-point operations of products and convolutions per event.

    Args:
        sample: events of the wanted number of features.
        config: the settings.

    Returns:
        Those of the forward pass, and those of a training step (forward and backward).
    """
    network = _network(sample, config, np.random.default_rng(0)).train()
    x = Feeder(sample, config.device).inputs(np.arange(2))
    with FlopCounterMode(display=False) as forward:
        output = network(x)
    with FlopCounterMode(display=False) as backward:
        output.sum().backward()
    once = forward.get_total_flops() / len(x)
    return once, once + backward.get_total_flops() / len(x)


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


def _network(
    sample: LabelledSample, config: ClassifierConfig, rng: np.random.Generator
) -> nn.Module:
    outputs = 1 if sample.classes == 2 else sample.classes
    if config.network == "mlp":
        features = sample.rows.features
        network = MLP(features, outputs, config.width, config.hidden, config.slope)
        return network.initialise(rng).to(config.device)
    if config.network == "set":
        if sample.points is None:
            raise ShapeError(
                "classifier: the network for sets needs events that are sets of points; these are "
                "rows of numbers. Use the perceptron."
            )
        sums = PointSet(sample.points, outputs, config.width, config.hidden, config.slope)
        return sums.initialise(rng).to(config.device)
    if sample.shape is None:
        raise ShapeError(
            "classifier: the residual network needs showers that are an image of layers, sectors "
            "and rings; these have no such shape. Use the perceptron."
        )
    return ResNet3d(sample.shape, outputs, config.channels).initialise(rng).to(config.device)


def _train_epoch(
    network: nn.Module,
    optimiser: torch.optim.Adam,
    feeder: Feeder,
    order: Array,
    config: ClassifierConfig,
) -> float:
    network.train()
    total = torch.zeros((), device=config.device)
    for part in _batches(order, config.batch):
        label, weight = feeder.targets(part)
        with _products(config):
            output = network(feeder.inputs(part))
        loss = _loss(output, label, weight)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        total += loss.detach() * len(part)
    return float(total) / len(order)


def _batches(order: Array, size: int) -> list[Array]:
    """Cut into batches; a single last event joins the others (a batch of one has no variance)."""
    cuts = list(range(size, len(order), size))
    if cuts and len(order) - cuts[-1] == 1:
        cuts.pop()
    return np.split(order, cuts)


def _loss(output: Tensor, label: Tensor, weight: Tensor) -> Tensor:
    if output.shape[1] == 1:
        return binary_cross_entropy_with_logits(output[:, 0], label.float(), weight)
    return (weight * cross_entropy(output, label, reduction="none")).mean()


def _products(config: ClassifierConfig) -> Any:
    """Return the context in which hidden layers multiply with the wanted precision."""
    kind = torch.device(config.device).type
    return torch.autocast(kind, dtype=torch.bfloat16, enabled=precision_used(config) == "bfloat16")


def _accuracy(scores: FloatArray, sample: LabelledSample, events: Array) -> float:
    guess = scores > 0 if scores.ndim == 1 else scores.argmax(axis=1)
    weight = sample.weight[events].astype(np.float64)
    return float((weight * (guess == sample.label[events])).sum() / weight.sum())


def _surprise(scores: FloatArray, sample: LabelledSample, events: Array) -> float:
    """Return the weighted mean of the cross-entropy in nats."""
    weight, label = sample.weight[events].astype(np.float64), sample.label[events]
    if scores.ndim == 1:
        lost = np.logaddexp(0, np.where(label == 1, -scores, scores))
    else:
        lost = -np.take_along_axis(scores, label[:, None], axis=1)[:, 0]
    return float((weight * lost).sum() / weight.sum())


def _scores(
    network: nn.Module,
    feeder: Feeder,
    sample: LabelledSample,
    events: Array,
    config: ClassifierConfig,
) -> FloatArray:
    network.eval()
    step = max(1, min(4096, _SCORING_NUMBERS // sample.rows.features))
    found = []
    with torch.inference_mode(), _products(config):
        for start in range(0, len(events), step):
            found.append(network(feeder.inputs(events[start : start + step])).cpu())
    output = torch.cat(found).double()
    scores = output[:, 0] if output.shape[1] == 1 else output.log_softmax(dim=1)
    return np.asarray(scores.numpy())


def _state(network: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in network.state_dict().items()}


def _keep(network: nn.Module, kept: dict[str, Tensor]) -> None:
    for name, value in network.state_dict().items():
        kept[name].copy_(value)
