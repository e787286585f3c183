"""Ways to split a vector into a half that is given and a half that is moved."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ..errors import ShapeError
from ..nets import Patches

__all__ = ["Half", "halves_of_patches", "halves_of_rings", "halves_of_vector"]


@dataclass(frozen=True)
class Half:
    """One way to split a vector.

    Args:
        given: places of the features that are seen.
        moved: places of the features that are changed; all that are not seen.
        given_rings: ``(radial bins, sectors)`` of the seen ones; empty without rings.
        moved_rings: the same of the changed ones.
        given_images: ``(1, cells)`` seen of each patch; empty without patches.
        moved_images: the same of the changed ones.
    """

    given: tuple[int, ...]
    moved: tuple[int, ...]
    given_rings: tuple[tuple[int, int], ...] = ()
    moved_rings: tuple[tuple[int, int], ...] = ()
    given_images: tuple[tuple[int, int], ...] = ()
    moved_images: tuple[tuple[int, int], ...] = ()

    def swapped(self) -> Half:
        """Return the other way round."""
        return Half(
            self.moved,
            self.given,
            self.moved_rings,
            self.given_rings,
            self.moved_images,
            self.given_images,
        )


def halves_of_vector(features: int, number: int) -> list[Half]:
    """Split at random; every second half is the one before, swapped.

    Numbers come from torch's generator, see :func:`~simulacra.generative.initialised`.

    Args:
        features: size of the vector.
        number: how many halves.
    """
    halves: list[Half] = []
    while len(halves) < number:
        order = torch.randperm(features).tolist()
        middle = features // 2
        half = Half(tuple(order[:middle]), tuple(order[middle:]))
        halves += [half, half.swapped()]
    return halves[:number]


def halves_of_patches(patches: Patches, number: int) -> list[Half]:
    """Split the cells of each patch at random; every second half is the one before, swapped.

    So each cell is moved with about half of its neighbours given. A patch of one cell is
    given or moved as a whole.

    Args:
        patches: how the vector splits.
        number: how many halves.
    """
    numbers = torch.arange(1, patches.features + 1)[None]
    cells = [(patch[patch > 0] - 1).tolist() for patch in patches.split(numbers)[0]]
    halves: list[Half] = []
    while len(halves) < number:
        given, moved = [], []
        for place, patch in enumerate(cells):
            order = [patch[i] for i in torch.randperm(len(patch)).tolist()]
            middle = (len(patch) + place % 2) // 2  # the larger part by turns
            given.append(order[:middle])
            moved.append(order[middle:])
        half = Half(
            tuple(cell for patch in given for cell in patch),
            tuple(cell for patch in moved for cell in patch),
            given_images=tuple((1, len(patch)) for patch in given if patch),
            moved_images=tuple((1, len(patch)) for patch in moved if patch),
        )
        halves += [half, half.swapped()]
    return halves[:number]


def halves_of_rings(rings: tuple[tuple[int, int], ...], number: int) -> list[Half]:
    """Split rings by whole rings and by every second sector in turn, both at random.

    Whole rings: half of the rings, all their sectors, which keeps every rotation. Every second
    sector (where their number is even and at least 6): in each ring those of even or of odd
    number, which keeps rotations by two sectors; neighbours then see each other.

    Args:
        rings: ``(radial bins, sectors)`` of each layer, in the flat order of the vector.
        number: how many halves.

    Raises:
        ShapeError: if layers are divided into different numbers of sectors.
    """
    if len(divided := {n_alpha for _, n_alpha in rings if n_alpha > 1}) > 1:
        raise ShapeError(
            "coupling flow: expected layers with one common number of sectors (or with a single "
            f"one), got {sorted(divided)}; the family autoregressive_flow takes any layers."
        )
    sectors = max(n_alpha for _, n_alpha in rings)
    alternating = sectors % 2 == 0 and sectors >= 6
    halves: list[Half] = []
    while len(halves) < number:
        by_sector = alternating and len(halves) % 4 == 0
        half = _half_of_rings(rings, sectors, by_sector=by_sector)
        halves += [half, half.swapped()]
    return halves[:number]


def _half_of_rings(rings: tuple[tuple[int, int], ...], sectors: int, *, by_sector: bool) -> Half:
    circles, single, place = [], [], 0  # every circle is a list of places
    fold = 2 if by_sector else 1
    for n_radius, n_alpha in rings:
        for radius in range(n_radius):
            ring = [place + alpha * n_radius + radius for alpha in range(n_alpha)]
            if n_alpha > 1:
                circles.append([ring[part::fold] for part in range(fold)])
            else:
                single += ring
        place += n_radius * n_alpha
    if by_sector:
        parity = torch.randint(2, (len(circles),)).tolist()
        first = [circle[p] for circle, p in zip(circles, parity, strict=True)]
        second = [circle[1 - p] for circle, p in zip(circles, parity, strict=True)]
    else:
        order = torch.randperm(len(circles)).tolist()
        first = [circles[i][0] for i in order[: len(order) // 2]]
        second = [circles[i][0] for i in order[len(order) // 2 :]]
    points = sectors // fold
    order = torch.randperm(len(single)).tolist()
    alone = [single[i] for i in order]
    middle = len(alone) // 2
    given, given_rings = _flat(first, alone[:middle], points)
    moved, moved_rings = _flat(second, alone[middle:], points)
    return Half(given, moved, given_rings, moved_rings)


def _flat(
    circles: list[list[int]], single: list[int], points: int
) -> tuple[tuple[int, ...], tuple[tuple[int, int], ...]]:
    """Put circles into one layer, radius fastest, and single places into another."""
    places = [circle[point] for point in range(points) for circle in circles] + single
    rings = ((len(circles), points), (len(single), 1))
    return tuple(places), tuple(ring for ring in rings if ring[0])
