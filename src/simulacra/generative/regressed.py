"""Where adversarial generators of showers start: what a regression on the conditions draws."""

from __future__ import annotations

from typing import Self

import torch
from torch import Tensor, nn

from ..batch import Draws
from ..nets import ConditionalGaussian
from ..nets.conditional_gaussian import fitted_mean, mean_terms
from ..preprocess import AimedScores, ShowerScores, Standardize
from ..random import Stream
from .cascade import ShowerLayout
from .summaries import SUMMARIES, layer_summaries

__all__ = ["RegressedShowers"]


class RegressedShowers(nn.Module):
    r"""Showers with means and widths of the simulation's, from white noise, without training.

    The scores of the layers' energies, of which the first is the total over the incident energy
    (:class:`~simulacra.preprocess.LayerRatios`), are normal with a mean and a covariance that were
    regressed on the conditions (:class:`~simulacra.nets.ConditionalGaussian`); a voxel has the
    spectrum of its place, independent of all others, and the voxels of a layer are scaled to its
    energy. Rectangular cells whose places are known are seen around the particle's axis
    (:class:`~simulacra.preprocess.AimedScores`), other layouts as they stand. What a network adds
    to the scores, a discriminator has to ask for.

    Args:
        layout: the detector.
        unit: energy in thresholds at which the logarithm of a voxel's energy takes over.

    Shapes:
        condition: ``(events, conditions)``, in MeV, mm and rad; the incident energy first.
        given: :meth:`given`, ``(events, size)``, dimensionless.
        white: of the layers, standard normal at the start, ``(events, layers)``.
        voxels: scores, standard normal at the start, ``(events, voxels)``; around the axis.
        image: :math:`\ln(1 + e / e_0)` of voxel energies, ``(events, voxels)``; around the axis.
    """

    summary_mean: Tensor
    summary_width: Tensor

    def __init__(self, layout: ShowerLayout, unit: float) -> None:
        super().__init__()
        self.layout, self.unit = layout, unit * layout.threshold
        self.incident = layout.incident
        self.layers = len(layout.images)
        self.sizes = [a * b for a, b in layout.images]
        self.scale = Standardize(layout.incident.size)
        self.scores: ShowerScores | AimedScores
        if layout.places:
            self.scores = AimedScores(layout.places, layout.threshold, layout.conditions)
        else:
            self.scores = ShowerScores(
                [(columns, rows) for rows, columns in layout.images],
                layout.threshold,
                by_ring=False,
            )
        self.law = ConditionalGaussian(self.layers, layout.incident.size)
        self.seen_size = SUMMARIES * self.layers
        terms = 1 + 2 * (self.size + self.layers)
        self.register_buffer("summary_mean", torch.zeros(terms, self.seen_size))
        self.register_buffer("summary_width", torch.ones(self.seen_size))

    @property
    def size(self) -> int:
        """How many numbers :meth:`given` has."""
        further = self.scores.further_size if isinstance(self.scores, AimedScores) else 0
        return self.incident.size + further

    def fit(self, x: Tensor, condition: Tensor, weight: Tensor, draws: Draws) -> Self:
        """Learn tables and regressions.

        Args:
            x: voxel energies in MeV, ``(events, voxels)``.
            condition: see the class.
            weight: event weights, ``(events,)``; may be negative, with a positive sum.
            draws: random numbers for layers without energy.
        """
        self.scale.fit(self.incident(condition), condition[:, 0].log(), weight)
        noise = draws.normal(self.layers, Stream.EMPTY_VOXELS)
        self.scores.fit(x, self._at(condition), noise, weight)
        layers = self.scores.layer_energies(x)
        scores = self.scores.encode_layers(layers, self._at(condition), noise)
        self.law.fit(scores, self._scaled(condition), weight)
        white = self.law.whiten(scores, self._scaled(condition))
        summaries = layer_summaries(self.image(x, condition), self.layout.images)
        told = torch.cat([self.given(condition), white], dim=1)
        mean = fitted_mean(summaries, told, weight)
        rest = summaries.double() - mean_terms(told).double() @ mean
        variance = (weight.double() @ rest.square() / weight.double().sum()).clamp(min=0)
        self.summary_mean.copy_(mean)
        self.summary_width.copy_(variance.sqrt().clamp(min=_NARROWEST))
        return self

    def given(self, condition: Tensor) -> Tensor:
        """Return what networks are told: the conditions, and where in its cells the axis is."""
        scaled = self._scaled(condition)
        if not isinstance(self.scores, AimedScores):
            return scaled
        return torch.cat([scaled, self.scores.further(condition)], dim=1)

    def image(self, energies: Tensor, condition: Tensor) -> Tensor:
        """Return the image of voxel energies in MeV; those below the threshold are empty."""
        kept = torch.where(energies >= self.layout.threshold, energies, 0.0)
        image = (kept / self.unit).log1p()
        if isinstance(self.scores, AimedScores):
            image = self.scores.rolled(image, condition)
        return image

    def white_layers(self, image: Tensor, condition: Tensor, noise: Tensor) -> Tensor:
        """Return the white scores of an image's layers.

        Args:
            image: see the class.
            condition: see the class.
            noise: standard normal, ``(events, layers)``, for layers without energy.
        """
        parts = (image.expm1() * self.unit).split(self.sizes, dim=1)
        layers = torch.stack([part.sum(dim=1) for part in parts], dim=1)
        scores = self.scores.encode_layers(layers, self._at(condition), noise)
        return self.law.whiten(scores, self._scaled(condition))

    def seen(self, image: Tensor, white: Tensor, given: Tensor) -> Tensor:
        """Return the summaries of an image's layers, in widths from what the layers' energies say.

        Args:
            image: see the class.
            white: see the class.
            given: see the class.

        Returns:
            ``(events, seen_size)``, dimensionless; of mean 0 and width 1 for simulated showers,
            given the conditions and the energies of all layers, as far as a regression tells.
        """
        told = mean_terms(torch.cat([given, white], dim=1))
        rest = layer_summaries(image, self.layout.images) - told @ self.summary_mean
        return (rest / self.summary_width).clamp(-_FAR, _FAR)

    def energies(self, white: Tensor, voxels: Tensor, condition: Tensor) -> Tensor:
        """Return voxel energies in MeV, ``(events, voxels)``, nothing below the threshold.

        Scores beyond ten widths count as ten: energies are finite whatever a network says.
        """
        layers = self.law.colour(white.clamp(-_FAR, _FAR), self._scaled(condition))
        voxels = voxels.clamp(-_FAR, _FAR)
        return self.scores.decode(layers, voxels, self._at(condition))

    def _at(self, condition: Tensor) -> Tensor:
        return condition if isinstance(self.scores, AimedScores) else condition[:, 0]

    def _scaled(self, condition: Tensor) -> Tensor:
        scaled: Tensor = self.scale(self.incident(condition), condition[:, 0])
        return scaled


_FAR = 10.0
_NARROWEST = 1e-3  # what does not change at all is not blown up
