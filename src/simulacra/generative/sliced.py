"""How far two samples are from each other, seen along many straight lines."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import normalize

from ..errors import RangeError, ShapeError
from ..random import Stream, torch_normal

__all__ = ["sliced_wasserstein", "unit_vectors"]


def sliced_wasserstein(
    x: Tensor,
    y: Tensor,
    weight_x: Tensor | None = None,
    weight_y: Tensor | None = None,
    *,
    slices: int,
    seed: int,
    first: int = 0,
    power: float = 2.0,
) -> Tensor:
    r"""Return the mean transport cost between the projections of two samples on random directions.

    .. math:: \mathrm{SWD}_p^p = \frac1S \sum_{s=1}^S \int_0^1
        \bigl| F_s^{-1}(u) - G_s^{-1}(u) \bigr|^p \, du

    with the quantile functions :math:`F_s^{-1}, G_s^{-1}` of the weighted samples along direction
    s. S. Kolouri, P. Pope, C. Martin, G. Rohde, "Sliced-Wasserstein autoencoder: an embarrassingly
    simple generative model", 2018, arXiv:1804.01947. Exact for the two samples and these
    directions; for p = 2 and two laws that differ by a shift :math:`\mu` only it is
    :math:`|\mu|^2 / \text{features}` in the mean over directions. Two samples of one law are not
    at 0: they differ by chance.

    Time grows as slices times events times their logarithm; samples of one size without weights
    need a third of it. It can be differentiated by x and y, not by weights.

    Args:
        x: ``(events, features)``, all features in one unit or none.
        y: ``(other events, features)``.
        weight_x: event weights, ``(events,)``, none negative; default 1.
        weight_y: the same of y, ``(other events,)``.
        slices: how many directions.
        seed: identity of the directions, see :func:`unit_vectors`.
        first: number of the first direction: a training takes others in every step.
        power: p, at least 1.

    Returns:
        One number, in the unit of the features to the power p.

    Raises:
        ShapeError: if the samples have not the same features, or weights not their events.
        RangeError: if a sample is empty, a weight is negative, or weights sum to nothing.

    Example:
        >>> a, b = torch.tensor([[0.0], [1.0]]), torch.tensor([[3.0], [4.0]])
        >>> sliced_wasserstein(a, b, slices=4, seed=0)
        tensor(9.)
    """
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1]:
        raise ShapeError(
            "sliced_wasserstein: expected two tables with the same features, found "
            f"{tuple(x.shape)} and {tuple(y.shape)}."
        )
    if power < 1 or slices < 1:
        raise RangeError(
            "sliced_wasserstein: expected a power of at least 1 and at least one slice, got power "
            f"{power:g} and {slices} slices."
        )
    share_x, share_y = _shares(weight_x, x, "x"), _shares(weight_y, y, "y")
    vectors = unit_vectors(slices, x.shape[1], seed, first=first).to(x)
    a, order_a = (x @ vectors.T).T.sort(dim=1)
    b, order_b = (y @ vectors.T).T.sort(dim=1)
    if len(x) == len(y) and weight_x is None and weight_y is None:
        return (a - b).abs().pow(power).mean()
    levels_a, levels_b = _levels(share_x, order_a), _levels(share_y, order_b)
    levels = torch.cat([levels_a, levels_b], dim=1).sort(dim=1).values
    width = levels.diff(dim=1, prepend=torch.zeros_like(levels[:, :1]))
    gap = a.gather(1, _at(levels_a, levels)) - b.gather(1, _at(levels_b, levels))
    return (width.to(gap) * gap.abs().pow(power)).sum(dim=1).mean()


def unit_vectors(number: int, features: int, seed: int, *, first: int = 0) -> Tensor:
    """Return directions, each with equal chance and a function of ``(seed, its number)`` alone.

    Args:
        number: how many.
        features: of the space.
        seed: identity of the set.
        first: number of the first one.

    Returns:
        Float32, ``(number, features)``, each of length 1.
    """
    numbers = torch.arange(first, first + number)
    return normalize(torch_normal(seed, numbers, features, stream=Stream.TURN), dim=1)


def _shares(weight: Tensor | None, of: Tensor, name: str) -> Tensor:
    """Return weights that sum to one, in double precision, ``(events,)``."""
    if len(of) == 0:
        raise RangeError(f"sliced_wasserstein: {name} has no events, expected at least one.")
    if weight is None:
        weight = of.new_ones(len(of))
    if weight.shape != (len(of),):
        raise ShapeError(
            f"sliced_wasserstein: expected one weight for each of {len(of)} events of {name}, "
            f"found {tuple(weight.shape)}."
        )
    if bool((weight < 0).any()) or not bool(weight.sum() > 0):
        raise RangeError(
            f"sliced_wasserstein: {int((weight < 0).sum())} of {len(of)} weights of {name} are "
            f"negative, with a sum of {float(weight.sum()):.4g}; a law with negative parts has no "
            "quantiles, so none may be negative and their sum must be positive."
        )
    share = weight.detach().double()
    return share / share.sum()


def _levels(share: Tensor, order: Tensor) -> Tensor:
    """Return the cumulative share up to each projected event in turn, ``(slices, events)``."""
    levels = share[order].cumsum(dim=1)
    levels[:, -1] = 1.0
    return levels.clamp_(max=1.0)


def _at(levels: Tensor, wanted: Tensor) -> Tensor:
    """Return which event is the quantile at each wanted level."""
    return torch.searchsorted(levels, wanted).clamp_(max=levels.shape[1] - 1)
