"""Lines of a spectrum stay sharp: between tables, through scores, in showers scaled to layers."""

from __future__ import annotations

import math

import pytest
import torch
from scipy import stats

from simulacra.errors import RangeError
from simulacra.preprocess import Gaussianize, ShowerScores

EVENTS = 40_000
LINES = (0.5, 1.0)


def _sample(seed: int):
    """40 % empty; 6 to 18 % and 3 % on lines, more at low energies; the rest uniform in (0, 2)."""
    draw = torch.Generator().manual_seed(seed)
    log_energy = 7 + 3 * torch.rand(EVENTS, generator=draw)
    kind = torch.rand(EVENTS, 1, generator=draw)
    first = 0.58 - 0.04 * (log_energy[:, None] - 7)
    x = 2 * torch.rand(EVENTS, 1, generator=draw)
    x = torch.where(kind < first, LINES[0], x)
    x = torch.where((kind > 0.60) & (kind < 0.63), LINES[1], x)
    return torch.where(kind < 0.4, -1.0, x), log_energy


@pytest.mark.statistical
@pytest.mark.parametrize("low", [7.0, 8.1, 9.0])
def test_lines_hold_their_share_at_every_energy_and_the_rest_is_as_it_was(low):
    """Shares within 5 standard deviations (6e-7); Kolmogorov distance's p above 1e-5."""
    fitted = Gaussianize([0], spike=True, lines=LINES).fit(*_sample(0))
    x, log_energy = _sample(1)
    noise = torch.randn(EVENTS, 1, generator=torch.Generator().manual_seed(2))
    drawn = fitted.inverse(noise, log_energy)
    inside = (log_energy > low) & (log_energy < low + 0.9)
    drawn, x = drawn[inside], x[inside]
    for line in LINES:
        true, found = ((v - line).abs() < 1e-5 for v in (x, drawn))
        share = float(true.double().mean())
        difference = float(found.double().mean()) - share
        assert abs(difference) < 5 * math.sqrt(2 * share * (1 - share) / len(x)) + 0.005
    rest = [v[(v > 0) & ~torch.isin(v, torch.tensor(LINES))] for v in (x, drawn)]
    assert stats.ks_2samp(*(v.numpy() for v in rest)).pvalue > 1e-5


def test_values_come_back_and_lines_come_back_exactly():
    x, log_energy = _sample(3)
    fitted = Gaussianize([0], spike=True, lines=LINES).fit(x, log_energy)
    y = fitted(x, log_energy)
    back = fitted.inverse(y, log_energy)
    on_line = torch.isin(x, torch.tensor(LINES))
    assert torch.equal(back[on_line], x[on_line])
    beside = (x > 0) & ~on_line & (x < 1.99)
    torch.testing.assert_close(back[beside], x[beside], rtol=1e-3, atol=2e-3)
    assert torch.equal(y < fitted.boundary(log_energy), x < 0)


def test_without_lines_in_the_data_the_tables_are_those_of_no_lines():
    x, log_energy = _sample(4)
    smear = 0.1 * torch.rand(x.shape, generator=torch.Generator().manual_seed(9))
    x = torch.where(x > 0, x + smear, x)
    plain = Gaussianize([0], spike=True).fit(x, log_energy)
    lined = Gaussianize([0], spike=True, lines=LINES).fit(x, log_energy)
    near = (x[:, :, None] - torch.tensor(LINES)).abs().min(dim=2).values < 5e-3
    scores = [fitted(x, log_energy)[~near] for fitted in (lined, plain)]
    torch.testing.assert_close(*scores, rtol=2e-2, atol=5e-3)


def test_a_line_counts_as_a_class_of_its_own_in_the_density():
    x, log_energy = _sample(5)
    fitted = Gaussianize([0], spike=True, lines=LINES).fit(x, log_energy)
    on_line = torch.isin(x[:, 0], torch.tensor(LINES))
    found = fitted.log_det(x, log_energy)
    assert bool((found[on_line] == 0).all())
    assert bool(found[(x[:, 0] > 0) & ~on_line].isfinite().all())


def test_lines_must_ascend_and_lie_above_the_threshold():
    with pytest.raises(RangeError, match="ascending"):
        Gaussianize([0], spike=True, lines=(1.0, 0.5))
    with pytest.raises(RangeError, match="above the threshold of 1 MeV"):
        ShowerScores([(2, 4)], 1.0, lines=(0.511,))


def _showers(seed: int):
    """Two layers of 2 x 4 voxels; a third of the filled ones have exactly 0.511 MeV."""
    draw = torch.Generator().manual_seed(seed)
    incident = 1000 * torch.rand(4000, generator=draw) + 1000
    energies = 2 * torch.rand(4000, 16, generator=draw) * (incident[:, None] / 1000)
    kind = torch.rand(4000, 16, generator=draw)
    energies = torch.where(kind < 0.3, 0.511, energies)
    return torch.where(kind > 0.8, 0.0, energies), incident


def test_drawn_showers_have_the_line_and_conserve_energy():
    energies, incident = _showers(6)
    scores = ShowerScores([(2, 4), (2, 4)], 0.01, lines=(0.511,))
    noise = torch.randn(4000, 2, generator=torch.Generator().manual_seed(7))
    scores.fit(energies, incident, noise, None)
    draws = torch.Generator().manual_seed(8)
    layers, voxels = (torch.randn(4000, n, generator=draws) for n in (2, 16))
    found = scores.decode(layers, voxels, incident)
    target = scores.layers.inverse(layers, incident.log())
    torch.testing.assert_close(found.unflatten(1, (2, 8)).sum(2), target, rtol=1e-4, atol=1e-4)
    assert bool(((found == 0) | (found >= 0.01 * (1 - 1e-5))).all())
    shares = [float(((v - 0.511).abs() < 1e-4).double().mean()) for v in (energies, found)]
    assert shares[1] == pytest.approx(shares[0], rel=0.15)  # fewer where nothing else has room
