"""Mean velocities: a generator that needs one step, from data or from a teacher."""

from __future__ import annotations

from typing import Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from ..batch import Batch, Draws
from ..config import Config
from ..errors import ConfigError
from ..nets import start_from
from ..paths import LinearPath
from ..random import Stream
from .diffusion import Diffusion, angle_of
from .flow_matching import FlowMatching
from .kit import NetworkKit
from .model import GenerativeModel, Student

__all__ = ["MeanFlow", "MeanFlowConfig"]


class MeanFlowConfig(Config):
    """How a generator of mean velocities is trained and drawn from.

    Args:
        family: its name.
        steps: equal steps from noise to data.
        state: what the network sees of a point on a path: the ``path`` itself and its time (as
            flow matching), or scaled to ``unit`` width and the angle between noise and data (as
            diffusion).
        lesson: what a student is taught: the teacher's ``velocity`` anywhere on the paths, or the
            ``end`` that the teacher reaches from the same noise (one step only).
        instantaneous: share of training points whose interval has no length: plain flow matching.
    """

    family: Literal["mean_flow"] = "mean_flow"
    steps: int = Field(default=1, ge=1)
    state: Literal["path", "unit"] = "path"
    lesson: Literal["velocity", "end"] = "velocity"
    instantaneous: float = Field(default=0.5, ge=0, lt=1)

    @model_validator(mode="after")
    def _an_end_has_one_step(self) -> Self:
        if self.lesson == "end" and self.steps != 1:
            raise ValueError("lesson=end teaches a single step: expected steps=1")
        return self


class MeanFlow(Student, GenerativeModel):
    r"""A generator of standardised vectors by the mean velocity between two times.

    On a path with velocity :math:`v`, the mean velocity from time t to r,
    :math:`u(x_t, t, r) = \frac{1}{r - t} \int_t^r v(x_s, s)\,\mathrm ds`, obeys

    .. math:: u = v + (r - t)\,\frac{\mathrm d u}{\mathrm d t},\qquad
        \frac{\mathrm d u}{\mathrm d t} = v \cdot \partial_x u + \partial_t u

    (Z. Geng, M. Deng, X. Bai, J. Kolter, K. He, "Mean flows for one-step generative modeling",
    2025, arXiv:2505.13447, eqs. 3 to 6, with time running from noise to data). The right side,
    kept fixed, is what the network is trained to give; its v is that of a straight line to the
    data or, after :meth:`learn_from`, of a teacher. One step draws: :math:`x_1 = x_0 + u(x_0, 0,
    1)`. As in :class:`~simulacra.generative.FlowMatching` the part that is exact for normal data
    is split off,

    .. math:: u(x, t, r) = \Bigl(\sqrt{\tfrac{s_r}{s_t}} - 1\Bigr) \frac{x}{r - t}
        + \frac{1}{\sqrt{s_t}}\,f(t, x, c, r), \qquad s_t = t^2 + (1 - t)^2

    Args:
        network: ``f(t, x, condition)`` with x of shape ``(events, features)`` and r at the end of
            the condition.
        features: size of x.
        conditions: size of the condition.
        config: how it is trained and drawn from.

    Shapes:
        x: ``(events, features)``, dimensionless, of unit width.
        condition: ``(events, conditions)``, dimensionless.
    """

    def __init__(
        self, network: nn.Module, features: int, conditions: int, config: MeanFlowConfig
    ) -> None:
        super().__init__()
        self.network = network
        self.conditions = conditions
        self.noise_size = features
        self.config = config
        self.path = LinearPath()
        self._teacher: list[GenerativeModel] = []  # in a list: its weights are not this model's

    @classmethod
    def from_kit(cls, kit: NetworkKit, config: MeanFlowConfig) -> MeanFlow:
        """Build with a kit's field that knows the second time."""
        return cls(kit.field(further=1), kit.features, kit.conditions, config)

    def learn_from(self, teacher: GenerativeModel) -> None:
        """Take what a trained generator does in place of single events.

        With ``lesson="end"`` that is where its noise ends, and the teacher may be any generator
        that makes as many numbers of as many; else its velocity. Where the networks are of equal
        size and see the same, the student starts as its teacher.

        Args:
            teacher: a generator of the same vectors; it is not changed.

        Raises:
            ConfigError: if it has no velocity and the lesson needs one, or draws from more noise
                than it makes numbers.
        """
        if not isinstance(teacher, FlowMatching | Diffusion) and self.config.lesson != "end":
            raise ConfigError(
                "mean flow: only flow_matching and diffusion have the velocity that lesson="
                f"{self.config.lesson} asks for, found {type(teacher).__name__}; set lesson=end."
            )
        if teacher.noise_size != self.noise_size:
            raise ConfigError(
                f"mean flow: expected a teacher that draws {self.noise_size} numbers from as many, "
                f"{type(teacher).__name__} takes {teacher.noise_size}; a student cannot see which "
                "of them matter. Choose a teacher of another family."
            )
        self._teacher = [teacher.eval().requires_grad_(requires_grad=False)]
        unit = self.config.state == "unit"
        if isinstance(teacher, Diffusion if unit else FlowMatching):
            start_from(self.network, teacher.network, skipping=self.conditions)

    def mean_velocity(self, t: Tensor, r: Tensor, x: Tensor, condition: Tensor) -> Tensor:
        """Return the learned mean velocity from times t to r, ``(events,)`` each; shape of x."""
        here, there = t**2 + (1 - t) ** 2, r**2 + (1 - r) ** 2
        # (sqrt(s_r / s_t) - 1) / (r - t), written without a division by r - t
        straight = 2 * (r + t - 1) / (here + (here * there).sqrt())
        given = torch.cat([condition, r[:, None]], dim=1)
        if self.config.state == "unit":
            correction: Tensor = self.network(angle_of(t), x * here.rsqrt()[:, None], given)
        else:
            correction = self.network(t, x, given)
        return straight[:, None] * x + here.rsqrt()[:, None] * correction

    def loss(self, batch: Batch, draws: Draws) -> Tensor:
        noise = draws.normal(self.noise_size, Stream.NOISE)
        if self.config.lesson == "end":
            return self._missed(noise, batch.condition)
        time, until, choice = draws.uniform(3, Stream.PATH_TIME).unbind(dim=1)
        time, until = torch.minimum(time, until), torch.maximum(time, until)
        until = torch.where(choice < self.config.instantaneous, time, until)
        point = self.path.at(time, noise, batch.x)
        velocity = point.velocity
        for teacher in self._teacher:
            assert isinstance(teacher, FlowMatching | Diffusion)  # see learn_from
            with torch.no_grad():
                velocity = teacher.velocity(time, point.state, batch.condition).float()
        mean = self.mean_velocity(time, until, point.state, batch.condition)
        with torch.no_grad():
            change = self._along(time, until, point.state, velocity, batch.condition)
        target = (velocity + (until - time)[:, None] * change).detach()
        error = (mean.float() - target).square().mean(dim=1)
        # very large targets are early mistakes of the network itself: they count less. Those of the
        # size of a velocity count in full, or the network learns the mode of few features.
        loss: Tensor = error / (1 + error.detach() / _LARGE)
        return loss

    def _missed(self, noise: Tensor, condition: Tensor) -> Tensor:
        """Return how far from the teacher's end one step ends."""
        if not self._teacher:
            raise ConfigError("mean flow: lesson=end needs a teacher; set `teacher` to a model.")
        with torch.no_grad():
            end = self._teacher[0].draw(condition, noise).float()
        return (self.draw(condition, noise).float() - end).square().mean(dim=1)

    def _along(
        self, t: Tensor, r: Tensor, x: Tensor, velocity: Tensor, condition: Tensor
    ) -> Tensor:
        """Return the change of the mean velocity along a path, by a central difference."""
        after, before = (
            self.mean_velocity(t + step, r, x + step * velocity, condition).float()
            for step in (_STEP, -_STEP)
        )
        return (after - before) / (2 * _STEP)

    def draw(self, condition: Tensor, noise: Tensor) -> Tensor:
        x, steps = noise, self.config.steps
        for step in range(steps):
            t = torch.full_like(x[:, 0], step / steps)
            r = torch.full_like(x[:, 0], (step + 1) / steps)
            x = x + self.mean_velocity(t, r, x, condition) / steps
        return x


_LARGE = 10.0  # squared velocity of one feature; that of noise to data is about 2
_STEP = 2e-3  # of path time: networks resolve 1/8, float32 rounds differences to 1e-4
