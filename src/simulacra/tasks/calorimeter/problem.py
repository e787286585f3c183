"""One surrogate to be made: what it is called, what it depends on, how it is built and trained."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from ...config import Config
from ...generative import (
    CascadeConfig,
    InverseAutoregressiveFlowConfig,
    MeanFlowConfig,
    ShowerModelConfig,
)
from ...train import TrainingConfig

__all__ = ["SurrogateConfig"]


class SurrogateConfig(Config):
    """A whole configuration of a surrogate; it can be built without touching data.

    Args:
        name: what the model is called in cards and tables.
        summary: one sentence for the card.
        conditions: what a shower depends on besides the incident energy; the training file must
            have these columns.
        tile: events per tile when drawing; part of a shower's identity.
        model: the generator.
        training: how it is trained.
        teacher: a trained model, by its folder or a shipped model's name, whose generators it
            learns from; for students such as the family mean_flow.
        lessons: showers of the teacher per training event that are drawn once, before training;
            the student learns them by regression (noise in, the teacher's shower out) and needs
            the data for their conditions only. 0: the student's family says how it learns.
        half_precision: store the networks' parameters in float16.
        licence: of the weights.
    """

    name: str
    summary: str = ""
    conditions: tuple[Literal["theta", "phi", "x", "y", "pdg"], ...] = ()
    tile: int = Field(default=64, ge=1, le=4096)
    model: ShowerModelConfig = CascadeConfig()
    training: TrainingConfig = TrainingConfig()
    teacher: str | None = None
    lessons: int = Field(default=0, ge=0)
    half_precision: bool = False
    licence: str = "not stated"

    @property
    def is_student(self) -> bool:
        """True if a part of the model has nothing to learn from without a teacher."""
        parts = [getattr(self.model, name, None) for name in ("shape", "energy")]
        return any(
            isinstance(part, InverseAutoregressiveFlowConfig)
            or (isinstance(part, MeanFlowConfig) and part.lesson == "end")
            for part in parts
        )

    @model_validator(mode="after")
    def _symmetric_only_along_the_axis(self) -> Self:
        directed = set(self.conditions) - {"pdg"}
        if directed and isinstance(self.model, CascadeConfig) and self.model.equivariant:
            reason = (
                "angles and positions single out a direction: conditions need "
                "model.equivariant=false"
            )
            raise ValueError(reason)
        return self

    @model_validator(mode="after")
    def _lessons_need_a_teacher(self) -> Self:
        if self.lessons and self.teacher is None:
            raise ValueError("lessons: drawn from a teacher, found none; set `teacher` to a model")
        return self
