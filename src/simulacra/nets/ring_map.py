"""From one kind of rings to another, or to a number, with the symmetry of the circle."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from .cylindrical import CircularLinear, RingBlock, angular_basis, turned
from .rings import Rings

__all__ = ["RingCritic", "RingMap"]


class _RingBody(nn.Module):
    """Functions on the circle behind some residual blocks, and an embedding of the invariants."""

    basis: Tensor

    def __init__(
        self,
        own: Sequence[tuple[int, int]],
        conditions: int,
        channels: int,
        blocks: int,
        width: int,
        equivariant: bool,
        given: Sequence[tuple[int, int]],
    ) -> None:
        super().__init__()
        rings = Rings([*own, *given])
        self.given = sum(n_radius * n_alpha for n_radius, n_alpha in given)
        self.rings = rings
        basis = angular_basis(rings.sectors).to(torch.get_default_dtype())
        self.register_buffer("basis", basis, persistent=False)
        self.embed = nn.Sequential(
            nn.Linear(conditions - self.given + rings.invariants, width),
            nn.SiLU(),
            nn.Linear(width, width),
            nn.SiLU(),
        )
        self.enter = CircularLinear(rings.functions, channels, rings.sectors)
        self.blocks = nn.ModuleList(
            RingBlock(channels, width, rings.sectors) for _ in range(blocks)
        )
        self.preferred = (
            None if equivariant else nn.Parameter(torch.zeros(rings.sectors, 1, channels))
        )

    def forward(self, x: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        if self.given:
            x = torch.cat([x, condition[:, : self.given]], dim=1)
        functions, invariants = self.rings.split(x)
        c = self.embed(torch.cat([condition[:, self.given :], invariants], dim=1))
        h = self.enter(turned(self.basis, functions))
        if self.preferred is not None:
            h = h + self.preferred
        for block in self.blocks:
            h = block(h, c, self.basis)
        return h, c


class RingMap(nn.Module):
    """A map from rings of voxels to other rings with the same sectors, and rotations with them.

    What :class:`~simulacra.nets.RingNetwork` is for fields: an encoder, a decoder or a generator.

    Args:
        source: ``(radial bins, sectors)`` of each layer of the input, in its flat order.
        target: the same of the output; its sectors are those of the input.
        conditions: size of the condition.
        outputs: vectors of the target's size that come out.
        channels: channels of the hidden functions.
        blocks: number of residual blocks.
        width: size of the embedding of the condition.
        equivariant: False adds learned functions of the angle.
        zero: start as the zero map.
        given: further rings of the same sectors that are seen; they come first in the condition.

    Shapes:
        x: ``(batch, voxels of source)``.
        condition: ``(batch, conditions)``.
        output: ``(batch, outputs, voxels of target)``.

    Raises:
        ShapeError: if the layers have different numbers of sectors, or none has at least 3.
    """

    def __init__(
        self,
        source: Sequence[tuple[int, int]],
        target: Sequence[tuple[int, int]],
        conditions: int,
        *,
        outputs: int = 1,
        channels: int = 128,
        blocks: int = 3,
        width: int = 256,
        equivariant: bool = True,
        zero: bool = True,
        given: Sequence[tuple[int, int]] = (),
    ) -> None:
        super().__init__()
        self.body = _RingBody(source, conditions, channels, blocks, width, equivariant, given)
        self.target, self.outputs = Rings(target), outputs
        functions, invariants = self.target.functions, self.target.invariants
        self.leave = CircularLinear(
            channels, outputs * functions, self.body.rings.sectors, zero=zero
        )
        self.leave_invariants: nn.Sequential | None = None
        if invariants:
            last = nn.Linear(width, outputs * invariants)
            if zero:
                nn.init.zeros_(last.weight)
                nn.init.zeros_(last.bias)
            self.leave_invariants = nn.Sequential(
                nn.Linear(channels + width, width), nn.SiLU(), last
            )

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        h, c = self.body(x, condition)
        basis = self.body.basis
        count, events = self.outputs, x.shape[0]
        values = turned(basis.T, self.leave(h))
        functions = values.unflatten(2, (count, -1)).flatten(1, 2)  # outputs join the batch
        if self.leave_invariants is None:
            invariants = x.new_zeros(count * events, 0)
        else:
            mean = h[0] / math.sqrt(len(basis))
            rest = self.leave_invariants(torch.cat([mean, c], dim=1))
            invariants = rest.unflatten(1, (count, -1)).flatten(0, 1)
        out: Tensor = self.target.join(functions, invariants).unflatten(0, (events, count))
        return out


class RingCritic(nn.Module):
    """A number for a shower in rings that rotations by one sector do not change.

    Args:
        rings: ``(radial bins, sectors)`` of each layer, in the flat order of the input.
        conditions: size of the condition.
        channels: channels of the hidden functions.
        blocks: number of residual blocks.
        width: size of the embedding of the condition.
        equivariant: False adds learned functions of the angle; the number then changes.
        given: further rings of the same sectors that are seen; they come first in the condition.

    Shapes:
        x: ``(batch, voxels)``.
        condition: ``(batch, conditions)``.
        output: ``(batch,)``.

    Raises:
        ShapeError: if the layers have different numbers of sectors, or none has at least 3.
    """

    def __init__(
        self,
        rings: Sequence[tuple[int, int]],
        conditions: int,
        *,
        channels: int = 64,
        blocks: int = 2,
        width: int = 128,
        equivariant: bool = True,
        given: Sequence[tuple[int, int]] = (),
    ) -> None:
        super().__init__()
        self.body = _RingBody(rings, conditions, channels, blocks, width, equivariant, given)
        self.judge = nn.Sequential(
            nn.Linear(2 * channels + width, width), nn.SiLU(), nn.Linear(width, 1)
        )

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        h, c = self.body(x, condition)
        values = turned(self.body.basis.T, h)
        mean, bent = values.mean(dim=0), nn.functional.silu(values).mean(dim=0)
        out: Tensor = self.judge(torch.cat([mean, bent, c], dim=1))
        return out[:, 0]
