"""Recipes for hadrons: showers that start late, and layers that stay empty."""

from __future__ import annotations

from ...generative import CascadeConfig, CouplingFlowConfig
from ...train import TrainingConfig
from .problem import SurrogateConfig

__all__ = ["pions"]


def pions() -> SurrogateConfig:
    """Charged pions along the axis in the 533 voxels of CaloChallenge data set 1; 10 minutes."""
    return SurrogateConfig(
        name="pions",
        summary=(
            "Charged pions at normal incidence on a hadronic calorimeter, in the voxels of "
            "CaloChallenge data set 1."
        ),
        model=CascadeConfig(
            spectra="layer",
            channels=64,
            width=128,
            energy_width=128,
            shape=CouplingFlowConfig(couplings=6, depth=1, bins=6),
            energy=CouplingFlowConfig(couplings=8, depth=2, bins=12),
        ),
        training=TrainingConfig(
            epochs=12,
            batch_size=128,
            learning_rate=3e-3,
            validation_fraction=0.02,
            threads=1,
        ),
        half_precision=True,
    )
