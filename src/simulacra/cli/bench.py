"""``simulacra bench``: how fast sampling and judging are, normalised to this machine's rate."""

from __future__ import annotations

import json
from contextlib import ExitStack
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from .options import ExecutorOrThreads, WorkersOrThreads, worker_count

__all__ = ["app"]

app = typer.Typer(
    help="Time sampling and judging.", no_args_is_help=True, rich_markup_mode="markdown"
)


@app.command(epilog="**Example:** `simulacra bench sampling photons --batch 1 --batch 1000`")
def sampling(
    model: Annotated[str, typer.Argument(help="A model's folder or a shipped model's name.")],
    batch: Annotated[list[int] | None, typer.Option("--batch", help="Showers per call.")] = None,
    workers: WorkersOrThreads = 2,
    executor: ExecutorOrThreads = "threads",
    seed: Annotated[int, typer.Option("--seed", help="Identity of the showers.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print milliseconds per shower, raw and normalised, without writing files."""
    from ..evaluation.timing import time_sampling
    from ..tasks.calorimeter import Surrogate, find_model
    from ..tasks.calorimeter.speed import operations_per_shower, sampler
    from ..workforce import workforce

    surrogate = Surrogate.load(find_model(model))
    count = worker_count(workers)
    with ExitStack() as stack:
        force = None
        if executor != "threads":
            force = stack.enter_context(workforce(executor, count))
        found = time_sampling(
            sampler(surrogate, seed=seed, workers=count, force=force),
            batches=batch or [1, 100, 1000, 10000],
            operations=operations_per_shower(surrogate),
            threads=count,
        )
    if as_json:
        typer.echo(json.dumps([one.to_dict() for one in found], indent=2))
        return
    table = Table(
        "batch", "ms/shower", "GFLOP/s of a matrix product", "normalised ms", "MFLOP", "share"
    )
    for one in found:
        table.add_row(
            f"{one.batch}",
            f"{one.milliseconds:.3f} (spread {one.spread:.3f})",
            f"{one.rate:.0f}",
            f"{one.normalised_milliseconds:.3f}",
            f"{one.operations:.1f}",
            f"{one.fraction:.2f}",
        )
    Console().print(table)
