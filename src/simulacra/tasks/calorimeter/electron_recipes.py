"""Configurations for layers of one shape: electrons in the voxels of CaloChallenge data set 2."""

from __future__ import annotations

from ...generative import (
    CascadeConfig,
    FlowMatchingConfig,
    IndependentConfig,
    LayerwiseConfig,
    MeanFlowConfig,
)
from ...train import TrainingConfig
from .problem import SurrogateConfig

__all__ = ["electrons", "electrons_copula", "electrons_layers", "electrons_mean_flow"]


def electrons_copula() -> SurrogateConfig:
    """Electrons without a network for voxels: closed-form correlations, one step, a few minutes."""
    return SurrogateConfig(
        name="electrons-copula",
        summary=(
            "Electrons of 1 to 16 GeV at normal incidence on a lead-tungstate and liquid-argon "
            "calorimeter, in the voxels of CaloChallenge data set 2 with layers of 8 mm."
        ),
        model=CascadeConfig(
            mirror=True,
            copula="symmetric",
            layers="logarithms",
            nodes="crowded",
            lines=(0.51099895, 1.0219979),  # one photon of annihilation absorbed whole, or two
            energy_width=96,
            energy_blocks=3,
            shape=IndependentConfig(),
            energy=FlowMatchingConfig(along="angle", steps=4),
        ),
        training=TrainingConfig(
            epochs=30,
            batch_size=128,
            learning_rate=2e-3,
            warmup_steps=100,
            validation_fraction=0.02,
            threads=1,
        ),
        half_precision=True,
        licence="CC-BY-4.0",
    )


def electrons() -> SurrogateConfig:
    """Electrons by flow matching behind the copula, with a network that mixes along the depth."""
    base = electrons_copula()
    model = base.model.updated(
        slab=5,
        channels=64,
        blocks=4,
        width=128,
        shape=FlowMatchingConfig(along="angle", steps=3).to_dict(),
    )
    training = base.training.updated(epochs=8, batch_size=64)
    return base.updated(name="electrons", model=model.to_dict(), training=training.to_dict())


def electrons_mean_flow() -> SurrogateConfig:
    """The same in one step, trained from scratch on mean velocities."""
    base = electrons()
    model = base.model.updated(shape=MeanFlowConfig().to_dict())
    return base.updated(name="electrons-mean-flow", model=model.to_dict())


def electrons_layers() -> SurrogateConfig:
    """Electrons from layer to layer: each by flow matching, given the two layers before it."""
    base = electrons()
    layer = FlowMatchingConfig(along="angle", steps=3)
    model = base.model.updated(
        copula="by_layer",
        slab=0,
        channels=40,
        blocks=2,
        width=96,
        shape=LayerwiseConfig(layer=layer).to_dict(),
    )
    return base.updated(name="electrons-layers", model=model.to_dict())
