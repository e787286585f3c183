"""What is looked at: pure functions from showers to arrays, and the bins they are drawn in."""

from .declared import Observable, shower_observables, spectrum_bins
from .images import ImageSums
from .inputs import high_level_inputs, high_level_names, low_level_inputs
from .showers import ShowerObservables, observe, tiles
from .spectrum import bin_index, count_voxels

__all__ = [
    "ImageSums",
    "Observable",
    "ShowerObservables",
    "bin_index",
    "count_voxels",
    "high_level_inputs",
    "high_level_names",
    "low_level_inputs",
    "observe",
    "shower_observables",
    "spectrum_bins",
    "tiles",
]
