"""Named, complete configurations: functions that return a whole one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...errors import UnknownNameError
from ...generative import CascadeConfig, PointCascadeConfig
from ...train import TrainingConfig
from .cell_recipes import ams02, calogan, ecal, three_layer
from .electron_recipes import (
    electrons,
    electrons_copula,
    electrons_layers,
    electrons_mean_flow,
)
from .hadron_recipes import pions
from .problem import SurrogateConfig

__all__ = [
    "RECIPES",
    "electrons",
    "electrons_copula",
    "electrons_layers",
    "electrons_mean_flow",
    "given_recipe",
    "photons",
    "photons_autoregressive",
    "photons_autoregressive_student",
    "photons_cloud",
    "photons_copula",
    "photons_demo",
    "photons_diffusion",
    "photons_diffusion_student",
    "photons_embedded",
    "photons_fast",
    "photons_flow_matching",
    "photons_mean_flow",
    "photons_vae",
    "photons_vq",
    "photons_wgan",
    "photons_with",
    "pions",
    "recipe",
    "showers",
]


def photons() -> SurrogateConfig:
    """Photons along the axis, 100,000 showers: the shipped model, a coupling flow in one step."""
    return photons_with(
        "photons",
        {"family": "coupling_flow", "couplings": 6, "depth": 1, "bins": 6},
        training={"epochs": 6, "learning_rate": 3e-3},
    )


def photons_embedded() -> SurrogateConfig:
    """Photons from the 12,800 embedded showers, a few minutes.

    Quick suite on the embedded test showers: AUC 0.513 low-level, 0.597 high-level (`make slow`).
    """
    return photons_demo().updated(
        name="photons-embedded",
        model=CascadeConfig(channels=120, blocks=5, width=224).to_dict(),
        training=TrainingConfig(epochs=20, batch_size=256, threads=2).to_dict(),
    )


def photons_demo() -> SurrogateConfig:
    """The demonstration's small model: a few minutes on the embedded photons."""
    return SurrogateConfig(
        name="photons-demo",
        summary=(
            "Photons of 1 to 64 GeV at normal incidence on a lead-tungstate and liquid-argon "
            "calorimeter, in the voxels of CaloChallenge data set 1."
        ),
        model=CascadeConfig(channels=64, blocks=3, width=128),
        training=TrainingConfig(epochs=40, batch_size=256, threads=2),
        half_precision=True,
        licence="CC-BY-4.0",
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


def photons_with(
    name: str,
    family: dict[str, Any],
    *,
    training: dict[str, Any] | None = None,
    **changes: Any,
) -> SurrogateConfig:
    """Photons along the axis by any family, with the demonstration's size of networks.

    Voxels are scores at the energies of their layers, and correlations of their pairs are taken
    out in closed form, so that an untrained model of any family is that of ``photons-copula``.

    Args:
        name: what the recipe is called.
        family: settings of the generator of voxels; that of the layer energies is a coupling flow.
        training: settings of the training that differ from 20 epochs in batches of 256.
        **changes: further fields.
    """
    small = photons_demo()
    energy = {"family": "coupling_flow"}
    model = small.model.updated(
        shape=family, energy=energy, mirror=True, copula="symmetric", spectra="layer"
    )
    steps = small.training.updated(
        **{"epochs": 20, "validation_fraction": 0.02, **(training or {})}
    )
    return small.updated(name=name, model=model.to_dict(), training=steps.to_dict(), **changes)


def photons_copula() -> SurrogateConfig:
    """Photons without a network for voxels: closed-form correlations of pairs, a few minutes."""
    return photons_with(
        "photons-copula", {"family": "independent"}, training={"epochs": 6, "learning_rate": 3e-3}
    )


def photons_flow_matching() -> SurrogateConfig:
    """Photons by flow matching behind the copula, in three steps."""
    recipe = photons_with(
        "photons-flow-matching",
        {"family": "flow_matching", "along": "angle", "steps": 3},
        training={"epochs": 24},
    )
    model = recipe.model.updated(energy={"family": "flow_matching"})
    return recipe.updated(model=model.to_dict())


def photons_fast() -> SurrogateConfig:
    """Photons in one step of a small network, learned from showers of the coupling flow."""
    part = {"family": "mean_flow", "lesson": "end"}
    base = photons_with("photons-fast", part)
    model = base.model.updated(energy=part, channels=96, blocks=4, width=160)
    training = base.training.updated(epochs=20)
    return base.updated(
        model=model.to_dict(),
        training=training.to_dict(),
        teacher="photons",
        lessons=1,
        tile=24,
    )


def photons_diffusion() -> SurrogateConfig:
    """Photons by diffusion: 16 steps of second order from noise to showers."""
    return photons_with("photons-diffusion", {"family": "diffusion"})


def photons_mean_flow() -> SurrogateConfig:
    """Photons in one step, trained from scratch on mean velocities."""
    return photons_with("photons-mean-flow", {"family": "mean_flow"})


def photons_diffusion_student() -> SurrogateConfig:
    """Photons in one step, learned from the diffusion model of the same bench."""
    part = {"family": "mean_flow", "lesson": "end", "state": "unit"}
    small = photons_diffusion()
    model = small.model.updated(shape=part, energy=part)
    return small.updated(
        name="photons-diffusion-student",
        model=model.to_dict(),
        teacher="photons-diffusion",
        lessons=1,
    )


def photons_autoregressive() -> SurrogateConfig:
    """Photons by a masked autoregressive flow: exact density, slow to draw."""
    return photons_with(
        "photons-autoregressive",
        {"family": "autoregressive_flow", "steps": 3, "depth": 1, "bins": 6},
        training={"epochs": 2},
    )


def photons_autoregressive_student() -> SurrogateConfig:
    """Photons by an inverse autoregressive flow, taught by the autoregressive one."""
    return photons_with(
        "photons-autoregressive-student",
        {"family": "inverse_autoregressive_flow", "steps": 3, "depth": 1, "bins": 6},
        training={"epochs": 1},
        teacher="photons-autoregressive",
    )


def photons_vae() -> SurrogateConfig:
    """Photons by a variational autoencoder with a learned prior."""
    return photons_with("photons-vae", {"family": "variational"})


def photons_vq() -> SurrogateConfig:
    """Photons by a vector-quantised autoencoder and a transformer over its tokens."""
    return photons_with("photons-vq", {"family": "vector_quantised"})


def photons_wgan() -> SurrogateConfig:
    """Photons by a Wasserstein GAN with gradient penalty."""
    return photons_with(
        "photons-wgan",
        {"family": "wasserstein_gan"},
        training={"learning_rate": 1e-3, "momentum": 0.0},
    )


def photons_cloud() -> SurrogateConfig:
    """Photons as clouds: a point is a filled voxel, numbers of points first.

    Quick suite on 10,000 other showers after 2 of its 20 epochs: AUC 0.628 low- and high-level.
    """
    return photons_demo().updated(
        name="photons-cloud",
        model=PointCascadeConfig(channels=64, blocks=3, width=128, depth=6).to_dict(),
        training=TrainingConfig(
            epochs=20, batch_size=256, validation_fraction=0.02, threads=2
        ).to_dict(),
    )


RECIPES: dict[str, Callable[[], SurrogateConfig]] = {
    "photons": photons,
    "photons-embedded": photons_embedded,
    "photons-demo": photons_demo,
    "showers": showers,
    "photons-copula": photons_copula,
    "photons-flow-matching": photons_flow_matching,
    "photons-fast": photons_fast,
    "photons-diffusion": photons_diffusion,
    "photons-diffusion-student": photons_diffusion_student,
    "photons-mean-flow": photons_mean_flow,
    "photons-autoregressive": photons_autoregressive,
    "photons-autoregressive-student": photons_autoregressive_student,
    "photons-vae": photons_vae,
    "photons-vq": photons_vq,
    "photons-wgan": photons_wgan,
    "photons-cloud": photons_cloud,
    "pions": pions,
    "three-layer": three_layer,
    "ecal": ecal,
    "calogan": calogan,
    "ams02": ams02,
    "electrons": electrons,
    "electrons-copula": electrons_copula,
    "electrons-layers": electrons_layers,
    "electrons-mean-flow": electrons_mean_flow,
}
"""The room's recipes by name."""


def recipe(name: str) -> SurrogateConfig:
    """Return a recipe's configuration.

    Raises:
        UnknownNameError: if there is none of that name, with the closest one.

    Example:
        >>> recipe("photons").model.channels
        64
    """
    if name not in RECIPES:
        raise UnknownNameError("recipe", name, RECIPES)
    return RECIPES[name]()


def given_recipe(given: str) -> SurrogateConfig:
    """Return a recipe by its name, or a whole configuration from a YAML file.

    Raises:
        UnknownNameError: if there is no recipe of that name.
        ConfigError: if the file does not hold a configuration.
    """
    if given.endswith((".yaml", ".yml")):
        return SurrogateConfig.from_yaml(given)
    return recipe(given)
