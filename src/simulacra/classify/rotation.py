"""Which events train, select and are scored: rotated splits in which partners stay together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import RangeError, ShapeError
from ..random import Stream, generator

__all__ = ["Parts", "partners", "retrainings_per_rotation", "rotated_parts"]

Array = NDArray[Any]
IntArray = NDArray[np.int64]
Split = tuple[int, int, int]

_KEY = 16  # apart from the numbers with which the judge draws showers


@dataclass(frozen=True, eq=False)
class Parts:
    """The events of all samples in three parts, by number in their own sample.

    Args:
        training: events to train on, one array per sample.
        selection: events that choose the epoch and calibrate, one array per sample.
        unseen: events to score, one array per sample.
    """

    training: tuple[IntArray, ...]
    selection: tuple[IntArray, ...]
    unseen: tuple[IntArray, ...]

    def joined(self, part: str) -> IntArray:
        """Return the numbers of a part when the samples stand one after another."""
        starts = np.append(0, np.cumsum([sum(map(len, three)) for three in self._samples()]))
        here = getattr(self, part)
        return np.concatenate([a + start for a, start in zip(here, starts, strict=False)])

    def _samples(self) -> list[tuple[IntArray, IntArray, IntArray]]:
        return list(zip(self.training, self.selection, self.unseen, strict=True))


def retrainings_per_rotation(split: Split) -> int:
    """Return how many retrainings score different events before the order is drawn anew."""
    return sum(split) // split[2]


def rotated_parts(
    events: Sequence[int],
    number: int,
    split: Split,
    seed: int,
    match: Sequence[Array] | None = None,
) -> Parts:
    """Cut the samples into parts for one retraining.

    The events stand in a random order on a circle; retraining k scores the k-th window, selects
    on the next one and trains on the rest, until the circle is used up and a new order is drawn.
    No event is scored twice on one circle.

    **Partners.** A generated shower often copies the incident energy of a reference shower. If
    the one trains with its label and the other is scored, a network that has memorised the
    energy answers wrongly, and the area under the curve of equal samples falls below 0.5. So
    events of equal energy, one of each sample, share one place on the circle and thereby always
    fall into the same part; events without a partner are drawn independently.

    Args:
        events: number of events of each sample.
        number: number of the retraining, from 0.
        split: proportions of training, selection and unseen events.
        seed: seed of the orders.
        match: what partners have in common (incident energies, compared in single precision),
            one array per sample.

    Raises:
        RangeError: if a sample has too few events for the split.
        ShapeError: if ``match`` does not fit the samples.
    """
    rotation, window = divmod(number, retrainings_per_rotation(split))
    parts: list[list[list[IntArray]]] = [[[] for _ in events] for _ in range(3)]
    for sample, blocks in enumerate(_circles(events, rotation, seed, match)):
        for block in blocks:
            for part, piece in zip(parts, _window(block, window, split), strict=True):
                part[sample].append(piece)
    joined = [tuple(np.concatenate(blocks) for blocks in part) for part in parts]
    if any(len(piece) == 0 for part in joined for piece in part):
        needed = -(-sum(split) // min(split))
        raise RangeError(
            f"classifier: expected at least {needed} events of each kind for a split in "
            f"proportions of {split}, got {min(events)}."
        )
    return Parts(*joined)


def partners(match: Sequence[Array]) -> list[IntArray]:
    """Return the events that have a partner of equal value in every sample.

    Args:
        match: positive numbers, one array per sample; compared in single precision.

    Returns:
        Event numbers, one array per sample; events at the same place are partners, in rising
        order of their value. Where a value occurs several times, the k-th events are partners.
    """
    orders, keys = [], []
    for values in match:
        single = np.asarray(values).astype(np.float32)
        order = np.argsort(single, kind="stable")
        sorted_values = single[order]
        occurrence = np.arange(len(order)) - np.searchsorted(sorted_values, sorted_values)
        bits = sorted_values.view(np.uint32).astype(np.uint64)
        orders.append(order)
        keys.append((bits << np.uint64(32)) | occurrence.astype(np.uint64))
    common = reduce(lambda a, b: np.intersect1d(a, b, assume_unique=True), keys)
    common = common[np.argsort((common >> np.uint64(32)).astype(np.uint32).view(np.float32))]
    return [
        order[np.argsort(key)][np.searchsorted(np.sort(key), common)]
        for order, key in zip(orders, keys, strict=True)
    ]


def _circles(
    events: Sequence[int], rotation: int, seed: int, match: Sequence[Array] | None
) -> list[list[IntArray]]:
    """Return each sample's events in random order: those with partners, then the others."""
    pairs = [np.zeros(0, np.int64) for _ in events]
    if match is not None:
        if [len(values) for values in match] != list(events):
            raise ShapeError(
                f"classifier: expected {list(events)} incident energies to match, got "
                f"{[len(values) for values in match]}."
            )
        pairs = partners(match)
    shared = generator(seed, Stream.SPLIT, _KEY, rotation).permutation(len(pairs[0]))
    found = []
    for sample, (count, paired) in enumerate(zip(events, pairs, strict=True)):
        rest = np.setdiff1d(np.arange(count), paired)
        alone = generator(seed, Stream.SPLIT, _KEY, rotation, 1 + sample).permutation(rest)
        found.append([paired[shared], alone])
    return found


def _window(circle: IntArray, number: int, split: Split) -> tuple[IntArray, IntArray, IntArray]:
    """Return the training, selection and unseen events of one window."""
    total, start = sum(split), number * split[2]

    def piece(first: int, last: int) -> IntArray:
        places = np.arange(len(circle) * first // total, len(circle) * last // total)
        return circle[places % max(len(circle), 1)]

    unseen, selected = start + split[2], start + split[2] + split[1]
    return piece(selected, start + total), piece(unseen, selected), piece(start, unseen)
