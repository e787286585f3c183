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
from scipy.stats import ks_2samp
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score

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


def ring_shares(showers: VoxelShowers) -> tuple[list[str], np.ndarray]:
    """Return names and shares of the incident energy of every ring, voxels cut at 1 MeV."""
    energies = np.where(showers.energies > 1.0, showers.energies, 0.0)
    names, columns = [], []
    layers = zip(showers.geometry.layers, showers.geometry.slices, strict=True)
    for place, (layer, part) in enumerate(layers):
        rings = energies[:, part].reshape(-1, layer.n_alpha, layer.n_radius).sum(axis=1)
        names += [f"layer {place}, {a:g}-{b:g} mm" for a, b in pairwise(layer.r_edges)]
        columns.append(rings)
    return names, np.hstack(columns) / showers.incident_energy[:, None]


def compare_rings(ours: VoxelShowers, theirs: VoxelShowers) -> list[str]:
    """Return how well boosted trees tell the two apart by their rings, and by which."""
    names, a = ring_shares(ours)
    b = ring_shares(theirs)[1]
    energy = np.log(np.concatenate([ours.incident_energy, theirs.incident_energy]))
    x = np.column_stack([np.vstack([a, b]), energy])
    y = np.repeat([1, 0], [len(a), len(b)])
    order = np.random.default_rng(1).permutation(len(x))
    seen, unseen = np.split(order, [int(0.7 * len(order))])
    trees = HistGradientBoostingClassifier(
        max_iter=150, learning_rate=0.05, max_leaf_nodes=15, l2_regularization=5.0
    ).fit(x[seen], y[seen])
    found = roc_auc_score(y[unseen], trees.predict_proba(x[unseen])[:, 1])
    lines = [f"boosted trees on the rings: AUC {found:.4f}; it falls most without the order of"]
    shuffle, falls = np.random.default_rng(0), []
    for column in range(len(names)):
        changed = x[unseen].copy()
        changed[:, column] = shuffle.permutation(changed[:, column])
        falls.append(found - roc_auc_score(y[unseen], trees.predict_proba(changed)[:, 1]))
    for column in np.argsort(falls)[::-1][:5]:
        ratio = a[:, column].mean() / b[:, column].mean()
        error = np.hypot(
            *(part[:, column].std() / part[:, column].mean() / len(part) ** 0.5 for part in (a, b))
        )
        lines.append(f"  {names[column]}: -{falls[column]:.4f}; means {ratio:.4f} ± {error:.4f}")
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
    mine, theirs = read_showers(ours), read_showers(given.reference)
    same = ks_2samp(mine.incident_energy, theirs.incident_energy).pvalue
    lines = [*compare_means(mine, theirs), *compare_rings(mine, theirs)]
    lines.append(f"incident energies of the two follow one law: Kolmogorov-Smirnov p = {same:.2f}")
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()
    command = ["simulacra", "evaluate", str(ours), "--reference", str(given.reference)]
    judged = [*command, "--suite", given.suite, "--out", str(given.out / "verdict")]
    subprocess.run(judged, check=True)


if __name__ == "__main__":
    main()
