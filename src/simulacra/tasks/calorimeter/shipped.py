"""The models that come with the package."""

from __future__ import annotations

from pathlib import Path

from ...artifact import load_artifact
from ...errors import UnknownNameError

__all__ = ["find_model", "manifests", "shipped_models"]

_FOLDER = Path(__file__).parents[2] / "models"


def shipped_models() -> dict[str, Path]:
    """Return the folders of the models that come with the package, by name."""
    return {path.parent.name: path.parent for path in sorted(_FOLDER.glob("*/manifest.json"))}


def find_model(model: str | Path) -> Path:
    """Return the folder of a model that is given by its folder or by a shipped model's name.

    Raises:
        UnknownNameError: if it is neither.
    """
    shipped = shipped_models()
    if str(model) in shipped:
        return shipped[str(model)]
    if Path(model).is_dir():
        return Path(model)
    raise UnknownNameError("model (folder or shipped model)", str(model), shipped)


def manifests() -> list[dict[str, object]]:
    """Return the manifests of the shipped models, checked."""
    return [dict(load_artifact(folder).manifest) for folder in shipped_models().values()]
