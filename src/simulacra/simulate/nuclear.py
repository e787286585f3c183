r"""Approximate nuclear cross sections, where Geant4's official ones are not there.

Geant4 will not start without tables for the nuclear absorption of photons and for neutrons. These
stand in: a giant dipole resonance and quasi-deuterons for photons (above 150 MeV Geant4 has its own
formula), an absorbing sphere and 1/v capture for neutrons up to 20 MeV. An electromagnetic shower
loses well below 1 % of its energy to nuclei, so there they matter little. **A hadronic shower made
with them is approximate**: slow neutrons carry several per cent of its energy.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..execute import atomic_path
from .rendering import vector

__all__ = ["mass_number", "neutron_sections", "photonuclear_section", "render_nuclear"]

FloatArray = NDArray[np.float64]

ELEMENTS = range(1, 95)

_MILLIBARN = 1e-25  # mm^2
_FM2 = 1e-24  # mm^2
_THERMAL_MEV = 2.53e-8
_LARGEST_MEV = 20.0

_THERMAL_CAPTURE_BARN = {
    **{1: 0.333, 6: 0.0035, 7: 1.9, 8: 0.0002, 13: 0.231, 14: 0.171, 18: 0.675, 24: 3.05},
    **{25: 13.3, 26: 2.56, 28: 4.49, 29: 3.78, 53: 6.15, 55: 29.0, 74: 18.3, 82: 0.171, 92: 7.57},
}
"""At 0.0253 eV, rounded from V. Sears, Neutron News 3 (1992) 26; 1 barn for the others."""


def mass_number(number: int) -> float:
    """Return the mass number on the line of stability, within a few per cent.

    From the semi-empirical mass formula, Z = A / (1.98 + 0.0155 A^(2/3)), solved for A.
    """
    if number == 1:
        return 1.0
    mass = 2.0 * number
    for _ in range(30):
        mass = number * (1.98 + 0.0155 * mass ** (2 / 3))
    return mass


def photonuclear_section(number: int, energy: FloatArray) -> FloatArray:
    r"""Return the cross section of photons on nuclei below 150 MeV in mm^2.

    A Lorentz line at :math:`31.2 A^{-1/3} + 20.6 A^{-1/6}` MeV with the strength of the sum rule,
    and the quasi-deuteron of Levinger. Sources: B. Berman, S. Fultz, Rev. Mod. Phys. 47 (1975) 713;
    M. Chadwick et al., Phys. Rev. C 44 (1991) 814.

    Args:
        number: atomic number.
        energy: of the photon in MeV, any shape.
    """
    mass = mass_number(number)
    pairs = (mass - number) * number / mass
    line = 31.2 * mass ** (-1 / 3) + 20.6 * mass ** (-1 / 6)
    width = 0.026 * line**1.91
    peak = 1.2 * 60.0 * pairs * 2 / (np.pi * width)
    squared = energy**2 * width**2
    resonance = peak * squared / ((energy**2 - line**2) ** 2 + squared)
    safe = np.maximum(energy, 2.3)
    deuteron = 61.2 * (safe - 2.224) ** 1.5 / safe**3
    quasi = 6.5 * pairs * deuteron * np.exp(-60.0 / safe)
    section: FloatArray = np.where(energy > 7.0, resonance + quasi, 0.0) * _MILLIBARN
    return section


def neutron_sections(number: int, energy: FloatArray) -> dict[str, FloatArray]:
    """Return the cross sections of neutrons up to 20 MeV in mm^2 by Geant4's names.

    Args:
        number: atomic number.
        energy: of the neutron in MeV, any shape.
    """
    mass = mass_number(number)
    wavelength = 4.55 / np.sqrt(np.maximum(energy, 1e-3))  # reduced, fm
    radius = 1.35 * mass ** (1 / 3)
    threshold = 1.0 if mass < 100 else 0.5
    opened = 1.0 - np.exp(-np.maximum(energy - threshold, 0.0))
    inelastic = np.pi * (radius + wavelength) ** 2 * opened * (0.0 if number == 1 else 1.0)
    slow = 2043.0 if number == 1 else 4 * np.pi * radius**2
    total = np.minimum(slow, 2 * np.pi * (radius + wavelength) ** 2)
    capture = 100 * _THERMAL_CAPTURE_BARN.get(number, 1.0) * np.sqrt(_THERMAL_MEV / energy)
    return {
        "inel": inelastic * _FM2,
        "el": np.maximum(total - inelastic, 0.2 * total) * _FM2,
        "cap": np.minimum(capture, 1e6) * _FM2,
    }


def render_nuclear(folder: Path) -> None:
    """Write the tables of all elements, at once or not at all.

    Args:
        folder: what Geant4 is told as ``G4PARTICLEXSDATA``; nothing is done if it is there.

    Raises:
        OutputError: if it cannot be written.
    """
    if folder.is_dir():
        return
    photon = np.linspace(0.0, 130.0, 261)
    neutron = np.geomspace(1e-11, _LARGEST_MEV, 247)
    try:
        with atomic_path(folder) as temporary:
            for name in ("gamma", "neutron"):
                (temporary / name).mkdir(parents=True)
            for number in ELEMENTS:
                text = vector(photon, photonuclear_section(number, photon))
                (temporary / "gamma" / f"inel{number}").write_text(text)
                for name, section in neutron_sections(number, neutron).items():
                    text = vector(neutron, section)
                    (temporary / "neutron" / f"{name}{number}").write_text(text)
    except OSError:
        if not folder.is_dir():  # else another process was faster, with the same numbers
            raise
