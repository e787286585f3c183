"""Quantile maps: the marginals become normal at every energy, with and without a spike."""

from __future__ import annotations

import math

import pytest
import torch
from scipy import stats

from simulacra.preprocess import Gaussianize
from simulacra.preprocess.gaussian import taken

EVENTS = 20_000


def _sample(seed: int):
    """An exponential whose scale grows with the energy, and its log energy."""
    draw = torch.Generator().manual_seed(seed)
    log_energy = math.log(1e3) + 4 * torch.rand(EVENTS, generator=draw)
    exponential = -torch.rand(EVENTS, 1, generator=draw).clamp(min=1e-9).log()
    return exponential * (log_energy[:, None] - 5), log_energy


@pytest.mark.statistical
@pytest.mark.parametrize("low", [7.0, 8.5, 10.0])
def test_scores_are_normal_in_every_range_of_energy(low):
    """Kolmogorov distance below 0.03 with about 5,000 events (the null's 1e-4 quantile)."""
    fitted = Gaussianize([0], spike=False).fit(*_sample(0))
    x, log_energy = _sample(1)
    y = fitted(x, log_energy)[(log_energy > low) & (log_energy < low + 1), 0]
    assert stats.kstest(y.numpy(), "norm").statistic < 0.03


@pytest.mark.statistical
def test_filling_a_spike_gives_a_normal():
    """70 % of the events are below threshold; false-alarm rate about 1e-6, seed fixed."""
    x, log_energy = _sample(2)
    x = x - x.quantile(0.7)
    fitted = Gaussianize([0], spike=True).fit(x, log_energy)
    uniform = torch.rand(x.shape, generator=torch.Generator().manual_seed(3))
    y = fitted.fill(fitted(x, log_energy), log_energy, uniform)
    assert stats.kstest(y[:, 0].numpy(), "norm").statistic < 0.03
    empty = y < fitted.boundary(log_energy)
    assert torch.equal(empty, x < 0)
    torch.testing.assert_close(
        fitted.inverse(y, log_energy)[~empty], x[~empty], rtol=1e-3, atol=1e-4
    )


@pytest.mark.statistical
def test_crowded_nodes_follow_a_spectrum_that_rises_from_nothing():
    """Filled values are 1 + 0.2 z: 20,000 draws have at most 30 below 0.2 (truth 0.6; 1e-20)."""
    rng = torch.Generator().manual_seed(5)
    x = 1 + 0.2 * torch.randn(EVENTS, 1, generator=rng).abs()
    x = torch.where(torch.rand(EVENTS, 1, generator=rng) < 0.7, x * 0 - 1, x - 1)
    x = torch.where(x > 0, x + 0.15 * torch.rand(EVENTS, 1, generator=rng).sqrt(), x)
    at = torch.full((EVENTS,), 7.0)
    drawn = {}
    for crowded in (False, True):
        fitted = Gaussianize([0], spike=True, crowded=crowded, nodes=32).fit(x, at)
        y = torch.randn(EVENTS, 1, generator=torch.Generator().manual_seed(6))
        drawn[crowded] = fitted.inverse(y, at)
        filled = x > 0
        back = fitted.inverse(fitted(x, at), at)
        torch.testing.assert_close(back[filled], x[filled], rtol=1e-3, atol=1e-4)
    low = x.quantile(0.705)  # half a percent of all, a sixtieth of what is filled
    true = float(((x > 0) & (x < low)).float().mean())
    found = {k: float(((v > 0) & (v < low)).float().mean()) for k, v in drawn.items()}
    scatter = math.sqrt(true / EVENTS)
    assert abs(found[True] - true) < 6 * scatter < found[False] - true, (true, found)


def test_crowded_nodes_have_the_derivative_of_their_map():
    x, log_energy = _sample(7)
    fitted = Gaussianize([0], spike=False, crowded=True).fit(x, log_energy)
    x, at = x[:50].double(), log_energy[:50]
    step = 1e-4
    rise = (fitted(x + step, at) - fitted(x - step, at))[:, 0] / (2 * step)
    close = (fitted.log_det(x, at) - rise.log()).abs() < 1e-2
    assert float(close.float().mean()) > 0.9  # but where a node lies between the two


def test_members_of_a_group_share_their_table():
    x, log_energy = _sample(4)
    pair = torch.cat([x, 2 * x], dim=1)
    y = Gaussianize([0, 0], spike=False).fit(pair, log_energy)(pair, log_energy)
    swapped = Gaussianize([0, 0], spike=False).fit(pair.flip(1), log_energy)(
        pair.flip(1), log_energy
    )
    torch.testing.assert_close(y, swapped.flip(1))


def test_values_beyond_everything_seen_stay_finite_and_come_back():
    x, log_energy = _sample(5)
    fitted = Gaussianize([0], spike=False).fit(x, log_energy)
    far = torch.tensor([[-50.0], [500.0]])
    y = fitted(far, log_energy[:2])
    assert y.isfinite().all()
    assert (y.abs() > 4).all()
    torch.testing.assert_close(fitted.inverse(y, log_energy[:2]), far, rtol=1e-4, atol=1e-3)


def test_discrete_energies_leave_no_knot_empty():
    x, _ = _sample(6)
    log_energy = torch.where(torch.arange(EVENTS) % 2 == 0, 6.0, 12.0)
    assert Gaussianize([0], spike=False).fit(x, log_energy)(x, log_energy).isfinite().all()


def test_an_energy_of_its_own_is_looked_up_like_a_common_one():
    """Two features at one energy: the same numbers; at two energies: each at its own."""
    x, log_energy = _sample(20)
    pair = torch.cat([x, 2 * x], dim=1) - 0.5
    common = Gaussianize([0, 1], spike=True).fit(pair, log_energy)
    every = log_energy[:, None].expand(-1, 2)
    own = Gaussianize([0, 1], spike=True, own=True).fit(pair, every)
    torch.testing.assert_close(own.table, common.table, rtol=0, atol=0)
    y = own(pair, every)
    torch.testing.assert_close(y, common(pair, log_energy))
    torch.testing.assert_close(own.inverse(y, every), common.inverse(y, log_energy))
    later = torch.stack([log_energy, log_energy + 0.5], dim=1)
    torch.testing.assert_close(own(pair, later)[:, 1], common(pair, log_energy + 0.5)[:, 1])
    torch.testing.assert_close(own.boundary(later)[:, 0], common.boundary(log_energy)[:, 0])


def test_tables_of_a_group_reach_as_far_as_its_own_energies():
    x, log_energy = _sample(21)
    pair, at = torch.cat([x, x], dim=1), torch.stack([log_energy, log_energy - 3], dim=1)
    mask = torch.ones_like(pair, dtype=torch.bool)
    mask[log_energy > 9, 1] = False
    fitted = Gaussianize([0, 1], spike=False, own=True).fit(pair, at, mask=mask)
    torch.testing.assert_close(fitted.knots[-1, 0], log_energy.max())
    torch.testing.assert_close(fitted.knots[-1, 1], log_energy[log_energy <= 9].max() - 3)


def test_numbers_taken_from_a_table_are_those_of_take():
    table = torch.arange(60.0).reshape(3, 4, 5)
    place = (7 * torch.arange(14).reshape(7, 2)) % 60
    assert torch.equal(taken(table, place), table.take(place))
    column = table[..., -1]  # not contiguous
    assert torch.equal(taken(column, place % 12), column.take(place % 12))
