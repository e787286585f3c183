"""Weights that turn a source into its target: the ratio of their densities."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field

from ...artifact import Artifact
from ...classify import Clouds, DensityRatio, RatioConfig, fit_ratio
from ...config import Config
from ...data.weights import checked_weights
from ...errors import ConfigError
from .problem import Samples, checked_events
from .storing import Contents, Stored, ratio_parts, read_ratio

__all__ = ["Reweighter", "ReweighterConfig"]

FloatArray = NDArray[np.float64]


class ReweighterConfig(Config):
    """How weights are learned.

    Args:
        ratio: the networks of the density ratio.
        largest: the largest factor on an event's weight; larger ones are cut to it, which trades
            a bias where the source is rare for a larger effective size.
    """

    ratio: RatioConfig = RatioConfig()
    largest: float = Field(default=100.0, gt=1)


class Reweighter(Stored[ReweighterConfig]):
    r"""Learn :math:`w(x) = p_t(x)/p_s(x)`; multiply it onto the source's weights.

    A. Andreassen, B. Nachman, "Neural networks for full phase-space reweighting and parameter
    tuning", 2019, https://arxiv.org/abs/1907.08209, eq. 3; applied to generated events by
    S. Diefenbacher et al., "DCTRGAN: improving the precision of generative models with
    reweighting", 2020, https://arxiv.org/abs/2009.03796. The factors average to 1 over the
    source, up to the networks' error; no weight reaches where the source has no events.

    Args:
        config: the settings.

    Example:
        >>> import numpy as np
        >>> rng = np.random.default_rng(0)
        >>> source, target = rng.normal(size=(400, 1)), rng.normal(0.5, size=(400, 1))
        >>> tiny = ReweighterConfig(ratio=RatioConfig(width=8, hidden=1, epochs=2))
        >>> Reweighter(tiny).fit(source, target, seed=1).predict_weights(source).shape
        (400,)
    """

    name = "reweighting"
    kind = "reweighter"
    settings = ReweighterConfig

    def __init__(self, config: ReweighterConfig | None = None) -> None:
        super().__init__(config)
        self._ratio: DensityRatio | None = None

    def fit(
        self,
        source: ArrayLike | Clouds,
        target: ArrayLike | Clouds,
        source_weight: ArrayLike | None = None,
        target_weight: ArrayLike | None = None,
        *,
        seed: int = 0,
    ) -> Self:
        """Learn the ratio from two samples.

        Args:
            source: the sample to be reweighted, ``(events, features)``, or sets of points.
            target: the sample it should look like.
            source_weight: event weights, may be negative; default 1.
            target_weight: the same of the target.
            seed: identity of the training.

        Raises:
            ShapeError: if samples or weights do not fit each other.
            RangeError: if a number is not finite, a sum of weights is not positive, a sample is
                too small or the two do not overlap.
        """
        samples = Samples.of(source, target, source_weight, target_weight)
        self._ratio = fit_ratio(
            samples.source,
            samples.target,
            samples.source_weight,
            samples.target_weight,
            config=self.config.ratio,
            seed=seed,
        )
        return self

    def predict_weights(
        self, source: ArrayLike | Clouds, source_weight: ArrayLike | None = None
    ) -> FloatArray:
        """Return the weights of source events, their own times the ratio, ``(events,)``.

        Args:
            source: events of the source, in the same observables and units as in :meth:`fit`.
            source_weight: what their weights are now; default 1.

        Raises:
            ConfigError: if nothing was fitted.
            ShapeError: if observables or weights do not fit.
            RangeError: if a number is not finite.
        """
        rows = checked_events(source, "source")
        before = checked_weights(source_weight, len(rows), "source")
        factors = np.exp(np.minimum(self.ratio.log_ratio(rows), np.log(self.config.largest)))
        return np.asarray(before * factors)

    def refine(
        self, source: ArrayLike, source_weight: ArrayLike | None = None
    ) -> tuple[NDArray[Any], FloatArray]:
        """Return the events as they are with the weights of :meth:`predict_weights`."""
        rows = checked_events(source, "source")
        return np.asarray(rows), self.predict_weights(rows, source_weight)

    @property
    def ratio(self) -> DensityRatio:
        """The learned ratio.

        Raises:
            ConfigError: if nothing was fitted.
        """
        if self._ratio is None:
            raise ConfigError("reweighter: nothing was learned yet; call `fit` or `load` first.")
        return self._ratio

    def _stored(self) -> Contents:
        return Contents(self.ratio.state(), {"points": ratio_parts(self.ratio)})

    def _restore(self, artifact: Artifact) -> None:
        self._ratio = read_ratio(artifact, self.config.ratio)
