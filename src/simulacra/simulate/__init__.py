"""Step 1b, where truth comes from: full simulations in, the files that training reads out."""

from .beam import Beam
from .calorimeter import BuiltIn, Calorimeter, Cells, Grid, Ring, Rings, Slab, Stack
from .collisions import EVENT_SIMULATIONS, EventSimulation, event_simulation, make
from .detectors import Detector, respond
from .event_run import SimulatedEvents, simulate_events_to_file
from .jets import JetDefinition, find_constituents, find_jets
from .kernels import Kernels
from .presets import PRESETS, preset
from .processes import PROCESSES, Collisions, ScaleVariation, collisions, scale_band
from .pythia import collide, cross_section
from .run import Simulated, simulate_to_file
from .setup import Physics, Setup
from .shower_weights import shower_scores, shower_weights
from .tables import Tables, find_tables
from .toyshower import PartonShower, shower

__all__ = [
    "EVENT_SIMULATIONS",
    "PRESETS",
    "PROCESSES",
    "Beam",
    "BuiltIn",
    "Calorimeter",
    "Cells",
    "Collisions",
    "Detector",
    "EventSimulation",
    "Grid",
    "JetDefinition",
    "Kernels",
    "PartonShower",
    "Physics",
    "Ring",
    "Rings",
    "ScaleVariation",
    "Setup",
    "Simulated",
    "SimulatedEvents",
    "Slab",
    "Stack",
    "Tables",
    "collide",
    "collisions",
    "cross_section",
    "event_simulation",
    "find_constituents",
    "find_jets",
    "find_tables",
    "make",
    "preset",
    "respond",
    "scale_band",
    "shower",
    "shower_scores",
    "shower_weights",
    "simulate_events_to_file",
    "simulate_to_file",
]
