"""Recipes for detectors with rectangular cells, and for particles that come from anywhere."""

from __future__ import annotations

from ...generative import CaloGanConfig, CascadeConfig, CouplingFlowConfig, LikenessGanConfig
from ...train import TrainingConfig
from .problem import SurrogateConfig

__all__ = ["ams02", "calogan", "ecal", "three_layer"]


def three_layer() -> SurrogateConfig:
    """Three layers of cells; energy, direction, impact point and particle; 15 minutes of a core."""
    return SurrogateConfig(
        name="three-layer",
        summary=(
            "Electrons, photons and positrons from many directions on three layers of rectangular "
            "cells."
        ),
        conditions=("theta", "phi", "x", "y", "pdg"),
        model=CascadeConfig(
            equivariant=False,
            spectra="axis",
            patch=24,
            channels=64,
            width=192,
            energy_width=128,
            shape=CouplingFlowConfig(couplings=6, depth=1, bins=6),
            energy=CouplingFlowConfig(couplings=6, depth=1),
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


def ecal() -> SurrogateConfig:
    """Layers of cells that see x and y by turns; the conditions of :func:`three_layer`."""
    return three_layer().updated(
        name="ecal",
        summary=(
            "Electrons, photons and positrons from many directions on 18 layers of 72 cells that "
            "see x and y by turns."
        ),
        model=three_layer().model.updated(patch=24).to_dict(),
    )


def calogan() -> SurrogateConfig:
    """CaloGAN: whole showers by streams of locally-connected layers against a critic."""
    return three_layer().updated(
        name="calogan",
        summary="A generative adversarial network of three layers of rectangular cells.",
        model=CaloGanConfig().to_dict(),
        training=_adversarial().to_dict(),
    )


def ams02() -> SurrogateConfig:
    """The conditional GAN of images of the AMS-02 calorimeter; 5 minutes of a core."""
    return three_layer().updated(
        name="ams02",
        summary="A conditional generative adversarial network of layers of cells as an image.",
        model=LikenessGanConfig().to_dict(),
        training=_adversarial()
        .updated(epochs=6, batch_size=64, learning_rate=1e-3, warmup_steps=50, average=0.995)
        .to_dict(),
    )


def _adversarial() -> TrainingConfig:
    return TrainingConfig(
        epochs=20,
        batch_size=256,
        learning_rate=2e-4,
        momentum=0.5,
        validation_fraction=0.02,
        threads=1,
    )
