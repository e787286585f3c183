"""What gives the generated showers away to a classifier, as a page shows it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..verdict import Diagnosis, Verdict

__all__ = ["diagnoses"]

_MOST_OBSERVABLES = 12
_MOST_SHOWERS = 12


def diagnoses(verdicts: Sequence[Verdict], names: Sequence[str]) -> list[dict[str, Any]]:
    """Return one block per diagnosis, the tell-tale observables first."""
    return [
        _block(found, name)
        for verdict, name in zip(verdicts, names, strict=True)
        for found in verdict.diagnoses
    ]


def _block(found: Diagnosis, name: str) -> dict[str, Any]:
    top = max(map(abs, found.powers), default=0.0) or 1.0
    closure = list(zip(found.closure, found.before, found.after, strict=True))
    return {
        "name": name,
        "classifier": found.classifier.replace("_", " "),
        "bars": [
            (_words(observable), power, max(0.0, 100 * power / top))
            for observable, power in zip(found.observables, found.powers, strict=True)
        ][:_MOST_OBSERVABLES],
        "more": max(0, len(found.observables) - _MOST_OBSERVABLES),
        "showers": list(zip(found.showers, found.shower_scores, strict=True))[:_MOST_SHOWERS],
        "closure": [
            (_words(observable), f"{before:.3g}", f"{after:.3g}", after < before)
            for observable, before, after in closure
        ],
        "effective": f"{100 * found.effective:.3g} %",
    }


def _words(observable: str) -> str:
    family, _, layer = observable.partition("/")
    return family.replace("_", " ") + (f", layer {layer}" if layer else "")
