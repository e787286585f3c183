r"""Splitting kernels with parameters D, F, C, for dipoles of one emitter and one spectator.

With z the emitter's share and :math:`y = p_i p_j / (p_i p_j + p_j p_k + p_k p_i)`, Catani and
Seymour's final-final variables,

.. math::

    P_{qq} &= C_F \left[ D_{qq} \frac{2 z (1-y)}{1 - z(1-y)} + F_{qq} (1-z)
              + C_{qq}\, y z (1-z) \right]

    P_{gg} &= 2 C_A \left[ D_{gg} \left( \frac{z(1-y)}{1-z(1-y)}
              + \frac{(1-z)(1-y)}{1-(1-z)(1-y)} \right) + F_{gg}\, z(1-z)
              + C_{gg}\, y z (1-z) \right]

    P_{gq} &= T_R \left[ F_{gq} (z^2 + (1-z)^2) + C_{gq}\, y z (1-z) \right]

QCD at leading order has D = F = 1 and C = 0. S. Bieringer et al., "Measuring QCD splittings with
invertible networks", 2020, arXiv:2012.09873; there :math:`F_{gq}` is called :math:`F_{qq}`, one
parameter with that of the quark: set both, and add the two derivatives. The dipoles: S. Catani,
M. Seymour, 1996, arXiv:hep-ph/9605323, equations 5.7 to 5.9.

A gluon has two spectators, and two gluons of a splitting are alike: so with each spectator
:math:`P_{gg}/4` applies, or, by the symmetry in z, half of it without its second pole; and
:math:`P_{gq}/2` for each flavour. These are the forms used here; gluon j (share 1 - z) then stands
between emitter and spectator.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..config import Config
from ..errors import RangeError

__all__ = [
    "NAMES",
    "TERMS",
    "Kernels",
    "bounds",
    "kernel_terms",
    "refuse_negative",
    "simple_kernels",
]

Array = NDArray[Any]

C_F, C_A, T_R = 4 / 3, 3.0, 1 / 2

NAMES = ("d_qq", "f_qq", "c_qq", "d_gg", "f_gg", "c_gg", "f_gq", "c_gq")
"""The parameters, in the order of every array that has one entry per parameter."""

TERMS = np.array([[0, 1, 2], [3, 4, 5], [-1, 6, 7]])
"""The parameters D, F and C of each kind of splitting (q to qg, g to gg, g to qq); -1: none."""


class Kernels(Config):
    """Strengths of the terms of the kernels, dimensionless; the default is QCD.

    Args:
        d_qq: soft-collinear term of q to q g.
        f_qq: its hard-collinear term.
        c_qq: its rest term, without a logarithm.
        d_gg: soft-collinear term of g to g g.
        f_gg: its hard-collinear term.
        c_gg: its rest term.
        f_gq: collinear term of g to q qbar.
        c_gq: its rest term.
    """

    d_qq: float = 1.0
    f_qq: float = 1.0
    c_qq: float = 0.0
    d_gg: float = 1.0
    f_gg: float = 1.0
    c_gg: float = 0.0
    f_gq: float = 1.0
    c_gq: float = 0.0

    def vector(self) -> NDArray[np.float64]:
        """Return the parameters in the order of :data:`NAMES`, shape ``(8,)``."""
        return np.array([getattr(self, name) for name in NAMES], np.float64)


def kernel_terms(kind: Array, z: Array, y: Array, flavours: int) -> NDArray[np.float64]:
    """Return what multiplies D, F and C, per spectator.

    Args:
        kind: 0 for q to q g, 1 for g to g g, 2 for g to q qbar, shape ``(trials,)``.
        z: share of the emitter.
        y: of the dipole.
        flavours: of quarks that a gluon may split to.

    Returns:
        Dimensionless, shape ``(trials, 3)``; the first column is 0 for g to q qbar.
    """
    rest = z * (1 - z)
    soft = z * (1 - y) / (1 - z * (1 - y))
    pair = flavours * T_R / 2
    out = np.empty((len(z), 3))
    quark, split = kind == 0, kind == 2
    out[:, 0] = np.where(quark, 2 * C_F, C_A) * soft
    out[:, 0][split] = 0.0
    hard = np.where(quark, C_F * (1 - z), C_A / 2 * rest)
    out[:, 1] = np.where(split, pair * (z**2 + (1 - z) ** 2), hard)
    out[:, 2] = np.where(quark, C_F, np.where(split, pair, C_A / 2)) * y * rest
    return out


def simple_kernels(kind: Array, z: Array, flavours: int) -> Array:
    r"""Return the forms that trials are drawn from, per spectator, shape ``(trials,)``.

    :math:`2 C_F/(1-z)`, :math:`C_A/(1-z)` and :math:`n_f T_R/2`.
    """
    pole = np.where(kind == 0, 2 * C_F, C_A) / (1 - z)
    return np.where(kind == 2, flavours * T_R / 2, pole)


def bounds(kernels: Kernels) -> NDArray[np.float64]:
    """Return the largest ratio of each kernel and its simple form, at least 1, shape ``(3,)``."""
    z = np.linspace(0.0, 1.0, 1001)
    up = {name: max(float(getattr(kernels, name)), 0.0) for name in NAMES}
    rest = z * (1 - z) ** 2 / 2
    quark = up["d_qq"] * z + up["f_qq"] * (1 - z) ** 2 / 2 + up["c_qq"] * rest
    gluon = up["d_gg"] * z + (up["f_gg"] + up["c_gg"]) * rest
    pair = up["f_gq"] * (z**2 + (1 - z) ** 2) + up["c_gq"] * z * (1 - z)
    between = 1 + 1e-5  # the curves may be higher between two points of the grid
    largest = np.array([quark.max(), gluon.max(), pair.max()])
    return np.maximum(np.where(largest > 1, largest * between, largest), 1.0)


def refuse_negative(kernels: Kernels) -> None:
    """Refuse parameters for which a splitting would have a negative probability.

    Raises:
        RangeError: with the place where a kernel is below 0.
    """
    grid = np.meshgrid(np.linspace(1e-6, 1 - 1e-6, 101), np.linspace(0.0, 0.99, 100))
    z, y = (axis.reshape(-1) for axis in grid)
    vector = np.append(kernels.vector(), 0.0)
    for kind, name in enumerate(("q to q g", "g to g g", "g to q qbar")):
        value = kernel_terms(np.full(len(z), kind), z, y, 1) @ vector[TERMS[kind]]
        worst = int(np.argmin(value))
        if value[worst] < 0:
            raise RangeError(
                f"kernels: {name} is negative at z = {z[worst]:.2f}, y = {y[worst]:.2f}; a shower "
                "cannot be drawn there. Draw at other parameters and weight the events."
            )
