"""Parameters found by a least loss: their covariances from events and from networks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["STEP", "Estimate", "curvature", "losses", "slopes_apart", "surprise"]

FloatArray = NDArray[np.float64]

STEP = 0.02
"""Of differences, in units of the learned range."""


@dataclass(frozen=True, eq=False)
class Estimate:
    """Parameters that make the default simulation look like data.

    Args:
        values: of the parameters, in their own units, ``(parameters,)``.
        statistical: covariance from both samples' finite numbers of events,
            ``(parameters, parameters)``.
        network: covariance from what the networks have not learned: the spread of an ensemble, or
            what :meth:`ParameterReweighter.calibrate` made of it; zero for a single network.
        at_edge: whether a value lies at the edge of the learned range, where it stops.
    """

    values: FloatArray
    statistical: FloatArray
    network: FloatArray
    at_edge: bool

    @property
    def covariance(self) -> FloatArray:
        """Of events and networks together, ``(parameters, parameters)``."""
        return self.statistical + self.network

    @property
    def errors(self) -> FloatArray:
        """Standard deviations of both together, ``(parameters,)``."""
        return _widths(self.covariance)

    @property
    def statistical_errors(self) -> FloatArray:
        """Standard deviations from the finite numbers of events, ``(parameters,)``."""
        return _widths(self.statistical)

    @property
    def network_errors(self) -> FloatArray:
        """Standard deviations from the networks, ``(parameters,)``."""
        return _widths(self.network)


def _widths(covariance: FloatArray) -> FloatArray:
    return np.asarray(np.sqrt(np.diag(covariance)))


def surprise(residual: FloatArray, covariance: FloatArray) -> float:
    """Return twice the negative logarithm of a normal density, up to a constant."""
    chi2 = residual @ np.linalg.solve(covariance, residual)
    return float(chi2 + np.linalg.slogdet(covariance)[1])


def losses(scores: list[FloatArray], shares: list[FloatArray]) -> list[FloatArray]:
    """Return each event's part of the loss, default and data, from logarithms of the ratio."""
    return [
        shares[0] * np.logaddexp(0, scores[0]),
        shares[1] * np.logaddexp(0, -scores[1]),
    ]


def slopes_apart(
    scores: Callable[[FloatArray], list[FloatArray]], shares: list[FloatArray], at: FloatArray
) -> FloatArray:
    """Return each network's slope of its own loss less their mean, ``(parameters, networks)``.

    To first order a network's own minimum lies the inverse Hessian times its slope away.
    """
    rows = []
    for h in STEP * np.eye(len(at)):
        up, down = (
            sum(part.sum(axis=1) for part in losses(scores(place), shares))
            for place in (at + h, at - h)
        )
        rows.append((up - down) / (2 * STEP))
    slopes = np.stack(rows)
    return np.asarray(slopes - slopes.mean(axis=1, keepdims=True))


def curvature(
    losses: Callable[[FloatArray], list[FloatArray]], at: FloatArray
) -> tuple[FloatArray, FloatArray]:
    r"""Return :math:`H^{-1}` and :math:`\sum g g^T` of a sum over events at its minimum.

    The covariance of the minimum is :math:`H^{-1} (\sum g g^T) H^{-1}`.
    Gradients g of the single events and the Hessian of their sum are from central differences
    (P. Huber, "The behavior of maximum likelihood estimates under nonstandard conditions", 1967).
    """
    steps = STEP * np.eye(len(at))
    gradients = []
    for h in steps:
        up, down = losses(at + h), losses(at - h)
        gradients.append([(u - d) / (2 * STEP) for u, d in zip(up, down, strict=True)])
    middle = sum(part.sum() for part in losses(at))

    def total(h: FloatArray) -> float:
        return float(sum(part.sum() for part in losses(at + h)))

    size = len(at)
    hessian, spread = np.zeros((size, size)), np.zeros((size, size))
    for i in range(size):
        hessian[i, i] = (total(steps[i]) + total(-steps[i]) - 2 * middle) / STEP**2
        for j in range(i):
            a, b = steps[i], steps[j]
            mixed = total(a + b) - total(a - b) - total(b - a) + total(-a - b)
            hessian[i, j] = hessian[j, i] = mixed / (4 * STEP**2)
    for sample in range(2):
        rows = np.stack([gradient[sample] for gradient in gradients])
        centred = rows - rows.mean(axis=1, keepdims=True)
        spread += centred @ centred.T
    return np.asarray(np.linalg.pinv(hessian)), spread
