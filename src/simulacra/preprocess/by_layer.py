"""Showers as scores, with the voxels' taken at the energy of their layer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Self

import torch
from torch import Tensor, nn

from .bijection import Chain
from .energy import LayerRatios
from .gaussian import Gaussianize
from .showers import checked_threshold, filled_layers, scaled_to_layers

__all__ = ["LayerScores", "ScoresByLayer"]

_FEWEST = 30  # showers with energy in a layer, from which tables are taken


class ScoresByLayer(nn.Module, ABC):
    """What :class:`~simulacra.preprocess.ShowerScores` is, where layers decide about voxels.

    Layer energies become scores at the incident energy, as there. Voxels become scores once the
    energy of their layer is known: an empty layer has empty voxels, and one that a
    particle crosses without a shower has few, without any network.

    Args:
        sizes: voxels of each layer.
        threshold: readout threshold in MeV, positive.

    Shapes:
        condition: ``(events, conditions)``, in MeV, mm and rad; the incident energy first.
        levels: logarithm of the energy of each layer in thresholds, ``(events, layers)``.

    Raises:
        RangeError: if the threshold is not positive.
    """

    def __init__(self, sizes: Sequence[int], threshold: float) -> None:
        super().__init__()
        self.threshold = checked_threshold(threshold)
        self.sizes = list(sizes)
        self.layers = Chain(LayerRatios(), Gaussianize(range(len(sizes)), spike=False))

    def fit(self, energies: Tensor, condition: Tensor, noise: Tensor, weight: Tensor) -> Self:
        """Learn the tables.

        Args:
            energies: voxel energies in MeV, ``(events, voxels)``.
            condition: see the class.
            noise: standard normal, ``(events, layers)``, for layers without energy.
            weight: event weights, ``(events,)``.
        """
        kept = self._kept(energies)
        layers = self.layer_energies(energies)
        self._fit_voxels(kept, self._levels(layers), condition, weight)
        filled = filled_layers(layers, self.threshold, noise)
        self.layers.fit(filled, condition[:, 0].log(), weight)
        return self

    def encode_voxels(self, energies: Tensor, condition: Tensor) -> Tensor:
        """Return voxel scores, ``(events, voxels)``; empty ones lie below their boundary."""
        levels = self._levels(self.layer_energies(energies))
        return self._scores(self._logarithms(self._kept(energies)), levels, condition)

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
        return self._filled(scores, self._levels(layers), condition, uniform)

    def decode(self, layers: Tensor, voxels: Tensor, condition: Tensor) -> Tensor:
        """Return voxel energies in MeV, ``(events, voxels)``, from the two vectors of scores."""
        target = self.layers.inverse(layers, condition[:, 0].log())
        target = torch.where(target >= self.threshold, target, 0.0)
        logarithms = self._values(voxels, self._levels(target), condition)
        energies = torch.where(logarithms >= 0, self.threshold * logarithms.exp(), 0.0)
        return scaled_to_layers(energies, logarithms, target, self.sizes, self.threshold)

    def layer_energies(self, energies: Tensor) -> Tensor:
        """Return the energy of each layer above threshold, ``(events, layers)``, MeV."""
        parts = self._kept(energies).split(self.sizes, dim=1)
        return torch.stack([part.sum(dim=1) for part in parts], dim=1)

    def further(self, condition: Tensor) -> Tensor:
        """Return numbers that networks need beside conditions, ``(events, further numbers)``."""
        return condition[:, :0]

    @property
    def further_size(self) -> int:
        """How many :meth:`further` has."""
        return 0

    @abstractmethod
    def _fit_voxels(
        self, kept: Tensor, levels: Tensor, condition: Tensor, weight: Tensor
    ) -> None: ...

    @abstractmethod
    def _scores(self, x: Tensor, levels: Tensor, condition: Tensor) -> Tensor: ...

    @abstractmethod
    def _values(self, y: Tensor, levels: Tensor, condition: Tensor) -> Tensor: ...

    @abstractmethod
    def _filled(self, y: Tensor, levels: Tensor, condition: Tensor, uniform: Tensor) -> Tensor: ...

    def _kept(self, energies: Tensor) -> Tensor:
        return torch.where(energies >= self.threshold, energies, 0.0)

    def _levels(self, layers: Tensor) -> Tensor:
        return (layers / self.threshold).clamp(min=0.5).log()

    def _logarithms(self, kept: Tensor) -> Tensor:
        return (kept / self.threshold).clamp(min=0.5).log()


class LayerScores(ScoresByLayer):
    """Scores of voxels by their quantiles at the energy of their layer.

    Args:
        rings: ``(radial bins, sectors)`` of each layer, in the flat order of the voxels.
        threshold: readout threshold in MeV, positive.
        by_ring: one table per ring (True) or per voxel (False).
        knots: energies of a layer that have tables, equidistant in their logarithm.
    """

    def __init__(
        self,
        rings: Sequence[tuple[int, int]],
        threshold: float,
        *,
        by_ring: bool = True,
        knots: int = 20,
    ) -> None:
        super().__init__([n_radius * n_alpha for n_radius, n_alpha in rings], threshold)
        self.voxels = nn.ModuleList(
            Gaussianize(
                list(range(n_radius)) * n_alpha if by_ring else range(n_radius * n_alpha),
                spike=True,
                knots=knots,
            )
            for n_radius, n_alpha in rings
        )

    def _fit_voxels(self, kept: Tensor, levels: Tensor, condition: Tensor, weight: Tensor) -> None:
        x = self._logarithms(kept).split(self.sizes, dim=1)
        for table, part, level in zip(self._tables(), x, levels.T, strict=True):
            there = level >= 0
            if int(there.sum()) >= _FEWEST:
                table.fit(part[there], level[there], weight[there])

    def _scores(self, x: Tensor, levels: Tensor, condition: Tensor) -> Tensor:
        parts = zip(self._tables(), x.split(self.sizes, dim=1), levels.T, strict=True)
        return torch.cat([table(part, level) for table, part, level in parts], dim=1)

    def _values(self, y: Tensor, levels: Tensor, condition: Tensor) -> Tensor:
        parts = zip(self._tables(), y.split(self.sizes, dim=1), levels.T, strict=True)
        return torch.cat([table.inverse(part, level) for table, part, level in parts], dim=1)

    def _filled(self, y: Tensor, levels: Tensor, condition: Tensor, uniform: Tensor) -> Tensor:
        each = (y.split(self.sizes, dim=1), uniform.split(self.sizes, dim=1))
        parts = zip(self._tables(), *each, levels.T, strict=True)
        return torch.cat([table.fill(part, level, u) for table, part, u, level in parts], dim=1)

    def _tables(self) -> list[Gaussianize]:
        return [table for table in self.voxels if isinstance(table, Gaussianize)]
