"""A residual perceptron whose blocks are modulated by time and condition."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .embed import FourierEmbedding

__all__ = ["ResidualBlock", "ResidualNetwork"]

_LOWEST, _HIGHEST = 1 / 16, 1.0  # periods per width of a feature


class ResidualNetwork(nn.Module):
    r"""A velocity or score for plain vectors.

    Each block computes :math:`h \leftarrow h + W_2\,\mathrm{silu}(a(c)\,W_1 h + b(c))` with scale
    and shift taken from an embedding :math:`c` of time and condition; the last layer of every
    block starts at zero, so training starts from the identity.

    Args:
        features: size of the state.
        conditions: size of the condition.
        width: size of the hidden state.
        blocks: number of residual blocks.
        waves: frequencies at which the block sees each feature beside the feature itself, for few
            features whose law has details much smaller than its width (M. Tancik et al., "Fourier
            features let networks learn high frequency functions in low dimensional domains",
            2020, arXiv:2006.10739); a block's normalisation hides sizes.

    Shapes:
        t: ``(batch,)`` in [0, 1].
        x: ``(batch, features)``.
        condition: ``(batch, conditions)``.
        output: ``(batch, features)``.
    """

    def __init__(
        self,
        features: int,
        conditions: int,
        width: int = 192,
        blocks: int = 4,
        waves: int = 0,
    ) -> None:
        super().__init__()
        self.time = FourierEmbedding(64)
        self.embed = nn.Sequential(
            nn.Linear(64 + conditions, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU()
        )
        self.waves = FourierEmbedding(2 * waves, _LOWEST, _HIGHEST) if waves else None
        self.enter = nn.Linear(features * (1 + 2 * waves), width)
        self.blocks = nn.ModuleList(ResidualBlock(width) for _ in range(blocks))
        self.leave = nn.Linear(width, features)

    def forward(self, t: Tensor, x: Tensor, condition: Tensor) -> Tensor:
        c = self.embed(torch.cat([self.time(t), condition], dim=1))
        h = self.enter(x if self.waves is None else torch.cat([x, self._seen(x)], dim=1))
        for block in self.blocks:
            h = block(h, c)
        out: Tensor = self.leave(h)
        return out

    def _seen(self, x: Tensor) -> Tensor:
        """Return sines and cosines of every feature, ``(batch, 2 waves features)``."""
        assert self.waves is not None
        waves: Tensor = self.waves(x.flatten())
        seen: Tensor = waves.unflatten(0, x.shape).flatten(1)
        return seen


class ResidualBlock(nn.Module):
    """One block of :class:`ResidualNetwork`; starts as the identity.

    Args:
        width: size of the hidden state and of the embedding.

    Shapes:
        h: ``(batch, width)``.
        c: ``(batch, width)``.
        output: ``(batch, width)``.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.modulate = nn.Linear(width, 2 * width)
        self.inner = nn.Linear(width, width)
        self.outer = nn.Linear(width, width)
        nn.init.zeros_(self.outer.weight)
        nn.init.zeros_(self.outer.bias)

    def forward(self, h: Tensor, c: Tensor) -> Tensor:
        scale, shift = self.modulate(c).chunk(2, dim=1)
        inner = self.inner(self.norm(h)) * (1 + scale) + shift
        change: Tensor = self.outer(nn.functional.silu(inner))
        return h + change
