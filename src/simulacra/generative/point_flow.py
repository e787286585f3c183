"""Flow matching of sets: points on rings that start in places of their own."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from ..batch import Draws
from ..config import Config
from ..nets import RingPoints
from ..random import Stream
from ..samplers import solve

__all__ = ["PointFlow", "PointFlowConfig", "matched"]


class PointFlowConfig(Config):
    """How points are generated.

    Args:
        family: its name.
        solver: one of euler (order 1), midpoint and heun (order 2), rk4 (order 4).
        steps: number of equal steps of path time.
        angle_weight: weight of the angles' loss, in squared sectors, beside that of the scores.
        turns: how many places a ring may be turned when noise is matched to data.
    """

    family: Literal["point_flow"] = "point_flow"
    solver: Literal["euler", "midpoint", "heun", "rk4"] = "midpoint"
    steps: int = Field(default=6, ge=1)
    angle_weight: float = Field(default=1.0, gt=0)
    turns: int = Field(default=3, ge=0)


class PointFlow(nn.Module):
    r"""A generator of sets of points whose numbers are known.

    Flow matching as in :class:`~simulacra.generative.FlowMatching`, of a set: which point of noise
    becomes which point of data is free, and in each ring it is the choice that turns least,

    .. math:: \min_\pi \sum_j |\alpha^1_{\pi(j)} - \alpha^0_j|^2 ,

    on a circle a shift of the sorted points (L. Klein, A. Krämer, F. Noé, "Equivariant flow
    matching", 2023, arXiv:2306.15030, eq. 12). Angles live on the circle, with straight paths along
    it (R. Chen, Y. Lipman, "Flow matching on general geometries", 2023, arXiv:2302.03660).

    With ``cells`` noise is a random choice of *different* sectors of each ring, and the place
    inside its sector goes with a point, so that paths are whole sectors long, most of them zero.
    Untrained, points stay where they are: every ring has the right number of filled cells, in
    random places.

    Args:
        network: ``f(t, points, condition)``, see :class:`~simulacra.nets.RingSetNetwork`.
        shape: rings, places, features of a point besides its angle, and rings without an angle.
        sectors: of a ring.
        cells: whether points are in sectors of their own.
        config: how the equation is solved.
    """

    def __init__(
        self,
        network: nn.Module,
        shape: tuple[int, int, int, int],
        sectors: int,
        config: PointFlowConfig,
        *,
        cells: bool,
    ) -> None:
        super().__init__()
        self.network, self.config = network, config
        self.rings, self.places, self.features, self.lone = shape
        self.sectors, self.cells = sectors, cells
        spots = self.rings * self.places
        self.noise_size = 2 * spots + (spots + self.lone) * self.features

    def loss(self, points: RingPoints, condition: Tensor, draws: Draws) -> Tensor:
        """Return each event's loss, ``(events,)``.

        Args:
            points: data, in any order; with cells, angles are the numbers of sectors.
            condition: ``(events, conditions)``.
            draws: random numbers.
        """
        time = draws.uniform(1, Stream.PATH_TIME)[:, 0]
        spots = self.rings * self.places
        uniform = draws.uniform(2 * spots, Stream.PLACE)
        choice, offset = uniform.reshape(len(time), 2, self.rings, self.places).unbind(dim=1)
        noise = draws.normal(self.noise_size - 2 * spots, Stream.NOISE)
        start, end = matched(self._start(points, choice, noise), points, self.sectors,
                             turns=self.config.turns)  # fmt: skip
        if self.cells:
            start = replace(start, angle=start.angle + offset)
            end = replace(end, angle=end.angle + offset)
        first, last = start.flat(), end.flat()
        t = time[:, None]
        state, along = torch.lerp(first, last, t), last - first
        found = self._velocity(time, start.at(state), condition)
        error = start.at((found.flat().float() - along).square())
        angle = (error.angle * start.mask).sum(dim=(1, 2))
        others = (error.features.sum(dim=3) * start.mask).sum(dim=(1, 2))
        lone = (error.lone.sum(dim=2) * start.lone_mask).sum(dim=1)
        scale = spots + self.lone
        return (self.config.angle_weight * angle + others + lone) / scale

    def draw(self, mask: Tensor, lone_mask: Tensor, condition: Tensor, noise: Tensor) -> RingPoints:
        """Turn noise into points.

        Args:
            mask: which places hold a point, ``(events, rings, places)``: the first ones of a ring.
            lone_mask: which rings without an angle hold one, ``(events, lone rings)``.
            condition: ``(events, conditions)``.
            noise: standard normal, ``(events, noise_size)``.
        """
        spots = self.rings * self.places
        choice, offset, rest = noise.tensor_split([spots, 2 * spots], dim=1)
        shape = (len(noise), self.rings, self.places)
        empty = RingPoints(
            angle=noise.new_zeros(shape),
            features=noise.new_zeros(*shape, self.features),
            mask=mask,
            lone=noise.new_zeros(len(noise), self.lone, self.features),
            lone_mask=lone_mask,
        )
        start = self._start(empty, torch.special.ndtr(choice).reshape(shape), rest)
        if self.cells:
            inside = torch.special.ndtr(offset).reshape(shape).clamp(1e-6, 1 - 1e-6)
            start = replace(start, angle=start.angle + inside)

        def field(t: float, x: Tensor) -> Tensor:
            time = torch.full_like(x[:, 0], t)
            return self._velocity(time, start.at(x), condition).flat()

        return start.at(solve(self.config.solver, field, start.flat(), self.config.steps))

    def _start(self, points: RingPoints, uniform: Tensor, normal: Tensor) -> RingPoints:
        """Return points of noise in the places of ``points``, without offsets in their sectors."""
        spots = self.rings * self.places
        features, lone = normal.tensor_split([spots * self.features], dim=1)
        different = uniform.argsort(dim=2).to(uniform.dtype)  # the order of random numbers
        angle = different if self.cells else uniform * self.sectors
        return replace(
            points,
            angle=angle,
            features=features.reshape(points.features.shape),
            lone=lone.reshape(points.lone.shape),
        )

    def _velocity(self, t: Tensor, points: RingPoints, condition: Tensor) -> RingPoints:
        """Return the velocity: that of independent scores, and what the network adds."""
        spread = t**2 + (1 - t) ** 2
        straight, bend = (2 * t - 1) / spread, spread.rsqrt()
        found: RingPoints = self.network(t, points, condition)
        wide, deep = (slice(None), None, None, None), (slice(None), None, None)
        mask, lone_mask = points.mask[..., None], points.lone_mask[..., None]
        return replace(
            points,
            angle=found.angle,
            features=(straight[wide] * points.features + bend[wide] * found.features) * mask,
            lone=(straight[deep] * points.lone + bend[deep] * found.lone) * lone_mask,
        )


def matched(
    start: RingPoints, end: RingPoints, sectors: int, *, turns: int
) -> tuple[RingPoints, RingPoints]:
    """Order the points of every ring such that each pair is a path, and all turn least.

    Args:
        start: noise; the points that count are the first ones of each ring.
        end: data in any order, with the same number of points in every ring.
        sectors: period of the angles.
        turns: places by which the sorted points are shifted at most, either way.

    Returns:
        Both, sorted by the angle of the noise, with the points in the first places of each ring and
        the angles of the data unrolled to be near those of the noise.
    """
    number = end.mask.sum(dim=2, keepdim=True)
    place = torch.arange(end.mask.shape[2], device=end.mask.device)
    mask = place < number
    first = torch.where(mask, start.angle, torch.inf).argsort(dim=2)
    last = torch.where(end.mask, end.angle, torch.inf).argsort(dim=2)
    one = torch.where(mask, start.angle.gather(2, first), 0.0)
    other = torch.where(mask, end.angle.gather(2, last), 0.0)
    least = torch.full_like(one[..., :1], torch.inf)
    angle, chosen = other, place.expand_as(last)
    for shift in range(-turns, turns + 1):
        moved = place + shift
        index = moved.remainder(number.clamp(min=1))
        around = torch.div(moved - index, number.clamp(min=1), rounding_mode="floor")
        there = other.gather(2, index) + sectors * around
        cost = ((there - one).square() * mask).sum(dim=2, keepdim=True)
        better = cost < least
        least = torch.where(better, cost, least)
        angle, chosen = torch.where(better, there, angle), torch.where(better, index, chosen)
    order = last.gather(2, chosen)
    wide = end.features.shape
    ended = end.features.gather(2, order[..., None].expand(wide))
    started = start.features.gather(2, first[..., None].expand(wide))
    keep = mask[..., None]
    return (
        replace(start, angle=one, features=torch.where(keep, started, 0.0), mask=mask),
        replace(end, angle=torch.where(mask, angle, 0.0), features=torch.where(keep, ended, 0.0),
                mask=mask),
    )  # fmt: skip
