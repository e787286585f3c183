"""A velocity or score for regular showers: slabs are mixed in depth, sectors on a circle."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ..errors import ShapeError
from .cylindrical import CircularLinear, angular_basis, turned
from .embed import FourierEmbedding

__all__ = ["DepthMixer"]


class DepthMixer(nn.Module):
    """A velocity or score for layers of one shape, equivariant under rotations by one sector.

    A few consecutive layers form a slab, whose radial bins are channels of functions on the
    circle. Blocks mix the channels of each slab, the same way in all slabs (circular
    convolutions), and the slabs of each channel (a full matrix); time, condition and the slab's
    place scale and shift. So parameters do not grow with the depth, and what is learned in one
    slab serves all. After I. Tolstikhin et al., "MLP-Mixer: an all-MLP architecture for vision",
    2021, arXiv:2105.01601, and the patches of L. Favaro, A. Ore, S. Palacios Schweitzer,
    T. Plehn, "CaloDREAM", 2024, arXiv:2405.09629.

    Args:
        rings: ``(radial bins, sectors)`` of each layer, all alike.
        conditions: size of the condition.
        slab: layers of a slab; divides the number of layers.
        channels: channels of the hidden functions of a slab.
        blocks: number of residual blocks.
        width: size of the embedding of time and condition.

    Shapes:
        t: ``(batch,)`` in [0, 1].
        x: ``(batch, voxels)``, radius fastest, then angle, then layer.
        condition: ``(batch, conditions)``.
        output: ``(batch, voxels)``.

    Raises:
        ShapeError: if layers differ, have fewer than 3 sectors, or cannot be shared out evenly.
    """

    basis: Tensor

    def __init__(
        self,
        rings: Sequence[tuple[int, int]],
        conditions: int,
        *,
        slab: int,
        channels: int = 64,
        blocks: int = 4,
        width: int = 128,
    ) -> None:
        super().__init__()
        if len(set(rings)) != 1 or rings[0][1] < 3 or len(rings) % slab:
            raise ShapeError(
                "depth mixer: expected layers of one shape with at least 3 sectors, and a number "
                f"of layers that slabs of {slab} divide; found {len(rings)} layers of the shapes "
                f"{sorted(set(rings))}. A slab of 0 layers takes the ring network, for any shape."
            )
        self.radii, self.sectors = rings[0]
        self.slab, self.slabs = slab, len(rings) // slab
        basis = angular_basis(self.sectors).to(torch.get_default_dtype())
        self.register_buffer("basis", basis, persistent=False)
        self.time = FourierEmbedding(64)
        self.embed = nn.Sequential(
            nn.Linear(64 + conditions, width), nn.SiLU(), nn.Linear(width, width)
        )
        self.place = nn.Parameter(torch.randn(self.slabs, width))
        functions = slab * self.radii
        self.enter = CircularLinear(functions, channels, self.sectors)
        self.blocks = nn.ModuleList(
            _MixerBlock(channels, width, self.sectors, self.slabs) for _ in range(blocks)
        )
        self.leave = CircularLinear(channels, functions, self.sectors, zero=True)
        self.skip = nn.Linear(width, functions)
        nn.init.zeros_(self.skip.weight)
        nn.init.zeros_(self.skip.bias)

    def forward(self, t: Tensor, x: Tensor, condition: Tensor) -> Tensor:
        embedded = self.embed(torch.cat([self.time(t), condition], dim=1))
        c = nn.functional.silu(embedded[:, None] + self.place).flatten(0, 1)
        functions = self._split(x)
        h = self.enter(turned(self.basis, functions))
        for block in self.blocks:
            h = block(h, c, self.basis)
        out = turned(self.basis.T, self.leave(h))
        return self._join(out + self.skip(c) * functions)

    def _split(self, x: Tensor) -> Tensor:
        """Return functions on the circle, ``(sectors, batch * slabs, slab * radii)``."""
        image = x.reshape(-1, self.slab, self.sectors, self.radii)
        return image.permute(2, 0, 1, 3).flatten(2)

    def _join(self, functions: Tensor) -> Tensor:
        image: Tensor = functions.unflatten(2, (self.slab, self.radii)).permute(1, 2, 0, 3)
        return image.reshape(len(image) // self.slabs, -1)


class _MixerBlock(nn.Module):
    """Mixes channels on the circle, then slabs; a residual block that starts as the identity."""

    def __init__(self, channels: int, width: int, sectors: int, slabs: int) -> None:
        super().__init__()
        self.slabs = slabs
        self.inner = CircularLinear(channels, channels, sectors)
        self.outer = CircularLinear(channels, channels, sectors, zero=True)
        mixing = torch.eye(slabs) + 0.5 * slabs**-0.5 * torch.randn(channels, slabs, slabs)
        self.mixing = nn.Parameter(mixing)
        self.modulate = nn.Linear(width, 3 * channels)
        nn.init.zeros_(self.modulate.weight)
        nn.init.zeros_(self.modulate.bias)

    def forward(self, h: Tensor, c: Tensor, basis: Tensor) -> Tensor:
        scale, shift, gate = self.modulate(c).chunk(3, dim=1)
        inner = self.inner(h * (1 + scale)).unflatten(1, (-1, self.slabs))
        mixed = torch.einsum("sbtc,ctu->sbuc", inner, self.mixing).flatten(1, 2)
        values = turned(basis.T, mixed) + shift
        change: Tensor = self.outer(turned(basis, nn.functional.silu(values))) * (1 + gate)
        return h + change
