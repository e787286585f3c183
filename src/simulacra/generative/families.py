"""Every family of generators by name: one union of settings, one way to build."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import Discriminator, Tag

from .autoencoder import VariationalAutoencoder, VariationalAutoencoderConfig
from .autoregressive_flow import AutoregressiveFlow, AutoregressiveFlowConfig
from .coupling_flow import CouplingFlow, CouplingFlowConfig
from .diffusion import Diffusion, DiffusionConfig
from .flow_matching import FlowMatching, FlowMatchingConfig
from .independent import Independent, IndependentConfig
from .inverse_autoregressive_flow import (
    InverseAutoregressiveFlow,
    InverseAutoregressiveFlowConfig,
)
from .kit import NetworkKit
from .layerwise import Layerwise, LayerwiseConfig
from .mean_flow import MeanFlow, MeanFlowConfig
from .model import GenerativeModel
from .quantised import VectorQuantised, VectorQuantisedConfig
from .wasserstein import WassersteinGan, WassersteinGanConfig

__all__ = ["FAMILIES", "FamilyConfig", "build_family", "told_family"]


def told_family(default: str) -> Callable[[Any], str]:
    """Return a function that reads the family of settings, given as plain data or as objects.

    Args:
        default: of settings that were stored before there was a choice and do not name it.
    """

    def family(given: Any) -> str:
        if isinstance(given, dict):
            return str(given.get("family", default))
        return str(getattr(given, "family", default))

    return family


FamilyConfig = Annotated[
    Annotated[FlowMatchingConfig, Tag("flow_matching")]
    | Annotated[DiffusionConfig, Tag("diffusion")]
    | Annotated[MeanFlowConfig, Tag("mean_flow")]
    | Annotated[CouplingFlowConfig, Tag("coupling_flow")]
    | Annotated[AutoregressiveFlowConfig, Tag("autoregressive_flow")]
    | Annotated[InverseAutoregressiveFlowConfig, Tag("inverse_autoregressive_flow")]
    | Annotated[VariationalAutoencoderConfig, Tag("variational")]
    | Annotated[VectorQuantisedConfig, Tag("vector_quantised")]
    | Annotated[WassersteinGanConfig, Tag("wasserstein_gan")]
    | Annotated[LayerwiseConfig, Tag("layerwise")]
    | Annotated[IndependentConfig, Tag("independent")],
    Discriminator(told_family("flow_matching")),
]
"""Settings of a generator of standardised vectors; ``family`` says which one."""

FAMILIES: dict[str, Callable[[NetworkKit, Any], GenerativeModel]] = {
    "flow_matching": FlowMatching.from_kit,
    "diffusion": Diffusion.from_kit,
    "mean_flow": MeanFlow.from_kit,
    "coupling_flow": CouplingFlow.from_kit,
    "autoregressive_flow": AutoregressiveFlow.from_kit,
    "inverse_autoregressive_flow": InverseAutoregressiveFlow.from_kit,
    "variational": VariationalAutoencoder.from_kit,
    "vector_quantised": VectorQuantised.from_kit,
    "wasserstein_gan": WassersteinGan.from_kit,
    "layerwise": Layerwise.from_kit,
    "independent": Independent.from_kit,
}
"""How each family is built from networks and settings."""


def build_family(config: FamilyConfig, kit: NetworkKit) -> GenerativeModel:
    """Build a generator of standardised vectors.

    Args:
        config: its settings.
        kit: networks for these vectors.

    Shapes:
        x: ``(events, kit.features)``, dimensionless, of about unit width.
        condition: ``(events, kit.conditions)``, dimensionless.
    """
    return FAMILIES[config.family](kit, config)
