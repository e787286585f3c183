"""Step 2, preprocessing: invertible maps between physics space and network space."""

from .aimed import AimedScores
from .axis import CellPlaces, ExpectedShares
from .bijection import Bijection, Chain, Log, Logit, Standardize
from .counts import CountScores
from .energy import LayerRatios
from .expected import ExpectedScores
from .gaussian import Gaussianize
from .incident import IncidentParticle
from .layers import LayerLogarithms
from .lines import SpectralLines
from .points import PointPlaces, PointScores
from .showers import ShowerScores, filled_layers, scaled_to_layers

__all__ = [
    "AimedScores",
    "Bijection",
    "CellPlaces",
    "Chain",
    "CountScores",
    "ExpectedScores",
    "ExpectedShares",
    "Gaussianize",
    "IncidentParticle",
    "LayerLogarithms",
    "LayerRatios",
    "Log",
    "Logit",
    "PointPlaces",
    "PointScores",
    "ShowerScores",
    "SpectralLines",
    "Standardize",
    "filled_layers",
    "scaled_to_layers",
]
