"""Showers as two vectors of standard normal scores: layer energies, and voxels given them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import numpy as np
import torch
from torch import Tensor, nn

from ..errors import RangeError
from .bijection import Chain, Log
from .energy import LayerRatios
from .gaussian import Gaussianize

__all__ = ["ShowerScores", "checked_threshold", "filled_layers", "scaled_to_layers"]


class ShowerScores(nn.Module):
    """The way between voxel energies and what the networks learn, and back.

    Forward: voxels below threshold are cut; layer energies become ratios that conserve energy
    (empty layers are filled with noise below the threshold) and then scores; voxel energies become
    logarithms above the threshold and then scores. Back: layer energies first; the voxels of each
    layer are scaled so that they sum to it, and those below threshold are cut.

    Args:
        rings: ``(radial bins, sectors)`` of each layer, in the flat order of the voxels.
        threshold: readout threshold in MeV, positive.
        by_ring: one table per ring (True) or per voxel (False, for showers that single out an
            angle).

    Raises:
        RangeError: if the threshold is not positive.
    """

    def __init__(
        self, rings: Sequence[tuple[int, int]], threshold: float, *, by_ring: bool = True
    ) -> None:
        super().__init__()
        self.threshold = checked_threshold(threshold)
        self.sizes = [n_radius * n_alpha for n_radius, n_alpha in rings]
        groups: list[int] = []
        for n_radius, n_alpha in rings:
            first = max(groups) + 1 if groups else 0
            copies = n_alpha if by_ring else 1
            each = n_radius * n_alpha // copies
            groups += [first + i for _ in range(copies) for i in range(each)]
        self.log = Log(threshold)
        self.voxels = Gaussianize(groups, spike=True)
        self.layers = Chain(LayerRatios(), Gaussianize(range(len(rings)), spike=False))

    def fit(
        self, energies: Tensor, incident_energy: Tensor, noise: Tensor, weight: Tensor | None
    ) -> Self:
        """Learn the tables.

        Args:
            energies: voxel energies in MeV, ``(events, voxels)``.
            incident_energy: in MeV, ``(events,)``.
            noise: standard normal, ``(events, layers)``, for layers without energy.
            weight: event weights, ``(events,)``.
        """
        log_energy = incident_energy.log()
        self.voxels.fit(self._logarithms(energies), log_energy, weight)
        filled = self._filled_layers(self.layer_energies(energies), noise)
        self.layers.fit(filled, log_energy, weight)
        return self

    def encode_voxels(self, energies: Tensor, incident_energy: Tensor) -> Tensor:
        """Return voxel scores, ``(events, voxels)``; empty voxels lie below their boundary."""
        scores: Tensor = self.voxels(self._logarithms(energies), incident_energy.log())
        return scores

    def encode_layers(self, layers: Tensor, incident_energy: Tensor, noise: Tensor) -> Tensor:
        """Return layer scores, ``(events, layers)``.

        Args:
            layers: layer energies in MeV, ``(events, layers)``.
            incident_energy: in MeV, ``(events,)``.
            noise: standard normal, ``(events, layers)``, for layers without energy.
        """
        scores: Tensor = self.layers(self._filled_layers(layers, noise), incident_energy.log())
        return scores

    def decode(self, layers: Tensor, voxels: Tensor, incident_energy: Tensor) -> Tensor:
        """Return voxel energies in MeV, ``(events, voxels)``, from the two vectors of scores.

        The voxels of each layer sum to the layer's energy up to rounding, no voxel lies between 0
        and the threshold, and none is negative.
        """
        log_energy = incident_energy.log()
        target = self.layers.inverse(layers, log_energy)
        target = torch.where(target >= self.threshold, target, 0.0)
        logarithms = self.voxels.inverse(voxels, log_energy)
        energies = torch.where(logarithms >= 0, self.log.inverse(logarithms, log_energy), 0.0)
        return scaled_to_layers(energies, logarithms, target, self.sizes, self.threshold)

    def layer_energies(self, energies: Tensor) -> Tensor:
        """Return the energy of each layer above threshold, ``(events, layers)``, MeV."""
        kept = torch.where(energies >= self.threshold, energies, 0.0)
        return _Layers(self.sizes, kept.device).sums(kept)

    def _logarithms(self, energies: Tensor) -> Tensor:
        kept = energies.clamp(min=0.5 * self.threshold)
        return torch.where(energies >= self.threshold, kept, 0.5 * self.threshold).log() - (
            torch.tensor(self.threshold).log()
        )

    def _filled_layers(self, layers: Tensor, noise: Tensor) -> Tensor:
        return filled_layers(layers, self.threshold, noise)


def checked_threshold(threshold: float) -> float:
    """Return a threshold in MeV.

    Raises:
        RangeError: if it is not positive.
    """
    if not threshold > 0:
        raise RangeError(
            f"threshold: expected a positive energy in MeV, got {threshold!r}; voxels of "
            "zero energy need a threshold that tells them from filled ones."
        )
    return threshold


def filled_layers(layers: Tensor, threshold: float, noise: Tensor) -> Tensor:
    """Give layers without energy a random one below the threshold, so that logarithms exist.

    Args:
        layers: layer energies in MeV, ``(events, layers)``.
        threshold: in MeV.
        noise: standard normal, ``(events, layers)``.
    """
    empty = (0.5 * noise - 1.5).clamp(max=-0.05).exp() * threshold
    return torch.where(layers >= threshold, layers, empty)


def scaled_to_layers(
    energies: Tensor, logarithms: Tensor, target: Tensor, sizes: Sequence[int], threshold: float
) -> Tensor:
    """Scale what each layer holds to the layer's energy, and cut what lies below the threshold.

    A layer with energy of which nothing is left gives it to where the logarithm is largest.

    Args:
        energies: of voxels or points in MeV, 0 where there is none, ``(events, all)``.
        logarithms: of their energies, ``(events, all)``.
        target: energy of each layer in MeV, ``(events, layers)``.
        sizes: how many of them each layer has, in order.
        threshold: in MeV.
    """
    layers = _Layers(sizes, energies.device)
    brightest = layers.largest(logarithms).to(energies.dtype)
    wanted = layers.spread(target)
    nothing = layers.spread(layers.sums(energies)) <= 0
    energies = torch.where(nothing, brightest, energies)
    for _ in range(2):  # the first scaling may push voxels below the threshold
        energies = energies * layers.spread(target / layers.sums(energies))
        kept = torch.where(energies >= threshold, energies, 0.0)
        alone = layers.spread(layers.sums(kept)) <= 0
        energies = torch.where(alone, brightest * wanted, kept)
    total = layers.sums(energies)
    return energies * layers.spread(torch.where(total > 0, target / total.clamp(min=1e-30), 0.0))


class _Layers:
    """Sums over the voxels of each layer, and back: few operations, whatever the layers."""

    def __init__(self, sizes: Sequence[int], device: torch.device) -> None:
        self.sizes = list(sizes)
        self.equal = len(set(self.sizes)) == 1
        number = torch.tensor(self.sizes, device=device)
        self.start = number.cumsum(0) - number
        layer = np.repeat(np.arange(len(self.sizes)), self.sizes)  # a constant of exported graphs
        self.layer = torch.from_numpy(layer).to(device)

    def sums(self, x: Tensor) -> Tensor:
        """Sum within each layer, ``(events, layers)``."""
        if self.equal:
            images: Tensor = x.unflatten(1, (len(self.sizes), -1))
            return images.sum(dim=2)
        return torch.stack([part.sum(dim=1) for part in x.split(self.sizes, 1)], dim=1)

    def largest(self, x: Tensor) -> Tensor:
        """Mark the largest number of each layer, ``(events, voxels)``, bool."""
        if self.equal:
            place = x.unflatten(1, (len(self.sizes), -1)).argmax(dim=2)
        else:
            place = torch.stack([part.argmax(dim=1) for part in x.split(self.sizes, 1)], dim=1)
        mark = torch.zeros_like(x, dtype=torch.bool)
        return mark.scatter(1, place + self.start, value=True)

    def spread(self, x: Tensor) -> Tensor:
        """Give each voxel its layer's number, ``(events, voxels)``."""
        return x.index_select(1, self.layer)
