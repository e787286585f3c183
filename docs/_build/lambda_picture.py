"""Draw what a likeness term does to a GAN, from the rows of ``benchmarks/lambda_scan.py``.

    python docs/_build/lambda_picture.py validation/lambda-scan.json
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np

mpl.use("agg")

from matplotlib import colormaps
from matplotlib import pyplot as plt

PICTURE = Path(__file__).parents[1] / "images" / "lambda-scan.png"


def picture(rows: list[dict[str, Any]], path: Path) -> None:
    """Draw the variances by readout layer, and the energy response, against lambda."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.8), layout="constrained")
    start, trained = rows[0], rows[1:]
    shades = colormaps["viridis"](np.linspace(0, 0.9, len(trained)))
    variances = [(start, "black", "the regression it starts from")]
    variances += [
        (row, shade, f"{row['lambda']:g}") for row, shade in zip(trained, shades, strict=True)
    ]
    for row, shade, label in variances:
        found = row["variance_ratio_by_layer"]
        left.errorbar(
            np.arange(len(found["value"])), found["value"], found["error"], color=shade, label=label
        )
    left.axhline(1, color="grey", lw=0.8)
    left.set(xlabel="readout layer", ylabel="variance over the simulation's", ylim=(0, None))
    left.legend(title="lambda", fontsize="x-small", ncols=2)
    places = np.arange(len(rows))
    ratio = [row["response_ratio"] for row in rows]
    width = [row["resolution"]["value"] / row["resolution_simulated"]["value"] for row in rows]
    error = [row["resolution"]["error"] / row["resolution_simulated"]["value"] for row in rows]
    values, errors = ([r[key] for r in ratio] for key in ("value", "error"))
    right.errorbar(places, values, errors, fmt="o", label="mean response")
    right.errorbar(places, width, error, fmt="s", label="resolution")
    right.axhline(1, color="grey", lw=0.8)
    labels = ["start", *(f"{row['lambda']:g}" for row in trained)]
    right.set(xlabel="lambda", ylabel="generated over simulated", ylim=(0.85, 1.15))
    right.set_xticks(places, labels)
    right.legend(fontsize="small")
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    found = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    picture(found["rows"], PICTURE)
    sys.stdout.write(f"{PICTURE}\n")
