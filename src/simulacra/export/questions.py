"""What every client is asked: the same questions, whatever stands between it and the graph."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..deploy import Condition, Manifest
from ..random import normal, uniform
from .diagnosis import diagnosed
from .golden import Golden, Tolerance, difference

__all__ = ["Check", "Client", "Subject", "asked"]

Array = NDArray[Any]

_SEED = 6
_SIGMAS = 6.0
_JUST_BELOW = 0.999
_NO_CHANGE = 1e-6  # relative, of every voxel, over half a percent of a range


@dataclass(frozen=True)
class Check:
    """One question to a bundle.

    Args:
        name: what was looked at.
        passed: whether it is as it must be.
        found: what was found, in one sentence.
    """

    name: str
    passed: bool
    found: str


class Client(Protocol):
    """A program that draws showers, with its own inputs, order, units and angles undone.

    Attributes:
        rescales: beyond the energies of the training it has the shower of the nearest one, scaled
            to its energy; others have that shower as it is.
    """

    @property
    def rescales(self) -> bool: ...

    def run(self, noise: Array, condition: Array, /) -> Array:
        """Return energies in MeV in the model's order, ``(events, voxels)``.

        Args:
            noise: standard normal, ``(events, noise_size)``.
            condition: in MeV, mm and rad, ``(events, conditions)``.
        """
        ...


@dataclass(frozen=True, eq=False)
class Subject:
    """Who is asked, and what is known of the right answers.

    Args:
        name: of the client, in front of each question.
        start: opens the client with so many threads.
        manifest: of the bundle.
        golden: the showers that it must draw.
        tolerance: what is rounding.
        rows: golden showers that are drawn.
        fresh: new showers that are drawn.
    """

    name: str
    start: Callable[[int], Client]
    manifest: Manifest
    golden: Golden
    tolerance: Tolerance
    rows: int
    fresh: int


def asked(subject: Subject, only: tuple[str, ...] = ()) -> Iterator[Check]:
    """Ask a client every question.

    Args:
        subject: the client.
        only: names of the questions that are asked; empty for all.
    """
    client = subject.start(1)
    for name, question in _QUESTIONS.items():
        if only and name not in only:
            continue
        wrong, found = question(subject, client)
        yield Check(f"{subject.name}{name}", not wrong, wrong or found)


def _golden(subject: Subject, client: Client) -> tuple[str, str]:
    """It draws the golden showers."""
    rows = slice(0, subject.rows)
    expected, condition = subject.golden.expected[rows], subject.golden.condition[rows]
    found = client.run(subject.golden.noise[rows], condition)
    if found.shape != expected.shape:
        return diagnosed(found, expected, condition, subject.manifest), ""
    told = difference(found, expected)
    if subject.tolerance.allows(told):
        return "", str(told)
    return f"{diagnosed(found, expected, condition, subject.manifest)} ({told})", ""


def _noise(subject: Subject, client: Client) -> tuple[str, str]:
    """Equal noise gives equal showers, in two sessions; other noise gives others."""
    condition, noise = subject.golden.condition[:4], subject.golden.noise[:4]
    one, two = client.run(noise, condition), subject.start(1).run(noise, condition)
    if not np.array_equal(one, two, equal_nan=True):
        return "equal noise gives different showers: noise is drawn inside", ""
    other = client.run(np.ascontiguousarray(noise[::-1]), condition)
    if np.array_equal(one, other):
        return "different noise gives equal showers: the input is not used", ""
    return "", "equal noise, equal showers in two sessions; other noise, others"


def _threads(subject: Subject, client: Client) -> tuple[str, str]:
    """Threads and batch sizes change rounding at most."""
    noise, condition = (
        part[: subject.rows] for part in (subject.golden.noise, subject.golden.condition)
    )
    one, two = client.run(noise, condition), subject.start(2).run(noise, condition)
    cuts = [slice(i, i + 3) for i in range(0, len(one), 3)]
    parts = np.concatenate([client.run(noise[c], condition[c]) for c in cuts])
    for what, found in (("two threads", two), ("batches of three", parts)):
        told = difference(found, one)
        if not subject.tolerance.allows(told):
            return f"{what} change showers: {told}", ""
    same = "the same bits" if np.array_equal(one, two) else "equal to rounding"
    return "", f"1 and 2 threads: {same}; batches: to rounding"


def _ends(subject: Subject, client: Client) -> tuple[str, str]:
    """At the ends of the ranges the client answers; beyond, as it does at the end."""
    noise, middle = subject.golden.noise[:2], subject.golden.condition[-1:].repeat(2, axis=0)
    same = noise[:1].repeat(2, axis=0)
    for place, one in enumerate(subject.manifest.conditions):
        if one.values:
            continue
        ends, beyond = _at(middle, place, one.accepted), _at(middle, place, _beyond(one))
        at, out = client.run(same, ends), client.run(same, beyond)
        if not (np.isfinite(at).all() and np.isfinite(out).all()):
            return f"{one.name}: NaN or infinity at or beyond the ends", ""
        scale = beyond[:, :1] / ends[:, :1] if client.rescales and not place else 1
        if not subject.tolerance.allows(difference(out, at * scale)):
            return f"{one.name}: is not clamped beyond its range", ""
        if one.accepted[0] < one.accepted[1]:
            inner = _at(middle, place, _inner(one))
            near = client.run(same, inner)
            scale = ends[:, :1] / inner[:, :1] if client.rescales and not place else np.ones((2, 1))
            for side, end in enumerate(("low", "high")):
                if not at[side].any():
                    continue
                told = difference(near[side] * scale[side], at[side])
                if told.crossed == 0 and told.tail < _NO_CHANGE:
                    return (
                        f"{one.name}: the graph does not change between {inner[side, place]:g} and "
                        f"the {end} end {ends[side, place]:g}: its range is clipped to less than "
                        "the manifest says"
                    ), ""
    beyond_it = "clamped and scaled beyond" if client.rescales else "clamped beyond"
    return "", f"finite at the ends, {beyond_it}, not clipped before"


def _beyond(one: Condition) -> tuple[float, float]:
    low, high = one.accepted
    return (low / 10, high * 10) if low > 0 else (low - 10 * (high - low), high + 10 * (high - low))


def _inner(one: Condition) -> tuple[float, float]:
    low, high = one.accepted
    return low + 0.005 * (high - low), high - 0.005 * (high - low)


def _at(table: Array, place: int, values: tuple[float, float]) -> Array:
    out = table.copy()
    out[:, place] = values
    return out


def _physics(subject: Subject, client: Client) -> tuple[str, str]:
    """Fresh showers are finite, not negative, beyond the threshold, and deposit as golden ones."""
    golden, many = subject.golden, subject.fresh
    inside = golden.condition[4:] if len(golden.condition) > 8 else golden.condition
    rows = (uniform(_SEED, range(many), 1)[:, 0] * len(inside)).astype(np.int64)
    drawn = client.run(normal(_SEED + 1, range(many), golden.noise.shape[1]), inside[rows])
    wrong = {
        "NaN or infinity": ~np.isfinite(drawn),
        "negative energies": drawn < 0,
        "energies below the threshold": (drawn > 0)
        & (drawn < _JUST_BELOW * subject.manifest.threshold),
    }
    for what, where in wrong.items():
        if where.any():
            return f"{what} in {int(where.any(axis=1).sum())} of {many}", ""
    fresh = drawn.sum(axis=1, dtype=np.float64) / inside[rows, 0]
    known = golden.expected[-len(inside) :].sum(axis=1, dtype=np.float64) / inside[:, 0]
    error = np.hypot(fresh.std() / len(fresh) ** 0.5, known.std() / len(known) ** 0.5)
    pull = abs(fresh.mean() - known.mean()) / max(error, 1e-6)
    found = (
        f"{many} fresh showers: deposited over incident energy {fresh.mean():.3f}, golden "
        f"{known.mean():.3f}"
    )
    return ("", found) if pull < _SIGMAS else (f"energy is not conserved: {found}", "")


_QUESTIONS: dict[str, Callable[[Subject, Client], tuple[str, str]]] = {
    "golden showers": _golden,
    "noise": _noise,
    "threads and batches": _threads,
    "ends of the ranges": _ends,
    "energies": _physics,
}
