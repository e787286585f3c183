"""Masked autoregressive flow: each number is bent by those before it; density in one pass."""

from __future__ import annotations

from typing import Literal, cast

import torch
from pydantic import Field
from torch import Tensor, nn

from ..config import Config
from ..nets import MaskedNetwork, Unrolled, bend, bend_parameters
from .flow import Flow
from .kit import NetworkKit

__all__ = [
    "AutoregressiveFlow",
    "AutoregressiveFlowConfig",
    "MaskedStep",
    "MaskedStepsConfig",
    "list_of",
    "masked_steps",
]


class MaskedStepsConfig(Config):
    """Sizes of masked steps.

    Args:
        steps: masked networks, each with an order of its own.
        width: hidden size of each; 0 is the kit's, or the number of features where that is more.
        depth: residual blocks of each.
        bins: bins of each spline.
        bound: where splines end and lines begin, in widths of the data.
    """

    steps: int = Field(default=6, ge=1)
    width: int = Field(default=0, ge=0)
    depth: int = Field(default=1, ge=0)
    bins: int = Field(default=8, ge=2)
    bound: float = Field(default=5.0, gt=0)


class AutoregressiveFlowConfig(MaskedStepsConfig):
    """How a masked autoregressive flow is built, see :class:`MaskedStepsConfig`."""

    family: Literal["autoregressive_flow"] = "autoregressive_flow"


class MaskedStep(nn.Module):
    """An invertible map in which numbers are bent by those before them in some order.

    Args:
        network: parameters of each number from those before it.
        order: the order, ``(features,)``.
        bound: where splines end.

    Shapes:
        x: ``(events, features)``.
        condition: ``(events, conditions)``.
    """

    order: Tensor

    def __init__(self, network: MaskedNetwork, order: Tensor, bound: float) -> None:
        super().__init__()
        self.network = network
        self.bound = bound
        self.register_buffer("order", order)

    def forward(self, x: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        """Return the mapped numbers and the log-determinant, in one pass."""
        ordered = x[:, self.order]
        parameters = self.network(ordered, condition).to(x.dtype)
        y, log_slope = bend(ordered, parameters, bound=self.bound)
        return y[:, self.order.argsort()], log_slope.sum(dim=1)

    @torch.no_grad()
    def inverse(self, y: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        """Undo :meth:`forward`, one feature after the other; not differentiable."""
        ordered = y[:, self.order]
        unrolled = Unrolled(self.network, condition)
        total = y.new_zeros(len(y))
        for place in range(ordered.shape[1]):
            here = slice(place, place + 1)
            parameters = unrolled.parameters_of(place).to(y.dtype)
            x, log_slope = bend(ordered[:, here], parameters, bound=self.bound, inverse=True)
            unrolled.x[:, here] = x
            total = total + log_slope[:, 0]
        return unrolled.x[:, self.order.argsort()], total


def list_of(steps: nn.ModuleList) -> list[MaskedStep]:
    """Return the steps as what they are."""
    return [cast(MaskedStep, step) for step in steps]


def masked_steps(kit: NetworkKit, config: MaskedStepsConfig) -> nn.ModuleList:
    """Build masked steps: in the order of the features, against it, and then at random.

    Args:
        kit: sizes of the vectors.
        config: sizes of the steps.
    """
    natural = torch.arange(kit.features)
    orders = [natural, natural.flip(0)]
    orders += [torch.randperm(kit.features) for _ in range(2, config.steps)]
    return nn.ModuleList(
        MaskedStep(
            MaskedNetwork(
                kit.features,
                kit.conditions,
                bend_parameters(config.bins),
                width=config.width or max(kit.width, kit.features),
                blocks=config.depth,
            ),
            order,
            config.bound,
        )
        for order in orders[: config.steps]
    )


class AutoregressiveFlow(Flow):
    r"""A flow in which each number is bent by a spline that those before it decide.

    .. math:: p(x | c) = \prod_i p(x_i \,|\, x_1 \ldots x_{i-1}, c), \qquad
        z_i = \mathrm{RQS}\bigl((x_i - m_i)\,e^{-s_i}\bigr),\quad
        m_i, s_i, \mathrm{knots}_i = f_i(x_1 \ldots x_{i-1}, c)

    several times in different orders (G. Papamakarios, T. Pavlakou, I. Murray, "Masked
    autoregressive flow for density estimation", 2017, arXiv:1705.07057; for showers C. Krause,
    D. Shih, "CaloFlow: fast and accurate generation of calorimeter showers with normalizing
    flows", 2021, arXiv:2106.05285). The density takes one pass; **drawing is slow**, one feature
    after the other, and cannot be exported or differentiated:
    :class:`~simulacra.generative.InverseAutoregressiveFlow` is the student that is fast.

    Args:
        kit: sizes of the vectors; its networks are not used.
        config: how it is built.

    Shapes:
        x: ``(events, features)``, dimensionless, of about unit width.
        condition: ``(events, conditions)``, dimensionless.
    """

    def __init__(self, kit: NetworkKit, config: AutoregressiveFlowConfig) -> None:
        super().__init__(kit)
        self.steps = masked_steps(kit, config)

    @classmethod
    def from_kit(cls, kit: NetworkKit, config: AutoregressiveFlowConfig) -> AutoregressiveFlow:
        """Build for a kit's vectors."""
        return cls(kit, config)

    def states(self, x: Tensor, condition: Tensor) -> tuple[list[Tensor], Tensor]:
        """Return x, what it is behind each step (noise last), and the log-determinant."""
        states, total = [x], x.new_zeros(len(x))
        for step in self.steps:
            x, log_slope = step(x, condition)
            states.append(x)
            total = total + log_slope
        return states, total

    def to_noise(self, x: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        states, total = self.states(x, condition)
        return states[-1], total

    def from_noise(self, z: Tensor, condition: Tensor) -> Tensor:
        for step in reversed(list_of(self.steps)):
            z, _ = step.inverse(z, condition)
        return z
