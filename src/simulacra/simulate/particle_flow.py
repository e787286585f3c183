"""Cells of two calorimeters, and what tracks and cells are combined to: simple particle flow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..random import Stream, normal
from ..units import GeV

__all__ = ["Calorimeter", "Cells", "neutral_excess", "read_out"]

Array = NDArray[Any]

_CELLS = 2**20
"""More than any calorimeter has; a draw of a cell is keyed by ``event * 2**20 + cell``."""


@dataclass(frozen=True)
class Calorimeter:
    r"""A grid of cells in pseudorapidity and azimuth, and how well it measures.

    .. math:: \sigma^2(E) = s^2 E + c^2 E^2 + n^2

    Args:
        eta_cells: cells between ``-eta_max`` and ``eta_max``.
        phi_cells: cells around.
        eta_max: end of the grid.
        stochastic: s for E in GeV, in sqrt(GeV).
        constant: c, dimensionless.
        noise: n per cell in MeV.
        threshold: a cell below is not read out, in MeV.
        first: number of its first cell among all calorimeters.
    """

    eta_cells: int
    phi_cells: int
    eta_max: float
    stochastic: float
    constant: float
    noise: float
    threshold: float
    first: int = 0

    @property
    def cells(self) -> int:
        """Number of cells."""
        return self.eta_cells * self.phi_cells

    def cell(self, eta: Array, phi: Array) -> NDArray[np.int64]:
        """Return the cell at a place, -1 outside; phi in rad."""
        row = np.floor((eta + self.eta_max) / (2 * self.eta_max) * self.eta_cells)
        column = np.floor((phi + np.pi) / (2 * np.pi) * self.phi_cells)
        inside = (row >= 0) & (row < self.eta_cells)
        flat = np.where(inside, row, 0) * self.phi_cells + np.mod(column, self.phi_cells)
        return np.where(inside, flat, -1).astype(np.int64)

    def centre(self, cell: NDArray[np.int64]) -> tuple[Array, Array]:
        """Return pseudorapidity and azimuth (rad) of the middle of cells."""
        row, column = np.divmod(cell, self.phi_cells)
        eta = (row + 0.5) * (2 * self.eta_max / self.eta_cells) - self.eta_max
        return eta, (column + 0.5) * (2 * np.pi / self.phi_cells) - np.pi

    def resolution(self, e: Array) -> Array:
        """Return the standard deviation in MeV at an energy in MeV."""
        return np.sqrt(self.stochastic**2 * GeV * e + (self.constant * e) ** 2 + self.noise**2)


@dataclass(frozen=True, eq=False)
class Cells:
    """Cells with energy, in the order of event and cell.

    Args:
        event: position of the event, shape ``(cells,)``.
        cell: number within the calorimeter.
        deposited: true energy in MeV.
        measured: measured energy in MeV, 0 below the threshold.
        leader: row of the particle that gave most.
        owner: for each deposit given in, the row of its cell; -1 where it met none.
    """

    event: Array
    cell: Array
    deposited: Array
    measured: Array
    leader: Array
    owner: Array


def read_out(
    calorimeter: Calorimeter,
    event: Array,
    cell: Array,
    deposit: Array,
    *,
    numbers: NDArray[np.int64],
    seed: int,
) -> Cells:
    """Add up deposits in cells and measure them.

    The response of a cell is log-normal about its energy, so it is never negative and has the
    standard deviation of :meth:`Calorimeter.resolution` without the noise, which comes on top.

    Args:
        calorimeter: the grid.
        event: position of each deposit's event, not falling, shape ``(deposits,)``.
        cell: where it is, -1 for nowhere.
        deposit: energy in MeV.
        numbers: number of each event in its set, shape ``(events,)``.
        seed: identity of the set.
    """
    there = np.flatnonzero((cell >= 0) & (deposit > 0))
    key = event[there] * _CELLS + cell[there]
    kinds, place = np.unique(key, return_inverse=True)
    place = place.reshape(-1)
    owner = np.full(len(cell), -1, np.int64)
    owner[there] = place
    total = np.bincount(place, weights=deposit[there], minlength=len(kinds))
    order = np.lexsort((there, deposit[there], place))
    leader = np.zeros(len(kinds), np.int64)
    leader[place[order]] = there[order]  # the last one written is the largest
    where, which = np.divmod(kinds, _CELLS)
    draws = normal(
        seed,
        numbers[where] * _CELLS + calorimeter.first + which,
        2,
        stream=Stream.CELL_RESPONSE,
        dtype=np.float64,
    )
    measured = _measured(calorimeter, total, draws)
    return Cells(where, which, total, measured, leader, owner)


def neutral_excess(
    calorimeter: Calorimeter, cells: Cells, expected: Array, uncertainty: Array, sigmas: float
) -> Array:
    """Return what cells hold beyond what the tracks that end there should have left.

    Args:
        calorimeter: the grid.
        cells: as measured.
        expected: energy that tracks left in each cell, in MeV, shape ``(cells,)``.
        uncertainty: standard deviation of that from the tracks' momenta, in MeV.
        sigmas: an excess over a track counts from this many standard deviations.

    Returns:
        Energy in MeV, shape ``(cells,)``; 0 where there is none.
    """
    excess = cells.measured - expected
    spread = np.hypot(calorimeter.resolution(expected), uncertainty)
    real = np.where(expected > 0, excess > sigmas * spread, excess > 0)
    return np.where(real & (excess > calorimeter.threshold), excess, 0.0)


def _measured(calorimeter: Calorimeter, total: Array, draws: Array) -> Array:
    squared = calorimeter.resolution(total) ** 2 - calorimeter.noise**2
    width = np.sqrt(np.log1p(squared / total**2))
    response = total * np.exp(width * draws[:, 0] - width**2 / 2)
    seen = response + calorimeter.noise * draws[:, 1]
    return np.where(seen > calorimeter.threshold, seen, 0.0)
