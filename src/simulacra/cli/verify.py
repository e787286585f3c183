"""``simulacra verify``: every question that a client would ask a bundle."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from .export import Target

__all__ = ["EXAMPLE", "verify"]

EXAMPLE = (
    "**Examples:** `simulacra verify photons-bundle` · "
    "`simulacra verify par04-bundle --target par04 --model electrons-copula`"
)


def verify(
    bundle: Annotated[Path, typer.Argument(help="The folder of an exported model.")],
    model: Annotated[
        str | None,
        typer.Option("--model", help="Compare with this model too: its folder or shipped name."),
    ] = None,
    target: Annotated[
        Target | None,
        typer.Option("--target", help="Play this client; by default the bundle's own."),
    ] = None,
    trust: Annotated[
        bool, typer.Option("--trust", help="Load TorchScript and changed modules: they run code.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the checks as JSON.")] = False,
) -> int:
    """Run a bundle as a client does and compare; exit code 1 if something is wrong with it."""
    from ..tasks.calorimeter import Surrogate, find_model
    from ..tasks.calorimeter.exporting import verify as verified

    surrogate = None if model is None else Surrogate.load(find_model(model))
    checks = verified(bundle, model=surrogate, target=target or "", trust=trust)
    failed = sum(not check.passed for check in checks)
    if as_json:
        typer.echo(json.dumps([asdict(check) for check in checks], indent=1))
        return int(failed > 0)
    table = Table("check", "", "found")
    for check in checks:
        table.add_row(check.name, "ok" if check.passed else "WRONG", escape(check.found))
    Console().print(table)
    typer.echo(f"{bundle}: " + (f"{failed} of {len(checks)} checks failed" if failed else "passed"))
    return int(failed > 0)
