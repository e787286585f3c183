"""Weights between settings of a simulation, and the settings that data ask for."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize, minimize_scalar

from ...artifact import Artifact
from ...classify import Clouds, DensityRatio, RatioConfig, fit_ratio
from ...data.weights import checked_weights
from ...errors import ConfigError, RangeError, ShapeError
from ...random import Stream, generator
from .estimating import STEP, Estimate, curvature, losses, slopes_apart, surprise
from .problem import Rows, Samples, checked_events
from .storing import Contents, Stored, ratio_parts, read_ratio, with_ratio

__all__ = ["Estimate", "ParameterReweighter"]

Array = NDArray[Any]
FloatArray = NDArray[np.float64]

_FEWEST_KNOWN = 10  # estimates that a calibration needs
_LOG_FACTORS = (-5.0, 3.0)  # of the networks' error, searched
_MEMBERS = 1 << 10  # of an ensemble at most: each gets a seed of its own


class ParameterReweighter(Stored[RatioConfig]):
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

    With several networks the ratio is the mean of their logarithms, and each has learned from
    its own bootstrap of the *settings* (all events of a setting together), so that the spread of
    what they find says how well the ratio is known from so many settings and events.

    Args:
        config: the networks; ``networks`` is the size of the ensemble.
    """

    kind = "parameter reweighter"
    settings = RatioConfig

    def __init__(self, config: RatioConfig | None = None) -> None:
        super().__init__(config)
        self._members: tuple[DensityRatio, ...] = ()
        self._low, self._high = np.zeros(0), np.zeros(0)
        self._calibration: tuple[float, FloatArray] | None = None

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
        self._calibration = None
        _, setting = np.unique(theta, axis=0, return_inverse=True)
        self._members = tuple(
            self._member(samples, theta, setting.ravel(), seed, k)
            for k in range(self.config.networks)
        )
        return self

    def _member(
        self, samples: Samples, theta: FloatArray, setting: Array, seed: int, number: int
    ) -> DensityRatio:
        """Train one network; one of several sees each setting as often as a bootstrap says."""
        rng = generator(seed, Stream.BOOTSTRAP, number)
        times = np.ones(len(theta))
        if self.config.networks > 1:
            times = rng.poisson(1.0, setting.max() + 1).astype(np.float64)[setting]
        seen = np.flatnonzero(times)
        borrowed = theta[rng.choice(seen, len(samples.source), p=times[seen] / times.sum())]
        return fit_ratio(
            _beside(samples.source, borrowed),
            _beside(samples.target[seen], theta[seen]),
            samples.source_weight,
            (samples.target_weight * times)[seen],
            config=self.config.updated(networks=1),
            seed=seed * _MEMBERS + number,
        )

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
        if not self._members:
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
        return np.asarray(self._each(checked_events(events, "events"), theta).mean(axis=0))

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
        spread = self._high - self._low

        def scores(unit: FloatArray) -> list[FloatArray]:
            theta = self._low + np.clip(unit, 0, 1) * spread
            return [self._each(rows, theta) for rows in (samples.source, samples.target)]

        def lost(unit: FloatArray) -> list[FloatArray]:
            return losses([each.mean(axis=0) for each in scores(unit)], shares)

        best = _least(lost, len(self._low))
        inside = np.clip(best, 2 * STEP, 1 - 2 * STEP)  # differences stay in the learned range
        inverse, slopes = curvature(lost, inside)
        apart = inverse @ slopes_apart(scores, shares, inside)
        network = apart @ apart.T / max(1, apart.shape[1] - 1)
        if self._calibration is not None:
            factor, usual = self._calibration
            network = factor**2 * (network + usual) / 2
        units = np.outer(spread, spread)
        return Estimate(
            self._low + best * spread,
            inverse @ slopes @ inverse * units,
            network * units,
            bool(((best < STEP) | (best > 1 - STEP)).any()),
        )

    def calibrate(self, known: Iterable[tuple[Estimate, ArrayLike]]) -> float:
        r"""Set the networks' error by closure, from estimates of data whose settings are known.

        The spread of the ensemble gets the factor that makes the distances from the truth as wide
        as their errors: the one of greatest likelihood for

        .. math:: \hat\theta_i - \theta_i \sim
            N\Bigl(0,\, S_i + s^2\, \frac{C_i + \bar C}{2}\Bigr)

        with the statistical covariance S and the spread C of each estimate. Half of the spread is
        the mean of all: a few networks know their own badly, and yet are further apart where
        settings are far from most. From then on estimates have this network covariance.

        Args:
            known: estimates of simulated data that the networks have not learned from, each with
                its true parameters; best some dozens, spread over the range where data may lie.

        Returns:
            s, which is below 1 if the ensemble is better than one of its networks.

        Raises:
            ConfigError: if there are fewer than two networks, or they are calibrated already.
            RangeError: if there are fewer than 10 estimates.
        """
        pairs = list(known)
        if len(self._members) < 2 or self._calibration is not None:
            raise ConfigError(
                "parameters: expected an ensemble of at least 2 networks that was not calibrated "
                "before; set `networks`, and `fit` again."
            )
        if len(pairs) < _FEWEST_KNOWN:
            raise RangeError(
                f"parameters: expected at least {_FEWEST_KNOWN} known estimates to calibrate "
                f"with, got {len(pairs)}; simulate more settings."
            )
        units = np.outer(self._high - self._low, self._high - self._low)
        residuals = [one.values - np.asarray(truth, np.float64) for one, truth in pairs]
        spread = np.mean([one.network for one, _ in pairs], axis=0)

        def width(log_factor: float) -> float:
            half = np.exp(2 * log_factor) / 2
            covariances = [one.statistical + half * (one.network + spread) for one, _ in pairs]
            return sum(map(surprise, residuals, covariances))

        factor = float(np.exp(minimize_scalar(width, bounds=_LOG_FACTORS, method="bounded").x))
        self._calibration = factor, spread / units
        return factor

    def _stored(self) -> Contents:
        if not self._members:
            raise ConfigError("parameters: nothing was learned yet; call `fit` or `load` first.")
        tensors = {"low": torch.from_numpy(self._low), "high": torch.from_numpy(self._high)}
        for number, member in enumerate(self._members):
            tensors |= with_ratio(str(number), member)
        factor = None
        if self._calibration is not None:
            factor, usual = self._calibration
            tensors["usual"] = torch.from_numpy(usual)
        return Contents(tensors, {"points": ratio_parts(self._members[0]), "factor": factor})

    def _restore(self, artifact: Artifact) -> None:
        single = self.config.updated(networks=1)
        self._members = tuple(
            read_ratio(artifact, single, str(number)) for number in range(self.config.networks)
        )
        self._low, self._high = (artifact.weights[name].numpy() for name in ("low", "high"))
        factor = artifact.manifest["factor"]
        if factor is not None:
            self._calibration = float(factor), artifact.weights["usual"].numpy()

    def _each(self, rows: Rows, theta: FloatArray) -> FloatArray:
        """Return the networks' logarithms, ``(networks, events)``."""
        beside = _beside(rows, np.broadcast_to(theta, (len(rows), len(theta))))
        return np.stack([member.log_ratio(beside) for member in self._members])


def _beside(rows: Rows, theta: FloatArray) -> Rows:
    """Return events with their parameters as further features, of each point of a set."""
    if not isinstance(rows, Clouds):
        return np.concatenate([rows, theta], axis=1)
    shape = (*rows.points.shape[:2], theta.shape[1])
    further = np.broadcast_to(theta[:, None], shape).astype(rows.points.dtype)
    return Clouds(np.concatenate([rows.points, further], axis=2), rows.mask)


def _least(lost: Callable[[FloatArray], list[FloatArray]], dimensions: int) -> FloatArray:
    """Return where in the unit cube a loss over events is least."""
    found = minimize(
        lambda unit: sum(part.sum() for part in lost(unit)),
        np.full(dimensions, 0.5),
        method="Nelder-Mead",
        bounds=[(0.0, 1.0)] * dimensions,
        options={"xatol": 2e-3, "fatol": 1e-6, "initial_simplex": _simplex(dimensions)},
    )
    return np.asarray(found.x)


def _simplex(dimensions: int) -> FloatArray:
    """Return a start that spans the middle half of the unit cube."""
    corners = np.full((dimensions + 1, dimensions), 0.5)
    corners[1:] += 0.25 * np.eye(dimensions)
    return corners
