"""Which features of showers in layers of one shape give generated ones away, group by group.

    python benchmarks/what_differs.py drawn.hdf5 [...] --reference electrons-train.hdf5

Boosted trees see one group of features of every layer, and the incident energy, of two thirds of
the showers, and are asked about the others: an area under the curve near 0.5 says that the group
looks alike. Compare with showers that are not for judging, such as the training ones: what is
learned here goes into the next model.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score

from simulacra.data import VoxelShowers, read_showers

Array = NDArray[np.float64]
LINE = 0.51099895  # MeV, a photon of annihilation that is absorbed whole


def groups(showers: VoxelShowers) -> dict[str, Array]:
    """Return features of each layer, ``(showers, layers)`` or one layer less, by group."""
    layer = showers.geometry.layers[0]
    images = showers.thresholded().energies.reshape(len(showers), -1, layer.n_alpha, layer.n_radius)
    total = np.maximum(images.sum(axis=(2, 3)), 1e-2)
    root, filled = np.sqrt(images), (images > 0).astype(np.float32)
    waves = np.abs(np.fft.rfft(images.sum(axis=3), axis=2)) / total[:, :, None]
    return {
        "layer energies": np.log(total),
        "filled voxels": filled.sum(axis=(2, 3)),
        "dim voxels": ((images > 0) & (images < 0.3)).sum(axis=(2, 3)),
        "voxels of 0.511 MeV": (np.abs(images - LINE) < 1e-3).sum(axis=(2, 3)),
        "brightest voxel": np.log(np.maximum(images.max(axis=(2, 3)), 1e-2) / total),
        "centre": images[..., 0].sum(axis=2) / total,
        "one-sidedness": waves[:, :, 1],
        "neighbours in angle": _likeness(root, np.roll(root, 1, axis=2)),
        "neighbours in radius": _likeness(root[..., 1:], root[..., :-1]),
        "neighbours in depth": _likeness(root[:, 1:], root[:, :-1]),
        "filled neighbours in angle": _likeness(filled, np.roll(filled, 1, axis=2)),
        "filled neighbours in depth": _likeness(filled[:, 1:], filled[:, :-1]),
    }


def _likeness(a: NDArray[np.float32], b: NDArray[np.float32]) -> Array:
    """Return the cosine between two sets of voxels in each layer."""
    product, squares = (a * b).sum(axis=(2, 3)), (a * a).sum(axis=(2, 3)) * (b * b).sum(axis=(2, 3))
    return np.asarray(product / np.maximum(np.sqrt(squares), 1e-3), np.float64)


def areas(ours: VoxelShowers, theirs: VoxelShowers) -> dict[str, float]:
    """Return the area under the curve of unseen showers for each group."""
    label = np.repeat([0, 1], [len(ours), len(theirs)])
    order = np.random.default_rng(0).permutation(len(label))
    seen, unseen = np.split(order, [2 * len(order) // 3])
    energy = np.log(np.concatenate([ours.incident_energy, theirs.incident_energy]))[:, None]
    first, second = groups(ours), groups(theirs)
    found = {}
    for name in first:
        features = np.hstack([np.concatenate([first[name], second[name]]), energy])
        trees = HistGradientBoostingClassifier(random_state=0, max_iter=80, max_bins=64)
        trees.fit(features[seen], label[seen])
        chance = trees.predict_proba(features[unseen])[:, 1]
        found[name] = round(float(roc_auc_score(label[unseen], chance)), 3)
    return found


def main() -> None:
    """Read the command line, compare, print a line per file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("drawn", type=Path, nargs="+")
    parser.add_argument("--reference", type=Path, required=True)
    given = parser.parse_args()
    reference = read_showers(given.reference)
    for path in given.drawn:
        print(json.dumps({"file": path.name, **areas(read_showers(path), reference)}), flush=True)


if __name__ == "__main__":
    main()
