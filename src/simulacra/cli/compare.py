"""``simulacra compare``: stored verdicts in, one comparison and one page out; no showers."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ..execute import atomic_text, require_writable

if TYPE_CHECKING:
    from ..evaluation.report.compared import ComparedCell, ComparedRow

__all__ = ["EXAMPLE", "compare"]

EXAMPLE = "**Example:** `simulacra compare mine.json theirs.json --out comparison`"


def compare(
    verdicts: Annotated[
        list[Path],
        typer.Argument(metavar="VERDICT.json...", help="Verdicts on one reference."),
    ],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for the results.")],
    title: Annotated[str | None, typer.Option("--title", help="Heading of the page.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Draw and compare stored verdicts again, without the showers."""
    from ..evaluation.published import standing
    from ..evaluation.report import sample_names, write_report
    from ..evaluation.report.compared import compared
    from ..evaluation.report.words import standing_line
    from ..evaluation.verdict import Verdict

    require_writable(out)
    loaded = [Verdict.load(path) for path in verdicts]
    report = write_report(loaded, out / "report.html", title=title)
    names, rows = sample_names(loaded), compared(loaded)
    table = out / "comparison.csv"
    atomic_text(table, _csv(rows, names))
    places = [standing_line(standing(verdict)) for verdict in loaded]
    if as_json:
        found = {
            "report": str(report),
            "table": str(table),
            "samples": [
                {"name": name, "verdict": str(path), "published": place}
                for name, path, place in zip(names, verdicts, places, strict=True)
            ],
            "rows": [_plain(row, names) for row in rows],
        }
        typer.echo(json.dumps(found, indent=2, allow_nan=False))
        return
    console = Console()
    console.print(_table(rows, names, "; ".join({v.suite_label: None for v in loaded})))
    for name, place in zip(names, places, strict=True):
        if place:
            console.print(f"{name}: {place}", highlight=False, markup=False)
    console.print(f"report: {escape(str(report))}", soft_wrap=True, highlight=False)


def _table(rows: Sequence[ComparedRow], names: Sequence[str], suites: str) -> Table:
    table = Table(title=escape(suites))
    table.add_column("quantity")
    for name in names:
        table.add_column(escape(name), justify="right")
    for row in rows:
        table.add_row(escape(row.label.replace("$", "")), *map(_cell, row.cells))
    return table


def _cell(cell: ComparedCell) -> str:
    return f"[bold]{escape(cell.text)} (best)[/bold]" if cell.best else escape(cell.text)


def _csv(rows: Sequence[ComparedRow], names: Sequence[str]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("quantity", "label", "sample", "value", "error", "best", "comparable"))
    for row in rows:
        for name, cell in zip(names, row.cells, strict=True):
            numbers = (_number(cell.value), _number(cell.error))
            writer.writerow((row.name, row.label, name, *numbers, cell.best, cell.comparable))
    return text.getvalue()


def _plain(row: ComparedRow, names: Sequence[str]) -> dict[str, Any]:
    cells = [
        {
            "sample": name,
            "value": _number(cell.value),
            "error": _number(cell.error),
            "best": cell.best,
            "comparable": cell.comparable,
        }
        for name, cell in zip(names, row.cells, strict=True)
    ]
    return {"quantity": row.name, "label": row.label, "cells": cells}


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
