"""Step 9, export: a trained generator in, a bundle out that runs without torch, and its verifier.

Assumes a generator of voxels whose noise is an argument; all it does between noise and energies
becomes one graph.
"""

from .bundle import write_bundle
from .exported import Exported
from .family import refuse_unexportable
from .golden import Golden, golden_of
from .graph import DrawingGraph, onnx_graph, single_shower
from .judging import judged
from .presets import PRESETS
from .questions import Check
from .targets import TARGETS
from .verify import client_of, verify_bundle

__all__ = [
    "PRESETS",
    "TARGETS",
    "Check",
    "DrawingGraph",
    "Exported",
    "Golden",
    "client_of",
    "golden_of",
    "judged",
    "onnx_graph",
    "refuse_unexportable",
    "single_shower",
    "verify_bundle",
    "write_bundle",
]
