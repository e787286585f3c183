"""Step 2, preprocessing: invertible maps between physics space and network space."""

from .bijection import Bijection, Chain, Log, Logit, Standardize
from .energy import LayerRatios
from .gaussian import Gaussianize
from .showers import ShowerScores

__all__ = [
    "Bijection",
    "Chain",
    "Gaussianize",
    "LayerRatios",
    "Log",
    "Logit",
    "ShowerScores",
    "Standardize",
]
