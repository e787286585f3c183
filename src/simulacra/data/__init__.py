"""Step 1, data: what a shower is, in MeV, mm and rad, and how it comes off disk."""

from .catalog import DataSet, dataset, datasets, get, verify
from .files import ShowerFile, open_showers, read_showers
from .formats import FORMATS, POINT_FORMATS
from .geometry import Geometry, geometries, geometry
from .inspection import Inspection, Validation
from .joined import JoinedFiles, open_joined
from .layers import GridLayer, Layer
from .merging import merge_showers
from .overlap import Fingerprint, find_overlap, refuse_overlap
from .point_inspection import PointValidation
from .pointfiles import PointFile, open_points, write_points
from .points import PointShowers
from .selection import convert_showers, energy_between, filtered, split_showers
from .shipped import embedded
from .showers import VoxelShowers
from .toys import ToyShowers, toy_geometry, toy_grid
from .voxelize import cells_of, to_points, voxelize
from .writing import write_showers

__all__ = [
    "FORMATS",
    "POINT_FORMATS",
    "DataSet",
    "Fingerprint",
    "Geometry",
    "GridLayer",
    "Inspection",
    "JoinedFiles",
    "Layer",
    "PointFile",
    "PointShowers",
    "PointValidation",
    "ShowerFile",
    "ToyShowers",
    "Validation",
    "VoxelShowers",
    "cells_of",
    "convert_showers",
    "dataset",
    "datasets",
    "embedded",
    "energy_between",
    "filtered",
    "find_overlap",
    "geometries",
    "geometry",
    "get",
    "merge_showers",
    "open_joined",
    "open_points",
    "open_showers",
    "read_showers",
    "refuse_overlap",
    "split_showers",
    "to_points",
    "toy_geometry",
    "toy_grid",
    "verify",
    "voxelize",
    "write_points",
    "write_showers",
]
