"""Counts as scores: exact there and back, with the distribution of the data."""

from __future__ import annotations

import math

import pytest
import torch

from simulacra.errors import RangeError
from simulacra.preprocess import CountScores


def _sample(events=20_000):
    draw = torch.Generator().manual_seed(0)
    log_energy = 3 * torch.rand(events, generator=draw)
    chance = torch.stack([0.1 + 0.2 * log_energy, torch.full_like(log_energy, 0.9)], dim=1)
    trials = torch.rand(events, 2, 5, generator=draw)
    return (trials < chance[..., None]).sum(dim=2), log_energy[:, None].expand(-1, 2)


@pytest.fixture(scope="module")
def fitted():
    count, log_energy = _sample()
    return CountScores(2, 5).fit(count, log_energy)


def test_there_and_back_is_the_same_count(fitted):
    count, log_energy = _sample(500)
    for uniform in (1e-4, 0.5, 1 - 1e-4):
        y = fitted.encode(count, log_energy, torch.full((500, 2), uniform))
        assert torch.equal(fitted.decode(y, log_energy), count)


@pytest.mark.statistical
def test_scores_are_normal_and_normal_scores_have_the_counts_of_the_data(fitted):
    """Means within 5 standard errors; interpolation in the energy is linear here, nearly exact."""
    count, log_energy = _sample()
    draw = torch.Generator().manual_seed(1)
    y = fitted.encode(count, log_energy, torch.rand(count.shape, generator=draw))
    assert y.mean(dim=0).abs().max() < 5 / math.sqrt(len(y))
    assert (y.var(dim=0) - 1).abs().max() < 5 * math.sqrt(2 / len(y))
    drawn = fitted.decode(torch.randn(count.shape, generator=draw), log_energy)
    error = count.double().std(dim=0) * math.sqrt(2 / len(y))
    assert ((drawn.double().mean(dim=0) - count.double().mean(dim=0)).abs() < 5 * error).all()


def test_weight_two_means_seen_twice():
    count, log_energy = _sample(400)
    weight = torch.ones(400)
    weight[:100] = 2
    twice = torch.cat([count, count[:100]]), torch.cat([log_energy, log_energy[:100]])
    weighted = CountScores(2, 5, knots=2).fit(count, log_energy, weight)
    torch.testing.assert_close(weighted.bounds, CountScores(2, 5, knots=2).fit(*twice).bounds)


def test_bad_input_is_refused():
    with pytest.raises(RangeError, match="counts up to at least 1"):
        CountScores(2, 0)
    count, log_energy = _sample(300)
    with pytest.raises(RangeError, match="positive sum near every energy"):
        CountScores(2, 5).fit(count, log_energy, -torch.ones(300))
