"""Correlations of voxels that are mostly empty: counted in pairs, then learned."""

from __future__ import annotations

import functools
import math

import numpy as np
import pytest
import torch

from simulacra.generative.copula import Copula
from simulacra.generative.filled_together import correlations_of_filled
from simulacra.nets import RingGaussian

RINGS = ((3, 8), (3, 8))
EVENTS = 6000
PLACES = [(layer, angle, radius) for layer in range(2) for angle in range(8) for radius in range(3)]
NEIGHBOURS = ((0, 3), (0, 1), (0, 24))  # in angle, in radius, in depth


@functools.cache
def _truth() -> torch.Tensor:
    """Correlations that fall with the distance: 0.67 between neighbours."""

    def correlation(one, other):
        turn = (one[1] - other[1]) % 8
        steps = (one[0] - other[0], min(turn, 8 - turn), one[2] - other[2])
        return math.exp(-math.hypot(*steps) / 2.5)

    rows = [[correlation(one, other) for other in PLACES] for one in PLACES]
    return torch.tensor(rows, dtype=torch.float64)


def _sample(boundary: float, seed: int = 0):
    """Scores, what is below the boundary unknown, with their boundaries."""
    noise = torch.randn(
        EVENTS, len(PLACES), generator=torch.Generator().manual_seed(seed), dtype=torch.float64
    )
    root = torch.linalg.cholesky(_truth() + 1e-9 * torch.eye(len(PLACES)))
    scores = (noise @ root.T).float()
    level = torch.full_like(scores, boundary)
    return torch.where(scores < level, level - 1, scores), level


def _drawn(law: RingGaussian) -> torch.Tensor:
    noise = torch.randn(40_000, len(PLACES), generator=torch.Generator().manual_seed(1))
    return law.colour(noise, torch.zeros(40_000, 1))


@pytest.mark.statistical
@pytest.mark.parametrize(("boundary", "within"), [(0.0, 0.04), (1.5, 0.1), (2.2, 0.2)])
def test_counts_of_pairs_give_their_correlation(boundary, within):
    """Half, 7 % and 1.4 % are filled; the bounds are four times the spread between seeds."""
    scores, level = _sample(boundary)
    found = correlations_of_filled(scores >= level, level, torch.ones(EVENTS), RINGS)
    truth = _truth().unflatten(1, (2, 8, 3)).unflatten(0, (2, 8, 3))
    for angle in range(5):
        expected = truth[:, 0, :, :, angle, :].flatten(2).flatten(0, 1)
        assert float((found[angle] - expected).abs().max()) < within


def test_counts_follow_weights_and_ignore_what_is_never_filled():
    scores, level = _sample(1.0)
    part = 500
    scores, level = scores[:part], level[:part]
    once = correlations_of_filled(scores >= level, level, torch.full((part,), 2.0), RINGS)
    twice = correlations_of_filled(
        (scores >= level).repeat(2, 1), level.repeat(2, 1), torch.ones(2 * part), RINGS
    )
    torch.testing.assert_close(once, twice, atol=1e-9, rtol=0)
    never = torch.full_like(level, torch.inf)
    none = correlations_of_filled(scores >= never, never, torch.ones(part), RINGS)
    nothing = torch.zeros_like(none)
    nothing[0] = torch.eye(6)
    torch.testing.assert_close(none, nothing, atol=1e-9, rtol=0)


def test_a_law_takes_correlations_over():
    truth = _truth().unflatten(1, (2, 8, 3)).unflatten(0, (2, 8, 3))
    by_angle = torch.stack([truth[:, 0, :, :, a, :].flatten(2).flatten(0, 1) for a in range(5)])
    drawn = _drawn(RingGaussian(RINGS, 1).start_from(by_angle))
    torch.testing.assert_close(torch.cov(drawn.T).double(), _truth(), atol=0.04, rtol=0)


@pytest.mark.statistical
def test_what_is_filled_once_in_seventy_keeps_its_neighbours():
    """From independent scores, as many rounds end at 0.28 (the truth is 0.67)."""
    scores, level = _sample(2.2)
    keys = np.arange(EVENTS, dtype=np.uint64)  # events that are empty all over are alike
    copula = Copula(RINGS, 1).fit(scores, level, torch.zeros(EVENTS, 1), torch.ones(EVENTS), keys)
    drawn = _drawn(copula.law)
    found = torch.corrcoef(drawn.T)
    assert min(float(found[i, j]) for i, j in NEIGHBOURS) > 0.45
    torch.testing.assert_close(drawn.mean(dim=0), torch.zeros(48), atol=0.03, rtol=0)
    torch.testing.assert_close(drawn.std(dim=0), torch.ones(48), atol=0.03, rtol=0)
