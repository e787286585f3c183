"""A conditional normal law of plain vectors, in closed form."""

from __future__ import annotations

from typing import Self

import torch
from torch import Tensor, nn

__all__ = [
    "ConditionalGaussian",
    "fitted_mean",
    "mean_terms",
    "mixed_covariance",
    "root_of",
]

_PRIOR = 20.0  # events' worth of "independent and of width 1" that is mixed into covariances


class ConditionalGaussian(nn.Module):
    r"""A normal law with a mean that depends on a condition, and the way to white noise and back.

    .. math:: x = \mu(c) + R\,z, \qquad R R^\mathsf{T} = \Sigma

    with :math:`\mu` linear in c and in the products of c with its first component, and a
    symmetric R. Fitted in closed form, not trained.

    Args:
        features: size of x.
        conditions: size of c.

    Shapes:
        x, z: ``(batch, features)``, dimensionless.
        c: ``(batch, conditions)``, dimensionless.
    """

    mean: Tensor
    root: Tensor

    def __init__(self, features: int, conditions: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(1 + 2 * conditions, features))
        self.register_buffer("root", torch.eye(features))

    def fit(self, x: Tensor, c: Tensor, weight: Tensor) -> Self:
        """Learn mean and covariance.

        Args:
            x: ``(events, features)``.
            c: ``(events, conditions)``.
            weight: event weights, ``(events,)``; may be negative, with a positive sum.
        """
        mean = fitted_mean(x, c, weight)
        self.mean.copy_(mean)
        rest = x.double() - mean_terms(c).double() @ mean
        self.root.copy_(root_of(mixed_covariance(rest, weight), triangular=False))
        return self

    def colour(self, z: Tensor, c: Tensor) -> Tensor:
        """Turn white noise into x."""
        return mean_terms(c) @ self.mean + z @ self.root.T

    def whiten(self, x: Tensor, c: Tensor) -> Tensor:
        """Undo :meth:`colour`."""
        inverse = torch.linalg.inv(self.root.double()).to(x.dtype)
        white: Tensor = (x - mean_terms(c) @ self.mean) @ inverse.T
        return white

    def conditional(self, x: Tensor, c: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and width of some numbers, each given all others.

        Args:
            x: ``(batch, features)``.
            c: ``(batch, conditions)``.
            places: which numbers, ``(places,)``.

        Returns:
            ``(batch, places)`` and ``(places,)``.
        """
        inverse = torch.linalg.inv(self.root.double())
        stiff = (inverse.T @ inverse)[:, places].to(x.dtype)
        width = stiff[places].diagonal().rsqrt()
        pull = (x - mean_terms(c) @ self.mean) @ stiff
        return x[:, places] - pull * width.square(), width


def mean_terms(c: Tensor) -> Tensor:
    """Return what a mean is linear in, ``(batch, 1 + 2 conditions)``."""
    return torch.cat([torch.ones_like(c[:, :1]), c, c[:, :1] * c], dim=1)


def fitted_mean(x: Tensor, c: Tensor, weight: Tensor) -> Tensor:
    """Return the least-squares matrix from :func:`mean_terms` to x, float64."""
    terms, share = mean_terms(c).double(), (weight / weight.sum()).double()
    weighted = terms * share[:, None]
    normal = weighted.T @ terms
    ridge = 1e-6 * torch.eye(len(normal), dtype=torch.float64)
    solution: Tensor = torch.linalg.solve(normal + ridge, weighted.T @ x.double())
    return solution


def mixed_covariance(rest: Tensor, weight: Tensor) -> Tensor:
    """Return the covariance of centred rows, with a little of the identity, float64.

    Args:
        rest: ``(copies * events, features)``; copies of one event share its weight.
        weight: ``(events,)``.
    """
    copies = len(rest) // len(weight)
    share = (weight / weight.sum()).repeat(copies)[:, None].to(rest.dtype)
    covariance = ((rest * share).T @ rest).double() / copies
    effective = copies * float(weight.sum().square() / weight.square().sum())
    prior = _PRIOR / (_PRIOR + effective)
    return (1 - prior) * covariance + prior * torch.eye(len(covariance), dtype=torch.float64)


def root_of(covariance: Tensor, *, triangular: bool) -> Tensor:
    """Return R with R R^T = covariance, symmetric or triangular; what is not positive is lifted."""
    values, vectors = torch.linalg.eigh(covariance)
    values = values.clamp(min=1e-3)
    root: Tensor = (vectors * values.sqrt()) @ vectors.T
    if triangular:
        root = torch.linalg.cholesky((vectors * values) @ vectors.T)
    return root
