"""Generative unfolding: draw the truth of each measured event, and iterate the prior."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Discriminator, Field, Tag

from ...batch import Draws
from ...classify.polynomial import PolynomialConfig
from ...config import Config
from ...errors import ShapeError
from ...generative import GenerativeModel, VectorKit, build_family, draw, initialised
from ...generative.autoregressive_flow import AutoregressiveFlowConfig
from ...generative.bridge import Bridge, BridgeConfig
from ...generative.coupling_flow import CouplingFlowConfig
from ...generative.diffusion import DiffusionConfig
from ...generative.flow_matching import FlowMatchingConfig
from ...random import Stream, uniform
from ...train import TrainingConfig, TrainingSet, train
from .estimator import RatioSettings, miss_odds, ratio_between, seed_of, signal
from .marginals import Marginals
from .members import Drawn, joined
from .method import Progress, Unfolder, refuse_particles
from .problem import Unfolding
from .result import UnfoldedEvents

__all__ = ["Posterior", "PosteriorConfig", "PosteriorFamily"]

FloatArray = NDArray[np.float64]

PosteriorFamily = Annotated[
    Annotated[FlowMatchingConfig, Tag("flow_matching")]
    | Annotated[DiffusionConfig, Tag("diffusion")]
    | Annotated[CouplingFlowConfig, Tag("coupling_flow")]
    | Annotated[AutoregressiveFlowConfig, Tag("autoregressive_flow")]
    | Annotated[BridgeConfig, Tag("bridge")],
    Discriminator("family"),
]
"""Families of generators that can stand for p(truth | measured)."""

_TRAINING = TrainingConfig(
    epochs=20, batch_size=256, warmup_steps=50, average=0.99, validation_fraction=0.1, threads=1
)
_TILE = 1024
_NETWORK, _DRAW, _RATIO, _MISSED, _FAKES, _SPREAD = range(6)


class PosteriorConfig(Config):
    """How the truth of measured events is drawn.

    Args:
        method: its name.
        observables: which ones, on both sides of the detector; all of each side if there are none.
        family: the generator of the truth given what was measured.
        width: size of its networks' hidden state.
        blocks: residual blocks of its networks.
        training: how it is trained.
        later_epochs: epochs of later iterations, which go on from where the one before ended.
        ratio: how the prior is weighted to the truth that was found, and how odds of fakes and
            of missed events are estimated.
        iterations: 1 keeps the simulation's prior.
        members: bootstrap replicas of data and simulation.
        networks: full unfoldings of each replica, with networks and draws of their own. The result
            is the mean of all; the error is the scatter of the replicas, without what their
            networks add, see :func:`~simulacra.tasks.unfolding.spectrum.replica_covariance`.
    """

    method: Literal["posterior"] = "posterior"
    observables: tuple[str, ...] = ()
    family: PosteriorFamily = FlowMatchingConfig()
    width: int = Field(default=64, ge=1)
    blocks: int = Field(default=2, ge=1)
    training: TrainingConfig = _TRAINING
    later_epochs: int = Field(default=8, ge=1)
    ratio: RatioSettings = PolynomialConfig()
    iterations: int = Field(default=3, ge=1)
    members: int = Field(default=8, ge=1)
    networks: int = Field(default=2, ge=1)


class Posterior(Unfolder):
    r"""Learn p(truth | measured) from simulated pairs and draw from it at every measured event.

    .. math:: p_n(t) = \int p_n(t | r)\, p_\text{data}(r)\, dr, \qquad
        p_n(t | r) \propto p(r | t)\, p_{n-1}(t)

    The generator is trained on pairs whose weights make their truth that of the iteration before,
    so that it forgets the simulation's truth as iterative Bayes does. With a coupling flow it is
    M. Bellagente et al., "Invertible networks or partons to detector and back again", 2020,
    arXiv:2006.06685, iterated as in M. Backes, A. Butter, M. Dunford, B. Malaescu, "An unfolding
    method based on conditional invertible neural networks (cINN) using iterative training", 2022,
    arXiv:2212.08674; with a bridge S. Diefenbacher et al., 2023, arXiv:2308.12351.

    Events weigh as their chance to be no fake, over the efficiency at the truth that was drawn.

    Args:
        config: settings.
    """

    def __init__(self, config: PosteriorConfig | None = None) -> None:
        self.config = config or PosteriorConfig()

    def fit(
        self,
        problem: Unfolding,
        *,
        seed: int,
        errors: bool = True,
        progress: Progress | None = None,
    ) -> UnfoldedEvents:
        config = self.config
        problem = problem.of(config.observables) if config.observables else problem
        refuse_particles(problem, f"{config.method} by {config.family.family}")
        if isinstance(config.family, BridgeConfig):
            problem = _both_sides(problem)
        replicas = config.members if errors else 1
        members = []
        for number in range(replicas * config.networks):
            replica, network = divmod(number, config.networks)
            drawn = problem.resampled(seed, replica) if errors else problem
            members.append(_Member(config, drawn, seed_of(seed, replica, network)).rounds())
            if progress:
                progress(number + 1, replicas * config.networks)
        return joined(
            members,
            problem,
            method=f"{config.method} by {config.family.family}",
            about={"settings": config.to_dict(), "seed": seed},
            networks=config.networks,
        )


class _Member:
    """One full unfolding: a generator, trained again in every iteration."""

    def __init__(self, config: PosteriorConfig, problem: Unfolding, seed: int) -> None:
        self.config, self.seed, self.problem = config, seed, problem
        simulation = problem.simulation
        self.both, self.there = simulation.matched, simulation.in_truth
        self.weight = simulation.weights
        both = self.both
        self.truth_map = Marginals.of(simulation.truth[both], self.weight[both])
        self.reco_map = Marginals.of(simulation.reco[both], self.weight[both])
        self.model = self._model(simulation.truth.shape[1], simulation.reco.shape[1])
        numbers = np.arange(len(simulation), dtype=np.uint64)[both]
        self.x = self.truth_map.forward(simulation.truth[both], self._u(numbers, 0))
        self.condition = self.reco_map.forward(simulation.reco[both], self._u(numbers, 1))

    def rounds(self) -> list[Drawn]:
        """Return what each iteration drew."""
        found: list[Drawn] = []
        simulation, factor = self.problem.simulation, np.ones(len(self.problem.simulation))
        for n in range(self.config.iterations):
            weight = self.weight * factor
            self._train(weight[self.both], n)
            found.append(self._draw(n, simulation.weighted(weight).weights))
            if n + 1 == self.config.iterations:
                break
            ratio = ratio_between(
                simulation.truth[self.there],
                found[-1].truth,
                self.weight[self.there],
                found[-1].weight,
                config=self.config.ratio,
                seed=seed_of(self.seed, _RATIO, n),
            )
            factor[self.there] = np.exp(ratio.log_ratio(simulation.truth[self.there]))
            factor[self.there] *= self.weight[self.there].sum() / (
                (self.weight * factor)[self.there].sum()
            )
        return found

    def _model(self, features: int, conditions: int) -> GenerativeModel:
        kit = VectorKit(features, conditions, self.config.width, self.config.blocks)
        family = self.config.family

        def build() -> GenerativeModel:
            if isinstance(family, BridgeConfig):
                return Bridge.from_kit(kit, family)
            return build_family(family, kit)

        return initialised(build, seed_of(self.seed, _NETWORK))

    def _train(self, weight: FloatArray, iteration: int) -> None:
        used = weight != 0
        data = TrainingSet(
            torch.from_numpy(self.x[used]).float(),
            torch.from_numpy(self.condition[used]).float(),
            torch.from_numpy(weight[used]).float(),
            digest="unfolding",
        )
        seed = seed_of(self.seed, _NETWORK, iteration)
        draws = Draws(seed, 0, len(data.x))
        self.model.fit_constants(data.x, data.condition, data.weight, draws)
        with tempfile.TemporaryDirectory() as folder:
            train(self.model, data, self._training(iteration), seed=seed, folder=Path(folder))

    def _training(self, iteration: int) -> TrainingConfig:
        config = self.config.training
        return config.updated(epochs=self.config.later_epochs) if iteration else config

    def _draw(self, iteration: int, prior: FloatArray) -> Drawn:
        """Draw the truth of every measured event of a weight."""
        problem = Unfolding(
            self.problem.simulation.weighted(prior),
            self.problem.measured,
            self.problem.background,
        )
        estimator = self.config.ratio
        data = signal(problem, config=estimator, seed=seed_of(self.seed, _FAKES, iteration))
        seen = data.weights != 0
        data = data.select(seen)
        numbers = np.flatnonzero(seen).astype(np.uint64) + 2**40
        condition = self.reco_map.forward(data.values, self._u(numbers, 2 + iteration))
        parts = draw(
            self.model,
            lambda start, stop: condition[start:stop],
            range(len(condition)),
            seed=seed_of(self.seed, _DRAW, iteration),
            tile=_TILE,
        )
        y = np.concatenate([part.x for part in parts]).astype(np.float64)
        truth = self.truth_map.inverse(y)
        odds = miss_odds(
            problem, truth, config=estimator, seed=seed_of(self.seed, _MISSED, iteration)
        )
        return Drawn(truth, data.weights * (1 + odds))

    def _u(self, numbers: NDArray[np.uint64], which: int) -> FloatArray:
        features = max(
            self.problem.simulation.truth.shape[1], self.problem.simulation.reco.shape[1]
        )
        seed = seed_of(self.seed, _SPREAD, which)
        return uniform(seed, numbers, features, stream=Stream.PLACE).astype(np.float64)


def _both_sides(problem: Unfolding) -> Unfolding:
    """Return the problem for a bridge, whose start has the observables of its end, then others."""
    simulation = problem.simulation
    if simulation.reco_names[: len(simulation.names)] != simulation.names:
        raise ShapeError(
            "bridge: expected the true observables, in their order, to be the first measured "
            f"ones, found {', '.join(simulation.reco_names)} for {', '.join(simulation.names)}."
        )
    return problem
