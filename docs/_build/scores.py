"""Write the README's table of scores from the cards of the models that ship (``make table``)."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

README = Path(__file__).parents[2] / "README.md"
BEGIN, END = "<!-- scores -->\n", "<!-- /scores -->"
LAYOUT = "calochallenge-1-photons"
COLUMNS = {"auc/low_level": "AUC low-level", "auc/high_level": "AUC high-level"}

# O. Amram et al., "CaloChallenge 2022", 2024, arXiv:2410.21611; data set 1, photons, on the
# challenge's own detector, 121,000 showers of each kind.
PUBLISHED = {
    "*full simulation against itself*": (0.499, 0.499),
    "*CaloDiffusion*": (0.635, 0.536),
    "*CaloINN*": (0.626, 0.638),
    "*CaloFlow, student*": (0.761, 0.667),
    "*BoloGAN*": (0.927, 0.966),
}


def table(manifests: list[Mapping[str, Any]]) -> str:
    """Return the table: our models of the published layout, by what they were judged, the field."""
    names = " | ".join(COLUMNS.values())
    lines = [f"| model | {names} | normalised ms per shower | judged by |", "|---|---|---|---|---|"]
    for manifest in manifests:
        if manifest["validity"]["geometry"] != LAYOUT:
            continue
        scores = {score["name"]: score for score in manifest["scores"]}
        cells = [_cell(scores[name]) if name in scores else "not judged yet" for name in COLUMNS]
        time = manifest.get("timing", {}).get("normalised_ms_at_batch_1000", "")
        judged = manifest.get("suite_label", "")
        lines.append(f"| `{manifest['name']}` | {' | '.join(cells)} | {time} | {judged} |")
    for name, values in PUBLISHED.items():
        numbers = " | ".join(f"{v:.3f}" for v in values)
        lines.append(f"| {name}, published | {numbers} | | the CaloChallenge |")
    return "\n".join(lines) + "\n"


def _cell(score: Mapping[str, Any]) -> str:
    floor = "" if score.get("floor") is None else f" (floor {score['floor']:.3f})"
    return f"{score['value']:.3f} ± {score['error']:.3f}{floor}"


def filled(text: str, manifests: list[Mapping[str, Any]]) -> str:
    """Return the README with its table written again."""
    before, rest = text.split(BEGIN)
    return before + BEGIN + table(manifests) + END + rest.split(END)[1]


if __name__ == "__main__":
    from simulacra.tasks.calorimeter.shipped import manifests

    README.write_text(filled(README.read_text(encoding="utf-8"), manifests()), encoding="utf-8")
    sys.stdout.write(f"{README}: table of scores written\n")
