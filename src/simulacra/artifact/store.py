"""Save, load and verify the folder of a trained thing."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file
from torch import Tensor

from ..errors import ArtifactError
from ..execute import atomic_path
from .card import card

__all__ = ["SCHEMA", "TRAINING", "Artifact", "load_artifact", "refuse_foreign", "save_artifact"]

SCHEMA = 1
"""Version of the folder's layout; a newer one is refused."""

TRAINING = "training"
"""Folder of log and checkpoint inside a model's folder; no part of the model."""

_WEIGHTS, _EVENTS, _MANIFEST, _CARD = (
    "weights.safetensors",
    "events.safetensors",
    "manifest.json",
    "card.md",
)


@dataclass(frozen=True, eq=False)
class Artifact:
    """What a folder holds.

    Args:
        manifest: plain data: configuration, geometry, validity range, data digests, noise law,
            scores. Keys that start with ``files`` and ``digest`` are written by the store.
        weights: parameters and preprocessing constants by name.
        event_keys: 64-bit digest of every event that training saw, ``(events,)``.
    """

    manifest: Mapping[str, Any]
    weights: Mapping[str, Tensor]
    event_keys: NDArray[np.uint64]


def save_artifact(folder: Path | str, artifact: Artifact, *, half_precision: bool = False) -> Path:
    """Write the folder; it appears whole or not at all.

    Args:
        folder: its final name; must not exist, or be an earlier artefact, which is replaced.
        artifact: what to write.
        half_precision: store network parameters in float16; constants stay as they are.

    Raises:
        ArtifactError: if something else stands under that name.
        OutputError: if it cannot be written.
    """
    folder = Path(folder)
    refuse_foreign(folder)
    with contextlib.ExitStack() as stack:  # all are written first, then moved, the manifest last
        paths = {
            name: stack.enter_context(atomic_path(folder / name))
            for name in (_MANIFEST, _CARD, _EVENTS, _WEIGHTS)
        }
        save_file(_stored(artifact.weights, half_precision), paths[_WEIGHTS])
        save_file({"keys": np.sort(artifact.event_keys).view(np.uint8)}, paths[_EVENTS])
        for name in (_WEIGHTS, _EVENTS):
            paths[name].chmod(0o644)  # the library writes files that only their owner may read
        files = {name: _sha256(paths[name]) for name in (_WEIGHTS, _EVENTS)}
        manifest = {**artifact.manifest, "schema": SCHEMA, "files": files}
        manifest["digest"] = _digest(manifest)
        paths[_CARD].write_text(card(manifest), encoding="utf-8")
        paths[_MANIFEST].write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
    return folder


def refuse_foreign(folder: Path) -> None:
    """Refuse a folder that holds anything but a model or its training's log and checkpoint.

    Raises:
        ArtifactError: if something else stands under that name.
    """
    if folder.exists() and not folder.is_dir():
        raise ArtifactError(f"{folder}: is a file; a model is a folder. Choose another name.")
    if not folder.exists() or (folder / _MANIFEST).exists():
        return
    others = sorted(path.name for path in folder.iterdir() if path.name != TRAINING)
    if others:
        raise ArtifactError(
            f"{folder}: exists and is not a model's folder (it holds {others[0]!r}); choose "
            "another name."
        )


def load_artifact(folder: Path | str) -> Artifact:
    """Read a folder and check every byte of it against its manifest.

    Raises:
        ArtifactError: if a file is missing or changed, or the schema is newer than this package.
    """
    folder = Path(folder)
    manifest = _read_manifest(folder)
    if manifest.get("schema") != SCHEMA:
        raise ArtifactError(
            f"{folder}: expected schema {SCHEMA}, found {manifest.get('schema')!r}; the model was "
            "written by another version of simulacra."
        )
    if _digest(manifest) != manifest.get("digest"):
        raise ArtifactError(f"{folder / _MANIFEST}: was changed after it was written; refused.")
    for name, expected in manifest["files"].items():
        if name not in (_WEIGHTS, _EVENTS) or not (folder / name).is_file():
            raise ArtifactError(f"{folder / name}: missing; the model's folder is incomplete.")
        if _sha256(folder / name) != expected:
            raise ArtifactError(f"{folder / name}: was changed after it was written; refused.")
    try:
        weights = load_file(folder / _WEIGHTS)
        keys = load_file(folder / _EVENTS)["keys"]
    except (SafetensorError, KeyError, OSError) as error:
        raise ArtifactError(f"{folder}: cannot be read: {error}.") from None
    tensors = {name: torch.from_numpy(_float32(array)) for name, array in weights.items()}
    return Artifact(manifest, tensors, np.ascontiguousarray(keys).view(np.uint64))


def _read_manifest(folder: Path) -> dict[str, Any]:
    path = folder / _MANIFEST
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except OSError:
        raise ArtifactError(
            f"{folder}: expected the folder of a trained model, found no readable {_MANIFEST}."
        ) from None
    except (json.JSONDecodeError, UnicodeDecodeError):
        raise ArtifactError(f"{path}: is not JSON; the folder was damaged or cut off.") from None
    if not isinstance(manifest, dict) or not isinstance(manifest.get("files"), dict):
        raise ArtifactError(f"{path}: expected a model's manifest, found other JSON.")
    return manifest


def _stored(weights: Mapping[str, Tensor], half: bool) -> dict[str, NDArray[Any]]:
    arrays = {name: np.ascontiguousarray(t.detach().cpu().numpy()) for name, t in weights.items()}
    if not half:
        return arrays
    # preprocessing constants are few and exact; the networks' parameters and the covariances of
    # a copula are many and rounded
    return {
        name: array.astype(np.float16) if _rounded(name) and array.size > 64 else array
        for name, array in arrays.items()
    }


def _rounded(name: str) -> bool:
    return "network" in name or "copula" in name


def _float32(array: NDArray[Any]) -> NDArray[Any]:
    return array.astype(np.float32) if array.dtype == np.float16 else array


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _digest(manifest: Mapping[str, Any]) -> str:
    content = {name: value for name, value in manifest.items() if name != "digest"}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
