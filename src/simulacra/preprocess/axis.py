"""Where a shower lies in rectangular cells: the share of its energy that each should hold."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor, nn

__all__ = ["CellPlaces", "ExpectedShares"]

_EVENTS = 1200  # showers from which a profile is learned at each energy
_ROUNDS = 60  # of expectation and maximisation
_LEAST = 1e-8  # share of any cell


@dataclass(frozen=True)
class CellPlaces:
    """Where the cells of a layer are.

    Args:
        x_edges: increasing edges along x, in mm.
        y_edges: the same along y.
        depth: where the layer begins and ends, in mm from the calorimeter's face; empty if unknown.
    """

    x_edges: tuple[float, ...]
    y_edges: tuple[float, ...]
    depth: tuple[float, ...] = ()

    @property
    def shape(self) -> tuple[int, int]:
        """Cells along x and along y."""
        return len(self.x_edges) - 1, len(self.y_edges) - 1


class ExpectedShares(nn.Module):
    r"""The share of a layer's energy that each cell holds in the mean, from the line of flight.

    Around the particle's line, the profile of a layer is a mixture of round normal distributions of
    fixed widths at fixed depths,

    .. math:: s_{ij} = \sum_k a_k(E)\,G_{\sigma_k}(\text{cell}_i - x - z_k \tan\theta\cos\phi)\,
        G_{\sigma_k}(\text{cell}_j - y - z_k \tan\theta\sin\phi),

    with :math:`G` the integral over a cell (the outermost ones reach to infinity), and weights
    :math:`a_k` learned by expectation and maximisation for a few incident energies, interpolated in
    :math:`\ln E` (the idea of a parametrised lateral profile: G. Grindhammer, S. Peters, "The
    parameterized simulation of electromagnetic showers", 1993, arXiv:hep-ex/0001020). Positions and
    angles that are no conditions are taken as zero; the mixture then learns how far showers spread.

    Args:
        places: the cells of each layer.
        conditions: names of the conditions, of which x, y, theta and phi serve.
        knots: number of incident energies.
        widths: number of widths :math:`\sigma`.
        depths: number of depths :math:`z` in each layer.

    Shapes:
        condition: ``(events, conditions)``, in MeV, mm and rad; the incident energy first.
    """

    knots: Tensor
    weights: Tensor
    sigma: Tensor

    def __init__(
        self,
        places: Sequence[CellPlaces],
        conditions: Sequence[str],
        *,
        knots: int = 4,
        widths: int = 8,
        depths: int = 5,
    ) -> None:
        super().__init__()
        self.places, self.conditions = tuple(places), tuple(conditions)
        extent = max(p.x_edges[-1] - p.x_edges[0] for p in places)
        extent = max(extent, *(p.y_edges[-1] - p.y_edges[0] for p in places))
        sigma = extent * torch.logspace(math.log10(0.003), math.log10(0.5), widths)
        self.register_buffer("sigma", sigma.repeat(depths), persistent=False)
        for number, place in enumerate(self.places):
            for name, value in (
                (f"x_{number}", torch.tensor(place.x_edges)),
                (f"y_{number}", torch.tensor(place.y_edges)),
                (f"z_{number}", _depths(place, extent, depths).repeat_interleave(widths)),
            ):
                self.register_buffer(name, value, persistent=False)
        self.register_buffer("knots", torch.linspace(0.0, 1.0, knots))
        even = torch.full((knots, len(self.places), widths * depths), 1.0 / (widths * depths))
        self.register_buffer("weights", even)

    def fit(self, energies: Tensor, condition: Tensor, weight: Tensor) -> Self:
        """Learn the mixtures.

        Args:
            energies: voxel energies in MeV, ``(events, voxels)``.
            condition: see the class.
            weight: event weights, ``(events,)``.
        """
        log_energy = condition[:, 0].log()
        low, high = float(log_energy.min()), float(log_energy.max())
        self.knots.copy_(torch.linspace(low, high if high > low else low + 1, len(self.knots)))
        sizes = [a * b for a, b in (place.shape for place in self.places)]
        for k, knot in enumerate(self.knots):
            near = (log_energy - knot).abs().argsort(stable=True)[:_EVENTS]
            for number, part in enumerate(energies[near].split(sizes, dim=1)):
                total = part.sum(dim=1, keepdim=True)
                shares = torch.where(total > 0, part / total.clamp(min=1e-30), 0.0)
                shares = shares * weight[near, None].to(shares.dtype)
                self.weights[k, number] = self._mixture(number, shares, condition[near])
        return self

    def forward(self, condition: Tensor) -> Tensor:
        """Return the expected share of each cell in its layer, positive, ``(events, voxels)``."""
        weights, found = self._weights(condition), []
        for number in range(len(self.places)):
            along_x, along_y = self._integrals(number, condition)
            share = torch.einsum("exc,eyc->exy", along_x * weights[:, number, None], along_y)
            found.append(share.flatten(1))
        return torch.cat(found, dim=1).clamp(min=_LEAST)

    def centres(self, condition: Tensor) -> Tensor:
        """Return where the shower lies in each layer in mm, ``(events, layers, 2)``, x before y."""
        weights = self._weights(condition)
        x, y, slope_x, slope_y = self._line(condition)
        depth = torch.stack([getattr(self, f"z_{n}") for n in range(len(self.places))])
        mean = (weights * depth).sum(dim=2)
        return torch.stack([x + slope_x * mean, y + slope_y * mean], dim=2)

    def _weights(self, condition: Tensor) -> Tensor:
        """Return the weights of the mixtures, ``(events, layers, components)``."""
        place = (condition[:, 0].log() - self.knots[0]) / (self.knots[1] - self.knots[0])
        place = place.clamp(0, len(self.knots) - 1)
        left = place.long().clamp(max=len(self.knots) - 2)
        part = (place - left)[:, None, None]
        return torch.lerp(self.weights[left], self.weights[left + 1], part)

    def _mixture(self, number: int, shares: Tensor, condition: Tensor) -> Tensor:
        """Return the weights that make the shares most likely, ``(components,)``."""
        along_x, along_y = self._integrals(number, condition)
        each = (along_x[:, :, None] * along_y[:, None]).flatten(1, 2).flatten(0, 1)
        wanted = shares.flatten()
        kept = wanted != 0
        each, wanted = each[kept], wanted[kept]
        weights = torch.full_like(each[0], 1.0 / each.shape[1])
        for _ in range(_ROUNDS):
            mean = (each @ weights).clamp(min=1e-12)
            weights = (weights * ((wanted / mean) @ each)).clamp(min=0.0)
            total = weights.sum()
            if not float(total) > 0:  # no energy here, or weights of both signs
                return torch.full_like(weights, 1.0 / len(weights))
            weights = weights / total
        return weights

    def _integrals(self, number: int, condition: Tensor) -> tuple[Tensor, Tensor]:
        """Return the integrals over cells along x and y, ``(events, cells, components)``."""
        x, y, slope_x, slope_y = self._line(condition)
        depth = getattr(self, f"z_{number}")
        along_x = self._between(getattr(self, f"x_{number}"), x + slope_x * depth)
        return along_x, self._between(getattr(self, f"y_{number}"), y + slope_y * depth)

    def _between(self, edges: Tensor, centre: Tensor) -> Tensor:
        below = torch.special.erf((edges[1:-1, None] - centre[:, None]) / (2**0.5 * self.sigma))
        below = 0.5 * (1 + below)
        ends = torch.zeros_like(centre)[:, None]
        return torch.cat([ends, below, ends + 1], dim=1).diff(dim=1)

    def _line(self, condition: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return x, y and the slopes along them, ``(events, 1)`` each."""
        zero = torch.zeros_like(condition[:, :1])
        x, y, theta, phi = (
            condition[:, self.conditions.index(name), None] if name in self.conditions else zero
            for name in ("x", "y", "theta", "phi")
        )
        # without an azimuth the direction is unknown
        tangent = theta.tan() if "phi" in self.conditions else zero
        return x, y, tangent * phi.cos(), tangent * phi.sin()


def _depths(place: CellPlaces, extent: float, number: int) -> Tensor:
    """Return depths in a layer, evenly; anywhere in the detector if they are unknown."""
    first, last = place.depth or (0.0, extent)
    return first + (last - first) * (torch.arange(number) + 0.5) / number
