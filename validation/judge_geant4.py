"""Judge our Geant4 against showers of the same stack from another program.

    python validation/judge_geant4.py REFERENCE.hdf5 OUT [-n 10000] [--workers 2] [--suite quick]

Simulates photons in the preset ``pbwo4-lar`` (45 layers of 4 mm PbWO4 and 4 mm liquid argon, read
in 368 voxels), prints mean responses and layer shares of both in bins of energy, and lets the judge
compare them. The reference is a file of such showers from elsewhere, for example the set from which
the embedded one was cut (HepEmShow / G4HepEm). An interrupted simulation goes on.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np

from simulacra.data import VoxelShowers, read_showers
from simulacra.simulate import preset, simulate_to_file

GEV_EDGES = (1, 2, 4, 8, 16, 32, 64)


def compare_means(ours: VoxelShowers, theirs: VoxelShowers) -> list[str]:
    """Return a line per bin of energy: ratio of responses and of layer shares, with errors."""
    lines = []
    for low, high in pairwise(GEV_EDGES):
        found = []
        for showers in (ours, theirs):
            gev = showers.incident_energy / 1e3
            part = showers.select((gev >= low) & (gev < high))
            shares = part.layer_energies() / part.incident_energy[:, None]
            found.append(np.column_stack([shares.sum(axis=1), shares]))
        a, b = found
        ratio = a.mean(axis=0) / b.mean(axis=0)
        error = np.hypot(*(x.std(axis=0) / x.mean(axis=0) / np.sqrt(len(x)) for x in found))
        text = "  ".join(f"{r:.4f} ± {e:.4f}" for r, e in zip(ratio, error, strict=True))
        lines.append(f"{low:>3} to {high:>2} GeV: {text}")
    return lines


def main() -> None:
    """Simulate, compare, judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("reference", type=Path)
    parser.add_argument("out", type=Path, help="folder of the results")
    parser.add_argument("-n", type=int, default=10_000, help="showers")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--suite", default="quick")
    given = parser.parse_args()
    ours = given.out / "geant4.hdf5"
    result = simulate_to_file(preset("pbwo4-lar"), ours, given.n, seed=1, workers=given.workers)
    sys.stdout.write(
        f"{result.milliseconds_per_gev:.2f} ms per GeV\n"
        "ratio ours / theirs of: response, then each layer's share of the incident energy\n"
    )
    lines = compare_means(read_showers(ours), read_showers(given.reference))
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()
    command = ["simulacra", "evaluate", str(ours), "--reference", str(given.reference)]
    judged = [*command, "--suite", given.suite, "--out", str(given.out / "verdict")]
    subprocess.run(judged, check=True)


if __name__ == "__main__":
    main()
