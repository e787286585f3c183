"""Step 5a, generators: learn p(x | condition) and draw from it."""

from .cascade import CascadeConfig, ShowerCascade, ShowerLayout
from .device import require_device
from .flow_matching import FlowMatching, FlowMatchingConfig
from .model import GenerativeModel, initialised
from .tiles import Drawing, draw

__all__ = [
    "CascadeConfig",
    "Drawing",
    "FlowMatching",
    "FlowMatchingConfig",
    "GenerativeModel",
    "ShowerCascade",
    "ShowerLayout",
    "draw",
    "initialised",
    "require_device",
]
