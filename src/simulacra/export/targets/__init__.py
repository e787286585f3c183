"""Who runs a bundle: for each program its own files, and a player that does what its C++ does."""

from ...errors import UnknownNameError
from .contract import Opened, Part, Target
from .ddml import Ddml
from .fastcalosim import FastCaloSim
from .par04 import Par04
from .python import Python
from .triton import Triton

__all__ = ["TARGETS", "Opened", "Part", "Target", "target_named"]

TARGETS: dict[str, Target] = {
    one.name: one for one in (Par04(), Ddml(), FastCaloSim(), Triton(), Python())
}
"""The targets by name."""


def target_named(name: str) -> Target:
    """Return a target by name.

    Raises:
        UnknownNameError: if there is none.
    """
    if name not in TARGETS:
        raise UnknownNameError("target", name, TARGETS)
    return TARGETS[name]
