"""Deterministic solvers with fixed steps: pure functions of a field and a grid of times."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

from torch import Tensor

from ..errors import UnknownNameError

__all__ = ["SOLVERS", "Field", "euler", "heun", "midpoint", "rk4", "solve"]

Field = Callable[[float, Tensor], Tensor]
"""Velocity ``u(t, x)``: a time, a state ``(batch, *event)``, and a result of the same shape."""


def euler(field: Field, x: Tensor, times: Sequence[float]) -> Tensor:
    """Follow ``field`` with straight steps: first order, one evaluation per step.

    Args:
        field: velocity of the state per unit of path time, dimensionless.
        x: state at ``times[0]``, shape ``(batch, *event)``.
        times: grid from start to end, shape ``(steps + 1,)``; may decrease.

    Returns:
        State at ``times[-1]``, shape ``(batch, *event)``.
    """
    for t, t_next in pairwise(times):
        x = x + (t_next - t) * field(t, x)
    return x


def midpoint(field: Field, x: Tensor, times: Sequence[float]) -> Tensor:
    """Follow ``field`` with the midpoint rule: second order, two evaluations per step.

    Arguments and result as in :func:`euler`.
    """
    for t, t_next in pairwise(times):
        h = t_next - t
        x = x + h * field(t + h / 2, x + h / 2 * field(t, x))
    return x


def heun(field: Field, x: Tensor, times: Sequence[float]) -> Tensor:
    """Follow ``field`` with the trapezoidal rule: second order, two evaluations per step.

    Arguments and result as in :func:`euler`.
    """
    for t, t_next in pairwise(times):
        h = t_next - t
        slope = field(t, x)
        x = x + h / 2 * (slope + field(t_next, x + h * slope))
    return x


def rk4(field: Field, x: Tensor, times: Sequence[float]) -> Tensor:
    """Follow ``field`` with the classical Runge-Kutta rule: fourth order, four evaluations a step.

    Arguments and result as in :func:`euler`.
    """
    for t, t_next in pairwise(times):
        h = t_next - t
        k1 = field(t, x)
        k2 = field(t + h / 2, x + h / 2 * k1)
        k3 = field(t + h / 2, x + h / 2 * k2)
        k4 = field(t_next, x + h * k3)
        x = x + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    return x


SOLVERS = {"euler": euler, "midpoint": midpoint, "heun": heun, "rk4": rk4}
"""The solvers by name."""


def solve(method: str, field: Field, x: Tensor, steps: int) -> Tensor:
    """Carry ``x`` from path time 0 to 1 in ``steps`` equal steps of a named solver.

    Raises:
        UnknownNameError: if there is no such solver.
    """
    if method not in SOLVERS:
        raise UnknownNameError("solver", method, SOLVERS)
    return SOLVERS[method](field, x, [i / steps for i in range(steps + 1)])
