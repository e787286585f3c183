"""Networks for rings of voxels that know that the angle closes on itself."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from .embed import FourierEmbedding
from .rings import Rings

__all__ = ["CircularLinear", "RingBlock", "RingNetwork", "angular_basis", "turned"]


def angular_basis(sectors: int) -> Tensor:
    """Return the orthonormal real Fourier basis of ``sectors`` points on a circle.

    The rows are the constant, then cosine and sine of each frequency, and for an even number the
    alternating row; shape ``(sectors, sectors)``, float64.
    """
    angle = 2 * math.pi * torch.arange(sectors, dtype=torch.float64) / sectors
    rows = [torch.ones(sectors, dtype=torch.float64) / math.sqrt(sectors)]
    for k in range(1, (sectors - 1) // 2 + 1):
        rows.append(math.sqrt(2 / sectors) * torch.cos(k * angle))
        rows.append(math.sqrt(2 / sectors) * torch.sin(k * angle))
    if sectors % 2 == 0:
        rows.append(torch.cos(sectors / 2 * angle) / math.sqrt(sectors))
    return torch.stack(rows)


def turned(basis: Tensor, functions: Tensor) -> Tensor:
    """Change the basis of functions on a circle.

    A plain product, which ``torch.autocast`` may compute in bfloat16; it has no rule for
    ``torch.tensordot``, which refuses mixed number formats.

    Args:
        basis: ``(sectors, sectors)``, new from old.
        functions: ``(sectors, ...)``.
    """
    return (basis @ functions.flatten(1)).unflatten(1, functions.shape[1:])


class CircularLinear(nn.Module):
    r"""The most general linear map between functions on a circle that commutes with rotations.

    A circular convolution with a kernel as wide as the circle. In the Fourier basis it is one
    matrix per frequency (complex ones as 2 x 2 real blocks), which costs :math:`18\,C^2` products
    for 10 sectors and :math:`C` channels where the convolution costs :math:`100\,C^2`.

    Args:
        channels_in: channels of the input.
        channels_out: channels of the output.
        sectors: points on the circle, at least 3.
        zero: start from the zero map.

    Shapes:
        input: ``(sectors, batch, channels_in)``, in the basis of :func:`angular_basis`.
        output: ``(sectors, batch, channels_out)``, in the same basis.
    """

    assembled: Tensor | None

    def __init__(
        self, channels_in: int, channels_out: int, sectors: int, *, zero: bool = False
    ) -> None:
        super().__init__()
        self.pairs = (sectors - 1) // 2
        scale = 0.0 if zero else channels_in**-0.5
        real = 2 - sectors % 2
        self.real = nn.Parameter(scale * torch.randn(real, channels_in, channels_out))
        self.complex = nn.Parameter(
            scale * 2**-0.5 * torch.randn(self.pairs, 2, channels_in, channels_out)
        )
        self.bias = nn.Parameter(torch.zeros(channels_out))
        self.sectors = sectors
        self._kept: tuple[tuple[int, int], Tensor] | None = None
        self.register_buffer("assembled", None, persistent=False)

    def freeze(self) -> None:
        """Assemble the matrices once and for all: constants of a graph that is traced."""
        self.assembled = self._assembled().detach().clone()

    def forward(self, x: Tensor) -> Tensor:
        _, batch, _ = x.shape
        last = 2 * self.pairs + 1
        constant = torch.addmm(self.bias * math.sqrt(self.sectors), x[0], self.real[0])
        middle = x[1:last].reshape(self.pairs, 2, batch, -1).transpose(1, 2)
        mixed = torch.bmm(middle.reshape(self.pairs, batch, -1), self._blocks())
        mixed = mixed.reshape(self.pairs, batch, 2, -1).transpose(1, 2)
        parts = [constant[None], mixed.reshape(2 * self.pairs, batch, -1)]
        if self.sectors % 2 == 0:
            parts.append((x[-1] @ self.real[1])[None])
        return torch.cat(parts)

    def _blocks(self) -> Tensor:
        """Return the real matrix of each complex one; kept between calls while drawing."""
        if self.assembled is not None:
            return self.assembled
        if torch.is_grad_enabled():
            return self._assembled()
        now = (self.complex.data_ptr(), self.complex._version)
        if self._kept is None or self._kept[0] != now:
            self._kept = (now, self._assembled())
        return self._kept[1]

    def _assembled(self) -> Tensor:
        a, b = self.complex[:, 0], self.complex[:, 1]
        return torch.cat([torch.cat([a, b], dim=2), torch.cat([-b, a], dim=2)], dim=1)


class RingNetwork(nn.Module):
    """A velocity or score for showers in rings, equivariant under rotations by one sector.

    Rings with angular sectors are channels of functions on the circle; rings without (one sector)
    are invariants that join the condition and the constant mode. All layers that have sectors must
    have the same number of them.

    Args:
        rings: ``(radial bins, sectors)`` of each layer, in the flat order of the state (radius
            fastest, then angle, then layer).
        conditions: size of the condition.
        channels: channels of the hidden functions.
        blocks: number of residual blocks.
        width: size of the embedding of time and condition.
        equivariant: False adds learned functions of the angle, for showers whose incident
            direction or detector singles out an angle.
        given: further rings of the same sectors that are seen; they come first in the condition.

    Shapes:
        t: ``(batch,)`` in [0, 1].
        x: ``(batch, voxels)``.
        condition: ``(batch, conditions)``.
        output: ``(batch, voxels)``.

    Raises:
        ShapeError: if the layers have different numbers of sectors, or none has at least 3.
    """

    basis: Tensor

    def __init__(
        self,
        rings: Sequence[tuple[int, int]],
        conditions: int,
        *,
        channels: int = 128,
        blocks: int = 5,
        width: int = 256,
        equivariant: bool = True,
        given: Sequence[tuple[int, int]] = (),
    ) -> None:
        super().__init__()
        self.layout, self.seen = Rings(rings), Rings([*rings, *given])
        self.given = sum(n_radius * n_alpha for n_radius, n_alpha in given)
        self.sectors, self.invariants = self.layout.sectors, self.layout.invariants
        functions = self.layout.functions
        basis = angular_basis(self.sectors).to(torch.get_default_dtype())
        self.register_buffer("basis", basis, persistent=False)
        self.time = FourierEmbedding(64)
        self.embed = nn.Sequential(
            nn.Linear(64 + conditions - self.given + self.seen.invariants, width),
            nn.SiLU(),
            nn.Linear(width, width),
            nn.SiLU(),
        )
        self.enter = CircularLinear(self.seen.functions, channels, self.sectors)
        self.blocks = nn.ModuleList(RingBlock(channels, width, self.sectors) for _ in range(blocks))
        self.leave = CircularLinear(channels, functions, self.sectors, zero=True)
        self.leave_invariants = (
            nn.Sequential(
                nn.Linear(channels + width, width), nn.SiLU(), nn.Linear(width, self.invariants)
            )
            if self.invariants
            else None
        )
        self.skip = nn.Linear(width, functions + self.invariants)
        nn.init.zeros_(self.skip.weight)
        nn.init.zeros_(self.skip.bias)
        self.preferred = (
            None if equivariant else nn.Parameter(torch.zeros(self.sectors, 1, channels))
        )

    def forward(self, t: Tensor, x: Tensor, condition: Tensor) -> Tensor:
        seen, further = x, condition
        if self.given:
            given, further = condition.split([self.given, condition.shape[1] - self.given], dim=1)
            seen = torch.cat([x, given], dim=1)
        functions, invariants = self.seen.split(seen)
        c = self.embed(torch.cat([self.time(t), further, invariants], dim=1))
        h = self.enter(turned(self.basis, functions))
        if self.preferred is not None:
            h = h + self.preferred
        for block in self.blocks:
            h = block(h, c, self.basis)
        skip = self.skip(c)
        functions = functions[..., : self.layout.functions]
        invariants = invariants[:, : self.invariants]
        out = turned(self.basis.T, self.leave(h))
        out = out + skip[:, : functions.shape[2]] * functions
        if self.leave_invariants is None:
            return self.layout.join(out, invariants)
        mean = h[0] / math.sqrt(self.sectors)
        rest = self.leave_invariants(torch.cat([mean, c], dim=1))
        return self.layout.join(out, rest + skip[:, functions.shape[2] :] * invariants)


class RingBlock(nn.Module):
    """A residual block on the circle, modulated by an embedding; starts as the identity.

    Args:
        channels: channels of the functions.
        width: size of the embedding.
        sectors: points on the circle.

    Shapes:
        h: ``(sectors, batch, channels)``, in the basis of :func:`angular_basis`.
        c: ``(batch, width)``.
        basis: ``(sectors, sectors)``.
        output: ``(sectors, batch, channels)``, in the same basis.
    """

    def __init__(self, channels: int, width: int, sectors: int) -> None:
        super().__init__()
        self.inner = CircularLinear(channels, channels, sectors)
        self.outer = CircularLinear(channels, channels, sectors, zero=True)
        self.modulate = nn.Linear(width, 3 * channels)
        nn.init.zeros_(self.modulate.weight)
        nn.init.zeros_(self.modulate.bias)

    def forward(self, h: Tensor, c: Tensor, basis: Tensor) -> Tensor:
        scale, shift, gate = self.modulate(c).chunk(3, dim=1)
        inner = turned(basis.T, self.inner(h * (1 + scale))) + shift
        outer = turned(basis, nn.functional.silu(inner))
        change: Tensor = self.outer(outer) * (1 + gate)
        return h + change
