"""The incident particle as numbers for networks: angles as a direction, particles as flags."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["IncidentParticle"]


@dataclass(frozen=True)
class IncidentParticle:
    r"""Numbers that change smoothly where showers do, from the conditions as files have them.

    The energy becomes its logarithm; an azimuth becomes
    :math:`\sin\theta\cos\phi, \sin\theta\sin\phi` (without a polar angle
    :math:`\cos\phi, \sin\phi`), so that nothing jumps at :math:`\pm\pi` nor at
    :math:`\theta = 0`; a particle number becomes a flag for each known particle; all else stays.

    Args:
        conditions: names of the columns; the first is the incident energy in MeV.
        particles: numbers of the Particle Data Group that ``pdg`` can have, in order; another one
            has no flag.

    Example:
        >>> like = IncidentParticle(("incident_energy", "pdg"), (-11, 11, 22))
        >>> like(torch.tensor([[1.0, 22.0]]))
        tensor([[0., 0., 0., 1.]])
    """

    conditions: tuple[str, ...]
    particles: tuple[int, ...] = ()

    @property
    def size(self) -> int:
        """How many numbers there are."""
        further = {"phi": 2, "pdg": len(self.particles)}
        return 1 + sum(further.get(name, 1) for name in self.conditions[1:])

    def __call__(self, condition: Tensor) -> Tensor:
        """Return the numbers, ``(events, size)``.

        Args:
            condition: ``(events, conditions)``, in MeV, mm and rad.
        """
        found = [condition[:, :1].log()]
        for place, name in enumerate(self.conditions[1:], 1):
            column = condition[:, place : place + 1]
            if name == "phi":
                found.append(self._tilt(condition) * torch.cat([column.cos(), column.sin()], dim=1))
            elif name == "pdg":
                known = torch.tensor(self.particles, dtype=condition.dtype, device=condition.device)
                found.append((column == known).to(condition.dtype))
            else:
                found.append(column)
        return torch.cat(found, dim=1)

    def _tilt(self, condition: Tensor) -> Tensor:
        if "theta" not in self.conditions:
            return torch.ones_like(condition[:, :1])
        place = self.conditions.index("theta")
        return condition[:, place : place + 1].sin()
