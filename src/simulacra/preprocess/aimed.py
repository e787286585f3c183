"""Showers of particles from anywhere as scores: at what each cell should hold, around the axis."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from .axis import CellPlaces, ExpectedShares
from .by_layer import ScoresByLayer
from .expected import ExpectedScores

__all__ = ["AimedScores"]


class AimedScores(ScoresByLayer):
    """Scores of the cells of showers that lie elsewhere each time.

    A cell's score is taken at the share of its layer's energy that it should hold
    (:class:`~simulacra.preprocess.ExpectedShares`), and at that energy. And scores are rolled
    around: those of the cell on the shower's axis come to the middle of each layer, what leaves it
    at one side comes back at the other. How far the axis is from the middle of its cell is what
    networks are told (:meth:`further`).

    Args:
        places: the cells of each layer, in the flat order of the voxels.
        threshold: readout threshold in MeV, positive.
        conditions: names of the conditions.
    """

    def __init__(
        self, places: Sequence[CellPlaces], threshold: float, conditions: Sequence[str]
    ) -> None:
        self.shapes = [place.shape for place in places]
        super().__init__([a * b for a, b in self.shapes], threshold)
        self.axis = ExpectedShares(places, conditions)
        layers = [number for number, size in enumerate(self.sizes) for _ in range(size)]
        self.voxels = ExpectedScores(layers)

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

    def _fit_voxels(self, kept: Tensor, levels: Tensor, condition: Tensor, weight: Tensor) -> None:
        self.axis.fit(kept, condition, weight)
        shares = self.axis(condition)
        self.voxels.fit(self._logarithms(kept), shares, self._spread(levels), weight)

    def _scores(self, x: Tensor, levels: Tensor, condition: Tensor) -> Tensor:
        scores: Tensor = self.voxels(x, self.axis(condition), self._spread(levels))
        return self.rolled(scores, condition)

    def _values(self, y: Tensor, levels: Tensor, condition: Tensor) -> Tensor:
        fixed = self.rolled(y, condition, back=True)
        return self.voxels.inverse(fixed, self.axis(condition), self._spread(levels))

    def _filled(self, y: Tensor, levels: Tensor, condition: Tensor, uniform: Tensor) -> Tensor:
        fixed = self.rolled(y, condition, back=True)
        filled = self.voxels.fill(fixed, self.axis(condition), self._spread(levels), uniform)
        return self.rolled(filled, condition)

    def _spread(self, levels: Tensor) -> Tensor:
        """Give each cell its layer's number, ``(events, voxels)``."""
        return levels.index_select(1, self.voxels.layers)

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
