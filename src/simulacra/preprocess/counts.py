"""Numbers of points as standard normal scores, exact at every count."""

from __future__ import annotations

from typing import Self

import torch
from torch import Tensor, nn

from ..errors import RangeError

__all__ = ["CountScores"]

_EDGE = 5.0  # scores of counts that were never seen; 3e-7 of a sample lies above


class CountScores(nn.Module):
    r"""Map counts to standard normal scores by their distribution at an energy.

    .. math::
        y = \Phi^{-1}\bigl(P(N < n \mid E) + u\,P(N = n \mid E)\bigr), \qquad
        n = \#\{m : y \ge \Phi^{-1}(P(N \le m \mid E))\}

    with :math:`u` uniform in (0, 1): each count is an interval of the normal distribution, and on
    the way back it has the distribution of the training data, up to the interpolation of the
    boundaries linearly in :math:`\ln E`. The energy may be another one for each count, such as that
    of the layer in which is counted.

    Args:
        columns: how many counts an event has.
        largest: largest count.
        knots: number of energies with a table, equidistant in the logarithm.

    Shapes:
        count: whole numbers from 0 to ``largest``, ``(events, columns)``.
        y: ``(events, columns)``, dimensionless.
        log_energy: of each count, ``(events, columns)``.
    """

    first: Tensor
    step: Tensor
    bounds: Tensor

    def __init__(self, columns: int, largest: int, *, knots: int = 24) -> None:
        super().__init__()
        if largest < 1 or knots < 2:
            raise RangeError(
                f"expected counts up to at least 1 and 2 knots, got {largest} and {knots}."
            )
        self.register_buffer("first", torch.zeros(columns))
        self.register_buffer("step", torch.ones(columns))
        self.register_buffer("bounds", torch.zeros(knots, columns, largest))

    def fit(
        self,
        count: Tensor,
        log_energy: Tensor,
        weight: Tensor | None = None,
        *,
        mask: Tensor | None = None,
    ) -> Self:
        """Tabulate the distributions.

        Args:
            count: ``(events, columns)``.
            log_energy: ``(events, columns)``.
            weight: event weights, ``(events,)``.
            mask: which counts there are, ``(events, columns)``; all by default. A column of less
                than two has a table of zeros: every score is half of the time above.

        Raises:
            RangeError: if the weights near an energy have no positive sum.
        """
        w = torch.ones(len(count), dtype=torch.float64) if weight is None else weight.double()
        for column in range(count.shape[1]):
            there = torch.ones_like(w) > 0 if mask is None else mask[:, column]
            if int(there.sum()) > 1:
                self._fit_column(column, count[there, column], log_energy[there, column], w[there])
        self.bounds.copy_(torch.cummax(self.bounds, dim=2).values)
        return self

    def _fit_column(self, column: int, count: Tensor, log_energy: Tensor, weight: Tensor) -> None:
        low, high = float(log_energy.min()), float(log_energy.max())
        step = (high - low) / (len(self.bounds) - 1) if high > low else 1.0
        self.first[column], self.step[column] = low, step
        needed = min(200, len(count))
        below = count[:, None] <= torch.arange(self.bounds.shape[2])
        for k in range(len(self.bounds)):
            distance = (log_energy - (low + k * step)).abs()
            near = distance <= max(0.75 * step, float(distance.kthvalue(needed).values))
            total = float(weight[near].sum())
            if not total > 0:
                raise RangeError("event weights: expected a positive sum near every energy.")
            share = (below[near] * weight[near, None]).sum(dim=0) / total
            score = torch.special.ndtri(share.clamp(0, 1)).clamp(-_EDGE, _EDGE)
            self.bounds[k, column] = score

    def encode(self, count: Tensor, log_energy: Tensor, uniform: Tensor) -> Tensor:
        """Return scores, ``(events, columns)``.

        Args:
            count: ``(events, columns)``.
            log_energy: ``(events, columns)``.
            uniform: numbers in (0, 1), ``(events, columns)``.
        """
        share = torch.special.ndtr(self.bounds_at(log_energy).double())
        share = nn.functional.pad(share, (1, 0), value=0.0)
        share = nn.functional.pad(share, (0, 1), value=1.0)
        low = share.gather(2, count.long()[..., None])[..., 0]
        high = share.gather(2, count.long()[..., None] + 1)[..., 0]
        inside = (low + uniform.double() * (high - low)).clamp(1e-9, 1 - 1e-9)
        y: Tensor = torch.special.ndtri(inside)
        return y.to(uniform.dtype)

    def decode(self, y: Tensor, log_energy: Tensor) -> Tensor:
        """Return counts, int64, ``(events, columns)``."""
        number: Tensor = (y[..., None] >= self.bounds_at(log_energy)).sum(dim=2)
        return number

    def bounds_at(self, log_energy: Tensor) -> Tensor:
        """Return the score above which a count exceeds m, ``(events, columns, largest)``."""
        place = ((log_energy - self.first) / self.step).clamp(0, len(self.bounds) - 1)
        left = place.long().clamp(max=len(self.bounds) - 2)
        column = torch.arange(len(self.first), device=left.device)
        part = (place - left)[..., None]
        return torch.lerp(self.bounds[left, column], self.bounds[left + 1, column], part)
