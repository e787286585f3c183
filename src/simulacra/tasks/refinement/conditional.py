"""Weights for some observables at given values of others, whose own law they leave alone."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field

from ...artifact import Artifact
from ...errors import ShapeError
from .problem import Samples, checked_events
from .reweighting import Reweighter, ReweighterConfig
from .storing import Contents, Stored, read_ratio, with_ratio

__all__ = ["ConditionalConfig", "ConditionalReweighter"]

Array = NDArray[Any]
FloatArray = NDArray[np.float64]


class ConditionalConfig(ReweighterConfig):
    """How conditional weights are learned."""

    conditions: int = Field(default=1, ge=1)
    """The last so many observables are what the others depend on."""


class ConditionalReweighter(Stored[ConditionalConfig]):
    r"""Learn :math:`w(x \mid c) = p_t(x \mid c) / p_s(x \mid c)`.

    B. Nachman, J. Thaler, "Neural conditional reweighting", 2021,
    https://arxiv.org/abs/2107.08979. Two trainings: the ratio of c alone takes the source to the
    target's law of c; with these weights on the source, the ratio of (x, c) is the conditional one.

    .. math:: w(x \mid c) = \frac{p_t(x, c)}{p_s(x, c)\, w(c)},\qquad
        w(c) = \frac{p_t(c)}{p_s(c)}

    The weights average to 1 at every c, so that a response is corrected and the spectrum stays that
    of the source: the weights carry over to a source with another spectrum.

    Args:
        config: the settings of both trainings.
    """

    name = "conditional reweighting"
    kind = "conditional reweighter"
    settings = ConditionalConfig

    def __init__(self, config: ConditionalConfig | None = None) -> None:
        super().__init__(config)
        plain = ReweighterConfig(ratio=self.config.ratio, largest=self.config.largest)
        self._marginal, self._joint = Reweighter(plain), Reweighter(plain)

    def fit(
        self,
        source: ArrayLike,
        target: ArrayLike,
        source_weight: ArrayLike | None = None,
        target_weight: ArrayLike | None = None,
        *,
        seed: int = 0,
    ) -> Self:
        """Learn the ratio from two samples whose conditions may be distributed differently.

        Args:
            source: ``(events, observables)``, conditions last.
            target: the same of the target.
            source_weight: event weights, may be negative; default 1.
            target_weight: the same of the target.
            seed: identity of both trainings.

        Raises:
            ShapeError: if samples or weights do not fit, or nothing but conditions is given.
            RangeError: if a number is not finite, weights sum to nothing or there is no overlap.
        """
        samples = Samples.of(source, target, source_weight, target_weight)
        if self.config.conditions >= samples.features:
            raise ShapeError(
                f"conditional reweighting: {self.config.conditions} conditions leave nothing to "
                f"reweight of {samples.features} observables."
            )
        rows, other = samples.tables
        given = self._given(rows)
        weights = samples.source_weight, samples.target_weight
        self._marginal.fit(given, self._given(other), *weights, seed=2 * seed)
        level = self._marginal.predict_weights(given, samples.source_weight)
        self._joint.fit(rows, other, level, samples.target_weight, seed=2 * seed + 1)
        return self

    def predict_weights(
        self, source: ArrayLike, source_weight: ArrayLike | None = None
    ) -> FloatArray:
        """Return the weights of source events, their own times the ratio, ``(events,)``.

        Args:
            source: ``(events, observables)`` as in :meth:`fit`.
            source_weight: what their weights are now; default 1.

        Raises:
            ConfigError: if nothing was fitted.
            ShapeError: if observables or weights do not fit.
            RangeError: if a number is not finite.
        """
        return self._joint.predict_weights(source, source_weight)

    def refine(
        self, source: ArrayLike, source_weight: ArrayLike | None = None
    ) -> tuple[Array, FloatArray]:
        """Return the events as they are with the weights of :meth:`predict_weights`."""
        rows = checked_events(source, "source")
        return np.asarray(rows), self.predict_weights(np.asarray(rows), source_weight)

    def _stored(self) -> Contents:
        both = {"marginal": self._marginal.ratio, "joint": self._joint.ratio}
        return Contents(
            {key: t for name, one in both.items() for key, t in with_ratio(name, one).items()}
        )

    def _restore(self, artifact: Artifact) -> None:
        for name, method in (("marginal", self._marginal), ("joint", self._joint)):
            method._ratio = read_ratio(artifact, self.config.ratio, name)

    def _given(self, rows: Array) -> Array:
        return rows[:, -self.config.conditions :]
