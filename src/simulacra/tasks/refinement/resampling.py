"""Weighted events to positive or unit weights: thinned at random, with the statistics kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from ...artifact import Artifact
from ...classify import Clouds, DensityRatio, RatioConfig, fit_ratio
from ...config import Config
from ...data.weights import checked_weights, positive_total
from ...errors import ConfigError, RangeError
from ...random import Stream, uniform
from .problem import checked_events
from .storing import Contents, Stored, ratio_parts, read_ratio, with_ratio

__all__ = ["Resampled", "Resampler", "ResamplerConfig", "thin", "thin_to_units"]

Array = NDArray[Any]
FloatArray = NDArray[np.float64]

_NAMES = "mean", "square"


class ResamplerConfig(Config):
    """How the mean weights are learned.

    Args:
        ratio: the networks, one set for the mean weight and one for the mean square.
        unit: give all kept events one and the same weight; else weights are a smooth, positive
            function of the event, and their squares sum up as before.
    """

    ratio: RatioConfig = RatioConfig()
    unit: bool = False


@dataclass(frozen=True, eq=False)
class Resampled:
    """Which events are kept, and what they weigh now.

    Args:
        kept: numbers of the kept events, rising, ``(kept,)``.
        weights: their new weights, all positive, ``(kept,)``.
    """

    kept: NDArray[np.int64]
    weights: FloatArray


class Resampler(Stored[ResamplerConfig]):
    r"""Learn :math:`W(x) = E[w|x]` and :math:`K(x) = E[w^2|x]/W(x)^2`, and thin events with them.

    B. Nachman, J. Thaler, "Neural resampler for Monte Carlo reweighting with preserved
    uncertainties", 2020, https://arxiv.org/abs/2007.11586. Both means are ratios of densities: of
    the sample with its weights, or their squares, over the same sample without them. Scales are set
    so that the sums of weights and of squares over the learned sample are those that came in.

    Args:
        config: the settings.
    """

    kind = "resampler"
    settings = ResamplerConfig

    def __init__(self, config: ResamplerConfig | None = None) -> None:
        super().__init__(config)
        self._means: tuple[tuple[DensityRatio, float], tuple[DensityRatio, float]] | None = None

    def fit(self, events: ArrayLike | Clouds, weight: ArrayLike, *, seed: int = 0) -> Self:
        """Learn the mean weight and the mean square as functions of the event.

        Args:
            events: what the weights are averaged over, ``(events, features)``, or sets of points.
            weight: ``(events,)``, may be negative; their sum is positive.
            seed: identity of the training.

        Raises:
            ShapeError: if weights or observables have the wrong shape.
            RangeError: if a number is not finite or the weights do not sum to a positive number.
        """
        rows = checked_events(events, "source")
        w = positive_total(checked_weights(weight, len(rows), "source"), "source")
        found = []
        for number, powers in enumerate((w, w**2)):
            ratio = fit_ratio(
                rows, rows, None, powers, config=self.config.ratio, seed=2 * seed + number
            )
            found.append((ratio, float(powers.sum() / np.exp(ratio.log_ratio(rows)).sum())))
        self._means = found[0], found[1]
        return self

    def means(self, events: ArrayLike | Clouds) -> tuple[FloatArray, FloatArray]:
        """Return W and K of events, ``(events,)`` each; K is at least 1.

        Raises:
            ConfigError: if nothing was fitted.
        """
        if self._means is None:
            raise ConfigError("resampler: nothing was learned yet; call `fit` first.")
        rows = checked_events(events, "source")
        mean, square = (scale * np.exp(ratio.log_ratio(rows)) for ratio, scale in self._means)
        return mean, np.maximum(square / mean**2, 1.0)

    def resample(self, events: ArrayLike | Clouds, *, seed: int, first_event: int = 0) -> Resampled:
        """Thin a sample drawn like the learned one; event i is a function of seed and number.

        Args:
            events: as in :meth:`fit`, without their weights, of which only the means are used.
            seed: identity of the choice.
            first_event: number of the first event in its set.
        """
        way = thin_to_units if self.config.unit else thin
        return way(*self.means(events), seed=seed, first_event=first_event)

    def _stored(self) -> Contents:
        if self._means is None:
            raise ConfigError("resampler: nothing was learned yet; call `fit` or `load` first.")
        tensors = dict[str, Tensor]()
        for name, (ratio, scale) in zip(_NAMES, self._means, strict=True):
            tensors |= with_ratio(name, ratio) | {name: torch.tensor(scale, dtype=torch.float64)}
        return Contents(tensors, {"points": ratio_parts(self._means[0][0])})

    def _restore(self, artifact: Artifact) -> None:
        mean, square = (
            (read_ratio(artifact, self.config.ratio, name), float(artifact.weights[name]))
            for name in _NAMES
        )
        self._means = mean, square


def thin(mean: Array, spread: Array, *, seed: int, first_event: int = 0) -> Resampled:
    r"""Keep each event with probability 1/K at weight W K.

    .. math:: E\Bigl[\sum w'\Bigr] = \sum \tfrac1K\, W K = \sum W,\qquad
        E\Bigl[\sum w'^2\Bigr] = \sum \tfrac1K\, (W K)^2 = \sum E[w^2 \mid x]

    in every region of x, so that histograms keep their contents and their variances.

    Args:
        mean: W, positive, ``(events,)``.
        spread: K, at least 1, ``(events,)``.
        seed: identity of the choice.
        first_event: number of the first event in its set.

    Raises:
        RangeError: if a mean is not positive or a K is below 1.
    """
    _refuse_nonsense(mean, spread)
    kept = np.flatnonzero(_draw(len(mean), seed, first_event) < 1 / spread)
    return Resampled(kept, (mean * spread)[kept])


def thin_to_units(mean: Array, spread: Array, *, seed: int, first_event: int = 0) -> Resampled:
    r"""Keep each event with probability W/c at weight :math:`c = \max W K`, the same for all.

    Contents are kept as in :func:`thin`. Variances are kept where W K is c and grow by
    :math:`c/(W K)` elsewhere: equal weights cannot say that one region was simulated better than
    another.

    Args:
        mean: W, positive, ``(events,)``.
        spread: K, at least 1, ``(events,)``.
        seed: identity of the choice.
        first_event: number of the first event in its set.

    Raises:
        RangeError: if a mean is not positive or a K is below 1.
    """
    _refuse_nonsense(mean, spread)
    common = float((mean * spread).max(initial=0.0))
    kept = np.flatnonzero(_draw(len(mean), seed, first_event) < mean / (common or 1.0))
    return Resampled(kept, np.full(len(kept), common))


def _draw(events: int, seed: int, first_event: int) -> FloatArray:
    numbers = np.arange(first_event, first_event + events)
    return uniform(seed, numbers, 1, stream=Stream.KEPT, dtype=np.float64)[:, 0]


def _refuse_nonsense(mean: Array, spread: Array) -> None:
    if not (np.all(mean > 0) and np.all(spread >= 1)):
        raise RangeError(
            "resampling: expected positive mean weights W and K = E[w^2]/W^2 of at least 1; where "
            "negative weights win locally there is no density to draw from."
        )
