"""Massless partons of many events at once, linked by colour, and how a dipole splits."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data.events import Ragged

__all__ = ["Partons"]

Array = NDArray[Any]

_GLUON = 21
_PARALLEL = 1e-7
"""Below this sine of the angle between two partons, their plane is not known well."""


class Partons:
    """The partons of a batch of events, each event beginning with a quark and an antiquark.

    A quark has a colour partner to its right, an antiquark to its left, a gluon on both sides;
    -1 stands for none.

    Args:
        energy: in the centre of mass, in MeV.
        direction: two uniform numbers for the direction of the quark, shape ``(events, 2)``.
    """

    def __init__(self, energy: float, direction: Array) -> None:
        events = len(direction)
        self.count = np.full(events, 2)
        self.momentum = np.zeros((events, 8, 3))
        self.pdg = np.zeros((events, 8), np.int8)
        self.link = np.full((events, 8, 2), -1, np.int16)
        cosine, azimuth = 2 * direction[:, 0] - 1, 2 * np.pi * direction[:, 1]
        sine = np.sqrt((1 - cosine) * (1 + cosine))
        unit = np.stack([sine * np.cos(azimuth), sine * np.sin(azimuth), cosine], axis=1)
        self.momentum[:, 0], self.momentum[:, 1] = energy / 2 * unit, -energy / 2 * unit
        self.pdg[:, 0], self.pdg[:, 1] = 1, -1
        self.link[:, 0, 1], self.link[:, 1, 0] = 1, 0

    @property
    def width(self) -> int:
        """Partons that an event has room for."""
        return self.pdg.shape[1]

    def is_gluon(self, rows: Array) -> NDArray[np.bool_]:
        """Tell gluons, shape ``(rows, width)``."""
        return np.asarray(self.pdg[rows] == _GLUON)

    def masses(self, rows: Array) -> Array:
        """Return the squared mass of each parton with its left and its right partner.

        Shape ``(rows, width, 2)``, in MeV^2; 0 without a partner.
        """
        momentum, link = self.momentum[rows], self.link[rows]
        partner = momentum[np.arange(len(rows))[:, None, None], link]
        both = _squared_mass(momentum[:, :, None, :], partner)
        return np.where(link >= 0, both, 0.0)

    def mass(self, rows: Array, emitter: Array, side: Array) -> Array:
        """Return the squared mass of single dipoles in MeV^2, shape ``(rows,)``."""
        partner = self.link[rows, emitter, side]
        return _squared_mass(self.momentum[rows, emitter], self.momentum[rows, partner])

    def split(
        self,
        rows: Array,
        emitter: Array,
        side: Array,
        *,
        pair: NDArray[np.bool_],
        z: Array,
        y: Array,
        azimuth: Array,
    ) -> None:
        """Split one dipole in each of some events.

        Args:
            rows: the events, each at most once.
            emitter: the parton that splits.
            side: of its spectator; 0 left, 1 right.
            pair: a gluon becomes a quark and an antiquark; else a gluon is emitted.
            z: share of the emitter.
            y: of the dipole.
            azimuth: of the emission in rad.
        """
        if not len(rows):
            return
        if self.count[rows].max() == self.width:
            self._widen()
        new = self.count[rows]
        spectator = self.link[rows, emitter, side].astype(np.int64)
        self._recoil(rows, emitter, spectator, new, z, y, azimuth)
        at = ~pair
        self._emit(rows[at], emitter[at], spectator[at], side[at], new[at])
        self._divide(rows[pair], emitter[pair], side[pair], new[pair])
        self.count[rows] += 1

    def table(self) -> Ragged:
        """Return the partons as a table with momenta in MeV."""
        there = np.arange(self.width) < self.count[:, None]
        flat = self.momentum[there]
        columns: dict[str, Array] = {
            "pdg": self.pdg[there].astype(np.int32),
            **{name: flat[:, axis].copy() for axis, name in enumerate(("px", "py", "pz"))},
            "mass": np.zeros(len(flat)),
        }
        return Ragged.grouped(np.nonzero(there)[0], len(self.count), columns)

    def _recoil(
        self, rows: Array, i: Array, k: Array, j: Array, z: Array, y: Array, azimuth: Array
    ) -> None:
        """Share out the momenta: S. Catani, M. Seymour, arXiv:hep-ph/9605323, section 5.1."""
        a, b = self.momentum[rows, i], self.momentum[rows, k]
        transverse = _transverse(a, b, azimuth)
        transverse *= np.sqrt(y * z * (1 - z) * _squared_mass(a, b))[:, None]
        z, y = z[:, None], y[:, None]
        self.momentum[rows, i] = z * a + y * (1 - z) * b + transverse
        self.momentum[rows, j] = (1 - z) * a + y * z * b - transverse
        self.momentum[rows, k] = (1 - y) * b

    def _emit(self, rows: Array, i: Array, k: Array, side: Array, j: Array) -> None:
        """Put a gluon between emitter and spectator."""
        self.pdg[rows, j] = _GLUON
        self.link[rows, j, side], self.link[rows, j, 1 - side] = k, i
        self.link[rows, i, side] = j
        self.link[rows, k, 1 - side] = j

    def _divide(self, rows: Array, i: Array, side: Array, j: Array) -> None:
        """Turn a gluon into a quark and an antiquark; the new one goes away from the spectator."""
        other = self.link[rows, i, 1 - side].astype(np.int64)
        self.pdg[rows, i] = np.where(side == 1, 1, -1)
        self.pdg[rows, j] = np.where(side == 1, -1, 1)
        self.link[rows, i, 1 - side] = -1
        self.link[rows, j, 1 - side] = other
        self.link[rows, other, side] = j

    def _widen(self) -> None:
        more = ((0, 0), (0, self.width))
        self.momentum = np.pad(self.momentum, (*more, (0, 0)))
        self.link = np.pad(self.link, (*more, (0, 0)), constant_values=-1)
        self.pdg = np.pad(self.pdg, more)


def _squared_mass(a: Array, b: Array) -> Array:
    """Return 2 (|a||b| - a b), without losing digits where a and b are nearly parallel."""
    size = _length(a) * _length(b)
    product = _dot(a, b)
    crossed = _cross(a, b)
    with np.errstate(divide="ignore", invalid="ignore"):
        near = _dot(crossed, crossed) / (size + product)
    squared: Array = 2 * np.where(product > 0, near, size - product)
    return squared


def _transverse(a: Array, b: Array, azimuth: Array) -> Array:
    r"""Return the space part of a unit four-vector across two light-like ones.

    One is e, the normal of their plane, without a time part; the other, across all three, has the
    space part :math:`(|a|\, b \times e + |b|\, e \times a) / (|a||b| - a b)`.
    """
    normal = _cross(a, b)
    size = _length(normal)
    flat = size < _PARALLEL * _length(a) * _length(b)
    if flat.any():
        axis = np.zeros((int(flat.sum()), 3))
        axis[np.arange(len(axis)), np.abs(a[flat]).argmin(axis=1)] = 1.0
        normal[flat] = _cross(a[flat], axis)
        size = _length(normal)
    e = normal / size[:, None]
    second = _length(a)[:, None] * _cross(b, e) + _length(b)[:, None] * _cross(e, a)
    second /= (_squared_mass(a, b) / 2)[:, None]
    return np.asarray(np.cos(azimuth)[:, None] * e + np.sin(azimuth)[:, None] * second)


def _dot(a: Array, b: Array) -> Array:
    product: Array = a[..., 0] * b[..., 0] + a[..., 1] * b[..., 1] + a[..., 2] * b[..., 2]
    return product


def _length(a: Array) -> Array:
    return np.asarray(np.sqrt(_dot(a, a)))


def _cross(a: Array, b: Array) -> Array:
    """Return the cross product; three times as fast as numpy's."""
    out = np.empty(np.broadcast_shapes(a.shape, b.shape))
    for axis in range(3):
        one, two = (axis + 1) % 3, (axis + 2) % 3
        out[..., axis] = a[..., one] * b[..., two] - a[..., two] * b[..., one]
    return out
