"""Weights between settings of a simulation, and the settings that data ask for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize

from ...classify import Clouds, DensityRatio, RatioConfig, fit_ratio
from ...data.weights import checked_weights
from ...errors import ConfigError, RangeError, ShapeError
from ...random import Stream, generator
from .problem import Rows, Samples, checked_events

__all__ = ["Estimate", "ParameterReweighter"]

Array = NDArray[Any]
FloatArray = NDArray[np.float64]

_STEP = 0.02  # of differences, in units of the learned range


@dataclass(frozen=True, eq=False)
class Estimate:
    """Parameters that make the default simulation look like data.

    Args:
        values: of the parameters, in their own units, ``(parameters,)``.
        covariance: of both samples' finite numbers of events; nothing in it knows how well the
            networks have learned the ratio, ``(parameters, parameters)``.
        at_edge: whether a value lies at the edge of the learned range, where it stops.
    """

    values: FloatArray
    covariance: FloatArray
    at_edge: bool

    @property
    def errors(self) -> FloatArray:
        """Standard deviations, ``(parameters,)``."""
        return np.asarray(np.sqrt(np.diag(self.covariance)))


class ParameterReweighter:
    r"""Learn :math:`w(x, \theta) = p(x|\theta)/p(x|\theta_0)` for all :math:`\theta` of a range.

    A. Andreassen, B. Nachman, "Neural networks for full phase-space reweighting and parameter
    tuning" (DCTR), 2019, https://arxiv.org/abs/1907.08209: the parameters are inputs of the
    classifier beside the event (for a set, of each of its points). Events of the default setting
    get parameters from the same law as the varied ones, so that these alone tell nothing.
    Parameters are found with the frozen classifier d by the loss that it was trained with,

    .. math:: \hat\theta = \operatorname{argmin}_\theta\; -\Bigl\langle \ln d(x, \theta)
        \Bigr\rangle_\text{data} - \Bigl\langle \ln\bigl(1 - d(x, \theta)\bigr)
        \Bigr\rangle_\text{default}

    which is least where the weighted default is the data.

    Args:
        config: the networks.
    """

    def __init__(self, config: RatioConfig | None = None) -> None:
        self.config = config or RatioConfig()
        self._ratio: DensityRatio | None = None
        self._low, self._high = np.zeros(0), np.zeros(0)

    def fit(
        self,
        default: ArrayLike | Clouds,
        varied: ArrayLike | Clouds,
        parameters: ArrayLike,
        default_weight: ArrayLike | None = None,
        varied_weight: ArrayLike | None = None,
        *,
        seed: int = 0,
    ) -> Self:
        """Learn from simulations of the default setting and of many others.

        Args:
            default: events of the default setting, ``(events, features)``, or sets of points.
            varied: events of other settings, of the same kind.
            parameters: of each varied event, ``(varied events, parameters)``; weights must not
                depend on them on average.
            default_weight: event weights, may be negative; default 1.
            varied_weight: the same of the varied events.
            seed: identity of the training.

        Raises:
            ShapeError: if samples, weights or parameters do not fit each other.
            RangeError: if a number is not finite, a parameter does not vary, weights sum to
                nothing, or the samples do not overlap.
        """
        samples = Samples.of(default, varied, default_weight, varied_weight)
        theta = np.asarray(parameters, np.float64)
        theta = theta[:, None] if theta.ndim == 1 else theta
        if theta.ndim != 2 or len(theta) != len(samples.target):
            raise ShapeError(
                "parameters: expected one row for each varied event, "
                f"({len(samples.target)}, parameters), got {theta.shape}."
            )
        self._low, self._high = theta.min(axis=0), theta.max(axis=0)
        if not np.isfinite(theta).all() or (self._low == self._high).any():
            raise RangeError(
                "parameters: expected finite numbers that vary, found nan, infinity or a column "
                "of one value; leave out what is not varied."
            )
        rng = generator(seed, Stream.BOOTSTRAP)
        borrowed = theta[rng.integers(0, len(theta), len(samples.source))]
        self._ratio = fit_ratio(
            _beside(samples.source, borrowed),
            _beside(samples.target, theta),
            samples.source_weight,
            samples.target_weight,
            config=self.config,
            seed=seed,
        )
        return self

    def log_ratio(self, events: ArrayLike | Clouds, parameters: ArrayLike) -> FloatArray:
        """Return ln p(x|theta) / p(x|theta_0) of events, ``(events,)``.

        Args:
            events: as in :meth:`fit`.
            parameters: one setting for all, ``(parameters,)``, inside the learned range.

        Raises:
            ConfigError: if nothing was fitted.
            ShapeError: if there is another number of parameters.
            RangeError: if a parameter lies outside the learned range.
        """
        if self._ratio is None:
            raise ConfigError("parameters: nothing was learned yet; call `fit` first.")
        theta = np.atleast_1d(np.asarray(parameters, np.float64))
        if theta.shape != self._low.shape:
            raise ShapeError(
                f"parameters: expected {len(self._low)} of one setting, got {theta.shape}."
            )
        outside = np.flatnonzero(~((theta >= self._low) & (theta <= self._high)))
        if len(outside):
            i = outside[0]
            raise RangeError(
                f"parameter {i}: learned from {self._low[i]:.4g} to {self._high[i]:.4g}, asked "
                f"for {theta[i]:.4g}; simulate a wider range."
            )
        return self._at(checked_events(events, "events"), theta)

    def predict_weights(
        self,
        default: ArrayLike | Clouds,
        parameters: ArrayLike,
        default_weight: ArrayLike | None = None,
    ) -> FloatArray:
        """Return weights that take default events to another setting, ``(events,)``.

        Args:
            default: events at the default setting.
            parameters: the other setting, ``(parameters,)``.
            default_weight: what their weights are now; default 1.
        """
        rows = checked_events(default, "default")
        before = checked_weights(default_weight, len(rows), "default")
        return np.asarray(before * np.exp(self.log_ratio(rows, parameters)))

    def estimate(
        self,
        data: ArrayLike | Clouds,
        default: ArrayLike | Clouds,
        data_weight: ArrayLike | None = None,
        default_weight: ArrayLike | None = None,
    ) -> Estimate:
        """Find the setting of data by the loss of the frozen networks.

        Args:
            data: events of an unknown setting.
            default: events of the default setting, best ones that were not learned from.
            data_weight: event weights, may be negative; default 1.
            default_weight: the same of the default events.

        Raises:
            ConfigError: if nothing was fitted.
            ShapeError: if samples or weights do not fit each other.
            RangeError: if a number is not finite, or weights sum to nothing.
        """
        samples = Samples.of(default, data, default_weight, data_weight)
        self.log_ratio(samples.source, (self._low + self._high) / 2)  # refuses what does not fit
        shares = [w / w.sum() for w in (samples.source_weight, samples.target_weight)]

        def losses(unit: FloatArray) -> list[FloatArray]:
            theta = self._low + np.clip(unit, 0, 1) * (self._high - self._low)
            one, other = (self._at(rows, theta) for rows in (samples.source, samples.target))
            return [shares[0] * np.logaddexp(0, one), shares[1] * np.logaddexp(0, -other)]

        found = minimize(
            lambda unit: sum(part.sum() for part in losses(unit)),
            np.full(len(self._low), 0.5),
            method="Nelder-Mead",
            bounds=[(0.0, 1.0)] * len(self._low),
            options={"xatol": 2e-3, "fatol": 1e-6, "initial_simplex": _simplex(len(self._low))},
        )
        best = np.asarray(found.x)
        inside = np.clip(best, 2 * _STEP, 1 - 2 * _STEP)  # differences stay in the learned range
        spread = self._high - self._low
        return Estimate(
            self._low + best * spread,
            _sandwich(losses, inside) * np.outer(spread, spread),
            bool(((best < _STEP) | (best > 1 - _STEP)).any()),
        )

    def _at(self, rows: Rows, theta: FloatArray) -> FloatArray:
        if self._ratio is None:
            raise ConfigError("parameters: nothing was learned yet; call `fit` first.")
        return self._ratio.log_ratio(_beside(rows, np.broadcast_to(theta, (len(rows), len(theta)))))


def _beside(rows: Rows, theta: FloatArray) -> Rows:
    """Return events with their parameters as further features, of each point of a set."""
    if not isinstance(rows, Clouds):
        return np.concatenate([rows, theta], axis=1)
    shape = (*rows.points.shape[:2], theta.shape[1])
    further = np.broadcast_to(theta[:, None], shape).astype(rows.points.dtype)
    return Clouds(np.concatenate([rows.points, further], axis=2), rows.mask)


def _simplex(dimensions: int) -> FloatArray:
    """Return a start that spans the middle half of the unit cube."""
    corners = np.full((dimensions + 1, dimensions), 0.5)
    corners[1:] += 0.25 * np.eye(dimensions)
    return corners


def _sandwich(losses: Any, at: FloatArray) -> FloatArray:
    r"""Return the covariance of a minimum over events, :math:`H^{-1} (\sum g g^T) H^{-1}`.

    Gradients g of the single events and the Hessian of their sum are from central differences
    (P. Huber, "The behavior of maximum likelihood estimates under nonstandard conditions", 1967).
    """
    steps = _STEP * np.eye(len(at))
    gradients = []
    for h in steps:
        up, down = losses(at + h), losses(at - h)
        gradients.append([(u - d) / (2 * _STEP) for u, d in zip(up, down, strict=True)])
    middle = sum(part.sum() for part in losses(at))

    def total(h: FloatArray) -> float:
        return float(sum(part.sum() for part in losses(at + h)))

    size = len(at)
    hessian, spread = np.zeros((size, size)), np.zeros((size, size))
    for i in range(size):
        hessian[i, i] = (total(steps[i]) + total(-steps[i]) - 2 * middle) / _STEP**2
        for j in range(i):
            a, b = steps[i], steps[j]
            mixed = total(a + b) - total(a - b) - total(b - a) + total(-a - b)
            hessian[i, j] = hessian[j, i] = mixed / (4 * _STEP**2)
    for sample in range(2):
        rows = np.stack([gradient[sample] for gradient in gradients])
        centred = rows - rows.mean(axis=1, keepdims=True)
        spread += centred @ centred.T
    inverse = np.linalg.pinv(hessian)
    return np.asarray(inverse @ spread @ inverse)
