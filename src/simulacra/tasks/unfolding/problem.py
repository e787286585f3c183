"""One measurement to be unfolded: a simulation on both sides of the detector, and the data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ...data.clouds import Clouds, join_clouds
from ...data.pairs import Pairs, Sample
from ...data.weights import positive_total
from ...errors import RangeError, ShapeError
from ...random import Stream, generator

__all__ = ["Unfolding"]

FloatArray = NDArray[np.float64]

_LEAST_OVERLAP = 0.5


@dataclass(frozen=True, eq=False)
class Unfolding:
    """Simulated pairs and measured events, with a background to be taken away.

    The simulation says what the detector does to a true event: what it measures, what it misses,
    and which part of the measured events is none of ours (fakes). The measured events say what
    the simulation does not know. Normalisations of the two are independent of each other.

    Args:
        simulation: true and reconstructed observables of simulated events, and perhaps their
            particles, which :class:`~simulacra.tasks.unfolding.omnifold.OmniFold` unfolds by.
        measured: what was measured, the same observables as ``simulation.reco``.
        background: events of other processes at the normalisation of the data; their weights are
            subtracted. None if there is no background, or if fakes stand for it.

    Raises:
        ShapeError: if observables or particles of the data are not those of the simulation.
        RangeError: if data and simulation have nothing in common, or nothing is left when the
            background is taken away.
    """

    simulation: Pairs
    measured: Sample
    background: Sample | None = None

    def __post_init__(self) -> None:
        for sample in (self.measured, self.background):
            if sample is not None and set(sample.names) != set(self.simulation.reco_names):
                raise ShapeError(
                    "unfolding: expected the observables "
                    f"{', '.join(self.simulation.reco_names)} in the data as in the simulation, "
                    f"found {', '.join(sample.names)}."
                )
            if sample is not None and _size(sample.particles) != self.particles:
                raise ShapeError(
                    "unfolding: expected particles of the same places and features in simulation, "
                    f"data and background, or in none, found {self.particles} in the simulation "
                    f"and {_size(sample.particles)} in measured events."
                )
        for name, share in self.overlap().items():
            if share < _LEAST_OVERLAP:
                raise RangeError(
                    f"unfolding: only {share:.0%} of the data lie where the simulation has "
                    f"`{name}`, so it cannot say what they were; are both in the same unit?"
                )
        _ = self.data  # refused here if the background is larger than the data

    @property
    def data(self) -> Sample:
        """Measured events, and those of the background with their weights negative."""
        names = self.simulation.reco_names
        measured = self.measured.observables(names)
        if self.background is None:
            return measured
        other = self.background.observables(names)
        values = np.concatenate([measured.values, other.values])
        weight = np.concatenate([measured.weights, -other.weights])
        positive_total(weight, "data without their background")
        return Sample(values, names, weight, join_clouds([measured.particles, other.particles]))

    @property
    def particles(self) -> tuple[int, ...] | None:
        """Places and features of measured events as sets of particles; None if there are none."""
        return _size(self.simulation.reco_particles)

    def overlap(self) -> dict[str, float]:
        """Return for each observable which share of the data lies within the simulation's range."""
        seen = self.simulation.reco_sample()
        shares = {}
        for name in seen.names:
            values, inside = self.measured.column(name), seen.column(name)
            held = (values >= inside.min()) & (values <= inside.max())
            shares[name] = float(self.measured.weights[held].sum() / self.measured.weights.sum())
        return shares

    def of(self, names: Sequence[str]) -> Unfolding:
        """Return the problem with some observables only, the same on both sides; no particles."""
        simulation = self.simulation
        truth = [_place(simulation.names, name) for name in names]
        reco = [_place(simulation.reco_names, name) for name in names]
        few = replace(
            simulation,
            truth=simulation.truth[:, truth],
            reco=simulation.reco[:, reco],
            names=tuple(names),
            reco_names=tuple(names),
            truth_particles=None,
            reco_particles=None,
        )
        measured, background = (
            None if sample is None else replace(sample.observables(names), particles=None)
            for sample in (self.measured, self.background)
        )
        assert measured is not None
        return Unfolding(few, measured, background)

    def resampled(self, seed: int, replica: int) -> Unfolding:
        """Return a bootstrap replica: every event of every sample n times, n Poisson of mean 1.

        Args:
            seed: identity of the set of replicas.
            replica: which one, from 0.
        """
        rng = generator(seed, Stream.BOOTSTRAP, replica)

        def drawn(weight: FloatArray) -> FloatArray:
            return weight * rng.poisson(1.0, len(weight))

        simulation = self.simulation.weighted(drawn(self.simulation.weights))
        measured = self.measured.weighted(drawn(self.measured.weights))
        background = self.background
        if background is not None:
            background = background.weighted(drawn(background.weights))
        return Unfolding(simulation, measured, background)


def _size(particles: Clouds | None) -> tuple[int, ...] | None:
    return None if particles is None else particles.points.shape[1:]


def _place(names: tuple[str, ...], name: str) -> int:
    if name not in names:
        raise ShapeError(
            f"unfolding: expected `{name}` on both sides of the detector, found "
            f"{', '.join(names)} on one."
        )
    return names.index(name)
