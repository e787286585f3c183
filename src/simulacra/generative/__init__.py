"""Step 5a, generators: learn p(x | condition) and draw from it."""

from .autoencoder import VariationalAutoencoder, VariationalAutoencoderConfig
from .autoregressive_flow import AutoregressiveFlow, AutoregressiveFlowConfig
from .calogan import CaloGan, CaloGanConfig
from .cascade import CascadeConfig, ShowerCascade, ShowerLayout
from .copula import Copula
from .coupling_flow import CouplingFlow, CouplingFlowConfig
from .device import require_device
from .diffusion import Diffusion, DiffusionConfig
from .families import FAMILIES, FamilyConfig, build_family
from .flow import Flow
from .flow_matching import FlowMatching, FlowMatchingConfig
from .halves import Half
from .independent import Independent, IndependentConfig
from .inverse_autoregressive_flow import InverseAutoregressiveFlow, InverseAutoregressiveFlowConfig
from .kit import GridKit, NetworkKit, RingKit, VectorKit
from .layerwise import Layerwise, LayerwiseConfig
from .likeness_gan import LikenessGan, LikenessGanConfig
from .mean_flow import MeanFlow, MeanFlowConfig
from .model import GenerativeModel, HasDensity, initialised
from .point_cascade import PointCascade, PointCascadeConfig
from .point_flow import PointFlow, PointFlowConfig
from .quantised import VectorQuantised, VectorQuantisedConfig
from .showers import ShowerModelConfig, shower_model
from .tiles import Drawing, draw
from .wasserstein import WassersteinGan, WassersteinGanConfig

__all__ = [
    "FAMILIES",
    "AutoregressiveFlow",
    "AutoregressiveFlowConfig",
    "CaloGan",
    "CaloGanConfig",
    "CascadeConfig",
    "Copula",
    "CouplingFlow",
    "CouplingFlowConfig",
    "Diffusion",
    "DiffusionConfig",
    "Drawing",
    "FamilyConfig",
    "Flow",
    "FlowMatching",
    "FlowMatchingConfig",
    "GenerativeModel",
    "GridKit",
    "Half",
    "HasDensity",
    "Independent",
    "IndependentConfig",
    "InverseAutoregressiveFlow",
    "InverseAutoregressiveFlowConfig",
    "Layerwise",
    "LayerwiseConfig",
    "LikenessGan",
    "LikenessGanConfig",
    "MeanFlow",
    "MeanFlowConfig",
    "NetworkKit",
    "PointCascade",
    "PointCascadeConfig",
    "PointFlow",
    "PointFlowConfig",
    "RingKit",
    "ShowerCascade",
    "ShowerLayout",
    "ShowerModelConfig",
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
    "shower_model",
]
