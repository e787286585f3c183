"""Refined noise: the weights of generated events pulled back to what the generator starts from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from pydantic import Field
from torch import Tensor

from ...classify import DensityRatio, RatioConfig, fit_ratio
from ...config import Config
from ...errors import ConfigError
from ...random import Stream, normal, uniform
from ...samplers import hamiltonian
from .problem import Samples
from .storing import read_method, read_ratio, write_method

__all__ = ["LatentConfig", "LatentDraw", "LatentRefiner"]

Array = NDArray[Any]
FloatArray = NDArray[np.float64]

_KIND = "latent refiner"


class LatentConfig(Config):
    """How noise is refined.

    Args:
        ratio: the networks of the density ratio of target and generated events.
        proposals: of each chain; every event is the end of a chain of its own.
        leaps: leapfrog steps of a proposal.
        step: of the leapfrog, in units of the noise's width.
    """

    ratio: RatioConfig = RatioConfig()
    proposals: int = Field(default=20, ge=1)
    leaps: int = Field(default=10, ge=1)
    step: float = Field(default=0.15, gt=0)


@dataclass(frozen=True, eq=False)
class LatentDraw:
    """Events of unit weight from refined noise.

    Args:
        noise: ``(events, numbers)``.
        events: what the generator makes of it, ``(events, features)``.
        accepted: share of its proposals that each chain took, ``(events,)``.
    """

    noise: FloatArray
    events: FloatArray
    accepted: FloatArray


class LatentRefiner:
    r"""Draw noise from :math:`e^{-U(z)}` instead of from a normal law.

    .. math:: U(z) = \frac{|z|^2}{2} - \ln \frac{p_t(G(z))}{p_G(G(z))}

    R. Winterhalder, M. Bellagente, B. Nachman, "Latent space refinement for deep generative
    models", 2021, https://arxiv.org/abs/2106.00792. Events drawn with this noise follow
    the generator's density times the ratio, which is the target's; they all have weight 1, and
    a region that the generator wrongly fills is left empty, which a continuous map of a normal law
    cannot do. The generator stays as it is. Noise that moves by small steps cannot cross a wide
    valley: shares of modes are those of the generator unless chains pass between them.

    Args:
        generator: a differentiable map from noise ``(events, numbers)`` to events ``(events,
            features)``, float32.
        numbers: of noise per event.
        config: the settings.
    """

    name = "latent"

    def __init__(
        self,
        generator: Callable[[Tensor], Tensor],
        numbers: int,
        config: LatentConfig | None = None,
    ) -> None:
        self.generator, self.numbers = generator, numbers
        self.config = config or LatentConfig()
        self._ratio: DensityRatio | Callable[[Tensor], Tensor] | None = None

    def fit(
        self,
        target: ArrayLike,
        target_weight: ArrayLike | None = None,
        *,
        events: int = 0,
        seed: int = 0,
    ) -> Self:
        """Learn the ratio of a target and as many generated events.

        Args:
            target: ``(events, features)``.
            target_weight: event weights, may be negative; default 1.
            events: how many to generate; 0 takes as many as the target has.
            seed: identity of the generated events and the training.

        Raises:
            ShapeError: if target and generated events differ in features, or weights in length.
            RangeError: if a number is not finite, weights sum to nothing or there is no overlap.
        """
        made = self.generate(events or len(np.asarray(target)), seed=seed)
        samples = Samples.of(made, target, None, target_weight)
        self._ratio = fit_ratio(
            *samples.tables, None, samples.target_weight, config=self.config.ratio, seed=seed
        )
        return self

    def given(self, log_ratio: Callable[[Tensor], Tensor]) -> Self:
        """Take a known ln(p target / p generator) in place of a learned one.

        Args:
            log_ratio: differentiable, from ``(events, features)`` to ``(events,)``.
        """
        self._ratio = log_ratio
        return self

    def generate(self, events: int, *, seed: int, first_event: int = 0) -> FloatArray:
        """Return events of the generator as it is, ``(events, features)``.

        Args:
            events: how many.
            seed: identity of the set.
            first_event: number of the first event in its set.
        """
        return self._events(self._noise(events, seed, first_event))

    def draw(self, events: int, *, seed: int, first_event: int = 0) -> LatentDraw:
        """Draw refined events; event i is a function of seed and number.

        Args:
            events: how many.
            seed: identity of the set.
            first_event: number of the first event in its set.

        Raises:
            ConfigError: if no ratio was learned or given.
        """
        c, numbers = self.config, np.arange(first_event, first_event + events)
        momenta = normal(
            seed, numbers, c.proposals * self.numbers, stream=Stream.TRAJECTORY
        ).reshape(events, c.proposals, self.numbers)
        chances = uniform(seed, numbers, c.proposals, stream=Stream.ACCEPTANCE)
        noise, accepted = hamiltonian(
            self._log_density(),
            self._noise(events, seed, first_event),
            torch.from_numpy(momenta.transpose(1, 0, 2).copy()),
            torch.from_numpy(chances.T.copy()),
            step=c.step,
            leaps=c.leaps,
        )
        return LatentDraw(noise.double().numpy(), self._events(noise), accepted.double().numpy())

    def save(self, folder: Path | str, *, generator: str) -> Path:
        """Write ratio and settings as a folder; see :func:`save_artifact`.

        Args:
            folder: its name; must not exist, or hold an earlier method, which is replaced.
            generator: what the generator is called, such as a shipped model's name or folder; it is
                not in the folder itself.

        Raises:
            ConfigError: if no ratio was learned; one that was given is a function, not numbers.
        """
        if not isinstance(self._ratio, DensityRatio):
            raise ConfigError("latent refinement: only a ratio that `fit` has learned is saved.")
        return write_method(
            folder,
            _KIND,
            self.config,
            self._ratio.state(),
            generator=generator,
            numbers=self.numbers,
        )

    @classmethod
    def load(
        cls, folder: Path | str, generators: Callable[[str], Callable[[Tensor], Tensor]]
    ) -> Self:
        """Read what :meth:`save` wrote.

        Args:
            folder: its name.
            generators: from the name that was saved to the generator.

        Raises:
            ArtifactError: if the folder is incomplete, changed or holds something else.
        """
        artifact = read_method(folder, _KIND)
        found = cls(
            generators(artifact.manifest["generator"]),
            artifact.manifest["numbers"],
            LatentConfig.from_dict(artifact.manifest["config"]),
        )
        found._ratio = read_ratio(artifact, found.config.ratio)
        return found

    def _log_density(self) -> Callable[[Tensor], Tensor]:
        ratio = self._ratio
        if ratio is None:
            raise ConfigError("latent refinement: no ratio was learned yet; call `fit` first.")
        of = ratio.of if isinstance(ratio, DensityRatio) else ratio
        return lambda z: of(self.generator(z)) - z.square().sum(dim=1) / 2

    def _noise(self, events: int, seed: int, first_event: int) -> Tensor:
        numbers = np.arange(first_event, first_event + events)
        return torch.from_numpy(normal(seed, numbers, self.numbers, stream=Stream.LATENT))

    def _events(self, noise: Tensor) -> FloatArray:
        with torch.no_grad():
            made: FloatArray = self.generator(noise).double().numpy()
        return made
