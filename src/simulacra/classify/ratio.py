"""The ratio of two densities, from networks that tell two samples apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn

from ..config import Config
from ..data.clouds import Clouds
from ..errors import ArtifactError, RangeError, ShapeError
from ..nets.mlp import MLP
from ..nets.point_set import PointSet
from ..random import Stream, generator
from .classifier import train_discriminator
from .sample import LabelledSample
from .settings import ClassifierConfig

__all__ = ["Clouds", "DensityRatio", "RatioConfig", "fit_ratio"]

Array = NDArray[Any]
FloatArray = NDArray[np.float64]
Progress = Callable[[int, int], None]

_AT_ONCE = 1 << 22  # numbers that a network scores together


class RatioConfig(Config):
    """How the networks of a density ratio are trained."""

    width: int = Field(100, ge=1)
    """Size of each hidden layer."""
    hidden: int = Field(3, ge=0)
    """Number of hidden layers; of each of the two perceptrons of a network for sets."""
    learning_rate: float = Field(1e-3, gt=0)
    """Adam's, constant."""
    batch: int = Field(500, ge=1)
    """Events per step."""
    epochs: int = Field(50, ge=1)
    """Passes over the training events."""
    patience: int = Field(6, ge=0)
    """Epochs without a smaller loss on held-out events after which a training ends; 0 is never."""
    networks: int = Field(1, ge=1)
    """Networks, each with other held-out events, whose logarithms are averaged."""
    held_out: float = Field(0.2, gt=0, lt=1)
    """Part of the events that chooses the epoch."""
    threads: int = Field(0, ge=0)
    """Threads of torch while training; 0 leaves them as they are."""
    device: str = "cpu"
    """Where to train."""

    def classifier(self, network: Literal["mlp", "set"]) -> ClassifierConfig:
        """Return the settings of one network."""
        shared = ("width", "hidden", "learning_rate", "batch", "epochs", "patience")
        return ClassifierConfig(
            network=network,
            select="loss",
            precision="float32",
            threads=self.threads,
            device=self.device,
            **{name: getattr(self, name) for name in shared},
        )


@dataclass(frozen=True, eq=False)
class DensityRatio:
    r"""The logarithm of a ratio of densities, a mean over trained networks.

    .. math:: \ln r(x) = \frac1K \sum_k \operatorname{logit} d_k(x)

    where :math:`d_k` is the probability that a network gives to the target. It is right where both
    samples had events; elsewhere it is what the network continues.

    Args:
        networks: the trained networks.
        shift: subtracted from each feature, shape ``(features,)``.
        scale: what each is divided by then.
        points: ``(points, features)`` if events are sets.
        config: how they were trained.
    """

    networks: tuple[nn.Module, ...]
    shift: NDArray[np.float32]
    scale: NDArray[np.float32]
    points: tuple[int, int] | None
    config: RatioConfig

    def log_ratio(self, x: Array | Clouds) -> FloatArray:
        """Return ln(p target / p source) of events, shape ``(events,)``.

        Args:
            x: features, shape ``(events, features)``, or sets of as many places and features as
                were trained on.

        Raises:
            ShapeError: if events are of another kind or size.
            RangeError: if a number is not finite.
        """
        rows = _rows(x, self.shift, self.scale, self.points)
        step = max(1, _AT_ONCE // rows.shape[1])
        found = [np.zeros(0)]
        with torch.inference_mode():
            for start in range(0, len(rows), step):
                part = torch.from_numpy(rows[start : start + step]).to(self.config.device)
                found.append(self._mean(part).cpu().double().numpy())
        return np.concatenate(found)

    def of(self, x: Tensor) -> Tensor:
        """Return the same for a tensor of plain features, ``(events,)``, with its derivative.

        Args:
            x: features, shape ``(events, features)``.

        Raises:
            ShapeError: if events are sets.
        """
        if self.points is not None:
            raise ShapeError("density ratio: expected one of plain features, got one of sets.")
        shift, scale = (torch.from_numpy(a).to(x) for a in (self.shift, self.scale))
        return self._mean((x - shift) / scale)

    def state(self) -> dict[str, Tensor]:
        """Return all numbers by name, as they are stored; see :meth:`restored`."""
        found = {"shift": torch.from_numpy(self.shift), "scale": torch.from_numpy(self.scale)}
        for k, network in enumerate(self.networks):
            found |= {f"{k}.{name}": value for name, value in network.state_dict().items()}
        return found

    @classmethod
    def restored(
        cls, state: Mapping[str, Tensor], config: RatioConfig, points: tuple[int, int] | None = None
    ) -> DensityRatio:
        """Return a ratio from the numbers of :meth:`state`.

        Raises:
            ArtifactError: if numbers are missing or do not fit the settings.
        """
        try:
            shift, scale = (state[name].numpy() for name in ("shift", "scale"))
            networks = []
            for k in range(config.networks):
                network = _blank(config, len(shift), points)
                start = f"{k}."
                part = {n.removeprefix(start): v for n, v in state.items() if n.startswith(start)}
                network.load_state_dict(part)
                networks.append(network.to(config.device).eval())
        except (KeyError, RuntimeError) as error:
            raise ArtifactError(
                f"density ratio: the stored numbers do not fit the settings ({error}); expected "
                f"{config.networks} networks of width {config.width}. Is it another model's file?"
            ) from error
        return cls(tuple(networks), shift, scale, points, config)

    def _mean(self, rows: Tensor) -> Tensor:
        return torch.stack([network(rows)[:, 0] for network in self.networks]).mean(dim=0)


def fit_ratio(
    source: Array | Clouds,
    target: Array | Clouds,
    source_weight: Array | None = None,
    target_weight: Array | None = None,
    *,
    config: RatioConfig | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> DensityRatio:
    r"""Learn the ratio of two densities by telling samples of them apart.

    Both samples get the same total weight; a network that minimises the cross-entropy gives
    :math:`d(x) = p_t / (p_t + p_s)`, so that its logit is :math:`\ln p_t / p_s` (K. Cranmer,
    J. Pavez, G. Louppe, "Approximating likelihood ratios with calibrated discriminative
    classifiers", 2015, https://arxiv.org/abs/1506.02169).

    Args:
        source: events of the denominator, shape ``(events, features)``, or sets.
        target: events of the numerator, of the same kind.
        source_weight: event weights, shape ``(events,)``; may be negative. Default 1.
        target_weight: the same of the target.
        config: the settings.
        seed: seed of initial weights, held-out events and order.
        progress: called with (epochs done, epochs) of all networks.

    Raises:
        ShapeError: if samples differ in kind or features, or weights in length.
        RangeError: if a number is not finite, a sample has fewer than 2 events, or its weights do
            not sum to a positive number.
    """
    config = config or RatioConfig()
    points = _kind(source, target)
    shift, scale = _moments([source, target])
    rows = [_rows(x, shift, scale, points) for x in (source, target)]
    if min(map(len, rows)) < 2:
        raise RangeError(
            f"density ratio: expected at least 2 events in each sample, got {len(rows[0])} of the "
            f"source and {len(rows[1])} of the target."
        )
    sample = LabelledSample.of(rows[::-1], [target_weight, source_weight], points=points)
    settings = config.classifier("mlp" if points is None else "set")
    networks = []
    for k in range(config.networks):
        order = generator(seed, Stream.SPLIT, k).permutation(len(sample))
        cut = max(1, round(config.held_out * len(order)))

        def report(done: int, epochs: int, k: int = k) -> None:
            if progress is not None:
                progress(k * epochs + done, config.networks * epochs)

        found = train_discriminator(
            sample, order[cut:], order[:cut], settings, seed=seed, fold=k, progress=report
        )
        networks.append(found.network.eval())
    return DensityRatio(tuple(networks), shift, scale, points, config)


def _kind(source: Array | Clouds, target: Array | Clouds) -> tuple[int, int] | None:
    """Return places and features of sets, None for plain features; refuse what does not fit."""
    sizes = []
    for x in (source, target):
        shape = np.shape(x.points if isinstance(x, Clouds) else x)
        sizes.append((isinstance(x, Clouds), *shape[1:]))
    if sizes[0] != sizes[1] or len(sizes[0]) != (3 if sizes[0][0] else 2):
        raise ShapeError(
            "density ratio: expected source and target of the same features, (events, features) or "
            f"sets of the same places, got {_words(source)} and {_words(target)}."
        )
    return (int(sizes[0][1]), int(sizes[0][2])) if sizes[0][0] else None


def _words(x: Array | Clouds) -> str:
    return f"sets {x.points.shape}" if isinstance(x, Clouds) else str(np.shape(x))


def _moments(samples: Sequence[Array | Clouds]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return mean and width of each feature over both samples; 1 for the width of a constant."""
    parts = [x.points[x.mask] if isinstance(x, Clouds) else np.asarray(x) for x in samples]
    joined = np.concatenate(parts).astype(np.float64)
    width = joined.std(axis=0)
    scale = np.where(width > 0, width, 1.0).astype(np.float32)
    return joined.mean(axis=0).astype(np.float32), scale


def _rows(
    x: Array | Clouds,
    shift: NDArray[np.float32],
    scale: NDArray[np.float32],
    points: tuple[int, int] | None,
) -> NDArray[np.float32]:
    """Return standardised rows for a network; padding is 0, whatever it was."""
    clouds = isinstance(x, Clouds)
    numbers = x.points if isinstance(x, Clouds) else np.asarray(x)
    expected = (len(shift),) if points is None else points
    if clouds != (points is not None) or numbers.shape[1:] != expected:
        kind = "features" if points is None else "places and features of sets"
        raise ShapeError(f"density ratio: expected {expected} {kind}, got {_words(x)}.")
    scaled = ((numbers - shift) / scale).astype(np.float32)
    if isinstance(x, Clouds):
        scaled = np.where(x.mask[..., None], scaled, np.float32(0))
        filled = x.mask[..., None].astype(np.float32)
        scaled = np.concatenate([scaled, filled], axis=2).reshape(len(x), -1)
    if not np.isfinite(scaled).all():
        raise RangeError("density ratio: expected finite features, found nan or infinity.")
    return np.ascontiguousarray(scaled)


def _blank(config: RatioConfig, features: int, points: tuple[int, int] | None) -> nn.Module:
    if points is None:
        return MLP(features, 1, config.width, config.hidden)
    return PointSet(points, 1, config.width, config.hidden)
