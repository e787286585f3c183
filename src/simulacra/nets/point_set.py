"""A network for sets of points: a sum over points, whatever their order and their number."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from .mlp import MLP

__all__ = ["PointSet"]


class PointSet(nn.Module):
    r"""Values of a whole set, from a sum over its points.

    .. math:: f(\{x_i\}) = F\Bigl(\frac{1}{\sqrt P} \sum_i \Phi(x_i)\Bigr)

    with perceptrons :math:`\Phi` and :math:`F` and the largest number :math:`P` of points; any
    function of a set has this form (M. Zaheer et al., "Deep sets", 2017,
    https://arxiv.org/abs/1703.06114; in collider physics P. Komiske, E. Metodiev, J. Thaler,
    "Energy flow networks", 2018, https://arxiv.org/abs/1810.05165).

    Args:
        points: ``(points, features)``: places of a set, and numbers of a point.
        outputs: values per set.
        width: size of hidden layers, and of what is summed.
        hidden: hidden layers of each perceptron.
        slope: slope of the rectifiers below 0.

    Shapes:
        x: ``(batch, points * (features + 1))``; the last number of each place is 1 if it holds a
            point and 0 if it is padding, which changes nothing.
        output: ``(batch, outputs)``.
    """

    def __init__(
        self,
        points: tuple[int, int],
        outputs: int,
        width: int = 100,
        hidden: int = 2,
        slope: float = 0.01,
    ) -> None:
        super().__init__()
        self.points, self.features = points
        self.each = MLP(self.features, width, width, hidden, slope)
        self.whole = MLP(width, outputs, width, hidden, slope)

    def initialise(self, rng: np.random.Generator) -> PointSet:
        """Draw weights and biases as :meth:`MLP.initialise` does."""
        self.each.initialise(rng)
        self.whole.initialise(rng)
        return self

    def forward(self, x: Tensor) -> Tensor:
        places = x.unflatten(1, (self.points, self.features + 1))
        filled = places[..., -1] > 0
        values = self.each(places[..., :-1][filled])
        events = filled.nonzero()[:, 0]
        sums = torch.zeros(len(x), values.shape[1], dtype=values.dtype, device=x.device)
        out: Tensor = self.whole(sums.index_add(0, events, values) / self.points**0.5)
        return out
