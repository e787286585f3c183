"""What an entry of a contest was made with, so that nothing else passes for it later."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...artifact import load_artifact
from .problem import SurrogateConfig

__all__ = ["Conditions", "conditions_of", "differences", "digest_of_model"]

Conditions = dict[str, Any]
"""Words to plain values: what must be the same for an entry to be the same."""


def conditions_of(
    config: SurrogateConfig,
    *,
    showers: Mapping[str, str],
    minutes: float,
    threads: int,
    model: Path | None,
    teacher: Path | None,
) -> Conditions:
    """Return what an entry is made with.

    Args:
        config: its recipe.
        showers: digests of the training file and of the reference, by those words.
        minutes: wall time of the training's epochs; not of a model that is trained already.
        threads: of training, sampling and judging.
        model: a model that is trained already.
        teacher: the model that it learns from, if that is there yet.
    """
    settings = json.dumps(config.to_dict(), sort_keys=True)
    return {
        "recipe": hashlib.sha256(settings.encode()).hexdigest(),
        **showers,
        "budget in minutes": None if model else minutes,
        "number of threads": threads,
        "model": None if model is None else digest_of_model(model),
        "teacher": None if teacher is None else digest_of_model(teacher),
    }


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Return in words what is not as it was; a teacher that is not there (yet) is no difference."""
    found = []
    for name, value in now.items():
        old = before.get(name)
        if old == value or (name == "teacher" and None in (old, value)):
            continue
        shown = isinstance(value, int | float) and isinstance(old, int | float)
        found.append(f"another {name}" + (f" ({old:g}, now {value:g})" if shown else ""))
    return found


def digest_of_model(folder: Path) -> str:
    """Return the digest of a trained model."""
    return str(load_artifact(folder).manifest["digest"])
