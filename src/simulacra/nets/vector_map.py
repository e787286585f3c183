"""From one plain vector to others, or to a number."""

from __future__ import annotations

from torch import Tensor, nn

from .residual import ResidualBlock

__all__ = ["VectorCritic", "VectorMap"]


class VectorMap(nn.Module):
    """A residual perceptron from one vector to others: an encoder, a decoder or a generator.

    Args:
        source: size of the input.
        target: size of each output.
        conditions: size of the condition.
        outputs: vectors that come out.
        width: size of the hidden state.
        blocks: number of residual blocks.
        zero: start as the zero map.

    Shapes:
        x: ``(batch, source)``.
        condition: ``(batch, conditions)``.
        output: ``(batch, outputs, target)``.
    """

    def __init__(
        self,
        source: int,
        target: int,
        conditions: int,
        *,
        outputs: int = 1,
        width: int = 192,
        blocks: int = 4,
        zero: bool = True,
    ) -> None:
        super().__init__()
        self.outputs = outputs
        self.embed = nn.Sequential(
            nn.Linear(conditions, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU()
        )
        self.enter = nn.Linear(source, width)
        self.blocks = nn.ModuleList(ResidualBlock(width) for _ in range(blocks))
        self.leave = nn.Linear(width, outputs * target)
        if zero:
            nn.init.zeros_(self.leave.weight)
            nn.init.zeros_(self.leave.bias)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        c = self.embed(condition)
        h = self.enter(x)
        for block in self.blocks:
            h = block(h, c)
        out: Tensor = self.leave(h).unflatten(1, (self.outputs, -1))
        return out


class VectorCritic(nn.Module):
    """A number for a vector, by a residual perceptron.

    Args:
        features: size of the vector.
        conditions: size of the condition.
        width: size of the hidden state.
        blocks: number of residual blocks.

    Shapes:
        x: ``(batch, features)``.
        condition: ``(batch, conditions)``.
        output: ``(batch,)``.
    """

    def __init__(
        self, features: int, conditions: int, *, width: int = 192, blocks: int = 3
    ) -> None:
        super().__init__()
        self.body = VectorMap(features, 1, conditions, width=width, blocks=blocks, zero=False)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        out: Tensor = self.body(x, condition)
        return out[:, 0, 0]
