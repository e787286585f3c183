"""Scores as tables: by kind for the whole showers, tidy ones for classifiers and distances."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..verdict import Score, Verdict
from .cells import Cell, find_score, is_regional, kind_of, own_posterior
from .pictures import first_of_each
from .words import family_title, lower

__all__ = ["classifier_table", "distance_table", "score_table"]

_CLASSIFIER_COLUMNS = ("auc", "auc_calibrated", "jsd")
_DISTANCES = ("fpd", "kpd", "precision", "recall", "density", "coverage")


def score_table(verdicts: Sequence[Verdict]) -> list[dict[str, Any]]:
    """Scores of whole samples by kind; within a kind all share protocol and blindness."""
    groups: dict[tuple[str, str, str, str], list[Score]] = {}
    for score in first_of_each(verdicts, lambda v: v.scores):
        if is_regional(score):
            continue
        kind, _, rest = score.name.partition("/")
        family = rest.split("/")[0] if not kind.startswith("auc") else ""
        key = (kind, family, score.protocol, score.cannot_see)
        groups.setdefault(key, []).append(score)
    known = [{score.name: score for score in verdict.scores} for verdict in verdicts]
    return [
        {
            "title": family_title(kind) + (f": {lower(family_title(family))}" * bool(family)),
            "protocol": protocol,
            "cannot_see": cannot_see,
            "floor_from": scores[0].floor_from,
            "rows": [(s, [Cell(of.get(s.name)) for of in known]) for s in scores],
        }
        for (kind, family, protocol, cannot_see), scores in groups.items()
    ]


def classifier_table(verdicts: Sequence[Verdict], names: Sequence[str]) -> list[dict[str, Any]]:
    """One row per classifier and sample: AUC before and after calibration, JSD."""
    rows: list[dict[str, Any]] = []
    for verdict, name in zip(verdicts, names, strict=True):
        whole = [score for score in verdict.scores if not is_regional(score)]
        classifiers = dict.fromkeys(
            s.name.partition("/")[2] for s in whole if kind_of(s.name) in _CLASSIFIER_COLUMNS
        )
        for classifier in classifiers:
            cells = [Cell(find_score(verdict, f"{c}/{classifier}")) for c in _CLASSIFIER_COLUMNS]
            rows.append(
                {
                    "name": name,
                    "classifier": classifier.replace("_", " "),
                    "cells": cells,
                    "comparable": all(c.comparable for c in cells if c.score),
                }
            )
    return rows if any(c.score for row in rows for c in row["cells"][1:]) else []


def distance_table(verdicts: Sequence[Verdict]) -> list[dict[str, Any]]:
    """FPD, KPD, neighbours and log-posterior: one row each, one column per sample."""
    rows = []
    for name in (*_DISTANCES, "log_posterior"):
        cells = [Cell(find_score(verdict, name)) for verdict in verdicts]
        if name == "log_posterior":  # each sample has its own
            cells = [Cell(own_posterior(verdict)) for verdict in verdicts]
        first = next((cell.score for cell in cells if cell.score), None)
        if first is not None:
            rows.append({"score": first, "cells": cells})
    return rows
