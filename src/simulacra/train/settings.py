"""How a generator is trained, as one checked and frozen value."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from ..config import Config

__all__ = ["TrainingConfig"]


class TrainingConfig(Config):
    """How a generator is trained.

    Args:
        epochs: passes over the training events.
        batch_size: events per step, over all processes.
        accumulate: parts, one after the other, of each process's share of a batch: less memory,
            the same step to rounding.
        learning_rate: largest step of Adam, dimensionless.
        warmup_steps: steps over which the learning rate rises from zero.
        schedule: ``cosine`` falls to ``final_rate`` of the largest rate at the end; ``constant``
            stays.
        final_rate: last learning rate, as a share of the largest.
        momentum: decay of Adam's running mean of gradients; 0 suits two networks that learn
            against each other.
        weight_decay: decoupled decay of AdamW per step, dimensionless.
        clip_norm: largest norm of a gradient; longer ones are shortened.
        average: decay of the running average of weights, which is what is kept and judged.
        validation_fraction: share of the events kept for the validation loss.
        patience: epochs without a better validation loss after which training stops; 0 never does.
        checkpoint_minutes: time between checkpoints, in minutes.
        precision: number format of the network's products.
        threads: processor threads; part of the result's identity; 0 takes what torch has.
        tensorboard: write TensorBoard files.
    """

    epochs: int = Field(default=50, ge=1)
    batch_size: int = Field(default=512, ge=1)
    accumulate: int = Field(default=1, ge=1)
    learning_rate: float = Field(default=2e-3, gt=0)
    warmup_steps: int = Field(default=300, ge=0)
    schedule: Literal["cosine", "constant"] = "cosine"
    final_rate: float = Field(default=1e-3, ge=0, le=1)
    momentum: float = Field(default=0.9, ge=0, lt=1)
    weight_decay: float = Field(default=0.0, ge=0)
    clip_norm: float = Field(default=1.0, gt=0)
    average: float = Field(default=0.999, ge=0, lt=1)
    validation_fraction: float = Field(default=0.05, ge=0, lt=1)
    patience: int = Field(default=0, ge=0)
    checkpoint_minutes: float = Field(default=2.0, ge=0)
    precision: Literal["float32", "bfloat16"] = "float32"
    threads: int = Field(default=0, ge=0)
    tensorboard: bool = False

    def identity(self) -> dict[str, Any]:
        """Return the settings that two runs must share to be the same training."""
        return {name: value for name, value in self.to_dict().items() if name != "accumulate"}
