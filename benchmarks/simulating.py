"""Time the simulation: per GeV, from steps to voxels, and two workers against one.

    python benchmarks/simulating.py [SHOWERS]

Two workers are compared with what two independent processes of pure arithmetic reach on the same
machine at the same time, because other work and shared caches slow both alike. The runs alternate;
medians are printed.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from multiprocessing import get_context
from pathlib import Path
from statistics import median

from simulacra.simulate import Simulated, preset, simulate_to_file

REPEATS = 3
OPERATIONS = 30_000_000


def _arithmetic(_: int) -> int:
    state = 1
    for _ in range(OPERATIONS):
        state = state * 6364136223846793005 + 1442695040888963407 & 0xFFFFFFFFFFFFFFFF
    return state


def _arithmetic_seconds(processes: int) -> float:
    with get_context("spawn").Pool(processes) as pool:
        pool.map(abs, range(processes))
        start = time.perf_counter()
        pool.map(_arithmetic, range(processes), chunksize=1)
        return time.perf_counter() - start


def _simulation_seconds(showers: int, workers: int, folder: Path) -> tuple[float, Simulated]:
    out = folder / "showers.hdf5"
    start = time.perf_counter()
    result = simulate_to_file(preset("pbwo4-lar"), out, showers, seed=1, workers=workers)
    seconds = time.perf_counter() - start
    out.unlink()
    return seconds, result


def main() -> None:
    """Alternate the four kinds of runs."""
    showers = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    gains: dict[str, list[float]] = {"arithmetic": [], "simulation": []}
    with tempfile.TemporaryDirectory() as name:
        for _ in range(REPEATS):
            one, two = _arithmetic_seconds(1), _arithmetic_seconds(2)
            gains["arithmetic"].append(2 * one / two)
            single, result = _simulation_seconds(showers, 1, Path(name))
            double, _ = _simulation_seconds(showers, 2, Path(name))
            gains["simulation"].append(single / double)
    print(f"{result.milliseconds_per_gev:.2f} ms of one core per GeV")
    print(f"{100 * result.filling_share:.1f} % of it from Geant4's steps to voxels")
    for what, found in gains.items():
        print(f"two processes, {what}: {median(found):.2f} times one")
    share = median(gains["simulation"]) / median(gains["arithmetic"])
    used = os.times()
    own = (used.user + used.system) / (
        used.user + used.system + used.children_user + used.children_system
    )
    print(f"{100 * own:.1f} % of all processor time was this process's, which hands out the pieces")
    print(f"simulation reaches {100 * share:.0f} % of what this machine gives two processes")


if __name__ == "__main__":
    main()
