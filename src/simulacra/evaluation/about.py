"""What a user states about showers that somebody else generated: their time and their network."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import Field

from ..config import Config, load_yaml
from ..errors import ConfigError

__all__ = ["About", "load_about"]


class About(Config):
    """Facts about a generator that its file of showers does not tell."""

    name: str = ""
    """Name to show; empty for that of the file."""
    ms_per_shower: float = Field(0.0, ge=0)
    """Milliseconds per shower; 0 if unknown."""
    hardware: str = ""
    """What the time was taken on, for example ``A100`` or ``one core of EPYC 7402``."""
    batch: int = Field(0, ge=0)
    """Showers per batch of that time; 0 if unknown."""
    parameters_training: int = Field(0, ge=0)
    """Trained parameters, with everything that only training needs; 0 if unknown."""
    parameters_generation: int = Field(0, ge=0)
    """Parameters that sampling needs; 0 if unknown."""

    def timing(self) -> dict[str, Any]:
        """Return the stated time as a verdict's ``timing``; empty if none is stated."""
        if not self.ms_per_shower:
            return {}
        told = {"hardware": self.hardware, "batch": self.batch}
        return {
            "ms_per_shower": self.ms_per_shower,
            **{key: value for key, value in told.items() if value},
            "stated_by_hand": True,
        }

    def size(self) -> dict[str, int]:
        """Return the stated numbers of parameters as a verdict's ``size``."""
        told = {"training": self.parameters_training, "generation": self.parameters_generation}
        return {key: value for key, value in told.items() if value}


def load_about(path: Path, files: Sequence[Path]) -> list[About]:
    """Read what is stated about each of some files.

    For a single file the YAML file holds the fields of :class:`About`; for several it holds them
    under each file's name.

    Args:
        path: the YAML file.
        files: the generated files.

    Returns:
        One entry per file; an empty one for a file that is not named.

    Raises:
        ConfigError: if the file cannot be read, names a file that is not judged, or holds an
            unknown or a bad field.
    """
    raw = load_yaml(path)
    names = [file.name for file in files]
    if len(files) == 1 and not any(isinstance(value, dict) for value in raw.values()):
        return [About.from_dict(raw)]
    strangers = sorted(set(map(str, raw)) - set(names))
    if strangers:
        raise ConfigError(
            f"{path}: speaks about {strangers[0]!r}, which is not judged; expected the name of a "
            f"generated file ({', '.join(names)}) above its facts."
        )
    return [About.from_dict(raw.get(name) or {}) for name in names]
