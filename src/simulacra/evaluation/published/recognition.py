"""Is the reference the challenge's own? Only then may numbers be ranked among published ones."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from ...data.catalog import CatalogFile, dataset
from ...data.geometry import Geometry
from ..verdict import Verdict
from .submissions import DATASETS, dataset_of

__all__ = ["Recognition", "recognise"]

_POWERS = range(8, 23)  # data set 1: incident energies of 2^8 to 2^22 MeV
_ELECTRONS = (1e3, 1e6)  # data sets 2 and 3: 1 GeV to 1 TeV, in MeV
_HIGH_ENERGY = 1e5  # some of a few showers of a log-uniform spectrum to 1 TeV lie above 100 GeV


@dataclass(frozen=True)
class Recognition:
    """What a reference has in common with a data set of the challenge.

    Args:
        dataset: key of the published tables; the voxels are those of this data set.
        own: whether the reference is taken for the challenge's own evaluation showers.
        how: by what it was recognised, in words; ``""`` if it was not.
        doubts: what speaks against it, one sentence each.
    """

    dataset: str
    own: bool
    how: str
    doubts: tuple[str, ...]


def recognise(verdict: Verdict) -> Recognition | None:
    """Compare a verdict's reference with the challenge's evaluation files.

    A digest decides where the catalog knows one of the same kind. Otherwise the number of showers,
    the incident energies of the example showers and what the file says about its origin must all
    fit. *It cannot see* another simulation with the same number of showers and energies that says
    nothing of itself.

    Returns:
        None if the detector has not the voxels of a data set of the challenge.
    """
    key = dataset_of(Geometry.from_dict(dict(verdict.geometry)))
    if key is None:
        return None
    wanted = [f for f in dataset(DATASETS[key]).files if f.part == "evaluation"]
    digest = verdict.reference.sha256
    if digest and any(f.digest == f"sha256:{digest}" for f in wanted):
        return Recognition(key, True, "by the digest of its file", ())
    doubts = tuple(_doubts(verdict, key, wanted))
    how = "by its number of showers and their incident energies (no digest was compared)"
    return Recognition(key, not doubts, "" if doubts else how, doubts)


def _doubts(verdict: Verdict, key: str, wanted: list[CatalogFile]) -> Iterator[str]:
    expected = sum(file.events for file in wanted)
    if verdict.reference.events != expected:
        yield (
            f"the reference has {verdict.reference.events:,} showers, the challenge's evaluation "
            f"set has {expected:,}"
        )
    origin = [name for name in verdict.reference.provenance if "simulation" in name.lower()]
    if origin:
        yield "the reference's file names a simulation of its own"
    energies = [e.reference_incident_energy for e in verdict.examples]
    if not energies:
        yield "the verdict holds no example shower whose incident energy could be checked"
    elif not _energies_fit(key, energies):
        yield f"incident energies such as {energies[0]:,.6g} MeV are not those of the challenge"


def _energies_fit(key: str, energies: list[float]) -> bool:
    if key.startswith("ds1"):
        return all(_is_power(energy) for energy in energies)
    low, high = _ELECTRONS
    inside = all(low * (1 - 1e-3) <= energy <= high * (1 + 1e-3) for energy in energies)
    return inside and (len(energies) < 3 or max(energies) > _HIGH_ENERGY)


def _is_power(energy: float) -> bool:
    if not energy > 0:
        return False
    power = math.log2(energy)
    return abs(power - round(power)) < 1e-3 and round(power) in _POWERS
