"""The incident particles of a set: drawn from a spectrum, or those of a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ...data import ShowerFile
from ...errors import FileFormatError, RangeError
from ...random import Stream, uniform

__all__ = ["Particles", "particles_like", "spectrum"]

Array = NDArray[Any]
_LARGEST_SET = 10**9  # 4 GB of incident energies
_ENERGIES_AT_ONCE = 2**20


@dataclass(frozen=True, eq=False)
class Particles:
    """The incident particles of a whole set, of which a shard may draw a part.

    Args:
        incident_energy: in MeV, ``(events,)``.
        conditions: further conditions by name, ``(events,)`` each.
        weight: event weights, ``(events,)``, if they have any.
    """

    incident_energy: Array
    conditions: dict[str, Array]
    weight: Array | None = None

    def __len__(self) -> int:
        return len(self.incident_energy)


def spectrum(
    low: float, high: float, events: int, *, seed: int, shape: Literal["log", "uniform"] = "log"
) -> Particles:
    """Draw incident energies, each a function of the seed and its number.

    Args:
        low: smallest energy in MeV, positive.
        high: largest energy in MeV.
        events: how many.
        seed: identity of the set.
        shape: ``log`` is flat in the logarithm of the energy, ``uniform`` in the energy.

    Raises:
        RangeError: if the range is empty or not positive, or ``events`` is below 1 or above 1e9.
    """
    if not 0 < low <= high:
        raise RangeError(
            f"energy: expected a range of positive energies, got {low:g} to {high:g} MeV."
        )
    if events < 1:
        raise RangeError(f"events: expected at least 1 shower, got {events}.")
    if events > _LARGEST_SET:
        raise RangeError(
            f"events: expected at most {_LARGEST_SET:g} showers in one set, got {events}; draw "
            "several sets with different seeds."
        )
    energy = np.empty(events, np.float32)
    for first in range(0, events, _ENERGIES_AT_ONCE):
        numbers = np.arange(first, min(first + _ENERGIES_AT_ONCE, events))
        u = uniform(seed, numbers, 1, stream=Stream.INCIDENT_ENERGY, dtype=np.float64)[:, 0]
        drawn = low * (high / low) ** u if shape == "log" else low + (high - low) * u
        energy[first : first + len(u)] = np.clip(drawn, low, high)
    return Particles(energy, {})


def particles_like(file: ShowerFile, conditions: Sequence[str]) -> Particles:
    """Take the incident particles of a file, so that both can be compared shower by shower.

    Raises:
        FileFormatError: if the file lacks a condition.
    """
    columns = file.columns()
    missing = [name for name in conditions if name not in columns]
    if missing:
        raise FileFormatError(
            f"{file.path}: the model depends on {', '.join(missing)}, which the file does not have."
        )
    return Particles(
        columns["incident_energy"].astype(np.float32),
        {name: columns[name].astype(np.float32) for name in conditions},
        columns.get("weight"),
    )
