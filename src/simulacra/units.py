"""MeV, mm, ns and rad are 1; every conversion of the project is a factor from this page."""

from __future__ import annotations

import re

from .errors import UnitError

__all__ = ["GeV", "MeV", "TeV", "cm", "degree", "eV", "keV", "m", "mm", "ns", "parse_energy", "rad"]

eV = 1e-6
keV = 1e-3
MeV = 1.0
GeV = 1e3
TeV = 1e6

mm = 1.0
cm = 10.0
m = 1000.0

ns = 1.0

rad = 1.0
degree = 0.017453292519943295

_ENERGY_UNITS = {"eV": eV, "keV": keV, "MeV": MeV, "GeV": GeV, "TeV": TeV}
_ENERGY = re.compile(r"\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*([A-Za-z]*)\s*")


def parse_energy(text: str) -> float:
    """Read an energy as a person writes it; a bare number is in MeV.

    Args:
        text: for example ``"2GeV"``, ``"512 MeV"`` or ``"1024"``.

    Returns:
        The energy in MeV.

    Raises:
        UnitError: if the text is not a number followed by one of eV, keV, MeV, GeV, TeV.

    Example:
        >>> parse_energy("2GeV")
        2000.0
    """
    match = _ENERGY.fullmatch(text)
    unit = match.group(2) if match else ""
    if match is None or (unit and unit not in _ENERGY_UNITS):
        raise UnitError(
            f"expected an energy such as `2GeV` or `512` (MeV), found {text!r}; "
            f"known units: {', '.join(_ENERGY_UNITS)}."
        )
    return float(match.group(1)) * _ENERGY_UNITS[unit or "MeV"]
