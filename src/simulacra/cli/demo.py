"""``simulacra demo``: the main job on the embedded data, before the user's eyes."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from .progress import Ticker, ticker

if TYPE_CHECKING:
    from ..evaluation import Verdict
    from ..tasks.calorimeter import Surrogate

__all__ = ["EXAMPLE", "demo"]

EXAMPLE = "**Example:** `simulacra demo --out demo-output`"


def demo(
    out: Annotated[Path, typer.Option("--out", help="Folder of everything made.")] = Path(
        "demo-output"
    ),
    seed: Annotated[int, typer.Option("--seed", help="Identity of the run.")] = 0,
    recipe: Annotated[str, typer.Option("--recipe", help="Recipe to train.")] = "photons-demo",
    epochs: Annotated[int, typer.Option("--epochs", help="0: as in the recipe.")] = 0,
) -> None:
    """Train on embedded showers of a full simulation, draw, judge and draw the page."""
    from ..config import apply_settings
    from ..data import embedded, open_showers
    from ..evaluation import evaluate
    from ..evaluation.report import write_report
    from ..execute import available_cores, require_writable
    from ..tasks.calorimeter import Surrogate, sample_to_file
    from ..tasks.calorimeter import recipe as named
    from ..tasks.calorimeter.drawing import particles_like

    begun = time.monotonic()
    require_writable(out)
    config = named(recipe)
    if epochs:
        config = apply_settings(config, [f"training.epochs={epochs}"])
    training, reference = embedded("photons-train"), embedded("photons-test")
    surrogate = Surrogate(config)
    with ticker("reading the showers") as tick:
        surrogate.fit(training, seed=seed, progress=tick.epoch, stage=tick.stage)
        surrogate.save(out / "model")
        tick.stage("drawing showers")
        test = open_showers(reference)
        speed = _milliseconds(surrogate, seed)
        sample_to_file(
            surrogate,
            out / "showers.hdf5",
            particles_like(test, ()),
            seed=seed,
            workers=available_cores(),
            progress=lambda done: tick.done(done, test.events),
        )
        verdict = evaluate(
            out / "showers.hdf5",
            reference,
            seed=seed,
            training=training,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            progress=lambda stage, done, total: _stage(tick, stage, done, total),
        )
    verdict = _timed(verdict, speed)
    verdict.save(out / "verdict.json")
    cards = _shipped_cards()
    page = write_report(
        [verdict],
        out / "report.html",
        title="A surrogate trained before your eyes",
        reference_cards=cards,
        log=_log(surrogate),
    )
    console = Console()
    console.print(_table(verdict, cards))
    console.print(f"this run: {verdict.suite_label}", soft_wrap=True)
    for card in cards:
        console.print(f"{card['name']}, {card['geometry']}: {card['suite_label']}", soft_wrap=True)
    typer.echo(
        f"Judged on {verdict.reference.events} showers that the training never saw; "
        f"{(time.monotonic() - begun) / 60:.1f} minutes in all."
    )
    typer.echo(f"Page: {page.resolve()}")


def _milliseconds(surrogate: Surrogate, seed: int) -> float:
    """Time a thousand showers without a file, in ms of one core, as the full simulation's are."""
    from ..tasks.calorimeter.speed import sampler

    draw = sampler(surrogate, seed=seed, workers=1)
    draw(100)
    start = time.perf_counter()
    draw(1000)
    return time.perf_counter() - start


def _timed(verdict: Verdict, milliseconds: float) -> Verdict:
    import dataclasses

    known: dict[str, Any] = dict(verdict.timing or {})
    return dataclasses.replace(verdict, timing={**known, "ms_per_shower": milliseconds})


def _stage(tick: Ticker, stage: str, done: int, total: int) -> None:
    if done <= 1:
        tick.stage(f"judging: {stage}")
    tick.done(done, total)


def _log(surrogate: Surrogate) -> dict[str, Any]:
    history = surrogate.history
    return {
        name: [entry[name] for entry in history]
        for name in ("epoch", "training_loss", "validation_loss")
    } | {"wall_minutes": surrogate.manifest["training"]["wall_minutes"]}


def _shipped_cards() -> list[dict[str, Any]]:
    """Return what the shipped models' cards say, in the report's form."""
    from ..tasks.calorimeter.shipped import manifests

    return [_card(found) for found in manifests()]


def _card(found: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": f"{found['name']} (shipped)",
        "description": found["summary"],
        "geometry": found["validity"]["geometry"],
        "suite_label": found.get("suite_label", ""),
        "comparable": bool(found.get("comparable", False)),
        "scores": found["scores"],
        "timing": found.get("timing", {}),
        "training": found["training"],
    }


def _table(verdict: Verdict, cards: Sequence[dict[str, Any]]) -> Table:
    """Put the demonstration's headline scores beside those of the shipped models."""
    table = Table(title="How well classifiers tell the showers apart (0.5 is perfect)", box=None)
    for name in ("", "low-level (voxels)", "high-level (observables)"):
        table.add_column(name, no_wrap=True)
    own = [vars(score) for score in verdict.scores]
    rows: list[tuple[str, Sequence[dict[str, Any]]]] = [("this run", own)]
    rows += [(card["name"], card["scores"]) for card in cards]
    for name, scores in rows:
        found: dict[str, dict[str, Any]] = {score["name"]: score for score in scores}
        areas = [found.get(level, {}) for level in ("auc/low_level", "auc/high_level")]
        table.add_row(name, *(f"{a['value']:.3f} ± {a['error']:.3f}" if a else "" for a in areas))
    return table
