"""Hamiltonian Monte Carlo: chains side by side, with their random numbers as an input."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["hamiltonian"]

_GOLDEN = 0.5 * (5**0.5 - 1)  # multiples of it spread evenly over (0, 1), modulo 1


def hamiltonian(
    log_density: Callable[[Tensor], Tensor],
    start: Tensor,
    momenta: Tensor,
    chances: Tensor,
    *,
    step: float,
    leaps: int,
) -> tuple[Tensor, Tensor]:
    r"""Move each chain to a draw from a density that is known up to a factor.

    Each proposal follows :math:`H(z, p) = -\ln \pi(z) + |p|^2/2` from a fresh momentum by leapfrog
    steps and is taken with probability :math:`\min(1, e^{H - H'})`, so that the density is kept
    exactly whatever the step. S. Duane, A. Kennedy, B. Pendleton, D. Roweth, "Hybrid Monte Carlo",
    Physics Letters B 195 (1987) 216; R. Neal, "MCMC using Hamiltonian dynamics", 2012,
    https://arxiv.org/abs/1206.1901, section 5.2. Chains that start in one mode reach another only
    over ground that the density covers.

    Args:
        log_density: differentiable logarithm of the density up to a constant, from
            ``(chains, numbers)`` to ``(chains,)``; every chain's value depends on its own row.
        start: where the chains begin, ``(chains, numbers)``.
        momenta: standard normal numbers, ``(proposals, chains, numbers)``.
        chances: uniform numbers in (0, 1), ``(proposals, chains)``.
        step: of the leapfrog, in units of the state; it varies from half to one and a half times
            this from proposal to proposal, or all trajectories might close upon themselves.
        leaps: leapfrog steps of a proposal.

    Returns:
        The chains' last states, ``(chains, numbers)``, and the share of proposals that each took,
        ``(chains,)``.
    """
    state, taken = start, torch.zeros(len(start), dtype=start.dtype, device=start.device)
    value, slope = _with_slope(log_density, state)
    for number, (momentum, chance) in enumerate(zip(momenta, chances, strict=True)):
        length = step * (0.5 + number * _GOLDEN % 1)
        z, p, z_value, z_slope = state, momentum, value, slope
        for _ in range(leaps):
            half = p + length / 2 * z_slope
            z = z + length * half
            z_value, z_slope = _with_slope(log_density, z)
            p = half + length / 2 * z_slope
        change = z_value - value + (momentum.square().sum(1) - p.square().sum(1)) / 2
        accepted = chance.log() < change  # a nan is no reason to move
        state = torch.where(accepted[:, None], z, state)
        value = torch.where(accepted, z_value, value)
        slope = torch.where(accepted[:, None], z_slope, slope)
        taken += accepted
    return state, taken / max(1, len(momenta))


def _with_slope(log_density: Callable[[Tensor], Tensor], z: Tensor) -> tuple[Tensor, Tensor]:
    with torch.enable_grad():
        z = z.detach().requires_grad_(True)
        value = log_density(z)
        (slope,) = torch.autograd.grad(value.sum(), z)
    return value.detach(), slope
