"""Draw the README's picture from the shipped model (``python docs/_build/pictures.py``)."""

from __future__ import annotations

import sys
from pathlib import Path

import simulacra
from simulacra.evaluation import plots
from simulacra.evaluation.suite import QUICK

IMAGES = Path(__file__).parents[1] / "images"


def main() -> None:
    """Draw as many showers as the embedded test set has, and compare; no classifiers."""
    truth = simulacra.read_showers(simulacra.embedded("photons-test"))
    model = simulacra.load("photons")
    drawn = model.sample(truth.incident_energy, seed=1, workers=2)
    suite = QUICK.updated(classifiers=(), examples=1, bootstrap=2)
    verdict = simulacra.evaluate(drawn, truth, suite=suite)
    image = next(image for image in verdict.images if image.layer == 2)
    figure = plots.mean_image(image, "photons, surrogate")
    IMAGES.mkdir(exist_ok=True)
    (IMAGES / "mean-shower.png").write_bytes(plots.png(figure, dpi=100, palette=True))
    sys.stdout.write(f"{IMAGES / 'mean-shower.png'}\n")


if __name__ == "__main__":
    main()
