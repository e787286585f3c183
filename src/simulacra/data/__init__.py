"""Step 1, data: what a shower is, in MeV, mm and rad, and how it comes off disk."""

from .geometry import Geometry, Layer, geometries, geometry
from .showers import VoxelShowers

__all__ = ["Geometry", "Layer", "VoxelShowers", "geometries", "geometry"]
