"""What a discriminator is shown of each layer besides its cells: how many, how bright, how wide."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

__all__ = ["SUMMARIES", "layer_summaries"]

SUMMARIES = 6
"""Numbers for each layer."""


def layer_summaries(image: Tensor, shapes: Sequence[tuple[int, int]]) -> Tensor:
    r"""Return six numbers of each layer, smooth functions of its cells, ``(events, layers * 6)``.

    With cells :math:`v = \ln(1 + e / e_0)` at :math:`(i, j)`, shares of the layer's energy
    :math:`s = e / \sum e` and the middle cell :math:`(i_0, j_0)`:

    .. math:: \overline v, \quad \overline{v / (v + 0.2)}, \quad \sum s^2, \quad
        \sum s\,(i - i_0), \quad \sum s\,(j - j_0), \quad
        \ln\Bigl(0.1 + \sum s\,\bigl((i - i_0)^2 + (j - j_0)^2\bigr)\Bigr)

    The second counts filled cells with a slope that a generator can follow; a layer without energy
    has shares of zero.

    Args:
        image: v of all cells, ``(events, voxels)``, dimensionless, not negative.
        shapes: cells along both axes of each layer, in the flat order.

    Raises:
        RuntimeError: if the shapes do not add up to the voxels.
    """
    found = []
    for part, (rows, columns) in zip(
        image.split([a * b for a, b in shapes], dim=1), shapes, strict=True
    ):
        i = torch.arange(rows, device=image.device).repeat_interleave(columns) - rows // 2
        j = torch.arange(columns, device=image.device).repeat(rows) - columns // 2
        energy = part.expm1()
        share = energy / (energy.sum(dim=1, keepdim=True) + _LITTLE)
        far = share @ (i * i + j * j).to(share.dtype)
        along = [share @ step.to(share.dtype) for step in (i, j)]
        filled = (part / (part + _FILLED)).mean(dim=1)
        bright = share.square().sum(dim=1)
        found += [part.mean(dim=1), filled, bright, *along, (far + _NARROW).log()]
    return torch.stack(found, dim=1)


_FILLED = 0.2  # the threshold is at ln(1 + 1/5), where half a cell is counted
_LITTLE = 1e-6
_NARROW = 0.1  # squared cells
