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
    data: Annotated[Path, typer.Option("--data", help="Training showers.")],
    reference: Annotated[Path, typer.Option("--reference", help="Showers to judge with.")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for the results.")],
    model: Annotated[
        list[str] | None,
        typer.Option("--model", help="A trained model to judge beside them; repeatable."),
    ] = None,
    budget: Annotated[
        str, typer.Option("--budget", metavar="TIME", help="Of each training: 90s, 20m, 2h.")
    ] = "20m",
    seeds: Annotated[int, typer.Option("--seeds", min=1, help="Trainings of each recipe.")] = 1,
    suite: Annotated[str, typer.Option("--suite", help="Of the judge.")] = "quick",
    threads: Annotated[int, typer.Option("--threads", min=1, help="Processor threads.")] = 2,
    resume: Annotated[bool, typer.Option("--resume", help="Fill a table that exists.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the rows as JSON.")] = False,
) -> None:
    """Train recipes within a budget on the same showers, judge them alike, write the table.

    The table fills over several runs with --resume: other recipes, more seeds, another suite;
    without a recipe it is written again from the rows that are there.
    """
    from ..errors import ConfigError, OutputError
    from ..evaluation.report import write_report
    from ..execute import atomic_text, require_writable
    from ..tasks.calorimeter import Surrogate
    from ..tasks.calorimeter.contest import Contest, Entry, parse_budget, rows_of, verdicts_of
    from ..tasks.calorimeter.contest_table import (
        COLUMNS,
        TERMINAL_COLUMNS,
        as_csv,
        as_markdown,
        table_of,
    )
    from ..tasks.calorimeter.recipes import given_recipe
    from ..tasks.calorimeter.shipped import find_model
    from .progress import ticker

    minutes = parse_budget(budget)
    entries = [Entry(given_recipe(name), seed) for seed in range(seeds) for name in recipes or []]
    trained = [find_model(name) for name in model or []]
    entries += [Entry(Surrogate.load(folder).config, 0, folder) for folder in trained]
    held = rows_of(out)
    if not entries and not (held and resume):
        raise ConfigError(
            "bench families: expected a recipe or a --model, got none; with --resume and rows in "
            "--out their table is written again."
        )
    require_writable(out)
    if held and not resume:
        raise OutputError(f"{out}: holds the rows of a contest; add --resume to fill its table.")
    contest = Contest(out, data, reference, minutes, suite=suite, threads=threads)
    with ticker("contest") as tick:
        for entry in entries:
            contest.run(entry, tick.stage)
    rows = rows_of(out)
    lines = table_of(rows)
    atomic_text(out / "table.json", json.dumps(rows, indent=1) + "\n")
    atomic_text(out / "table.md", as_markdown(lines))
    atomic_text(out / "table.csv", as_csv(lines))
    if verdicts := verdicts_of(out, rows):
        write_report(verdicts, out / "report.html", title="Families of generators")
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
    page = ", report.html" if verdicts else ""
    typer.echo(f"{out}: table.md, table.csv, table.json{page}")
    if len(failed) == len(rows):
        raise typer.Exit(1)
