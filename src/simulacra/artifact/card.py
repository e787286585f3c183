"""The model card: what the manifest says, for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["card"]


def card(manifest: Mapping[str, Any]) -> str:
    """Return the Markdown card of a manifest: validity, training data, scores, known failures."""
    sections = [
        f"# {manifest.get('name', 'surrogate')}",
        str(manifest.get("summary", "")),
        "## Valid for",
        *_lines(manifest.get("validity", {})),
        "## Trained on",
        *_lines(manifest.get("training", {})),
        "## Scores",
        *_scores(manifest.get("scores", [])),
        "## Speed",
        *_lines(manifest.get("timing", {})),
        "## Known failures",
        *[f"- {line}" for line in manifest.get("known_failures", ["none stated"])],
        "## Licence",
        str(manifest.get("licence", "not stated")),
        "## How it was made",
        *_lines({"command": manifest.get("command", "not recorded"), **_versions(manifest)}),
    ]
    return "\n\n".join(_join(sections)) + "\n"


def _versions(manifest: Mapping[str, Any]) -> dict[str, Any]:
    return {key: manifest[key] for key in ("package", "noise_law", "seed") if key in manifest}


def _lines(entries: Mapping[str, Any]) -> list[str]:
    found = [f"- {key.replace('_', ' ')}: {_in_words(value)}" for key, value in entries.items()]
    return found or ["- not stated"]


def _in_words(value: Any) -> str:
    """Write ranges with their units and nested facts without Python's braces."""
    if not isinstance(value, Mapping):
        return str(value)
    return "; ".join(f"{name} {_range(name, inside)}" for name, inside in value.items())


def _range(name: str, value: Any) -> str:
    if not isinstance(value, list | tuple):
        return str(value)
    unit = _UNITS.get(name, "")
    return f"{value[0]:g} to {value[1]:g} {unit}".rstrip()


_UNITS = {"incident_energy": "MeV", "theta": "rad", "phi": "rad", "x": "mm", "y": "mm"}


def _scores(scores: list[Mapping[str, Any]]) -> list[str]:
    if not scores:
        return ["- not judged yet; run `simulacra evaluate`"]
    head = ["| score | value | error | floor | protocol |", "|---|---|---|---|---|"]
    rows = [
        f"| {s['label']} | {s['value']:.4g} | {_number(s.get('error'))} "
        f"| {_number(s.get('floor'))} | {s.get('protocol', '')} |"
        for s in scores
    ]
    return head + rows


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _join(sections: list[str]) -> list[str]:
    """Keep lists and tables in one block, so that Markdown sees them as one."""
    blocks: list[str] = []
    for line in sections:
        together = blocks and line[:1] in "-|" and blocks[-1].splitlines()[-1][:1] == line[:1]
        if together:
            blocks[-1] += "\n" + line
        else:
            blocks.append(line)
    return blocks
