"""Showers of particles from anywhere as scores: at what each cell should hold, around the axis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import torch
from torch import Tensor, nn

from .axis import CellPlaces, ExpectedShares
from .bijection import Chain
from .energy import LayerRatios
from .expected import ExpectedScores
from .gaussian import Gaussianize
from .showers import checked_threshold, filled_layers, layer_sums, scaled_to_layers

__all__ = ["AimedScores"]


class AimedScores(nn.Module):
    """Scores of the cells of showers that lie elsewhere each time.

    What :class:`~simulacra.preprocess.ShowerScores` is for showers along the axis. Layer energies
    become scores at the incident energy, as there. A cell's score is taken at the share of its
    layer's energy that it should hold (:class:`~simulacra.preprocess.ExpectedShares`), and at that
    energy. And scores are rolled
    around: those of the cell on the shower's axis come to the middle of each layer, what leaves it
    at one side comes back at the other. How far the axis is from the middle of its cell is what
    networks are told (:meth:`further`).

    Args:
        places: the cells of each layer, in the flat order of the voxels.
        threshold: readout threshold in MeV, positive.
        conditions: names of the conditions.

    Shapes:
        condition: ``(events, conditions)``, in MeV, mm and rad; the incident energy first.
        levels: logarithm of the energy of each layer in thresholds, ``(events, layers)``.

    Raises:
        RangeError: if the threshold is not positive.
    """

    def __init__(
        self, places: Sequence[CellPlaces], threshold: float, conditions: Sequence[str]
    ) -> None:
        super().__init__()
        self.threshold = checked_threshold(threshold)
        self.shapes = [place.shape for place in places]
        self.sizes = [a * b for a, b in self.shapes]
        self.layer_scores = len(self.sizes)
        self.layers = Chain(LayerRatios(), Gaussianize(range(len(self.sizes)), spike=False))
        self.axis = ExpectedShares(places, conditions)
        layers = [number for number, size in enumerate(self.sizes) for _ in range(size)]
        self.voxels = ExpectedScores(layers)

    def fit(self, energies: Tensor, condition: Tensor, noise: Tensor, weight: Tensor) -> Self:
        """Learn the tables.

        Args:
            energies: voxel energies in MeV, ``(events, voxels)``.
            condition: see the class.
            noise: standard normal, ``(events, layers)``, for layers without energy.
            weight: event weights, ``(events,)``.
        """
        kept, layers = self._kept(energies), self.layer_energies(energies)
        self.axis.fit(kept, condition, weight)
        shares, levels = self.axis(condition), self._levels(layers)
        self.voxels.fit(self._logarithms(kept), shares, self._spread(levels), weight)
        filled = filled_layers(layers, self.threshold, noise)
        self.layers.fit(filled, condition[:, 0].log(), weight)
        return self

    def encode_voxels(self, energies: Tensor, condition: Tensor) -> Tensor:
        """Return voxel scores, ``(events, voxels)``; empty ones lie below their boundary."""
        levels = self._spread(self._levels(self.layer_energies(energies)))
        x = self._logarithms(self._kept(energies))
        return self.rolled(self.voxels(x, self.axis(condition), levels), condition)

    def encode_layers(self, layers: Tensor, condition: Tensor, noise: Tensor) -> Tensor:
        """Return layer scores, ``(events, layers)``.

        Args:
            layers: layer energies in MeV, ``(events, layers)``.
            condition: see the class.
            noise: standard normal, ``(events, layers)``, for layers without energy.
        """
        filled = filled_layers(layers, self.threshold, noise)
        scores: Tensor = self.layers(filled, condition[:, 0].log())
        return scores

    def fill_voxels(
        self, scores: Tensor, layers: Tensor, condition: Tensor, uniform: Tensor
    ) -> Tensor:
        """Draw the scores of empty voxels anew, from their part of the normal distribution.

        Args:
            scores: of voxels, ``(events, voxels)``.
            layers: energies in MeV, ``(events, layers)``.
            condition: see the class.
            uniform: numbers in (0, 1), ``(events, voxels)``.
        """
        levels = self._spread(self._levels(layers))
        fixed = self.rolled(scores, condition, back=True)
        filled = self.voxels.fill(fixed, self.axis(condition), levels, uniform)
        return self.rolled(filled, condition)

    def decode(self, layers: Tensor, voxels: Tensor, condition: Tensor) -> Tensor:
        """Return voxel energies in MeV, ``(events, voxels)``, from the two vectors of scores."""
        target = self.layers.inverse(layers, condition[:, 0].log())
        target = torch.where(target >= self.threshold, target, 0.0)
        fixed = self.rolled(voxels, condition, back=True)
        levels = self._spread(self._levels(target))
        logarithms = self.voxels.inverse(fixed, self.axis(condition), levels)
        energies = torch.where(logarithms >= 0, self.threshold * logarithms.exp(), 0.0)
        return scaled_to_layers(energies, logarithms, target, self.sizes, self.threshold)

    def layer_energies(self, energies: Tensor) -> Tensor:
        """Return the energy of each layer above threshold, ``(events, layers)``, MeV."""
        return layer_sums(energies, self.sizes, self.threshold)

    @property
    def further_size(self) -> int:
        """Two numbers for each layer."""
        return 2 * len(self.sizes)

    def further(self, condition: Tensor) -> Tensor:
        """Return how far the axis is from the middle of its cell, ``(events, 2 * layers)``.

        In widths of the cell, times the square root of 12: uniform ones then have unit width.
        """
        centres, found = self.axis.centres(condition), []
        for number, cells in enumerate(self._cells(centres)):
            for direction, cell in enumerate(cells):
                edges = self._edges(number)[direction]
                middle, width = 0.5 * (edges[1:] + edges[:-1]), edges.diff()
                found.append((centres[:, number, direction] - middle[cell]) / width[cell])
        return 12**0.5 * torch.stack(found, dim=1)

    def rolled(self, x: Tensor, condition: Tensor, *, back: bool = False) -> Tensor:
        """Roll each layer so that the cell on the axis comes to its middle, or back.

        Args:
            x: numbers of all cells, ``(events, voxels)``.
            condition: see the class.
            back: undo it.
        """
        sign, places, start = -1 if back else 1, [], 0
        cells = self._cells(self.axis.centres(condition))
        for (n_x, n_y), (cell_x, cell_y) in zip(self.shapes, cells, strict=True):
            from_x = _turned(n_x, sign * (cell_x - n_x // 2))
            from_y = _turned(n_y, sign * (cell_y - n_y // 2))
            places.append((start + from_x[:, :, None] * n_y + from_y[:, None]).flatten(1))
            start += n_x * n_y
        return x.gather(1, torch.cat(places, dim=1))

    def _kept(self, energies: Tensor) -> Tensor:
        return torch.where(energies >= self.threshold, energies, 0.0)

    def _levels(self, layers: Tensor) -> Tensor:
        return (layers / self.threshold).clamp(min=0.5).log()

    def _logarithms(self, kept: Tensor) -> Tensor:
        return (kept / self.threshold).clamp(min=0.5).log()

    def _spread(self, levels: Tensor) -> Tensor:
        """Give each cell its layer's number, ``(events, voxels)``."""
        return levels.gather(1, self.voxels.layers.expand(levels.shape[0], -1))

    def _edges(self, number: int) -> tuple[Tensor, Tensor]:
        return getattr(self.axis, f"x_{number}"), getattr(self.axis, f"y_{number}")

    def _cells(self, centres: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Return in which cell along x and along y the axis is, ``(events,)`` each, by layer."""
        found = []
        for number in range(len(self.sizes)):
            along = [
                (centres[:, number, direction, None] >= edges[1:-1]).sum(dim=1)
                for direction, edges in enumerate(self._edges(number))
            ]
            found.append((along[0], along[1]))
        return found


def _turned(number: int, steps: Tensor) -> Tensor:
    """Return 0, 1, ... turned on a circle by some steps, ``(events, number)``."""
    return (torch.arange(number, device=steps.device) + steps[:, None]) % number
