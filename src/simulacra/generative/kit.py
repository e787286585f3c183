"""Networks for one kind of vector: what every family of generators is built from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Protocol, Self

from torch import nn

from ..nets import (
    DepthMixer,
    PatchCritic,
    Patches,
    PatchMap,
    PatchNetwork,
    ResidualNetwork,
    RingCritic,
    RingMap,
    RingNetwork,
    VectorCritic,
    VectorMap,
    patch_shape,
)
from .halves import Half, halves_of_patches, halves_of_rings, halves_of_vector

__all__ = ["GridKit", "NetworkKit", "RingKit", "VectorKit"]


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

    def latent(self, local: int, whole: int) -> Self:
        """Return the kit of a code of such vectors, in its flat order places first, then events.

        Args:
            local: numbers of the code at every place (a sector; a plain vector is one place).
            whole: numbers of the code for the whole event.
        """
        ...

    def map(self, target: Any, *, outputs: int = 1, zero: bool = True) -> nn.Module:
        """Make a network ``f(x, condition)`` to vectors of another kit of the same kind.

        Args:
            target: that kit.
            outputs: how many; values are ``(events, outputs, target.features)``.
            zero: start as the zero map.
        """
        ...

    def critic(self) -> nn.Module:
        """Make a network ``f(x, condition)`` with one value per event, ``(events,)``."""
        ...

    def halves(self, number: int) -> list[Half]:
        """Return ways to split the vector in two, every second the one before, swapped."""
        ...

    def conditioner(self, half: Half, *, outputs: int, blocks: int) -> nn.Module:
        """Make a network ``f(given, condition)`` with ``(events, outputs, moved)``; starts at 0.

        Args:
            half: one of :meth:`halves`.
            outputs: parameters of each moved feature.
            blocks: residual blocks.
        """
        ...

    def turns(self) -> list[list[int]]:
        """Return the orders of the features under which their law does not change."""
        ...


@dataclass(frozen=True)
class VectorKit:
    """Networks for vectors without structure.

    Args:
        features: size of the vector.
        conditions: size of the condition.
        width: size of the hidden state.
        blocks: residual blocks of a field.
        waves: frequencies at which a field sees each feature, see
            :class:`~simulacra.nets.ResidualNetwork`.
    """

    features: int
    conditions: int
    width: int = 192
    blocks: int = 4
    waves: int = 0

    def field(self, further: int = 0) -> nn.Module:
        """Make a residual perceptron, see :class:`~simulacra.nets.ResidualNetwork`."""
        return ResidualNetwork(
            self.features,
            self.conditions + further,
            width=self.width,
            blocks=self.blocks,
            waves=self.waves,
        )

    def latent(self, local: int, whole: int) -> VectorKit:
        """Return the kit of a code; a plain vector is one place."""
        return replace(self, features=local + whole)

    def map(self, target: VectorKit, *, outputs: int = 1, zero: bool = True) -> nn.Module:
        """Make a residual perceptron, see :class:`~simulacra.nets.VectorMap`."""
        return VectorMap(
            self.features,
            target.features,
            self.conditions,
            outputs=outputs,
            width=self.width,
            blocks=self.blocks,
            zero=zero,
        )

    def critic(self) -> nn.Module:
        """Make a residual perceptron, see :class:`~simulacra.nets.VectorCritic`."""
        return VectorCritic(self.features, self.conditions, width=self.width, blocks=self.blocks)

    def halves(self, number: int) -> list[Half]:
        """Split at random, see :mod:`simulacra.generative.halves`."""
        return halves_of_vector(self.features, number)

    def conditioner(self, half: Half, *, outputs: int, blocks: int) -> nn.Module:
        """Make a residual perceptron between the halves."""
        given = replace(self, features=len(half.given), blocks=blocks)
        return given.map(replace(self, features=len(half.moved)), outputs=outputs)

    def turns(self) -> list[list[int]]:
        """Return the identity: a plain vector has no symmetry."""
        return [list(range(self.features))]


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
        slab: layers of one shape that a field takes together; 0: all, of any shape.
        given: further rings that are seen; they come first in the condition.
    """

    rings: tuple[tuple[int, int], ...]
    conditions: int
    channels: int = 128
    blocks: int = 5
    width: int = 256
    equivariant: bool = True
    slab: int = 0
    given: tuple[tuple[int, int], ...] = ()

    @property
    def features(self) -> int:
        """Number of voxels."""
        return sum(n_radius * n_alpha for n_radius, n_alpha in self.rings)

    def field(self, further: int = 0) -> nn.Module:
        """Make a ring network or a depth mixer.

        See :class:`~simulacra.nets.RingNetwork` and :class:`~simulacra.nets.DepthMixer`.
        """
        if self.slab:
            return DepthMixer(
                self.rings,
                self.conditions + further,
                slab=self.slab,
                channels=self.channels,
                blocks=self.blocks,
                width=self.width,
            )
        return RingNetwork(
            self.rings,
            self.conditions + further,
            channels=self.channels,
            blocks=self.blocks,
            width=self.width,
            equivariant=self.equivariant,
            given=self.given,
        )

    def latent(self, local: int, whole: int) -> RingKit:
        """Return the kit of a code with ``local`` numbers in every sector."""
        sectors = max(n_alpha for _, n_alpha in self.rings)
        rings = ((local, sectors), (whole, 1)) if whole else ((local, sectors),)
        return replace(self, rings=rings, slab=0)

    def map(self, target: RingKit, *, outputs: int = 1, zero: bool = True) -> nn.Module:
        """Make a map that commutes with rotations, see :class:`~simulacra.nets.RingMap`."""
        return RingMap(
            self.rings,
            target.rings,
            self.conditions,
            outputs=outputs,
            channels=self.channels,
            blocks=self.blocks,
            width=self.width,
            equivariant=self.equivariant,
            given=self.given,
            zero=zero,
        )

    def critic(self) -> nn.Module:
        """Make a critic that rotations do not change, see :class:`~simulacra.nets.RingCritic`."""
        return RingCritic(
            self.rings,
            self.conditions,
            channels=self.channels,
            blocks=self.blocks,
            width=self.width,
            equivariant=self.equivariant,
            given=self.given,
        )

    def halves(self, number: int) -> list[Half]:
        """Split by rings and sectors, see :mod:`simulacra.generative.halves`."""
        return halves_of_rings(self.rings, number)

    def conditioner(self, half: Half, *, outputs: int, blocks: int) -> nn.Module:
        """Make a ring map between the halves, or a perceptron between plain ones."""
        if not half.given_rings:
            plain = VectorKit(self.features, self.conditions, self.width)
            return plain.conditioner(half, outputs=outputs, blocks=blocks)
        sectors = max(n_alpha for _, n_alpha in half.given_rings)
        # every second sector seen as a ring of its own: the same flat order
        folded = tuple((r * n // sectors, sectors) if n > 1 else (r, n) for r, n in self.given)
        given = replace(self, rings=half.given_rings, blocks=blocks, given=folded)
        return given.map(replace(self, rings=half.moved_rings), outputs=outputs)

    def turns(self) -> list[list[int]]:
        """Return the rotations by whole sectors; the identity where something else is not turned.

        That is where an angle is singled out, or where further rings are given.
        """
        free = self.equivariant and not self.given
        sectors = max(n_alpha for _, n_alpha in self.rings) if free else 1
        turns = []
        for turn in range(sectors):
            order, start = [], 0
            for n_radius, n_alpha in self.rings:
                places = [start + place for place in range(n_radius * n_alpha)]
                shift = (turn % n_alpha) * n_radius
                order += places[shift:] + places[:shift]
                start += len(places)
            turns.append(order)
        return turns


@dataclass(frozen=True)
class GridKit:
    """Networks for numbers that sit in rectangular cells, in layers of different grids.

    Args:
        images: ``(cells along x, cells along y)`` of each layer, in the flat order of the vector.
        conditions: size of the condition.
        patch: cells that a patch has at most, which networks see as one.
        channels: numbers by which a patch is described.
        blocks: blocks of a field that mix patches.
        width: size of the embedding of time and condition, and of plain networks.
    """

    images: tuple[tuple[int, int], ...]
    conditions: int
    patch: int = 12
    channels: int = 64
    blocks: int = 4
    width: int = 192

    @property
    def features(self) -> int:
        """Number of cells."""
        return sum(a * b for a, b in self.images)

    @property
    def patches(self) -> Patches:
        """How the vector splits; in a code (see :meth:`latent`) every place is a patch."""
        return Patches(self.images, [patch_shape(image, self.patch) for image in self.images])

    def field(self, further: int = 0) -> nn.Module:
        """Make a network of mixed patches, see :class:`~simulacra.nets.PatchNetwork`."""
        return PatchNetwork(self.patches, self.conditions + further, **self._sizes)

    def latent(self, local: int, whole: int) -> GridKit:
        """Return the kit of a code with ``local`` numbers for every patch."""
        places = ((1, local),) * self.patches.number
        images = (*places, (1, whole)) if whole else places
        return replace(self, images=images, patch=max(local, whole))

    def map(self, target: GridKit, *, outputs: int = 1, zero: bool = True) -> nn.Module:
        """Make a map of mixed patches, see :class:`~simulacra.nets.PatchMap`."""
        return PatchMap(
            self.patches,
            target.patches,
            self.conditions,
            outputs=outputs,
            zero=zero,
            **self._sizes,
        )

    def critic(self) -> nn.Module:
        """Make a critic of mixed patches, see :class:`~simulacra.nets.PatchCritic`."""
        return PatchCritic(self.patches, self.conditions, **self._sizes)

    def halves(self, number: int) -> list[Half]:
        """Split each patch at random, see :mod:`simulacra.generative.halves`."""
        return halves_of_patches(self.patches, number)

    def conditioner(self, half: Half, *, outputs: int, blocks: int) -> nn.Module:
        """Make a map of mixed patches between the halves."""
        given, moved = half.given_images, half.moved_images
        return PatchMap(
            Patches(given, given),
            Patches(moved, moved),
            self.conditions,
            outputs=outputs,
            channels=self.channels,
            blocks=blocks,
            width=self.width,
        )

    def turns(self) -> list[list[int]]:
        """Return the identity: no symmetry is assumed."""
        return [list(range(self.features))]

    @property
    def _sizes(self) -> dict[str, int]:
        return {"channels": self.channels, "blocks": self.blocks, "width": self.width}
