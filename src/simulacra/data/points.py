"""Showers as point clouds: x, y, depth and energy of any number of points, in mm and MeV."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import RangeError, ShapeError

__all__ = ["PointShowers", "whole_layers"]

Array = NDArray[Any]
FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

_LAYER_ROUNDING = 0.1
"""How far a layer number stored as a floating point number may be from a whole one."""


@dataclass(frozen=True, eq=False)
class PointShowers:
    r"""Showers as points, event after event: event i is ``[offsets[i] : offsets[i + 1]]``.

    The frame is the shower's own, as in the CaloChallenge: z is the depth from the calorimeter's
    face along the shower axis, x and y lie across it (the challenge's :math:`\eta` and
    :math:`\phi` directions, in mm), the axis is at x = y = 0, and
    :math:`\alpha = \mathrm{atan2}(y, x) \in [-\pi, \pi)`. Krause et al., "CaloChallenge 2022",
    2024, arXiv:2410.21611.

    Args:
        position: x, y, z of each point in mm, shape ``(points, 3)``, floating point; z may be
            nan where it is not known, then ``layer`` must say in which layer a point lies.
        energy: energy of each point in MeV, shape ``(points,)``, floating point.
        offsets: where each event begins, and the end, shape ``(events + 1,)``, whole numbers.
        incident_energy: energy of the incident particle in MeV, shape ``(events,)``.
        layer: number of each point's layer in its own detector, shape ``(points,)``, whole
            numbers; None if only z says where a point lies.
        conditions: further conditions by name (see ``CONDITIONS``), shape ``(events,)``.
        weight: event weights, dimensionless, shape ``(events,)``; may be negative. Default 1.
        provenance: where the showers come from: plain strings and numbers.

    Raises:
        ShapeError: if the arrays do not fit each other.
        RangeError: if the offsets do not cut the points into events.
    """

    position: Array
    energy: Array
    offsets: IntArray
    incident_energy: Array
    layer: IntArray | None = None
    conditions: Mapping[str, Array] = field(default_factory=dict)
    weight: Array | None = None
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        points, events = len(self.energy), len(self.incident_energy)
        expected: dict[str, tuple[Array, tuple[int, ...]]] = {
            "position": (self.position, (points, 3)),
            "energy": (self.energy, (points,)),
            "offsets": (self.offsets, (events + 1,)),
            "incident_energy": (self.incident_energy, (events,)),
            **{name: (array, (events,)) for name, array in self.conditions.items()},
        }
        if self.layer is not None:
            expected["layer"] = (self.layer, (points,))
        if self.weight is not None:
            expected["weight"] = (self.weight, (events,))
        for name, (array, shape) in expected.items():
            if array.shape != shape:
                raise ShapeError(f"{name}: expected shape {shape}, got {tuple(array.shape)}.")
        for name, numbers in (("offsets", self.offsets), ("layer", self.layer)):
            if numbers is not None and numbers.dtype.kind not in "iu":
                raise ShapeError(f"{name}: expected whole numbers, got {numbers.dtype}.")
        self._check_offsets(points)

    def _check_offsets(self, points: int) -> None:
        bounds = (int(self.offsets[0]), int(self.offsets[-1]))
        if bounds != (0, points) or (self.offsets[1:] < self.offsets[:-1]).any():
            raise RangeError(
                f"offsets: expected increasing numbers from 0 to the {points} points, got "
                f"{bounds[0]} to {bounds[1]}; event i is offsets[i] to offsets[i + 1]."
            )

    def __len__(self) -> int:
        return len(self.incident_energy)

    @property
    def counts(self) -> IntArray:
        """Number of points of each event, shape ``(events,)``."""
        return np.diff(self.offsets).astype(np.int64, copy=False)

    @property
    def weights(self) -> Array:
        """Event weights, shape ``(events,)``, ones where there are none."""
        return np.ones(len(self)) if self.weight is None else self.weight

    @cached_property
    def event(self) -> IntArray:
        """Number of the event that each point belongs to, shape ``(points,)``."""
        return np.repeat(np.arange(len(self), dtype=np.int64), self.counts)

    @property
    def depth_known(self) -> bool:
        """True if z is given; False if points know their layer only."""
        return self.layer is None or not bool(np.isnan(self.position[:, 2]).any())

    def totals(self) -> FloatArray:
        """Return the energy of each event in MeV, shape ``(events,)``, summed in float64."""
        return np.bincount(self.event, self.energy, len(self)).astype(np.float64, copy=False)

    def runs(self, points: int, events: int | None = None) -> Iterator[slice]:
        """Cut the events into runs of at most so many points (or one event) and events."""
        start, most = 0, events or len(self)
        while start < len(self):
            full = int(np.searchsorted(self.offsets, self.offsets[start] + points, "right")) - 1
            stop = min(max(start + 1, full), start + most, len(self))
            yield slice(start, stop)
            start = stop

    def select(self, which: slice | Array | Sequence[int]) -> PointShowers:
        """Return the showers picked by a slice, a mask or indices, in that order."""
        events = np.arange(len(self))[which]
        starts, counts = self.offsets[events], self.counts[events]
        offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        points: slice | IntArray
        if (np.diff(events) == 1).all():  # a run: no copy
            first = int(starts[0]) if len(starts) else 0
            points = slice(first, first + int(offsets[-1]))
        else:
            points = np.arange(offsets[-1]) + np.repeat(starts - offsets[:-1], counts)
        return replace(
            self,
            position=self.position[points],
            energy=self.energy[points],
            offsets=offsets,
            incident_energy=self.incident_energy[events],
            layer=None if self.layer is None else self.layer[points],
            conditions={name: array[events] for name, array in self.conditions.items()},
            weight=None if self.weight is None else self.weight[events],
        )

    def thresholded(self, threshold: float) -> PointShowers:
        """Return the showers without the points below ``threshold``, in MeV, or without energy."""
        kept = (self.energy >= threshold) & (self.energy != 0)
        offsets = np.concatenate([[0], np.cumsum(kept)])[self.offsets].astype(np.int64)
        return replace(
            self,
            position=self.position[kept],
            energy=self.energy[kept],
            offsets=offsets,
            layer=None if self.layer is None else self.layer[kept],
        )

    def moved(self, x: float, y: float) -> PointShowers:
        """Return the showers in coordinates whose origin was at ``(x, y)``, in mm."""
        shift = np.array([x, y, 0.0], self.position.dtype)
        return replace(self, position=self.position - shift)

    def event_keys(self) -> NDArray[np.uint64]:
        """Return one 64-bit digest per shower, by which the same shower is found again.

        Computed from the float32 spelling of the incident energy and of the points that have
        energy, whatever their order. These are not the keys of the same showers in voxels.
        """
        depth = self.position[:, 2].astype(np.float32)
        if self.layer is not None:
            depth = np.where(np.isnan(depth), self.layer.astype(np.float32), depth)
        words = [_bits(self.position[:, 0]), _bits(self.position[:, 1]), _bits(depth)]
        digest = np.zeros(len(self.energy), np.uint64)
        for word in (*words, _bits(self.energy)):
            digest = _mixed(digest ^ word)
        digest[self.energy == 0] = 0
        sums = np.concatenate([np.zeros(1, np.uint64), np.cumsum(digest, dtype=np.uint64)])
        inside: NDArray[np.uint64] = sums[self.offsets[1:]] - sums[self.offsets[:-1]]
        return _mixed(inside ^ _mixed(_bits(self.incident_energy)))

    @classmethod
    def concatenate(cls, parts: Iterable[PointShowers]) -> PointShowers:
        """Join showers, in order.

        Conditions are kept only where every part has them; the provenance is the first part's.

        Raises:
            RangeError: if there is no part.
            ShapeError: if only some of the parts have layer numbers.
        """
        parts = list(parts)
        if not parts:
            raise RangeError("expected at least one set of showers to join, got none.")
        first = parts[0]
        layers = [part.layer for part in parts if part.layer is not None]
        if len(layers) not in (0, len(parts)):
            raise ShapeError("expected layer numbers in every part or in none, got them in some.")
        shared = [n for n in first.conditions if all(n in part.conditions for part in parts)]
        counts = np.concatenate([part.counts for part in parts])
        weighted = any(part.weight is not None for part in parts)
        return cls(
            position=np.concatenate([part.position for part in parts]),
            energy=np.concatenate([part.energy for part in parts]),
            offsets=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
            incident_energy=np.concatenate([part.incident_energy for part in parts]),
            layer=np.concatenate(layers) if layers else None,
            conditions={n: np.concatenate([part.conditions[n] for part in parts]) for n in shared},
            weight=np.concatenate([part.weights for part in parts]) if weighted else None,
            provenance=first.provenance,
        )

    @classmethod
    def from_padded(
        cls,
        padded: ArrayLike,
        incident_energy: ArrayLike,
        *,
        columns: tuple[int, int, int, int] = (0, 1, 2, 3),
        depth_is_layer: bool = False,
        **more: Any,
    ) -> PointShowers:
        """Take showers out of one array with room for the longest; points without energy go.

        Args:
            padded: points of all showers, shape ``(events, room, 4 or more)``; positions in mm,
                energies in MeV.
            incident_energy: in MeV, shape ``(events,)`` or ``(events, 1)``.
            columns: where x, y, depth and energy stand on the last axis.
            depth_is_layer: whether the depth is a layer's number instead of a length in mm.
            more: conditions, weight and provenance, see :class:`PointShowers`.

        Raises:
            ShapeError: if the array is not of that shape.
            RangeError: if a layer's number is not a whole one.

        Example:
            >>> cloud = [[[1.0, 0.0, 5.0, 20.0], [0.0, 0.0, 0.0, 0.0]]]
            >>> PointShowers.from_padded(cloud, [30.0]).totals()
            array([20.])
        """
        array = np.asarray(padded)
        if array.ndim != 3 or array.shape[2] <= max(columns):
            raise ShapeError(
                f"padded points: expected shape (events, room, {max(columns) + 1} or more), got "
                f"{array.shape}."
            )
        filled = array[:, :, columns[3]] != 0
        points = array[filled]
        position = points[:, list(columns[:3])].astype(np.float32)
        layer = None
        if depth_is_layer:
            layer = whole_layers(position[:, 2])
            position[:, 2] = np.nan
        energy = points[:, columns[3]]
        return cls(
            position=position,
            energy=energy.astype(np.float64 if energy.dtype.itemsize > 4 else np.float32),
            offsets=np.concatenate([[0], np.cumsum(filled.sum(axis=1))]).astype(np.int64),
            incident_energy=np.asarray(incident_energy).reshape(-1),
            layer=layer,
            **more,
        )


def whole_layers(numbers: Array) -> IntArray:
    """Return layer numbers that are stored as floating point numbers.

    Args:
        numbers: any shape.

    Raises:
        RangeError: if one is not close to a whole number.
    """
    rounded = np.rint(numbers)
    wrong = ~(np.abs(numbers - rounded) <= _LAYER_ROUNDING)
    if wrong.any():
        raise RangeError(
            f"layer of a point: expected a whole number, got {numbers[wrong][0]:.6g}. Is it a "
            "depth in mm? Then it belongs into z."
        )
    return rounded.astype(np.int64)


def _bits(numbers: Array) -> NDArray[np.uint64]:
    """Return the float32 spelling of numbers, with one zero only."""
    single = numbers.astype(np.float32) + np.float32(0)
    return single.view(np.uint32).astype(np.uint64)


def _mixed(word: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return a bijective scramble of 64 bits.

    Source: G. Steele, D. Lea, C. Flood, "Fast splittable pseudorandom number generators",
    OOPSLA 2014, doi:10.1145/2660193.2660195.
    """
    word = word + np.uint64(0x9E3779B97F4A7C15)
    word = (word ^ (word >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    word = (word ^ (word >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return word ^ (word >> np.uint64(31))
