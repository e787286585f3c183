"""Showers as two vectors of standard normal scores: layer energies, and voxels given them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, Self

import numpy as np
import torch
from torch import Tensor, nn

from ..errors import RangeError
from .bijection import Chain, Log
from .energy import LayerRatios
from .gaussian import Gaussianize
from .layers import LayerLogarithms

__all__ = [
    "ShowerScores",
    "checked_threshold",
    "filled_layers",
    "layer_sums",
    "scaled_to_layers",
]

_EVEN, _CROWDED = 32, 48  # intervals of a table
_SOFT = 0.1  # added to both logarithms of a share, so that there is one at the threshold
_LEAST = 1e-6  # of the threshold, that every voxel has above it
_MOST = 1e30  # MeV; sums over a layer stay finite


class ShowerScores(nn.Module):
    """The way between voxel energies and what the networks learn, and back.

    Forward: voxels below threshold are cut; layer energies become ratios that conserve energy
    (empty layers are filled with noise below the threshold) and then scores, or scores one by one
    (:class:`~simulacra.preprocess.LayerLogarithms`); voxel energies become logarithms above the
    threshold and then scores. Back: layer energies first; what voxels of
    each layer have above the threshold is scaled so that they sum to it.

    Args:
        rings: ``(radial bins, sectors)`` of each layer, in the flat order of the voxels.
        threshold: readout threshold in MeV, positive.
        by_ring: one table per ring (True) or per voxel (False, for showers that single out an
            angle).
        layers: ``ratios``, as many scores as layers, or ``logarithms``, one more, for detectors
            with layers that are mostly empty.
        spectra: voxels have a table at every ``incident`` energy, or at every energy of their
            ``layer``, which says more of how many of them are filled.
        crowded: tables of voxels have 48 intervals, closer together towards the threshold, in
            place of 32 equal ones (:func:`~simulacra.preprocess.gaussian.node_places`).
        lines: energies in MeV, ascending, that many voxels have exactly, above the threshold; for
            spectra at the incident energy. Such voxels keep theirs when a layer is scaled.

    Raises:
        RangeError: if the threshold is not positive, or a line is not above it.
    """

    layers: Chain | LayerLogarithms

    def __init__(
        self,
        rings: Sequence[tuple[int, int]],
        threshold: float,
        *,
        by_ring: bool = True,
        layers: Literal["ratios", "logarithms"] = "ratios",
        spectra: Literal["incident", "layer"] = "incident",
        crowded: bool = False,
        lines: Sequence[float] = (),
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
        self.voxels = Gaussianize(
            groups,
            spike=True,
            own=spectra == "layer",
            nodes=_CROWDED if crowded else _EVEN,
            crowded=crowded,
            lines=_over_threshold(lines, self.threshold),
        )
        if layers == "ratios":
            self.layers = Chain(LayerRatios(), Gaussianize(range(len(rings)), spike=False))
        else:
            self.layers = LayerLogarithms(len(rings), threshold)
        self.layer_scores = len(rings) + (layers == "logarithms")

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
        layers = self.layer_energies(energies)
        at, mask = self._looked_up_at(layers, log_energy), None
        if self.voxels.own:
            mask = _Layers(self.sizes, layers.device).spread(layers > 0)
        self.voxels.fit(self._logarithms(energies, at), at, weight, mask=mask)
        if isinstance(self.layers, Chain):
            layers = self._filled_layers(layers, noise)
        self.layers.fit(layers, log_energy, weight)
        return self

    def encode_voxels(self, energies: Tensor, incident_energy: Tensor) -> Tensor:
        """Return voxel scores, ``(events, voxels)``; empty voxels lie below their boundary."""
        at = self._looked_up_at(self.layer_energies(energies), incident_energy.log())
        scores: Tensor = self.voxels(self._logarithms(energies, at), at)
        return scores

    def fill_voxels(
        self, scores: Tensor, layers: Tensor, incident_energy: Tensor, uniform: Tensor
    ) -> Tensor:
        """Give each empty voxel a score of its own below the boundary.

        Args:
            scores: of :meth:`encode_voxels`.
            layers: layer energies in MeV, ``(events, layers)``.
            incident_energy: in MeV, ``(events,)``.
            uniform: numbers in (0, 1), ``(events, voxels)``.
        """
        at = self._looked_up_at(layers, incident_energy.log())
        return self.voxels.fill(scores, at, uniform)

    def boundary(self, layers: Tensor, incident_energy: Tensor) -> Tensor:
        """Return the score below which a voxel is empty, ``(events, voxels)``.

        Where spectra are those of the layer, an empty layer says nothing of its voxels' scores:
        infinity.

        Args:
            layers: layer energies in MeV, ``(events, layers)``.
            incident_energy: in MeV, ``(events,)``.
        """
        boundary = self.voxels.boundary(self._looked_up_at(layers, incident_energy.log()))
        if self.voxels.own:
            filled = _Layers(self.sizes, layers.device).spread(layers > 0)
            boundary = torch.where(filled, boundary, torch.inf)
        return boundary

    def encode_layers(self, layers: Tensor, incident_energy: Tensor, noise: Tensor) -> Tensor:
        """Return layer scores, ``(events, layer_scores)``, with some number for every empty layer.

        Args:
            layers: layer energies in MeV, ``(events, layers)``.
            incident_energy: in MeV, ``(events,)``.
            noise: standard normal, ``(events, layers)``, for layers without energy.
        """
        log_energy = incident_energy.log()
        if isinstance(self.layers, Chain):
            scores: Tensor = self.layers(self._filled_layers(layers, noise), log_energy)
            return scores
        return self.layers.fill(
            self.layers(layers, log_energy), log_energy, torch.special.ndtr(noise)
        )

    def decode(self, layers: Tensor, voxels: Tensor, incident_energy: Tensor) -> Tensor:
        """Return voxel energies in MeV, ``(events, voxels)``, from the two vectors of scores.

        The voxels of each layer sum to the layer's energy up to rounding, no voxel lies between 0
        and the threshold, and none is negative.
        """
        log_energy = incident_energy.log()
        target = self.layers.inverse(layers, log_energy)
        target = torch.where(target >= self.threshold, target, 0.0)
        at = self._looked_up_at(target, log_energy)
        logarithms = self._energies_of(self.voxels.inverse(voxels, at), at)
        energies = torch.where(logarithms >= 0, self.log.inverse(logarithms, log_energy), 0.0)
        parts = self.sizes, self.threshold
        if self.voxels.lines is None:
            return scaled_to_layers(energies, logarithms, target, *parts)
        held = self.voxels.lines.on(logarithms)
        return _scaled_beside(energies, logarithms, target, held, *parts)

    def layer_energies(self, energies: Tensor) -> Tensor:
        """Return the energy of each layer above threshold, ``(events, layers)``, MeV."""
        return layer_sums(energies, self.sizes, self.threshold)

    def _looked_up_at(self, layers: Tensor, log_energy: Tensor) -> Tensor:
        """Return the logarithm of the energy at which the tables of voxels are looked up."""
        if not self.voxels.own:
            return log_energy
        own = layers.clamp(min=self.threshold).log()
        return _Layers(self.sizes, layers.device).spread(own)

    def _logarithms(self, energies: Tensor, at: Tensor) -> Tensor:
        """Return the logarithm of voxel energies over the threshold, with the layer's as unit.

        The unit is 1 for spectra at the incident energy. What is empty is negative.
        """
        kept = energies.clamp(min=0.5 * self.threshold)
        logarithms = torch.where(energies >= self.threshold, kept, 0.5 * self.threshold).log() - (
            torch.tensor(self.threshold).log()
        )
        if not self.voxels.own:
            return logarithms
        unit = at - math.log(self.threshold) + _SOFT
        return torch.where(logarithms >= 0, (logarithms + _SOFT) / unit, -_SOFT)

    def _energies_of(self, values: Tensor, at: Tensor) -> Tensor:
        """Undo :meth:`_logarithms`: no voxel has more than its layer."""
        if not self.voxels.own:
            return values
        unit = at - math.log(self.threshold) + _SOFT
        filled = (values.clamp(max=1) * unit - _SOFT).clamp(min=0)
        return torch.where(values >= 0, filled, values)

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


def layer_sums(energies: Tensor, sizes: Sequence[int], threshold: float) -> Tensor:
    """Return the energy that each layer has above the threshold, ``(events, layers)``, MeV.

    Args:
        energies: of voxels in MeV, ``(events, voxels)``.
        sizes: how many voxels each layer has, in order.
        threshold: in MeV; voxels below it do not count.
    """
    kept = torch.where(energies >= threshold, energies, 0.0)
    return _Layers(sizes, kept.device).sums(kept)


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
    r"""Give each layer its energy: what voxels have above the threshold is scaled.

    None falls below it:

    .. math:: e_i' = T + (e_i - T)\, \frac{E - n T}{\sum_j (e_j - T)}

    with the threshold T and the n voxels that the layer holds, so that their number stays what it
    was drawn to be. A layer with less than a threshold for each of them loses its dimmest; one
    with energy of which nothing is left gives it to where the logarithm is largest.

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
    energies = torch.where(nothing, brightest * wanted, energies.clamp(max=_MOST))
    for _ in range(2):  # what is left after a cut may still be too much for the layer
        room = target - threshold * layers.sums((energies > 0).to(energies.dtype))
        # an empty layer has no share of its sum, and 0 / 0 would spoil the gradient of all
        share = target / layers.sums(energies).clamp(min=1e-30)
        scaled = energies * layers.spread(share)
        kept = torch.where(scaled >= threshold, scaled, 0.0)
        alone = layers.spread(layers.sums(kept)) <= 0
        kept = torch.where(alone, brightest * wanted, kept)
        energies = torch.where(layers.spread(room) > 0, energies, kept)
    filled = energies > 0
    room = target - threshold * layers.sums(filled.to(energies.dtype))
    excess = torch.where(filled, (energies - threshold).clamp(min=_LEAST * threshold), 0.0)
    factor = layers.spread(room / layers.sums(excess).clamp(min=1e-30))
    shared = torch.where(filled, threshold + excess * factor, 0.0)
    total = layers.sums(energies)
    scale = torch.where(total > 0, target / total.clamp(min=1e-30), 0.0)
    return torch.where(layers.spread(room) > 0, shared, energies * layers.spread(scale))


def _scaled_beside(
    energies: Tensor,
    logarithms: Tensor,
    target: Tensor,
    held: Tensor,
    sizes: Sequence[int],
    threshold: float,
) -> Tensor:
    """Give each layer its energy, with voxels of a line as they are wherever others have room.

    Args:
        energies: see :func:`scaled_to_layers`.
        logarithms: see there.
        target: see there.
        held: voxels that have the energy of a line, ``(events, voxels)``.
        sizes: see there.
        threshold: in MeV.
    """
    layers = _Layers(sizes, energies.device)
    taken = layers.sums(torch.where(held, energies, 0.0))
    others = layers.sums(((energies > 0) & ~held).to(energies.dtype))
    room = (others > 0) & (target - taken > threshold * others)
    held = held & layers.spread(room)
    rest = torch.where(held, 0.0, energies)
    known = torch.where(held, -torch.inf, logarithms)
    wanted = target - torch.where(room, taken, 0.0)
    return torch.where(held, energies, scaled_to_layers(rest, known, wanted, sizes, threshold))


def _over_threshold(lines: Sequence[float], threshold: float) -> list[float]:
    """Return the logarithm of each line over the threshold."""
    if any(not line > threshold for line in lines):
        raise RangeError(
            f"lines: expected energies above the threshold of {threshold:g} MeV, found "
            f"{[float(line) for line in lines]}; a voxel below it is empty."
        )
    return [math.log(line / threshold) for line in lines]


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
        yes = torch.ones_like(place, dtype=torch.bool)  # a tensor: TorchScript knows no bool number
        return mark.scatter(1, place + self.start, yes)

    def spread(self, x: Tensor) -> Tensor:
        """Give each voxel its layer's number, ``(events, voxels)``."""
        if self.equal:
            return x[:, :, None].expand(-1, -1, self.sizes[0]).flatten(1)
        # single numbers: ONNX Runtime gathers columns ten times as slowly
        return x.gather(1, self.layer.expand(x.shape[0], -1))
