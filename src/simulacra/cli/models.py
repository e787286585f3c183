"""``simulacra models``: what ships, what it is valid for, how good it is."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

__all__ = ["EXAMPLE", "models"]

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
    table = Table("model", "geometry", "valid for", "scores")
    for entry in found:
        ranges = ", ".join(
            f"{name} {low:g} to {high:g}" for name, (low, high) in entry["ranges"].items()
        )
        scores = ", ".join(
            f"{score['label']} {score['value']:.3f} ± {score['error']:.3f}"
            for score in entry["scores"]
        )
        table.add_row(entry["name"], entry["geometry"], f"{entry['particle']}; {ranges}", scores)
    Console().print(table)


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
        "timing": manifest.get("timing", {}),
        "licence": manifest["licence"],
        "digest": manifest["digest"],
    }
