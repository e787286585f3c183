"""A network for sets of points on rings: sums over points, a body on the circle, and back."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from .embed import FourierEmbedding
from .ring_map import RingMap

__all__ = ["RingPoints", "RingSetNetwork"]


@dataclass(frozen=True, eq=False)
class RingPoints:
    """Some events' points, ring by ring; places that hold no point are padding.

    Args:
        angle: in sectors, periodic, ``(events, rings, places)``.
        features: other coordinates, ``(events, rings, places, features)``.
        mask: which places hold a point, ``(events, rings, places)``, bool.
        lone: coordinates in rings without an angle, which hold one point at most,
            ``(events, lone rings, features)``.
        lone_mask: which of them hold one, ``(events, lone rings)``, bool.
    """

    angle: Tensor
    features: Tensor
    mask: Tensor
    lone: Tensor
    lone_mask: Tensor

    def flat(self) -> Tensor:
        """Return all coordinates, ``(events, numbers)``: angles, features, lone features."""
        parts = (self.angle, self.features, self.lone)
        return torch.cat([part.flatten(1) for part in parts], dim=1)

    def at(self, flat: Tensor) -> RingPoints:
        """Return the same points at other coordinates, as :meth:`flat` gives them."""
        parts = (self.angle, self.features, self.lone)
        pieces = flat.split([part[0].numel() for part in parts], dim=1)
        angle, features, lone = (
            piece.unflatten(1, part.shape[1:]) if part[0].numel() else part
            for piece, part in zip(pieces, parts, strict=True)
        )
        return replace(self, angle=angle, features=features, lone=lone)


class RingSetNetwork(nn.Module):
    r"""A velocity or score for points on rings, whatever their order and their padding.

    .. math::
        A_{rs} = \sum_{j \in r,\ \lfloor\alpha_j\rfloor = s} \phi(x_j, t), \qquad
        B = \mathrm{RingMap}(A, t, c), \qquad v_i = \rho(x_i, B_{rs(i)})

    Each point is described by a small perceptron of its own coordinates, and descriptions are
    summed in the sectors of its ring; a network on the circle sees all sums; each point is moved by
    what came out at its place. A function of sums does not know an order (M. Zaheer et al., "Deep
    sets", 2017, arXiv:1703.06114, theorem 2), and what is summed costs as much as the points,
    not as their pairs; between points and grid as in Z. Liu, H. Tang, Y. Lin, S. Han, "Point-voxel
    CNN for efficient 3D deep learning", 2019, arXiv:1907.03739. Rotations by one sector commute
    with it. Starts as the zero map.

    Args:
        rings: rings with an angle.
        lone: rings without, which hold one point at most.
        features: coordinates of a point besides its angle.
        sectors: into which a ring is cut for the sums, at least 3.
        conditions: size of the condition.
        channels: channels of the hidden functions on the circle.
        blocks: residual blocks.
        width: size of the embedding of time and condition.
        depth: numbers that describe a point.
        equivariant: False adds learned functions of the angle.

    Shapes:
        t: ``(events,)`` in [0, 1].
        points: see :class:`RingPoints`.
        condition: ``(events, conditions)``.
        output: as the coordinates of the points; zero at places without one.
    """

    def __init__(
        self,
        rings: int,
        lone: int,
        features: int,
        sectors: int,
        conditions: int,
        *,
        channels: int = 96,
        blocks: int = 4,
        width: int = 192,
        depth: int = 16,
        equivariant: bool = True,
    ) -> None:
        super().__init__()
        self.rings, self.sectors, self.depth, self.outputs = rings, sectors, depth, 1 + features
        self.time = FourierEmbedding(32)
        self.describe = nn.Linear(features + 2, depth)
        self.hidden = nn.Linear(32, depth)
        summed = 1 + features + depth
        self.leaving = depth + self.outputs + features
        target = [(rings * self.leaving, sectors)] + ([(lone * features, 1)] if lone else [])
        self.body = RingMap(
            [(rings * summed, sectors)],
            target,
            32 + conditions + lone * (1 + features),
            channels=channels,
            blocks=blocks,
            width=width,
            equivariant=equivariant,
        )
        self.own = nn.Linear(features + 2, depth)
        self.move = nn.Linear(depth, self.outputs, bias=False)

    def forward(self, t: Tensor, points: RingPoints, condition: Tensor) -> RingPoints:
        time = self.time(t)
        place = points.angle.floor()
        part = 2 * torch.pi * (points.angle - place)
        own = torch.cat(
            [points.features, part.sin()[..., None], part.cos()[..., None]], dim=3
        )  # (events, rings, places, features + 2)
        said = nn.functional.silu(self.describe(own) + self.hidden(time)[:, None, None])
        one = torch.ones_like(points.angle)[..., None]
        said = torch.cat([one, points.features, said], dim=3)
        sector = place.long() % self.sectors
        there = nn.functional.one_hot(sector, self.sectors).to(said.dtype)
        there = there * points.mask[..., None]  # (events, rings, places, sectors)
        sums = torch.einsum("erps,erpc->esrc", there, said).flatten(1)
        lone = torch.where(points.lone_mask[..., None], points.lone, 0.0).flatten(1)
        given = torch.cat([time, condition, points.lone_mask.to(lone.dtype), lone], dim=1)
        out = self.body(sums, given)[:, 0]
        count = self.rings * self.sectors * self.leaving
        field = out[:, :count].reshape(len(out), self.sectors, self.rings, -1)
        here = torch.einsum("erps,esrc->erpc", there, field)
        shift, slope, bend = here.split([self.outputs, self.outputs - 1, self.depth], dim=3)
        bent = self.move(nn.functional.silu(self.own(own) + bend) * bend)
        scaled = torch.cat([torch.zeros_like(one), slope * points.features], dim=3)
        velocity = (shift + scaled + bent) * points.mask[..., None]
        alone = out[:, count:].reshape(points.lone.shape) * points.lone_mask[..., None]
        return replace(
            points,
            angle=velocity[..., 0],
            features=velocity[..., 1:],
            lone=alone,
        )
