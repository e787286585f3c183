"""Numbers of points as standard normal scores, exact at every count."""

from __future__ import annotations

from typing import Self

import torch
from torch import Tensor, nn

from ..errors import RangeError

__all__ = ["CountScores"]

_EDGE = 5.0  # scores of counts that were never seen; 3e-7 of a sample lies above


class CountScores(nn.Module):
    r"""Map counts to standard normal scores by their distribution at the incident energy.

    .. math::
        y = \Phi^{-1}\bigl(P(N < n \mid E) + u\,P(N = n \mid E)\bigr), \qquad
        n = \#\{m : y \ge \Phi^{-1}(P(N \le m \mid E))\}

    with :math:`u` uniform in (0, 1): each count is an interval of the normal distribution, and on
    the way back it has the distribution of the training data, up to the interpolation of the
    boundaries linearly in :math:`\ln E`.

    Args:
        columns: how many counts an event has.
        largest: largest count.
        knots: number of incident energies with a table.

    Shapes:
        count: whole numbers from 0 to ``largest``, ``(events, columns)``.
        y: ``(events, columns)``, dimensionless.
        log_energy: ``(events,)``.
    """

    knots: Tensor
    bounds: Tensor

    def __init__(self, columns: int, largest: int, *, knots: int = 12) -> None:
        super().__init__()
        if largest < 1 or knots < 2:
            raise RangeError(
                f"expected counts up to at least 1 and 2 knots, got {largest} and {knots}."
            )
        self.register_buffer("knots", torch.linspace(0.0, 1.0, knots))
        self.register_buffer("bounds", torch.zeros(knots, columns, largest))

    def fit(self, count: Tensor, log_energy: Tensor, weight: Tensor | None = None) -> Self:
        """Tabulate the distributions.

        Raises:
            RangeError: if the weights near an energy have no positive sum.
        """
        low, high = float(log_energy.min()), float(log_energy.max())
        self.knots.copy_(torch.linspace(low, high if high > low else low + 1, len(self.knots)))
        reach = 0.75 * float(self.knots[1] - self.knots[0])
        needed = min(200, len(count))
        w = torch.ones(len(count), dtype=torch.float64) if weight is None else weight.double()
        for k, knot in enumerate(self.knots):
            distance = (log_energy - knot).abs()
            near = distance <= max(reach, float(distance.kthvalue(needed).values))
            total = float(w[near].sum())
            if not total > 0:
                raise RangeError("event weights: expected a positive sum near every energy.")
            for m in range(self.bounds.shape[2]):
                share = ((count[near] <= m) * w[near, None]).sum(dim=0) / total
                self.bounds[k, :, m] = torch.special.ndtri(share.clamp(0, 1)).clamp(-_EDGE, _EDGE)
        self.bounds.copy_(torch.cummax(self.bounds, dim=2).values)
        return self

    def encode(self, count: Tensor, log_energy: Tensor, uniform: Tensor) -> Tensor:
        """Return scores, ``(events, columns)``.

        Args:
            count: ``(events, columns)``.
            log_energy: ``(events,)``.
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
        place = (log_energy - self.knots[0]) / (self.knots[1] - self.knots[0])
        place = place.clamp(0, len(self.knots) - 1)
        left = place.long().clamp(max=len(self.knots) - 2)
        part = (place - left)[:, None, None]
        return torch.lerp(self.bounds[left], self.bounds[left + 1], part)
