"""Networks for one kind of vector: what every family of generators is built from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from torch import nn

from ..nets import ResidualNetwork, RingNetwork

__all__ = ["NetworkKit", "RingKit", "VectorKit"]


class NetworkKit(Protocol):
    """Sizes of a vector and of what it depends on, and networks between such vectors.

    Attributes:
        features: size of the vector.
        conditions: size of the condition.
        width: a size for hidden layers of plain networks beside the field.
    """

    @property
    def features(self) -> int: ...

    @property
    def conditions(self) -> int: ...

    @property
    def width(self) -> int: ...

    def field(self, further: int = 0) -> nn.Module:
        """Make a network ``f(t, x, condition)`` with values of the shape of x.

        Args:
            further: conditions beside ``conditions``, at the end of the condition.
        """
        ...


@dataclass(frozen=True)
class VectorKit:
    """Networks for vectors without structure.

    Args:
        features: size of the vector.
        conditions: size of the condition.
        width: size of the hidden state.
        blocks: residual blocks of a field.
    """

    features: int
    conditions: int
    width: int = 192
    blocks: int = 4

    def field(self, further: int = 0) -> nn.Module:
        """Make a residual perceptron, see :class:`~simulacra.nets.ResidualNetwork`."""
        return ResidualNetwork(
            self.features, self.conditions + further, width=self.width, blocks=self.blocks
        )


@dataclass(frozen=True)
class RingKit:
    """Networks for numbers that sit in rings of voxels.

    Args:
        rings: ``(radial bins, sectors)`` of each layer, in the flat order of the vector.
        conditions: size of the condition.
        channels: channels of the hidden functions on the circle.
        blocks: residual blocks of a field.
        width: size of the embedding of time and condition.
        equivariant: whether fields commute with rotations by one sector.
    """

    rings: tuple[tuple[int, int], ...]
    conditions: int
    channels: int = 128
    blocks: int = 5
    width: int = 256
    equivariant: bool = True

    @property
    def features(self) -> int:
        """Number of voxels."""
        return sum(n_radius * n_alpha for n_radius, n_alpha in self.rings)

    def field(self, further: int = 0) -> nn.Module:
        """Make a ring network, see :class:`~simulacra.nets.RingNetwork`."""
        return RingNetwork(
            self.rings,
            self.conditions + further,
            channels=self.channels,
            blocks=self.blocks,
            width=self.width,
            equivariant=self.equivariant,
        )
