"""Where a verdict would stand among the published submissions: ranks with their errors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ...data.catalog import dataset
from ...data.geometry import geometry
from ..verdict import Verdict
from .quantities import QUANTITIES, Quantity, follows_protocol, own_value
from .recognition import Recognition, recognise
from .submissions import DATASETS, Submission, published

__all__ = ["Place", "Standing", "standing"]

_APART = 2.0  # combined standard deviations from which two numbers count as different


@dataclass(frozen=True)
class Place:
    """One number of a verdict beside the published ones.

    Args:
        quantity: which number, and its unit.
        value: the verdict's, in that unit.
        error: one standard deviation; nan if unknown.
        floor: full simulation against full simulation as published; nan if there is none.
        floor_error: its error.
        best: the best submission, None if nobody published this number.
        rank: 1 is the best of ``entrants``; None where the numbers do not compare.
        rank_range: best and worst rank that two standard deviations leave open.
        entrants: number of published submissions with this number, and this one.
        ahead: the submission just ahead; ``""`` if there is none or no rank.
        behind: the submission just behind; ``""`` if there is none or no rank.
        why_not: why there is no rank, in words.
    """

    quantity: Quantity
    value: float
    error: float
    floor: float
    floor_error: float
    best: Submission | None
    rank: int | None
    rank_range: tuple[int, int] | None
    entrants: int
    ahead: str = ""
    behind: str = ""
    why_not: str = ""


@dataclass(frozen=True)
class Standing:
    """A verdict among the published submissions of the data set with its detector's voxels.

    Args:
        recognition: whether the reference is the challenge's own.
        title: the data set in words.
        ranked: whether any number may be ranked.
        reasons: why not, one sentence each.
        notes: what a reader must know about this data set's published numbers.
        places: one per number that both have.
        field: the published submissions, full simulation against itself first.
    """

    recognition: Recognition
    title: str
    ranked: bool
    reasons: tuple[str, ...]
    notes: tuple[str, ...]
    places: tuple[Place, ...]
    field: tuple[Submission, ...]

    def place(self, column: str) -> Place | None:
        """Return the place in one published column; None if the verdict has no such number."""
        return next((p for p in self.places if p.quantity.column == column), None)


_NOTES = {
    "ds1_pions": (
        "Full simulation against full simulation has a published AUC of 0.609 (low-level) and "
        "0.558 (high-level) here, not 0.5: the two public files look differently distributed, so "
        "that a model trained on the first and judged on the second cannot do better.",
    )
}


def standing(verdict: Verdict) -> Standing | None:
    """Return where a verdict would stand among the published submissions of its data set.

    Numbers are ranked only if the suite follows the protocol, the reference is taken for the
    challenge's own, and threshold and number of showers are those of the challenge. Otherwise the
    published numbers are background and every place is without a rank.

    *It cannot see* how much a difference matters to an analysis, nor that published errors are
    those of retrainings only.

    Returns:
        None if the detector has not the voxels of a data set of the challenge.
    """
    recognition = recognise(verdict)
    if recognition is None:
        return None
    field = published(recognition.dataset)
    reasons = tuple(_reasons(verdict, recognition))
    places = []
    for quantity in QUANTITIES:
        own = own_value(verdict, quantity)
        if own is not None:
            places.append(_place(verdict, quantity, own, field, ranked=not reasons))
    return Standing(
        recognition=recognition,
        title=dataset(DATASETS[recognition.dataset]).title,
        ranked=not reasons,
        reasons=reasons,
        notes=_NOTES.get(recognition.dataset, ()),
        places=tuple(places),
        field=field,
    )


def _reasons(verdict: Verdict, recognition: Recognition) -> list[str]:
    found = list(recognition.doubts)
    if not verdict.comparable:
        found.append(f'the suite "{verdict.suite}" does not follow the published protocol')
    cut = geometry(DATASETS[recognition.dataset]).threshold
    if not math.isclose(verdict.threshold, cut, rel_tol=1e-3):
        found.append(f"voxels were cut at {verdict.threshold:g} MeV, the challenge cuts at {cut:g}")
    if verdict.generated.events != verdict.reference.events:
        found.append(
            f"{verdict.generated.events:,} generated showers were judged against "
            f"{verdict.reference.events:,}; the published samples have as many as the reference"
        )
    return found


def _place(
    verdict: Verdict,
    quantity: Quantity,
    own: tuple[float, float],
    field: Sequence[Submission],
    *,
    ranked: bool,
) -> Place:
    column = quantity.column
    floor = next((s for s in field if s.is_floor), None)
    origin = floor.value(column) if floor and quantity.better == "nearest" else 0.0
    rivals = [s for s in field if not s.is_floor and math.isfinite(s.value(column))]
    rivals.sort(key=lambda s: _badness(s.value(column), quantity, origin))
    plain = Place(
        quantity=quantity,
        value=own[0],
        error=own[1],
        floor=floor.value(column) if floor else math.nan,
        floor_error=floor.error(column) if floor else math.nan,
        best=rivals[0] if rivals else None,
        rank=None,
        rank_range=None,
        entrants=len(rivals) + 1,
        why_not=_why_not(verdict, quantity, ranked=ranked, rivals=len(rivals)),
    )
    return plain if plain.why_not else _ranked(plain, rivals, origin)


def _why_not(verdict: Verdict, quantity: Quantity, *, ranked: bool, rivals: int) -> str:
    if not ranked:
        return "not ranked: see above"
    if not follows_protocol(verdict, quantity):
        return "not ranked: not measured by the published protocol"
    return "" if rivals else "not ranked: nobody published it"


def _ranked(place: Place, rivals: Sequence[Submission], origin: float) -> Place:
    quantity, own = place.quantity, (place.value, place.error)
    mine = _badness(own[0], quantity, origin)
    rank = 1 + sum(_badness(s.value(quantity.column), quantity, origin) < mine for s in rivals)
    clear = [_apart(own, s, quantity, origin) for s in rivals]
    return replace(
        place,
        rank=rank,
        rank_range=(1 + clear.count("ahead"), place.entrants - clear.count("behind")),
        ahead=rivals[rank - 2].name if rank > 1 else "",
        behind=rivals[rank - 1].name if rank <= len(rivals) else "",
    )


def _badness(value: float, quantity: Quantity, origin: float) -> float:
    return abs(value - origin) if quantity.better == "nearest" else value


def _apart(own: tuple[float, float], other: Submission, quantity: Quantity, origin: float) -> str:
    """Say whether another submission is clearly ahead or behind; ``""`` if errors cannot tell."""
    column = quantity.column
    distance = _badness(other.value(column), quantity, origin) - _badness(own[0], quantity, origin)
    errors = [e for e in (own[1], other.error(column)) if math.isfinite(e)]
    if abs(distance) <= _APART * math.hypot(*errors, 0.0):
        return ""
    return "ahead" if distance < 0 else "behind"
