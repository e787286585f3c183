"""Embeddings of scalars that a network has to resolve finely."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

__all__ = ["FourierEmbedding"]


class FourierEmbedding(nn.Module):
    r"""Embed a time in [0, 1] as sines and cosines of fixed frequencies.

    .. math:: e(t) = (\sin 2\pi f_k t, \cos 2\pi f_k t)_k

    with frequencies spread geometrically from ``lowest`` to ``highest``, so that both the trend
    over the whole path and its last percent are visible.

    Args:
        features: size of the embedding, even.
        lowest: smallest frequency, in periods per unit of time.
        highest: largest frequency.

    Shapes:
        t: ``(batch,)``, dimensionless.
        e: ``(batch, features)``.
    """

    frequencies: Tensor

    def __init__(self, features: int, lowest: float = 0.25, highest: float = 8.0) -> None:
        super().__init__()
        exponents = torch.linspace(math.log(lowest), math.log(highest), features // 2)
        self.register_buffer("frequencies", 2 * math.pi * exponents.exp())

    def forward(self, t: Tensor) -> Tensor:
        angle = t[:, None] * self.frequencies
        return torch.cat([angle.sin(), angle.cos()], dim=1)
