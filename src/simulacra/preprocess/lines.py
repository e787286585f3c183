"""Values that many events have exactly, as classes of their own among continuous ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from ..errors import RangeError

__all__ = ["SpectralLines"]

_WITHIN = 1e-4  # how far a value may be rounded; files of float16 would need more
_FURTHEST = 4.0  # a score beyond which no line begins


class SpectralLines(nn.Module):
    r"""Keep lines sharp between tables of quantiles at different energies.

    A line at :math:`x_0` is a jump of the distribution function, from :math:`u` to :math:`u + p`,
    and so a flat piece of the quantile function. Interpolated between two energies, whose pieces
    lie at different scores, it is flat no more: the line is washed out. So pieces are cut out of
    the tables and kept aside as their beginning :math:`b = \Phi^{-1}(u)` and length
    :math:`g = \Phi^{-1}(u + p) - b`, both interpolated:

    .. math:: y = \begin{cases}
        b + g / 2 & x = x_0 \\
        s + \sum_{k:\,s > s_k} g_k & \text{else,}
        \end{cases} \qquad s_k = b_k - \sum_{j < k} g_j

    with the score s of the table without pieces. On the way back all of a piece is the line.

    Args:
        values: of the lines, ascending, dimensionless.
        knots: number of energies with a table.
        groups: number of tables per energy.

    Raises:
        RangeError: if the values do not ascend.
    """

    begin: Tensor
    length: Tensor

    def __init__(self, values: Sequence[float], knots: int, groups: int) -> None:
        super().__init__()
        if sorted(set(values)) != list(values):
            raise RangeError(f"lines: expected ascending values, found {list(values)}.")
        self.values = tuple(values)
        self.register_buffer("begin", torch.zeros(len(values), knots, groups))
        self.register_buffer("length", torch.zeros(len(values), knots, groups))

    def fit(self, knot: int, group: int, x: Tensor, weight: Tensor) -> None:
        """Measure where the lines of one table are, and how much they hold.

        Args:
            knot: number of the energy.
            group: number of the table.
            x: values, ``(values,)``.
            weight: of each, ``(values,)``.
        """
        total = weight.sum()
        for number, value in enumerate(self.values):
            shares = torch.stack(
                [weight[x < value - _WITHIN].sum(), weight[x <= value + _WITHIN].sum()]
            )
            ends = torch.special.ndtri((shares / total).clamp(0, 1)).clamp(-_FURTHEST, _FURTHEST)
            self.begin[number, knot, group] = ends[0]
            self.length[number, knot, group] = (ends[1] - ends[0]).clamp(min=0)

    def with_lines(self, knot: int, group: int) -> Callable[[Tensor], Tensor]:
        """Return the way from scores without pieces to those with them, for one table."""
        begins = [float(begin) for begin in self.begin[:, knot, group]]
        lengths = [float(length) for length in self.length[:, knot, group]]

        def moved(rest: Tensor) -> Tensor:
            y = rest
            for begin, length in zip(begins, lengths, strict=True):
                y = torch.where(y > begin, y + length, y)
            return y

        return moved

    def inserted(self, rest: Tensor, x: Tensor, between: Callable[[Tensor], Tensor]) -> Tensor:
        """Return scores, ``(events, features)``.

        Args:
            rest: scores of the tables without pieces, ``(events, features)``.
            x: values, ``(events, features)``.
            between: interpolates a number of each table at the place of each feature.
        """
        y = rest
        for begin, length in self._at(between):
            y = torch.where(y > begin, y + length, y)
        for value, (begin, length) in zip(self.values, self._at(between), strict=True):
            y = torch.where((x - value).abs() <= _WITHIN, begin + length / 2, y)
        return y

    def removed(self, y: Tensor, between: Callable[[Tensor], Tensor]) -> Tensor:
        """Return scores of the tables without pieces; see :meth:`inserted`."""
        rest = y
        for begin, length in self._at(between):
            rest = rest - (y - begin).clamp(min=0).minimum(length)
        return rest

    def placed(self, x: Tensor, y: Tensor, between: Callable[[Tensor], Tensor]) -> Tensor:
        """Return values, those of the lines where a score lies in their pieces.

        Args:
            x: values of the tables without pieces, ``(events, features)``.
            y: scores, ``(events, features)``.
            between: see :meth:`inserted`.
        """
        for value, (begin, length) in zip(self.values, self._at(between), strict=True):
            x = torch.where((y > begin) & (y < begin + length), value, x)
        return x

    def on(self, x: Tensor) -> Tensor:
        """Return which values lie on a line, bool, in the shape of x."""
        found = torch.zeros_like(x, dtype=torch.bool)
        for value in self.values:
            found = found | ((x - value).abs() <= _WITHIN)
        return found

    def _at(self, between: Callable[[Tensor], Tensor]) -> list[tuple[Tensor, Tensor]]:
        """Return beginning and length of every line at the place of each feature."""
        return [(between(b), between(g)) for b, g in zip(self.begin, self.length, strict=True)]
