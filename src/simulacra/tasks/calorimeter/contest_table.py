"""The table of a contest: one line per recipe, means and spreads over its seeds."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["COLUMNS", "SCORES", "TERMINAL_COLUMNS", "TableRow", "as_csv", "as_markdown", "table_of"]

SCORES = {
    "auc/low_level": "AUC low-level",
    "auc/high_level": "AUC high-level",
    "auc/resnet": "AUC ResNet",
    "fpd": "FPD x 1000",
}
"""Scores of the table by their names, and their headings."""
_AREAS = ("auc/low_level", "auc/high_level", "auc/resnet")
BATCHES = ("1", "100", "10000")
COLUMNS = (
    "model",
    "family",
    *SCORES.values(),
    *(f"{SCORES[name]}, challenge" for name in _AREAS),
    "mean separation x 1000",
    "memorisation p",
    "parameters",
    "training min (of a core)",
    *(f"ms, batch {batch}" for batch in BATCHES),
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


Number = tuple[float, float]


@dataclass(frozen=True)
class TableRow:
    """One line.

    Args:
        cells: text under each of :data:`COLUMNS`.
        values: the numbers behind it: mean and error by score name, of the challenge's suites with
            ``, challenge`` behind it; times as ``ms/BATCH``.
    """

    cells: tuple[str, ...]
    values: dict[str, Number]


def table_of(rows: Sequence[dict[str, Any]]) -> list[TableRow]:
    """Join the seeds of each recipe; the best high- and low-level classifier result first.

    Areas of small networks and of the challenge's have columns of their own. A number that fewer
    seeds have than the line counts says of how many it is the mean.

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
    good = [row for row in rows if row["judged"] and "failure" not in row]
    failed = sum("failure" in row for row in rows)
    cells = dict.fromkeys(COLUMNS, "")
    cells |= {"model": rows[0]["name"], "family": _family(rows)}
    cells["seeds, failed"] = f"{len(rows)}, {failed}"
    if unfinished := len(rows) - len(good) - failed:
        cells["seeds, failed"] += f", {unfinished} not finished"
    if not good:
        return TableRow(tuple(cells.values()), {})
    small, full = (_said(good, comparable=c) for c in (False, True))
    values: dict[str, tuple[float, float]] = {}
    for name, heading in SCORES.items():
        # areas of small networks are one protocol and the challenge's another; distances are one
        said = small if name in _AREAS else [a + b for a, b in zip(small, full, strict=True)]
        values[name], cells[heading] = _score(said, name, len(good))
    for name in _AREAS:
        key = f"{name}, challenge"
        values[key], cells[f"{SCORES[name]}, challenge"] = _score(full, name, len(good))
    cells["mean separation x 1000"] = _separation(good)
    cells["memorisation p"] = _memorisation(good)
    cells["parameters"] = f"{good[0]['parameters'] / 1e6:.2f} M"
    cells["training min (of a core)"] = _minutes(good)
    for batch in BATCHES:
        times = [row["normalised_ms"][batch] for row in good if batch in row["normalised_ms"]]
        if times:
            cells[f"ms, batch {batch}"] = _spread(times)
            values[f"ms/{batch}"] = float(np.mean(times)), _between(times)
    cells["peak GB"] = f"{max(row['sampling_peak_gb'] for row in good):.2f}"
    cells["density"] = "yes" if good[0]["density"] else "no"
    cells["protocol"] = "; ".join(_protocols(good))
    return TableRow(tuple(cells.values()), values)


def _family(rows: Sequence[dict[str, Any]]) -> str:
    for row in rows:
        if "family" in row:
            taught = f", taught by {row['teacher']}" if row.get("teacher") else ""
            return f"{row['family']}{taught}"
    return ""


def _said(rows: Sequence[dict[str, Any]], *, comparable: bool) -> list[list[dict[str, Any]]]:
    """Return what suites of one kind said of each row, what says most first."""
    return [
        sorted(
            (s for s in row["judged"].values() if s["comparable"] == comparable),
            key=lambda said: -len(said["scores"]),
        )
        for row in rows
    ]


def _score(said: Sequence[list[dict[str, Any]]], name: str, seeds: int) -> tuple[Number, str]:
    """Return the mean of a score over seeds with its error, and both in words with its floor."""
    found = [
        next((one["scores"][name] for one in row if name in one["scores"]), None) for row in said
    ]
    kept = [score for score in found if score is not None and score["value"] is not None]
    if not kept:
        return (math.nan, math.nan), ""
    values = [score["value"] for score in kept]
    single = math.sqrt(float(np.mean([(score["error"] or 0.0) ** 2 for score in kept])))
    error = math.hypot(single, _between(values)) / math.sqrt(len(values))
    value, scale, digits = float(np.mean(values)), *((1000, 2) if name == "fpd" else (1, 3))
    text = f"{scale * value:.{digits}f} ± {scale * error:.{digits}f}"
    if name == "fpd" and kept[0]["floor"] is not None:
        text += f" (floor {scale * float(np.mean([s['floor'] for s in kept])):.{digits}f})"
    if len(kept) < seeds:
        text += f" [{len(kept)} of {seeds} seeds]"
    return (value, error), text


def _between(values: Sequence[float]) -> float:
    """Return the standard deviation of single seeds; 0 for one."""
    return float(np.std(values, ddof=1)) if len(values) > 1 else 0.0


def _spread(values: Sequence[float]) -> str:
    spread = f" ± {_between(values):.2g}" if len(values) > 1 else ""
    return f"{float(np.mean(values)):.3g}{spread}"


def _separation(rows: Sequence[dict[str, Any]]) -> str:
    means = []
    for row in rows:
        scores = max(row["judged"].values(), key=lambda said: len(said["scores"]))["scores"]
        parts = [s["value"] for name, s in scores.items() if name.startswith("separation/")]
        means += [1000 * float(np.mean(parts))] if parts else []
    spread = f" ± {_between(means):.2f}" if len(means) > 1 else ""
    return f"{float(np.mean(means)):.2f}{spread}" if means else ""


def _memorisation(rows: Sequence[dict[str, Any]]) -> str:
    """Return the smallest p-value of all seeds."""
    said = [one["scores"] for row in rows for one in row["judged"].values()]
    found = [scores["memorisation"]["value"] for scores in said if "memorisation" in scores]
    return f"{min(found):.2g}" if found else ""


def _protocols(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Return which suites judged how many seeds with how many showers."""
    seen: dict[tuple[str, int], int] = {}
    for row in rows:
        for said in row["judged"].values():
            key = said["suite"], said["events"]
            seen[key] = seen.get(key, 0) + 1
    return [
        f"{suite}, {events} showers, {n} seed{'s' if n > 1 else ''}"
        for (suite, events), n in seen.items()
    ]


def _minutes(rows: Sequence[dict[str, Any]]) -> str:
    """Return wall time and processor time of a training, means over the seeds."""
    wall = np.mean([row["training_minutes"] for row in rows])
    return f"{wall:.1f} ({np.mean([row['training_processor_minutes'] for row in rows]):.1f})"


def _distance(line: TableRow) -> float:
    """Return how far both areas are from one half; lines without go last."""
    for protocol in ("", ", challenge"):
        found = [line.values.get(f"{name}{protocol}", (math.nan, 0.0))[0] for name in _AREAS[:2]]
        if not any(map(math.isnan, found)):
            return sum(abs(area - 0.5) for area in found)
    return math.inf
