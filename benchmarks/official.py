r"""How much faster than the official programs: features, classifier epoch, FPD, KPD, neighbours.

    python benchmarks/official.py photons-train.hdf5 \
        --homepage CHECKOUT --jetnet CHECKOUT --python SCRATCH/bin/python

The first half of the file plays the generated showers, the second the reference. With the two
checkouts and an interpreter that has their packages, the official programs are measured in the same
run (``validation/run_official.py``), else their recorded times are taken, normalised by the rate of
a matrix product that was measured beside them. Equal numbers of threads for both; short stages are
the fastest of three. What the official histograms cost is without saving a picture. On a machine
that others use, too, only the ratio of processor times means something.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from simulacra.classify.classifier import train_discriminator
from simulacra.classify.sample import LabelledSample
from simulacra.classify.settings import ClassifierConfig
from simulacra.data import VoxelShowers, open_showers
from simulacra.evaluation.metrics.binned import BinnedEvents
from simulacra.evaluation.metrics.kernel_distance import kernel_physics_distance
from simulacra.evaluation.metrics.manifold import manifold_scores
from simulacra.evaluation.metrics.physics_distance import frechet_physics_distance
from simulacra.evaluation.metrics.separation import separation, separation_power
from simulacra.evaluation.metrics.shower_rows import manifold_rows
from simulacra.evaluation.observables import (
    PROTOCOL_FAMILIES,
    ShowerObservables,
    count_voxels,
    high_level_inputs,
    low_level_inputs,
    observe,
    response_observables,
    shower_observables,
    spectrum_bins,
)
from simulacra.evaluation.timing import matrix_rate

VALIDATION = Path(__file__).parents[1] / "validation"
RECORDED = VALIDATION / "official-times.json"
REPEATS = 3
CLASSIFIERS = ("low_level", "high_level")
Times = tuple[float, float]
"""Wall time and time of processors in seconds."""

GOALS = {"features and histograms": 10, "FPD and KPD": 5}
GOALS |= {f"epoch, {name}": 3 for name in CLASSIFIERS}


def our_seconds(
    generated: VoxelShowers, reference: VoxelShowers, given: argparse.Namespace
) -> dict[str, Times]:
    """Time our stages."""
    cut, samples = reference.geometry.threshold, (reference, generated)
    seen = [observe(sample, threshold=cut) for sample in samples]
    features = [high_level_inputs(one) for one in seen]
    work: dict[str, Callable[[], object]] = {
        "features": lambda: [observe(sample, threshold=cut) for sample in samples],
        "histograms": lambda: _histograms(seen, separations_only),
        "cells": lambda: _cells(seen, samples, cut),
        "histograms with errors and floors": lambda: _histograms(seen, _with_errors),
        "fpd": lambda: frechet_physics_distance(*features),
        "kpd": lambda: kernel_physics_distance(*features),
    }
    seconds = {name: _fastest(name, step, REPEATS) for name, step in work.items()}
    few = [sample.select(slice(given.prdc_events)) for sample in samples]
    seconds["prdc"] = _fastest(
        "prdc", lambda: manifold_scores(*(manifold_rows([s], threshold=cut) for s in few)), 1
    )
    low = [low_level_inputs(sample, threshold=cut) for sample in samples]
    for name, inputs in (("low_level", low), ("high_level", features)):
        seconds[f"epoch, {name}"] = _epoch(name, inputs, given.threads)
    return seconds


def separations_only(a: BinnedEvents, b: BinnedEvents) -> object:
    """Compare two histograms as the official program does, without an error."""
    return separation_power(a.sums[1:-1], b.sums[1:-1])


def _with_errors(a: BinnedEvents, b: BinnedEvents) -> object:
    return separation(a, b, seed=0)


def _histograms(
    seen: list[ShowerObservables], compare: Callable[[BinnedEvents, BinnedEvents], object]
) -> None:
    detector = seen[0].geometry
    declared = [o for o in shower_observables(detector) if o.family in PROTOCOL_FAMILIES]
    at_energies = response_observables(detector, *(one.incident_energy for one in seen))
    for observable in (*declared, *at_energies):
        edges = observable.edges(seen[0], detector.threshold)
        compare(*(BinnedEvents.from_values(observable.values(one), edges) for one in seen))


def _cells(
    seen: list[ShowerObservables], samples: tuple[VoxelShowers, VoxelShowers], cut: float
) -> None:
    edges = spectrum_bins(seen[0].brightest_voxel.max(), cut)
    counts = [count_voxels(sample, edges, threshold=cut).sum(axis=0) for sample in samples]
    separation_power(*(count[1:-1] for count in counts))


def _epoch(name: str, inputs: list[Any], threads: int) -> Times:
    """Time one epoch and the choice of the epoch on the selection showers, split 60/20/20 %."""
    sample = LabelledSample.of(inputs)
    order = np.random.default_rng(0).permutation(len(sample.label))
    training, selection = np.split(order[: len(order) * 4 // 5], [len(order) * 3 // 5])
    config = ClassifierConfig(epochs=1, threads=threads)
    return _fastest(
        f"epoch, {name}",
        lambda: train_discriminator(sample, training, selection, config, seed=0),
        1,
    )


def _fastest(name: str, work: Callable[[], object], repeats: int) -> Times:
    times = []
    for _ in range(repeats):
        start, busy = time.perf_counter(), time.process_time()
        work()
        times.append((time.perf_counter() - start, time.process_time() - busy))
    wall, busy = (min(column) for column in zip(*times, strict=True))
    print(f"ours, {name}: {wall:.3f} s, {busy:.3f} s of processors", file=sys.stderr, flush=True)
    return wall, busy


def official_times(given: argparse.Namespace) -> dict[str, Any]:
    """Run the official programs in their own interpreter, or read what was recorded."""
    if given.homepage is None:
        return json.loads(RECORDED.read_text())
    half = given.showers
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "official.json"
        command = [given.python, str(VALIDATION / "run_official.py"), *[str(given.file)] * 2]
        command += ["--dataset", "1-photons", "--out", str(out)]
        command += ["--generated-rows", f"0:{half}", "--reference-rows", f"{half}:{2 * half}"]
        command += ["--homepage", str(given.homepage), "--jetnet", str(given.jetnet)]
        command += ["--homepage-commit", given.homepage_commit]
        command += ["--jetnet-commit", given.jetnet_commit, "--repeats", str(REPEATS)]
        command += ["--threads", str(given.threads), "--prdc-events", str(given.prdc_events)]
        command += ["--classifier", *CLASSIFIERS, "--epochs", "1", "--stages"]
        command += ["histograms", "fpd", "kpd", "prdc"]
        subprocess.run(command, check=True)
        result = json.loads(out.read_text())
    both = (result["seconds"], result["processor_seconds"])
    stages = ("features", "histograms", "cells", "fpd", "kpd", "prdc")
    seconds = {name: [one[name] for one in both] for name in stages}
    for name, (run,) in result["classifiers"].items():
        parts = zip(run["train_seconds"][0], run["select_seconds"][0], strict=True)
        seconds[f"epoch, {name}"] = [sum(part) for part in parts]
    rate = float(np.mean(result["matrix_rate_gflops"]))
    return {"seconds": seconds, "rate_gflops": rate, "provenance": result["provenance"]}


def main() -> None:
    """Measure both sides and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path, help="showers in the layout of data set 1, photons")
    parser.add_argument("--showers", type=int, default=50_000, help="of each side")
    parser.add_argument("--prdc-events", type=int, default=10_000, help="of each side")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--homepage", type=Path, help="CaloChallenge/homepage")
    parser.add_argument("--jetnet", type=Path, help="jet-net/JetNet")
    parser.add_argument("--homepage-commit", default="")
    parser.add_argument("--jetnet-commit", default="")
    parser.add_argument("--python", default=sys.executable, help="interpreter of the programs")
    parser.add_argument("--record", action="store_true", help=f"write {RECORDED.name}")
    given = parser.parse_args()
    file = open_showers(given.file, geometry="calochallenge-1-photons")
    halves = [file.read(i * given.showers, (i + 1) * given.showers) for i in (0, 1)]
    rates = [matrix_rate(given.threads)]
    with threadpool_limits(given.threads):
        ours = our_seconds(*halves, given)
    rates.append(matrix_rate(given.threads))
    official = official_times(given)
    if given.record and given.homepage:
        RECORDED.write_text(json.dumps(official, indent=1) + "\n")
    rate = float(np.mean(rates))
    print(f"matrix product: ours {rate:.0f}, official {official['rate_gflops']:.0f} GFLOP/s")
    faster = official["rate_gflops"] / rate
    # a busy machine slows the product but not the time of processors
    _table(_summed(official["seconds"]), _summed(ours), faster, 1.0 if given.homepage else faster)


def _table(
    official: dict[str, Times], ours: dict[str, Times], faster: float, faster_processor: float
) -> None:
    print("| stage | official [s] | ours [s] | ratio | ratio of processor times | wanted |")
    print("|---|---|---|---|---|---|")
    for stage, (wall, busy) in ours.items():
        row = [stage, "", f"{wall:.3f}", "", "", str(GOALS.get(stage, ""))]
        if stage in official:
            theirs = official[stage]
            row[1] = f"{theirs[0]:.2f}"
            row[3] = f"{theirs[0] * faster / wall:.1f}"
            row[4] = f"{theirs[1] * faster_processor / busy:.1f}"
        print("| " + " | ".join(row) + " |")


def _summed(seconds: Mapping[str, Sequence[float]]) -> dict[str, Times]:
    """Add what the goals speak of."""
    found = {name: (times[0], times[1]) for name, times in seconds.items()}
    for whole, parts in {
        "features and histograms": ("features", "histograms", "cells"),
        "FPD and KPD": ("fpd", "kpd"),
    }.items():
        found[whole] = tuple(sum(found[part][k] for part in parts) for k in (0, 1))
    return found


if __name__ == "__main__":
    main()
