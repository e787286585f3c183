"""Histograms, profiles and tables of observables as pictures, bounded in number."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from .. import plots
from ..verdict import Histogram, Profile, Score, Verdict
from ..wording import NOT_COMPARABLE, mathematics
from .cells import Cell, away, find_score, is_regional
from .pictures import Family, Picture, as_png, as_svg, first_of_each, selection
from .words import family_title

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "MEMORISATION",
    "correlations",
    "memorisation",
    "observables",
    "overview",
    "profiles",
]

MEMORISATION = "training_distance"
"""Name of the histogram of distances to the training showers; it has its own section."""

_OPEN_LAYERS = 3  # shown at once where a quantity has many layers
_MORE_LAYERS = 3  # further ones behind a fold
_FEW_LAYERS = 8  # detectors with at most this many layers are shown whole
_MOST_HISTOGRAMS = 90
_ROWS = 24  # rows of the overview picture


def observables(verdicts: Sequence[Verdict], names: Sequence[str]) -> list[Family]:
    """Histograms by quantity; where there are many layers, evenly chosen ones and the worst."""
    grouped: dict[str, list[Histogram]] = {}
    for histogram in first_of_each(verdicts, lambda v: v.histograms):
        if histogram.name != MEMORISATION:
            grouped.setdefault(histogram.name.split("/")[0], []).append(histogram)
    few = sum(len(group) for group in grouped.values()) <= _MOST_HISTOGRAMS // 2
    families = []
    for key, group in grouped.items():
        shown, folded, left_out = selection(
            group,
            _FEW_LAYERS if few else _OPEN_LAYERS,
            _MORE_LAYERS,
            always=max(group, key=lambda h: _away(h.separation)),
        )
        families.append(
            Family(
                family_title(key),
                [p for h in shown for p in _pictures(h.name, verdicts, names)],
                [p for h in folded for p in _pictures(h.name, verdicts, names)],
                left_out,
            )
        )
    return families


def profiles(verdicts: Sequence[Verdict], names: Sequence[str]) -> Family:
    """Profiles over all samples that have them in the same bins; of many layers a selection."""
    grouped: dict[str, list[Profile]] = {}
    for one in first_of_each(verdicts, lambda v: v.profiles):
        grouped.setdefault(one.name.split("/")[0], []).append(one)
    family = Family("Profiles")
    for group in grouped.values():
        shown, folded, _ = selection(group, _OPEN_LAYERS, _MORE_LAYERS, whole=_FEW_LAYERS)
        family.shown.extend(
            p for one in shown for p in _profile_pictures(one.name, verdicts, names)
        )
        family.folded.extend(
            p for one in folded for p in _profile_pictures(one.name, verdicts, names)
        )
    drawn = len(family.shown) + len(family.folded)
    return replace(family, left_out=max(0, sum(map(len, grouped.values())) - drawn))


def correlations(verdicts: Sequence[Verdict], names: Sequence[str]) -> list[Picture]:
    """Every table of both samples and their difference."""
    return [
        as_png(
            plots.matrices(matrix, name),
            f"{_plain(matrix.label)}: tables of {len(matrix.labels)} rows as colours, of the "
            f"reference, of {name}, and of their difference.",
            f"{_plain(matrix.label)}, {name}. Cannot see: {matrix.cannot_see.rstrip('.')}.",
            palette=True,
        )
        for verdict, name in zip(verdicts, names, strict=True)
        for matrix in verdict.matrices
    ]


def memorisation(verdicts: Sequence[Verdict], names: Sequence[str]) -> dict[str, Any] | None:
    """Distances to the training showers, and the scores made of them; None if not measured."""
    pictures = [
        p
        for histogram in first_of_each(verdicts, lambda v: v.histograms)
        if histogram.name == MEMORISATION
        for p in _pictures(histogram.name, verdicts, names, of_training=True)
    ]
    rows = [
        (score, [Cell(find_score(verdict, score.name)) for verdict in verdicts])
        for score in first_of_each(verdicts, lambda v: v.scores)
        if score.name.partition("/")[0] == "memorisation" and not is_regional(score)
    ]
    return {"pictures": pictures, "rows": rows} if pictures or rows else None


def overview(verdicts: Sequence[Verdict], names: Sequence[str]) -> Picture | None:
    """The separation powers farthest above their floors, in one picture."""
    scores = [
        score
        for score in first_of_each(verdicts, lambda v: v.scores)
        if score.name.startswith("separation") and not is_regional(score)
    ]
    if not scores:
        return None
    rows = [[find_score(verdict, score.name) for verdict in verdicts] for score in scores]
    rows.sort(key=lambda row: -max(_away(score) for score in row))
    comparable = all(score.comparable for row in rows for score in row if score)
    standing = "" if comparable else f" Numbers of a quick verdict: {NOT_COMPARABLE}."
    note = f"The {_ROWS} farthest above their floors of {len(rows)}. " if len(rows) > _ROWS else ""
    return as_svg(
        plots.separations(rows[:_ROWS], names),
        "Separation power of each observable with its error, beside the grey range that two "
        "reference samples reach.",
        f"{note}Points inside the grey bar cannot be told from full simulation by this number."
        f"{standing}",
    )


def _pictures(
    name: str, verdicts: Sequence[Verdict], names: Sequence[str], *, of_training: bool = False
) -> Iterator[Picture]:
    """One picture for all samples whose histograms have the same bins, else one for each."""
    having = [
        (h, label)
        for verdict, label in zip(verdicts, names, strict=True)
        for h in verdict.histograms
        if h.name == name
    ]
    for pairs in _by_bins(having):
        histograms, labels = [h for h, _ in pairs], [label for _, label in pairs]
        joint = " of layer " if histograms[0].layer is not None else ", "
        what = histograms[0].name.replace("_", " ").replace("/", joint)
        yield as_png(
            _distances(histograms, labels) if of_training else plots.observable(histograms, labels),
            f"Histogram of {what}: reference and {', '.join(labels)} as step lines with error "
            "bands, their ratio below.",
            _outside(histograms),
            palette=True,
            cells=tuple(Cell(h.separation, label) for h, label in pairs if h.separation),
        )


def _distances(histograms: Sequence[Histogram], labels: Sequence[str]) -> Figure:
    return plots.observable(
        histograms,
        [f"{label} to training" for label in labels],
        reference_label="reference to training",
    )


def _profile_pictures(
    name: str, verdicts: Sequence[Verdict], names: Sequence[str]
) -> Iterator[Picture]:
    having = [
        (p, label)
        for verdict, label in zip(verdicts, names, strict=True)
        for p in verdict.profiles
        if p.name == name
    ]
    for pairs in _by_bins(having):
        drawn: list[Profile] = [p for p, _ in pairs]
        labels = [label for _, label in pairs]
        notes = [
            f"{label}: {p.note}" if len(verdicts) > 1 else p.note for p, label in pairs if p.note
        ]
        caption = [*notes, f"Cannot see: {drawn[0].cannot_see}" if drawn[0].cannot_see else ""]
        yield as_png(
            plots.profile(drawn, labels),
            f"Profile of {_plain(drawn[0].label)} against {_plain(drawn[0].x_label)}: reference "
            f"and {', '.join(labels)} with error bands, their ratio below.",
            " ".join(f"{part.rstrip('.')}." for part in caption if part),
            palette=True,
        )


def _by_bins(pairs: Sequence[tuple[Any, str]]) -> list[list[tuple[Any, str]]]:
    grouped: dict[tuple[float, ...], list[tuple[Any, str]]] = {}
    for pair in pairs:
        grouped.setdefault(pair[0].edges, []).append(pair)
    return list(grouped.values())


def _outside(histograms: Sequence[Histogram]) -> str:
    """Say how much lies outside the bins, where it is more than one in a thousand."""
    lost = [sum(histograms[0].reference_outside), *(sum(h.generated_outside) for h in histograms)]
    if max(lost) < 1e-3:
        return ""
    of_generated = ", ".join(f"{100 * part:.2g} %" for part in lost[1:])
    return f"Outside the range: reference {100 * lost[0]:.2g} %, generated {of_generated}."


def _away(score: Score | None) -> float:
    found = away(score)
    return -math.inf if found is None else found


def _plain(label: str) -> str:
    """Return a label with its mathematics as plain text."""
    return str(mathematics(label).striptags())
