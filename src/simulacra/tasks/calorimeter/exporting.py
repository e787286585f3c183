"""A trained surrogate becomes a bundle, and a bundle is held against its surrogate."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...conditions import accepted_range
from ...deploy import Condition, Manifest, load, read_manifest
from ...errors import ArtifactError
from ...export import Check, Exported, client_of, judged, verify_bundle, write_bundle
from .surrogate import Surrogate

__all__ = ["export", "verify"]

_UNITS = {"incident_energy": "MeV", "theta": "rad", "phi": "rad", "x": "mm", "y": "mm"}


def export(
    surrogate: Surrogate,
    folder: Path | str,
    *,
    target: str = "python",
    preset: str = "current",
    stage: Callable[[str], None] | None = None,
) -> Manifest:
    """Write a surrogate as a bundle that runs without torch.

    Args:
        surrogate: a trained one.
        folder: the bundle; nothing must stand there.
        target: the program that runs it, see :data:`~simulacra.export.TARGETS`.
        preset: versions of the graphs, see :data:`~simulacra.export.PRESETS`.
        stage: called with a sentence when another stage begins.

    Raises:
        ConfigError: if generators of this family do not become a graph, or the target cannot run
            this one.
        UnknownNameError: if there is no such target or preset.
        DependencyError: if onnx, onnxscript or onnxruntime are not installed.
        OutputError: if something stands under that name, or it cannot be written.
        SimulacraError: if the graph does not do what torch does.
    """
    manifest = surrogate.manifest
    handed_on = {
        name: manifest[name] for name in ("summary", "licence", "scores") if name in manifest
    }
    training = {name: manifest["training"][name] for name in ("file", "sha256", "events")}
    told = manifest["training"].get("provenance", {})
    provenance = {
        **handed_on,
        "training": training,
        "sampling_fraction": told.get("sampling_fraction"),
        "particle": manifest["validity"]["particle"],
        "model": {"digest": manifest.get("digest", "not saved"), "config": manifest["config"]},
    }
    exported = Exported(
        name=surrogate.config.name,
        model=surrogate.model,
        geometry=surrogate.geometry,
        conditions=_conditions(surrogate),
        provenance=provenance,
    )
    return write_bundle(folder, exported, target=target, preset=preset, stage=stage)


def verify(
    folder: Path | str, *, model: Surrogate | None = None, target: str = "", trust: bool = False
) -> list[Check]:
    """Ask a bundle every question, with its model also whether it draws the same showers.

    Args:
        folder: the bundle.
        model: the surrogate that it was exported from; 1000 showers of the client are then
            compared with 1000 of it by the judge's quick suite.
        target: the program that is played, by default that of the bundle.
        trust: whether files that can run code may be loaded (TorchScript).

    Raises:
        ArtifactError: if the folder is no bundle, cannot be believed, or is that of another model
            or target.
        DependencyError: if onnxruntime is not installed or too old.
        UnknownNameError: if there is no such target.
    """
    if model is None:
        return verify_bundle(folder, target=target, trust=trust)
    raw = read_manifest(folder).raw
    told, own = raw.get("model", {}).get("digest"), model.manifest.get("digest", "not saved")
    if told != own:
        raise ArtifactError(
            f"{folder}: was exported from the model {str(told)[:12]!r}, not from this one, "
            f"{str(own)[:12]!r}; give the folder of that model, or none."
        )

    def reference(table: NDArray[Any], seed: int) -> NDArray[Any]:
        further: dict[str, ArrayLike] = {
            name: table[:, i] for i, name in enumerate(model.config.conditions, 1)
        }
        drawn = model.sample(table[:, 0], further, seed=seed).energies
        return np.where(drawn < 0.999 * model.geometry.threshold, np.float32(0), drawn)

    checks = verify_bundle(folder, target=target, trust=trust, against=reference)
    if all(check.passed for check in checks):
        checks.append(judged(load(folder), client_of(folder, target=target), reference))
    return checks


def _conditions(surrogate: Surrogate) -> tuple[Condition, ...]:
    """Return the columns with the ranges that :meth:`Surrogate.refuse_outside` accepts."""
    validity = surrogate.manifest["validity"]
    found = []
    for name, (low, high) in validity["ranges"].items():
        values = tuple(map(float, validity.get("particles", ()))) if name == "pdg" else ()
        accepted = accepted_range(name, low, high)
        found.append(Condition(name, _UNITS.get(name, ""), (low, high), accepted, values))
    return tuple(found)
