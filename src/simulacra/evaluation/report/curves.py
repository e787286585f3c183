"""ROC curves of the classifiers and the log of a training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .. import plots
from ..verdict import Verdict
from ..wording import NOT_COMPARABLE, facts, quantity
from .cells import find_score
from .pictures import Picture, as_svg

__all__ = ["roc", "training_log"]


def roc(verdicts: Sequence[Verdict], names: Sequence[str]) -> Picture | None:
    """Every ROC curve in one picture; None if there is none."""
    curves, labels = [], []
    for verdict, name in zip(verdicts, names, strict=True):
        for curve in verdict.curves:
            score = find_score(verdict, curve.name.replace("roc", "auc", 1))
            owner = f"{name}, " if len(verdicts) > 1 else ""
            area = f": AUC {quantity(score.value, score.error)}" if score else ""
            comparable = verdict.comparable and (score is None or score.comparable)
            standing = "" if comparable else f" ({NOT_COMPARABLE})"
            curves.append(curve)
            labels.append(f"{owner}{curve.label}{area}{standing}")
    if not curves:
        return None
    return as_svg(
        plots.roc(curves, labels),
        f"Receiver operating characteristics: {'; '.join(labels)}.",
        "The farther a curve bends away from the dotted diagonal, the better the classifier "
        "tells generated from reference showers; bands are one standard deviation.",
    )


def training_log(log: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Training log: columns of one length become curves, the rest facts."""
    if not log:
        return None
    columns = [(key, list(map(float, values))) for key, values in log.items() if _numbers(values)]
    columns = [c for c in columns if len(c[1]) == len(columns[0][1])][:7]
    rest = {key: value for key, value in log.items() if key not in dict(columns)}
    picture = None
    if len(columns) > 1:
        others = ", ".join(name.replace("_", " ") for name, _ in columns[1:])
        picture = as_svg(
            plots.training_curves(columns),
            f"Training log: curves of {others} against {columns[0][0].replace('_', ' ')}.",
            "The training, step by step.",
        )
    return {"picture": picture, "facts": facts(rest)}


def _numbers(values: Any) -> bool:
    return (
        isinstance(values, Sequence)
        and not isinstance(values, str | bytes)
        and len(values) > 1
        and all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)
    )
