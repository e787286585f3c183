"""OTUS: unfold with a map between two laws, for which nobody says which events belong together."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ...classify.polynomial import PolynomialConfig
from ...config import Config
from ...data.pairs import Pairs, Sample
from ...errors import RangeError
from ...random import Stream, uniform
from .estimator import RatioSettings, miss_odds, seed_of, signal
from .map_check import MapCheck, check_map
from .marginals import Marginals
from .members import Drawn, joined
from .method import Progress, Unfolder, refuse_particles
from .problem import Unfolding
from .result import UnfoldedEvents
from .sliced_autoencoder import (
    Side,
    SlicedAutoencoder,
    SlicedAutoencoderConfig,
    distance_and_floor,
    train_unpaired,
)

__all__ = ["Otus", "OtusConfig"]

FloatArray = NDArray[np.float64]
Numbers = NDArray[np.uint64]

_DATA = 2**40  # event numbers of data, far from those of the simulation
_NETWORK, _ENCODE, _DECODE, _AGAIN, _MISSED, _FAKES, _SPREAD, _SLICES = range(8)


class OtusConfig(Config):
    """How the map between truth and measurement is learned.

    Args:
        method: its name.
        observables: which ones, on both sides of the detector; all of each side if there are none.
        maps: sizes, loss and training of encoder and decoder.
        ratio: how odds of fakes and of missed events are estimated.
        members: full unfoldings of bootstrap replicas of data and simulation, each with networks
            of its own; the result is their mean, the error their scatter.
    """

    method: Literal["otus"] = "otus"
    observables: tuple[str, ...] = ()
    maps: SlicedAutoencoderConfig = SlicedAutoencoderConfig()
    ratio: RatioSettings = PolynomialConfig()
    members: int = Field(default=8, ge=1)


class Otus(Unfolder):
    r"""Learn a map from simulated measured events to simulated truth, and send the data through it.

    .. math:: E_\# p_\text{sim}(x) = p_\text{sim}(z), \qquad p(z) = E_\# p_\text{data}(x)

    See :class:`~simulacra.tasks.unfolding.sliced_autoencoder.SlicedAutoencoder`. Of the simulation
    it uses the truth of events that pass both selections, what was measured of such events, and
    how many are missed or fakes; never which truth was measured how. It works on the quantiles of
    each observable on its own side, so that the identity is right for one observable and networks
    learn what is left.

    **What is not known.** Infinitely many maps carry one law into the other; two samples cannot
    tell which is the detector. The anchor chooses one that moves events little, in the order of
    their quantiles. A detector that shifts and stretches is such a map; one that smears is not:
    OTUS puts a stretch in its place (maps that reconstruct have no use for their noise).

    **What it owes to its prior.** For normal laws and noise of width :math:`\sigma` on simulated
    truths of width s, a difference of data and simulation comes out
    :math:`(1 + \sigma^2 / s^2)^{-1/2}` times as large, in one iteration of Bayes' theorem
    :math:`(1 + \sigma^2 / s^2)^{-1}` times; see
    :meth:`~simulacra.tasks.unfolding.toy.GaussianToy.transported`. There is one pass. Another one
    would need simulated measurements under the new truth: with the weights of simulated events,
    these are the pairs that OTUS does not use; with its own decoder, they are the data again,
    since the decoder undoes the encoder, and nothing moves. Nor is the encoder trained on the
    data: their truth would be the simulation's by construction. A prior nearer to the data
    (weights of simulated events) is the remedy, and what the verdict tries.

    Events weigh as their chance to be no fake, over the efficiency at the truth that was found.

    Args:
        config: settings.
    """

    def __init__(self, config: OtusConfig | None = None) -> None:
        self.config = config or OtusConfig()

    def fit(
        self,
        problem: Unfolding,
        *,
        seed: int,
        errors: bool = True,
        progress: Progress | None = None,
    ) -> UnfoldedEvents:
        """Unfold, see :meth:`Unfolder.fit`.

        Raises:
            RangeError: if simulated weights are negative.
        """
        config = self.config
        problem = problem.of(config.observables) if config.observables else problem
        refuse_particles(problem, config.method)
        _refuse_negative(problem.simulation)
        drawn: list[list[Drawn]] = []
        checks: dict[str, MapCheck] = {}
        members = config.members if errors else 1
        for number in range(members):
            replica = problem.resampled(seed, number) if errors else problem
            member = _Member(config, replica, seed_of(seed, number))
            drawn.append([member.drawn()])
            checks = checks or member.checked()
            if progress:
                progress(number + 1, members)
        about = {
            "settings": config.to_dict(),
            "seed": seed,
            "map": {name: check.to_dict() for name, check in checks.items()},
        }
        return joined(drawn, problem, method=config.method, about=about)


class _Member:
    """One full unfolding with maps of its own."""

    def __init__(self, config: OtusConfig, problem: Unfolding, seed: int) -> None:
        self.config, self.problem, self.seed = config, problem, seed
        self.simulation = problem.simulation.select(problem.simulation.matched)
        self.numbers = np.flatnonzero(problem.simulation.matched).astype(np.uint64)
        weight = self.simulation.weights
        self.truth_map = Marginals.of(self.simulation.truth, weight)
        self.reco_map = Marginals.of(self.simulation.reco, weight)
        self.z = self._forward(self.truth_map, self.simulation.truth, self.numbers, 0)
        self.x = self._forward(self.reco_map, self.simulation.reco, self.numbers, 1)
        self.model = self._learned(Side(self.z, weight), Side(self.x, weight))

    def drawn(self) -> Drawn:
        """Return the truth of every measured event of a weight."""
        problem, ratio = self.problem, self.config.ratio
        data = signal(problem, config=ratio, seed=seed_of(self.seed, _FAKES))
        data, _, y = self._encoded(data)
        truth = self.truth_map.inverse(y)
        odds = miss_odds(problem, truth, config=ratio, seed=seed_of(self.seed, _MISSED))
        return Drawn(truth, data.weights * (1 + odds))

    def checked(self) -> dict[str, MapCheck]:
        """Hold the maps against what is known, for every observable that both sides have."""
        names, reco_names = self.simulation.names, self.simulation.reco_names
        weight = self.simulation.weights
        data, numbers, y = self._encoded(self.problem.data)
        again = self.model.measured_of(y, numbers, seed_of(self.seed, _AGAIN))
        encoded = self.model.truth_of(self.x, self.numbers, seed_of(self.seed, _ENCODE))
        decoded = self.model.measured_of(self.z, self.numbers, seed_of(self.seed, _DECODE))
        joint = distance_and_floor(
            Side(encoded, weight), Side(self.z, weight), seed=seed_of(self.seed, _SLICES)
        )
        return check_map(
            self.simulation,
            encoded=Sample(self.truth_map.inverse(encoded), names, weight),
            decoded=Sample(self.reco_map.inverse(decoded), reco_names, weight),
            data=data,
            again=Sample(self.reco_map.inverse(again), reco_names, data.weights),
            joint=joint,
        )

    def _learned(self, truth: Side, measured: Side) -> SlicedAutoencoder:
        names, reco_names = self.simulation.names, self.simulation.reco_names
        shared = [
            (at, reco_names.index(name)) for at, name in enumerate(names) if name in reco_names
        ]
        seed = seed_of(self.seed, _NETWORK)
        return train_unpaired(truth, measured, shared, self.config.maps, seed=seed)

    def _encoded(self, data: Sample) -> tuple[Sample, Numbers, FloatArray]:
        """Return measured events of a weight, their numbers, and their encoded quantiles."""
        seen = data.weights != 0
        data, numbers = data.select(seen), np.flatnonzero(seen).astype(np.uint64) + _DATA
        x = self._forward(self.reco_map, data.values, numbers, 2)
        return data, numbers, self.model.truth_of(x, numbers, seed_of(self.seed, _ENCODE))

    def _forward(
        self, quantiles: Marginals, values: FloatArray, numbers: Numbers, which: int
    ) -> FloatArray:
        seed = seed_of(self.seed, _SPREAD, which)
        u = uniform(seed, numbers, values.shape[1], stream=Stream.PLACE)
        return quantiles.forward(values, u.astype(np.float64))


def _refuse_negative(simulation: Pairs) -> None:
    negative = int((simulation.weights[simulation.matched] < 0).sum())
    if negative:
        raise RangeError(
            f"otus: {negative} simulated events have negative weights, from which no event can be "
            "drawn and which give a law no quantiles; unweight the simulation to positive weights, "
            "or take omnifold."
        )
