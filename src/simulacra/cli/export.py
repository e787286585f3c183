"""``simulacra export``: a trained model becomes a bundle that runs without torch."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from .progress import ticker

__all__ = ["EXAMPLE", "export"]

EXAMPLE = (
    "**Examples:** `simulacra export photons --out photons-bundle` · "
    "`simulacra export electrons-copula --target par04 --out par04-bundle`"
)


class Target(StrEnum):
    """Who runs the bundle."""

    python = "python"
    par04 = "par04"
    ddml = "ddml"
    fastcalosim = "fastcalosim"
    triton = "triton"


class Preset(StrEnum):
    """Versions of the graphs."""

    current = "current"
    legacy = "legacy"


def export(
    model: Annotated[str, typer.Argument(help="A model's folder or a shipped model's name.")],
    out: Annotated[Path, typer.Option("--out", metavar="BUNDLE", help="Folder to write.")],
    target: Annotated[
        Target,
        typer.Option(
            "--target",
            help="Who runs it: Geant4's Par04, DDML, FastCaloSim, Triton; python is "
            "simulacra.deploy or any ONNX Runtime.",
        ),
    ] = Target.python,
    preset: Annotated[
        Preset,
        typer.Option(
            "--preset",
            help="current: ONNX Runtime from 1.14 on (opset 18); legacy: from 1.11 on (opset 16).",
        ),
    ] = Preset.current,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Write a model as ONNX graphs, with noise as an input, and the showers that prove them."""
    from ..tasks.calorimeter import Surrogate, find_model
    from ..tasks.calorimeter.exporting import export as exported

    surrogate = Surrogate.load(find_model(model))
    with ticker("exporting") as tick:
        manifest = exported(
            surrogate, out, target=target.value, preset=preset.value, stage=tick.stage
        )
    own = manifest.raw["golden"]["tolerance"]
    if as_json:
        result = {"path": str(out), "target": target.value, "tolerance": own}
        typer.echo(json.dumps(result))
        return
    typer.echo(f"{out}: {manifest.name} for {target.value}; check it with `simulacra verify {out}`")
