"""``simulacra models``: what ships, what it is valid for, how good it is."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from ..units import GeV

__all__ = ["EXAMPLE", "models"]

_SCORES = {"auc/low_level": "AUC low", "auc/high_level": "AUC high"}

EXAMPLE = "**Example:** `simulacra models --json`"


def models(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the models that come with the package."""
    from ..tasks.calorimeter.shipped import manifests

    found = [_entry(manifest) for manifest in manifests()]
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False)
    for name in ("model", "geometry", *_SCORES.values(), "ms"):
        table.add_column(name, no_wrap=True)
    for entry in found:
        scores = {score["name"]: score for score in entry["scores"]}
        table.add_row(
            entry["name"],
            entry["geometry"],
            *(_score(scores.get(name)) for name in _SCORES),
            str(entry["timing"].get("normalised_ms_at_batch_1000", "")),
        )
    console = Console()
    console.print(table)
    for entry in found:
        valid = f"{entry['particle']}, {_ranges(entry['ranges'])}"
        console.print(f"{entry['name']}: {valid}; judged by {entry['judged_by']}", soft_wrap=True)
    console.print("ms: normalised, per shower, in batches of 1000.")
    console.print("All scores: simulacra models --json, or each model's card.")


def _ranges(ranges: dict[str, tuple[float, float]]) -> str:
    return ", ".join(
        f"{low / GeV:.3g} to {high / GeV:.3g} GeV"
        if name == "incident_energy"
        else f"{name} {low:g} to {high:g}"
        for name, (low, high) in ranges.items()
    )


def _score(score: dict[str, Any] | None) -> str:
    return "" if score is None else f"{score['value']:.3f} ± {score['error']:.3f}"


def _entry(manifest: dict[str, Any]) -> dict[str, Any]:
    validity = manifest["validity"]
    return {
        "name": manifest["name"],
        "geometry": validity["geometry"],
        "particle": validity["particle"],
        "ranges": validity["ranges"],
        "summary": manifest["summary"],
        "training_file": manifest["training"]["file"],
        "training_sha256": manifest["training"]["sha256"],
        "scores": manifest["scores"],
        "judged_by": manifest.get("suite_label", "not judged yet"),
        "timing": manifest.get("timing", {}),
        "licence": manifest["licence"],
        "digest": manifest["digest"],
    }
