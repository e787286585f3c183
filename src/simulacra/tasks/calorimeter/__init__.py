"""Fast simulation: showers of a full simulation in, a surrogate that draws them out.

Assumes voxels of one detector, one incident particle per shower, and an energy range that the
training file covers.
"""

from ...data import merge_showers
from .drawing import spectrum
from .problem import SurrogateConfig
from .recipes import RECIPES, recipe
from .sampling import sample_to_file
from .scan_page import write_scan
from .scan_result import Scan
from .scanning import scan
from .shipped import find_model, shipped_models
from .surrogate import Surrogate

__all__ = [
    "RECIPES",
    "Scan",
    "Surrogate",
    "SurrogateConfig",
    "find_model",
    "merge_showers",
    "recipe",
    "sample_to_file",
    "scan",
    "shipped_models",
    "spectrum",
    "write_scan",
]
