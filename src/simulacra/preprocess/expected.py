"""Marginals made Gaussian at what a cell should hold, and at the energy of its layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor, nn

from ..errors import RangeError
from .gaussian import filled_scores, quantile_table, scores_of, taken, values_of

__all__ = ["ExpectedScores"]

_TOP = 4.0  # the last node of a table, that of Gaussianize
_ROOM = 0.1  # a cell far away is filled once in 20,000 showers
_FEWEST = 200  # values from which quantiles are taken
_DIMMEST, _BRIGHTEST = -14.0, 5.0  # ends of the tables in the logit of the expected share


class ExpectedScores(nn.Module):
    r"""Map the energy of each cell to a standard normal by its quantiles at two coordinates.

    The coordinates are the logit :math:`u` of the share of its layer's energy that the cell should
    hold, and the logarithm :math:`v` of that energy. Cells of a layer that should hold as much have
    the same table, wherever they are. Otherwise as :class:`~simulacra.preprocess.Gaussianize` with
    a spike.

    Args:
        layers: number of the layer of each cell, 0, 1, 2, ...
        shares: number of tables along :math:`u`.
        energies: number of tables along :math:`v`, equidistant in the range of each layer.
        nodes: intervals per table.

    Shapes:
        x, y: ``(events, cells)``; x is the logarithm of the energy in thresholds.
        share: expected share of each cell, ``(events, cells)``, in (0, 1).
        energy: logarithm of the energy of each cell's layer in thresholds, ``(events, cells)``.
    """

    layers: Tensor
    lowest: Tensor
    width: Tensor
    bottom: Tensor
    table: Tensor

    def __init__(
        self, layers: Sequence[int], *, shares: int = 40, energies: int = 8, nodes: int = 32
    ) -> None:
        super().__init__()
        number = max(layers) + 1
        self.nodes = nodes
        self.register_buffer("layers", torch.tensor(list(layers)), persistent=False)
        self.register_buffer("lowest", torch.zeros(number))
        self.register_buffer("width", torch.ones(number))
        self.register_buffer("bottom", torch.full((number, energies, shares), -_TOP))
        straight = torch.linspace(-_TOP, _TOP, nodes + 1)
        self.register_buffer("table", straight.repeat(number, energies, shares, 1))

    def fit(self, x: Tensor, share: Tensor, energy: Tensor, weight: Tensor) -> Self:
        """Learn the tables.

        Args:
            x: see the class.
            share: see the class.
            energy: see the class; layers below the threshold have no part.
            weight: event weights, ``(events,)``.
        """
        for layer in range(len(self.lowest)):
            cells = self.layers == layer
            filled = energy[:, cells][:, 0] >= 0
            if not bool(filled.any()):
                continue
            level = energy[filled][:, cells]
            low, high = float(level.min()), float(level.max())
            self.lowest[layer] = low
            self.width[layer] = max(high - low, 1e-3) / (self.table.shape[1] - 1)
            self._fit_layer(
                layer, x[filled][:, cells], share[filled][:, cells], level, weight[filled]
            )
        return self

    def forward(self, x: Tensor, share: Tensor, energy: Tensor) -> Tensor:
        """Return the scores; those of empty cells lie below their boundary."""
        return scores_of(x, self._tables_at(share, energy), self.nodes, spike=True)

    def inverse(self, y: Tensor, share: Tensor, energy: Tensor) -> Tensor:
        """Undo :meth:`forward`; below 0 where the cell is empty."""
        return values_of(y, self._tables_at(share, energy), self.nodes, spike=True)

    def fill(self, y: Tensor, share: Tensor, energy: Tensor, uniform: Tensor) -> Tensor:
        """Spread scores of empty cells over their part of the normal distribution.

        Args:
            y: scores.
            share: see the class.
            energy: see the class.
            uniform: numbers in (0, 1), of the shape of y.
        """
        return filled_scores(y, self._tables_at(share, energy).bottom, uniform)

    def _fit_layer(
        self, layer: int, x: Tensor, share: Tensor, energy: Tensor, weight: Tensor
    ) -> None:
        """Fill the tables of a layer, each from the values next to its coordinates."""
        _, rows, columns, _ = self.table.shape
        place_v, place_u = self._coordinates(share, energy, torch.full_like(share, layer).long())
        u, v = place_u.round().long(), place_v.round().long()
        # a value as it would be at its table's coordinates: in proportion to what is expected
        at_share = torch.sigmoid(_DIMMEST + u * _spacing(columns)).to(x.dtype)
        moved = x + (at_share / share).log() + (v - place_v) * self.width[layer]
        moved = torch.where(x < 0, x, moved.clamp(min=0.0)).flatten()
        each = weight[:, None].expand(x.shape).flatten()
        table = (v * columns + u).flatten()
        order = table.argsort(stable=True)
        counts = torch.bincount(table, minlength=rows * columns).tolist()
        parts = list(zip(moved[order].split(counts), each[order].split(counts), strict=True))
        enough = min(_FEWEST, max(counts))
        known = [
            k
            for k, (values, weights) in enumerate(parts)
            if len(values) >= enough and float(weights.sum()) > 0
        ]
        if not known:
            raise RangeError("event weights: expected a positive sum in every layer.")
        tables = [quantile_table(*parts[k], self.nodes, spike=True, room=_ROOM) for k in known]
        near = _nearest(torch.tensor(known), rows, columns)
        at = torch.arange(rows * columns)
        share_there = torch.sigmoid(_DIMMEST + at % columns * _spacing(columns)).log()
        should = share_there + at // columns * self.width[layer]
        further = should - should[torch.tensor(known)][near]
        moved = torch.stack([table for _, table in tables])[near] + further[:, None]
        steps = torch.linspace(0, 1e-3, self.nodes + 1)  # strictly increasing
        bottoms = torch.tensor([bottom for bottom, _ in tables])[near]
        self.bottom[layer] = bottoms.reshape(rows, columns)
        self.table[layer] = (moved.clamp(min=0) + steps).reshape(rows, columns, -1)

    def _coordinates(self, share: Tensor, energy: Tensor, layers: Tensor) -> tuple[Tensor, Tensor]:
        """Return each cell's places among the tables of its layer, along v and along u."""
        _, rows, columns, _ = self.table.shape
        u = (share.clamp(max=1 - 1e-6).logit() - _DIMMEST) / _spacing(columns)
        v = (energy - self.lowest[layers]) / self.width[layers]
        return v.clamp(0, rows - 1), u.clamp(0, columns - 1)

    def _tables_at(self, share: Tensor, energy: Tensor) -> _Tables:
        _, rows, columns, _ = self.table.shape
        v, u = self._coordinates(share, energy, self.layers)
        row, column = v.long().clamp(max=rows - 2), u.long().clamp(max=columns - 2)
        corner = (self.layers * rows + row) * columns + column
        return _Tables(self.table, self.bottom, corner, columns, u - column, v - row)


@dataclass(frozen=True, eq=False)
class _Tables:
    """The tables at each cell's coordinates: arrays are ``(events, cells)``.

    Args:
        table: ``(layers, rows, columns, nodes + 1)``.
        bottoms: score at which each begins.
        corner: flat number of the table below in both coordinates.
        columns: tables along u.
        along: how far u is on the way to the next one.
        across: how far v is.
    """

    table: Tensor
    bottoms: Tensor
    corner: Tensor
    columns: int
    along: Tensor
    across: Tensor

    @property
    def bottom(self) -> Tensor:
        return self._between(self.bottoms, self.corner, 1)

    @property
    def step(self) -> Tensor:
        return (_TOP - self.bottom) / (self.table.shape[-1] - 1)

    @property
    def slope(self) -> Tensor:
        return ((self.last - self.first) / (_TOP - self.bottom)).clamp(min=0.3, max=1.0)

    @property
    def first(self) -> Tensor:
        return self.value(torch.zeros_like(self.corner))

    @property
    def last(self) -> Tensor:
        return self.value(torch.full_like(self.corner, self.table.shape[-1] - 1))

    def value(self, node: Tensor) -> Tensor:
        nodes = self.table.shape[-1]
        return self._between(self.table, self.corner * nodes + node, nodes)

    def _between(self, values: Tensor, place: Tensor, stride: int) -> Tensor:
        up = self.columns * stride
        places = (place, place + stride, place + up, place + up + stride)
        a, b, c, d = (taken(values, each) for each in places)
        low, high = torch.lerp(a, b, self.along), torch.lerp(c, d, self.along)
        return torch.lerp(low, high, self.across)


def _spacing(tables: int) -> float:
    return (_BRIGHTEST - _DIMMEST) / (tables - 1)


def _nearest(known: Tensor, rows: int, columns: int) -> Tensor:
    """Return which of the known tables is next to each; a step in energy is less than in share."""
    at = torch.arange(rows * columns)
    energy = (at[:, None] // columns - known // columns).abs()
    share = (at[:, None] % columns - known % columns).abs()
    return (energy + 3 * share).argmin(dim=1)
