"""Energies first, shapes second: two generators that act as one on showers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, PositiveFloat, model_validator
from torch import Tensor, nn

from ..batch import Batch, Draws
from ..config import Config
from ..errors import ConfigError
from ..nets import ConditionalGaussian
from ..preprocess import (
    AimedScores,
    CellPlaces,
    IncidentParticle,
    LayerLogarithms,
    ShowerScores,
    Standardize,
)
from ..random import Stream
from .copula import Copula, empty_layers, layer_noise, shower_keys
from .families import FamilyConfig, build_family
from .flow_matching import FlowMatchingConfig
from .kit import GridKit, NetworkKit, RingKit, VectorKit
from .model import GenerativeModel, Student

__all__ = ["CascadeConfig", "ShowerCascade", "ShowerLayout"]


@dataclass(frozen=True)
class ShowerLayout:
    """What a generator of showers must know of its detector, as plain numbers.

    Args:
        rings: ``(radial bins, sectors)`` of each layer, in the flat order of the voxels; empty for
            rectangular cells.
        threshold: readout threshold in MeV.
        conditions: names of the conditions; the first is the incident energy in MeV.
        cells: ``(cells along x, cells along y)`` of each layer, in the flat order of the voxels;
            empty for rings.
        particles: numbers of the Particle Data Group that the condition ``pdg`` can have.
        places: where the cells are, for each layer of rectangular cells; empty if that is unknown.
    """

    rings: tuple[tuple[int, int], ...]
    threshold: float
    conditions: tuple[str, ...] = ("incident_energy",)
    cells: tuple[tuple[int, int], ...] = ()
    particles: tuple[int, ...] = ()
    places: tuple[CellPlaces, ...] = ()

    @property
    def images(self) -> tuple[tuple[int, int], ...]:
        """Shape of each layer in the flat order: ``(sectors, radial bins)`` or ``(x, y)``."""
        return self.cells or tuple((n_alpha, n_radius) for n_radius, n_alpha in self.rings)

    @property
    def voxels(self) -> int:
        """Number of voxels."""
        return sum(a * b for a, b in self.images)

    @property
    def incident(self) -> IncidentParticle:
        """How the conditions become numbers for networks."""
        return IncidentParticle(self.conditions, self.particles)


class CascadeConfig(Config):
    """Two generators of any family, layer energies and then voxels.

    Args:
        equivariant: showers look the same from every sector (a particle along the axis); False
            where an angle, a position or the detector singles out a direction, and for rectangular
            cells.
        mirror: they look the same in a mirror, too: training showers are reflected at random.
        copula: correlations of pairs of voxels are taken out in closed form
            (:class:`~simulacra.generative.Copula`): ``symmetric`` for any family, ``by_layer``
            for families that go from layer to layer, ``none`` leaves them to the network.
        layers: what becomes scores of layer energies: ``ratios`` that conserve energy, or
            ``logarithms`` with a class "empty" beside the response
            (:class:`~simulacra.preprocess.LayerLogarithms`), for many layers that are often empty.
        spectra: voxels have a spectrum at every ``incident`` energy, or at every energy of their
            ``layer``, or, for rectangular cells, at that and at what each should hold around the
            particle's ``axis`` (:class:`~simulacra.preprocess.AimedScores`).
        nodes: of the tables of spectra of rings: ``even``, or ``crowded`` towards the threshold,
            for spectra that rise slowly from it.
        lines: energies in MeV, ascending, that many voxels have exactly
            (:class:`~simulacra.preprocess.SpectralLines`), such as the 0.511 of a photon of
            annihilation that is absorbed whole; for spectra at the incident energy.
        slab: layers that the network of voxels takes together, for layers of one shape
            (:class:`~simulacra.nets.DepthMixer`); 0: all, in any shape (the ring network).
        patch: cells that a patch of a layer of rectangular cells has at most; no part for rings.
        channels: channels of the ring network, or numbers that describe a patch.
        blocks: its residual blocks.
        width: size of its embedding of time and condition.
        energy_width: hidden size of the network for layer energies.
        energy_blocks: its residual blocks.
        shape_weight: weight of the voxels' loss, relative to that of the layer energies.
        shape: family of the generator of voxels.
        energy: family of the generator of layer energies.
    """

    equivariant: bool = True
    mirror: bool = False
    copula: Literal["none", "symmetric", "by_layer"] = "none"
    layers: Literal["ratios", "logarithms"] = "ratios"
    spectra: Literal["incident", "layer", "axis"] = "incident"
    nodes: Literal["even", "crowded"] = "even"
    lines: tuple[PositiveFloat, ...] = ()
    slab: int = Field(default=0, ge=0)
    patch: int = Field(default=24, ge=1)
    channels: int = Field(default=128, ge=1)
    blocks: int = Field(default=5, ge=1)
    width: int = Field(default=256, ge=2)
    energy_width: int = Field(default=128, ge=2)
    energy_blocks: int = Field(default=4, ge=1)
    shape_weight: float = Field(default=4.0, gt=0)
    shape: FamilyConfig = FlowMatchingConfig(steps=5)
    energy: FamilyConfig = FlowMatchingConfig(steps=6)

    @model_validator(mode="after")
    def _spectra_fit(self) -> Self:
        if self.spectra == "axis" and (self.equivariant or self.layers != "ratios"):
            raise ValueError(
                "spectra=axis is for particles from anywhere: expected equivariant=false and "
                "layers=ratios"
            )
        if self.spectra == "axis" and self.nodes != "even":
            raise ValueError("nodes=crowded is for spectra of rings; expected even with axis")
        if self.lines and self.spectra != "incident":
            raise ValueError(
                "lines are for spectra at the incident energy, where they stay in place: expected "
                f"spectra=incident or no lines, found spectra={self.spectra}"
            )
        return self

    @model_validator(mode="after")
    def _symmetries_hold(self) -> Self:
        if not self.equivariant and (self.mirror or self.slab or self.copula != "none"):
            raise ValueError(
                "mirror, copula and slab are for showers without a preferred angle: expected "
                "equivariant=true, or mirror=false, copula=none, slab=0"
            )
        return self


class ShowerCascade(Student, GenerativeModel):
    r"""Draw layer energies given the incident particle, then voxels given both.

    .. math:: p(\text{voxels} \mid c) = p(E_1 \ldots E_L \mid c)\;p(\text{voxels} \mid E, c)

    Both factors are learned on scores (:class:`~simulacra.preprocess.ShowerScores`), trained
    together and independent of each other. After L. Favaro, A. Ore, S. Palacios Schweitzer,
    T. Plehn, "CaloDREAM: detector response emulation via attentive flow matching", 2024,
    arXiv:2405.09629, with a network on the circle, or one that mixes patches of rectangular cells,
    in place of attention.

    Args:
        config: sizes and solvers.
        layout: the detector.

    Shapes:
        x: voxel energies, ``(events, voxels)``, MeV.
        condition: ``(events, conditions)``; the first column is the incident energy in MeV, others
            in MeV, mm or rad.

    Raises:
        ConfigError: if a symmetric model of rectangular cells is asked for.
    """

    reflected: Tensor

    def __init__(self, config: CascadeConfig, layout: ShowerLayout) -> None:
        super().__init__()
        conditions = layout.incident.size
        self.layout, self.incident = layout, layout.incident
        self.layers = len(layout.images)
        self._constants_known = False
        self._teacher: list[ShowerCascade] = []
        self.shape_weight = config.shape_weight
        sizes = [(columns, rows) for rows, columns in layout.images]
        self.scores = _scores(config, layout)
        numbers = self.numbers = self.scores.layer_scores
        given = conditions + numbers + _further(self.scores)
        self.scale = Standardize(conditions)
        plain = VectorKit(numbers, conditions, config.energy_width, config.energy_blocks)
        self.copula = (
            None
            if config.copula == "none"
            else Copula(layout.rings, conditions + numbers, by_layer=config.copula == "by_layer")
        )
        self.energy_copula = (
            None if self.copula is None else ConditionalGaussian(numbers, conditions)
        )
        self.mirror = config.mirror
        self.register_buffer("reflected", _reflected(sizes), persistent=False)
        self.energy = build_family(config.energy, plain)
        self.shape = build_family(config.shape, _kit(config, layout, given))
        self.noise_size = self.energy.noise_size + self.shape.noise_size

    def fit_constants(self, x: Tensor, condition: Tensor, weight: Tensor, draws: Draws) -> Self:
        if self._constants_known:
            return self
        self.scale.fit(self.incident(condition), condition[:, 0].log(), weight)
        noise = draws.normal(self.layers, Stream.EMPTY_VOXELS)
        self.scores.fit(x, self._at(condition), noise, weight)
        if self.copula is not None and self.energy_copula is not None:
            keys = shower_keys(x)
            self._fit_layers(self.energy_copula, x, condition, weight, keys)
            voxels, boundary, given = self._for_copula(x, condition, keys)
            self.copula.fit(voxels, boundary, given, weight, keys)
        return self

    def learn_from(self, teacher: GenerativeModel) -> None:
        """Take over the scores of a trained cascade, and learn from its generators.

        A part of the same settings as the teacher's starts as a copy and goes on learning from
        data (:meth:`loss`), or stays a copy (:meth:`pairs`).

        Args:
            teacher: a cascade for the same detector and conditions.

        Raises:
            ConfigError: if it is not, or a part has no teacher of that kind.
        """
        if not isinstance(teacher, ShowerCascade) or teacher.layout != self.layout:
            raise ConfigError(
                "teacher: expected a cascade for the same detector, threshold and conditions as "
                "the showers, found another; distil with the showers that the teacher learned."
            )
        if _shapes(self.scores) != _shapes(teacher.scores):
            raise ConfigError(
                "teacher: a student learns the teacher's scores: expected model.layers and "
                "model.spectra as the teacher's, found others."
            )
        self.scores.load_state_dict(teacher.scores.state_dict())
        self.scale.load_state_dict(teacher.scale.state_dict())
        if (self.copula is None) != (teacher.copula is None):
            raise ConfigError(
                "teacher: a student learns behind the teacher's copula: expected model.copula as "
                "the teacher's, found another."
            )
        for law, known in (
            (self.copula, teacher.copula),
            (self.energy_copula, teacher.energy_copula),
        ):
            if law is not None and known is not None:
                law.load_state_dict(known.state_dict())
        self._constants_known = True
        self._teacher = [teacher.eval().requires_grad_(requires_grad=False)]
        for own, other in ((self.energy, teacher.energy), (self.shape, teacher.shape)):
            if type(own) is type(other) and _shapes(own) == _shapes(other):
                own.load_state_dict(other.state_dict())
            else:
                own.learn_from(other)

    def encode(self, x: Tensor, condition: Tensor) -> Tensor:
        if self.copula is not None:
            keys = shower_keys(x)
            scores, boundary, given = self._for_copula(x, condition, keys)
            learns = any(True for _ in self.shape.parameters())
            z = self.copula.whiten(scores, boundary, given, keys) if learns else scores
            return torch.cat([given[:, -self.numbers :], z], dim=1)
        voxels = self.scores.encode_voxels(x, self._at(condition))
        return torch.cat([self.scores.layer_energies(x), voxels], dim=1)

    def pairs(self, condition: Tensor, draws: Draws) -> Tensor:
        """Return noise and what the teacher makes of it, to be learned in place of data.

        A pair is made once and serves in every epoch; the deterministic map from noise to scores
        is then learned by regression, as in E. Luhman, T. Luhman, "Knowledge distillation in
        iterative generative models for improved sampling speed", 2021, arXiv:2101.02388.

        Args:
            condition: ``(events, conditions)``, in physical units.
            draws: random numbers, one sample per event.

        Returns:
            For :meth:`miss`, ``(events, 2 * noise_size)``.

        Raises:
            ConfigError: if there is no teacher, or noise and scores of a part differ in size.
        """
        if not self._teacher:
            raise ConfigError("pairs: expected a teacher, found none; set `teacher` to a model.")
        (teacher,) = self._teacher
        if (own := self.noise_size) != (found := self.numbers + self.layout.voxels):
            raise ConfigError(f"pairs: expected {found} normal numbers per shower, found {own}.")
        noise = draws.normal(own, Stream.NOISE)
        with torch.no_grad():
            return torch.cat([noise, *teacher.drawn_scores(condition, noise)], dim=1)

    def miss(self, batch: Batch) -> Tensor:
        """Return how far this model's scores are from the teacher's, ``(events,)``.

        Args:
            batch: its x are :meth:`pairs`.
        """
        sizes = [self.numbers, self.layout.voxels] * 2
        first, second, layers, voxels = batch.x.split(sizes, dim=1)
        condition = self._scaled(batch.condition)
        energy = self._layers_from(self.energy.draw(condition, first), condition).float()
        given = self._given(batch.condition, condition, layers)
        shape = self.shape.draw(given, second).float()
        by_layer: Tensor = (energy - layers).square().mean(dim=1)
        by_voxel: Tensor = (shape - voxels).square().mean(dim=1)
        return by_layer + self.shape_weight * by_voxel

    def loss(self, batch: Batch, draws: Draws) -> Tensor:
        if batch.x.shape[1] == 2 * (self.numbers + self.layout.voxels):
            return self.miss(batch)
        layers, voxels = batch.x.tensor_split([-self.layout.voxels], dim=1)
        if self.copula is None:
            layers, voxels = self._filled(layers, voxels, batch.condition, draws)
        if self.mirror:
            turned = draws.uniform(1, Stream.TURN) < 0.5
            voxels = torch.where(turned, voxels[:, self.reflected], voxels)
        condition = self._scaled(batch.condition)
        white = layers
        if self.energy_copula is not None:
            white = self.energy_copula.whiten(layers, condition)
        energy_loss = self.energy.loss(Batch(white, condition, batch.weight), draws)
        given = self._given(batch.condition, condition, layers)
        shape_loss = self.shape.loss(Batch(voxels, given, batch.weight), draws)
        return energy_loss + self.shape_weight * shape_loss

    def draw(self, condition: Tensor, noise: Tensor) -> Tensor:
        layers, voxels = self.drawn_scores(condition, noise)
        if self.copula is not None:
            given = torch.cat([self._scaled(condition), layers], dim=1)
            voxels = self.copula.colour(voxels, given)
        return self.scores.decode(layers, voxels, self._at(condition))

    def drawn_scores(self, condition: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Draw the scores of layers and voxels (without a copula's correlations)."""
        scaled = self._scaled(condition)
        first, second = noise.split([self.energy.noise_size, self.shape.noise_size], dim=1)
        layers = self._layers_from(self.energy.draw(scaled, first), scaled)
        return layers, self.shape.draw(self._given(condition, scaled, layers), second)

    def _at(self, condition: Tensor) -> Tensor:
        """Return what scores are taken at: the incident energy, or all conditions."""
        return condition if isinstance(self.scores, AimedScores) else condition[:, 0]

    def _given(self, condition: Tensor, scaled: Tensor, layers: Tensor) -> Tensor:
        """Return what the generator of voxels depends on."""
        if not isinstance(self.scores, AimedScores):
            return torch.cat([scaled, layers], dim=1)
        return torch.cat([scaled, layers, self.scores.further(condition)], dim=1)

    def _layers_from(self, white: Tensor, condition: Tensor) -> Tensor:
        """Return the scores of the layers from what their family draws."""
        if self.energy_copula is None:
            return white
        return self.energy_copula.colour(white, condition)

    def _filled(
        self, layers: Tensor, voxels: Tensor, condition: Tensor, draws: Draws
    ) -> tuple[Tensor, Tensor]:
        """Return scores of layers and voxels, those of empty ones drawn anew."""
        at = self._at(condition)
        empty = draws.normal(self.layers, Stream.EMPTY_VOXELS)
        scores = self.scores.encode_layers(layers, at, empty)
        uniform = draws.uniform(self.layout.voxels, Stream.EMPTY_VOXELS)
        return scores, self.scores.fill_voxels(voxels, layers, at, uniform)

    def _for_copula(
        self, x: Tensor, condition: Tensor, keys: NDArray[np.uint64]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return scores of voxels, their boundaries, and what they depend on."""
        assert isinstance(self.scores, ShowerScores)  # a copula is for showers along the axis
        energy, scaled = condition[:, 0], self._scaled(condition)
        energies = self.scores.layer_energies(x)
        layers, empty_below = self._layer_scores(energies, energy, keys)
        if empty_below is not None and self.energy_copula is not None:
            layers = empty_layers(self.energy_copula).fill(layers, empty_below, scaled, keys)
        boundary = self.scores.boundary(energies, energy)
        given = torch.cat([scaled, layers], dim=1)
        return self.scores.encode_voxels(x, energy), boundary, given

    def _fit_layers(
        self,
        law: ConditionalGaussian,
        x: Tensor,
        condition: Tensor,
        weight: Tensor,
        keys: NDArray[np.uint64],
    ) -> None:
        """Learn the law of the layers' scores."""
        scaled = self._scaled(condition)
        energies = self.scores.layer_energies(x)
        layers, empty_below = self._layer_scores(energies, condition[:, 0], keys)
        if empty_below is None:
            law.fit(layers, scaled, weight)
        else:
            empty_layers(law).fit(layers, empty_below, scaled, weight, keys)

    def _layer_scores(
        self, layers: Tensor, energy: Tensor, keys: NDArray[np.uint64]
    ) -> tuple[Tensor, Tensor | None]:
        """Return the layers' scores, and below which of them is nothing; None if all are known."""
        log_energy = energy.log()
        if isinstance(self.scores.layers, LayerLogarithms):
            known = self.scores.layers(layers, log_energy)
            return known, self.scores.layers.boundary(log_energy)
        noise = layer_noise(keys, self.layers)
        return self.scores.encode_layers(layers, energy, noise), None

    def _scaled(self, condition: Tensor) -> Tensor:
        scaled: Tensor = self.scale(self.incident(condition), condition[:, 0])
        return scaled


def _scores(config: CascadeConfig, layout: ShowerLayout) -> ShowerScores | AimedScores:
    """Return the way between voxels and their scores."""
    if config.spectra == "axis":
        if not layout.places:
            raise ConfigError(
                "model.spectra: axis is for rectangular cells whose places are known, found a "
                "detector of rings; expected incident or layer."
            )
        return AimedScores(layout.places, layout.threshold, layout.conditions)
    return ShowerScores(
        [(columns, rows) for rows, columns in layout.images],
        layout.threshold,
        by_ring=config.equivariant,
        layers=config.layers,
        spectra=config.spectra,
        crowded=config.nodes == "crowded",
        lines=config.lines,
    )


def _further(scores: ShowerScores | AimedScores) -> int:
    return scores.further_size if isinstance(scores, AimedScores) else 0


def _kit(config: CascadeConfig, layout: ShowerLayout, conditions: int) -> NetworkKit:
    """Return the networks for the voxels' scores."""
    if not layout.cells:
        return RingKit(
            layout.rings,
            conditions,
            channels=config.channels,
            blocks=config.blocks,
            width=config.width,
            equivariant=config.equivariant,
            slab=config.slab,
        )
    if config.equivariant:
        raise ConfigError(
            "model.equivariant: the detector has rectangular cells, which no rotation maps to "
            "themselves; expected model.equivariant=false, as in the recipes showers and "
            "three-layer."
        )
    return GridKit(
        layout.cells,
        conditions,
        patch=config.patch,
        channels=config.channels,
        blocks=config.blocks,
        width=config.width,
    )


def _reflected(rings: Sequence[tuple[int, int]]) -> Tensor:
    """Return the places of the voxels in a mirror that exchanges the first and the last sector."""
    places, start = [], 0
    for n_radius, n_alpha in rings:
        here = torch.arange(start, start + n_radius * n_alpha).reshape(n_alpha, n_radius)
        places.append(here.flip(0).flatten())
        start += n_radius * n_alpha
    return torch.cat(places)


def _shapes(model: nn.Module) -> dict[str, tuple[int, ...]]:
    return {name: tuple(values.shape) for name, values in model.state_dict().items()}
