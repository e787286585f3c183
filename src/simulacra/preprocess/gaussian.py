"""Marginals made Gaussian, at every incident energy, so that a network learns only correlations."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, Self

import torch
from torch import Tensor

from ..errors import RangeError
from .bijection import Bijection
from .lines import SpectralLines

__all__ = [
    "Gaussianize",
    "Quantiles",
    "filled_scores",
    "node_places",
    "quantile_table",
    "scores_of",
    "taken",
    "values_of",
]

_TOP = 4.0  # the last node of a table; 3e-5 of a sample lies above
_FEWEST = 30  # values from which quantiles are taken


class Gaussianize(Bijection):
    r"""Map each feature to a standard normal by its quantiles at the event's incident energy.

    .. math:: y = \Phi^{-1}\bigl(F_{g}(x \mid E_\text{inc})\bigr)

    The quantile function :math:`F_g^{-1}(\Phi(y) \mid E)` is tabulated on nodes :math:`y` for
    each group of features and each of ``knots`` energies, and interpolated linearly in :math:`y`
    and :math:`\ln E`; beyond the ends it goes on straight. Features of one group share a table:
    with the voxels of a ring in one group the map commutes with rotations.

    With ``spike`` the events below 0 (voxels below threshold) form one block of probability
    :math:`p` under the boundary :math:`b = \Phi^{-1}(p)`: :meth:`fill` spreads them over that part
    of the normal distribution, and everything below the boundary is empty on the way back.

    Args:
        groups: group number of each feature, 0, 1, 2, ...
        spike: whether values below 0 are one class, of which only the probability matters.
        own: each feature has an energy of its own at which it is looked up, such as that of its
            layer, the same for all features of a group; tables reach as far as each group's.
        knots: number of energies with a table.
        nodes: intervals per table.
        crowded: the nodes of a table stand closer together towards its beginning, see
            :func:`node_places`: where a spectrum rises slowly from the boundary, one interval in
            many is too wide.
        lines: values, ascending, that many events have exactly
            (:class:`~simulacra.preprocess.SpectralLines`), such as the energy of a photon that
            is absorbed whole.

    Shapes:
        x: ``(events, features)``, dimensionless.
        y: ``(events, features)``, dimensionless.
        log_energy: ``(events,)``, with ``own`` ``(events, features)``.
    """

    groups: Tensor
    knots: Tensor
    bottom: Tensor
    table: Tensor

    def __init__(
        self,
        groups: Sequence[int],
        *,
        spike: bool,
        own: bool = False,
        knots: int = 12,
        nodes: int = 32,
        crowded: bool = False,
        lines: Sequence[float] = (),
    ) -> None:
        super().__init__()
        if knots < 2 or nodes < 2:
            raise RangeError(f"expected at least 2 knots and 2 nodes, got {knots} and {nodes}.")
        number = max(groups) + 1
        self.spike = spike
        self.own = own
        self.nodes = nodes
        self.crowded = crowded
        self.register_buffer("groups", torch.tensor(list(groups)), persistent=False)
        energies = torch.linspace(0.0, 1.0, knots)
        self.register_buffer("knots", energies[:, None].repeat(1, number) if own else energies)
        self.register_buffer("bottom", torch.full((knots, number), -_TOP))
        straight = -_TOP + 2 * _TOP / nodes * node_places(nodes, crowded=crowded).float()
        self.register_buffer("table", straight.repeat(knots, number, 1))
        self.lines = SpectralLines(lines, knots, number) if lines else None

    def fit(
        self,
        x: Tensor,
        log_energy: Tensor,
        weight: Tensor | None = None,
        *,
        mask: Tensor | None = None,
    ) -> Self:
        """Learn the tables.

        Args:
            x: ``(events, features)``.
            log_energy: see the class.
            weight: event weights, ``(events,)``.
            mask: which features exist, ``(events, features)``; all by default. A group without
                any near an energy takes those of all energies.
        """
        w = torch.ones(len(x), dtype=torch.float64) if weight is None else weight.double()
        order = torch.argsort(self.groups, stable=True)
        columns = dict(enumerate(order.split(torch.bincount(self.groups).tolist())))
        if not self.own:
            self._fit_groups(columns, x, log_energy, w, mask)
            return self
        for group, column in columns.items():
            there = torch.ones_like(w) > 0 if mask is None else mask[:, column].any(dim=1)
            if int(there.sum()) >= _FEWEST:
                inside = None if mask is None else mask[there]
                at = log_energy[there, column[0]]
                self._fit_groups({group: column}, x[there], at, w[there], inside)
        return self

    def _fit_groups(
        self,
        columns: Mapping[int, Tensor],
        x: Tensor,
        log_energy: Tensor,
        w: Tensor,
        mask: Tensor | None,
    ) -> None:
        """Learn the tables of groups that are looked up at the same energies, ``(events,)``."""
        low, high = float(log_energy.min()), float(log_energy.max())
        knots = torch.linspace(low, high if high > low else low + 1, len(self.knots))
        reach = 0.75 * float(knots[1] - knots[0])
        needed = min(200, len(x))
        for k, knot in enumerate(knots):
            distance = (log_energy - knot).abs()
            # discrete energies may leave a knot without events: take the nearest ones
            near = distance <= max(reach, float(distance.kthvalue(needed).values))
            inside = (x[near], w[near], None if mask is None else mask[near])
            for group, column in columns.items():
                self.knots[(k, group) if self.own else k] = knot
                fitted = self._fit_group(k, group, column, *inside)
                if not fitted:  # few are better than none
                    self._fit_group(k, group, column, x, w, mask)

    def forward(self, x: Tensor, log_energy: Tensor) -> Tensor:
        at = self._table_at(log_energy)
        y = scores_of(x, at, self.nodes, spike=self.spike, crowded=self.crowded)
        return y if self.lines is None else self.lines.inserted(y, x, at.between)

    def inverse(self, y: Tensor, log_energy: Tensor) -> Tensor:
        at = self._table_at(log_energy)
        if self.lines is None:
            return values_of(y, at, self.nodes, spike=self.spike, crowded=self.crowded)
        rest = self.lines.removed(y, at.between)
        x = values_of(rest, at, self.nodes, spike=self.spike, crowded=self.crowded)
        return self.lines.placed(x, y, at.between)

    def log_det(self, x: Tensor, log_energy: Tensor) -> Tensor:
        at = self._table_at(log_energy)
        y = scores_of(x, at, self.nodes, spike=self.spike, crowded=self.crowded)
        low = _interval((y - at.bottom) / at.step, self.nodes, crowded=self.crowded)
        left, right = (_place(n, self.nodes, crowded=self.crowded) for n in (low, low + 1))
        slope = at.step * (right - left) / (at.value(low + 1) - at.value(low))
        slope = torch.where(y > _TOP, 1 / at.slope, slope)
        outside = torch.ones_like(slope) if self.spike else 1 / at.slope
        slope = torch.where(y < at.bottom, outside, slope)
        if self.lines is not None:  # a class of its own, as what is empty
            slope = torch.where(self.lines.on(x), 1.0, slope)
        return slope.log().sum(dim=1)

    def boundary(self, log_energy: Tensor) -> Tensor:
        """Return the score below which a feature is empty, ``(events, features)``."""
        return self._table_at(log_energy).bottom

    def fill(self, y: Tensor, log_energy: Tensor, uniform: Tensor) -> Tensor:
        """Spread everything below the boundary over that part of the normal distribution.

        Args:
            y: scores, ``(events, features)``.
            log_energy: see the class.
            uniform: numbers in (0, 1), ``(events, features)``.
        """
        return filled_scores(y, self.boundary(log_energy), uniform)

    def _fit_group(
        self, k: int, group: int, column: Tensor, x: Tensor, weight: Tensor, mask: Tensor | None
    ) -> bool:
        """Tabulate the quantiles of a group's values; False if there are too few of them."""
        value = x[:, column]
        if mask is not None:
            event, place = mask[:, column].nonzero(as_tuple=True)
            if len(event) < _FEWEST:
                return False
            value, weight = value[event, place][:, None], weight[event]
        self._fit_table(k, group, value, weight)
        return True

    def _fit_table(self, k: int, group: int, x: Tensor, weight: Tensor) -> None:
        """Tabulate the weighted quantiles of one group's values, ``(events, members)``."""
        each = weight[:, None].expand(x.shape).flatten()
        value, moved = x.flatten(), None
        if self.lines is not None:
            self.lines.fit(k, group, value, each)
            moved = self.lines.with_lines(k, group)
        bottom, table = quantile_table(
            value, each, self.nodes, spike=self.spike, crowded=self.crowded, moved=moved
        )
        self.bottom[k, group] = bottom
        self.table[k, group] = table

    def _table_at(self, log_energy: Tensor) -> _Table:
        first, distance = self.knots[0], self.knots[1] - self.knots[0]
        if self.own:
            place = (log_energy - first[self.groups]) / distance[self.groups]
        else:
            place = ((log_energy - first) / distance)[:, None]
        place = place.clamp(0, len(self.knots) - 1)
        left = place.long().clamp(max=len(self.knots) - 2)
        part = place - left
        bottom = _between(self.bottom, left, part, self.groups)
        ends = self.table[..., -1] - self.table[..., 0]
        slope = (ends / (_TOP - self.bottom)).clamp(max=1.0)
        slope = _between(slope, left, part, self.groups)
        step = (_TOP - bottom) / self.nodes
        return _Table(self.table, self.groups, left, part, bottom, step, slope)


def _between(values: Tensor, left: Tensor, part: Tensor, groups: Tensor) -> Tensor:
    """Return each feature's number between two knots, ``(events, features)``.

    Args:
        values: ``(knots, groups)``.
        left: the knot below, see :class:`_Table`.
        part: how far on the way to the next one.
        groups: of each feature, ``(features,)``.
    """
    place = left * values.shape[1] + groups
    return torch.lerp(taken(values, place), taken(values, place + values.shape[1]), part)


def taken(values: Tensor, place: Tensor) -> Tensor:
    """Return the numbers at places of the flat order, in the shape of ``place``.

    As ``torch.take``, but half its time here and a tenth in ONNX Runtime, which gathers single
    numbers much faster than rows of one number.
    """
    return values.flatten().gather(0, place.flatten()).reshape(place.shape)


@dataclass(frozen=True, eq=False)
class _Table:
    """The tables at each event's energy: arrays are ``(events, features)`` or broadcast.

    Args:
        table: ``(knots, groups, nodes + 1)``.
        groups: of each feature, ``(features,)``.
        left: the knot below each event's energy, ``(events, 1)`` or ``(events, features)``.
        part: how far the energy is on the way to the next one, likewise.
        bottom: score at which the table begins.
        step: mean distance of its nodes.
        slope: of the line beyond its ends.
    """

    table: Tensor
    groups: Tensor
    left: Tensor
    part: Tensor
    bottom: Tensor
    step: Tensor
    slope: Tensor

    @property
    def first(self) -> Tensor:
        """Return x at the first node of each feature."""
        return self._column(0)

    @property
    def last(self) -> Tensor:
        """Return x at the last node of each feature."""
        return self._column(-1)

    def between(self, values: Tensor) -> Tensor:
        """Return a number of each table, ``(knots, groups)``, at the place of each feature."""
        return _between(values, self.left, self.part, self.groups)

    def value(self, node: Tensor) -> Tensor:
        """Return x at a node of each feature."""
        _, groups, nodes = self.table.shape
        place = (self.left * groups + self.groups) * nodes + node
        above = taken(self.table, place + groups * nodes)
        return torch.lerp(taken(self.table, place), above, self.part)

    def _column(self, node: int) -> Tensor:
        return self.between(self.table[..., node])


class Quantiles(Protocol):
    """Tables of quantiles at the place of each event and feature, or what interpolates them.

    Attributes:
        bottom: score of the first node.
        step: mean distance of the nodes.
        slope: of the line beyond the ends.
        first: value at the first node.
        last: value at the last node.
    """

    @property
    def bottom(self) -> Tensor: ...

    @property
    def step(self) -> Tensor: ...

    @property
    def slope(self) -> Tensor: ...

    @property
    def first(self) -> Tensor: ...

    @property
    def last(self) -> Tensor: ...

    def value(self, node: Tensor) -> Tensor:
        """Return the value at a node of each feature."""
        ...


def node_places(nodes: int, *, crowded: bool) -> Tensor:
    r"""Return where the nodes of a table stand, in mean distances from the first one.

    .. math:: 0, 1, \ldots, n \quad\text{or, crowded,}\quad n \left(\frac jn\right)^2

    Args:
        nodes: intervals.
        crowded: closer together towards the beginning.
    """
    return _place(torch.arange(nodes + 1, dtype=torch.float64), nodes, crowded=crowded)


def _place(node: Tensor, nodes: int, *, crowded: bool) -> Tensor:
    return node * node / nodes if crowded else node


def _interval(place: Tensor, nodes: int, *, crowded: bool) -> Tensor:
    """Return the number of the interval that a place lies in, or the nearest one."""
    number = (place.clamp(min=0) * nodes).sqrt() if crowded else place
    return number.long().clamp(0, nodes - 1)


def scores_of(
    x: Tensor, at: Quantiles, nodes: int, *, spike: bool, crowded: bool = False
) -> Tensor:
    """Return the scores of values, ``(events, features)``; the other way is :func:`values_of`.

    Args:
        x: values, ``(events, features)``.
        at: the tables.
        nodes: intervals of each.
        spike: whether all below 0 is one class.
        crowded: where nodes stand, see :func:`node_places`.
    """
    low = torch.zeros(x.shape, dtype=torch.int64, device=x.device)
    high = torch.full_like(low, nodes)
    while bool((high - low > 1).any()):  # bisect for the interval that holds x
        middle = (low + high) // 2
        below = at.value(middle) <= x
        low, high = torch.where(below, middle, low), torch.where(below, high, middle)
    value = at.value(low)
    left, right = (_place(node, nodes, crowded=crowded) for node in (low, low + 1))
    part = (x - value) / (at.value(low + 1) - value)
    y = at.bottom + at.step * (left + part * (right - left))
    first, last = at.first, at.last
    y = torch.where(x > last, _TOP + (x - last) / at.slope, y)
    before = x if spike else (x - first) / at.slope
    return torch.where(x < first, at.bottom + before, y)


def values_of(
    y: Tensor, at: Quantiles, nodes: int, *, spike: bool, crowded: bool = False
) -> Tensor:
    """Return the values of scores, ``(events, features)``; see :func:`scores_of`."""
    place = (y - at.bottom) / at.step
    low = _interval(place, nodes, crowded=crowded)
    value = at.value(low)
    part = place - low
    if crowded:
        left, right = (_place(node, nodes, crowded=True) for node in (low, low + 1))
        part = (place - left) / (right - left)
    x = value + part * (at.value(low + 1) - value)
    x = torch.where(y > _TOP, at.last + (y - _TOP) * at.slope, x)
    before = y - at.bottom
    if not spike:
        before = at.first + before * at.slope
    return torch.where(place < 0, before, x)


def filled_scores(y: Tensor, boundary: Tensor, uniform: Tensor) -> Tensor:
    """Spread scores below their boundary over that part of the normal distribution."""
    share = torch.special.ndtr(boundary) * uniform
    return torch.where(y < boundary, torch.special.ndtri(share), y)


def quantile_table(
    x: Tensor,
    weight: Tensor,
    nodes: int,
    *,
    spike: bool,
    room: float = 0.5,
    crowded: bool = False,
    moved: Callable[[Tensor], Tensor] | None = None,
) -> tuple[float, Tensor]:
    """Return the score of the first node, and the quantiles at all of them, ``(nodes + 1,)``.

    Args:
        x: values, ``(values,)``.
        weight: of each, ``(values,)``.
        nodes: intervals.
        spike: whether all below 0 is one class, that ends at the first node.
        room: how far below the last node the first one stays; what is filled more rarely than that
            is filled as often.
        crowded: where nodes stand, see :func:`node_places`.
        moved: from where a node stands to its score, if these differ.

    Raises:
        RangeError: if the weights do not sum to a positive number.
    """
    value, order = x.double().sort()
    share = weight[order].cumsum(0)
    if not float(share[-1]) > 0:
        raise RangeError("event weights: expected a positive sum near every energy.")
    share = torch.cummax(share, 0).values / share[-1]
    bottom = -_TOP
    if spike:
        empty = float(share[value < 0][-1]) if bool((value < 0).any()) else 0.0
        boundary = float(torch.special.ndtri(torch.tensor(empty, dtype=torch.float64)))
        bottom = min(max(boundary, -_TOP), _TOP - room)
    step = (_TOP - bottom) / nodes
    score = bottom + step * node_places(nodes, crowded=crowded)
    score = score if moved is None else moved(score)
    place = torch.searchsorted(share, torch.special.ndtr(score)).clamp(max=len(value) - 1)
    quantile = value[place]
    if spike:
        quantile = quantile.clamp(min=0.0)
        quantile[0] = 0.0
    # strictly increasing, so that the map can be undone
    ramp = 1e-3 * torch.arange(nodes + 1, dtype=torch.float64) / nodes
    return bottom, quantile + ramp
