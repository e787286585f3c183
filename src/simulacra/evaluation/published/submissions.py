"""The published numbers as they are: one row per submission and data set, with errors."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

from ...data.geometry import Geometry, geometry
from ...errors import UnknownNameError

__all__ = ["DATASETS", "FULL_SIMULATION", "Submission", "dataset_of", "published"]

DATASETS: Mapping[str, str] = MappingProxyType(
    {
        "ds1_photons": "calochallenge-1-photons",
        "ds1_pions": "calochallenge-1-pions",
        "ds2": "calochallenge-2",
        "ds3": "calochallenge-3",
    }
)
"""Keys of the data sets and the names of their geometries."""

FULL_SIMULATION = "GEANT4"
"""Name of the row in which full simulation was judged against full simulation: the floor."""

_TABLES = ("scores.csv", "separations.csv")
_ERROR = "_error"


@dataclass(frozen=True)
class Submission:
    """One row of the published tables.

    Args:
        dataset: ``ds1_photons``, ``ds1_pions``, ``ds2`` or ``ds3``.
        identity: its number in the challenge.
        name: its name there; :data:`FULL_SIMULATION` for the floor.
        numbers: column to value and error (one standard deviation) in the column's unit; nan
            where nothing is published.
    """

    dataset: str
    identity: int
    name: str
    numbers: Mapping[str, tuple[float, float]]

    def value(self, column: str) -> float:
        """Return a published number in the unit of its column; nan if there is none."""
        return self.numbers.get(column, (math.nan, math.nan))[0]

    def error(self, column: str) -> float:
        """Return one standard deviation of :meth:`value`; nan if none is published."""
        return self.numbers.get(column, (math.nan, math.nan))[1]

    @property
    def is_floor(self) -> bool:
        """True for full simulation judged against full simulation."""
        return self.name == FULL_SIMULATION


def published(dataset: str) -> tuple[Submission, ...]:
    """Return the submissions of one data set in the order of the challenge, the floor first.

    Krause et al., "CaloChallenge 2022: A Community Challenge for Fast Calorimeter Simulation",
    2024, https://arxiv.org/abs/2410.21611.

    Args:
        dataset: a key of :data:`DATASETS`.

    Raises:
        UnknownNameError: if there is no such data set.

    Example:
        >>> [row.name for row in published("ds2") if row.value("auc_low_level") < 0.55]
        ['GEANT4', 'CaloDREAM']
    """
    if dataset not in DATASETS:
        raise UnknownNameError("data set with published results", dataset, DATASETS)
    return tuple(row for row in _all() if row.dataset == dataset)


def dataset_of(detector: Geometry) -> str | None:
    """Return the key of the data set with a detector's voxels; None for other detectors.

    The voxels alone decide: another simulation in the same layout has the same key.
    """
    return next((k for k, n in DATASETS.items() if geometry(n).digest == detector.digest), None)


@cache
def _all() -> tuple[Submission, ...]:
    merged: dict[tuple[str, int, str], dict[str, float]] = {}
    for table in _TABLES:
        for row in _rows(table):
            who = (row.pop("dataset"), int(row.pop("identity")), row.pop("submission"))
            numbers = {name: float(text) if text else math.nan for name, text in row.items()}
            merged.setdefault(who, {}).update(numbers)
    return tuple(
        Submission(*who, MappingProxyType(_paired(numbers))) for who, numbers in merged.items()
    )


def _rows(table: str) -> list[dict[str, Any]]:
    text = (files(__package__) / table).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


def _paired(numbers: dict[str, float]) -> dict[str, tuple[float, float]]:
    return {
        name: (value, numbers.get(name + _ERROR, math.nan))
        for name, value in numbers.items()
        if not name.endswith(_ERROR)
    }
