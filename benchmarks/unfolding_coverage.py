"""How often unfolded errors hold the truth: pseudo-experiments on the Gaussian closed form.

    python benchmarks/unfolding_coverage.py [METHOD ...] [--experiments N] [--data N]
        [--simulated N] [--set KEY=VALUE] [--seed N] [--json FILE]

Every experiment draws a simulation and data of its own, unfolds them with bootstrap errors of its
own, and counts in which bins the stated 68 % interval holds the expected truth. METHOD is a recipe
of ``simulacra unfold``. Nine bins; truth N(0.3, 0.9), simulation N(0, 1), detector N(0, 0.5).
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np

from simulacra.config import apply_settings
from simulacra.random import Stream, generator
from simulacra.tasks.unfolding import (
    Expected,
    GaussianToy,
    Unfolding,
    coverage,
    method_config,
    unfolder,
)

EDGES = np.linspace(-1.5, 2.1, 10)
TOY = GaussianToy()


def measure(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """Return what the experiments with one method found."""
    config = apply_settings(method_config(name), options.settings)
    if "edges" in type(config).model_fields:
        config = config.updated(edges={"x": list(EDGES)})
    truth = {"x": Expected(TOY.truth_in(EDGES, options.data))}

    def draw(n: int) -> tuple[Unfolding, dict[str, Expected]]:
        seed = options.seed
        data = int(generator(seed, Stream.SPLIT, n).poisson(options.data))
        return TOY.problem(options.simulated, data, seed=seed, experiment=n), truth

    start = time.process_time()
    found = coverage(
        unfolder(config), draw, {"x": EDGES}, experiments=options.experiments, seed=options.seed
    )["x"]
    return {
        "method": name,
        "mean": found.mean,
        "allowed": found.allowed,
        "covers": found.covers,
        "bins": found.covered.round(3).tolist(),
        "pulls": found.pulls.round(3).tolist(),
        "experiments": found.experiments,
        "cpu_seconds": round(time.process_time() - start, 1),
        "sentence": found.sentence(),
    }


def main() -> None:
    """Read the command line, run, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("methods", nargs="*", default=["bayes", "omnifold-polynomial"])
    parser.add_argument("--experiments", type=int, default=300)
    parser.add_argument("--data", type=int, default=1000, help="expected true events behind data")
    parser.add_argument("--simulated", type=int, default=4000)
    parser.add_argument("--set", dest="settings", action="append", default=[])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path)
    options = parser.parse_intermixed_args()
    rows = [measure(name, options) for name in options.methods]
    for row in rows:
        print(f"{row['method']}: {row['sentence']} {row['cpu_seconds']} s of processor")
        print(f"  covered {row['bins']}")
        print(f"  mean pull {row['pulls']}")
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
