"""Step 1b, where truth comes from: full simulations in, the files that training reads out."""

from .beam import Beam
from .calorimeter import BuiltIn, Calorimeter, Cells, Grid, Ring, Rings, Slab, Stack
from .presets import PRESETS, preset
from .run import Simulated, simulate_to_file
from .setup import Physics, Setup
from .tables import Tables, find_tables

__all__ = [
    "PRESETS",
    "Beam",
    "BuiltIn",
    "Calorimeter",
    "Cells",
    "Grid",
    "Physics",
    "Ring",
    "Rings",
    "Setup",
    "Simulated",
    "Slab",
    "Stack",
    "Tables",
    "find_tables",
    "preset",
    "simulate_to_file",
]
