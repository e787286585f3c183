"""All unfolding methods on the six jet observables: distances to the truth, in one table.

    python benchmarks/unfolding.py SIMULATION.parquet [--stress OTHER.parquet] [METHOD ...]
        [--events N] [--data N] [--set KEY=VALUE] [--seed N] [--json FILE]

SIMULATION and OTHER are files of

    simulacra simulate znunujets -n 40000 --seed 1 --set respond=true --set cluster=true
        --set source.multiparton_interactions=false --set source.hard=false --out SIMULATION.parquet

with other showers in OTHER, or pairs that ``write_pairs`` took from them. The first N events of
SIMULATION are the simulation. Without --stress its next events are the pseudo-data (closure), with
it the events of OTHER. Each observable is in ten bins of equal simulated truth; the distance is
1000 x triangular discrimination.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from simulacra.config import apply_settings
from simulacra.tasks.unfolding import Unfolding
from simulacra.tasks.unfolding.closure import closure
from simulacra.tasks.unfolding.jets import open_pairs
from simulacra.tasks.unfolding.recipes import METHODS, method_config, unfolder
from simulacra.tasks.unfolding.report import default_edges


def measure(name: str, problem: Unfolding, truth: Any, options: argparse.Namespace) -> Any:
    """Return one method's distances and its time."""
    config = apply_settings(method_config(name), options.settings)
    edges = default_edges(problem)
    if "edges" in type(config).model_fields:
        config = config.updated(edges={key: list(bins) for key, bins in edges.items()})
    start = time.process_time()
    result = unfolder(config).fit(problem, seed=options.seed)
    seconds = time.process_time() - start
    rows = closure(result, problem, truth, edges, seed=options.seed)
    return {
        "method": name,
        "iterations": result.iterations,
        "cpu_seconds": round(seconds, 1),
        "rows": [{**asdict(row), "closes": row.closes, "helps": row.helps} for row in rows],
    }


def show(found: list[Any]) -> None:
    """Print one line per method, then raw data, prior and floor."""
    first = found[0]["rows"]
    names = [row["observable"] for row in first]
    print(f"{'':22}" + "".join(f"{name:>16}" for name in names) + "   cpu s")
    for one in found:
        cells = [f"{1e3 * row['unfolded']:.2f} ± {1e3 * row['error']:.2f}" for row in one["rows"]]
        head = f"{one['method']} ({one['iterations']})"
        print(
            f"{head:22}" + "".join(f"{cell:>16}" for cell in cells) + f"{one['cpu_seconds']:8.0f}"
        )
    for kind in ("raw", "prior", "floor"):
        print(f"{kind:22}" + "".join(f"{1e3 * row[kind]:>16.2f}" for row in first))
    for one in found:
        closes = sum(row["closes"] for row in one["rows"])
        helps = sum(row["helps"] for row in one["rows"])
        print(
            f"{one['method']}: within two floors {closes} of {len(names)}; "
            f"nearer than raw and prior {helps}"
        )


def main() -> None:
    """Read the command line, run, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("simulation", type=Path)
    parser.add_argument("methods", nargs="*", default=list(METHODS))
    parser.add_argument("--stress", type=Path)
    parser.add_argument("--events", type=int, default=20_000, help="of the simulation")
    parser.add_argument("--data", type=int, default=20_000, help="of the pseudo-data")
    parser.add_argument("--particles", type=int, default=0, help="read these of the hardest jet")
    parser.add_argument("--set", dest="settings", action="append", default=[])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path)
    options = parser.parse_intermixed_args()
    pairs = open_pairs(options.simulation, particles=options.particles)
    simulation, rest = pairs.select(slice(0, options.events)), slice(options.events, None)
    other = pairs.select(rest)
    if options.stress:
        other = open_pairs(options.stress, particles=options.particles)
    other = other.select(slice(0, options.data))
    problem = Unfolding(simulation, other.reco_sample())
    truth = other.true_sample()
    found = [measure(name, problem, truth, options) for name in options.methods]
    show(found)
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
