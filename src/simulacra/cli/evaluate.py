"""``simulacra evaluate``: files of showers in, verdicts, a table and a page out."""

from __future__ import annotations

import csv
import datetime
import io
import json
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from ..errors import RangeError
from ..evaluation.verdict import Score, Verdict
from ..execute import atomic_text, require_writable
from .options import Executor, Workers, worker_count

__all__ = ["EXAMPLE", "JUDGE_EXAMPLE", "evaluate", "judge", "scores_csv"]

EXAMPLE = (
    "**Example:** `simulacra evaluate mine.hdf5 --reference test.hdf5 --training train.hdf5 "
    "--out verdict`"
)
JUDGE_EXAMPLE = "**Example:** `simulacra bench judge --threads 2`"

_SECONDS_BETWEEN_LINES = 30.0


def evaluate(
    generated: Annotated[
        list[Path],
        typer.Argument(metavar="GENERATED...", help="Showers to judge: files, folders, patterns."),
    ],
    reference: Annotated[
        list[Path],
        typer.Option(
            "--reference",
            metavar="FILE",
            help="Independent showers of the truth; again for files that belong together.",
        ),
    ],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for the results.")],
    training: Annotated[
        list[Path] | None,
        typer.Option(
            "--training", metavar="FILE", help="What the model was trained on; may be repeated."
        ),
    ] = None,
    independent: Annotated[
        list[Path] | None,
        typer.Option(
            "--independent",
            metavar="FILE",
            help="A second reference, for the floors; default: halves of the reference.",
        ),
    ] = None,
    suite: Annotated[
        str,
        typer.Option(
            "--suite",
            metavar="NAME|FILE.yaml",
            help="quick (minutes, not comparable), calochallenge (everything) or another one.",
        ),
    ] = "quick",
    geometry: Annotated[
        str | None,
        typer.Option(
            "--geometry", metavar="NAME|FILE.xml", help="Geometry; default: as in the files."
        ),
    ] = None,
    about: Annotated[
        Path | None,
        typer.Option(
            "--about",
            metavar="FILE.yaml",
            help="Time per shower and parameters of somebody else's generator.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Seed of every draw.", min=0)] = 0,
    threads: Annotated[
        int, typer.Option("--threads", help="Threads of the classifiers; 0: as torch is.", min=0)
    ] = 0,
    workers: Workers = 1,
    executor: Executor = "processes",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Judge generated showers by comparing them with reference showers."""
    from ..evaluation.about import About, load_about
    from ..evaluation.judge import Judge
    from ..evaluation.report import write_report
    from ..evaluation.suite import load_suite

    chosen = load_suite(suite)
    require_writable(out)
    names = _names(generated)
    stated = load_about(about, generated) if about else [About()] * len(generated)
    judged = {}
    with (
        _progress(quiet=as_json) as step,
        Judge(
            reference,
            suite=chosen,
            seed=seed,
            training=training or None,
            independent=independent or None,
            geometry=geometry,
            threads=threads,
            workers=worker_count(workers),
            executor=executor,
            folder=out / "retrainings",
            progress=step,
        ) as judge,
    ):
        for name, path, facts in zip(names, generated, stated, strict=True):
            when = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
            judged[name] = judge.verdict(path, about=facts, created=when)
            _save(judged[name], out, name)
        if len(judged) > 1:
            judged = judge.with_posteriors(judged)
            for name, verdict in judged.items():
                _save(verdict, out, name)
    verdicts = list(judged.values())
    report = write_report(verdicts, out / "report.html")
    if as_json:
        found = [
            _summary(v, out / f"{n}.json", report) for n, v in zip(names, verdicts, strict=True)
        ]
        typer.echo(json.dumps(found, indent=2, allow_nan=False))
        return
    console = Console()
    for verdict in verdicts:
        _print_verdict(console, verdict)
    console.print(f"report: {escape(str(report))}", soft_wrap=True, highlight=False)


def judge(
    showers: Annotated[
        Path | None,
        typer.Option("--showers", metavar="FILE", help="Showers to judge; default: embedded ones."),
    ] = None,
    geometry: Annotated[
        str | None, typer.Option("--geometry", metavar="NAME|FILE.xml", help="Their geometry.")
    ] = None,
    threads: Annotated[int, typer.Option("--threads", help="Processor threads.", min=1)] = 2,
    seed: Annotated[int, typer.Option("--seed", help="Seed of every draw.", min=0)] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Time observables, histograms and an epoch of the challenge's classifiers."""
    from ..data import embedded, read_showers
    from ..evaluation.judging_time import time_judging

    sample = read_showers(showers or embedded("photons-test"), geometry=geometry)
    found = time_judging(sample, threads=threads, seed=seed)
    if as_json:
        typer.echo(json.dumps([one.to_dict() for one in found], indent=2))
        return
    table = Table("stage", "showers", "seconds", "showers/s", "GFLOP/s of a product", "share")
    for one in found:
        share = f"{one.fraction:.2f}" if one.fraction else ""
        numbers = (f"{one.seconds:.3f}", f"{one.showers_per_second:.0f}", f"{one.rate:.0f}", share)
        table.add_row(one.stage, str(one.showers), *numbers)
    Console().print(table)


def scores_csv(verdict: Verdict) -> str:
    """Return the scores as comma-separated values with a header line."""
    fields = (
        "name", "label", "layer", "region", "value", "error", "floor", "floor_error", "unit",
        "comparable", "floor_from", "protocol", "cannot_see",
    )  # fmt: skip
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("suite", "generated", "reference", *fields))
    for score in verdict.scores:
        row = (getattr(score, field) for field in fields)
        writer.writerow((verdict.suite, verdict.generated.name, verdict.reference.name, *row))
    return text.getvalue()


def _save(verdict: Verdict, out: Path, name: str) -> None:
    verdict.save(out / f"{name}.json")
    atomic_text(out / f"{name}.csv", scores_csv(verdict))


def _names(paths: list[Path]) -> list[str]:
    """Return one result name per file, folder or pattern; those that share a name are numbered."""
    if not paths:
        raise RangeError("expected at least one file of generated showers.")
    names: list[str] = []
    for path in paths:
        own = re.sub(r"[*?\[\]]+", "", path.stem).strip("-_.") or path.parent.name or "set"
        name, number = own, 2
        while name in names:
            name, number = f"{own}-{number}", number + 1
        names.append(name)
    return names


@contextmanager
def _progress(*, quiet: bool) -> Iterator[Any]:
    """Show the stages on a terminal, a line now and then in a batch job; give the callback."""
    console = Console(stderr=True)
    if quiet:
        yield None
        return
    if not console.is_terminal:
        yield _lines()
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), console=console, transient=True) as bar:
        tasks: dict[str, Any] = {}

        def step(stage: str, done: int, of: int) -> None:
            if stage not in tasks or bar.tasks[tasks[stage]].finished:
                tasks[stage] = bar.add_task(escape(stage), total=of)
            bar.update(tasks[stage], completed=done, total=of)

        yield step


def _lines() -> Callable[[str, int, int], None]:
    """Return a callback that logs the end of each stage, and long stages now and then."""
    last = time.monotonic()

    def step(stage: str, done: int, of: int) -> None:
        nonlocal last
        now = time.monotonic()
        if done >= of or now - last > _SECONDS_BETWEEN_LINES:
            last = now
            sys.stderr.write(f"{time.strftime('%H:%M:%S')} {stage}: {done} of {of}\n")
            sys.stderr.flush()

    return step


def _print_verdict(console: Console, verdict: Verdict) -> None:
    table = Table(title=escape(f"{verdict.generated.name}: {verdict.suite_label}"))
    for heading in ("score", "value", "error", "floor"):
        table.add_column(heading, justify="left" if heading == "score" else "right")
    first = [s for s in verdict.scores if _is_headline(s)]
    for score in [*first, *_worst(verdict)]:
        floor = "" if score.floor is None else f"{score.floor:.4f}"
        if score.floor_error:
            floor += f" ± {score.floor_error:.4f}"
        table.add_row(escape(score.name), f"{score.value:.4f}", f"{score.error:.4f}", floor)
    console.print(table)
    rest = len(verdict.scores) - len(first) - len(_worst(verdict))
    if rest > 0:
        console.print(f"{rest} more scores in the report and in the CSV file.")
    for finding in verdict.findings[:_MOST_FINDINGS]:
        console.print(
            f"[red]found:[/red] {escape(finding.sentence)} ({finding.significance:.1f} sigma)",
            highlight=False,
        )
    if len(verdict.findings) > _MOST_FINDINGS:
        console.print(f"{len(verdict.findings) - _MOST_FINDINGS} more faults in the report.")
    facts = (
        f"{verdict.generated.events} generated and {verdict.reference.events} reference showers, "
        f"cut at {verdict.threshold:.4g} MeV; {verdict.overlap}; seed {verdict.seed}"
    )
    console.print(facts, highlight=False, markup=False)
    for warning in verdict.warnings:
        console.print(f"[yellow]warning:[/yellow] {escape(warning)}", highlight=False)


_HEADLINES = ("auc", "auc_calibrated", "fpd", "kpd", "precision", "recall", "density", "coverage",
              "memorisation")  # fmt: skip
_MOST_FINDINGS = 10


def _is_headline(score: Score) -> bool:
    return score.name.partition("/")[0] in _HEADLINES and "@" not in score.name


def _worst(verdict: Verdict, count: int = 10) -> list[Score]:
    """Return the separation powers that stand highest above their floors."""
    found = [s for s in verdict.scores if s.name.startswith("separation/") and "@" not in s.name]
    return sorted(found, key=lambda s: (s.floor or 0.0) - s.value)[:count]


def _summary(verdict: Verdict, path: Path, report: Path) -> dict[str, Any]:
    plain = verdict.to_dict()
    kept = (
        "suite", "suite_label", "comparable", "threshold", "seed", "threads", "generated",
        "reference", "training", "overlap", "scores", "findings", "warnings", "version", "created",
    )  # fmt: skip
    return {"verdict": str(path), "report": str(report)} | {key: plain[key] for key in kept}
