"""Scores in parts of phase space: a heat table, because a good average hides a bad corner."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..verdict import Score, Verdict
from .cells import Cell, away, is_regional, kind_of
from .words import family_title, lower

__all__ = ["Heat", "regional"]

_FOLDED = frozenset({"wasserstein", "kolmogorov_smirnov"})
_MOST_ROWS = 150  # of the folded table of single scores
_PALEST, _STRONGEST = 2.0, 30.0  # standard deviations at which colour begins and is full


@dataclass(frozen=True)
class Heat:
    """One field of the heat table: the score of its family that stands farthest from its floor.

    Args:
        cell: the score; without one if nothing was measured there.
        of: how many scores of this family the region has.
        shade: strength of the colour in percent, 0 at the floor.
    """

    cell: Cell
    of: int
    shade: int


def regional(verdicts: Sequence[Verdict], names: Sequence[str]) -> list[dict[str, Any]]:
    """Return one heat table per verdict that has scores of regions.

    Rows are families of scores, columns are regions in the order of their keys; the last column
    is the whole sample.
    """
    found = []
    for verdict, name in zip(verdicts, names, strict=True):
        scores = [score for score in verdict.scores if is_regional(score)]
        if scores:
            found.append({"name": name, **_table(verdict, scores), **_worst(scores)})
    return found


def _table(verdict: Verdict, scores: Sequence[Score]) -> dict[str, Any]:
    regions: dict[str, str] = {}
    fields: dict[tuple[str, str], list[Score]] = {}
    for score in scores:
        key = score.name.partition("@")[2]
        regions.setdefault(key, score.region)
        fields.setdefault((_family(score), key), []).append(score)
    families = list(dict.fromkeys(family for family, _ in fields))
    kinds = list(dict.fromkeys(map(kind_of, families)))
    families.sort(key=lambda family: kinds.index(kind_of(family)))
    whole: dict[str, list[Score]] = {}
    for score in verdict.scores:
        if not is_regional(score):
            whole.setdefault(_family(score), []).append(score)
    rows = [
        {
            "title": _title(family),
            "folded": kind_of(family) in _FOLDED,
            "fields": [_heat(fields.get((family, key), [])) for key in regions],
            "whole": _heat(whole.get(family, [])),
            "comparable": all(
                s.comparable for key in regions for s in fields.get((family, key), [])
            ),
        }
        for family in families
    ]
    return {
        "regions": list(regions.values()),
        "rows": [row for row in rows if not row["folded"]],
        "folded": [row for row in rows if row["folded"]],
    }


def _worst(scores: Sequence[Score]) -> dict[str, Any]:
    cells = sorted((Cell(score) for score in scores), key=lambda c: -_away(c.score))
    return {"worst": cells[:_MOST_ROWS], "left_out": max(0, len(cells) - _MOST_ROWS)}


def _heat(scores: Sequence[Score]) -> Heat:
    if not scores:
        return Heat(Cell(None), 0, 0)
    worst = max(scores, key=_away)
    sigma = max(_away(worst), _PALEST)
    shade = math.log(sigma / _PALEST) / math.log(_STRONGEST / _PALEST)
    return Heat(Cell(worst), len(scores), round(100 * min(shade, 1.0)))


def _family(score: Score) -> str:
    """Return kind and observable without the layer: ``separation/layer_energy``."""
    parts = score.name.partition("@")[0].split("/")
    return "/".join(parts[:2])


def _title(family: str) -> str:
    kind, _, rest = family.partition("/")
    if kind_of(family).startswith(("auc", "jsd", "log_posterior")):
        return f"{family_title(kind)}: {rest.replace('_', ' ')}" if rest else family_title(kind)
    return family_title(kind) + (f": {lower(family_title(rest))}" if rest else "")


def _away(score: Score | None) -> float:
    found = away(score)
    return -math.inf if found is None else found
