"""A plain perceptron with leaky rectifiers."""

from __future__ import annotations

import itertools
import math

import numpy as np
import torch
from torch import Tensor, nn

__all__ = ["MLP", "draw_uniform"]


class MLP(nn.Module):
    r"""Linear layers with :math:`\max(x, \text{slope} \cdot x)` between them.

    Made without drawing a number: call :meth:`initialise` before training. Only the layers
    between the first and the last one follow autocast, so that inputs are not rounded and
    outputs are not tied.

    Args:
        inputs: size of the input.
        outputs: size of the output.
        width: size of each hidden layer.
        hidden: number of hidden layers.
        slope: slope of the rectifier below 0.

    Shapes:
        x: ``(batch, inputs)``.
        output: ``(batch, outputs)``.
    """

    def __init__(
        self, inputs: int, outputs: int, width: int = 2048, hidden: int = 3, slope: float = 0.01
    ) -> None:
        super().__init__()
        sizes = [inputs, *[width] * hidden, outputs]
        layers: list[nn.Module] = []
        for a, b in itertools.pairwise(sizes):
            layers += [_blank_linear(a, b), nn.LeakyReLU(slope, inplace=True)]
        self.layers = nn.Sequential(*layers[:-1])

    def initialise(self, rng: np.random.Generator) -> MLP:
        r"""Draw weights and biases uniformly in :math:`\pm 1/\sqrt{\text{inputs of the layer}}`.

        The law is torch's own for linear layers; the numbers are a function of ``rng`` alone.
        """
        for layer in self.layers:
            if isinstance(layer, nn.Linear):
                draw_uniform(layer, rng)
        return self

    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):
            h = self.layers[0](x)
        h = self.layers[1:-1](h)
        with torch.autocast(x.device.type, enabled=False):
            out: Tensor = self.layers[-1](h.float()) if len(self.layers) > 1 else h
        return out


def draw_uniform(layer: nn.Linear, rng: np.random.Generator) -> None:
    r"""Draw a layer's weights and biases uniformly in :math:`\pm 1/\sqrt{\text{inputs}}`."""
    bound = 1 / math.sqrt(layer.in_features)
    with torch.no_grad():
        for parameter in (layer.weight, layer.bias):
            draw = rng.random(tuple(parameter.shape), np.float32)
            parameter.copy_(torch.from_numpy(bound * (2 * draw - 1)))


def _blank_linear(inputs: int, outputs: int) -> nn.Linear:
    """Return a layer whose numbers are not set: torch's global generator is left alone."""
    layer: nn.Linear = nn.utils.skip_init(nn.Linear, inputs, outputs)
    return layer
