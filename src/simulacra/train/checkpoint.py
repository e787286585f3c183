"""Checkpoints from which an interrupted training goes on as if nothing had happened."""

from __future__ import annotations

import hashlib
import io
import json
import pickle
from pathlib import Path
from typing import Any

import torch

from ..errors import ArtifactError
from ..execute import atomic_path

__all__ = ["identity", "load_checkpoint", "save_checkpoint"]


def identity(**parts: Any) -> str:
    """Return a digest of what must be equal for two runs to be the same training."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def save_checkpoint(path: Path, run: str, state: dict[str, Any]) -> None:
    """Write a checkpoint that appears whole or not at all.

    Args:
        path: the file.
        run: identity of the training.
        state: tensors, numbers, strings, and lists and dicts of them.

    Raises:
        OutputError: if it cannot be written.
    """
    content = io.BytesIO()  # torch itself does not say that a disk is full
    torch.save({"run": run, **state}, content)
    with atomic_path(path) as temporary:
        temporary.write_bytes(content.getbuffer())


def load_checkpoint(path: Path, run: str) -> dict[str, Any]:
    """Read a checkpoint of the same training; only plain tensors and numbers are accepted.

    Raises:
        ArtifactError: if the file is damaged, or belongs to other settings, data or seed.
    """
    try:
        state: dict[str, Any] = torch.load(path, weights_only=True, map_location="cpu")
    except (OSError, RuntimeError, pickle.UnpicklingError, EOFError) as error:
        raise ArtifactError(
            f"{path}: cannot be read as a checkpoint ({type(error).__name__}); remove it to start "
            "again."
        ) from None
    if state.pop("run", None) != run:
        raise ArtifactError(
            f"{path}: belongs to a training with other settings, data or seed; resume with the "
            "same ones or choose another folder."
        )
    return state
