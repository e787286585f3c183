"""Write the bundle of a generator: graphs, proof, manifest, and how to run it."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from .. import __version__
from ..data import Geometry
from ..deploy import Condition, Manifest
from ..deploy.bundle import (
    BATCH,
    GOLDEN,
    KIND,
    MANIFEST,
    README,
    SCHEMA,
    SINGLE,
    digest_of,
    read_manifest,
)
from ..deploy.runtime import DeployedModel
from ..errors import OutputError, SimulacraError
from ..execute import atomic_path, require_writable
from ..generative import GenerativeModel
from ..random import NOISE_LAW
from .family import refuse_unexportable
from .golden import Difference, Golden, Tolerance, difference, golden_of, tolerance_of
from .graph import IR, OPSET, DrawingGraph, onnx_graph, require_exporter, single_shower
from .readme import readme

__all__ = ["Exported", "write_bundle"]

_ONNXRUNTIME = "1.14"  # the first that reads operators 18 and files 8


@dataclass(frozen=True, eq=False)
class Exported:
    """What becomes a bundle.

    Args:
        name: of the model.
        model: the generator.
        geometry: the detector of its voxels.
        conditions: what a shower depends on, in the generator's order.
        provenance: plain data that are handed on: ``training``, ``scores``, ``licence``, digest of
            the model and so on.
    """

    name: str
    model: GenerativeModel
    geometry: Geometry
    conditions: tuple[Condition, ...]
    provenance: Mapping[str, Any]


def write_bundle(
    folder: Path | str, exported: Exported, *, stage: Callable[[str], None] | None = None
) -> Manifest:
    """Convert, compare with torch, and write a folder that appears whole or not at all.

    Args:
        folder: its name; nothing must stand there.
        exported: what becomes a bundle.
        stage: called with a sentence when another stage begins.

    Raises:
        ConfigError: if generators of this family do not become a graph.
        DependencyError: if onnx, onnxscript or onnxruntime are not installed.
        OutputError: if something stands under that name, or it cannot be written.
        SimulacraError: if the graph does not do what torch does.
    """
    folder, say = Path(folder), stage or (lambda _: None)
    refuse_unexportable(exported.model)
    require_exporter()
    if folder.exists() or folder.is_symlink():
        raise OutputError(f"{folder}: stands there already; remove it or choose another name.")
    require_writable(folder.parent)
    graph = DrawingGraph(exported.model, exported.conditions, exported.geometry.threshold)
    say("drawing golden showers in float32 and float64")
    golden, own = golden_of(graph, exported.model.noise_size)
    say("converting the generator to ONNX; minutes for many steps of a solver")
    inputs = (torch.from_numpy(golden.noise[:3]), torch.from_numpy(golden.condition[:3]))
    batch = onnx_graph(graph, *inputs)
    tolerance = tolerance_of(own)
    files = {BATCH: batch, SINGLE: single_shower(batch), GOLDEN: golden.packed()}
    raw = _raw(exported, golden, own, tolerance)
    files[README] = readme(raw).encode()
    raw["files"] = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    raw["digest"] = digest_of(raw)
    say("comparing with torch, writing")
    with atomic_path(folder) as temporary:
        temporary.mkdir()
        for name, content in files.items():
            (temporary / name).write_bytes(content)
        (temporary / MANIFEST).write_text(json.dumps(raw, indent=1) + "\n", encoding="utf-8")
        _refuse_another_result(temporary, golden, tolerance)
    return read_manifest(folder)


def _refuse_another_result(folder: Path, golden: Golden, tolerance: Tolerance) -> None:
    """Run what was written on the golden showers."""
    deployed = DeployedModel(folder, read_manifest(folder))
    batch = difference(deployed.run(golden.noise, golden.condition), golden.expected)
    one = difference(deployed.run(golden.noise[:1], golden.condition[:1]), golden.expected[:1])
    for name, found in ((BATCH, batch), (SINGLE, one)):
        if not tolerance.allows(found):
            raise SimulacraError(
                f"export: {name} does not draw what torch draws: {found}; allowed are "
                f"{tolerance.median:.1e} and {tolerance.tail:.1e}. Nothing was written; this is a "
                "fault of the conversion, please report it with the model's configuration."
            )


def _raw(exported: Exported, golden: Golden, own: Difference, limit: Tolerance) -> dict[str, Any]:
    where = exported.geometry
    totals = golden.expected.sum(axis=1, dtype=np.float64) / golden.condition[:, 0]
    return {
        "kind": KIND,
        "schema": SCHEMA,
        "name": exported.name,
        "target": "python",
        "requires": {"onnxruntime": _ONNXRUNTIME, "opset": OPSET, "ir": IR},
        "noise": {
            "input": "noise",
            "law": NOISE_LAW,
            "distribution": "standard normal, float32",
            "size": exported.model.noise_size,
        },
        "conditions": [_plain_condition(one) for one in exported.conditions],
        "output": {
            "name": "energies",
            "unit": "MeV",
            "voxels": where.voxels,
            "threshold_mev": where.threshold,
            "order": _order(where),
            "layers": [list(layer.shape) for layer in where.layers],
            "mesh": list(where.shape) if where.regular else None,
        },
        "geometry": {**where.to_dict(), "digest": where.digest},
        "golden": {
            "events": len(golden.noise),
            "response": [float(totals.min()), float(totals.max())],
            "float32_from_float64": asdict(own),
            "tolerance": asdict(limit),
        },
        "versions": {
            "simulacra": __version__,
            "torch": torch.__version__,
            **_versions("onnx", "onnxscript", "onnxruntime"),
        },
        **exported.provenance,
    }


def _plain_condition(one: Condition) -> dict[str, Any]:
    return {
        "name": one.name,
        "unit": one.unit,
        "trained": list(one.trained),
        "accepted": list(one.accepted),
        "values": list(one.values),
    }


def _order(where: Geometry) -> str:
    if where.rectangular:
        return "layer slowest, then x, then y fastest"
    return "layer slowest, then angle from -pi, then radius fastest"


def _versions(*packages: str) -> dict[str, str]:
    from importlib.metadata import PackageNotFoundError, version

    found = {}
    for package in packages:
        with contextlib.suppress(PackageNotFoundError):
            found[package] = version(package)
    return found
