"""Splines against closed forms, autograd and their own inverse."""

from __future__ import annotations

import pytest
import torch

from simulacra.nets.splines import bend, bend_parameters, rational_quadratic

BOUND, BINS = 4.0, 7
MAPS = {"spline": (rational_quadratic, 3 * BINS - 1), "bend": (bend, bend_parameters(BINS))}


@pytest.fixture(params=MAPS.values(), ids=MAPS.keys())
def case(request):
    function, count = request.param
    draw = torch.Generator().manual_seed(0)
    parameters = 2 * torch.randn(500, count, 6, generator=draw, dtype=torch.float64)
    x = 2.5 * torch.randn(500, 6, generator=draw, dtype=torch.float64)
    return function, x, parameters


def test_inverse_undoes_forward_and_the_slopes_cancel(case):
    function, x, parameters = case
    for dtype, tolerance in ((torch.float64, 1e-9), (torch.float32, 1e-5)):
        soft = (0.3 * parameters if dtype == torch.float32 else parameters).to(dtype)
        y, there = function(x.to(dtype), soft, bound=BOUND)
        back, again = function(y, soft, bound=BOUND, inverse=True)
        torch.testing.assert_close(back, x.to(dtype), rtol=tolerance, atol=tolerance)
        torch.testing.assert_close(there, -again, rtol=1e-2, atol=30 * tolerance)


def test_log_slope_is_the_derivative(case):
    function, x, parameters = case
    for inverse in (False, True):
        x = x.detach().requires_grad_()
        y, log_slope = function(x, parameters, bound=BOUND, inverse=inverse)
        (slope,) = torch.autograd.grad(y.sum(), x)
        torch.testing.assert_close(slope.log(), log_slope, rtol=1e-8, atol=1e-8)


def test_maps_rise_everywhere_and_are_continuous(case):
    function, _, parameters = case
    x = torch.linspace(-6, 6, 40_001, dtype=torch.float64)[:, None].expand(-1, 6)
    parameters = parameters[:1].expand(len(x), -1, -1)
    y, log_slope = function(x, parameters, bound=BOUND)
    steps = y.diff(dim=0)
    assert (steps > 0).all()
    slope = log_slope.exp()
    assert (steps <= 1.05 * 3e-4 * torch.maximum(slope[1:], slope[:-1]) + 1e-6).all()


def test_parameters_of_zero_give_the_identity(case):
    function, x, parameters = case
    for inverse in (False, True):
        y, log_slope = function(x, 0 * parameters, bound=BOUND, inverse=inverse)
        torch.testing.assert_close(y, x)
        torch.testing.assert_close(log_slope, torch.zeros_like(x), rtol=0, atol=1e-12)


def test_one_bin_with_unit_slopes_at_its_ends_is_the_identity_and_tails_always_are():
    x = torch.linspace(-9, 9, 101)[:, None]
    draw = torch.Generator().manual_seed(0)
    y, _ = rational_quadratic(x, torch.randn(101, 2, 1, generator=draw), bound=BOUND)
    torch.testing.assert_close(y, x)
    parameters = torch.randn(101, 3 * BINS - 1, 1, generator=draw)
    y, log_slope = rational_quadratic(x, parameters, bound=BOUND)
    beyond = x.abs() >= BOUND
    assert torch.equal(y[beyond], x[beyond])
    assert not log_slope[beyond].any()


def test_a_knot_lies_where_its_parameters_put_it():
    """Two bins of widths 1:3 and heights 3:1, slope 2 between them: worked by hand."""
    raw = torch.tensor([1.0, 3.0, 3.0, 1.0], dtype=torch.float64).log()
    slope = torch.tensor([2.0 - 1e-3], dtype=torch.float64).expm1().log()
    one = torch.tensor([1 - 1e-3], dtype=torch.float64).expm1().log()
    parameters = torch.cat([raw, slope - one])[:, None]
    share = 2 * BOUND * (1e-3 + 0.998 * 0.25)
    y, log_slope = rational_quadratic(
        torch.tensor([share - BOUND], dtype=torch.float64), parameters, bound=BOUND
    )
    assert float(y) == pytest.approx(BOUND - share)
    assert float(log_slope.exp()) == pytest.approx(2.0)
    half = torch.tensor([share / 2 - BOUND], dtype=torch.float64)
    s = (2 * BOUND - share) / share
    expected = (2 * BOUND - share) * (s / 4 + 1 / 4) / (s + (3 - 2 * s) / 4) - BOUND
    assert float(rational_quadratic(half, parameters, bound=BOUND)[0]) == pytest.approx(expected)


def test_single_precision_survives_wild_parameters():
    draw = torch.Generator().manual_seed(1)
    x = 10 * torch.randn(4000, 4, generator=draw)
    parameters = 30 * torch.randn(4000, bend_parameters(BINS), 4, generator=draw)
    parameters.requires_grad_()
    for inverse in (False, True):
        y, log_slope = bend(x, parameters, bound=BOUND, inverse=inverse)
        assert y.isfinite().all()
        assert log_slope.isfinite().all()
        (y.sum() + log_slope.sum()).backward()
        assert parameters.grad.isfinite().all()
