"""Numbers and energies first, points second: showers as sets."""

from __future__ import annotations

from typing import Literal, Self

import torch
from pydantic import Field
from torch import Tensor

from ..batch import Batch, Draws
from ..config import Config
from ..errors import ConfigError
from ..nets import RingPoints, RingSetNetwork
from ..preprocess import PointPlaces, PointScores, Standardize
from ..preprocess.points import EncodedPoints
from ..random import Stream
from .cascade import ShowerLayout
from .families import FamilyConfig, build_family
from .flow_matching import FlowMatchingConfig
from .kit import VectorKit
from .model import GenerativeModel
from .point_flow import PointFlow, PointFlowConfig

__all__ = ["PointCascade", "PointCascadeConfig"]


class PointCascadeConfig(Config):
    """Two generators: numbers of points with layer energies, and then points.

    Args:
        family: its name.
        cells: a point is a filled voxel, and no two are in the same; False: points lie anywhere in
            their ring.
        places: points that a ring has room for; no part for cells.
        smallest: energy of the smallest point in MeV; no part for cells, which have the readout
            threshold.
        equivariant: showers look the same from every angle (a particle along the axis).
        channels: channels of the set network's body on the circle.
        blocks: its residual blocks.
        width: size of its embedding of time and condition.
        depth: numbers by which a point is described.
        energy_width: hidden size of the network for numbers and layer energies.
        energy_blocks: its residual blocks.
        shape_weight: weight of the points' loss, relative to that of numbers and layer energies.
        shape: the generator of points.
        energy: family of the generator of numbers and layer energies.
    """

    family: Literal["points"] = "points"
    cells: bool = True
    places: int = Field(default=32, ge=1)
    smallest: float = Field(default=1e-3, gt=0)
    equivariant: bool = True
    channels: int = Field(default=96, ge=1)
    blocks: int = Field(default=4, ge=1)
    width: int = Field(default=192, ge=2)
    depth: int = Field(default=16, ge=1)
    energy_width: int = Field(default=256, ge=2)
    energy_blocks: int = Field(default=4, ge=1)
    shape_weight: float = Field(default=4.0, gt=0)
    shape: PointFlowConfig = PointFlowConfig()
    energy: FamilyConfig = FlowMatchingConfig(steps=8)


class PointCascade(GenerativeModel):
    r"""Draw layer energies and numbers of points given the incident particle, then the points.

    .. math::
        p(\{x_j\} \mid c) = p(E_1 \ldots E_L, n_1 \ldots n_R \mid c)\;
        p(\{x_j\} \mid E, n, c)

    with :math:`n_r` the number of points in ring r: radial bin of a layer. After E. Buhmann et
    al., "CaloClouds: fast geometry-independent highly-granular calorimeter simulation", 2023,
    arXiv:2305.04847 (numbers and energies first, by a flow), with rings in place of layers, and
    points that see each other.

    Args:
        config: sizes and solvers.
        layout: the detector.

    Raises:
        ConfigError: if it has no rings, or they are divided differently.

    Shapes:
        x: see :class:`~simulacra.preprocess.PointPlaces`.
        condition: ``(events, conditions)``; the first column is the incident energy in MeV, others
            in mm or rad.
    """

    def __init__(self, config: PointCascadeConfig, layout: ShowerLayout) -> None:
        super().__init__()
        places, conditions = _places(config, layout), layout.incident.size
        self.layout, self.config, self.places = layout, config, places
        self.incident = layout.incident
        self.layers = len(places.rings)
        self.rings = places.whole + places.lone
        self.scores = PointScores(places, layout.threshold if config.cells else config.smallest)
        self.scale = Standardize(conditions)
        plain = VectorKit(
            self.layers + self.rings, conditions, config.energy_width, config.energy_blocks
        )
        self.energy = build_family(config.energy, plain)
        network = RingSetNetwork(
            places.whole,
            places.lone,
            places.features,
            places.sectors,
            conditions + self.layers + self.rings,
            channels=config.channels,
            blocks=config.blocks,
            width=config.width,
            depth=config.depth,
            equivariant=config.equivariant,
        )
        shape = (places.whole, places.places, places.features, places.lone)
        self.shape = PointFlow(network, shape, places.sectors, config.shape, cells=places.cells)
        self.noise_size = self.energy.noise_size + self.shape.noise_size

    def fit_constants(self, x: Tensor, condition: Tensor, weight: Tensor, draws: Draws) -> Self:
        self.scale.fit(self.incident(condition), condition[:, 0].log(), weight)
        noise = draws.normal(self.layers, Stream.EMPTY_VOXELS)
        self.scores.fit(x, condition[:, 0], noise, weight)
        return self

    def encode(self, x: Tensor, condition: Tensor) -> Tensor:
        return self.scores.encode(x, condition[:, 0])

    def loss(self, batch: Batch, draws: Draws) -> Tensor:
        energy = batch.condition[:, 0]
        points = self.scores.unpack(batch.x)
        empty = draws.normal(self.layers, Stream.EMPTY_VOXELS)
        layers = self.scores.encode_layers(points.layers, energy, empty)
        count = points.counts()
        uniform = draws.uniform(self.rings, Stream.EMPTY_VOXELS)
        numbers = self.scores.encode_counts(count, points.layers, uniform)
        scaled = self._scaled(batch.condition)
        first = torch.cat([layers, numbers], dim=1)
        energy_loss = self.energy.loss(Batch(first, scaled, batch.weight), draws)
        given = torch.cat([scaled, layers, self._seen(count)], dim=1)
        shape_loss = self.shape.loss(self._turned(points, draws), given, draws)
        return energy_loss + self.config.shape_weight * shape_loss

    def draw(self, condition: Tensor, noise: Tensor) -> Tensor:
        energy, scaled = condition[:, 0], self._scaled(condition)
        first, second = noise.split([self.energy.noise_size, self.shape.noise_size], dim=1)
        drawn = self.energy.draw(scaled, first)
        layers, numbers = drawn.split([self.layers, self.rings], dim=1)
        target, count = self.scores.decode_layers(layers, numbers, energy)
        whole = self.places.whole
        place = torch.arange(self.places.places, device=count.device)
        mask, lone_mask = place < count[:, :whole, None], count[:, whole:] > 0
        given = torch.cat([scaled, layers, self._seen(count)], dim=1)
        points = self.shape.draw(mask, lone_mask, given, second)
        found = EncodedPoints(target, points.angle, points.features, mask, points.lone, lone_mask)
        return self.scores.decode_points(found, energy)

    def _turned(self, points: EncodedPoints, draws: Draws) -> RingPoints:
        """Return the points, without cells turned by a random angle if no angle is singled out."""
        angle = points.angle
        if self.config.equivariant and not self.places.cells:
            turn = draws.uniform(1, Stream.TURN)[..., None]
            sectors = self.places.sectors
            angle = (angle + sectors * turn).remainder(sectors)
        return RingPoints(angle, points.features, points.mask, points.lone, points.lone_mask)

    def _seen(self, count: Tensor) -> Tensor:
        """Return numbers of points as a network likes them, about -1 to 1."""
        room = float(self.places.places)
        return 2 * (count / room).sqrt() - 1

    def _scaled(self, condition: Tensor) -> Tensor:
        scaled: Tensor = self.scale(self.incident(condition), condition[:, 0])
        return scaled


def _places(config: PointCascadeConfig, layout: ShowerLayout) -> PointPlaces:
    """Return where points can be."""
    sectors = {n_alpha for _, n_alpha in layout.rings if n_alpha > 1}
    if len(sectors) != 1 or min(sectors) < 3:
        raise ConfigError(
            "model: points lie on rings, of which the divided ones have a common number of at "
            f"least 3 sectors; this detector has {sorted(sectors) or 'none'}. Take a recipe of "
            "voxels."
        )
    room = min(sectors) if config.cells else config.places
    return PointPlaces(layout.rings, room, config.cells)
