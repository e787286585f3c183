"""Write the table of families from the rows of their contest (``make table``).

The rows are what ``simulacra bench families`` left as ``table.json``; they are kept in
``validation/families.json``. The whole table goes to docs/explanation/families.md, the columns that
most people ask for to the README.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from simulacra.tasks.calorimeter.contest_table import COLUMNS, TableRow, table_of

ROOT = Path(__file__).parents[2]
ROWS = ROOT / "validation" / "families.json"
PAGES = {
    ROOT / "README.md": (
        "model",
        "AUC low-level",
        "AUC high-level",
        "ms, batch 1",
        "ms, batch 10000",
        "training min (of a core)",
        "density",
        "seeds, failed",
    ),
    ROOT / "docs" / "explanation" / "families.md": COLUMNS,
}
BEGIN, END = "<!-- families -->\n", "<!-- /families -->"


def markdown(lines: list[TableRow], columns: tuple[str, ...]) -> str:
    """Return some columns of the table, without those that are empty in every line."""
    rows = [dict(zip(COLUMNS, line.cells, strict=True)) for line in lines]
    kept = [name for name in columns if any(row[name] for row in rows)]
    head = [kept, ["---"] * len(kept)]
    cells = [[row[name] for name in kept] for row in rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in (*head, *cells))


def filled(text: str, rows: list[dict[str, Any]], columns: tuple[str, ...]) -> str:
    """Return a page with its table written again."""
    before, rest = text.split(BEGIN)
    return before + BEGIN + markdown(table_of(rows), columns) + END + rest.split(END)[1]


if __name__ == "__main__":
    found = json.loads(ROWS.read_text(encoding="utf-8"))
    for page, columns in PAGES.items():
        page.write_text(
            filled(page.read_text(encoding="utf-8"), found, columns), encoding="utf-8"
        )
        sys.stdout.write(f"{page}: table of families written\n")
