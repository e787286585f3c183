"""Step 9b, deployment: a bundle in, showers out, with numpy and onnxruntime and no torch.

Assumes a bundle of ``simulacra export``. Nothing of it is trusted: no file is read that is a link,
lies outside its folder, is larger than its kind can be, or differs from its digest.
"""

from .bundle import Condition, Manifest, read_manifest, verified_bytes
from .graph import GraphFacts, graph_facts
from .runtime import DeployedModel, load

__all__ = [
    "Condition",
    "DeployedModel",
    "GraphFacts",
    "Manifest",
    "graph_facts",
    "load",
    "read_manifest",
    "verified_bytes",
]
