"""``simulacra unfold``: simulated pairs and measured events in, true spectra with errors out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ..execute import require_writable
from .progress import ticker

if TYPE_CHECKING:
    from ..tasks.unfolding.report import Report

__all__ = ["EXAMPLE", "unfold"]

EXAMPLE = (
    "**Example:** `simulacra unfold simulation.parquet data.parquet --method bayes --out unfolded`"
)


def unfold(
    simulation: Annotated[
        Path,
        typer.Argument(
            help="Simulated events with columns truth_... and reco_..., or collisions with jets."
        ),
    ],
    data: Annotated[Path, typer.Argument(help="Measured events with columns reco_...")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for the results.")],
    method: Annotated[
        str, typer.Option("--method", help="bayes, omnifold, ...; see the documentation.")
    ] = "bayes",
    background: Annotated[
        Path | None, typer.Option("--background", help="Events to take away, columns reco_...")
    ] = None,
    observable: Annotated[
        list[str] | None, typer.Option("--observable", help="Unfold this one; may be repeated.")
    ] = None,
    edges: Annotated[
        list[str] | None,
        typer.Option("--edges", metavar="NAME=A,B,...", help="Edges of an observable's bins."),
    ] = None,
    particles: Annotated[
        int,
        typer.Option(
            "--particles",
            min=0,
            metavar="N",
            help="Of collisions: unfold by the N hardest particles of the jet (omnifold).",
        ),
    ] = 0,
    experiments: Annotated[
        int, typer.Option("--experiments", min=0, help="Pseudo-experiments that test the errors.")
    ] = 0,
    test: Annotated[
        bool, typer.Option("--test", help="Data are simulated too: compare with their truth.")
    ] = False,
    seed: Annotated[int, typer.Option("--seed", help="Identity of everything drawn.")] = 0,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change one setting of the method."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Find the spectra before the detector, and say when not to believe them."""
    from ..config import apply_settings
    from ..errors import ConfigError
    from ..tasks.unfolding import Unfolding
    from ..tasks.unfolding.jets import open_measured, open_pairs
    from ..tasks.unfolding.recipes import method_config, unfolder
    from ..tasks.unfolding.report import default_edges, write_report
    from ..tasks.unfolding.report import unfold as unfolded

    require_writable(out)
    config = apply_settings(method_config(method), settings or [])
    if particles and not unfolder(config).reads_particles:
        raise ConfigError(
            f"--particles: {method} unfolds observables and cannot read particles; expected "
            "--method omnifold with networks and without observables of its own."
        )
    truth = open_pairs(data).true_sample() if test else None
    taken = None if background is None else open_measured(background, particles=particles)
    problem = Unfolding(
        open_pairs(simulation, particles=particles),
        open_measured(data, particles=particles),
        taken,
    )
    bins = default_edges(problem, _edges(edges or []))
    if observable and particles:
        bins = {name: _known(bins, name) for name in observable}
    elif observable:
        config = config.updated(observables=tuple(observable))
    if "edges" in type(config).model_fields:
        wanted = observable or list(bins)
        given = {name: list(bins[name]) for name in wanted if name in bins}
        config = config.updated(edges={**given, **config.edges})
        bins = default_edges(problem, config.edges)
    with ticker("unfolding") as tick:
        report = unfolded(
            unfolder(config),
            problem,
            bins,
            seed=seed,
            experiments=experiments,
            truth=truth,
            progress=tick.done,
        )
    write_report(report, out)
    if as_json:
        typer.echo(json.dumps(report.to_dict()))
        return
    console = Console()
    console.print(_table(report))
    if report.closures:
        console.print(_closures(report))
    for remark in report.result.remarks:
        console.print(escape(remark), highlight=False)
    console.print(f"{escape(str(out))}: spectra.json, spectra.png, result", highlight=False)


def _edges(given: list[str]) -> dict[str, list[float]]:
    from ..errors import ConfigError

    found = {}
    for one in given:
        name, equals, numbers = one.partition("=")
        try:
            found[name] = [float(number) for number in numbers.split(",")]
        except ValueError:
            equals = ""
        if not equals:
            raise ConfigError(f"--edges: expected NAME=A,B,... with numbers, found {one!r}.")
    return found


def _known(bins: dict[str, Any], name: str) -> Any:
    from ..errors import UnknownNameError

    if name not in bins:
        raise UnknownNameError("observable", name, bins)
    return bins[name]


def _table(report: Report) -> Table:
    title = f"{report.result.method}, {report.result.iterations} iterations"
    table = Table("observable", "bins", "counts", "largest relative error", "believe", title=title)
    for found, judged in zip(report.spectra, report.verdicts, strict=True):
        relative = max(found.error / found.counts)
        table.add_row(
            escape(found.observable),
            str(len(found.counts)),
            f"{found.counts.sum():.5g}",
            f"{relative:.1%}",
            "yes" if judged.believable else "see below",
        )
    return table


def _closures(report: Report) -> Table:
    columns = ("observable", "unfolded", "raw", "prior", "floor", "within 2 floors", "helps")
    table = Table(*columns, title="distance to the truth, 1000 x triangular discrimination")
    for row in report.closures:
        table.add_row(
            escape(row.observable),
            f"{1e3 * row.unfolded:.3f} ± {1e3 * row.error:.3f}",
            *(f"{1e3 * value:.3f}" for value in (row.raw, row.prior, row.floor)),
            "yes" if row.closes else "no",
            "yes" if row.helps else "no",
        )
    return table
