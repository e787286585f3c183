"""Train the official classifiers and ours on the same showers; compare their areas.

    python validation/compare_trainings.py photons-train.hdf5 --homepage CHECKOUT \
        --python SCRATCH/bin/python --out trainings.json

Trainings draw their own numbers, so only means over seeds can agree. The first showers of the file,
each voxel multiplied by a random factor, play the generated ones, the next as many the reference.
Both sides split 60/20/20 %, train equally long and keep their best epoch; ours once with all
products in float32 and once in bfloat16. Prints mean, error of the mean and the difference in its
own errors.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from simulacra.classify.comparison import tell_apart
from simulacra.classify.settings import ClassifierConfig
from simulacra.data import VoxelShowers, open_showers, write_showers
from simulacra.evaluation.observables import high_level_inputs, low_level_inputs, observe

LAYOUT = "calochallenge-1-photons"
CLASSIFIERS = ("low_level", "high_level")
PRECISIONS: tuple[Literal["float32", "bfloat16"], ...] = ("float32", "bfloat16")
KINDS = {"auc": "fold_aucs", "auc_calibrated": "fold_calibrated", "jsd": "fold_jsds"}


def smeared(showers: VoxelShowers, width: float) -> VoxelShowers:
    """Multiply each voxel by a log-normal factor of mean 1 and the given width."""
    factor = np.random.default_rng(0).normal(size=showers.energies.shape) * width - width**2 / 2
    return replace(showers, energies=(showers.energies * np.exp(factor)).astype(np.float32))


def official_scores(folder: Path, given: argparse.Namespace) -> dict[str, Any]:
    """Train the official classifiers in their own interpreter."""
    out = folder / "official.json"
    files = [str(folder / f"{role}.hdf5") for role in ("generated", "reference")]
    command = [given.python, str(Path(__file__).with_name("run_official.py")), *files]
    command += ["--dataset", "1-photons", "--out", str(out), "--homepage", str(given.homepage)]
    command += ["--homepage-commit", given.homepage_commit, "--threads", str(given.threads)]
    command += ["--classifier", *CLASSIFIERS, "--epochs", str(given.epochs), "--stages"]
    command += ["--seeds", *map(str, range(given.seeds))]
    subprocess.run(command, check=True)
    result: dict[str, Any] = json.loads(out.read_text())
    return result


def our_scores(
    inputs: Sequence[Any], precision: Literal["float32", "bfloat16"], given: argparse.Namespace
) -> dict[str, list[float]]:
    """Train our classifiers; the generated showers have label 0 as in the challenge."""
    config = ClassifierConfig(
        epochs=given.epochs, retrainings=given.seeds, precision=precision, threads=given.threads
    )
    generated, reference = inputs
    found = tell_apart(reference, generated, config, seed=0)
    return {kind: list(getattr(found.areas, name)) for kind, name in KINDS.items()}


def mean_and_error(values: Sequence[float]) -> tuple[float, float]:
    """Return the mean of some retrainings and its error."""
    return float(np.mean(values)), float(np.std(values, ddof=1) / len(values) ** 0.5)


def main() -> None:
    """Train both sides and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path, help="showers in the layout of data set 1, photons")
    parser.add_argument("--showers", type=int, default=6_000, help="of each side")
    parser.add_argument("--smear", type=float, default=0.3, help="width of the voxels' factors")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--homepage", type=Path, required=True, help="CaloChallenge/homepage")
    parser.add_argument("--homepage-commit", default="")
    parser.add_argument("--python", default=sys.executable, help="interpreter of the program")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    file = open_showers(given.file, geometry=LAYOUT)
    generated = smeared(file.read(0, given.showers), given.smear)
    samples = (generated, file.read(given.showers, 2 * given.showers))
    cut = generated.geometry.threshold
    shown: dict[str, list[Any]] = {
        "low_level": [low_level_inputs(sample, threshold=cut) for sample in samples],
        "high_level": [high_level_inputs(observe(sample, threshold=cut)) for sample in samples],
    }
    scores: dict[str, dict[str, Any]] = {name: {} for name in CLASSIFIERS}
    for name in CLASSIFIERS:
        for precision in PRECISIONS:
            scores[name][precision] = our_scores(shown[name], precision, given)
    with tempfile.TemporaryDirectory() as folder:
        for role, sample in zip(("generated", "reference"), samples, strict=True):
            write_showers(Path(folder) / f"{role}.hdf5", sample)
        official = official_scores(Path(folder), given)
    for name, runs in official["classifiers"].items():
        scores[name]["official"] = {kind: [run[kind] for run in runs] for kind in KINDS}
    settings = {name: str(value) for name, value in vars(given).items() if name != "out"}
    given.out.write_text(json.dumps({"settings": settings, "scores": scores}, indent=1) + "\n")
    print("| classifier | score | official | float32 | bfloat16 | differences in errors |")
    print("|---|---|---|---|---|---|")
    for name, sides in scores.items():
        for kind in KINDS:
            theirs, *ours = (
                mean_and_error(sides[side][kind]) for side in ("official", *PRECISIONS)
            )
            pulls = [(m - theirs[0]) / np.hypot(e, theirs[1]) for m, e in ours]
            cells = [f"{mean:.4f} +- {error:.4f}" for mean, error in (theirs, *ours)]
            apart = " ".join(f"{pull:+.1f}" for pull in pulls)
            print(f"| {name} | {kind} | {' | '.join(cells)} | {apart} |")


if __name__ == "__main__":
    main()
