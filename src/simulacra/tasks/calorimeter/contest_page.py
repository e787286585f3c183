"""What a contest leaves for people: its table in four forms, and the page with the pictures."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path

from ...evaluation.plots import Point
from ...evaluation.report import Front, Picture, quality_against_time, write_report
from ...execute import atomic_text
from .contest import rows_of, verdicts_of
from .contest_table import COLUMNS, SCORES, TableRow, as_csv, as_markdown, table_of

__all__ = ["write_table"]

_BATCH = "10000"
_TIME = f"normalised time per shower, batch {_BATCH} [ms]"
_WORDS = (
    "One line per model, the seeds of its training joined: means, with the error of one judgement "
    "and the spread of the seeds. Times are milliseconds per shower on the processor, normalised "
    "to its rate of matrix products. The floor is what the full simulation has against itself.",
    "Areas of small networks are for ranking and not comparable with published numbers; those of "
    "the challenge's networks stand in columns of their own. The last column says which suite "
    "judged how many showers.",
)


def write_table(folder: Path) -> tuple[list[TableRow], list[str]]:
    """Write the table of the rows that a contest has: JSON, Markdown, CSV and one page.

    Each file appears whole; whoever writes last has the rows of all.

    Args:
        folder: of the contest.

    Returns:
        The lines of the table, and the names of the files.
    """
    rows = rows_of(folder)
    lines = table_of(rows)
    written = ["table.md", "table.csv", "table.json"]
    atomic_text(folder / "table.json", json.dumps(rows, indent=1) + "\n")
    atomic_text(folder / "table.md", as_markdown(lines))
    atomic_text(folder / "table.csv", as_csv(lines))
    if verdicts := verdicts_of(folder, rows):
        title = "Families of generators"
        write_report(verdicts, folder / "report.html", title=title, front=_front(lines))
        written.append("report.html")
    return lines, written


def _front(lines: Sequence[TableRow]) -> Front:
    """Return table and pictures; columns that are empty in every line are left out."""
    kept = [n for n, _ in enumerate(COLUMNS) if any(line.cells[n] for line in lines)]
    return Front(
        title="The table",
        words=_WORDS,
        columns=tuple(COLUMNS[n] for n in kept),
        rows=tuple(tuple(line.cells[n] for n in kept) for line in lines),
        pictures=tuple(_pictures(lines)),
    )


def _pictures(lines: Sequence[TableRow]) -> list[Picture]:
    found = []
    for name, label in SCORES.items():
        scale = 1000 if name == "fpd" else 1
        for behind in ("", ", challenge"):
            picture = quality_against_time(
                [_point(n, line, name + behind, scale) for n, line in enumerate(lines)],
                label + behind,
                _TIME,
                logarithmic=name == "fpd",
            )
            found += [] if picture is None else [picture]
    return found


def _point(number: int, line: TableRow, name: str, scale: float) -> Point:
    value, error = line.values.get(name, (math.nan, math.nan))
    time = line.values.get(f"ms/{_BATCH}", (math.nan, math.nan))[0]
    return Point(line.cells[0], time, scale * value, scale * error, "CPU", number)
