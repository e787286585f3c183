"""Step 4b, samplers: carry noise to data along a field that someone else learned."""

from .hamiltonian import hamiltonian
from .ode import SOLVERS, euler, heun, midpoint, rk4, solve

__all__ = ["SOLVERS", "euler", "hamiltonian", "heun", "midpoint", "rk4", "solve"]
