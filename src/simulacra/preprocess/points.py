"""Showers as points on rings: what is counted, what is left for a set network, and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor, nn

from ..errors import RangeError
from .bijection import Chain
from .counts import CountScores
from .energy import LayerRatios
from .gaussian import Gaussianize
from .showers import filled_layers, scaled_to_layers

__all__ = ["EncodedPoints", "PointPlaces", "PointScores", "distinct_sectors"]

_ABSENT = -1e3  # in the place of a score: no point


@dataclass(frozen=True)
class PointPlaces:
    """How showers of points lie in memory.

    With ``cells`` a point is a filled voxel and an event is ``(voxels,)``, energies in MeV in the
    flat order of the voxels. Without, an event is four blocks of ``rings x places`` numbers, ring
    after ring: energies in MeV (0: no point), angles in sectors, and the shares of the ring's area
    and of the layer's depth, in (0, 1).

    Args:
        rings: ``(radial bins, sectors)`` of each layer.
        places: points that a ring has room for.
        cells: whether points are voxels, at most one in each.
    """

    rings: tuple[tuple[int, int], ...]
    places: int
    cells: bool

    @property
    def sectors(self) -> int:
        """Sectors of the rings that have any."""
        return max(n_alpha for _, n_alpha in self.rings)

    @property
    def features(self) -> int:
        """Coordinates of a point besides its angle."""
        return 1 if self.cells else 3

    @property
    def ring_layers(self) -> list[int]:
        """Layer of each ring, those with an angle first."""
        return [self._layer[ring] for ring in self._order]

    @property
    def whole(self) -> int:
        """Number of rings with an angle."""
        return sum(self._has_angle)

    @property
    def lone(self) -> int:
        """Number of rings without, which hold one point at most."""
        return len(self._has_angle) - self.whole

    def voxels(self) -> list[int]:
        """Return the voxel of each cell: of rings with an angle, sector by sector, then others."""
        first, found = 0, dict[int, list[int]]()
        for n_radius, n_alpha in self.rings:
            for radius in range(n_radius):
                own = [first + radius + n_radius * alpha for alpha in range(n_alpha)]
                found[len(found)] = own
            first += n_radius * n_alpha
        return [voxel for ring in self._order for voxel in found[ring]]

    @property
    def _layer(self) -> list[int]:
        return [layer for layer, (n_radius, _) in enumerate(self.rings) for _ in range(n_radius)]

    @property
    def _has_angle(self) -> list[bool]:
        return [not self.cells or n_alpha > 1 for n_radius, n_alpha in self.rings
                for _ in range(n_radius)]  # fmt: skip

    @property
    def _order(self) -> list[int]:
        has = self._has_angle
        return sorted(range(len(has)), key=lambda ring: (not has[ring], ring))


@dataclass(frozen=True, eq=False)
class EncodedPoints:
    """Points of some events as scores.

    Args:
        layers: layer energies in MeV, ``(events, layers)``.
        angle: in sectors, ``(events, rings, places)``; a cell's is its number.
        features: scores, ``(events, rings, places, features)``.
        mask: which places hold a point, ``(events, rings, places)``.
        lone: scores in rings without an angle, ``(events, lone rings, features)``.
        lone_mask: which of them hold one, ``(events, lone rings)``.
    """

    layers: Tensor
    angle: Tensor
    features: Tensor
    mask: Tensor
    lone: Tensor
    lone_mask: Tensor

    def counts(self) -> Tensor:
        """Return the number of points in each ring, ``(events, all rings)``."""
        return torch.cat([self.mask.sum(dim=2), self.lone_mask.long()], dim=1)


class PointScores(nn.Module):
    """The way between showers of points and what the networks learn, and back.

    Layer energies become scores as in :class:`~simulacra.preprocess.ShowerScores`; the number of
    points in each ring a score that is exact at every count, at the energy of its *layer* (a layer
    of 3 MeV has no four points of 1 MeV); the energy of a point a score by the quantiles of its
    ring's points at the incident energy. Angles stay as they are.

    Args:
        places: how the showers lie in memory.
        threshold: smallest energy of a point in MeV, positive; with cells the readout threshold,
            below which there is none.

    Raises:
        RangeError: if the threshold is not positive.
    """

    order: Tensor

    def __init__(self, places: PointPlaces, threshold: float) -> None:
        super().__init__()
        if not threshold > 0:
            raise RangeError(
                f"threshold: expected a positive energy in MeV, got {threshold!r}; it tells "
                "points from nothing."
            )
        self.places, self.threshold = places, threshold
        rings, room = places.whole, places.places
        groups = [ring for ring in range(rings) for _ in range(room)]
        groups += list(range(rings, rings + places.lone))
        self.register_buffer("order", torch.tensor(places.voxels()), persistent=False)
        self.layers = Chain(LayerRatios(), Gaussianize(range(len(places.rings)), spike=False))
        self.counts = CountScores(rings + places.lone, room)
        self.energies = Gaussianize(groups, spike=False)

    def fit(self, x: Tensor, incident_energy: Tensor, noise: Tensor, weight: Tensor | None) -> Self:
        """Learn the tables.

        Args:
            x: showers, see :class:`PointPlaces`.
            incident_energy: in MeV, ``(events,)``.
            noise: standard normal, ``(events, layers)``, for layers without energy.
            weight: event weights, ``(events,)``.
        """
        log_energy = incident_energy.log()
        energies = self._energies(x)
        mask = energies > 0
        self.energies.fit(self._logarithms(energies), log_energy, weight, mask=mask)
        layers = self.layer_energies(energies)
        self.layers.fit(filled_layers(layers, self.threshold, noise), log_energy, weight)
        whole, lone = self._rings(mask)
        count = torch.cat([whole.sum(dim=2), lone.long()], dim=1)
        own, there = self._energy_of_rings(layers)
        self.counts.fit(count, own, weight, mask=there)
        return self

    def encode(self, x: Tensor, incident_energy: Tensor) -> Tensor:
        """Return what :meth:`unpack` takes apart, ``(events, numbers)``."""
        energies = self._energies(x)
        scores = self.energies(self._logarithms(energies), incident_energy.log())
        scores = torch.where(energies > 0, scores, _ABSENT)
        parts = [self.layer_energies(energies), scores]
        if not self.places.cells:
            angle, *shares = x.chunk(4, dim=1)[1:]
            parts += [angle, *(_normal(share) for share in shares)]
        return torch.cat(parts, dim=1)

    def unpack(self, encoded: Tensor) -> EncodedPoints:
        """Return the points of encoded showers."""
        layers, rest = encoded.tensor_split([len(self.places.rings)], dim=1)
        number = len(self.energies.groups)
        whole, lone = self._rings(rest[:, :number])
        if self.places.cells:
            angle = torch.arange(whole.shape[2], device=rest.device).to(rest.dtype).expand_as(whole)
            features = whole[..., None]
        else:
            others = [self._rings(part)[0] for part in rest[:, number:].split(number, dim=1)]
            angle, features = others[0], torch.stack([whole, *others[1:]], dim=3)
        mask, lone_mask = whole > _ABSENT / 2, lone > _ABSENT / 2
        return EncodedPoints(
            layers,
            angle,
            torch.where(mask[..., None], features, 0.0),
            mask,
            torch.where(lone_mask, lone, 0.0)[..., None],
            lone_mask,
        )

    def encode_layers(self, layers: Tensor, incident_energy: Tensor, noise: Tensor) -> Tensor:
        """Return layer scores, ``(events, layers)``; see ``ShowerScores.encode_layers``."""
        inside = filled_layers(layers, self.threshold, noise)
        scores: Tensor = self.layers(inside, incident_energy.log())
        return scores

    def encode_counts(self, count: Tensor, layers: Tensor, uniform: Tensor) -> Tensor:
        """Return scores of the numbers of points, ``(events, all rings)``.

        Args:
            count: ``(events, all rings)``.
            layers: layer energies in MeV, ``(events, layers)``.
            uniform: numbers in (0, 1), ``(events, all rings)``.
        """
        own, there = self._energy_of_rings(layers)
        scores = self.counts.encode(count, own, uniform)
        return torch.where(there, scores, torch.special.ndtri(uniform))

    def decode_layers(
        self, layers: Tensor, counts: Tensor, incident_energy: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return layer energies in MeV, ``(events, layers)``, and counts, ``(events, rings)``.

        A layer below the threshold has no points; one above has at least one, in the ring whose
        score is closest to it.
        """
        log_energy = incident_energy.log()
        target = self.layers.inverse(layers, log_energy)
        target = torch.where(target >= self.threshold, target, 0.0)
        at, _ = self._energy_of_rings(target)
        number = self.counts.decode(counts, at)
        above = counts - self.counts.bounds_at(at)[:, :, 0]
        parts = []
        own = torch.tensor(self.places.ring_layers, device=counts.device)
        for layer in range(target.shape[1]):
            there = own == layer
            nearest = torch.where(there, above, -torch.inf).argmax(dim=1)
            nothing = (number * there).sum(dim=1) == 0
            first = nn.functional.one_hot(nearest, len(own)) * nothing[:, None]
            parts.append((number * there + first) * (target[:, layer : layer + 1] > 0))
        return target, torch.stack(parts).sum(dim=0)

    def decode_points(
        self,
        points: EncodedPoints,
        incident_energy: Tensor,
    ) -> Tensor:
        """Return showers, see :class:`PointPlaces`; points of a layer sum to its energy.

        Args:
            points: with the layer energies that they are to have, in MeV.
            incident_energy: in MeV, ``(events,)``.
        """
        scores = torch.cat([points.features[..., 0].flatten(1), points.lone[..., 0]], dim=1)
        mask = torch.cat([points.mask.flatten(1), points.lone_mask], dim=1)
        logarithms = self.energies.inverse(scores, incident_energy.log())
        logarithms = torch.where(mask, logarithms, -1e3)
        energies = torch.where(mask, logarithms.exp() * self.threshold, 0.0)
        if self.places.cells:
            return self._voxels(points, energies, logarithms)
        sizes = [n_radius * self.places.places for n_radius, _ in self.places.rings]
        energies = scaled_to_layers(energies, logarithms, points.layers, sizes, 0.0)
        others = [points.angle % self.places.sectors]
        others += [torch.special.ndtr(points.features[..., i]) for i in (1, 2)]
        there = (energies > 0).reshape(others[0].shape)
        return torch.cat([energies, *((part * there).flatten(1) for part in others)], dim=1)

    def layer_energies(self, energies: Tensor) -> Tensor:
        """Return layer energies in MeV, ``(events, layers)``, from those of the places."""
        whole, lone = self._rings(energies)
        by_ring = torch.cat([whole.sum(dim=2), lone], dim=1)
        layers = energies.new_zeros(len(energies), len(self.places.rings))
        own = torch.tensor(self.places.ring_layers, device=energies.device)
        return layers.index_add(1, own, by_ring)

    def _energy_of_rings(self, layers: Tensor) -> tuple[Tensor, Tensor]:
        """Return the logarithm of the energy of each ring's layer, and whether it has any."""
        own = layers[:, torch.tensor(self.places.ring_layers, device=layers.device)]
        return own.clamp(min=self.threshold).log(), own >= self.threshold

    def _voxels(self, points: EncodedPoints, energies: Tensor, logarithms: Tensor) -> Tensor:
        """Put points into sectors of their own, and voxels into their flat order."""
        sector = distinct_sectors(points.angle, points.mask, self.places.sectors)
        whole = points.mask.flatten(1).shape[1]

        def in_order(values: Tensor) -> Tensor:
            values_of_rings = values[:, :whole].reshape(sector.shape)
            placed = torch.empty_like(values_of_rings).scatter(2, sector, values_of_rings)
            inner = torch.cat([placed.flatten(1), values[:, whole:]], dim=1)
            return torch.empty_like(inner).index_copy(1, self.order, inner)

        sizes = [n_radius * n_alpha for n_radius, n_alpha in self.places.rings]
        cells, brightness = in_order(energies), in_order(logarithms)
        return scaled_to_layers(cells, brightness, points.layers, sizes, self.threshold)

    def _energies(self, x: Tensor) -> Tensor:
        """Return the energy of every place in MeV, rings with an angle first."""
        if not self.places.cells:
            return x.chunk(4, dim=1)[0]
        energies = x[:, self.order]
        return torch.where(energies >= self.threshold, energies, 0.0)

    def _logarithms(self, energies: Tensor) -> Tensor:
        return (energies.clamp(min=1e-6 * self.threshold) / self.threshold).log()

    def _rings(self, values: Tensor) -> tuple[Tensor, Tensor]:
        whole = self.places.whole * self.places.places
        rings = values[:, :whole].reshape(len(values), self.places.whole, self.places.places)
        return rings, values[:, whole:]


def distinct_sectors(angle: Tensor, mask: Tensor, sectors: int) -> Tensor:
    """Give each point of a ring a sector of its own, the closest first.

    A point alone in the sector it lies in stays there; of several one stays, the others go to the
    nearest that is free, pair by pair in the order of distance. So no two points merge, and a
    ring has as many filled sectors as points.

    Args:
        angle: in sectors, periodic, ``(events, rings, places)``.
        mask: which places hold a point.
        sectors: number of sectors, as many as places.

    Returns:
        A permutation of the sectors in every ring, int64; places without a point take what is left.
    """
    place = angle.remainder(sectors)
    own = place.long().clamp(0, sectors - 1)
    number = torch.zeros_like(own).scatter_add(2, own, mask.long())
    crowded = (number > 1).any(dim=2)
    middle = torch.arange(sectors, device=angle.device, dtype=angle.dtype) + 0.5
    away = (place[..., None] - middle).abs()
    away = torch.minimum(away, sectors - away)
    # a ring without a crowd has no choice: the same rule, all at once
    alone = nn.functional.one_hot(own, sectors).bool() & (mask & ~crowded[..., None])[..., None]
    found = torch.where(alone.any(dim=3), own, -1)
    if bool(crowded.any()):
        found[crowded] = _closest_pairs(away[crowded], mask[crowded])
    return _with_the_rest(found, sectors)


def _closest_pairs(away: Tensor, mask: Tensor) -> Tensor:
    """Pair points and sectors in the order of distance; -1 where there is no point."""
    rings, places, sectors = away.shape
    left = torch.where(mask[..., None], away, torch.inf).clone()
    found = torch.full((rings, places), -1, dtype=torch.int64, device=away.device)
    row = torch.arange(rings, device=away.device)
    for _ in range(places):
        nearest, pair = left.flatten(1).min(dim=1)
        point, sector = pair // sectors, pair % sectors
        there = nearest.isfinite()
        found[row[there], point[there]] = sector[there]
        left[row[there], point[there]] = torch.inf
        left[row[there], :, sector[there]] = torch.inf
    return found


def _with_the_rest(found: Tensor, sectors: int) -> Tensor:
    """Give places without a point the sectors that are left, in order."""
    taken = torch.zeros(*found.shape[:2], sectors + 1, dtype=torch.bool, device=found.device)
    taken.scatter_(2, found.remainder(sectors + 1), True)
    free = taken[..., :sectors].to(torch.int64).argsort(dim=2, stable=True)
    which = (found < 0).to(torch.int64).cumsum(dim=2) - 1
    return torch.where(found < 0, free.gather(2, which.clamp(min=0)), found)


def _normal(share: Tensor) -> Tensor:
    score: Tensor = torch.special.ndtri(share.clamp(1e-6, 1 - 1e-6))
    return score
