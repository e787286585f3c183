"""Events moved as little as possible until they follow the target: no weights, no holes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from pydantic import Field
from torch import Tensor

from ...artifact import Artifact
from ...classify.classifier import torch_threads
from ...config import Config
from ...data.weights import checked_weights
from ...errors import ArtifactError, ConfigError, RangeError, ShapeError
from ...nets.convex import ConvexNetwork
from ...random import Stream, generator
from .problem import Samples, checked_events
from .storing import Contents, Stored

__all__ = ["Transport", "TransportConfig"]

Array = NDArray[Any]
FloatArray = NDArray[np.float64]


class TransportConfig(Config):
    """How the two potentials are learned.

    Args:
        width: of a hidden layer of either network.
        hidden: hidden layers of either network.
        softness: length over which a slope may change, in widths of the target: small for maps
            that curve, about 1 for maps that are nearly straight, where it keeps noise out.
        steps: steps of the outer potential.
        inner: steps of the map per outer step.
        batch: events of each sample per step.
        learning_rate: Adam's at the start; it falls to a hundredth along a cosine.
        average: decay of the running mean of the map's parameters per outer step.
        conditions: the last so many observables are not moved: the map depends on them, and
            source and target are matched at each of their values. Their own laws must agree.
        threads: of torch while training; 0 leaves them as they are.
    """

    width: int = Field(default=32, ge=1)
    hidden: int = Field(default=1, ge=1)
    softness: float = Field(default=1.0, gt=0)
    steps: int = Field(default=600, ge=1)
    inner: int = Field(default=4, ge=1)
    batch: int = Field(default=1024, ge=2)
    learning_rate: float = Field(default=5e-3, gt=0)
    average: float = Field(default=0.995, ge=0, lt=1)
    conditions: int = Field(default=0, ge=0)
    threads: int = Field(default=1, ge=0)


@dataclass(frozen=True, eq=False)
class _Scaled:
    """Rows of a sample in units of the target, split into what moves and what it depends on."""

    moved: Tensor
    given: Tensor
    weight: Tensor

    def batch(self, rng: np.random.Generator, size: int) -> _Scaled:
        chosen = torch.from_numpy(rng.integers(0, len(self.moved), size))
        return _Scaled(self.moved[chosen], self.given[chosen], self.weight[chosen])


class Transport(Stored[TransportConfig]):
    r"""Learn the map of least squared distance from source to target, a convex function's gradient.

    .. math:: \sup_f \inf_g\; E_t[-f(y)] + E_s[f(\nabla g(x)) - x \cdot \nabla g(x)]

    with f and g convex; :math:`\nabla g` moves the source. A. Makkuva, A. Taghvaei, S. Oh, J. Lee,
    "Optimal transport mapping via input convex neural networks", 2019,
    https://arxiv.org/abs/1908.10962, eq. 9; as a correction of simulation, also conditional, C.
    Pollard, P. Windischhofer, "Transport away your problems: calibrating stochastic simulations
    with optimal transport", 2021, https://arxiv.org/abs/2107.08648. Distances are in widths of the
    target, observable by observable, so that units do not matter. A gradient cannot tear: a target
    of two islands is reached from one by a steep map, not by a cut one.

    Args:
        config: the settings.
    """

    name = "transport"
    kind = "transport"
    settings = TransportConfig

    def __init__(self, config: TransportConfig | None = None) -> None:
        super().__init__(config)
        self._map: ConvexNetwork | None = None
        self._shift, self._scale = np.zeros(0), np.ones(0)

    def fit(
        self,
        source: ArrayLike,
        target: ArrayLike,
        source_weight: ArrayLike | None = None,
        target_weight: ArrayLike | None = None,
        *,
        seed: int = 0,
    ) -> Self:
        """Learn the map from two samples.

        Args:
            source: the sample to be moved, ``(events, observables)``; conditions come last.
            target: the sample it should look like.
            source_weight: event weights, may be negative; default 1.
            target_weight: the same of the target.
            seed: identity of the training.

        Raises:
            ShapeError: if samples or weights do not fit, or no observable is left to be moved.
            RangeError: if a number is not finite, weights sum to nothing or there is no overlap.
        """
        samples = Samples.of(source, target, source_weight, target_weight)
        tables = samples.tables
        if self.config.conditions >= samples.features:
            raise ShapeError(
                f"transport: {self.config.conditions} conditions leave nothing to move of "
                f"{samples.features} observables."
            )
        self._shift = np.average(tables[1], axis=0, weights=samples.target_weight)
        spread = np.average((tables[1] - self._shift) ** 2, axis=0, weights=samples.target_weight)
        if not (spread > 0).all():
            raise RangeError(
                f"transport: observable {int(np.argmin(spread))} of the target has no width; "
                "leave it out."
            )
        self._scale = np.sqrt(spread)
        with torch_threads(self.config.threads):
            self._map = self._learned(
                self._scaled(tables[0], samples.source_weight),
                self._scaled(tables[1], samples.target_weight),
                seed,
            )
        return self

    def refine(
        self, source: ArrayLike, source_weight: ArrayLike | None = None
    ) -> tuple[FloatArray, FloatArray]:
        """Move events; their weights stay.

        Args:
            source: ``(events, observables)`` as in :meth:`fit`.
            source_weight: what their weights are; default 1.

        Raises:
            ConfigError: if nothing was fitted.
            ShapeError: if observables or weights do not fit.
            RangeError: if a number is not finite.
        """
        if self._map is None:
            raise ConfigError("transport: nothing was learned yet; call `fit` first.")
        rows = np.asarray(checked_events(source, "source"))
        if rows.shape[1] != len(self._shift):
            raise ShapeError(
                f"source: expected {len(self._shift)} observables as learned, got {rows.shape[1]}."
            )
        weight = checked_weights(source_weight, len(rows), "source")
        scaled = self._scaled(rows, weight)
        ends = self._map.gradient(scaled.moved, scaled.given).double().numpy()
        count = ends.shape[1]
        moved = rows.copy()
        moved[:, :count] = ends * self._scale[:count] + self._shift[:count]
        return moved, weight

    def _stored(self) -> Contents:
        if self._map is None:
            raise ConfigError("transport: nothing was learned yet; call `fit` or `load` first.")
        tensors = {f"map.{name}": value for name, value in self._map.state_dict().items()}
        tensors |= {"shift": torch.from_numpy(self._shift), "scale": torch.from_numpy(self._scale)}
        return Contents(tensors)

    def _restore(self, artifact: Artifact) -> None:
        state = dict(artifact.weights)
        try:
            self._shift, self._scale = (state.pop(n).numpy() for n in ("shift", "scale"))
            self._map = self._blank().eval()
            self._map.load_state_dict({n.removeprefix("map."): v for n, v in state.items()})
        except (KeyError, RuntimeError) as error:
            raise ArtifactError(
                f"transport: the stored numbers do not fit the settings ({error}). Is it another "
                "method's file?"
            ) from error

    def _blank(self) -> ConvexNetwork:
        c = self.config
        moved = len(self._shift) - c.conditions
        return ConvexNetwork(moved, c.conditions, c.width, c.hidden, c.softness)

    def _scaled(self, rows: Array, weight: FloatArray) -> _Scaled:
        scaled = torch.from_numpy(((rows - self._shift) / self._scale).astype(np.float32))
        count = len(self._shift) - self.config.conditions
        mean_one = torch.from_numpy((weight * (len(weight) / weight.sum())).astype(np.float32))
        return _Scaled(scaled[:, :count], scaled[:, count:], mean_one)

    def _learned(self, source: _Scaled, target: _Scaled, seed: int) -> ConvexNetwork:
        """Train both potentials against each other; return the map's averaged parameters."""
        c = self.config
        outer, inner, kept = (
            self._blank().initialise(generator(seed, Stream.INITIALISATION, number))
            for number in (0, 1, 1)
        )
        optimisers = [
            torch.optim.Adam(network.parameters(), lr=c.learning_rate, betas=(0.5, 0.9))
            for network in (outer, inner)
        ]
        rng = generator(seed, Stream.ORDER)
        for step in range(c.steps):
            _set_rate(optimisers, c.learning_rate, step / c.steps)
            for _ in range(c.inner):
                part = source.batch(rng, c.batch)
                moved = inner.gradient(part.moved, part.given, further=True)
                loss = part.weight * (outer(moved, part.given) - (moved * part.moved).sum(1))
                _descend(optimisers[1], loss.mean())
            part, other = source.batch(rng, c.batch), target.batch(rng, c.batch)
            moved = inner.gradient(part.moved, part.given)
            here = (part.weight * outer(moved, part.given)).mean()
            there = (other.weight * outer(other.moved, other.given)).mean()
            _descend(optimisers[0], there - here)
            _follow(kept, inner, min(c.average, (1 + step) / (10 + step)))
        return kept.eval()


def _descend(optimiser: torch.optim.Adam, loss: Tensor) -> None:
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    optimiser.step()


def _set_rate(optimisers: list[torch.optim.Adam], largest: float, progress: float) -> None:
    share = 0.01 + 0.99 * (1 + math.cos(math.pi * progress)) / 2
    for optimiser in optimisers:
        for group in optimiser.param_groups:
            group["lr"] = largest * share


def _follow(kept: ConvexNetwork, network: ConvexNetwork, decay: float) -> None:
    with torch.no_grad():
        for mean, now in zip(kept.parameters(), network.parameters(), strict=True):
            mean.lerp_(now, 1 - decay)
