"""Step 2, preprocessing: invertible maps between physics space and network space."""

from .aimed import AimedScores
from .axis import CellPlaces, ExpectedShares
from .bijection import Bijection, Chain, Log, Logit, Standardize
from .by_layer import LayerScores, ScoresByLayer
from .counts import CountScores
from .energy import LayerRatios
from .expected import ExpectedScores
from .gaussian import Gaussianize
from .incident import IncidentParticle
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
    "LayerRatios",
    "LayerScores",
    "Log",
    "Logit",
    "PointPlaces",
    "PointScores",
    "ScoresByLayer",
    "ShowerScores",
    "Standardize",
    "filled_layers",
    "scaled_to_layers",
]
