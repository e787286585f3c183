"""Every exception: what was expected, what was found, the likely cause, the remedy."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

__all__ = [
    "ArtifactError",
    "ConfigError",
    "DependencyError",
    "FileFormatError",
    "OutputError",
    "OverlapError",
    "RangeError",
    "ShapeError",
    "SimulacraError",
    "SimulationError",
    "StoppedError",
    "UnitError",
    "UnknownFieldError",
    "UnknownNameError",
    "WorkforceError",
    "suggestion",
]


class SimulacraError(Exception):
    """Base of every error that a user can cause; its text is one complete message."""


class RangeError(SimulacraError, ValueError):
    """A number lies outside the range where the formula, the file or the model holds."""


class ShapeError(SimulacraError, ValueError):
    """An array has the wrong shape for its geometry or its partner array."""


class UnitError(SimulacraError, ValueError):
    """Numbers look as if they were in another unit than the one the format asks for."""


class FileFormatError(SimulacraError, ValueError):
    """A file is not what its name or its reader promises."""


class OutputError(SimulacraError, OSError):
    """A result cannot be written; nothing is left under the final name."""


class OverlapError(SimulacraError, ValueError):
    """A model would be judged on events that it was trained on."""


class ArtifactError(SimulacraError, ValueError):
    """A trained model's folder is incomplete, changed or of an unknown version."""


class ConfigError(SimulacraError, ValueError):
    """A configuration is not plain data or holds a value that its field refuses."""


class DependencyError(SimulacraError, ImportError):
    """An optional package is needed for this and is not installed."""


class WorkforceError(SimulacraError, RuntimeError):
    """Workers on this machine or on a cluster died or no longer answer."""


class SimulationError(SimulacraError, RuntimeError):
    """A program that simulates stopped, or its workers were lost."""


class StoppedError(SimulacraError, RuntimeError):
    """Long work was asked to stop; what it had done is saved, and it can go on from there."""


class UnknownNameError(SimulacraError, LookupError):
    """A name (recipe, geometry, data set, model, format) that nobody registered."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        known = sorted(known)
        super().__init__(
            f"there is no {kind} {name!r}.{suggestion(name, known)} "
            f"Known: {', '.join(known) or 'none'}."
        )


class UnknownFieldError(ConfigError, TypeError):
    """A configuration names a field that does not exist."""

    def __init__(self, owner: str, name: str, known: Iterable[str]) -> None:
        known = sorted(known)
        super().__init__(
            f"`{owner}` has no field `{name}`.{suggestion(name, known)} It has: {', '.join(known)}."
        )


def suggestion(name: str, known: Iterable[str]) -> str:
    """Return `` Did you mean `x`?`` for the closest known name, or an empty string."""
    near = get_close_matches(name, list(known), n=1)
    return f" Did you mean `{near[0]}`?" if near else ""
