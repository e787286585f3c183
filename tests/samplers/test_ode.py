"""Solvers: exact answers, orders of convergence, both directions."""

from __future__ import annotations

import math

import pytest
import torch

from simulacra.errors import UnknownNameError
from simulacra.samplers import SOLVERS, solve

ORDERS = {"euler": 1, "midpoint": 2, "heun": 2, "rk4": 4}


def test_every_solver_has_a_stated_order():
    assert ORDERS.keys() == SOLVERS.keys()


@pytest.mark.parametrize("name", ORDERS)
def test_order_of_convergence(name):
    """Solve dx/dt = x (1 + t): halving the step divides the error by two to the order."""

    def error(steps):
        x = solve(name, lambda t, x: x * (1 + t), torch.ones(1, dtype=torch.float64), steps)
        return abs(float(x) - math.exp(1.5))

    assert error(32) / error(64) == pytest.approx(2 ** ORDERS[name], rel=0.1)


@pytest.mark.parametrize("name", ORDERS)
def test_backwards_undoes_forwards(name):
    x = torch.linspace(-1, 1, 9, dtype=torch.float64)[:, None]
    times = [i / 512 for i in range(513)]
    there = SOLVERS[name](lambda _, x: -x, x, times)
    back = SOLVERS[name](lambda _, x: -x, there, times[::-1])
    torch.testing.assert_close(back, x, atol=2e-2 if name == "euler" else 1e-5, rtol=0)


@pytest.mark.parametrize("name", ORDERS)
def test_a_field_constant_in_time_and_space_is_exact(name):
    x = solve(name, lambda _, x: torch.full_like(x, 3.0), torch.zeros(2, 2), 3)
    torch.testing.assert_close(x, torch.full((2, 2), 3.0))


def test_an_unknown_solver_is_named():
    with pytest.raises(UnknownNameError, match="Did you mean `midpoint`"):
        solve("midpont", lambda _, x: x, torch.zeros(1), 1)
