"""Layer energies one by one: there and back, normal, conserving, however many layers are empty."""

from __future__ import annotations

import pytest
import torch

from simulacra.generative.copula import empty_layers
from simulacra.nets import ConditionalGaussian
from simulacra.preprocess import LayerLogarithms

LAYERS, EVENTS, THRESHOLD = 6, 4000, 0.02


def _draw(seed):
    return torch.Generator().manual_seed(seed)


def _latent(events=EVENTS, seed=0, memory=0.8):
    """Normal numbers of which neighbours have the correlation ``memory``."""
    z = torch.randn(events, LAYERS, generator=_draw(seed))
    found = [z[:, 0]]
    for number in range(1, LAYERS):
        found.append(memory * found[-1] + (1 - memory**2) ** 0.5 * z[:, number])
    return torch.stack(found, dim=1)


def _showers(events=EVENTS, seed=0):
    """Layer energies in MeV: the first layers are full, the last is empty in most showers."""
    incident = 1000 * 16 ** torch.rand(events, generator=_draw(seed + 50))
    depth = torch.arange(LAYERS)
    logarithm = 6 - 2.2 * depth + (0.5 + 0.4 * depth) * _latent(events, seed)
    energy = logarithm.exp() * (incident[:, None] / 4000)
    return torch.where(energy >= THRESHOLD, energy, 0.0), incident.log()


@pytest.fixture(scope="module")
def scores():
    return LayerLogarithms(LAYERS, THRESHOLD).fit(*_showers())


def test_the_toy_has_full_and_empty_layers():
    empty = (_showers()[0] == 0).double().mean(dim=0)
    assert empty[0] == 0
    assert 0.5 < empty[-1] < 0.8


def test_there_and_back(scores):
    layers, log_energy = _showers(500, seed=1)
    back = scores.inverse(scores(layers, log_energy), log_energy)
    torch.testing.assert_close(back, layers, rtol=2e-3, atol=0)


def test_single_layers_and_empty_showers_come_back(scores):
    layers, log_energy = torch.zeros(LAYERS + 1, LAYERS), torch.full((LAYERS + 1,), 8.0)
    layers[:LAYERS] = torch.diag(torch.full((LAYERS,), 300.0))
    back = scores.inverse(scores(layers, log_energy), log_energy)
    torch.testing.assert_close(back, layers, rtol=2e-3, atol=1e-3 * THRESHOLD)


def test_every_score_is_standard_normal(scores):
    """Largest distance of distribution functions over 4000 fresh showers; 1.95 / sqrt(4000) =
    0.031 is exceeded once in a thousand times, and tables from some 500 showers add as much."""
    layers, log_energy = _showers(seed=2)
    uniform = torch.rand(layers.shape, generator=_draw(3))
    y = scores.fill(scores(layers, log_energy), log_energy, uniform)
    assert y.shape == (EVENTS, 1 + LAYERS)
    ranks = (torch.arange(EVENTS) + 0.5) / EVENTS
    distance = (torch.special.ndtr(y.sort(dim=0).values) - ranks[:, None]).abs().amax(dim=0)
    assert float(distance.max()) < 0.06


def test_the_drawn_response_is_kept_and_no_layer_lies_below_the_threshold(scores):
    y = 1.5 * torch.randn(2000, 1 + LAYERS, generator=_draw(4))
    log_energy = _showers(2000, seed=5)[1]
    layers = scores.inverse(y, log_energy)
    response = scores.response.inverse(y[:, :1], log_energy)[:, 0].clamp(min=0)
    torch.testing.assert_close(layers.sum(dim=1), response * log_energy.exp(), rtol=1e-5, atol=1e-4)
    assert (layers >= 0).all()
    assert not ((layers > 0) & (layers < THRESHOLD * (1 - 1e-6))).any()
    drawn = scores.logarithms.inverse(y[:, 1:], log_energy) >= 0
    enough = drawn.any(dim=1) & (layers.sum(dim=1) > LAYERS * THRESHOLD)
    assert enough.double().mean() > 0.9
    assert ((layers > 0) == drawn)[enough].all()


def test_a_response_too_small_to_share_goes_to_one_layer(scores):
    y, log_energy = torch.full((1, 1 + LAYERS), 2.0), torch.tensor([7.5])
    least = 0.5 * LAYERS * THRESHOLD / float(log_energy.exp())
    y[:, 0] = scores.response(torch.tensor([[least]]), log_energy)
    layers = scores.inverse(y, log_energy)
    assert (layers > 0).sum() == 1
    assert float(layers.sum()) == pytest.approx(0.5 * LAYERS * THRESHOLD, rel=0.05)


@pytest.mark.statistical
def test_the_correlation_of_layers_that_are_mostly_empty_is_found():
    """Truth 0.8 between neighbours, 70 % empty. With 4000 showers the estimate scatters by
    about 0.02, and the rounds leave a few hundredths of the way; filled one by one it is 0.5."""
    x, boundary = _latent(seed=6), torch.full((EVENTS, LAYERS), 0.5244)
    c, keys = torch.zeros(EVENTS, 1), torch.arange(EVENTS).numpy().astype("uint64")
    known = torch.where(x < boundary, -9.0, x)
    law = ConditionalGaussian(LAYERS, 1)
    empty_layers(law).fit(known, boundary, c, torch.ones(EVENTS), keys)
    covariance = law.root @ law.root.T
    width = covariance.diagonal().sqrt()
    found = (covariance / width / width[:, None]).diagonal(1)
    assert float((found - 0.8).abs().max()) < 0.08
    torch.testing.assert_close(width, torch.ones(LAYERS), rtol=0.1, atol=0)
    filled = empty_layers(law).fill(known, boundary, c, keys)
    assert (filled[x < boundary] <= 0.5244).all()
    assert (filled[x >= boundary] == x[x >= boundary]).all()
