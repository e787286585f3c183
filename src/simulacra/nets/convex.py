"""A network whose value is convex in one input, whatever it does with another."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import linear, softplus

from .mlp import MLP

__all__ = ["ConvexNetwork"]


class ConvexNetwork(nn.Module):
    r"""A value per event, convex in x and free in the condition.

    .. math::
        z_1 = \sigma(A_0 x + b_0(c)),\quad
        z_{k+1} = \sigma\bigl(W_k^+ z_k + A_k x + b_k(c)\bigr),\quad
        f = w^+ z_K + \sum_j q_j^+(c)\,\tfrac12 (a_j \cdot x)^2 + v(c) \cdot x

    with :math:`\sigma` the soft rectifier and everything marked + positive. B. Amos, L. Xu, J. Z.
    Kolter, "Input convex neural networks", 2016, https://arxiv.org/abs/1609.07152, eqs. 2 and 3;
    the quadratic term is that of A. Korotin et al., "Wasserstein-2 generative networks", 2019,
    https://arxiv.org/abs/1909.13082. It begins as a bowl of about :math:`|x|^2/2`.

    Args:
        features: size of x.
        conditions: size of the condition, may be 0.
        width: size of each hidden layer.
        hidden: number of hidden layers.
        softness: of the rectifiers, in units of x: over this length a slope changes.

    Shapes:
        x: ``(batch, features)``.
        condition: ``(batch, conditions)``.
        output: ``(batch,)``.
    """

    def __init__(
        self,
        features: int,
        conditions: int,
        width: int = 64,
        hidden: int = 2,
        softness: float = 1.0,
    ) -> None:
        super().__init__()
        self.softness = softness
        self.features, self.width, self.hidden = features, width, hidden
        self.enter = nn.ParameterList([torch.empty(width, features) for _ in range(hidden)])
        positive = [torch.empty(width, width) for _ in range(hidden - 1)]
        self.positive = nn.ParameterList([*positive, torch.empty(1, width)])
        self.squares = nn.Parameter(torch.empty(2 * features, features))
        further = hidden * width + 3 * features
        self.conditions = MLP(conditions, further, width, 1) if conditions else None
        self.offsets = nn.Parameter(torch.empty(further))

    def initialise(self, rng: np.random.Generator) -> ConvexNetwork:
        """Draw all numbers from ``rng``; the network begins as a bowl."""
        with torch.no_grad():
            for weight in self.enter:
                weight.copy_(_normals(rng, weight) / self.features**0.5)
            for weight in self.positive:
                weight.copy_(0.5 * _normals(rng, weight))
            if self.conditions is not None:
                self.conditions.initialise(rng)
                last = self.conditions.layers[-1]
                last.weight.zero_()  # type: ignore[operator]
                last.bias.zero_()  # type: ignore[operator]
            self.squares.copy_(0.1 * _normals(rng, self.squares))
            self.squares[: self.features] += torch.eye(self.features)
            self.offsets.zero_()
            curved = self.offsets[-3 * self.features : -self.features]
            curved.fill_(-1.0)
            curved[: self.features] = math.log(math.expm1(1.0))  # softplus of it is 1
        return self

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        by_condition = self.offsets.expand(len(x), -1)
        if self.conditions is not None:
            by_condition = by_condition + self.conditions(condition)
        *biases, curved, slope = by_condition.split(
            [*[self.width] * self.hidden, 2 * self.features, self.features], dim=1
        )
        z = x.new_zeros(())
        for number, (enter, bias) in enumerate(zip(self.enter, biases, strict=True)):
            further = linear(z, softplus(self.positive[number - 1]) / self.width) if number else z
            z = softplus(further + linear(x, enter) + bias, beta=1 / self.softness)
        quadratic = (softplus(curved) * linear(x, self.squares).square()).sum(1) / 2
        top = linear(z, softplus(self.positive[-1]))[:, 0] / self.width
        out: Tensor = top + quadratic + (slope * x).sum(1)
        return out

    def gradient(self, x: Tensor, condition: Tensor, *, further: bool = False) -> Tensor:
        """Return the derivative by x, ``(batch, features)``: a map without rotation.

        Args:
            x: where.
            condition: on what.
            further: keep what is needed to differentiate the gradient itself.
        """
        with torch.enable_grad():
            x = x if x.requires_grad else x.detach().requires_grad_(True)
            value = self(x, condition).sum()
            (found,) = torch.autograd.grad(value, x, create_graph=further)
        return found


def _normals(rng: np.random.Generator, like: Tensor) -> Tensor:
    return torch.from_numpy(rng.standard_normal(tuple(like.shape), np.float32))
