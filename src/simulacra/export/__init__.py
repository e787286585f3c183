"""Step 9, export: a trained generator in, a bundle out that runs without torch, and its verifier.

Assumes a generator of voxels whose noise is an argument; all it does between noise and energies
becomes one graph.
"""

from .bundle import Exported, write_bundle
from .family import refuse_unexportable
from .golden import Golden, golden_of
from .graph import DrawingGraph, onnx_graph, single_shower
from .verify import Check, verify_bundle

__all__ = [
    "Check",
    "DrawingGraph",
    "Exported",
    "Golden",
    "golden_of",
    "onnx_graph",
    "refuse_unexportable",
    "single_shower",
    "verify_bundle",
    "write_bundle",
]
