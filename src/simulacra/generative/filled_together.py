"""Correlations from how often two voxels are filled together, where most of them are empty."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from ..nets.rings import Rings

__all__ = ["correlations_of_filled"]

_STEP, _ZERO = 0.04, 12
_ANGLES = _STEP * (torch.arange(47) - _ZERO).double()  # arcsine of correlations, -0.46 to 0.98
_SAMPLES = 24  # showers whose boundaries stand for all
_SURE = 10.0  # pairs filled together that count as much as the assumption of no correlation
_HIGHEST = 8.0  # boundary of what is never filled
_AT_ONCE = 1024


def correlations_of_filled(
    filled: Tensor, boundary: Tensor, weight: Tensor, rings: Sequence[tuple[int, int]]
) -> Tensor:
    r"""Return correlations of scores by distance, for layers of one shape.

    Two scores with a normal law and the correlation :math:`\rho` are both above their boundaries
    with the probability

    .. math:: \Phi(-b_1)\,\Phi(-b_2) + \int_0^{\arcsin\rho} \frac{\mathrm d\theta}{2\pi}
        \exp\left(-\frac{b_1^2 + b_2^2 - 2 b_1 b_2 \sin\theta}{2 \cos^2\theta}\right)

    (W. Sheppard, 1899; K. Pearson's tetrachoric correlation, 1900). Counted over all pairs of rings
    at one distance in depth and angle, so that a pair that is hardly ever filled takes after its
    like in other layers. A pair of rings counted less than some ten times is taken for independent
    in part.

    Args:
        filled: which voxels are, ``(events, voxels)``, bool.
        boundary: scores below which they are empty, ``(events, voxels)``.
        weight: event weights, ``(events,)``; may be negative, with a positive sum.
        rings: ``(radial bins, sectors)`` of each layer, all alike.

    Returns:
        ``(sectors // 2 + 1, radial bins of all layers, the same)``, by the angle between sectors;
        the diagonal at angle 0 is 1.
    """
    layout = Rings(rings)
    layers, (radii, sectors) = len(rings), rings[0]
    together = _counted(filled, weight, layout).unflatten(2, (layers, radii))
    together = together.unflatten(1, (layers, radii))
    some = torch.linspace(0, len(boundary) - 1, _SAMPLES).long()
    levels = layout.split(boundary[some].double().clamp(max=_HIGHEST))[0][0].unflatten(
        1, (layers, radii)
    )
    scale = float(weight.sum()) * sectors / len(levels)
    found = torch.zeros_like(together)
    for lag in range(layers):
        near, far = levels[:, : layers - lag], levels[:, lag:]
        expected = scale * _both_filled(near[..., :, None], far[..., None, :])
        here = torch.arange(layers - lag)
        counts = together[:, here, :, here + lag].sum(dim=0)  # (angles, radii, radii)
        rho = _inverted(counts, expected)
        found[:, here, :, here + lag] = rho.to(found.dtype)
        found[:, here + lag, :, here] = rho.mT.to(found.dtype)
    matrices = found.flatten(3, 4).flatten(1, 2)
    matrices[0].fill_diagonal_(1.0)
    return matrices


def _counted(filled: Tensor, weight: Tensor, layout: Rings) -> Tensor:
    """Return how often pairs are filled together, by the angle between them, float64.

    Both directions of an angle count as half a pair each.
    """
    angles = layout.sectors // 2 + 1
    counts = torch.zeros(angles, layout.functions, layout.functions, dtype=torch.float64)
    for first in range(0, len(filled), _AT_ONCE):
        part = filled[first : first + _AT_ONCE].float()
        images = layout.split(part)[0]
        weighted = images * weight[first : first + _AT_ONCE].to(part)[:, None]
        for angle in range(angles):
            other = images.roll(-angle, 0).flatten(0, 1)
            pair = (weighted.flatten(0, 1).T @ other).double()
            counts[angle] += (pair + pair.T) / 2
    return counts


def _both_filled(first: Tensor, second: Tensor) -> Tensor:
    """Return how often both are filled at each of the angles, summed over events and layers.

    Args:
        first: boundaries, ``(events, layers, radii, 1)``.
        second: ``(events, layers, 1, radii)``.

    Returns:
        ``(angles, radii, radii)``.
    """
    squares, product = first.square() + second.square(), first * second
    density = torch.stack(
        [
            ((2 * math.sin(a) * product - squares) / (2 * math.cos(a) ** 2)).exp().sum(dim=(0, 1))
            for a in _ANGLES.tolist()
        ]
    ) / (2 * math.pi)
    rising = torch.cat([density[:1] * 0, (density[1:] + density[:-1]).cumsum(0) * _STEP / 2])
    independent = (torch.special.ndtr(-first) * torch.special.ndtr(-second)).sum(dim=(0, 1))
    both: Tensor = independent + rising - rising[_ZERO]
    return both


def _inverted(counts: Tensor, expected: Tensor) -> Tensor:
    """Return the correlations at which so many pairs are filled together.

    Args:
        counts: ``(angles, radii, radii)``.
        expected: at each node of the arcsine, ``(nodes, radii, radii)``.

    Returns:
        ``(angles, radii, radii)``.
    """
    curve = expected.permute(1, 2, 0).contiguous()
    wanted = counts.permute(1, 2, 0).contiguous()
    high = torch.searchsorted(curve, wanted).clamp(1, len(_ANGLES) - 1)
    low = high - 1
    left, right = curve.gather(2, low), curve.gather(2, high)
    part = ((wanted - left) / (right - left).clamp(min=1e-12)).clamp(0, 1)
    rho = (_STEP * (low - _ZERO + part)).sin()
    sure = torch.maximum(wanted, curve[..., _ZERO, None])
    certain: Tensor = rho * sure / (sure + _SURE)
    return certain.permute(2, 0, 1)
