r"""Monotone maps of single numbers: rational-quadratic splines, and what flows make of them."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["bend", "bend_parameters", "rational_quadratic"]

_SMALLEST = 1e-3  # of a bin, relative to the whole, and of a slope


def rational_quadratic(
    x: Tensor, parameters: Tensor, *, bound: float, inverse: bool = False
) -> tuple[Tensor, Tensor]:
    r"""Map numbers by splines of monotone rational quadratics; the identity beyond ``bound``.

    Between the knots :math:`(x_k, y_k)` with slopes :math:`d_k`, bins of width :math:`w` and mean
    slope :math:`s`, and :math:`t = (x - x_k) / w`,

    .. math::
        y = y_k + \frac{s w\,[s t^2 + d_k t (1 - t)]}{s + (d_k + d_{k+1} - 2 s)\,t (1 - t)},\qquad
        \frac{\mathrm dy}{\mathrm dx} =
            \frac{s^2 [d_{k+1} t^2 + 2 s t (1 - t) + d_k (1 - t)^2]}
                 {[s + (d_k + d_{k+1} - 2 s)\,t (1 - t)]^2}

    (C. Durkan, A. Bekasov, I. Murray, G. Papamakarios, "Neural spline flows", 2019,
    arXiv:1906.04032, eqs. 4 and 5; eqs. 6 to 8 for the inverse). Parameters of zero give the
    identity. Parameters stand before features, so that every operation runs over contiguous
    features: three times as fast as parameters last.

    Args:
        x: dimensionless, ``(..., features)``.
        parameters: any numbers, ``(..., 3 * bins - 1, features)``: widths and heights of the bins
            through softmax, slopes at inner knots through softplus.
        bound: knots lie in ``[-bound, bound]``, where the slope is 1.
        inverse: map back; equal to rounding.

    Returns:
        The mapped numbers and the logarithm of the slope of the direction asked for, both in the
        shape of x.
    """
    bins = (parameters.shape[-2] + 1) // 3
    raw_widths, raw_heights, raw_slopes = parameters.split([bins, bins, bins - 1], dim=-2)
    widths, heights = _shares(raw_widths, bound), _shares(raw_heights, bound)
    left, low = _starts(widths, bound), _starts(heights, bound)
    one = math.log(math.expm1(1 - _SMALLEST))
    slopes = _SMALLEST + functional.softplus(raw_slopes + one)
    slopes = functional.pad(slopes, (0, 0, 1, 1), value=1.0)
    inside = x.abs() < bound
    point = x.clamp(-bound, bound)
    knots = low if inverse else left
    place = (point.unsqueeze(-2) >= knots[..., 1:, :]).sum(dim=-2, keepdim=True)

    def at(values: Tensor) -> Tensor:
        return values.gather(-2, place).squeeze(-2)

    width, height, x0, y0 = at(widths), at(heights), at(left), at(low)
    before, after = at(slopes[..., :-1, :]), at(slopes[..., 1:, :])
    slope = height / width
    excess = before + after - 2 * slope
    share = (point - (y0 if inverse else x0)) / (height if inverse else width)
    t = _fraction(share, before, slope, excess) if inverse else share
    mixed = t * (1 - t)
    below = slope + excess * mixed
    steepness = after * t.square() + 2 * slope * mixed + before * (1 - t).square()
    log_slope = 2 * slope.log() + steepness.log() - 2 * below.log()
    if inverse:
        return torch.where(inside, x0 + width * t, x), torch.where(inside, -log_slope, 0.0)
    y = y0 + height * (slope * t.square() + before * mixed) / below
    return torch.where(inside, y, x), torch.where(inside, log_slope, 0.0)


def _shares(raw: Tensor, bound: float) -> Tensor:
    """Share the range out among bins, none of which vanishes."""
    bins = raw.shape[-2]
    return 2 * bound * (_SMALLEST + (1 - _SMALLEST * bins) * raw.softmax(dim=-2))


def _starts(sizes: Tensor, bound: float) -> Tensor:
    """Return where each bin begins."""
    ends = sizes[..., :-1, :].cumsum(dim=-2)
    return functional.pad(ends, (0, 0, 1, 0)) - bound


def _fraction(u: Tensor, before: Tensor, slope: Tensor, excess: Tensor) -> Tensor:
    """Solve for the place in the bin of a share ``u`` of its height."""
    a = slope - before + u * excess
    b = before - u * excess
    root = (b.square() + 4 * a * u * slope).clamp(min=0.0).sqrt()
    return (2 * u * slope / (b + root)).clamp(0.0, 1.0)


def bend_parameters(bins: int) -> int:
    """Return how many parameters :func:`bend` takes per number."""
    return 3 * bins + 1


def bend(
    x: Tensor, parameters: Tensor, *, bound: float, inverse: bool = False
) -> tuple[Tensor, Tensor]:
    r"""Shift and scale numbers, then map them by :func:`rational_quadratic`.

    .. math:: y = \mathrm{RQS}\bigl((x - m)\,e^{-s}\bigr),\qquad
        m = b \tanh(p_0 / b),\quad s = 2 \tanh(p_1 / 2)

    A correlation of normal numbers is a shift and a scale, which a spline alone can only imitate;
    and beyond the knots the map is a line of any slope. Parameters of zero give the identity.

    Args:
        x: dimensionless, ``(..., features)``.
        parameters: ``(..., bend_parameters(bins), features)``, any numbers.
        bound: b; where the knots end and the largest shift.
        inverse: map back.

    Returns:
        The mapped numbers and the logarithm of the slope of the direction asked for.
    """
    shift = bound * (parameters[..., 0, :] / bound).tanh()
    scale = 2 * (parameters[..., 1, :] / 2).tanh()
    spline = parameters[..., 2:, :]
    if inverse:
        y, log_slope = rational_quadratic(x, spline, bound=bound, inverse=True)
        return y * scale.exp() + shift, log_slope + scale
    y, log_slope = rational_quadratic((x - shift) * (-scale).exp(), spline, bound=bound)
    return y, log_slope - scale
