"""Generative surrogates in collider physics: train, sample, judge and ship shower generators.

The names that a user types first are here; each is imported when it is used, so that
``import simulacra`` loads neither torch nor matplotlib.

Example:
    >>> import simulacra
    >>> simulacra.open_showers(simulacra.embedded("photons-test")).events
    3200
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .data import VoxelShowers, embedded, open_showers, read_showers
    from .evaluation import evaluate
    from .tasks.calorimeter import Surrogate

__version__ = "0.1.0"
__all__ = [
    "Surrogate",
    "VoxelShowers",
    "__version__",
    "embedded",
    "evaluate",
    "load",
    "open_showers",
    "read_showers",
]

_HOME = {
    "Surrogate": "tasks.calorimeter",
    "VoxelShowers": "data",
    "embedded": "data",
    "evaluate": "evaluation",
    "open_showers": "data",
    "read_showers": "data",
}


def load(model: Path | str) -> Surrogate:
    """Load a trained surrogate.

    Args:
        model: its folder, or the name of a model that ships with the package.

    Raises:
        UnknownNameError: if it is neither.
        ArtifactError: if the folder is incomplete, changed or of another version.
    """
    from .tasks.calorimeter import Surrogate, find_model

    return Surrogate.load(find_model(model))


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOME[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
