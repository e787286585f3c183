"""Refinement: a sample that is almost right in, the same sample made right out, at what price.

Comes in: events of a source (simulated, generated) and of the target that it should equal, in the
same observables. Goes out: weights or moved events, always with the area under the curve of a new
classifier, the effective number of events left, and the share of the target that the source does
not cover. Assumes that the source has events wherever the target has some, which is measured.
"""

from .conditional import ConditionalConfig, ConditionalReweighter
from .estimating import Estimate
from .files import EventTable, apply_to_file, read_showers_table, read_table, refine_files
from .judging import JUDGE, Diagnosis, diagnose, uncovered
from .latent import LatentConfig, LatentDraw, LatentRefiner
from .noise import NoiseConfig, NoiseRefiner
from .parameters import ParameterReweighter
from .problem import Samples
from .recipes import RECIPES, load_refiner, recipe, refiner
from .redrawing import Redrawn, redraw
from .refining import Refiner, refine
from .resampling import Resampled, Resampler, ResamplerConfig, thin, thin_to_units
from .result import Refinement
from .reweighting import Reweighter, ReweighterConfig
from .showers import shower_table, weighted_showers
from .storing import Learned
from .transport import Transport, TransportConfig

__all__ = [
    "JUDGE",
    "RECIPES",
    "ConditionalConfig",
    "ConditionalReweighter",
    "Diagnosis",
    "Estimate",
    "EventTable",
    "LatentConfig",
    "LatentDraw",
    "LatentRefiner",
    "Learned",
    "NoiseConfig",
    "NoiseRefiner",
    "ParameterReweighter",
    "Redrawn",
    "Refinement",
    "Refiner",
    "Resampled",
    "Resampler",
    "ResamplerConfig",
    "Reweighter",
    "ReweighterConfig",
    "Samples",
    "Transport",
    "TransportConfig",
    "apply_to_file",
    "diagnose",
    "load_refiner",
    "read_showers_table",
    "read_table",
    "recipe",
    "redraw",
    "refine",
    "refine_files",
    "refiner",
    "shower_table",
    "thin",
    "thin_to_units",
    "uncovered",
    "weighted_showers",
]
