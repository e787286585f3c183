"""Voxels at the energy of their layer: what an empty or a crossed layer holds needs no network."""

from __future__ import annotations

import pytest
import torch
from scipy import stats

from simulacra.errors import RangeError
from simulacra.preprocess import LayerScores

RINGS = ((3, 1), (4, 6))
VOXELS = 27


def _late_showers(events: int, seed: int):
    """Particles that cross the first layer with a few MeV in one voxel, or shower there."""
    draw = torch.Generator().manual_seed(seed)
    incident = 1000 * 8 ** torch.rand(events, 1, generator=draw)
    early = torch.rand(events, generator=draw) < 0.4
    first = torch.where(early, 0.1 * incident[:, 0], 20.0 + torch.rand(events, generator=draw))
    first = torch.where(torch.rand(events, generator=draw) < 0.2, 0.0, first)
    shape = torch.rand(events, VOXELS, generator=draw).square()
    shape[:, 1:3] *= early[:, None]  # without a shower, all is in the middle
    inner = shape[:, :3] / shape[:, :3].sum(dim=1, keepdim=True) * first[:, None]
    outer = shape[:, 3:] / shape[:, 3:].sum(dim=1, keepdim=True) * 0.5 * incident
    energies = torch.cat([inner, outer], dim=1)
    return torch.where(energies >= 1.0, energies, 0.0), incident


@pytest.fixture(scope="module")
def scores() -> LayerScores:
    energies, incident = _late_showers(4000, 0)
    noise = torch.randn(4000, 2, generator=torch.Generator().manual_seed(1))
    return LayerScores(RINGS, 1.0).fit(energies, incident, noise, torch.ones(4000))


def test_showers_come_back_also_with_empty_layers(scores):
    energies, incident = _late_showers(300, 2)
    layers = scores.encode_layers(scores.layer_energies(energies), incident, torch.zeros(300, 2))
    voxels = scores.encode_voxels(energies, incident)
    uniform = torch.rand(300, VOXELS, generator=torch.Generator().manual_seed(3))
    filled = scores.fill_voxels(voxels, scores.layer_energies(energies), incident, uniform)
    back = scores.decode(layers, filled, incident)
    at_edge = (energies > 0) & (energies < 1.01)
    torch.testing.assert_close(back[~at_edge], energies[~at_edge], rtol=5e-3, atol=1e-3)


def test_a_crossed_layer_is_dark_outside_its_middle_without_any_network(scores):
    """Layer energies of the data, and voxels of independent scores."""
    energies, incident = _late_showers(1000, 4)
    layers = scores.layer_energies(energies)
    crossed = (layers[:, 0] > 0) & (layers[:, 0] < 25) & (incident[:, 0] > 1000)
    noise = torch.randn(1000, VOXELS, generator=torch.Generator().manual_seed(5))
    encoded = scores.encode_layers(layers, incident, torch.zeros(1000, 2))
    drawn = scores.decode(encoded, noise, incident)
    assert bool((energies[crossed, 1:3] == 0).all())
    assert float((drawn[crossed, 1:3] > 0).float().mean()) < 0.02
    assert float((drawn[~crossed & (layers[:, 0] > 0), 1:3] > 0).float().mean()) > 0.5
    assert bool((drawn[layers[:, 0] == 0, :3] == 0).all())


@pytest.mark.statistical
def test_scores_are_normal_where_layers_have_energy(scores):
    """Kolmogorov distance below 0.06 with 2,000 events; the null's 1e-6 quantile."""
    energies, incident = _late_showers(2000, 6)
    layers = scores.layer_energies(energies)
    uniform = torch.rand(energies.shape, generator=torch.Generator().manual_seed(7))
    voxels = scores.encode_voxels(energies, incident)
    filled = scores.fill_voxels(voxels, layers, incident, uniform)
    for place in (1, 2, 3, 20):
        assert stats.kstest(filled[:, place].numpy(), "norm").statistic < 0.06


def test_a_layer_that_never_holds_anything_stays_empty():
    energies, incident = _late_showers(500, 8)
    energies[:, :3] = 0
    noise = torch.randn(500, VOXELS, generator=torch.Generator().manual_seed(9))
    dark = LayerScores(RINGS, 1.0).fit(energies, incident, noise[:, :2], torch.ones(500))
    layers = dark.encode_layers(dark.layer_energies(energies), incident, torch.zeros(500, 2))
    assert bool((dark.decode(layers, noise, incident)[:, :3] == 0).all())


def test_a_threshold_of_zero_is_refused():
    with pytest.raises(RangeError, match="expected a positive energy in MeV, got 0"):
        LayerScores(RINGS, 0.0)
