"""Chains end in the density, whatever the step; nothing but the given numbers is random."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from simulacra.random import Stream, normal, uniform
from simulacra.samplers import hamiltonian

CHAINS, PROPOSALS = 4000, 30


def numbers(dimensions: int, seed: int = 1, chains: int = CHAINS, proposals: int = PROPOSALS):
    events = np.arange(chains)
    momenta = normal(seed, events, proposals * dimensions, dtype=np.float64)
    chances = uniform(seed, events, proposals, stream=Stream.KEPT, dtype=np.float64)
    shaped = momenta.reshape(chains, proposals, dimensions).transpose(1, 0, 2)
    return torch.from_numpy(shaped.copy()), torch.from_numpy(chances.T.copy())


@pytest.mark.statistical
@pytest.mark.parametrize("step", [0.3, 1.2])
def test_a_correlated_normal_law_is_drawn(step) -> None:
    """Mean and covariance within 4.5 errors of 5 numbers: one alarm in 30,000.

    A step of 1.2 rejects often, and the law is still exact.
    """
    mean = torch.tensor([1.0, -2.0], dtype=torch.float64)
    covariance = torch.tensor([[1.0, 0.6], [0.6, 2.0]], dtype=torch.float64)
    precision = covariance.inverse()

    def log_density(z):
        return -((z - mean) @ precision * (z - mean)).sum(1) / 2

    start = torch.zeros(CHAINS, 2, dtype=torch.float64)
    z, accepted = hamiltonian(log_density, start, *numbers(2), step=step, leaps=4)
    assert (accepted.mean() > 0.95) == (step < 1)
    assert ((z.mean(0) - mean).abs() < 4.5 * (covariance.diagonal() / CHAINS).sqrt()).all()
    outer = covariance.diagonal()[:, None] * covariance.diagonal()[None]
    error = ((covariance**2 + outer) / CHAINS).sqrt()
    assert ((z.T.cov() - covariance).abs() < 4.5 * error).all()


def test_energy_is_kept_to_the_square_of_the_step() -> None:
    """Rejections of a quartic well fall by about 2^2 when the step halves and time is kept."""

    def log_density(z):
        return -(z**4).sum(1) / 4

    start = torch.from_numpy(normal(3, np.arange(CHAINS), 1, dtype=np.float64))
    lost = []
    for step, leaps in ((0.2, 4), (0.1, 8)):
        _, accepted = hamiltonian(log_density, start, *numbers(1), step=step, leaps=leaps)
        lost.append(1 - float(accepted.mean()))
    assert 2.5 < lost[0] / lost[1] < 6


def test_chains_do_not_see_each_other() -> None:
    def log_density(z):
        return -(z.square().sum(1)) / 2

    momenta, chances = numbers(3, chains=10, proposals=5)
    start = torch.ones(10, 3, dtype=torch.float64)
    whole, _ = hamiltonian(log_density, start, momenta, chances, step=0.2, leaps=3)
    some = [2, 7]
    part, _ = hamiltonian(
        log_density, start[some], momenta[:, some], chances[:, some], step=0.2, leaps=3
    )
    torch.testing.assert_close(part, whole[some])


def test_a_density_that_is_not_a_number_is_not_entered() -> None:
    def log_density(z):
        return torch.log(1 - z[:, 0])  # nothing above 1

    start = torch.zeros(200, 1, dtype=torch.float64)
    z, _ = hamiltonian(log_density, start, *numbers(1, chains=200), step=0.5, leaps=3)
    assert torch.isfinite(z).all()
    assert (z < 1).all()
