"""Inverse autoregressive flow: draws in one pass what an autoregressive teacher draws in many."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from ..batch import Batch, Draws
from ..errors import ConfigError
from ..random import Stream
from .autoregressive_flow import AutoregressiveFlow, MaskedStepsConfig, list_of, masked_steps
from .flow import Flow
from .kit import NetworkKit
from .model import GenerativeModel, Student

__all__ = ["InverseAutoregressiveFlow", "InverseAutoregressiveFlowConfig"]


class InverseAutoregressiveFlowConfig(MaskedStepsConfig):
    """How the student is built, see :class:`MaskedStepsConfig`; as many steps as its teacher."""

    family: Literal["inverse_autoregressive_flow"] = "inverse_autoregressive_flow"


class InverseAutoregressiveFlow(Student, Flow):
    r"""The student of an autoregressive flow by probability-density distillation.

    Each of its steps undoes one of the teacher's, with parameters that are functions of the noise
    side, so that drawing takes one pass (and the density of given events is slow). Let
    :math:`y_0 = x, y_1, \ldots, y_K = z` be what an event becomes step by step in the teacher, and
    :math:`\hat y_K, \ldots, \hat y_0` the way back through the student. It learns from

    .. math:: L = \underbrace{\frac1K \sum_{k<K} \bigl\| \hat y_k(z_T(x)) - y_k(x)
        \bigr\|^2}_{\text{from x}} + \underbrace{\frac1K \sum_{k>0} \bigl\| y_k(\hat x(z)) -
        \hat y_k(z) \bigr\|^2}_{\text{from z}}

    in mean squares per feature: data go through the teacher and back through the student, and
    noise through the student and back through the teacher, compared at every step (C. Krause,
    D. Shih, "CaloFlow II: even faster and still accurate generation of calorimeter showers with
    normalizing flows", 2021, arXiv:2110.11377). It cannot learn from data alone: that needs the
    slow direction in every step.

    Args:
        kit: sizes of the vectors; its networks are not used.
        config: how it is built.

    Shapes:
        x: ``(events, features)``, dimensionless, of about unit width.
        condition: ``(events, conditions)``, dimensionless.
    """

    def __init__(self, kit: NetworkKit, config: InverseAutoregressiveFlowConfig) -> None:
        super().__init__(kit)
        self.steps = masked_steps(kit, config)
        self._teacher: list[AutoregressiveFlow] = []  # in a list: its weights are not this model's

    @classmethod
    def from_kit(
        cls, kit: NetworkKit, config: InverseAutoregressiveFlowConfig
    ) -> InverseAutoregressiveFlow:
        """Build for a kit's vectors."""
        return cls(kit, config)

    def learn_from(self, teacher: GenerativeModel) -> None:
        """Take a trained autoregressive flow as teacher, and its orders of the features.

        Args:
            teacher: of the same vectors and with as many steps; it is not changed.

        Raises:
            ConfigError: if it is of another kind, or has other steps.
        """
        if not isinstance(teacher, AutoregressiveFlow):
            raise ConfigError(
                "inverse autoregressive flow: expected a teacher of the family "
                f"autoregressive_flow, found {type(teacher).__name__}."
            )
        ours, theirs = len(self.steps), len(teacher.steps)
        if ours != theirs:
            raise ConfigError(
                f"inverse autoregressive flow: expected as many steps as the teacher's, {theirs}, "
                f"found {ours}; set steps={theirs}."
            )
        for own, other in zip(list_of(self.steps), list_of(teacher.steps), strict=True):
            own.order.copy_(other.order)
        self._teacher = [teacher.eval().requires_grad_(requires_grad=False)]

    def states(self, z: Tensor, condition: Tensor) -> list[Tensor]:
        """Return what noise becomes step by step: events first, noise last."""
        states = [z]
        for step in reversed(self.steps):
            z, _ = step(z, condition)
            states.insert(0, z)
        return states

    def loss(self, batch: Batch, draws: Draws) -> Tensor:
        if not self._teacher:
            raise ConfigError(
                "inverse autoregressive flow: expected a teacher, found none; train the family "
                "autoregressive_flow first and distil it (`--set teacher=MODEL`)."
            )
        (teacher,), condition = self._teacher, batch.condition
        with torch.no_grad():
            wanted, _ = teacher.states(self.turned(batch.x, draws), condition)
        from_x = _distance(self.states(wanted[-1], condition), wanted)
        made = self.states(draws.normal(self.noise_size, Stream.NOISE), condition)
        back, _ = teacher.states(made[0], condition)
        return from_x + _distance(back, made)

    def draw(self, condition: Tensor, noise: Tensor) -> Tensor:
        return self.states(noise, condition)[0]

    def from_noise(self, z: Tensor, condition: Tensor) -> Tensor:
        return self.states(z, condition)[0]

    def to_noise(self, x: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        """Undo the drawing, one feature after the other: slow, and not differentiable."""
        total = x.new_zeros(x.shape[0])
        for step in list_of(self.steps):
            x, log_slope = step.inverse(x, condition)
            total = total + log_slope
        return x, total


def _distance(states: list[Tensor], wanted: list[Tensor]) -> Tensor:
    """Return the mean squared distance over steps and features, ``(events,)``."""
    pairs = zip(states, wanted, strict=True)
    squares = [(a.float() - b.float()).square().mean(dim=1) for a, b in pairs]
    return torch.stack(squares).sum(dim=0) / (len(squares) - 1)
