"""The events of all classes with labels and weights, and the batches a network is fed with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..errors import RangeError, ShapeError
from .rows import DenseRows, Rows, store_rows

__all__ = ["Feeder", "LabelledSample"]

Array = NDArray[Any]
FloatArray = NDArray[np.float64]

_BLOCK = 1 << 24  # numbers per step of a pass over all: sums must not depend on memory


@dataclass(frozen=True, eq=False)
class LabelledSample:
    """The events of two or more classes, one after another.

    Args:
        rows: features of all events.
        label: class of each event, int64, shape ``(events,)``: 1 for the first and 0 for the
            second of two classes, the number of the class if there are more; -1 for events that
            belong to no class and are only scored.
        weight: event weights, float32, shape ``(events,)``; each class has the same sum, the
            mean over all classes is 1; may be negative.
        classes: number of classes.
        shape: ``(layers, alpha, radius)`` if the features after the first one are an image.
        points: ``(points, features)`` if a row is a set, see :class:`~simulacra.nets.PointSet`.
        shift: subtracted from each feature, float32, shape ``(features,)``; None for nothing.
        scale: width by which it is divided then.
    """

    rows: Rows
    label: NDArray[np.int64]
    weight: NDArray[np.float32]
    classes: int = 2
    shape: tuple[int, int, int] | None = None
    points: tuple[int, int] | None = None
    shift: NDArray[np.float32] | None = None
    scale: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.label)

    @classmethod
    def of(
        cls,
        samples: Sequence[Array],
        weights: Sequence[Array | None] | None = None,
        *,
        unlabelled: Array | None = None,
        standardise: bool = False,
        shape: tuple[int, int, int] | None = None,
        points: tuple[int, int] | None = None,
    ) -> LabelledSample:
        """Join samples that are in memory, one per class.

        Args:
            samples: features, each ``(events, features)``.
            weights: event weights of each sample; None for ones.
            unlabelled: features of events that belong to no class, ``(events, features)``.
            standardise: see :meth:`stored`, like ``shape``.
            shape: see there.
            points: ``(points, features)`` if a row is a set.

        Raises:
            ShapeError: if the samples have different features or weights do not fit.
            RangeError: if a number is not finite, a sample is empty, or its weights do not sum
                to a positive number.
        """
        blocks = [*samples] if unlabelled is None else [*samples, unlabelled]
        found = " and ".join(str(np.shape(block)) for block in blocks)
        if any(b.ndim != 2 for b in blocks) or len({b.shape[1] for b in blocks}) != 1:
            raise ShapeError(
                "classifier: expected samples (events, features) with the same features, "
                f"got {found}."
            )
        rows = store_rows(blocks, sum(map(len, blocks)), blocks[0].shape[1])
        events = [len(sample) for sample in samples]
        stored = cls.stored(rows, events, weights, standardise=standardise, shape=shape)
        return replace(stored, points=points)

    @classmethod
    def stored(
        cls,
        rows: Rows,
        events: Sequence[int],
        weights: Sequence[Array | None] | None = None,
        *,
        standardise: bool = False,
        shape: tuple[int, int, int] | None = None,
    ) -> LabelledSample:
        """Label rows that are stored already.

        Args:
            rows: the events of all classes, class after class, then those of no class.
            events: number of events of each class.
            weights: event weights of each class; None for ones.
            standardise: bring each feature to mean 0 and width 1 over all classes; labels and
                weights play no part.
            shape: ``(layers, alpha, radius)`` if the features after the first one are an image.

        Raises:
            ShapeError: if the numbers do not fit each other.
            RangeError: if a class is empty or its weights do not sum to a positive number.
        """
        weights = [None] * len(events) if weights is None else list(weights)
        total, rest = sum(events), len(rows) - sum(events)
        if len(weights) != len(events) or rest < 0:
            raise ShapeError(
                f"classifier: {len(rows)} rows and {len(weights)} sets of weights for "
                f"{len(events)} classes of {list(events)} events."
            )
        if shape is not None and rows.features != 1 + int(np.prod(shape)):
            raise ShapeError(
                f"classifier: expected 1 + {int(np.prod(shape))} features for an image of {shape}, "
                f"got {rows.features}."
            )
        numbers = [1, 0] if len(events) == 2 else range(len(events))
        share = total / len(events)
        balanced = [_balanced(n, w, share) for n, w in zip(events, weights, strict=True)]
        shift, scale = _moments(rows, total) if standardise else (None, None)
        return cls(
            rows=rows,
            label=np.concatenate([np.repeat(numbers, events), np.full(rest, -1)]).astype(np.int64),
            weight=np.concatenate([*balanced, np.ones(rest)]).astype(np.float32),
            classes=len(events),
            shape=shape,
            shift=shift,
            scale=scale,
        )


class Feeder:
    """Batches of a sample on a device; small dense samples lie there as a whole.

    Args:
        sample: the events.
        device: where the network is.
    """

    def __init__(self, sample: LabelledSample, device: str) -> None:
        self._sample = sample
        self._device = device
        rows = sample.rows
        self._inputs = None
        if isinstance(rows, DenseRows):
            self._inputs = torch.from_numpy(rows.array).to(device)
        self._label = torch.from_numpy(sample.label).to(device)
        self._weight = torch.from_numpy(sample.weight).to(device)
        self._moments = None
        if sample.shift is not None and sample.scale is not None:
            self._moments = [torch.from_numpy(m).to(device) for m in (sample.shift, sample.scale)]

    def inputs(self, events: Array) -> Tensor:
        """Return the features of some events, float32, shape ``(len(events), features)``."""
        if self._inputs is None:
            batch = torch.from_numpy(self._sample.rows.dense(events)).to(self._device)
        else:
            batch = self._inputs[self._places(events)]
        if self._moments is None:
            return batch
        shift, scale = self._moments
        return batch.sub_(shift).div_(scale)

    def targets(self, events: Array) -> tuple[Tensor, Tensor]:
        """Return label and weight of some events, each ``(len(events),)``."""
        places = self._places(events)
        return self._label[places], self._weight[places]

    def _places(self, events: Array) -> Tensor:
        return torch.from_numpy(np.asarray(events, np.int64)).to(self._device)


def _balanced(events: int, weight: Array | None, total: float) -> FloatArray:
    """Return weights that sum to ``total``."""
    w = np.ones(events) if weight is None else np.asarray(weight, np.float64)
    if w.shape != (events,):
        raise ShapeError(f"classifier: expected {events} weights, got {w.shape}.")
    if not w.sum() > 0:
        raise RangeError(
            f"classifier: expected samples with a positive sum of weights, got {w.sum():g} for "
            f"{events} events."
        )
    return np.asarray(w * (total / w.sum()))


def _moments(rows: Rows, events: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return mean and width of each feature; 1 for the width of a constant one."""
    mean = _mean(rows, events, np.zeros(rows.features, np.float32), 1).astype(np.float32)
    width = np.sqrt(_mean(rows, events, mean, 2)).astype(np.float32)
    return mean, np.where(width > 0, width, np.float32(1))


def _mean(rows: Rows, events: int, shift: NDArray[np.float32], power: int) -> FloatArray:
    total, step = np.zeros(rows.features), max(1, _BLOCK // rows.features)
    for start in range(0, events, step):
        block = rows.dense(np.arange(start, min(start + step, events))) - shift
        total += (block**power).sum(axis=0, dtype=np.float64)
    return total / events
