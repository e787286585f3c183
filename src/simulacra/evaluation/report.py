# ruff: noqa: RUF001 (Greek letters, the minus sign and the dash are written as they are)
"""One page for people: verdicts as a self-contained HTML file that opens from disk, offline.

The page is filled from verdicts alone. Nothing is measured here; pictures come from
:mod:`~simulacra.evaluation.plots`, words and numbers from the verdict, and every text that a file
brought along is escaped.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import __version__
from ..data.geometry import Geometry
from ..errors import RangeError, ShapeError
from ..execute import atomic_text
from . import plots
from .verdict import FileInfo, Histogram, Score, Verdict
from .wording import NOT_COMPARABLE, excess, facts, mathematics, quantity

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Family", "Picture", "render_report", "write_report"]

_OPEN_LAYERS = 3  # shown at once where a quantity has many layers
_MORE_LAYERS = 3  # further ones behind a fold
_FEW_LAYERS = 8  # detectors with at most this many layers are shown whole
_IMAGE_LAYERS = 5
_ROWS = 24  # rows of the overview picture
_OPEN_ROWS = 70  # a table of more scores is folded
_MOST_EXAMPLES = 4
_MOST_HISTOGRAMS = 90

_FAMILIES = {
    "total_energy_ratio": "Energy response",
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
    "separation": "Separation power",
}

_OWN_MS = ("ms_per_shower", "milliseconds_per_shower")
_FULL_MS = ("full_simulation_ms_per_shower", "full_simulation_milliseconds_per_shower")


def write_report(
    verdicts: Sequence[Verdict],
    path: Path,
    *,
    title: str | None = None,
    reference_cards: Sequence[Mapping[str, Any]] = (),
    log: Mapping[str, Any] | None = None,
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

    Returns:
        ``path``.

    Raises:
        RangeError: if there is no verdict or they have different references or thresholds.
        ShapeError: if they are of different detectors.
        OutputError: if the file cannot be written.
    """
    atomic_text(
        path, render_report(verdicts, title=title, reference_cards=reference_cards, log=log)
    )
    return Path(path)


def render_report(
    verdicts: Sequence[Verdict],
    *,
    title: str | None = None,
    reference_cards: Sequence[Mapping[str, Any]] = (),
    log: Mapping[str, Any] | None = None,
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
    first, names = verdicts[0], _names(verdicts)
    return environment.get_template("page.html").render(
        title=title or f"Judged showers: {', '.join(names)}",
        version=__version__,
        not_comparable=NOT_COMPARABLE,
        first=first,
        layers=len(Geometry.from_dict(dict(first.geometry)).layers),
        entries=[_entry(v, name) for v, name in zip(verdicts, names, strict=True)],
        cards=[_card(card) for card in reference_cards],
        images=_images(verdicts, names),
        examples=_examples(verdicts, names),
        families=_observables(verdicts, names),
        overview=_overview(verdicts, names),
        table=_table(verdicts),
        names=names,
        roc=_roc(verdicts, names),
        log=_log(log),
        open_rows=_OPEN_ROWS,
    )


@dataclass(frozen=True)
class Picture:
    """An embedded picture with its words.

    Args:
        source: data URI.
        alt: what one would see, for those who cannot.
        caption: what is shown and how to read it.
        width: natural width in pixels of the page.
        height: natural height.
        cells: score of each judged sample, in words, with the label of its standing.
    """

    source: str
    alt: str
    caption: str
    width: int
    height: int
    cells: tuple[_Cell, ...] = ()


@dataclass(frozen=True)
class Family:
    """Pictures of one quantity: some at once, some behind a fold, the rest in the table only."""

    title: str
    shown: list[Picture] = field(default_factory=list)
    folded: list[Picture] = field(default_factory=list)
    left_out: int = 0


@dataclass(frozen=True)
class _Cell:
    """One score on the page; ``score`` is None where a sample does not have it."""

    score: Score | None
    name: str = ""

    @property
    def text(self) -> str:
        if self.score is None:
            return "–"
        return quantity(self.score.value, self.score.error, self.score.unit)

    @property
    def floor(self) -> str:
        if self.score is None or self.score.floor is None:
            return "unknown"
        return quantity(self.score.floor, self.score.floor_error, self.score.unit)

    @property
    def excess(self) -> float | None:
        s = self.score
        return None if s is None else excess(s.value, s.error, s.floor, s.floor_error)

    @property
    def excess_text(self) -> str:
        if self.excess is None:
            return "–"
        return f"{round(self.excess, 1) + 0.0:+.1f} σ".replace("-", "−")

    @property
    def level(self) -> str:
        """How far above the floor: ``fine``, ``visible`` or ``strong``; ``""`` if unknown."""
        if self.excess is None:
            return ""
        return "fine" if self.excess < 3 else "visible" if self.excess < 10 else "strong"

    @property
    def comparable(self) -> bool:
        return self.score is not None and self.score.comparable


@dataclass(frozen=True)
class _Gauge:
    """An area under the curve on a line from 0.5 to 1; places in percent of the line."""

    cell: _Cell
    place: float
    low: float
    high: float
    floor: float | None

    @classmethod
    def of(cls, score: Score) -> _Gauge:
        def at(value: float) -> float:
            return round(100 * min(max((value - 0.45) / 0.55, 0.0), 1.0), 2)

        value = score.value if math.isfinite(score.value) else 0.5
        error = score.error if math.isfinite(score.error) else 0.0
        floor = at(score.floor) if score.floor is not None else None
        return cls(_Cell(score), at(value), at(value - error), at(value + error), floor)


def _entry(verdict: Verdict, name: str) -> dict[str, Any]:
    """Everything that the page says about one verdict in words."""
    aucs = [score for score in verdict.scores if score.name.startswith("auc/")]
    others = sorted(
        (_Cell(s) for s in verdict.scores if not s.name.startswith("auc/")),
        key=lambda cell: -(cell.excess if cell.excess is not None else -math.inf),
    )
    return {
        "name": name,
        "verdict": verdict,
        "gauges": [_Gauge.of(score) for score in aucs],
        "sentence": _sentence(aucs),
        "worst": [cell for cell in others if cell.excess is not None][:3],
        "speed": _speed(verdict.timing, verdict.reference.provenance),
        "timing": facts(verdict.timing) if verdict.timing else [],
        "files": [_file(f) for f in (verdict.generated, verdict.reference) if f],
        "training": _file(verdict.training) if verdict.training else None,
        "classifiers": [
            (record, facts(record.settings), ", ".join(f"{auc:.4f}" for auc in record.fold_aucs))
            for record in verdict.classifiers
        ],
    }


def _sentence(aucs: Sequence[Score]) -> str:
    known = [score for score in aucs if math.isfinite(score.value)]
    if not known:
        return "No classifier was trained: the verdict rests on histograms alone."
    best = max(known, key=lambda score: score.value)
    return (
        f"Shown one full-simulation shower and one generated shower, the sharper classifier "
        f"({best.label.removeprefix('AUC, ')}) names the generated one in "
        f"{100 * best.value:.0f} of 100 pairs; 50 would be guessing."
    )


def _file(info: FileInfo) -> dict[str, Any]:
    return {"info": info, "facts": facts(info.provenance)}


def _speed(timing: Mapping[str, Any] | None, origin: Mapping[str, Any]) -> dict[str, str]:
    """Milliseconds per shower of the generator and of the full simulation, in words."""
    timing = timing or {}
    own, full = _number(timing, _OWN_MS), _number(timing, _FULL_MS)
    stated = _number(origin, _FULL_MS)
    per_gev = _number({**origin, **timing}, ("full_simulation_ms_per_gev",))
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


def _number(plain: Mapping[str, Any], names: Iterable[str]) -> float | None:
    for name in names:
        value = plain.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
    return None


def _card(card: Mapping[str, Any]) -> dict[str, Any]:
    """Read what a model card says, in the form of :func:`write_report`."""
    inside = card.get("verdict")
    told = {**inside, **card} if isinstance(inside, Mapping) else dict(card)
    comparable = told.get("comparable") is True
    raw = told.get("scores") or ()
    scores = [_card_score(item, comparable) for item in raw if isinstance(item, Mapping)]
    timing = told.get("timing")
    known = {"name", "description", "verdict", "scores", "suite_label", "comparable", "timing"}
    return {
        "name": str(told.get("name", "unnamed model")),
        "description": str(told.get("description", "")),
        "suite_label": str(told.get("suite_label", "")),
        "comparable": comparable,
        "gauges": [_Gauge.of(score) for score in scores if score.name.startswith("auc/")],
        "scores": [_Cell(score) for score in scores],
        "timing": facts(timing) if isinstance(timing, Mapping) else [],
        "facts": facts({key: value for key, value in card.items() if key not in known}),
    }


def _card_score(raw: Mapping[str, Any], comparable: bool) -> Score:
    def number(key: str) -> float | None:
        return _number(raw, (key,))

    value, error = number("value"), number("error")
    name = str(raw.get("name", ""))
    return Score(
        name=name,
        label=str(raw.get("label", name)),
        value=math.nan if value is None else value,
        error=math.nan if error is None else error,
        floor=number("floor"),
        floor_error=number("floor_error"),
        layer=None,
        unit=str(raw.get("unit", "")),
        protocol=str(raw.get("protocol", "")),
        comparable=bool(raw.get("comparable", comparable)) and comparable,
        cannot_see=str(raw.get("cannot_see", "")),
    )


def _images(verdicts: Sequence[Verdict], names: Sequence[str]) -> Family:
    """Mean showers: a bounded selection of layers, each judged sample below the other."""
    at_hand = [image.layer for image in verdicts[0].images]
    shown, folded, left_out = _selection(at_hand, _IMAGE_LAYERS, _MORE_LAYERS, None)
    depths = _depths(verdicts[0])

    def pictures(layers: Sequence[int]) -> list[Picture]:
        found = []
        for layer in layers:
            for verdict, name in zip(verdicts, names, strict=True):
                for image in verdict.images:
                    if image.layer == layer:
                        where = f"Layer {layer}{depths.get(layer, '')}"
                        found.append(
                            _mean_picture(plots.mean_image(image, name), where, name, image)
                        )
        return found

    return Family("Average showers", pictures(shown), pictures(folded), left_out)


def _mean_picture(figure: Figure, where: str, name: str, image: Any) -> Picture:
    warped = plots.compressed(image.r_edges)
    scale = "; radial axis compressed outwards so that every ring is seen" if warped else ""
    return _png(
        figure,
        f"{where}: polar images of the mean energy per voxel in MeV of the reference, of {name}, "
        "and of their difference.",
        f"{where}, {name}{scale}.",
    )


def _depths(verdict: Verdict) -> dict[int, str]:
    layers = Geometry.from_dict(dict(verdict.geometry)).layers
    return {
        layer.identity: f" ({layer.z_min:g} to {layer.z_max:g} mm deep)"
        for layer in layers
        if not (math.isnan(layer.z_min) or math.isnan(layer.z_max))
    }


def _examples(verdicts: Sequence[Verdict], names: Sequence[str]) -> Family:
    """Single showers: the same number from each judged sample, in evenly chosen layers."""
    geometry = Geometry.from_dict(dict(verdicts[0].geometry))
    positions = _even(range(len(geometry.layers)), _IMAGE_LAYERS)
    each = max(1, _MOST_EXAMPLES // len(verdicts))
    found, left_out = [], 0
    for verdict, name in zip(verdicts, names, strict=True):
        left_out += max(0, len(verdict.examples) - each)
        for example in _even(verdict.examples, each):
            energy = quantity(example.reference_incident_energy / 1e3, unit="GeV")
            pair = f"rows {example.reference_index} and {example.generated_index}"
            found.append(
                _png(
                    plots.example_shower(example, geometry, positions, name),
                    f"Polar images per layer of one reference shower of {energy} above one of "
                    f"{name} of about the same incident energy.",
                    f"Incident energy {energy}: reference above, {name} below ({pair} of the "
                    "files).",
                )
            )
    return Family("Single showers", found, [], left_out)


def _observables(verdicts: Sequence[Verdict], names: Sequence[str]) -> list[Family]:
    """Histograms by quantity; where there are many layers, evenly chosen ones and the worst."""
    grouped: dict[str, list[Histogram]] = {}
    for histogram in _first_of_each(verdicts, lambda v: v.histograms):
        grouped.setdefault(histogram.name.split("/")[0], []).append(histogram)
    few = sum(len(group) for group in grouped.values()) <= _MOST_HISTOGRAMS // 2
    families = []
    for key, group in grouped.items():
        at_once = _FEW_LAYERS if few else _OPEN_LAYERS
        worst = max(group, key=lambda h: _excess_of(h.separation))
        shown, folded, left_out = _selection(group, at_once, _MORE_LAYERS, worst)
        families.append(
            Family(
                _family_title(key),
                [p for h in shown for p in _observable_pictures(h.name, verdicts, names)],
                [p for h in folded for p in _observable_pictures(h.name, verdicts, names)],
                left_out,
            )
        )
    return families


def _observable_pictures(
    name: str, verdicts: Sequence[Verdict], names: Sequence[str]
) -> Iterator[Picture]:
    """One picture for all samples whose histograms have the same bins, else one for each."""
    having = [
        (h, label)
        for verdict, label in zip(verdicts, names, strict=True)
        for h in verdict.histograms
        if h.name == name
    ]
    by_bins: dict[tuple[float, ...], list[tuple[Histogram, str]]] = {}
    for pair in having:
        by_bins.setdefault(pair[0].edges, []).append(pair)
    for pairs in by_bins.values():
        histograms, labels = [h for h, _ in pairs], [label for _, label in pairs]
        first = histograms[0]
        what = first.name.replace("_", " ").replace("/", " of layer ")
        yield _png(
            plots.observable(histograms, labels),
            f"Histogram of {what}: reference and {', '.join(labels)} as step lines with error "
            "bands, their ratio below.",
            _outside(histograms),
            palette=True,
            cells=tuple(_Cell(h.separation, label) for h, label in pairs if h.separation),
        )


def _outside(histograms: Sequence[Histogram]) -> str:
    """Say how much lies outside the bins, where it is more than one in a thousand."""
    lost = [sum(histograms[0].reference_outside), *(sum(h.generated_outside) for h in histograms)]
    if max(lost) < 1e-3:
        return ""
    of_generated = ", ".join(f"{100 * part:.2g} %" for part in lost[1:])
    return f"Outside the range: reference {100 * lost[0]:.2g} %, generated {of_generated}."


def _overview(verdicts: Sequence[Verdict], names: Sequence[str]) -> Picture | None:
    """The separation powers farthest above their floors, in one picture."""
    scores = [
        score
        for score in _first_of_each(verdicts, lambda v: v.scores)
        if score.name.startswith("separation")
    ]
    if not scores:
        return None
    rows = [[_score(verdict, score.name) for verdict in verdicts] for score in scores]
    rows.sort(key=lambda row: -max(_excess_of(score) for score in row))
    comparable = all(score.comparable for row in rows for score in row if score)
    standing = "" if comparable else f" Numbers of a quick verdict: {NOT_COMPARABLE}."
    note = f"The {_ROWS} farthest above their floors of {len(rows)}. " if len(rows) > _ROWS else ""
    return _svg(
        plots.separations(rows[:_ROWS], names),
        "Separation power of each observable with its error, beside the grey range that two "
        "reference samples reach.",
        f"{note}Points inside the grey bar cannot be told from full simulation by this number."
        f"{standing}",
    )


def _table(verdicts: Sequence[Verdict]) -> list[dict[str, Any]]:
    """Scores by kind; within a kind everything shares its protocol and its blindness."""
    groups: dict[tuple[str, str, str, str], list[Score]] = {}
    for score in _first_of_each(verdicts, lambda v: v.scores):
        kind, _, rest = score.name.partition("/")
        family = rest.split("/")[0] if kind != "auc" else ""
        key = (kind, family, score.protocol, score.cannot_see)
        groups.setdefault(key, []).append(score)
    return [
        {
            "title": _family_title(kind) + (f": {_lower(_family_title(family))}" * bool(family)),
            "protocol": protocol,
            "cannot_see": cannot_see,
            "floor_from": scores[0].floor_from,
            "rows": [
                (score, [_Cell(_score(verdict, score.name)) for verdict in verdicts])
                for score in scores
            ],
        }
        for (kind, family, protocol, cannot_see), scores in groups.items()
    ]


def _roc(verdicts: Sequence[Verdict], names: Sequence[str]) -> Picture | None:
    curves, labels = [], []
    for verdict, name in zip(verdicts, names, strict=True):
        for curve in verdict.curves:
            score = _score(verdict, curve.name.replace("roc", "auc", 1))
            owner = f"{name}, " if len(verdicts) > 1 else ""
            area = f": AUC {quantity(score.value, score.error)}" if score else ""
            comparable = verdict.comparable and (score is None or score.comparable)
            standing = "" if comparable else f" ({NOT_COMPARABLE})"
            curves.append(curve)
            labels.append(f"{owner}{curve.label}{area}{standing}")
    if not curves:
        return None
    return _svg(
        plots.roc(curves, labels),
        f"Receiver operating characteristics: {'; '.join(labels)}.",
        "The farther a curve bends away from the dotted diagonal, the better the classifier "
        "tells generated from reference showers; bands are one standard deviation.",
    )


def _log(log: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Training log: columns of one length become curves, the rest facts."""
    if not log:
        return None
    columns = [(key, list(map(float, values))) for key, values in log.items() if _numbers(values)]
    columns = [c for c in columns if len(c[1]) == len(columns[0][1])][:7]
    rest = {key: value for key, value in log.items() if key not in dict(columns)}
    picture = None
    if len(columns) > 1:
        others = ", ".join(name.replace("_", " ") for name, _ in columns[1:])
        picture = _svg(
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


def _selection(
    items: Sequence[Any], at_once: int, folded: int, always: Any
) -> tuple[list[Any], list[Any], int]:
    """Choose evenly what is shown, what is folded, and count the rest; order is kept."""
    if len(items) <= max(at_once, _FEW_LAYERS if at_once > _OPEN_LAYERS else at_once):
        return list(items), [], 0
    shown = _even(items, at_once)
    if always is not None and always not in shown:
        shown = [item for item in items if item in shown or item is always]
    rest = [item for item in items if item not in shown]
    more = _even(rest, folded)
    return shown, more, len(rest) - len(more)


def _even(items: Sequence[Any], number: int) -> list[Any]:
    if len(items) <= number:
        return list(items)
    if number == 1:
        return [items[len(items) // 2]]
    return [items[round(k * (len(items) - 1) / (number - 1))] for k in range(number)]


def _first_of_each(
    verdicts: Sequence[Verdict], part: Callable[[Verdict], Iterable[Any]]
) -> list[Any]:
    """Everything that some verdict has, once by name, in order of appearance."""
    found: dict[str, Any] = {}
    for verdict in verdicts:
        for item in part(verdict):
            found.setdefault(item.name, item)
    return list(found.values())


def _score(verdict: Verdict, name: str) -> Score | None:
    return next((score for score in verdict.scores if score.name == name), None)


def _excess_of(score: Score | None) -> float:
    found = _Cell(score).excess
    return -math.inf if found is None else found


def _family_title(key: str) -> str:
    return _FAMILIES.get(key, key.replace("_", " ").capitalize())


def _lower(title: str) -> str:
    return title[:1].lower() + title[1:]


def _names(verdicts: Sequence[Verdict]) -> list[str]:
    """File names of the judged samples, numbered where two are the same."""
    plain = [verdict.generated.name or "generated" for verdict in verdicts]
    return [
        f"{name} ({number})" if plain.count(name) > 1 else name
        for number, name in enumerate(plain, 1)
    ]


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


def _png(
    figure: Figure,
    alt: str,
    caption: str,
    *,
    palette: bool = False,
    cells: tuple[_Cell, ...] = (),
) -> Picture:
    return _picture(figure, "image/png", plots.png(figure, palette=palette), alt, caption, cells)


def _svg(figure: Figure, alt: str, caption: str) -> Picture:
    return _picture(figure, "image/svg+xml", plots.svg(figure), alt, caption)


def _picture(
    figure: Figure,
    kind: str,
    content: bytes,
    alt: str,
    caption: str,
    cells: tuple[_Cell, ...] = (),
) -> Picture:
    width, height = (round(100 * inches) for inches in figure.get_size_inches())
    source = f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"
    return Picture(source, alt, caption, width, height, cells)
