"""Parts of the phase space in which two samples are compared once more: energy, angle, particle."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import RangeError
from .observables import ShowerObservables

__all__ = ["FEWEST_SHOWERS", "Region", "Regions", "regions"]

Array = NDArray[Any]
Mask = NDArray[np.bool_]

FEWEST_SHOWERS = 50
"""Showers of each sample that a region needs."""

_MOST_ENERGIES = 15  # so many different incident energies are taken one by one
_ANGLES = {"theta": "polar angle", "phi": "azimuth"}
_ANGLE_BINS = 3
_PARTICLES = {11: "electrons", -11: "positrons", 22: "photons", 211: "pi+", -211: "pi-", 111: "pi0"}


@dataclass(frozen=True, eq=False)
class Region:
    """A part of the phase space and the showers in it.

    Args:
        key: short name, appended to the names of its scores, for example ``energy-0``.
        words: what it is, for example ``incident energy 1 to 4 GeV``.
        mask_reference: which reference showers it holds, shape ``(events_reference,)``.
        mask_generated: which generated showers it holds, shape ``(events_generated,)``.
    """

    key: str
    words: str
    mask_reference: Mask
    mask_generated: Mask


class Regions(NamedTuple):
    """The regions of a comparison.

    Attributes:
        kept: regions with enough showers.
        skipped: sentences about those without.
    """

    kept: tuple[Region, ...]
    skipped: tuple[str, ...]


def regions(reference: ShowerObservables, generated: ShowerObservables, bins: int = 4) -> Regions:
    """Divide the phase space by incident energy, and by angle and particle where files have them.

    The incident energy is divided at quantiles of the reference, rounded to numbers of few
    digits; up to 15 different energies are taken one by one. Polar angle and azimuth are divided
    into three parts, particles are taken one by one. Each region is a cut on one of them: showers
    lie in several regions. A condition that has one value only makes no region.

    Args:
        reference: the reference.
        generated: the generated showers; what lies beyond the reference's range falls into the
            outermost regions.
        bins: number of regions of the incident energy.

    Returns:
        The regions with at least 50 showers of each sample, and a sentence for each other one.

    Raises:
        RangeError: if there is no bin.
    """
    if bins < 1:
        raise RangeError(f"regions: expected at least one bin of incident energy, got {bins}.")
    found = list(_energies(reference.incident_energy, generated.incident_energy, bins))
    for name, words in _ANGLES.items():
        if name in reference.conditions and name in generated.conditions:
            columns = reference.conditions[name], generated.conditions[name]
            found += _divided(*columns, _ANGLE_BINS, name, words, _radians)
    if "pdg" in reference.conditions and "pdg" in generated.conditions:
        found += _particles(reference.conditions["pdg"], generated.conditions["pdg"])
    kept, skipped = [], []
    for region in found:
        counts = {
            "reference": int(region.mask_reference.sum()),
            "generated": int(region.mask_generated.sum()),
        }
        few = [f"{n} {role}" for role, n in counts.items() if n < FEWEST_SHOWERS]
        if few:
            skipped.append(
                f"{region.words}: {' and '.join(few)} showers, fewer than {FEWEST_SHOWERS}; no "
                "scores there"
            )
        else:
            kept.append(region)
    return Regions(tuple(kept), tuple(skipped))


def _energies(reference: Array, generated: Array, bins: int) -> Iterator[Region]:
    single = np.unique(reference)
    if len(single) > _MOST_ENERGIES:
        yield from _divided(reference, generated, bins, "energy", "incident energy", _gev)
    elif len(single) > 1:
        for number, energy in enumerate(single):
            words = f"incident energy {_gev(float(energy))[0]} {_gev(float(energy))[1]}"
            near = 1e-4 * float(energy)  # a file in float32 rounds
            yield Region(
                f"energy-{number}",
                words,
                reference == energy,
                np.abs(generated - energy) <= near,
            )


def _divided(
    reference: Array,
    generated: Array,
    bins: int,
    key: str,
    words: str,
    written: Callable[[float], tuple[str, str]],
) -> Iterator[Region]:
    """Divide at rounded quantiles of the reference; the outermost regions are open."""
    edges = _readable_edges(reference, bins)
    if len(edges) < 3:
        return
    for number, (low, high) in enumerate(pairwise(edges)):
        a, b = written(low), written(high)
        start = a[0] if a[1] == b[1] else " ".join(a)
        first, last = number == 0, number == len(edges) - 2
        yield Region(
            f"{key}-{number}",
            f"{words} {start} to {b[0]} {b[1]}",
            *(
                (np.full(len(x), first) | (x >= low)) & (np.full(len(x), last) | (x < high))
                for x in (reference, generated)
            ),
        )


def _readable_edges(values: Array, bins: int) -> list[float]:
    """Return quantiles of few digits between the ends; as few as there are different ones."""
    ordered = np.sort(np.asarray(values, np.float64))
    wanted = np.arange(1, bins) / bins
    inner: list[float] = []
    for digits in range(1, 5):
        inner = [float(f"{q:.{digits}g}") for q in np.quantile(ordered, wanted)]
        below = np.searchsorted(ordered, inner) / len(ordered)
        if (np.abs(below - wanted) < 0.2 / bins).all():
            break
    low, high = float(ordered[0]), float(ordered[-1])
    ends = [float(f"{end:.2g}") for end in (low, high)]
    return [ends[0], *sorted({q for q in inner if low < q < high}), ends[1]]


def _particles(reference: Array, generated: Array) -> Iterator[Region]:
    numbers = np.unique(reference)
    if len(numbers) > 1:
        for number in numbers.tolist():
            name = _PARTICLES.get(int(number), f"particles with PDG number {int(number)}")
            yield Region(f"pdg-{int(number)}", name, reference == number, generated == number)


def _gev(mev: float) -> tuple[str, str]:
    if mev >= 1e6:
        return f"{mev / 1e6:.3g}", "TeV"
    return (f"{mev / 1e3:.3g}", "GeV") if mev >= 1e3 else (f"{mev:.3g}", "MeV")


def _radians(angle: float) -> tuple[str, str]:
    return f"{angle:.3g}", "rad"
