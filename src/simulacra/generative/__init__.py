"""Step 5a, generators: learn p(x | condition) and draw from it."""

from .autoencoder import VariationalAutoencoder, VariationalAutoencoderConfig
from .cascade import CascadeConfig, ShowerCascade, ShowerLayout
from .device import require_device
from .diffusion import Diffusion, DiffusionConfig
from .families import FAMILIES, FamilyConfig, build_family
from .flow_matching import FlowMatching, FlowMatchingConfig
from .kit import NetworkKit, RingKit, VectorKit
from .mean_flow import MeanFlow, MeanFlowConfig
from .model import GenerativeModel, initialised
from .quantised import VectorQuantised, VectorQuantisedConfig
from .tiles import Drawing, draw
from .wasserstein import WassersteinGan, WassersteinGanConfig

__all__ = [
    "FAMILIES",
    "CascadeConfig",
    "Diffusion",
    "DiffusionConfig",
    "Drawing",
    "FamilyConfig",
    "FlowMatching",
    "FlowMatchingConfig",
    "GenerativeModel",
    "MeanFlow",
    "MeanFlowConfig",
    "NetworkKit",
    "RingKit",
    "ShowerCascade",
    "ShowerLayout",
    "VariationalAutoencoder",
    "VariationalAutoencoderConfig",
    "VectorKit",
    "VectorQuantised",
    "VectorQuantisedConfig",
    "WassersteinGan",
    "WassersteinGanConfig",
    "build_family",
    "draw",
    "initialised",
    "require_device",
]
