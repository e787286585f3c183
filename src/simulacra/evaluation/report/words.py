# ruff: noqa: RUF001 (Greek letters are written as they are)
"""What a page says about verdicts in words: names, headlines, speed, files, titles of families."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..published import Standing, standing
from ..verdict import ClassifierRecord, FileInfo, Score, Verdict
from ..wording import facts, quantity
from .cells import Cell, Gauge, away, find_score, is_regional, kind_of, main_aucs

__all__ = [
    "FAMILIES",
    "entry",
    "family_title",
    "lower",
    "number",
    "sample_names",
    "standing_line",
]

FAMILIES = {
    "total_energy_ratio": "Energy response",
    "total_energy_ratio_at": "Energy response at each incident energy",
    "layer_energy": "Energy per layer",
    "centre_eta": "Centre of energy in η, per layer",
    "centre_phi": "Centre of energy in φ, per layer",
    "centre_r": "Mean radius, per layer",
    "width_eta": "Width in η, per layer",
    "width_phi": "Width in φ, per layer",
    "width_r": "Width in radius, per layer",
    "sparsity": "Empty voxels, per layer",
    "voxel_energy": "Spectrum of voxel energies",
    "auc": "Classifier tests",
    "auc_calibrated": "Classifier tests, after calibration",
    "jsd": "Classifier tests, Jensen-Shannon divergence",
    "separation": "Separation power",
    "wasserstein": "Wasserstein distance",
    "kolmogorov_smirnov": "Kolmogorov-Smirnov distance",
    "fpd": "Fréchet physics distance",
    "kpd": "Kernel physics distance",
    "log_posterior": "Multiclass log-posterior",
    "memorisation": "Memorisation",
}
"""Headings of observables and kinds of scores; others are written as they are called."""

_OWN_MS = ("ms_per_shower", "milliseconds_per_shower")
_FULL_MS = ("full_simulation_ms_per_shower", "full_simulation_milliseconds_per_shower")
_OPEN_FINDINGS = 5

_OF_CLASSIFIERS = frozenset({"auc", "auc_calibrated", "jsd", "log_posterior"})


def entry(verdict: Verdict, name: str) -> dict[str, Any]:
    """Return everything that the page says about one verdict in words.

    Args:
        verdict: the verdict.
        name: of the judged sample on this page.
    """
    whole = [score for score in verdict.scores if not is_regional(score)]
    aucs, place = main_aucs(whole), standing(verdict)
    others = sorted(
        (Cell(s) for s in whole if kind_of(s.name) not in _OF_CLASSIFIERS),
        key=lambda cell: -(cell.excess if cell.excess is not None else -math.inf),
    )
    return {
        "name": name,
        "verdict": verdict,
        "gauges": [_gauge(verdict, score) for score in aucs],
        "sentence": _sentence(aucs),
        "findings": _findings(verdict),
        "standing": standing_line(place),
        "ranked": place is not None and place.ranked,
        "worst": [cell for cell in others if cell.excess is not None][:3],
        "corner": _worst_corner(verdict),
        "speed": _speed(verdict.timing, verdict.reference.provenance),
        "timing": facts(verdict.timing) if verdict.timing else [],
        "by_hand": bool((verdict.timing or {}).get("stated_by_hand")),
        "size": {key: f"{count:,}" for key, count in verdict.size.items()},
        "files": [_file(f) for f in (verdict.generated, verdict.reference) if f],
        "training": _file(verdict.training) if verdict.training else None,
        "classifiers": [_classifier(record) for record in verdict.classifiers],
    }


def sample_names(verdicts: Sequence[Verdict]) -> list[str]:
    """Return the file names of the judged samples, numbered where two are the same."""
    plain = [verdict.generated.name or "generated" for verdict in verdicts]
    return [
        f"{name} ({number})" if plain.count(name) > 1 else name
        for number, name in enumerate(plain, 1)
    ]


def family_title(key: str) -> str:
    """Return the heading of a family of observables or a kind of score."""
    return FAMILIES.get(key, key.replace("_", " ").capitalize())


def lower(title: str) -> str:
    """Return a heading as it stands inside a sentence."""
    return title[:1].lower() + title[1:]


def number(plain: Mapping[str, Any], names: Iterable[str]) -> float | None:
    """Return the first number that stands under one of some names, or None."""
    for name in names:
        value = plain.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
    return None


def _gauge(verdict: Verdict, score: Score) -> Gauge:
    classifier = score.name.partition("/")[2]
    before = find_score(verdict, f"auc/{classifier}")
    return Gauge.of(
        score,
        before if before is not score else None,
        find_score(verdict, f"jsd/{classifier}"),
    )


def _sentence(aucs: Sequence[Score]) -> str:
    known = [score for score in aucs if math.isfinite(score.value)]
    if not known:
        return "No classifier was trained: the verdict rests on histograms alone."
    best = max(known, key=lambda score: score.value)
    return (
        f"Shown one full-simulation shower and one generated shower, the sharpest classifier "
        f"({best.label.partition(', ')[2] or best.label}) names the generated one in "
        f"{100 * best.value:.0f} of 100 pairs; 50 would be guessing."
    )


def _findings(verdict: Verdict) -> dict[str, Any]:
    from ..findings import CERTAIN, FALSE_ALARMS, LOOKED_FOR  # slow to import

    found = [
        (
            f.sentence[:1].upper() + f.sentence[1:],
            "certain" if f.significance >= CERTAIN else f"{f.significance:.3g} σ",
        )
        for f in sorted(verdict.findings, key=lambda f: -f.significance)
    ]
    return {
        "shown": found[:_OPEN_FINDINGS],
        "folded": found[_OPEN_FINDINGS:],
        "looked": bool(found or verdict.profiles or verdict.matrices),
        "looked_for": LOOKED_FOR,
        "false_alarms": f"1 in {1 / FALSE_ALARMS:,.0f}",
    }


def standing_line(found: Standing | None) -> str:
    """Say in one sentence where a sample stands among the published ones, or why that is open.

    Args:
        found: the sample's standing; None, and an empty sentence, for other detectors.
    """
    if found is None:
        return ""
    if not found.ranked:
        return (
            f"Not ranked among published submissions ({found.title.partition(':')[0]}): "
            f"{found.reasons[0]}."
        )
    ranks = [
        f"{_rank(p.rank, p.rank_range)} of {p.entrants} by {p.quantity.label}"
        for p in found.places
        if p.rank is not None
        and p.rank_range is not None
        and p.quantity.kind in ("classifier", "distance")
    ]
    if not ranks:
        return ""
    return (
        f"Among the published submissions to {found.title.partition(':')[0]}: {'; '.join(ranks)}."
    )


def _rank(rank: int | None, between: tuple[int, int]) -> str:
    low, high = between
    return f"rank {rank}" if low == high else f"rank {rank} ({low} to {high} within errors)"


def _worst_corner(verdict: Verdict) -> Cell | None:
    """Return the score of a part of phase space that stands farthest from its floor."""
    cells = [Cell(score) for score in verdict.scores if is_regional(score)]
    known = [cell for cell in cells if cell.excess is not None]
    return max(known, key=lambda cell: away(cell.score) or 0.0, default=None)


def _file(info: FileInfo) -> dict[str, Any]:
    return {"info": info, "facts": facts(info.provenance)}


def _classifier(record: ClassifierRecord) -> tuple[ClassifierRecord, Any, list[str]]:
    lists = (record.fold_aucs, record.fold_calibrated_aucs, record.fold_jsds)
    return record, facts(record.settings), [", ".join(f"{x:.4f}" for x in one) for one in lists]


def _speed(timing: Mapping[str, Any] | None, origin: Mapping[str, Any]) -> dict[str, str]:
    """Milliseconds per shower of the generator and of the full simulation, in words."""
    timing = timing or {}
    own, full = number(timing, _OWN_MS), number(timing, _FULL_MS)
    stated = number(origin, _FULL_MS)
    per_gev = number({**origin, **timing}, ("full_simulation_ms_per_gev",))
    full = stated if full is None else full
    words = {
        "measured": "yes" if own is not None else "",
        "own": quantity(own, unit="ms per shower"),
        "full": quantity(full, unit="ms per shower"),
        "ratio": f"{full / own:.3g} times faster" if own and full else "",
    }
    if full is None and per_gev is not None:
        words["full"] = f"{quantity(per_gev, unit='ms')} per GeV of incident energy and core"
    return words
