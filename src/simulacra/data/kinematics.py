"""Four-momenta along a beam: transverse momentum, pseudorapidity, azimuth, mass; MeV and rad."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "azimuth",
    "azimuth_difference",
    "energy",
    "from_cylinder",
    "pseudorapidity",
    "rapidity",
    "transverse_momentum",
]

Array = NDArray[Any]
Momenta = Mapping[str, Array]
"""Columns ``px``, ``py``, ``pz`` and ``mass`` of one length, in MeV."""


def transverse_momentum(p: Momenta) -> Array:
    r"""Return :math:`p_T = \sqrt{p_x^2 + p_y^2}` in MeV, float64."""
    return np.hypot(_double(p, "px"), _double(p, "py"))


def azimuth(p: Momenta) -> Array:
    r"""Return :math:`\phi` in rad, in :math:`[-\pi, \pi]`, float64."""
    return np.arctan2(_double(p, "py"), _double(p, "px"))


def pseudorapidity(p: Momenta) -> Array:
    r"""Return :math:`\eta = \operatorname{arsinh}(p_z / p_T)`, float64; infinite along the beam."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.arcsinh(_double(p, "pz") / transverse_momentum(p))


def rapidity(p: Momenta) -> Array:
    r"""Return :math:`y = \operatorname{arsinh}(p_z / \sqrt{p_T^2 + m^2})`, float64."""
    across = np.hypot(transverse_momentum(p), _double(p, "mass"))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.arcsinh(_double(p, "pz") / across)


def energy(p: Momenta) -> Array:
    r"""Return :math:`E = \sqrt{p^2 + m^2}` in MeV, float64."""
    squares = [_double(p, name) ** 2 for name in ("px", "py", "pz", "mass")]
    return np.asarray(np.sqrt(squares[0] + squares[1] + squares[2] + squares[3]))


def from_cylinder(pt: Array, eta: Array, phi: Array, mass: Array) -> dict[str, Array]:
    """Return the columns of momenta given along the beam.

    Args:
        pt: transverse momentum in MeV.
        eta: pseudorapidity.
        phi: azimuth in rad.
        mass: in MeV.
    """
    along = {"px": pt * np.cos(phi), "py": pt * np.sin(phi), "pz": pt * np.sinh(eta)}
    return {**along, "mass": np.asarray(mass)}


def azimuth_difference(a: Array, b: Array) -> Array:
    r"""Return :math:`\phi_a - \phi_b` in rad, in :math:`[-\pi, \pi)`."""
    return np.asarray(np.mod(a - b + np.pi, 2 * np.pi) - np.pi)


def _double(p: Momenta, name: str) -> Array:
    return np.asarray(p[name], np.float64)
