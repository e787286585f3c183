"""Step 1, data: what a shower is, in MeV, mm and rad, and how it comes off disk."""

from .files import ShowerFile, open_showers, read_showers
from .geometry import Geometry, Layer, geometries, geometry
from .inspection import Inspection, Validation
from .showers import VoxelShowers
from .writing import write_showers

__all__ = [
    "Geometry",
    "Inspection",
    "Layer",
    "ShowerFile",
    "Validation",
    "VoxelShowers",
    "geometries",
    "geometry",
    "open_showers",
    "read_showers",
    "write_showers",
]
