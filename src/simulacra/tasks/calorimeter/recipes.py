"""Named, complete configurations: functions that return a whole one."""

from __future__ import annotations

from collections.abc import Callable

from ...errors import UnknownNameError
from ...generative import CascadeConfig
from ...train import TrainingConfig
from .problem import SurrogateConfig

__all__ = ["RECIPES", "photons", "photons_demo", "photons_embedded", "recipe", "showers"]


def photons() -> SurrogateConfig:
    """Photons along the axis, 100,000 showers: the shipped model, under an hour on two cores."""
    return SurrogateConfig(
        name="photons",
        summary=(
            "Photons of 1 to 64 GeV at normal incidence on a lead-tungstate and liquid-argon "
            "calorimeter, in the voxels of CaloChallenge data set 1."
        ),
        model=CascadeConfig(channels=120, blocks=5, width=224),
        training=TrainingConfig(epochs=40, validation_fraction=0.02, threads=2),
        half_precision=True,
        licence="CC-BY-4.0",
    )


def photons_embedded() -> SurrogateConfig:
    """Photons from the 12,800 embedded showers, a few minutes.

    Quick suite on the embedded test showers: AUC 0.513 low-level, 0.597 high-level (`make slow`).
    """
    return photons().updated(
        name="photons-embedded",
        training=TrainingConfig(epochs=20, batch_size=256, threads=2).to_dict(),
    )


def photons_demo() -> SurrogateConfig:
    """The demonstration's small model: a few minutes on the embedded photons."""
    return photons().updated(
        name="photons-demo",
        model=CascadeConfig(channels=64, blocks=3, width=128).to_dict(),
        training=TrainingConfig(epochs=40, batch_size=256, threads=2).to_dict(),
    )


def showers() -> SurrogateConfig:
    """Anybody's irregular showers with a common number of sectors; no symmetry assumed."""
    return SurrogateConfig(
        name="showers",
        summary="A surrogate of the showers it was trained on.",
        model=CascadeConfig(equivariant=False),
        training=TrainingConfig(epochs=60),
        half_precision=True,
    )


RECIPES: dict[str, Callable[[], SurrogateConfig]] = {
    "photons": photons,
    "photons-embedded": photons_embedded,
    "photons-demo": photons_demo,
    "showers": showers,
}
"""The room's recipes by name."""


def recipe(name: str) -> SurrogateConfig:
    """Return a recipe's configuration.

    Raises:
        UnknownNameError: if there is none of that name, with the closest one.

    Example:
        >>> recipe("photons").model.channels
        120
    """
    if name not in RECIPES:
        raise UnknownNameError("recipe", name, RECIPES)
    return RECIPES[name]()
