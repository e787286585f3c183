r"""Gaussians: a measurement whose unfolding has a closed form at every iteration.

True values are normal, the detector adds normal noise of width :math:`\sigma`. Then the truth of
the data is known, and so is what :math:`k` iterations from the simulation's truth
:math:`\mathcal N(m_0, v_0)` find with data :math:`\mathcal N(m, v)` before the detector:

.. math::
    g_k = \frac{v_k}{v_k + \sigma^2}, \qquad m_{k+1} = m_k + g_k (m - m_k), \qquad
    v_{k+1} = v_k (1 - g_k) + g_k^2 (v + \sigma^2)

because the average of :math:`p(t | r)` over Gaussian data is Gaussian again.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ...config import Config
from ...data.pairs import Pairs, Sample
from ...random import Stream, normal, uniform
from .problem import Unfolding

__all__ = ["GaussianToy"]

FloatArray = NDArray[np.float64]
Positive = Annotated[float, Field(gt=0)]

_PSEUDO_DATA = 2**40  # event numbers of data, far from those of the simulation
_EXPERIMENT = 2**30


class GaussianToy(Config):
    """Normal truth, normal noise; with hidden variable, inefficiency and fakes if wanted.

    Args:
        mean: of the simulated truth.
        width: of the simulated truth.
        data_mean: of the truth behind the data.
        data_width: of the truth behind the data.
        noise: of the detector.
        efficiency: probability that a true event is measured, at truth 0.
        efficiency_slope: by how much its log-odds rise per unit of truth.
        fakes: fakes in simulation and data as a part of the true events; normal of mean 0 and
            width 1.5.
        hidden: by how much the detector shifts the measured value per unit of a normal variable
            that nobody unfolds; where it is not 0 that variable, ``h``, is measured.
        hidden_mean: mean of that variable in the data; it is 0 in the simulation.
    """

    mean: float = 0.0
    width: Positive = 1.0
    data_mean: float = 0.3
    data_width: Positive = 0.9
    noise: Positive = 0.5
    efficiency: Annotated[float, Field(gt=0, le=1)] = 1.0
    efficiency_slope: float = 0.0
    fakes: Annotated[float, Field(ge=0, lt=1)] = 0.0
    hidden: float = 0.0
    hidden_mean: float = 0.0

    def problem(
        self, simulated: int, measured: int, *, seed: int, experiment: int = 0
    ) -> Unfolding:
        """Draw simulation and data.

        Args:
            simulated: true events of the simulation.
            measured: true events behind the data.
            seed: identity of both.
            experiment: number of the pseudo-experiment, with a simulation and data of its own.
        """
        base = experiment * _EXPERIMENT
        simulation = self._pairs(base, simulated, self.mean, self.width, 0.0, seed)
        behind = self._pairs(
            base + _PSEUDO_DATA,
            measured,
            self.data_mean,
            self.data_width,
            self.hidden_mean,
            seed,
        )
        seen = behind.reco_sample()
        return Unfolding(simulation, Sample(seen.values, seen.names))

    def closed_form(self, iterations: int) -> tuple[FloatArray, FloatArray]:
        """Return mean and width of the unfolded truth after 0, 1, ... iterations.

        For efficiency 1, no fakes and no hidden shift.
        """
        mean, variance = [self.mean], [self.width**2]
        seen = self.data_width**2 + self.noise**2
        for _ in range(iterations):
            gain = variance[-1] / (variance[-1] + self.noise**2)
            mean.append(mean[-1] + gain * (self.data_mean - mean[-1]))
            variance.append(variance[-1] * (1 - gain) + gain**2 * seen)
        return np.array(mean), np.sqrt(variance)

    def transported(self) -> tuple[float, float]:
        r"""Return mean and width of the data sent through the map of least transport.

        The map that carries simulated measurements to simulated truth in the order of their
        quantiles is linear with slope :math:`a = \sqrt{v_0 / (v_0 + \sigma^2)}`:

        .. math:: m_0 + a\,(m - m_0), \qquad a^2 (v + \sigma^2)

        For efficiency 1, no fakes and no hidden shift.
        """
        slope = self.width / float(np.hypot(self.width, self.noise))
        mean = self.mean + slope * (self.data_mean - self.mean)
        return mean, slope * float(np.hypot(self.data_width, self.noise))

    def truth_in(self, edges: FloatArray, events: float) -> FloatArray:
        """Return the expected numbers of true events behind the data in bins, ``(bins,)``."""
        from scipy.stats import norm

        reach = norm.cdf(edges, self.data_mean, self.data_width)
        return np.asarray(events * np.diff(reach))

    def _pairs(
        self, first: int, events: int, mean: float, width: float, hidden: float, seed: int
    ) -> Pairs:
        fakes = round(self.fakes * events)
        numbers = np.arange(first, first + events + fakes, dtype=np.uint64)
        draws = normal(seed, numbers, 3).astype(np.float64)
        truth = mean + width * draws[:, 0]
        reco = truth + self.noise * draws[:, 1] + self.hidden * (hidden + draws[:, 2])
        is_fake = np.arange(len(numbers)) >= events
        reco = np.where(is_fake, 1.5 * draws[:, 0], reco)
        chance = self._efficiency(truth)
        seen = uniform(seed, numbers, 1, stream=Stream.PARTICLE_RESPONSE)[:, 0] < chance
        columns = [reco, hidden + draws[:, 2]] if self.hidden else [reco]
        return Pairs(
            truth[:, None],
            np.stack(columns, axis=1),
            ("x",),
            ("x", "h")[: len(columns)],
            pass_truth=~is_fake,
            pass_reco=seen | is_fake,
        )

    def _efficiency(self, truth: FloatArray) -> FloatArray:
        if self.efficiency == 1.0:
            return np.ones(len(truth))
        odds = self.efficiency / (1 - self.efficiency)
        return np.asarray(1 / (1 + np.exp(-self.efficiency_slope * truth) / odds))
