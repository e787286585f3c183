"""Bands of a condition that a training leaves out, so that interpolation can be measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ...data import PointShowers, VoxelShowers
from ...errors import ConfigError, RangeError, UnitError
from ...units import parse_energy

__all__ = ["Bands", "checked_bands", "outside", "parse_bands"]

Bands = Mapping[str, tuple[float, float]]
"""Low and high by the condition's name in files, in MeV, rad or mm; the upper end is not in it."""


def parse_bands(texts: Sequence[str]) -> dict[str, tuple[float, float]]:
    """Read bands as a person writes them.

    Args:
        texts: ``NAME=LOW:HIGH`` each; ``energy`` may have units, see
            :func:`~simulacra.units.parse_energy`.

    Raises:
        ConfigError: if a text is not of this form, or a name stands twice.
        UnitError: if an end of a band of energies is none.

    Example:
        >>> parse_bands(["energy=8GeV:12GeV", "theta=0.1:0.2"])
        {'incident_energy': (8000.0, 12000.0), 'theta': (0.1, 0.2)}
    """
    found: dict[str, tuple[float, float]] = {}
    for text in texts:
        name, _, band = text.partition("=")
        low, _, high = band.partition(":")
        energy = name in ("energy", "incident_energy")
        try:
            if not (name and low and high):
                raise ValueError
            ends = (parse_energy(low), parse_energy(high)) if energy else (float(low), float(high))
        except UnitError:
            raise
        except ValueError:
            raise ConfigError(f"expected a band NAME=LOW:HIGH, found {text!r}.") from None
        name = "incident_energy" if energy else name
        if name in found:
            raise ConfigError(f"{name}: expected one band of each condition, found two.")
        found[name] = ends
    return found


def checked_bands(bands: Bands, conditions: Sequence[str]) -> dict[str, tuple[float, float]]:
    """Return bands of conditions that a model depends on.

    Args:
        bands: see :data:`Bands`.
        conditions: what the model depends on besides the incident energy.

    Raises:
        ConfigError: if the model does not depend on one of them.
        RangeError: if a band is empty.
    """
    for name, (low, high) in bands.items():
        known = ("incident_energy", *conditions)
        if name not in known or name == "pdg":
            raise ConfigError(
                f"{name}: expected a band of a number that the model depends on, which are "
                f"{', '.join(n for n in known if n != 'pdg')}."
            )
        if not low < high:
            raise RangeError(f"{name}: expected a band from low to high, got {low:g} to {high:g}.")
    return {name: (float(low), float(high)) for name, (low, high) in bands.items()}


def outside(bands: Bands, showers: VoxelShowers | PointShowers) -> NDArray[np.bool_]:
    """Tell which showers lie in no band, ``(events,)``."""
    kept = np.ones(len(showers), bool)
    for name, (low, high) in bands.items():
        energy = name == "incident_energy"
        at = showers.incident_energy if energy else showers.conditions[name]
        kept &= ~((at >= low) & (at < high))
    return kept
