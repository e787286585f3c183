"""Seconds of the multivariate scores: physics distances, neighbours, distances to a training.

    python benchmarks/distances.py --events 50000 --features 30 --voxels 368
    python benchmarks/distances.py --events 20000 --features 362 --voxels 6480 --threads 2

Toy features and voxels of which a tenth to a half is hit. Printed are wall seconds, and seconds
times the rate of a float32 matrix product over 170 GFLOP/s, which other machines and loads change
less; and the peak memory of the process so far.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable, Iterator

import numpy as np
from threadpoolctl import threadpool_limits

from simulacra.evaluation.metrics import (
    FeatureRows,
    Nearest,
    frechet_physics_distance,
    kernel_physics_distance,
    manifold_scores,
)
from simulacra.evaluation.timing import NORMAL_RATE, matrix_rate

PIECE = 1000


def features(events: int, columns: int, seed: int) -> np.ndarray:
    """Make correlated features with a common size, as observables of one shower have."""
    rng = np.random.default_rng(seed)
    mixing = np.random.default_rng(99).normal(size=(columns, columns)) / columns**0.5
    return rng.normal(size=(events, columns)) @ mixing + rng.normal(size=(events, 1)) + 5


def voxels(events: int, columns: int, seed: int) -> Iterator[np.ndarray]:
    """Make showers' logarithms piece by piece; energetic showers hit more voxels."""
    rng = np.random.default_rng(seed)
    for start in range(0, events, PIECE):
        size = min(PIECE, events - start)
        energy = rng.uniform(0.1, 0.5, (size, 1))
        hit = rng.random((size, columns)) < energy
        yield np.where(hit, 4 * energy + 0.5 * rng.normal(size=(size, columns)), 0)


def timed(name: str, work: Callable[[], object], threads: int) -> None:
    """Print how long it takes, between two measurements of the matrix product."""
    before = matrix_rate(threads)
    start = time.perf_counter()
    work()
    seconds = time.perf_counter() - start
    rate = (before + matrix_rate(threads)) / 2
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(
        f"{name}: {seconds:.2f} s, normalised {seconds * rate / NORMAL_RATE:.2f} s "
        f"({rate:.0f} GFLOP/s), peak so far {memory:.2f} GiB",
        flush=True,
    )


def main() -> None:
    """Time each score on the given sizes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=50_000, help="showers of each sample")
    parser.add_argument("--features", type=int, default=30, help="features of FPD and KPD")
    parser.add_argument("--voxels", type=int, default=368, help="dimensions of the neighbours")
    parser.add_argument("--queries", type=int, default=5_000, help="showers per memorisation")
    parser.add_argument("--threads", type=int, default=1, help="threads of matrix products")
    given = parser.parse_args()
    with threadpool_limits(given.threads):
        x, y = (features(given.events, given.features, seed) for seed in (0, 1))
        what = f"{given.events} x {given.features}"
        timed(f"FPD, {what}", lambda: frechet_physics_distance(x, y), given.threads)
        timed(f"KPD, {what}", lambda: kernel_physics_distance(x, y), given.threads)
        a, b = (FeatureRows.from_blocks(voxels(given.events, given.voxels, s)) for s in (0, 1))
        what = f"{given.events} x {given.voxels}"
        timed(f"precision to coverage, {what}", lambda: manifold_scores(a, b), given.threads)
        search = Nearest(a.take(np.arange(min(given.queries, given.events))), 5)
        name = f"nearest of {what} to {len(search.rows)}"
        timed(name, lambda: search.add(b), given.threads)


if __name__ == "__main__":
    main()
