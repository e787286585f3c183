"""The folder of an exported model: what it must hold, and what of it is believed."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import ArtifactError
from ..random import NOISE_LAW

__all__ = [
    "BATCH",
    "GOLDEN",
    "KIND",
    "MANIFEST",
    "README",
    "SCHEMA",
    "SINGLE",
    "WEIGHTS",
    "Condition",
    "Manifest",
    "digest_of",
    "read_manifest",
    "verified_bytes",
]

SCHEMA = 1
"""Version of the bundle's layout; a newer one is refused."""

KIND = "simulacra-bundle"
"""What the manifest of every bundle says it is."""

MANIFEST, README, GOLDEN = "manifest.json", "README.md", "golden.npz"
SINGLE, BATCH = "model.onnx", "model_batch.onnx"
WEIGHTS = "weights.safetensors"

_MIB = 2**20
_LARGEST = {".npz": 512, ".onnx": 2047, ".pt": 2047, ".safetensors": 2047, ".h5": 64}
"""MiB that a file of this kind can have; any other has one."""

_CHECKED = (SINGLE, BATCH, GOLDEN, README, WEIGHTS)
_MOST_FILES, _DEEPEST = 32, 4
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,99}")
_MOST_NUMBERS = 10**7  # noise or voxels of one shower


@dataclass(frozen=True)
class Condition:
    """One column of what a shower depends on.

    Args:
        name: such as ``incident_energy`` or ``theta``.
        unit: MeV, mm, rad; empty for numbers of particles.
        trained: smallest and largest value of the training data.
        accepted: smallest and largest value that is not refused; the graph clamps to these.
        values: the numbers it can have, for particles; empty for all between.
    """

    name: str
    unit: str
    trained: tuple[float, float]
    accepted: tuple[float, float]
    values: tuple[float, ...] = ()


@dataclass(frozen=True)
class Manifest:
    """What a bundle says about itself, checked.

    Args:
        name: of the model.
        conditions: columns of the input ``condition``, in order.
        noise_size: columns of the input ``noise``, standard normal.
        voxels: columns of the output, energies in MeV.
        threshold: readout threshold in MeV; voxels are 0 or above it.
        target: the program that the bundle was exported for.
        onnxruntime: the oldest version that reads the graphs.
        raw: the whole manifest as plain data.
    """

    name: str
    conditions: tuple[Condition, ...]
    noise_size: int
    voxels: int
    threshold: float
    target: str
    onnxruntime: str
    raw: Mapping[str, Any]


def read_manifest(folder: Path | str) -> Manifest:
    """Read and check what a bundle says about itself; no other file is opened.

    Raises:
        ArtifactError: if the folder is no bundle, was changed, is of a newer schema or of another
            noise law, or names files outside of it.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ArtifactError(
            f"{folder}: expected the folder of an exported model, found none there."
        )
    content = _bytes_of(folder, MANIFEST)
    try:
        raw = json.loads(content)
    except (ValueError, RecursionError):  # also text that is no UTF-8
        raise ArtifactError(
            f"{folder / MANIFEST}: is not JSON; the bundle was damaged or cut off."
        ) from None
    if not isinstance(raw, dict) or raw.get("kind") != KIND:
        raise ArtifactError(
            f"{folder}: expected a bundle of `simulacra export`, found the manifest of something "
            "else; a trained model becomes a bundle by `simulacra export MODEL --out BUNDLE`."
        )
    schema = raw.get("schema")
    if schema != SCHEMA:
        newer = isinstance(schema, int) and schema > SCHEMA
        remedy = "Install a newer simulacra." if newer else "Export the model again."
        raise ArtifactError(f"{folder}: expected schema {SCHEMA}, found {schema!r}. {remedy}")
    if digest_of(raw) != raw.get("digest"):
        raise ArtifactError(f"{folder / MANIFEST}: was changed after it was written; refused.")
    try:
        manifest = _manifest(raw)
        files = {str(name): str(digest) for name, digest in raw["files"].items()}
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        reason = f"{type(error).__name__}: {error}".rstrip(".")
        raise ArtifactError(
            f"{folder / MANIFEST}: does not describe a bundle ({reason}); export the model again."
        ) from None
    _refuse_strange_files(files, manifest.target, folder / MANIFEST)
    law = raw["noise"]["law"]
    if law != NOISE_LAW:
        raise ArtifactError(
            f"{folder}: expected the noise law {NOISE_LAW!r}, found {law!r}; this version of "
            "simulacra would draw other showers. Install the one that wrote the bundle, "
            f"{raw.get('versions', {}).get('simulacra', 'unknown')!r}."
        )
    return manifest


def verified_bytes(folder: Path | str, manifest: Manifest, name: str) -> bytes:
    """Return a file's bytes, read once and compared with their digest.

    Args:
        folder: the bundle.
        manifest: as :func:`read_manifest` returns it.
        name: of a file whose digest the manifest has.

    Raises:
        ArtifactError: if it is missing, a link, too large or changed.
    """
    content = _bytes_of(Path(folder), name)
    if hashlib.sha256(content).hexdigest() != manifest.raw["files"][name]:
        raise ArtifactError(f"{Path(folder) / name}: was changed after it was written; refused.")
    return content


def digest_of(raw: Mapping[str, Any]) -> str:
    """Return the digest of a manifest without its own entry."""
    content = {name: value for name, value in raw.items() if name != "digest"}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _refuse_strange_files(files: Iterable[str], target: str, path: Path) -> None:
    """Refuse a list that lacks a file, or names one outside the folder or of another target."""
    missing = set(_CHECKED) - set(files)
    further = sorted(set(files) - set(_CHECKED))
    strange = [name for name in further if not _belongs(name, target)]
    if missing or strange or len(further) > _MOST_FILES:
        found = ", ".join(map(repr, [*sorted(missing), *strange])) or f"{len(further)} more"
        raise ArtifactError(
            f"{path}: expected digests of {', '.join(_CHECKED)} and of files in the folder "
            f"{target!r} alone, found a difference in {found}; refused."
        )


def _belongs(name: str, target: str) -> bool:
    first, *rest = name.split("/")
    plain = all(_NAME.fullmatch(part) for part in (first, *rest))
    return plain and first == target and 0 < len(rest) < _DEEPEST


def _bytes_of(folder: Path, name: str) -> bytes:
    path = folder / name
    above = path
    while above != folder:
        if above.is_symlink():
            raise ArtifactError(
                f"{above}: is a link; a bundle holds its files itself, nothing else is read."
            )
        above = above.parent
    if not path.is_file():
        raise ArtifactError(f"{path}: missing; the bundle is incomplete.")
    size, most = path.stat().st_size, _LARGEST.get(path.suffix, 1) * _MIB
    if size > most:
        raise ArtifactError(
            f"{path}: holds {size} bytes, expected at most {most}; this is no file of a bundle."
        )
    with path.open("rb") as file:
        return file.read(most)


def _manifest(raw: Mapping[str, Any]) -> Manifest:
    conditions = tuple(_condition(one) for one in raw["conditions"])
    if not conditions or conditions[0].name != "incident_energy":
        raise ValueError("the first condition must be incident_energy")
    return Manifest(
        name=str(raw["name"]),
        conditions=conditions,
        noise_size=_size(raw["noise"]["size"]),
        voxels=_size(raw["output"]["voxels"]),
        threshold=_number(raw["output"]["threshold_mev"]),
        target=str(raw["target"]),
        onnxruntime=str(raw["requires"]["onnxruntime"]),
        raw=raw,
    )


def _condition(raw: Mapping[str, Any]) -> Condition:
    low, high = map(_number, raw["trained"])
    lowest, highest = map(_number, raw["accepted"])
    values = tuple(map(_number, raw.get("values", ())))
    return Condition(str(raw["name"]), str(raw["unit"]), (low, high), (lowest, highest), values)


def _size(value: Any) -> int:
    if not isinstance(value, int) or not 0 < value <= _MOST_NUMBERS:
        raise ValueError(f"expected a size from 1 to {_MOST_NUMBERS}, found {value!r}")
    return value


def _number(value: Any) -> float:
    if not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"expected a number, found {value!r}")
    return float(value)
