"""Fast simulation: showers of a full simulation in, a surrogate that draws them out.

Assumes voxels of one detector, one incident particle per shower, and an energy range that the
training file covers.
"""

from ...data import merge_showers
from .drawing import spectrum
from .problem import SurrogateConfig
from .recipes import RECIPES, recipe
from .sampling import sample_to_file
from .shipped import find_model, shipped_models
from .surrogate import Surrogate

__all__ = [
    "RECIPES",
    "Surrogate",
    "SurrogateConfig",
    "find_model",
    "merge_showers",
    "recipe",
    "sample_to_file",
    "shipped_models",
    "spectrum",
]
