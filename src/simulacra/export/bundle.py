"""Write the bundle of a generator: graphs, proof, manifest, and how to run it."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save

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
    WEIGHTS,
    digest_of,
    read_manifest,
)
from ..deploy.runtime import DeployedModel
from ..errors import OutputError, SimulacraError
from ..execute import atomic_path, require_writable
from ..random import NOISE_LAW
from .exported import Exported, Material
from .family import refuse_unexportable
from .golden import Difference, Golden, Tolerance, difference, golden_of, tolerance_of
from .graph import DrawingGraph, onnx_graph, require_exporter, single_shower
from .lowering import lowered
from .presets import Preset, preset_named
from .readme import readme
from .targets import Target, target_named

__all__ = ["write_bundle"]


def write_bundle(
    folder: Path | str,
    exported: Exported,
    *,
    target: str = "python",
    preset: str = "current",
    stage: Callable[[str], None] | None = None,
) -> Manifest:
    """Convert, compare with torch, and write a folder that appears whole or not at all.

    Args:
        folder: its name; nothing must stand there.
        exported: what becomes a bundle.
        target: the program that runs it, one of :data:`TARGETS`.
        preset: versions of the graphs, one of :data:`PRESETS`.
        stage: called with a sentence when another stage begins.

    Raises:
        ConfigError: if generators of this family do not become a graph, or the target cannot run
            this one.
        UnknownNameError: if there is no such target or preset.
        DependencyError: if onnx, onnxscript or onnxruntime are not installed.
        OutputError: if something stands under that name, or it cannot be written.
        SimulacraError: if the graph does not do what torch does.
    """
    folder, say = Path(folder), stage or (lambda _: None)
    client, versions = target_named(target), preset_named(preset)
    refuse_unexportable(exported.model)
    client.refuse(exported)
    require_exporter()
    if folder.exists() or folder.is_symlink():
        raise OutputError(f"{folder}: stands there already; remove it or choose another name.")
    require_writable(folder.parent)
    graph = DrawingGraph(exported.model, exported.conditions, exported.geometry.threshold)
    say("drawing golden showers in float32 and float64")
    golden, own = golden_of(graph, exported.model.noise_size)
    say("converting the generator to ONNX; minutes for many steps of a solver")
    inputs = (torch.from_numpy(golden.noise[:3]), torch.from_numpy(golden.condition[:3]))
    batch = lowered(onnx_graph(graph, *inputs), versions)
    tolerance = tolerance_of(own)
    files = {BATCH: batch, SINGLE: single_shower(batch), GOLDEN: golden.packed()}
    files[WEIGHTS] = _weights(graph)
    raw = {**_raw(exported, golden, own, tolerance), **_made_for(client, versions)}
    say(f"writing the files of {client.name}")
    files |= client.files(Material(exported, graph, files[SINGLE], batch, raw))
    files[README] = readme(raw, client.how(raw)).encode()
    raw["files"] = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    raw["digest"] = digest_of(raw)
    say("comparing with torch, writing")
    with atomic_path(folder) as temporary:
        temporary.mkdir()
        for name, content in files.items():
            (temporary / name).parent.mkdir(parents=True, exist_ok=True)
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


def _made_for(client: Target, preset: Preset) -> dict[str, Any]:
    versions = {"onnxruntime": preset.onnxruntime, "opset": preset.opset, "ir": preset.ir}
    return {"target": client.name, "requires": {"preset": preset.name, **versions}}


def _weights(graph: DrawingGraph) -> bytes:
    """Return parameters and preprocessing constants, as the graph uses them."""
    state = graph.model.state_dict()
    content: bytes = save({name: one.contiguous().clone() for name, one in state.items()})
    return content


def _raw(exported: Exported, golden: Golden, own: Difference, limit: Tolerance) -> dict[str, Any]:
    where = exported.geometry
    totals = golden.expected.sum(axis=1, dtype=np.float64) / golden.condition[:, 0]
    return {
        "kind": KIND,
        "schema": SCHEMA,
        "name": exported.name,
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
