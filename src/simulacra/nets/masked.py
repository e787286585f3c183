"""A network whose outputs for one feature see only the features before it."""

from __future__ import annotations

from bisect import bisect_right
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, silu

__all__ = ["MaskedNetwork", "Unrolled"]


class MaskedNetwork(nn.Module):
    r"""A masked autoencoder: parameters of feature i from features 0 to i - 1 and the condition.

    Every hidden unit has a degree d and sees features before d and hidden units of degree at most
    d; what leaves for feature i sees units of degree at most i (M. Germain, K. Gregor, I. Murray,
    H. Larochelle, "MADE: masked autoencoder for distribution estimation", 2015, arXiv:1502.03509,
    eqs. 8 to 10). Units are ordered by degree, so that :class:`Unrolled` can compute them one
    degree after the other. Blocks are residual and modulated by the condition; values start at 0.

    Args:
        features: size of x.
        conditions: size of the condition.
        outputs: parameters of each feature.
        width: size of the hidden state; with fewer units than features, features share degrees.
        blocks: number of residual blocks.

    Shapes:
        x: ``(batch, features)``.
        condition: ``(batch, conditions)``.
        output: ``(batch, outputs, features)``.
    """

    entering: Tensor
    hidden: Tensor
    leaving: Tensor

    def __init__(
        self, features: int, conditions: int, outputs: int, *, width: int = 256, blocks: int = 1
    ) -> None:
        super().__init__()
        self.features, self.outputs = features, outputs
        self.degrees = [unit * features // width for unit in range(width)]
        degree = torch.tensor(self.degrees)[:, None]
        feature = torch.arange(features)
        self.register_buffer("entering", feature[None] < degree, persistent=False)
        self.register_buffer("hidden", degree >= degree.T, persistent=False)
        self.register_buffer("leaving", feature[:, None] >= degree.T, persistent=False)
        self.embed = nn.Sequential(nn.Linear(conditions, width), nn.SiLU())
        self.offset = nn.Linear(width, width)
        self.enter = nn.Linear(features, width)
        self.blocks = nn.ModuleList(_MaskedBlock(width) for _ in range(blocks))
        self.leave = nn.Linear(width, outputs * features)
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.leave.bias)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        c = self.embed(condition)
        h = linear(x, self.enter.weight * self.entering, self.enter.bias) + self.offset(c)
        for block in self.blocks:
            h = block(h, c, self.hidden)
        weight = self.leave.weight.unflatten(0, (self.outputs, self.features)) * self.leaving
        out: Tensor = linear(silu(h), weight.flatten(0, 1), self.leave.bias)
        parameters: Tensor = out.unflatten(1, (self.outputs, self.features))
        return parameters


class _MaskedBlock(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.modulate = nn.Linear(width, 2 * width)
        self.inner = nn.Linear(width, width)
        self.outer = nn.Linear(width, width)
        nn.init.zeros_(self.outer.weight)
        nn.init.zeros_(self.outer.bias)

    def forward(self, h: Tensor, c: Tensor, mask: Tensor) -> Tensor:
        scale, shift = self.modulate(c).chunk(2, dim=1)
        inner = linear(silu(h), self.inner.weight * mask, self.inner.bias) * (1 + scale) + shift
        return h + linear(silu(inner), self.outer.weight * mask, self.outer.bias)


class Unrolled:
    """A masked network, one feature after the other: as many products as one whole pass.

    Before feature i is known, only hidden units of degree i are new; they are computed once and
    kept. Nothing here is differentiable.

    Args:
        network: the network.
        condition: ``(batch, conditions)``.
    """

    def __init__(self, network: MaskedNetwork, condition: Tensor) -> None:
        self.network = network
        self.x = condition.new_zeros(len(condition), network.features)
        width = len(network.degrees)
        c = network.embed(condition)
        self.offset = network.offset(c)
        self.blocks = [cast(_MaskedBlock, block) for block in network.blocks]
        self.modulations = [block.modulate(c).chunk(2, dim=1) for block in self.blocks]
        blank, blocks = condition.new_zeros(len(condition), width), len(network.blocks)
        self.outer = [blank.clone() for _ in range(blocks + 1)]
        self.inner = [blank.clone() for _ in range(blocks)]
        weight = network.leave.weight
        self.leave = weight.unflatten(0, (network.outputs, network.features)).transpose(0, 1)
        bias = network.leave.bias
        self.leave_bias = bias.unflatten(0, (network.outputs, network.features)).T.contiguous()

    def parameters_of(self, feature: int) -> Tensor:
        """Return the parameters of a feature, ``(batch, outputs, 1)``; those before are in x."""
        degrees = self.network.degrees
        first, last = bisect_right(degrees, feature - 1), bisect_right(degrees, feature)
        if last > first:
            self._advance(slice(first, last), feature, last)
        out = linear(
            self.outer[-1][:, :last], self.leave[feature, :, :last], self.leave_bias[feature]
        )
        return out.unsqueeze(-1)

    def _advance(self, new: slice, feature: int, last: int) -> None:
        """Compute the hidden units of one degree."""
        network = self.network
        h = self.offset[:, new] + linear(
            self.x[:, :feature], network.enter.weight[new, :feature], network.enter.bias[new]
        )
        self.outer[0][:, new] = silu(h)
        for number, block in enumerate(self.blocks):
            scale, shift = self.modulations[number]
            inner = linear(
                self.outer[number][:, :last], block.inner.weight[new, :last], block.inner.bias[new]
            )
            inner = inner * (1 + scale[:, new]) + shift[:, new]
            self.inner[number][:, new] = silu(inner)
            h = h + linear(
                self.inner[number][:, :last], block.outer.weight[new, :last], block.outer.bias[new]
            )
            self.outer[number + 1][:, new] = silu(h)
