r"""Where particles enter a calorimeter around a solenoid: helices and straight lines to a cylinder.

In a field B along z a particle of charge q moves on a circle of curvature
:math:`\kappa = 0.2998\,q B / p_T`, with :math:`p_T` in MeV, B in T and :math:`1/\kappa` in mm;
seen from +z, a positive charge turns clockwise. With :math:`r_0` the vertex and u, w the unit
vectors along the transverse momentum and to its right, the circle meets :math:`|r| = \rho` after
turning by :math:`\alpha`, where :math:`x = (2/\kappa) \tan(\alpha/2)` solves

.. math:: x^2 (1 + \kappa\, r_0 w + \kappa^2 C / 4) + 2 x\, r_0 u + C = 0, \qquad
          C = r_0^2 - \rho^2,

which is the equation of the straight line when :math:`\kappa = 0`. Energy loss, and the field
outside the cylinder, are left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Cylinder", "entry"]

Array = NDArray[Any]

_MEV_PER_TESLA_MM = 0.299792458


@dataclass(frozen=True)
class Cylinder:
    """The volume in which tracks bend; the calorimeter begins at its surface.

    Args:
        radius: in mm.
        half_length: in mm.
        field: of the solenoid, along z, in tesla.
    """

    radius: float
    half_length: float
    field: float


def entry(momentum: Array, charge: Array, vertex: Array, volume: Cylinder) -> Array:
    """Return where particles leave a cylinder.

    Args:
        momentum: px, py, pz in MeV, shape ``(particles, 3)``.
        charge: in units of e, shape ``(particles,)``.
        vertex: where each is made, in mm, shape ``(particles, 3)``; a particle made outside
            enters there.
        volume: the cylinder, around the origin.

    Returns:
        In mm, shape ``(particles, 3)``; nan for a particle that turns for ever.
    """
    pt = np.hypot(momentum[:, 0], momentum[:, 1])
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        along = momentum[:, :2] / pt[:, None]
        right = np.stack([along[:, 1], -along[:, 0]], axis=1)
        curvature = _MEV_PER_TESLA_MM * volume.field * charge / pt
        slope = momentum[:, 2] / pt
        side = _to_radius(vertex[:, :2], along, right, curvature, volume.radius)
        end = (np.copysign(volume.half_length, slope) - vertex[:, 2]) / slope
        path = np.fmin(side, np.where(slope == 0, np.nan, end))
        half = curvature * path / 2
        forward = path * np.sinc(2 * half / np.pi)
        aside = path * np.sin(half) * np.sinc(half / np.pi)
        flat = vertex[:, :2] + along * forward[:, None] + right * aside[:, None]
        out = np.column_stack([flat, vertex[:, 2] + slope * path])
    along_beam = pt == 0
    out[along_beam] = vertex[along_beam]
    out[along_beam, 2] = np.copysign(volume.half_length, momentum[along_beam, 2])
    outside = np.hypot(vertex[:, 0], vertex[:, 1]) >= volume.radius
    outside |= np.abs(vertex[:, 2]) >= volume.half_length
    out[outside] = vertex[outside]
    return np.asarray(out)


def _to_radius(start: Array, along: Array, right: Array, curvature: Array, radius: float) -> Array:
    """Return the length of the path, seen along the beam, to a radius; nan if it is not reached."""
    b = (start * along).sum(1)
    c = (start**2).sum(1) - radius**2
    a = 1 + curvature * (start * right).sum(1) + curvature**2 * c / 4
    denominator = b + np.sqrt(b**2 - a * c)  # nan without a solution
    straight = -c / denominator
    turned = 2 * np.arctan2(-c * np.abs(curvature) / 2, denominator)
    path: Array = np.where(curvature == 0, straight, turned / np.abs(curvature))
    return path
