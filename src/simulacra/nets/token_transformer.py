"""A small causal transformer: which token comes next."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention, silu

__all__ = ["Memory", "TokenTransformer"]

Memory = list[tuple[Tensor, Tensor]]
"""Keys and values of the tokens so far, one pair per block."""


class TokenTransformer(nn.Module):
    """Scores of every token given the ones before it and a condition.

    Blocks of causal self-attention and a perceptron, normalised before each; the condition stands
    before the first token and is added to all. A. Vaswani et al., "Attention is all you need",
    2017, arXiv:1706.03762; its use on a shower's tokens: Q. Liu et al., "Calo-VQ: vector-quantized
    two-stage generative model in calorimeter simulation", 2024, arXiv:2405.06605.

    Args:
        tokens: length of a sequence.
        codes: number of different tokens.
        conditions: size of the condition.
        width: size of the hidden state, a multiple of ``heads``.
        blocks: number of blocks.
        heads: attention heads.

    Shapes:
        token: integers, ``(batch, tokens)``.
        condition: ``(batch, conditions)``.
        output: logarithms of probabilities up to a constant, ``(batch, tokens, codes)``.
    """

    def __init__(
        self,
        tokens: int,
        codes: int,
        conditions: int,
        *,
        width: int = 96,
        blocks: int = 2,
        heads: int = 4,
    ) -> None:
        super().__init__()
        self.tokens = tokens
        self.start = nn.Sequential(nn.Linear(conditions, width), nn.SiLU(), nn.Linear(width, width))
        self.token = nn.Embedding(codes, width)
        self.place = nn.Parameter(0.02 * torch.randn(tokens, width))
        self.blocks = nn.ModuleList(_Block(width, heads) for _ in range(blocks))
        self.norm = nn.LayerNorm(width)
        self.leave = nn.Linear(width, codes)
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.leave.bias)

    def forward(self, token: Tensor, condition: Tensor) -> Tensor:
        start = self.start(condition)[:, None]
        before = torch.cat([torch.zeros_like(start), self.token(token[:, :-1])], dim=1)
        h = start + before + self.place
        for block in self.blocks:
            h, _ = block(h, None)
        out: Tensor = self.leave(self.norm(h))
        return out

    def advance(
        self, token: Tensor | None, condition: Tensor, memory: Memory
    ) -> tuple[Tensor, Memory]:
        """Return the scores of one more token, ``(batch, codes)``, and what to remember.

        Args:
            token: the one before, ``(batch,)``; None at the start.
            condition: ``(batch, conditions)``.
            memory: what the step before returned; empty at the start.
        """
        place = memory[0][0].shape[2] if memory else 0
        h = self.start(condition) + self.place[place]
        if token is not None:
            h = h + self.token(token)
        h, after = h[:, None], []
        for number, block in enumerate(self.blocks):
            h, kept = block(h, memory[number] if memory else None)
            after.append(kept)
        out: Tensor = self.leave(self.norm(h[:, 0]))
        return out, after


class _Block(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm, self.norm_inner = nn.LayerNorm(width), nn.LayerNorm(width)
        self.ask = nn.Linear(width, 3 * width)
        self.answer = nn.Linear(width, width)
        self.inner, self.outer = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(
        self, h: Tensor, memory: tuple[Tensor, Tensor] | None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        batch, length, width = h.shape
        parts = self.ask(self.norm(h)).reshape(batch, length, 3, self.heads, -1)
        query, key, value = parts.permute(2, 0, 3, 1, 4)
        if memory is not None:
            key = torch.cat([memory[0], key], dim=2)
            value = torch.cat([memory[1], value], dim=2)
        seen = scaled_dot_product_attention(query, key, value, is_causal=length > 1)
        h = h + self.answer(seen.transpose(1, 2).reshape(batch, length, width))
        h = h + self.outer(silu(self.inner(self.norm_inner(h))))
        return h, (key, value)
