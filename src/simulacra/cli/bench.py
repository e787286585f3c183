"""``simulacra bench``: how fast sampling and judging are, normalised to this machine's rate."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path
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


@app.command(
    epilog="**Example:** `simulacra bench families photons-diffusion photons-vae "
    "--data train.hdf5 --reference test.hdf5 --budget 20m --out contest`"
)
def families(
    recipes: Annotated[
        list[str] | None,
        typer.Argument(metavar="RECIPE...", help="Recipes' names or YAML files."),
    ] = None,
    *,
    data: Annotated[Path | None, typer.Option("--data", help="Training showers.")] = None,
    reference: Annotated[
        Path | None, typer.Option("--reference", help="Showers to judge with.")
    ] = None,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for the results.")],
    model: Annotated[
        list[str] | None,
        typer.Option("--model", help="A trained model to judge beside them; repeatable."),
    ] = None,
    budget: Annotated[
        str, typer.Option("--budget", metavar="TIME", help="Of each training: 90s, 20m, 2h.")
    ] = "20m",
    seeds: Annotated[int, typer.Option("--seeds", min=1, help="Trainings of each recipe.")] = 1,
    suite: Annotated[str, typer.Option("--suite", help="Of the judge.")] = "ranking",
    threads: Annotated[int, typer.Option("--threads", min=1, help="Processor threads.")] = 2,
    resume: Annotated[bool, typer.Option("--resume", help="Fill a table that exists.")] = False,
    again: Annotated[
        bool, typer.Option("--again", help="Make anew what was made under other conditions.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the rows as JSON.")] = False,
) -> None:
    """Train recipes within a budget on the same showers, judge them alike, write the table.

    The table fills over several runs with --resume: other recipes, more seeds, another suite;
    without a recipe it is written again from the rows that are there.
    """
    from ..errors import ConfigError, OutputError
    from ..execute import require_writable
    from ..tasks.calorimeter import Surrogate
    from ..tasks.calorimeter.contest import Contest, Entry, parse_budget, rows_of, teachers_first
    from ..tasks.calorimeter.contest_page import write_table
    from ..tasks.calorimeter.contest_table import COLUMNS, TERMINAL_COLUMNS
    from ..tasks.calorimeter.recipes import given_recipe
    from ..tasks.calorimeter.shipped import find_model
    from .progress import ticker

    minutes = parse_budget(budget)
    entries = [Entry(given_recipe(name), seed) for seed in range(seeds) for name in recipes or []]
    trained = [Surrogate.load(find_model(name)) for name in model or []]
    entries += [
        Entry(surrogate.config, int(surrogate.manifest.get("seed", 0)), find_model(name))
        for surrogate, name in zip(trained, model or [], strict=True)
    ]
    held = rows_of(out)
    if not entries and not (held and resume):
        raise ConfigError(
            "bench families: expected a recipe or a --model, got none; with --resume and rows in "
            "--out their table is written again."
        )
    require_writable(out)
    if held and not resume:
        raise OutputError(f"{out}: holds the rows of a contest; add --resume to fill its table.")
    if entries:
        if data is None or reference is None:
            raise ConfigError(
                "bench families: expected --data and --reference, to train and judge."
            )
        contest = Contest(out, data, reference, minutes, suite=suite, threads=threads, again=again)
        with ticker("contest") as tick:
            contest.run_all(teachers_first(entries), tick.stage)
    lines, written = write_table(out)
    rows = rows_of(out)
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    shown = [COLUMNS.index(name) for name in TERMINAL_COLUMNS]
    table = Table(*TERMINAL_COLUMNS)
    for line in lines:
        table.add_row(*(line.cells[column] for column in shown))
    Console().print(table)
    failed = [row for row in rows if "failure" in row]
    for row in failed:
        typer.echo(f"{row['name']}, seed {row['seed']}: {row['failure']}", err=True)
    typer.echo(f"{out}: {', '.join(written)}")
    if len(failed) == len(rows):
        raise typer.Exit(1)
