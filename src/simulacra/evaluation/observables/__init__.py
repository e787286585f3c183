"""What is looked at: pure functions from showers to arrays, and the bins they are drawn in."""

from .declared import (
    FAMILIES,
    PROTOCOL_FAMILIES,
    Observable,
    response_observables,
    shower_observables,
    spectrum_bins,
)
from .images import ImageSums
from .inputs import high_level_inputs, high_level_names, low_level_inputs
from .observing import observe
from .physics import PHYSICS_FAMILIES
from .showers import ShowerObservables, ring_edges
from .spectrum import bin_index, count_voxels
from .tiling import tiles

__all__ = [
    "FAMILIES",
    "PHYSICS_FAMILIES",
    "PROTOCOL_FAMILIES",
    "ImageSums",
    "Observable",
    "ShowerObservables",
    "bin_index",
    "count_voxels",
    "high_level_inputs",
    "high_level_names",
    "low_level_inputs",
    "observe",
    "response_observables",
    "ring_edges",
    "shower_observables",
    "spectrum_bins",
    "tiles",
]
