"""Densities of two numbers with known truth, standardised to unit width."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["DENSITIES", "Density"]


@dataclass(frozen=True)
class Density:
    """A density that can be drawn from, with its exact logarithm.

    Args:
        width: standard deviation of each number before standardising.
        raw: draws ``(events, 2)`` from uniform numbers ``(events, 4)``.
        raw_log_density: in nats, of numbers before standardising.
    """

    width: float
    raw: Callable[[Tensor], Tensor]
    raw_log_density: Callable[[Tensor], Tensor]

    def draw(self, uniform: Tensor) -> Tensor:
        """Turn four uniform numbers per event into one event, ``(events, 2)``."""
        return self.raw(uniform) / self.width

    def log_density(self, x: Tensor) -> Tensor:
        """Return the log-density in nats, ``(events,)``."""
        return self.raw_log_density(x.double() * self.width) + 2 * math.log(self.width)


def _normals(uniform: Tensor) -> Tensor:
    """Turn two uniform numbers into two normal ones (Box and Muller)."""
    radius = (-2 * uniform[:, 0].log()).sqrt()
    angle = 2 * math.pi * uniform[:, 1]
    return torch.stack([radius * angle.cos(), radius * angle.sin()], dim=1)


def _gaussians(number: int, spread: float) -> Density:
    """Build equal Gaussians on the unit circle, the first at half the angle between two."""
    angles = 2 * math.pi * (torch.arange(number) + 0.5) / number
    centres = torch.stack([angles.cos(), angles.sin()], dim=1)

    def raw(uniform: Tensor) -> Tensor:
        choice = (uniform[:, 2] * number).long()
        return centres[choice] + spread * _normals(uniform)

    def log_density(x: Tensor) -> Tensor:
        squares = (x[:, None] - centres.double()).square().sum(dim=2)
        exponents = -squares / (2 * spread**2)
        return exponents.logsumexp(dim=1) - math.log(2 * math.pi * spread**2 * number)

    return Density(math.sqrt(0.5 + spread**2), raw, log_density)


def _rings(radii: tuple[float, ...], spread: float) -> Density:
    """Build equal rings with a normal profile: a circle's point plus a two-dimensional normal."""

    def raw(uniform: Tensor) -> Tensor:
        place = uniform[:, 2] * len(radii)
        radius = torch.tensor(radii)[place.long()]
        angle = 2 * math.pi * uniform[:, 3]
        point = torch.stack([radius * angle.cos(), radius * angle.sin()], dim=1)
        return point + spread * _normals(uniform)

    def log_density(x: Tensor) -> Tensor:
        r, ring = x.norm(dim=1)[:, None], torch.tensor(radii, dtype=torch.float64)
        # the angle integrated out: a Bessel function, scaled so that nothing overflows
        bessel = torch.special.i0e(r * ring / spread**2).log()
        exponents = -((r - ring).square()) / (2 * spread**2) + bessel
        return exponents.logsumexp(dim=1) - math.log(2 * math.pi * spread**2 * len(radii))

    mean_square = sum(radius**2 for radius in radii) / len(radii)
    return Density(math.sqrt(mean_square / 2 + spread**2), raw, log_density)


DENSITIES = {
    "four Gaussians": _gaussians(4, 0.2),
    "eight Gaussians": _gaussians(8, 0.12),
    "three rings": _rings((1.0, 2.0, 3.0), 0.15),
}
"""By name."""
