"""The proof: toys whose ratio, mean weight and transport are known in closed form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import sqrtm
from scipy.special import i0e, ndtr

from ...random import Stream, generator

__all__ = ["GaussianMap", "GaussianShift", "Ring", "SignedMixture"]

Array = NDArray[Any]
FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class GaussianShift:
    r"""A standard normal source and a target moved along the first observable.

    .. math:: \ln \frac{p_t(x)}{p_s(x)} = \mu x_1 - \frac{\mu^2}{2},\qquad
        \frac{n}{N} \to e^{-\mu^2}

    Args:
        shift: :math:`\mu`, in widths of the source.
        features: number of observables; all but the first have the same law in both samples.
    """

    shift: float = 0.5
    features: int = 2

    def draw(self, events: int, *, seed: int) -> tuple[FloatArray, FloatArray]:
        """Draw source and target, ``(events, features)`` each.

        Args:
            events: of each sample.
            seed: identity of the samples.
        """
        rng = generator(seed, Stream.INCIDENT_ENERGY)
        source, target = rng.normal(size=(2, events, self.features))
        target[:, 0] += self.shift
        return source, target

    def log_ratio(self, x: Array) -> FloatArray:
        """Return ln(p target / p source), ``(events,)``."""
        return np.asarray(self.shift * x[:, 0] - self.shift**2 / 2)

    @property
    def kept(self) -> float:
        """Effective number of events over their number, for perfect weights and many events."""
        return float(np.exp(-(self.shift**2)))

    @property
    def auc(self) -> float:
        """Area under the curve of the best classifier of target and source."""
        return float(ndtr(self.shift / np.sqrt(2)))

    def uncovered(self, bound: float) -> float:
        """Return the target's share where the source's probability is below a bound."""
        log_odds = np.log((1 - bound) / bound)
        return float(ndtr(self.shift / 2 - log_odds / self.shift))


@dataclass(frozen=True, eq=False)
class GaussianMap:
    r"""Two normal laws and the map of least distance between them.

    .. math:: T(x) = m + D^{-1} A^{-1/2} \bigl(A^{1/2} B A^{1/2}\bigr)^{1/2} A^{-1/2} D\, x

    with the covariances A of the source and B of the target in units D of the target's widths
    (I. Olkin, F. Pukelsheim, "The distance between two random vectors with given dispersion
    matrices", Linear Algebra and its Applications 48 (1982) 257).

    Args:
        source: covariance of the source, which has mean 0, ``(observables, observables)``.
        target: covariance of the target.
        mean: m, of the target, ``(observables,)``.
    """

    source: FloatArray
    target: FloatArray
    mean: FloatArray

    def draw(self, events: int, *, seed: int) -> tuple[FloatArray, FloatArray]:
        """Draw source and target, ``(events, observables)`` each.

        Args:
            events: of each sample.
            seed: identity of the samples.
        """
        rng = generator(seed, Stream.INCIDENT_ENERGY)
        zero = np.zeros(len(self.mean))
        return (
            rng.multivariate_normal(zero, self.source, events),
            rng.multivariate_normal(self.mean, self.target, events),
        )

    def __call__(self, x: Array) -> FloatArray:
        """Return where events of the source belong, ``(events, observables)``."""
        width = np.sqrt(np.diag(self.target))
        a, b = (matrix / np.outer(width, width) for matrix in (self.source, self.target))
        root = np.real(sqrtm(a))
        back = np.linalg.inv(root)
        scaled = back @ np.real(sqrtm(root @ b @ root)) @ back
        return np.asarray(self.mean + (x / width) @ scaled.T * width)

    def error(self, x: Array, moved: Array) -> float:
        """Return the root mean square distance to the truth, in widths of the target."""
        squares = (np.asarray(moved) - self(x)) ** 2 / np.diag(self.target)
        return float(np.sqrt(squares.mean()))


@dataclass(frozen=True)
class SignedMixture:
    r"""Events of weight 1 from a normal law, and of weight -1 from a wider one.

    With the share f of negative weights, N normal and :math:`N_s` of width s,

    .. math:: W(x) = \frac{(1 - f) N(x) - f N_s(x)}{(1 - f) N(x) + f N_s(x)},\qquad
        K(x) = \frac{1}{W(x)^2},

    which is positive within some distance from 0; draws are from inside of it.

    Args:
        negative: f.
        width: s.
        reach: events lie within this distance from 0.
    """

    negative: float = 0.1
    width: float = 1.3
    reach: float = 2.5

    def draw(self, events: int, *, seed: int) -> tuple[FloatArray, FloatArray]:
        """Draw events ``(events, 1)`` and their weights ``(events,)``.

        Args:
            events: how many.
            seed: identity of the sample.
        """
        rng = generator(seed, Stream.INCIDENT_ENERGY)
        found = np.zeros((0, 2))
        while len(found) < events:
            sign = np.where(rng.random(events) < self.negative, -1.0, 1.0)
            x = rng.normal(size=events) * np.where(sign < 0, self.width, 1.0)
            found = np.concatenate([found, np.column_stack([x, sign])[np.abs(x) < self.reach]])
        return found[:events, :1], found[:events, 1]

    def means(self, x: Array) -> tuple[FloatArray, FloatArray]:
        """Return W and K of events, ``(events,)`` each."""
        narrow = (1 - self.negative) * np.exp(-(x[:, 0] ** 2) / 2)
        wide = self.negative / self.width * np.exp(-((x[:, 0] / self.width) ** 2) / 2)
        mean = (narrow - wide) / (narrow + wide)
        return mean, 1 / mean**2


@dataclass(frozen=True)
class Ring:
    r"""A circle blurred by a normal law of two numbers, which leaves a hole in the middle.

    .. math:: p(x) = \frac{1}{2 \pi \sigma^2}
        \exp\Bigl(-\frac{r^2 + R^2}{2 \sigma^2}\Bigr) I_0\Bigl(\frac{r R}{\sigma^2}\Bigr)

    Args:
        radius: R.
        blur: :math:`\sigma`.
    """

    radius: float = 2.0
    blur: float = 0.3

    @property
    def spread(self) -> float:
        """Standard deviation of either number."""
        return float(np.sqrt(self.radius**2 / 2 + self.blur**2))

    def draw(self, events: int, *, seed: int) -> FloatArray:
        """Draw points, ``(events, 2)``.

        Args:
            events: how many.
            seed: identity of the sample.
        """
        rng = generator(seed, Stream.INCIDENT_ENERGY)
        angle = 2 * np.pi * rng.random(events)
        circle = self.radius * np.column_stack([np.cos(angle), np.sin(angle)])
        return np.asarray(circle + self.blur * rng.normal(size=(events, 2)))

    def log_density(self, x: Array) -> FloatArray:
        """Return the logarithm of the density, ``(events,)``."""
        r, width = np.hypot(x[:, 0], x[:, 1]), self.blur**2
        bessel = np.log(i0e(r * self.radius / width)) - (r - self.radius) ** 2 / (2 * width)
        return np.asarray(bessel - np.log(2 * np.pi * width))
