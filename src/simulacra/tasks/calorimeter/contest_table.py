"""The table of a contest: one line per recipe, means and spreads over its seeds."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["COLUMNS", "TERMINAL_COLUMNS", "TableRow", "as_csv", "as_markdown", "table_of"]

_SCORES = {
    "auc/low_level": "AUC low-level",
    "auc/high_level": "AUC high-level",
    "auc/resnet": "AUC ResNet",
    "fpd": "FPD x 1000",
}
_AREAS = ("auc/low_level", "auc/high_level", "auc/resnet")
COLUMNS = (
    "model",
    "family",
    *_SCORES.values(),
    *(f"{_SCORES[name]}, challenge" for name in _AREAS),
    "mean separation x 1000",
    "memorisation p",
    "parameters",
    "training min (of a core)",
    "ms, batch 1",
    "ms, batch 100",
    "ms, batch 10000",
    "peak GB",
    "density",
    "seeds, failed",
    "protocol",
)
"""Headings; times are normalised milliseconds per shower of all threads."""

TERMINAL_COLUMNS = (
    "model",
    "AUC low-level",
    "AUC high-level",
    "FPD x 1000",
    "ms, batch 10000",
    "training min (of a core)",
    "seeds, failed",
)
"""Those that fit on a terminal."""


@dataclass(frozen=True)
class TableRow:
    """One line.

    Args:
        cells: text under each of :data:`COLUMNS`.
        values: the numbers behind it: mean and error by score name.
    """

    cells: tuple[str, ...]
    values: dict[str, tuple[float, float]]


def table_of(rows: Sequence[dict[str, Any]]) -> list[TableRow]:
    """Join the seeds of each recipe; the best high- and low-level classifier result first.

    Args:
        rows: plain data as :class:`~simulacra.tasks.calorimeter.contest.Contest` makes them.
    """
    names = dict.fromkeys(row["name"] for row in rows)
    lines = [_line([row for row in rows if row["name"] == name]) for name in names]
    return sorted(lines, key=_distance)


def as_markdown(lines: Sequence[TableRow]) -> str:
    """Return the table in Markdown."""
    head = [" | ".join(COLUMNS), " | ".join("---" for _ in COLUMNS)]
    body = [" | ".join(line.cells) for line in lines]
    return "\n".join(f"| {text} |" for text in (*head, *body)) + "\n"


def as_csv(lines: Sequence[TableRow]) -> str:
    """Return the table as comma-separated values."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(line.cells for line in lines)
    return text.getvalue()


def _line(rows: Sequence[dict[str, Any]]) -> TableRow:
    good = [row for row in rows if "failure" not in row]
    failed = f"{len(rows)}, {len(rows) - len(good)}"
    if not good:
        blank = [""] * (len(COLUMNS) - 4)
        return TableRow((rows[0]["name"], rows[0].get("family", ""), *blank, failed, ""), {})
    quick, full = (_said(good, comparable=c) for c in (False, True))
    values = {name: _joined(quick or full, name) for name in _SCORES}
    best = {f"{name}, challenge": _joined(full, name) for name in _AREAS}
    first, said = good[0], (full or quick)[0]
    separations = [s["value"] for n, s in said["scores"].items() if n.startswith("separation/")]
    memorised = said["scores"].get("memorisation", {}).get("value")
    cells = (
        first["name"],
        first["family"],
        *(
            _number(value, error, 1000 if name == "fpd" else 1, _floor(quick or full, name))
            for name, (value, error) in values.items()
        ),
        *(_number(value, error, 1, None) for value, error in best.values()),
        f"{1000 * float(np.mean(separations)):.2f}" if separations else "",
        "" if memorised is None else f"{memorised:.2g}",
        f"{first['parameters'] / 1e6:.2f} M",
        _minutes(good),
        *(f"{first['normalised_ms'].get(batch, math.nan):.3g}" for batch in ("1", "100", "10000")),
        f"{first['sampling_peak_gb']:.2f}",
        "yes" if first["density"] else "no",
        failed,
        "; ".join(_protocol(found) for found in (quick, full) if found),
    )
    return TableRow(cells, values | best)


def _said(rows: Sequence[dict[str, Any]], *, comparable: bool) -> list[dict[str, Any]]:
    """Return what suites of one kind said of each row that was judged by one."""
    kinds = ([s for s in row["judged"].values() if s["comparable"] == comparable] for row in rows)
    return [found[0] for found in kinds if found]


def _protocol(said: Sequence[dict[str, Any]]) -> str:
    seeds = f"{len(said)} seed{'s' if len(said) > 1 else ''}"
    return f"{said[0]['suite']}, {said[0]['events']} showers, {seeds}"


def _minutes(rows: Sequence[dict[str, Any]]) -> str:
    """Return wall time and processor time of a training, means over the seeds."""
    wall = np.mean([row["training_minutes"] for row in rows])
    return f"{wall:.1f} ({np.mean([row['training_processor_minutes'] for row in rows]):.1f})"


def _joined(said: Sequence[dict[str, Any]], name: str) -> tuple[float, float]:
    """Return the mean over seeds and its error: of one judgement and between seeds."""
    found = [one["scores"][name] for one in said if name in one["scores"]]
    if not found:
        return math.nan, math.nan
    values = [score["value"] for score in found]
    errors = [score["error"] for score in found]
    single = math.sqrt(float(np.mean(np.square(errors))))
    between = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
    return float(np.mean(values)), math.hypot(single, between) / math.sqrt(len(values))


def _floor(said: Sequence[dict[str, Any]], name: str) -> float | None:
    return said[0]["scores"].get(name, {}).get("floor") if name == "fpd" else None


def _number(value: float, error: float, scale: float, floor: float | None) -> str:
    if math.isnan(value):
        return ""
    digits = 2 if scale > 1 else 3
    text = f"{scale * value:.{digits}f} ± {scale * error:.{digits}f}"
    return text if floor is None else f"{text} (floor {scale * floor:.{digits}f})"


def _distance(line: TableRow) -> float:
    """Return how far both areas are from one half; lines without go last."""
    areas = [line.values.get(name, (math.nan, 0.0))[0] for name in list(_SCORES)[:2]]
    return math.inf if any(map(math.isnan, areas)) else sum(abs(a - 0.5) for a in areas)
