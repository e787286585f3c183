"""Layer energies as scores of their own, where many layers are empty."""

from __future__ import annotations

from typing import Self

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from .gaussian import Gaussianize

__all__ = ["LayerLogarithms"]


class LayerLogarithms(nn.Module):
    r"""Scores of the response and of the logarithm of each layer's energy, with a class "empty".

    .. math::
        y_0 = g_0\Bigl(\frac{\sum_j E_j}{E_\text{inc}}\Bigr), \qquad
        y_\ell = g_\ell\Bigl(\ln \frac{E_\ell}{E_\text{thr}}\Bigr)

    with :math:`g` the map to a standard normal at the incident energy
    (:class:`~simulacra.preprocess.Gaussianize`). A layer without energy has a score below its
    boundary, like an empty voxel; its share of the showers is exact at every tabulated energy.

    There is one score more than there are layers. Back, the drawn response has the last word: each
    filled layer keeps the threshold, and what they have above it is scaled by one factor,

    .. math::
        E_\ell = E_\text{thr} + \kappa\,(e_\ell - E_\text{thr}), \qquad
        \kappa = \frac{y_0 E_\text{inc} - n E_\text{thr}}{\sum_j (e_j - E_\text{thr})}

    over the n layers with :math:`e_\ell \ge E_\text{thr}`: energy is conserved, and no layer is
    filled or emptied by it. A response too small for that goes to the layer of the largest score.

    Args:
        layers: number of layers.
        threshold: readout threshold in MeV.

    Shapes:
        layers: energies in MeV, 0 or at least the threshold, ``(events, layers)``.
        y: response first, ``(events, 1 + layers)``, dimensionless.
        log_energy: ``(events,)``.
    """

    def __init__(self, layers: int, threshold: float) -> None:
        super().__init__()
        self.threshold = threshold
        self.response = Gaussianize([0], spike=False)
        self.logarithms = Gaussianize(range(layers), spike=True)

    def fit(self, layers: Tensor, log_energy: Tensor, weight: Tensor | None = None) -> Self:
        """Learn the tables from layer energies."""
        self.response.fit(_response(layers, log_energy), log_energy, weight)
        self.logarithms.fit(self._logarithms(layers), log_energy, weight)
        return self

    def forward(self, layers: Tensor, log_energy: Tensor) -> Tensor:
        """Return scores; those of empty layers lie below their boundary."""
        response = self.response(_response(layers, log_energy), log_energy)
        return torch.cat([response, self.logarithms(self._logarithms(layers), log_energy)], dim=1)

    def boundary(self, log_energy: Tensor) -> Tensor:
        """Return the score below which a layer is empty; minus infinity for the response."""
        below = self.logarithms.boundary(log_energy)
        return torch.cat([torch.full_like(below[:, :1], -torch.inf), below], dim=1)

    def fill(self, y: Tensor, log_energy: Tensor, uniform: Tensor) -> Tensor:
        """Give each empty layer a score of its own below the boundary.

        Args:
            y: scores.
            log_energy: ``(events,)``.
            uniform: numbers in (0, 1), ``(events, layers)``.
        """
        filled = self.logarithms.fill(y[:, 1:], log_energy, uniform)
        return torch.cat([y[:, :1], filled], dim=1)

    def inverse(self, y: Tensor, log_energy: Tensor) -> Tensor:
        """Return layer energies in MeV; they sum to the response if it reaches the threshold."""
        response = self.response.inverse(y[:, :1], log_energy)
        total = response.clamp(min=0) * log_energy[:, None].exp()
        logarithms = self.logarithms.inverse(y[:, 1:], log_energy)
        brightest = one_hot(logarithms.argmax(dim=1), logarithms.shape[1]) > 0
        filled = (logarithms >= 0) | brightest
        least = self.threshold * filled
        # a layer at the threshold is lifted by a millionth, so that there is something to scale
        excess = torch.where(filled, logarithms.clamp(min=1e-6).expm1() * self.threshold, 0.0)
        room = total - least.sum(dim=1, keepdim=True)
        shared = least + excess * (room / excess.sum(dim=1, keepdim=True))
        return torch.where(room >= 0, shared, total * brightest)

    def _logarithms(self, layers: Tensor) -> Tensor:
        # all that is below the threshold is one class: half of it stands for any
        kept = torch.where(layers >= self.threshold, layers, 0.5 * self.threshold)
        return (kept / self.threshold).log()


def _response(layers: Tensor, log_energy: Tensor) -> Tensor:
    return layers.sum(dim=1, keepdim=True) / log_energy[:, None].exp()
