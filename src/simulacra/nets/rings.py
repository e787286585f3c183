"""Rings of voxels as functions on a circle and numbers beside them, and back."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ..errors import ShapeError

__all__ = ["Rings"]


class Rings:
    """How a flat vector of voxels splits into functions of the angle and invariants.

    Args:
        rings: ``(radial bins, sectors)`` of each layer, in the flat order of the vector (radius
            fastest, then angle, then layer).

    Raises:
        ShapeError: if the layers have different numbers of sectors, or none has at least 3.
    """

    def __init__(self, rings: Sequence[tuple[int, int]]) -> None:
        sectors = {n_alpha for _, n_alpha in rings if n_alpha > 1}
        if len(sectors) != 1 or min(sectors) < 3:
            raise ShapeError(
                "ring network: expected layers with one common number of at least 3 angular "
                f"sectors (or with a single one), got {sorted(sectors) or 'none'}; the family "
                "autoregressive_flow takes any layers."
            )
        self.sectors = sectors.pop()
        self.rings = [(int(n_radius), int(n_alpha)) for n_radius, n_alpha in rings]
        self.functions = sum(n_radius for n_radius, n_alpha in self.rings if n_alpha > 1)
        self.invariants = sum(n_radius for n_radius, n_alpha in self.rings if n_alpha == 1)

    def split(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return functions ``(sectors, batch, functions)`` and invariants ``(batch, invariants)``.

        Args:
            x: ``(batch, voxels)``.
        """
        parts = x.split([n_radius * n_alpha for n_radius, n_alpha in self.rings], dim=1)
        functions = [
            part.reshape(x.shape[0], n_alpha, n_radius)
            for part, (n_radius, n_alpha) in zip(parts, self.rings, strict=True)
            if n_alpha > 1
        ]
        plain = [p for p, (_, n_alpha) in zip(parts, self.rings, strict=True) if n_alpha == 1]
        invariants = torch.cat(plain, dim=1) if plain else x[:, :0]
        return torch.cat(functions, dim=2).transpose(0, 1), invariants

    def join(self, functions: Tensor, invariants: Tensor) -> Tensor:
        """Undo :meth:`split`; return ``(batch, voxels)``."""
        images = functions.transpose(0, 1)
        parts, ring, plain = [], 0, 0
        for n_radius, n_alpha in self.rings:
            if n_alpha > 1:
                part = images[:, :, ring : ring + n_radius]
                parts.append(part.reshape(part.shape[0], n_alpha * n_radius))
                ring += n_radius
            else:
                parts.append(invariants[:, plain : plain + n_radius])
                plain += n_radius
        return torch.cat(parts, dim=1)
