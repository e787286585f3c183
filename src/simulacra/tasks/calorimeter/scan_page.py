"""A scan as files: numbers, pictures, and one page that shows a shower move."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import numpy as np

from ... import __version__
from ...evaluation import plots
from ...evaluation.report.pictures import Picture, as_png, even
from ...evaluation.wording import quantity
from ...execute import atomic_path, atomic_text
from .scan_result import Compared, Curve, Deviation, Interpolation, Scan

__all__ = ["deviation_rows", "facts", "render_scan", "write_scan"]

_LAYERS = 5
_SHEET_ROWS = 9
_LINES = 6
_DPI = 100
_GROUPS = (
    ("response", "mean response E_tot / E_inc", ("response",)),
    ("fractions", "share of the energy in layer", ("fraction/",)),
    ("depth", "mean depth in layers", ("depth",)),
    ("centres", "centre of gravity [mm]", ("centre_",)),
    ("widths", "width [mm]", ("width_",)),
)


def write_scan(scan: Scan, folder: Path | str) -> list[Path]:
    """Write ``scan.json``, ``scan.html`` and pictures.

    With fixed noise the contact sheet ``sheet.png``, with a reference the means beside it,
    ``compared.png``.

    Each file appears whole or not at all; the page needs no other file and no network.

    Args:
        scan: what was found.
        folder: where the files go; it must exist.

    Returns:
        The files.

    Raises:
        OutputError: if they cannot be written.
    """
    folder = Path(folder)
    atomic_text(folder / "scan.json", json.dumps(scan.to_dict(), indent=1) + "\n")
    atomic_text(folder / "scan.html", render_scan(scan))
    written = [folder / "scan.json", folder / "scan.html"]
    pictures = {}
    if scan.fixed_noise:
        pictures["sheet.png"] = _sheet(scan)
    if scan.interpolation is not None:
        pictures["compared.png"] = _compared_sheet(scan, scan.interpolation)
    for name, picture in pictures.items():
        with atomic_path(folder / name) as path:
            path.write_bytes(picture)
        written.append(folder / name)
    return written


def render_scan(scan: Scan) -> str:
    """Return the page as text; the same scan gives the same text."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.ChoiceLoader(
            [
                jinja2.PackageLoader("simulacra.tasks.calorimeter"),
                jinja2.PackageLoader("simulacra.evaluation"),
            ]
        ),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    script = (files(__package__) / "templates" / "scan.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    compared = scan.interpolation
    return environment.get_template("scan.html").render(
        title=f"{scan.model}: showers against {_words(scan)}",
        lead=_lead(scan),
        version=__version__,
        condition=_words(scan),
        slides=list(_slides(scan)) if scan.fixed_noise else [],
        script=_safe(script),
        script_hash=f"'sha256-{digest}'",
        facts=facts(scan),
        how=_how(scan),
        pictures=list(_pictures(scan)),
        compared=list(_compared(scan, compared)) if compared else [],
        compared_how=_compared_how(scan, compared) if compared else "",
        places=_places(compared) if compared else [],
        rows=deviation_rows(compared) if compared else [],
    )


def facts(scan: Scan) -> list[tuple[str, str]]:
    """Return what a scan found as names and texts: monotonicity, smoothness."""
    found = []
    if scan.monotonicity is not None:
        one = scan.monotonicity
        share = quantity(100 * one.showers, 100 * one.showers_error)
        text = f"{share} % of the showers rise in {one.what} at every step"
        found.append(("monotonicity", f"{text}, as do {100 * one.steps:.4g} % of all steps"))
    if scan.smoothness is not None:
        one_step, largest = scan.smoothness, scan.smoothness.largest
        step = quantity(100 * one_step.step, 100 * one_step.step_error)
        text = f"a step moves {step} % of a shower's energy to other voxels"
        ratio = quantity(largest, one_step.largest_error)
        text += f"; its largest step is {ratio} times its mean one, at worst {one_step.worst:.2f}"
        other = f"{100 * one_step.independent:.3g} % lie in other voxels in another shower"
        found.append(("smoothness", f"{text} ({other})"))
    if scan.left_out is not None:
        low, high = scan.left_out
        found.append(
            ("not trained on", f"{scan.condition} {low:g} to {high:g} {scan.unit}".rstrip())
        )
    kept = ", ".join(f"{name} {value:.6g}" for name, value in scan.others.items())
    found.append(("kept", kept or "nothing else: the model depends on nothing else"))
    found.append(("showers", f"{scan.showers} at each of {len(scan.values)} values"))
    found.append(("seed", str(scan.seed)))
    return found


def deviation_rows(compared: Interpolation) -> list[list[str]]:
    """Return the table of differences: quantity, then difference and pull at each place."""
    rows = []
    for curve in compared.curves:
        mine = {d.place: d for d in compared.deviations if d.name == curve.name}
        cells: list[str] = []
        for place in _places(compared):
            cells += _cells(mine.get(place), curve.unit)
        rows.append([curve.label, *cells])
    return rows


def _cells(found: Deviation | None, unit: str) -> list[str]:
    if found is None:
        return ["not measured", ""]
    return [quantity(found.size, found.size_error, unit), f"{found.pull:.2f}"]


def _places(compared: Interpolation) -> list[str]:
    return ["inside", "outside"] if any(compared.inside) else ["outside"]


def _safe(script: str) -> object:
    from markupsafe import Markup

    return Markup(script)


def _words(scan: Scan) -> str:
    """Return the condition in words."""
    words = {
        "energy": "the incident energy",
        "theta": "the polar angle theta",
        "phi": "the azimuth phi",
        "x": "the impact position x",
        "y": "the impact position y",
        "particle": "the particle",
    }
    return words[scan.condition]


def _lead(scan: Scan) -> str:
    low, high = _value(scan, scan.values[0]), _value(scan, scan.values[-1])
    noise = "the same noise at every value" if scan.fixed_noise else "fresh noise at every value"
    return f"{_words(scan).capitalize()} from {low} to {high}, {noise}, in {scan.geometry.name}."


def _how(scan: Scan) -> str:
    errors = "Bands are one standard error of the mean"
    if scan.fixed_noise:
        return f"{errors}; with the same noise at every value neighbours move together."
    return f"{errors}; every value has showers of its own."


def _compared_how(scan: Scan, compared: Interpolation) -> str:
    band = " inside and outside the band that training left out" if any(compared.inside) else ""
    return (
        f"One shower for each of {compared.events:,} incident particles of {compared.reference}, "
        f"in bins of {_words(scan)}. The table has the root of the mean squared difference over "
        f"the bins{band}, less what statistical errors explain, and the pull (1: they explain all)."
    )


def _value(scan: Scan, value: float) -> str:
    if scan.condition == "energy":
        return f"{value / 1e3:.3g} GeV" if value >= 1e3 else f"{value:.3g} MeV"
    return f"{value:.3g} {scan.unit}".rstrip()


def _positions(scan: Scan) -> list[int]:
    return even(range(len(scan.geometry.layers)), _LAYERS)


def _slides(scan: Scan) -> Iterator[Picture]:
    scale = plots.energy_scale(scan.slides)
    for value, energies in zip(scan.values, scan.slides, strict=True):
        name = _value(scan, value)
        figure = plots.shower_rows(
            energies[None], [name], scan.geometry, _positions(scan), scale=scale
        )
        yield as_png(figure, f"The shower at {name}, layer by layer.", name, palette=True)


def _sheet(scan: Scan) -> bytes:
    rows = even(range(len(scan.values)), _SHEET_ROWS)
    names = [_value(scan, scan.values[row]) for row in rows]
    figure = plots.shower_rows(scan.slides[rows], names, scan.geometry, _positions(scan))
    return plots.png(figure, dpi=_DPI, palette=True)


def _axis(scan: Scan) -> str:
    return f"{scan.condition} [{scan.unit}]" if scan.unit else scan.condition


def _pictures(scan: Scan) -> Iterator[Picture]:
    """Draw the means of each group of quantities."""
    for _, title, starts in _GROUPS:
        chosen = [c for c in scan.curves if c.name.startswith(starts)]
        if not chosen or not any(np.isfinite(c.values).any() for c in chosen):
            continue
        lines = [
            plots.Line(_short(curve), scan.values, curve.values, curve.errors)
            for curve in even(chosen, _LINES)
        ]
        figure = plots.curves(
            lines,
            title=title,
            x_label=_axis(scan),
            log_x=scan.condition == "energy",
            band=scan.left_out,
        )
        yield as_png(figure, f"{title} against {_words(scan)}.", title, palette=True)


def _short(curve: Curve) -> str:
    """Return a name for a legend."""
    _, _, layer = curve.name.partition("/")
    return f"layer {layer}" if layer else curve.name.replace("_", " ")


def _compared(scan: Scan, compared: Interpolation) -> Iterator[Picture]:
    for curve, title, lines in _beside(scan, compared):
        figure = plots.curves(
            lines,
            title=title,
            x_label=_axis(scan),
            log_x=scan.condition == "energy",
            band=scan.left_out,
        )
        alt = f"{curve.label}: reference and {scan.model} in bins of {_words(scan)}."
        yield as_png(figure, alt, title, palette=True)


def _compared_sheet(scan: Scan, compared: Interpolation) -> bytes:
    panels = [(title, lines) for _, title, lines in _beside(scan, compared)]
    figure = plots.curve_panels(
        panels, x_label=_axis(scan), log_x=scan.condition == "energy", band=scan.left_out
    )
    return plots.png(figure, dpi=_DPI, palette=True)


def _beside(
    scan: Scan, compared: Interpolation
) -> Iterator[tuple[Compared, str, list[plots.Line]]]:
    """Give each quantity with its title, the reference's line and the model's."""
    chosen = [c for c in compared.curves if c.name.startswith("fraction/")]
    kept = {c.name for c in even(chosen, _LINES)}
    for curve in compared.curves:
        if curve.name.startswith("fraction/") and curve.name not in kept:
            continue
        if not np.isfinite(curve.reference).any():
            continue
        lines = [
            plots.Line(
                "reference", compared.edges, curve.reference, curve.reference_error, reference=True
            ),
            plots.Line(scan.model, compared.edges, curve.generated, curve.generated_error),
        ]
        yield curve, f"{curve.label} [{curve.unit}]" if curve.unit else curve.label, lines
