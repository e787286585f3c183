"""Geant4's electromagnetic tables of an element, rendered from the PENELOPE database.

The database comes with the optional package ``pypenred`` (PENELOPE-2018: F. Salvat, "PENELOPE-2018:
A code system for Monte Carlo simulation of electron and photon transport", NEA/MBDAV/R(2019)1),
which is called at run time. What is written here are numbers on the user's own disk in the layout
that Geant4 11 reads: bremsstrahlung of S. Seltzer and M. Berger (doi:10.1016/0092-640X(86)90014-8),
photoelectric cross sections by shell, Rayleigh scattering. Nothing of it comes with this package.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DependencyError, FileFormatError
from ..execute import atomic_text

__all__ = ["RENDERING", "ElementData", "element_data", "render_element", "vector"]

FloatArray = NDArray[np.float64]

RENDERING = 1
"""Version of the rendering; it is part of every run's identity."""

_CM2_TO_BARN = 1e24
_CM2_TO_MM2 = 100.0
_EV_TO_MEV = 1e-6

_REDUCED_PHOTON_ENERGIES = (
    *(0.0, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65),
    *(0.7, 0.75, 0.8, 0.85, 0.9, 0.925, 0.95, 0.97, 0.99, 0.995, 0.999, 0.9995, 0.9999, 0.99995),
    *(0.99999, 1.0),
)
"""The grid k/T on which PENELOPE tabulates bremsstrahlung; its first point stands for 0."""

_FIT_ABOVE = 0.5  # MeV; from here on Geant4 takes a polynomial in 1/E, below it interpolates
_MOST_SHELLS = 9


@dataclass(frozen=True)
class ElementData:
    """Cross sections of one element.

    Args:
        number: atomic number.
        electron_energy: kinetic energies in MeV, shape ``(energies,)``.
        bremsstrahlung: (beta^2 / Z^2) k dsigma/dk in mb, shape ``(energies, 32)``.
        photon_energy: in MeV, shape ``(photon_energies,)``.
        photoelectric: total in barn, shape ``(photon_energies,)``.
        shells: photoelectric cross section by shell in barn, ``(photon_energies, shells)``.
        rayleigh_energy: in MeV, shape ``(rayleigh_energies,)``.
        rayleigh: cross section in cm^2, shape ``(rayleigh_energies,)``.
    """

    number: int
    electron_energy: FloatArray
    bremsstrahlung: FloatArray
    photon_energy: FloatArray
    photoelectric: FloatArray
    shells: FloatArray
    rayleigh_energy: FloatArray
    rayleigh: FloatArray


def element_data(number: int) -> ElementData:
    """Ask pypenred for the cross sections of an element; takes about 0.3 s.

    Args:
        number: atomic number, 1 to 99.

    Raises:
        DependencyError: if pypenred is not installed.
        FileFormatError: if it answers in a layout that is not known here.
    """
    try:
        import pyPenred
    except ImportError:
        raise DependencyError(
            "rendering Geant4's electromagnetic tables needs the package pypenred; "
            "pip install 'simulacra[geant4]', or name official tables with --tables."
        ) from None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "element.mat"
        pyPenred.simulation.materials.create(f"Z{number}", 1.0, [(number, 1.0)], str(path))
        lines = path.read_text(encoding="latin-1").splitlines()
    try:
        return _parsed(number, lines)
    except (KeyError, ValueError, IndexError) as error:
        raise FileFormatError(
            f"the table of element {number} from pypenred is not in the layout of PENELOPE-2018 "
            f"({error!r}); install the version that constraints.txt names."
        ) from None


def render_element(data: ElementData, folder: Path) -> None:
    """Write the files of one element that Geant4's standard electromagnetic physics reads.

    Args:
        data: of the element.
        folder: what Geant4 is told as ``G4LEDATA``.

    Raises:
        OutputError: if a file cannot be written.
    """
    z = data.number
    atomic_text(folder / "brem_SB" / f"br{z}", _bremsstrahlung(data))
    for name, text in _photoelectric(data).items():
        atomic_text(folder / "epics2017" / "phot" / f"pe-{name}-{z}.dat", text)
    energy, unique = np.unique(data.rayleigh_energy, return_index=True)
    scaled = data.rayleigh[unique] * _CM2_TO_MM2 * energy**2
    atomic_text(folder / "epics2017" / "rayl" / f"re-cs-{z}.dat", vector(energy, scaled))


def vector(energy: FloatArray, value: FloatArray) -> str:
    """Return the text from which Geant4 reads a table of numbers: range, size, pairs."""
    head = f"{energy[0]:.10g} {energy[-1]:.10g} {len(energy)}\n{len(energy)}\n"
    return head + _pairs(energy, value)


def _pairs(energy: FloatArray, value: FloatArray) -> str:
    return "".join(f"{e:.10g} {v:.8g}\n" for e, v in zip(energy, value, strict=True))


def _bremsstrahlung(data: ElementData) -> str:
    grid = " ".join(f"{k:g}" for k in _REDUCED_PHOTON_ENERGIES)
    energies = " ".join(f"{e:.9g}" for e in np.log(data.electron_energy))
    rows = "\n".join(" ".join(f"{v:.6g}" for v in row) for row in data.bremsstrahlung)
    size = f"0 {len(_REDUCED_PHOTON_ENERGIES)} {len(data.electron_energy)}"
    return f"{size}\n{grid}\n{energies}\n{rows}\n"


def _photoelectric(data: ElementData) -> dict[str, str]:
    """Return the texts of the photoelectric files by their short names."""
    energy, total = data.photon_energy, data.photoelectric
    edges = _edges(data)
    chosen = sorted(edges, key=lambda shell: -edges[shell])[:_MOST_SHELLS]
    k_edge = edges[chosen[0]]
    above = (energy >= k_edge) & (energy <= _FIT_ABOVE * 1.05)
    texts = {"cs": vector(energy[above], (total * energy**3)[above])}
    rows = _fit_by_shell(data, chosen, edges)
    texts |= dict.fromkeys(("high", "low"), rows)
    if len(chosen) > 1:
        texts["ss-cs"] = "".join(
            _one_shell(energy, data.shells[:, shell], edges[shell], place)
            for place, shell in enumerate(chosen)
        )
        low = (energy < k_edge) & (energy >= 0.99 * min(edges[shell] for shell in chosen))
        low = low if low.sum() > 1 else energy < k_edge
        texts["le-cs"] = vector(energy[low], (total * energy**3)[low])
    return texts


def _edges(data: ElementData) -> dict[int, float]:
    """Return from which energy in MeV each shell absorbs; one nominal shell if none is known."""
    found = {}
    for shell in range(data.shells.shape[1]):
        absorbing = np.flatnonzero(data.shells[:, shell] > 0)
        if len(absorbing):
            found[shell] = float(data.photon_energy[absorbing[0]])
    return found or {0: max(13.6 * _EV_TO_MEV, float(data.photon_energy[0]))}


def _fit_by_shell(data: ElementData, chosen: Sequence[int], edges: dict[int, float]) -> str:
    """Fit the total above 0.5 MeV by a polynomial in 1/E and share it among the shells.

    Geant4 reads cumulative rows, of which the last is the total.
    """
    energy, total = data.photon_energy, data.photoelectric
    fitted = energy >= _FIT_ABOVE * 0.999
    powers = np.stack([energy[fitted] ** -(q + 1.0) for q in range(6)], axis=1)
    ones = np.ones(int(fitted.sum()))
    coefficients = np.linalg.lstsq(powers / total[fitted][:, None], ones, rcond=None)[0]
    weight = np.ones(1)
    if data.shells.shape[1]:
        row = int(np.argmin(np.abs(energy - max(0.2, 1.3 * edges[chosen[0]]))))
        weight = data.shells[row, list(chosen)]
    cumulative = np.cumsum(weight / weight.sum())
    lines = [f"{len(chosen)} {len(chosen)} {_FIT_ABOVE}"]
    for shell, share in zip(chosen, cumulative, strict=True):
        numbers = " ".join(f"{c * share:.10g}" for c in coefficients)
        lines.append(f"{edges[shell]:.8g} {numbers}")
    return "\n".join(lines) + "\n"


def _one_shell(energy: FloatArray, section: FloatArray, edge: float, place: int) -> str:
    used = (energy >= edge) & (energy <= _FIT_ABOVE * 1.05)
    e = energy[used]
    return f"{e[0]:.8g} {e[-1]:.8g} {len(e)} {place}\n" + _pairs(e, (section * energy**3)[used])


def _parsed(number: int, lines: list[str]) -> ElementData:
    """Read PENELOPE's material file; each block begins with a line `` *** name, sizes``."""
    heads = {
        line.split("***")[1].split(",")[0].strip(): place
        for place, line in enumerate(lines)
        if line.startswith(" ***")
    }
    place = heads["Electron scaled bremss x-section"]
    sizes = _sizes(lines[place])
    values = _numbers(lines[place + 1 : place + 1 + 7 * sizes["NDATA"]]).reshape(-1, 34)
    photo = heads["Photoelectric cross sections"]
    columns = _sizes(lines[photo])["NSHELL"] + 2
    rows = _sizes(lines[photo])["NDATA"]
    absorbed = _numbers(lines[photo + 2 : photo + 2 + rows]).reshape(rows, columns)
    coherent = next(place for name, place in heads.items() if name.startswith("Rayleigh"))
    sizes = _sizes(lines[coherent])
    first = coherent + 1 + sizes["NQ"]
    scattered = _numbers(lines[first : first + sizes["NE"]]).reshape(sizes["NE"], -1)
    return ElementData(
        number=number,
        electron_energy=values[:, 0] * _EV_TO_MEV,
        bremsstrahlung=values[:, 1:33],
        photon_energy=absorbed[:, 0] * _EV_TO_MEV,
        photoelectric=absorbed[:, 1] * _CM2_TO_BARN,
        shells=absorbed[:, 2:] * _CM2_TO_BARN,
        rayleigh_energy=scattered[:, 0] * _EV_TO_MEV,
        rayleigh=scattered[:, 1],
    )


def _sizes(head: str) -> dict[str, int]:
    """Read ``NDATA =  57`` and its like from the head of a block."""
    words = head.replace(",", " ").replace(".", " ").replace("=", " = ").split()
    found: dict[str, int] = {}
    for name, equals, value in zip(words, words[1:], words[2:], strict=False):
        if equals == "=" and value.isdecimal():
            found[name] = int(value)
    return found


def _numbers(lines: Iterable[str]) -> NDArray[Any]:
    return np.array(" ".join(lines).split(), np.float64)
