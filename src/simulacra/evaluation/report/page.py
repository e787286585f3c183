"""The page: sections put together from verdicts, with a policy that lets nothing else in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ... import __version__
from ...data.geometry import Geometry
from ...errors import RangeError, ShapeError
from ...execute import atomic_text
from ..verdict import Verdict
from ..wording import NOT_COMPARABLE, mathematics, quantity
from .cards import read_card
from .compared import SIGNIFICANT, compared
from .curves import roc, training_log
from .diagnosis import diagnoses
from .field import field
from .front import Front
from .observables import correlations, memorisation, observables, overview, profiles
from .regions import regional
from .showers import average_showers, single_showers
from .tables import classifier_table, distance_table, score_table
from .viewer import script, script_hash, viewer
from .words import entry, sample_names

__all__ = ["render_report", "write_report"]

_MANY = 3  # so many names do not fit into a heading
_OPEN_ROWS = 70  # a table of more scores is folded


def write_report(
    verdicts: Sequence[Verdict],
    path: Path,
    *,
    title: str | None = None,
    reference_cards: Sequence[Mapping[str, Any]] = (),
    log: Mapping[str, Any] | None = None,
    front: Front | None = None,
) -> Path:
    """Write the page; it appears whole or not at all.

    Args:
        verdicts: one or more comparisons with the same reference; several stand side by side.
        path: the HTML file.
        title: heading of the page.
        reference_cards: what cards of shipped models say, each plain data with ``name`` and
            either ``verdict`` (a :meth:`Verdict.to_dict`) or ``scores`` (a list of scores as in a
            verdict), and optionally ``description``, ``suite_label``, ``comparable``,
            ``timing``, ``training``; everything else is listed as it is.
        log: of the training: columns of equal length (drawn against the first one) and single
            facts.
        front: a table and pictures that come first.

    Returns:
        ``path``.

    Raises:
        RangeError: if there is no verdict or they have different references or thresholds.
        ShapeError: if they are of different detectors.
        OutputError: if the file cannot be written.
    """
    page = render_report(
        verdicts, title=title, reference_cards=reference_cards, log=log, front=front
    )
    atomic_text(path, page)
    return Path(path)


def render_report(
    verdicts: Sequence[Verdict],
    *,
    title: str | None = None,
    reference_cards: Sequence[Mapping[str, Any]] = (),
    log: Mapping[str, Any] | None = None,
    front: Front | None = None,
) -> str:
    """Return the page of :func:`write_report` as text; the same verdicts give the same text."""
    import jinja2

    _refuse_strangers(verdicts)
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("simulacra.evaluation"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(mathematics=mathematics, quantity=quantity)
    first, names = verdicts[0], sample_names(verdicts)
    return environment.get_template("page.html").render(
        title=title or f"Judged showers: {_few(names)}",
        version=__version__,
        not_comparable=NOT_COMPARABLE,
        first=first,
        layers=len(Geometry.from_dict(dict(first.geometry)).layers),
        names=names,
        entries=[entry(v, name) for v, name in zip(verdicts, names, strict=True)],
        cards=[read_card(card) for card in reference_cards],
        field=field(verdicts, names),
        compared=compared(verdicts) if len(verdicts) > 1 else [],
        significant=SIGNIFICANT,
        regions=regional(verdicts, names),
        viewer=viewer(verdicts, names),
        script=script(),
        script_hash=script_hash(),
        examples=single_showers(verdicts, names),
        images=average_showers(verdicts, names),
        families=observables(verdicts, names),
        profiles=profiles(verdicts, names),
        correlations=correlations(verdicts, names),
        diagnoses=diagnoses(verdicts, names),
        memorisation=memorisation(verdicts, names),
        overview=overview(verdicts, names),
        classifiers=classifier_table(verdicts, names),
        distances=distance_table(verdicts),
        table=score_table(verdicts),
        roc=roc(verdicts, names),
        log=training_log(log),
        front=front,
        open_rows=_OPEN_ROWS,
    )


def _few(names: Sequence[str]) -> str:
    return ", ".join(names) if len(names) < _MANY else f"{len(names)} samples"


def _refuse_strangers(verdicts: Sequence[Verdict]) -> None:
    if not verdicts:
        raise RangeError("expected at least one verdict to report, got none.")
    first = verdicts[0]
    detector = Geometry.from_dict(dict(first.geometry))
    for other in verdicts[1:]:
        found = Geometry.from_dict(dict(other.geometry))
        if found.digest != detector.digest:
            raise ShapeError(
                f'expected verdicts on one detector, got "{detector.name}" and "{found.name}"; '
                "write one page for each."
            )
        for what, a, b in (
            ("reference", first.reference.sha256, other.reference.sha256),
            ("number of reference showers", first.reference.events, other.reference.events),
            ("threshold in MeV", first.threshold, other.threshold),
        ):
            if a != b:
                raise RangeError(
                    f"expected verdicts that share their reference, found a different {what} "
                    f"({a} and {b}); numbers against different references do not stand side by "
                    "side: write one page for each."
                )
