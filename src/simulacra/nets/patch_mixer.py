"""Networks for images of several layers: patches that are mixed along and across."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .embed import FourierEmbedding
from .patches import Patches

__all__ = ["PatchCritic", "PatchMap", "PatchNetwork"]


class PatchNetwork(nn.Module):
    """A velocity or score for images of several sizes.

    Each patch of each image is mapped to a vector by a matrix of its own, since cells at different
    places are different; blocks mix patches with each other and the numbers of each patch among
    themselves (I. Tolstikhin et al., "MLP-Mixer: an all-MLP architecture for vision", 2021,
    arXiv:2105.01601), modulated by time and condition; a matrix of each patch leads back.

    Args:
        patches: how the state splits.
        conditions: size of the condition.
        channels: size of each patch's vector.
        blocks: number of blocks.
        width: size of the embedding of time and condition.

    Shapes:
        t: ``(batch,)`` in [0, 1].
        x: ``(batch, features)``.
        condition: ``(batch, conditions)``.
        output: ``(batch, features)``.
    """

    def __init__(
        self, patches: Patches, conditions: int, *, channels: int, blocks: int, width: int
    ) -> None:
        super().__init__()
        self.patches = patches
        self.time = FourierEmbedding(64)
        self.body = _Body(patches, 64 + conditions, channels, blocks, width)
        self.leave = _EachPatch(patches.number, channels, patches.cells, zero=True)
        self.skip = nn.Linear(width, patches.number)
        nn.init.zeros_(self.skip.weight)
        nn.init.zeros_(self.skip.bias)

    def forward(self, t: Tensor, x: Tensor, condition: Tensor) -> Tensor:
        h, c, cut = self.body(x, torch.cat([self.time(t), condition], dim=1))
        return self.patches.join(self.leave(h) + self.skip(c)[:, :, None] * cut)


class PatchMap(nn.Module):
    """A map from images to other images: an encoder, a decoder or a generator.

    What :class:`PatchNetwork` is for fields.

    Args:
        source: how the input splits.
        target: how each output splits.
        conditions: size of the condition.
        outputs: vectors of the target's size that come out.
        channels: size of each patch's vector.
        blocks: number of blocks.
        width: size of the embedding of the condition.
        zero: start as the zero map.

    Shapes:
        x: ``(batch, features of source)``.
        condition: ``(batch, conditions)``.
        output: ``(batch, outputs, features of target)``.
    """

    def __init__(
        self,
        source: Patches,
        target: Patches,
        conditions: int,
        *,
        outputs: int = 1,
        channels: int,
        blocks: int,
        width: int,
        zero: bool = True,
    ) -> None:
        super().__init__()
        self.target, self.outputs = target, outputs
        self.body = _Body(source, conditions, channels, blocks, width)
        self.carry = nn.Linear(source.number, target.number)
        self.leave = _EachPatch(target.number, channels, outputs * target.cells, zero=zero)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        h, _, _ = self.body(x, condition)
        carried = self.carry(h.transpose(1, 2)).transpose(1, 2)
        cells = self.leave(carried).unflatten(2, (self.outputs, -1)).transpose(1, 2)
        flat = self.target.join(cells.flatten(0, 1))
        out: Tensor = flat.unflatten(0, (x.shape[0], self.outputs))
        return out


class PatchCritic(nn.Module):
    """A number for a vector of images.

    Args:
        patches: how the vector splits.
        conditions: size of the condition.
        channels: size of each patch's vector.
        blocks: number of blocks.
        width: size of the embedding of the condition.

    Shapes:
        x: ``(batch, features)``.
        condition: ``(batch, conditions)``.
        output: ``(batch,)``.
    """

    def __init__(
        self, patches: Patches, conditions: int, *, channels: int, blocks: int, width: int
    ) -> None:
        super().__init__()
        self.body = _Body(patches, conditions, channels, blocks, width)
        self.judge = nn.Sequential(
            nn.Linear(2 * channels + width, width), nn.SiLU(), nn.Linear(width, 1)
        )

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        h, c, _ = self.body(x, condition)
        bent = nn.functional.silu(h).mean(dim=1)
        out: Tensor = self.judge(torch.cat([h.mean(dim=1), bent, c], dim=1))
        return out[:, 0]


class _Body(nn.Module):
    """Patches behind some blocks, the embedding of the condition, and the patches as they were."""

    def __init__(
        self, patches: Patches, conditions: int, channels: int, blocks: int, width: int
    ) -> None:
        super().__init__()
        self.patches = patches
        self.embed = nn.Sequential(
            nn.Linear(conditions, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU()
        )
        self.enter = _EachPatch(patches.number, patches.cells, channels)
        self.blocks = nn.ModuleList(_Block(patches.number, channels, width) for _ in range(blocks))

    def forward(self, x: Tensor, condition: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        c = self.embed(condition)
        cut = self.patches.split(x)
        h = self.enter(cut)
        for block in self.blocks:
            h = block(h, c)
        return h, c, cut


class _EachPatch(nn.Module):
    """A linear map with a matrix of its own for every patch."""

    def __init__(self, patches: int, inputs: int, outputs: int, *, zero: bool = False) -> None:
        super().__init__()
        scale = 0.0 if zero else inputs**-0.5
        self.weight = nn.Parameter(scale * torch.randn(patches, inputs, outputs))
        self.bias = nn.Parameter(torch.zeros(patches, outputs))

    def forward(self, x: Tensor) -> Tensor:
        return torch.einsum("bpi,pio->bpo", x, self.weight) + self.bias


class _Block(nn.Module):
    """Mix patches, then the numbers of each; starts as the identity."""

    def __init__(self, patches: int, channels: int, width: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(channels, elementwise_affine=False) for _ in "ab")
        self.along = nn.Linear(patches, 2 * patches)
        self.along_back = nn.Linear(2 * patches, patches)
        self.across = nn.Linear(channels, 2 * channels)
        self.across_back = nn.Linear(2 * channels, channels)
        self.modulate = nn.Linear(width, 6 * channels)
        for layer in (self.along_back, self.across_back, self.modulate):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, h: Tensor, c: Tensor) -> Tensor:
        scale, shift, gate, scale2, shift2, gate2 = self.modulate(c)[:, None].chunk(6, dim=2)
        mixed = (self.norms[0](h) * (1 + scale) + shift).transpose(1, 2)
        mixed = self.along_back(nn.functional.silu(self.along(mixed)))
        h = h + mixed.transpose(1, 2) * (1 + gate)
        mixed = self.across(self.norms[1](h) * (1 + scale2) + shift2)
        change: Tensor = self.across_back(nn.functional.silu(mixed)) * (1 + gate2)
        return h + change
