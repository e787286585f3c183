"""``simulacra refine``: a source towards a target, and what that costs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from .options import worker_count

__all__ = ["EXAMPLE", "refine"]

EXAMPLE = (
    "**Examples:** `simulacra refine generated.hdf5 simulated.hdf5 --out refined` · `simulacra "
    "refine mc.parquet data.parquet --observable mass --observable pt --weight w --out refined` · "
    "`simulacra refine further.hdf5 --apply refined/method --out further`"
)


def refine(
    source: Annotated[Path, typer.Argument(help="Events to be refined: showers or a table.")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for the results.")],
    target: Annotated[
        Path | None, typer.Argument(help="Events that they should look like.", show_default=False)
    ] = None,
    apply: Annotated[
        Path | None,
        typer.Option(
            "--apply",
            metavar="METHOD",
            help="Refine with an earlier run's folder `method`; learns and judges nothing.",
        ),
    ] = None,
    recipe: Annotated[
        str, typer.Option("--recipe", help="weights, weights-fast, conditional or transport.")
    ] = "weights",
    observable: Annotated[
        list[str] | None,
        typer.Option("--observable", metavar="COLUMN", help="Of a table; repeatable."),
    ] = None,
    weight: Annotated[
        str | None, typer.Option("--weight", metavar="COLUMN", help="Event weights of a table.")
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a setting.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Identity of split and training.")] = 0,
    workers: Annotated[
        int, typer.Option("--workers", min=0, help="Processes that judge; 0 takes all cores.")
    ] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print the numbers as JSON.")] = False,
) -> None:
    """Refine events by weights or by moving them, and say what it cost."""
    from ..config import apply_settings
    from ..errors import ConfigError
    from ..tasks.refinement import apply_to_file, read_showers_table, read_table, refine_files
    from ..tasks.refinement import recipe as named

    if (apply is None) == (target is None):
        raise ConfigError(
            "refine: expected either a target to learn from or --apply with a fitted method, got "
            + ("neither." if apply is None else "both.")
        )
    if apply is not None:
        if observable or settings:
            raise ConfigError("--apply: the method has its own observables and settings.")
        path = apply_to_file(apply, source, out, weight)
        typer.echo(json.dumps({"refined": str(path)}) if as_json else f"{path}")
        return
    config = apply_settings(named(recipe), settings or [])
    if weight is not None and not observable:
        raise ConfigError("--weight names a column of a table: name its --observable columns, too.")
    came, wanted = (
        read_table(path, observable, weight) if observable else read_showers_table(path)
        for path in (source, target)
        if path is not None
    )
    result = refine_files(came, wanted, config, out, seed=seed, workers=worker_count(workers))
    if as_json:
        typer.echo(json.dumps({"method": result.method, **result.diagnosis.to_dict()}, indent=1))
        return
    typer.echo(f"{result.method}: {result.diagnosis.sentence}.")
    typer.echo(f"{out}: refined.hdf5, held_out.hdf5, result, method, pictures")
