"""Layer energies as ratios that conserve energy."""

from __future__ import annotations

import torch
from torch import Tensor

from .bijection import Bijection

__all__ = ["LayerRatios"]


class LayerRatios(Bijection):
    r"""Total response first, then what each layer takes of the energy that is left.

    .. math::
        y_0 = \frac{\sum_j E_j}{E_\text{inc}}, \qquad
        y_i = \mathrm{logit}\,u_i = \ln E_{i-1} - \ln \sum_{j \ge i} E_j, \quad 0 < i < L

    The u-variables of C. Krause and D. Shih, "CaloFlow: fast and accurate generation of
    calorimeter showers with normalizing flows", 2021, arXiv:2106.05285, section III, spelled
    without cancellation; the layers sum to the total by construction.

    Shapes:
        x: layer energies, ``(events, layers)``, MeV, positive (empty layers are filled first).
        y: ``(events, layers)``, dimensionless.
    """

    def forward(self, x: Tensor, log_energy: Tensor) -> Tensor:
        rest = _energy_behind(x)
        response = (rest[:, :1].log() - log_energy[:, None]).exp()
        return torch.cat([response, x[:, :-1].log() - rest[:, 1:].log()], dim=1)

    def inverse(self, y: Tensor, log_energy: Tensor) -> Tensor:
        response = y[:, :1].clamp(min=1e-6)
        # ln(1 - u) of the layers passed, so that rest_i = total * prod (1 - u_j)
        behind = torch.cumsum(torch.nn.functional.logsigmoid(-y[:, 1:]), dim=1)
        rest = torch.cat([torch.zeros_like(response), behind], dim=1)
        taken = torch.cat(
            [torch.nn.functional.logsigmoid(y[:, 1:]), torch.zeros_like(response)], dim=1
        )
        return response * (rest + taken + log_energy[:, None]).exp()

    def log_det(self, x: Tensor, log_energy: Tensor) -> Tensor:
        # y_0 is linear in the total; given the total, each logit has dy/dE = rest_i/(E_i rest_i+1)
        rest = _energy_behind(x)
        ratios = rest[:, :-1].log() - x[:, :-1].log() - rest[:, 1:].log()
        return ratios.sum(dim=1) - log_energy


def _energy_behind(x: Tensor) -> Tensor:
    """Return the energy of each layer and all behind it, shape ``(events, layers)``."""
    return x.flip(1).cumsum(dim=1).flip(1)
