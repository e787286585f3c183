"""Write the table of families from the rows of their contest (``make table``).

The rows are what ``simulacra bench families`` left as ``table.json``; they are kept in
``validation/families.json``, to which ``make table ROWS=contest/table.json`` adds a contest's: a row of a
recipe and seed that stands there already takes its place. The whole table goes to docs/explanation/families.md, the columns that
most people ask for to the README. A second table sets what each family reached beside what it was asked
to reach.
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
BARS_BEGIN, BARS_END = "<!-- bars -->\n", "<!-- /bars -->"

# recipe: what the project asks of its family, low- and high-level, and the family's published member on
# the CaloChallenge's photons or pions (arXiv:2410.21611; src/simulacra/evaluation/published)
BARS: dict[str, tuple[str, float, float, str]] = {
    "photons-wgan": ("Wasserstein GAN", 0.90, 0.90, "0.93 / 0.95"),
    "photons-vae": ("variational autoencoder", 0.85, 0.85, "0.89 / 0.97"),
    "photons-vq": ("quantised autoencoder", 0.85, 0.80, "0.998 / 0.989"),
    "photons": ("coupling flow", 0.63, 0.64, "0.63 / 0.64"),
    "photons-autoregressive": ("autoregressive flow", 0.73, 0.64, "0.73 / 0.64"),
    "photons-autoregressive-student": ("its student", 0.76, 0.67, "0.76 / 0.67"),
    "photons-diffusion": ("diffusion", 0.64, 0.55, "0.63 / 0.54"),
    "photons-diffusion-student": ("diffusion, one step", 0.80, 0.70, "0.87 / 0.73"),
    "photons-flow-matching": ("flow matching", 0.62, 0.57, "(data set 2) 0.53 / 0.52"),
    "photons-cloud": ("point cloud", 0.82, 0.67, "0.82 / 0.67"),
}


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


def bars(lines: list[TableRow]) -> str:
    """Return what each family reached beside its bar, in Markdown."""
    rows = {line.cells[0]: line for line in lines}
    text = "| model | family | bar | reached | | published member |\n" + "| --- " * 6 + "|\n"
    for name, (family, low, high, published) in BARS.items():
        reached, met = "not measured", ""
        if name in rows and rows[name].values:
            cells = dict(zip(COLUMNS, rows[name].cells, strict=True))
            reached = f"{cells['AUC low-level']} / {cells['AUC high-level']}"
            found = (rows[name].values[score][0] for score in ("auc/low_level", "auc/high_level"))
            met = "yes" if all(a <= bar for a, bar in zip(found, (low, high))) else "no"
        text += f"| `{name}` | {family} | {low:.2f} / {high:.2f} | {reached} | {met} | {published} |\n"
    return text


def joined(kept: list[dict[str, Any]], new: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows that are kept with new ones in the place of those of the same name and seed."""
    rows = {(row["name"], row["seed"]): row for row in (*kept, *new)}
    return list(rows.values())


if __name__ == "__main__":
    found = json.loads(ROWS.read_text(encoding="utf-8"))
    for contest in sys.argv[1:]:
        found = joined(found, json.loads(Path(contest).read_text(encoding="utf-8")))
    ROWS.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    for page, columns in PAGES.items():
        page.write_text(
            filled(page.read_text(encoding="utf-8"), found, columns), encoding="utf-8"
        )
        sys.stdout.write(f"{page}: table of families written\n")
    page = ROOT / "docs" / "explanation" / "families.md"
    before, rest = page.read_text(encoding="utf-8").split(BARS_BEGIN)
    after = rest.split(BARS_END)[1]
    content = before + BARS_BEGIN + bars(table_of(found)) + BARS_END + after
    page.write_text(content, encoding="utf-8")
