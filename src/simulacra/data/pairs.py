"""Pairs: what happened and what a detector made of it, event by event, with weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import RangeError, ShapeError, UnknownNameError
from .clouds import Clouds, join_clouds
from .weights import checked_weights, positive_total

__all__ = ["Pairs", "Sample"]

Array = NDArray[Any]
FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Sample:
    """Weighted events of some observables, such as a measurement.

    Args:
        values: shape ``(events, observables)``; units are those of the observables.
        names: of the observables.
        weight: event weights, dimensionless, shape ``(events,)``; may be negative, such as those
            of a background that is taken away. Default 1.
        particles: each event as a set of points too, for methods that read them; default none.

    Raises:
        ShapeError: if weights, names or particles do not belong to the values.
        RangeError: if a value or a weight is no number, or the weights sum to nothing positive.
    """

    values: FloatArray
    names: tuple[str, ...]
    weight: FloatArray | None = None
    particles: Clouds | None = None

    def __post_init__(self) -> None:
        values = _table("values", self.values, self.names)
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "weight", _weights(self.weight, len(values), "sample"))
        _refuse_nan("values", values, self.names, np.ones(len(values), bool))
        _of_events("particles", self.particles, len(values))

    def __len__(self) -> int:
        return len(self.values)

    @property
    def weights(self) -> FloatArray:
        """Event weights, shape ``(events,)``."""
        return np.ones(len(self)) if self.weight is None else self.weight

    def column(self, name: str) -> FloatArray:
        """Return one observable, shape ``(events,)``."""
        return self.values[:, _place(name, self.names)]

    def select(self, which: slice | Array) -> Sample:
        """Return the events picked by a slice, a mask or indices."""
        return replace(
            self,
            values=self.values[which],
            weight=self.weights[which],
            particles=_picked(self.particles, which),
        )

    def weighted(self, weight: FloatArray) -> Sample:
        """Return the same events with other weights."""
        return replace(self, weight=weight)

    def observables(self, names: Sequence[str]) -> Sample:
        """Return the same events with some of the observables, in the given order."""
        places = [_place(name, self.names) for name in names]
        return replace(self, values=self.values[:, places], names=tuple(names))


@dataclass(frozen=True, eq=False)
class Pairs:
    """Simulated events with their truth and what the detector saw of them.

    An event that the selection of true events does not hold but the detector's does is a fake;
    the other way round it is missed. What stands in ``truth`` of a fake, or in ``reco`` of a
    missed event, is never read.

    Args:
        truth: true observables, shape ``(events, truth observables)``, any units.
        reco: observables after the detector, shape ``(events, reco observables)``.
        names: of the true observables.
        reco_names: of the observables after the detector; by default those of the truth.
        weight: event weights, dimensionless, shape ``(events,)``; may be negative. Default 1.
        pass_truth: which events are in the selection of true events, ``(events,)``; default all.
        pass_reco: which events are in the selection after the detector; default all.
        truth_particles: true events as sets of points too, for methods that read them.
        reco_particles: the same after the detector; on both sides or on none.

    Raises:
        ShapeError: if the arrays are not of the same events, or names not of their columns, or
            only one side has particles.
        RangeError: if a value that counts is no number, no event passes both selections, or the
            weights sum to nothing positive.
    """

    truth: FloatArray
    reco: FloatArray
    names: tuple[str, ...]
    reco_names: tuple[str, ...] = ()
    weight: FloatArray | None = None
    pass_truth: NDArray[np.bool_] | None = None
    pass_reco: NDArray[np.bool_] | None = None
    truth_particles: Clouds | None = None
    reco_particles: Clouds | None = None

    def __post_init__(self) -> None:
        set_ = object.__setattr__
        set_(self, "reco_names", self.reco_names or self.names)
        set_(self, "truth", _table("truth", self.truth, self.names))
        set_(self, "reco", _table("reco", self.reco, self.reco_names))
        events = len(self.truth)
        if len(self.reco) != events:
            raise ShapeError(
                f"pairs: expected the reco side of {events} true events, found {len(self.reco)}; "
                "an event that the detector missed keeps its row, with pass_reco false."
            )
        set_(self, "weight", _weights(self.weight, events, "simulation"))
        for side in ("pass_truth", "pass_reco"):
            set_(self, side, _flags(side, getattr(self, side), events))
        _refuse_nan("truth", self.truth, self.names, self.in_truth)
        _refuse_nan("reco", self.reco, self.reco_names, self.in_reco)
        for side in ("truth_particles", "reco_particles"):
            _of_events(side, getattr(self, side), events)
        if (self.truth_particles is None) != (self.reco_particles is None):
            raise ShapeError(
                "pairs: expected particles on both sides of the detector or on none, found them on "
                f"the {'reco' if self.truth_particles is None else 'truth'} side only."
            )
        if not self.matched.any():
            raise RangeError(
                "pairs: no event passes both selections, so nothing is known of the detector; "
                "were the files of truth and reco put in different orders?"
            )

    def __len__(self) -> int:
        return len(self.truth)

    @property
    def weights(self) -> FloatArray:
        """Event weights, shape ``(events,)``."""
        return np.ones(len(self)) if self.weight is None else self.weight

    @property
    def in_truth(self) -> NDArray[np.bool_]:
        """Which events are in the selection of true events, shape ``(events,)``."""
        return np.ones(len(self), bool) if self.pass_truth is None else self.pass_truth

    @property
    def in_reco(self) -> NDArray[np.bool_]:
        """Which events are in the selection after the detector, shape ``(events,)``."""
        return np.ones(len(self), bool) if self.pass_reco is None else self.pass_reco

    @property
    def matched(self) -> NDArray[np.bool_]:
        """Which events pass both selections, shape ``(events,)``."""
        return self.in_truth & self.in_reco

    def select(self, which: slice | Array) -> Pairs:
        """Return the events picked by a slice, a mask or indices."""
        return replace(
            self,
            truth=self.truth[which],
            reco=self.reco[which],
            weight=self.weights[which],
            pass_truth=self.in_truth[which],
            pass_reco=self.in_reco[which],
            truth_particles=_picked(self.truth_particles, which),
            reco_particles=_picked(self.reco_particles, which),
        )

    def weighted(self, weight: FloatArray) -> Pairs:
        """Return the same events with other weights."""
        return replace(self, weight=weight)

    @classmethod
    def concatenate(cls, parts: Sequence[Pairs]) -> Pairs:
        """Join pairs of the same observables.

        Raises:
            ShapeError: if observables differ.
            RangeError: if there is no part.
        """
        if not parts:
            raise RangeError("pairs: expected at least one part to join, got none.")
        first = parts[0]
        if any((p.names, p.reco_names) != (first.names, first.reco_names) for p in parts):
            raise ShapeError("pairs: expected the same observables in all parts to join.")
        return cls(
            np.concatenate([part.truth for part in parts]),
            np.concatenate([part.reco for part in parts]),
            first.names,
            first.reco_names,
            weight=np.concatenate([part.weights for part in parts]),
            pass_truth=np.concatenate([part.in_truth for part in parts]),
            pass_reco=np.concatenate([part.in_reco for part in parts]),
            truth_particles=join_clouds([part.truth_particles for part in parts]),
            reco_particles=join_clouds([part.reco_particles for part in parts]),
        )

    def true_sample(self) -> Sample:
        """Return the true side of the events that pass its selection."""
        inside = self.in_truth
        particles = _picked(self.truth_particles, inside)
        return Sample(self.truth[inside], self.names, self.weights[inside], particles)

    def reco_sample(self) -> Sample:
        """Return what the detector saw, fakes among it."""
        inside = self.in_reco
        particles = _picked(self.reco_particles, inside)
        return Sample(self.reco[inside], self.reco_names, self.weights[inside], particles)


def _picked(particles: Clouds | None, which: slice | Array) -> Clouds | None:
    return None if particles is None else particles[which]


def _of_events(what: str, particles: Clouds | None, events: int) -> None:
    if particles is not None and len(particles) != events:
        raise ShapeError(
            f"{what}: expected a set of points for each of {events} events, found {len(particles)}."
        )


def _weights(weight: Array | None, events: int, name: str) -> FloatArray:
    """Check weights and, where there are events, their sum."""
    weights = checked_weights(weight, events, name)
    return positive_total(weights, name) if events else weights


def _table(what: str, values: Array, names: tuple[str, ...]) -> FloatArray:
    values = np.asarray(values, np.float64)
    if values.ndim != 2 or values.shape[1] != len(names):
        raise ShapeError(
            f"{what}: expected shape (events, {len(names)}), one column for each of "
            f"{', '.join(names) or 'no names'}, found {values.shape}."
        )
    if len(set(names)) != len(names):
        raise ShapeError(f"{what}: expected different names of columns, found {', '.join(names)}.")
    return values


def _flags(side: str, flags: Array | None, events: int) -> NDArray[np.bool_]:
    if flags is None:
        return np.ones(events, bool)
    flags = np.asarray(flags)
    if flags.shape != (events,) or flags.dtype != bool:
        raise ShapeError(
            f"{side}: expected {events} times true or false, one per event, found "
            f"{flags.dtype} of shape {flags.shape}."
        )
    return flags


def _refuse_nan(
    what: str, values: FloatArray, names: tuple[str, ...], counts: NDArray[np.bool_]
) -> None:
    bad = ~np.isfinite(values) & counts[:, None]
    if bad.any():
        column = int(bad.any(axis=0).argmax())
        raise RangeError(
            f"{what}: `{names[column]}` is NaN or infinite in {int(bad[:, column].sum())} of "
            f"{len(values)} events that pass the selection; mark them as not passing, or find what "
            "made them so."
        )


def _place(name: str, names: tuple[str, ...]) -> int:
    if name not in names:
        raise UnknownNameError("observable", name, names)
    return names.index(name)
