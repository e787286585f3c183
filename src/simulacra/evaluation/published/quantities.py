"""Which number of a verdict is which column of the published tables, and what is better."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ...data.geometry import Geometry
from ..verdict import Score, Verdict
from .times import times_per_shower

__all__ = ["QUANTITIES", "Quantity", "follows_protocol", "own_value"]

_THOUSAND = 1e3


@dataclass(frozen=True)
class Quantity:
    """One published number.

    Args:
        column: its column in the published tables.
        label: what it is, in words.
        unit: unit of the column; ``""`` for a dimensionless one.
        kind: ``classifier``, ``distance``, ``neighbours``, ``separation``, ``time`` or ``size``.
        better: what is ranked first: ``lower``, or ``nearest`` to the full simulation's own value.
        score: name of the verdict's score; for a ``mean`` or ``maximum`` the family of scores.
        scale: factor from the verdict's score to the column.
        over_layers: how the layers' scores become one number.
        remark: what a reader must know before comparing.
    """

    column: str
    label: str
    unit: str
    kind: Literal["classifier", "distance", "neighbours", "separation", "time", "size"]
    better: Literal["lower", "nearest"] = "lower"
    score: str = ""
    scale: float = 1.0
    over_layers: Literal["", "mean", "maximum"] = ""
    remark: str = ""


def _classifier(column: str, label: str, name: str) -> Quantity:
    return Quantity(
        column,
        f"AUC after calibration, {label}",
        "",
        "classifier",
        score=f"auc_calibrated/{name}",
    )


def _separation(column: str, label: str, family: str, over: Any = "") -> Quantity:
    return Quantity(
        f"{column}_x1e3",
        f"separation, {label}",
        "10⁻³",
        "separation",
        score=f"separation/{family}",
        scale=_THOUSAND,
        over_layers=over,
    )


def _time(hardware: str, batch: int) -> Quantity:
    return Quantity(
        f"{hardware.lower()}_batch_{batch}_ms",
        f"time per shower, {hardware}, batch {batch:,}",
        "ms",
        "time",
        remark="another machine: a factor of a few means nothing",
    )


_LAYERED = {
    "layer_energy": "layer energy",
    "centre_eta": "centre in η",
    "centre_phi": "centre in φ",
    "centre_r": "mean radius",
    "width_eta": "width in η",
    "width_phi": "width in φ",
    "width_r": "width in radius",
    "sparsity": "sparsity",
}
_OVER: dict[str, tuple[str, str]] = {
    "mean": ("mean", "mean over layers"),
    "max": ("maximum", "worst layer"),
}

QUANTITIES: tuple[Quantity, ...] = (
    _classifier("auc_low_level", "low-level", "low_level"),
    _classifier("auc_high_level", "high-level", "high_level"),
    _classifier("auc_resnet", "ResNet", "resnet"),
    Quantity("fpd_x1e3", "FPD", "10⁻³", "distance", score="fpd", scale=_THOUSAND),
    Quantity("kpd_x1e3", "KPD", "10⁻³", "distance", score="kpd", scale=_THOUSAND),
    Quantity("precision", "precision", "", "neighbours", "nearest", "precision"),
    Quantity("recall", "recall", "", "neighbours", "nearest", "recall"),
    Quantity("density", "density", "", "neighbours", "nearest", "density"),
    Quantity("coverage", "coverage", "", "neighbours", "nearest", "coverage"),
    _separation("total_energy_ratio", "energy response", "total_energy_ratio"),
    _separation("voxel_energy", "voxel spectrum", "voxel_energy"),
    *(
        _separation(f"{family}_{short}", f"{label}, {words}", family, how)
        for family, label in _LAYERED.items()
        for short, (how, words) in _OVER.items()
    ),
    *(_time(hardware, batch) for hardware in ("CPU", "GPU") for batch in (1, 100, 10_000)),
    Quantity("parameters_training", "parameters, training", "", "size"),
    Quantity("parameters_generation", "parameters, generation", "", "size"),
)
"""Every published number that a verdict can have, too.

The multiclass log-posterior is left out: its value depends on which submissions competed.
"""

_ANGULAR = ("separation/centre_eta", "separation/centre_phi", "separation/width_eta",
            "separation/width_phi")  # fmt: skip


def own_value(verdict: Verdict, quantity: Quantity) -> tuple[float, float] | None:
    """Return a verdict's number and error in the unit of a published column.

    The error of a mean over layers takes their errors as independent; that of a maximum is the
    worst layer's own.

    Returns:
        None if the verdict does not have it, or not in every layer that was published.
    """
    if quantity.kind == "time":
        return _own_time(verdict, quantity.column)
    if quantity.kind == "size":
        count = verdict.size.get(quantity.column.removeprefix("parameters_"))
        return None if count is None else (float(count), math.nan)
    scores = _scores(verdict, quantity)
    if not scores or not all(math.isfinite(s.value) for s in scores):
        return None
    if quantity.over_layers == "mean":
        value = sum(s.value for s in scores) / len(scores)
        error = math.hypot(*(s.error for s in scores)) / len(scores)
    else:
        worst = max(scores, key=lambda s: s.value)
        value, error = worst.value, worst.error
    return quantity.scale * value, quantity.scale * error


def follows_protocol(verdict: Verdict, quantity: Quantity) -> bool:
    """Tell whether every score behind a quantity was measured by the published protocol."""
    if not quantity.score:
        return True
    return all(
        score.comparable
        for score in verdict.scores
        if "@" not in score.name and f"{score.name}/".startswith(f"{quantity.score}/")
    )


def _scores(verdict: Verdict, quantity: Quantity) -> Sequence[Score]:
    names = [quantity.score]
    if quantity.over_layers:
        layers = Geometry.from_dict(dict(verdict.geometry)).layers
        if quantity.score in _ANGULAR:
            layers = tuple(layer for layer in layers if layer.sees)
        names = [f"{quantity.score}/{layer.identity}" for layer in layers]
    known = {score.name: score for score in verdict.scores}
    return [known[name] for name in names] if all(name in known for name in names) else []


def _own_time(verdict: Verdict, column: str) -> tuple[float, float] | None:
    for found in times_per_shower(verdict.timing):
        if f"{found.hardware.lower()}_batch_{found.batch}_ms" == column:
            return found.milliseconds, math.nan
    return None
