"""The smallest surrogate there is: learns nothing, but in all the right steps."""

from __future__ import annotations

from simulacra.generative import CascadeConfig, FlowMatchingConfig
from simulacra.tasks.calorimeter import SurrogateConfig
from simulacra.train import TrainingConfig

TINY = SurrogateConfig(
    name="tiny",
    tile=8,
    model=CascadeConfig(
        channels=6,
        blocks=1,
        width=8,
        energy_width=8,
        energy_blocks=1,
        shape=FlowMatchingConfig(steps=2),
        energy=FlowMatchingConfig(steps=2),
    ),
    training=TrainingConfig(epochs=1, batch_size=64),
)
