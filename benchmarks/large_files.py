"""Large files in small memory: write, validate, convert to another format and back.

    python benchmarks/large_files.py --events 200000 --folder /some/empty/folder
    python benchmarks/large_files.py --events 5000 --format root

Showers of the size of CaloChallenge data set 3 (40,500 voxels, 5 % of them filled) are made
piece by piece; peak memory is that of the whole process since its start, so each format has a run
of its own.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from simulacra.data import (
    VoxelShowers,
    convert_showers,
    geometry,
    open_showers,
    write_showers,
)

PIECE = 500
FILLED = 0.05


def showers(events: int, seed: int) -> Iterator[VoxelShowers]:
    """Make showers whose filled voxels lie anywhere, the worst case for compression."""
    detector = geometry("calochallenge-3")
    generator = np.random.default_rng(seed)
    filled = int(FILLED * detector.voxels)
    for start in range(0, events, PIECE):
        count = min(PIECE, events - start)
        incident = (1000.0 * 1000.0 ** generator.random(count)).astype(np.float32)
        shares = generator.standard_exponential((count, filled), dtype=np.float32)
        shares *= (incident / shares.sum(axis=1))[:, None]
        energies = np.zeros((count, detector.voxels), np.float32)
        where = generator.integers(0, detector.voxels, (count, filled))
        np.put_along_axis(energies, where, shares, axis=1)
        yield VoxelShowers(energies, incident, detector)


def peak_gb() -> float:
    """Return the largest resident memory of this process so far in GB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


def timed(what: str, step: Callable[[], object], done: dict[str, float]) -> None:
    """Run one step and keep its wall time and the peak memory after it."""
    start = time.perf_counter()
    step()
    done[f"{what}_s"] = round(time.perf_counter() - start, 1)
    done[f"{what}_peak_gb"] = round(peak_gb(), 3)
    print(f"{what}: {done[f'{what}_s']} s, peak {done[f'{what}_peak_gb']} GB", flush=True)


def measure(events: int, folder: Path, format: str) -> dict[str, float]:
    """Write, validate and convert ``events`` showers in ``folder``; the files are removed."""
    dense, other, back = (folder / name for name in ("dense.hdf5", "other", "back.hdf5"))
    done: dict[str, float] = {"events": events}
    try:
        timed("write", lambda: write_showers(dense, showers(events, seed=1)), done)
        timed("validate", lambda: open_showers(dense).validate(), done)
        timed(
            f"to_{format}", lambda: convert_showers(open_showers(dense), other, format=format), done
        )
        timed(f"validate_{format}", lambda: open_showers(other).validate(), done)
        timed(
            "to_dense",
            lambda: convert_showers(open_showers(other), back, format="calochallenge"),
            done,
        )
        done["dense_gb"] = dense.stat().st_size / 1e9
        done[f"{format}_gb"] = other.stat().st_size / 1e9
        _compare(dense, back)
    finally:
        for path in (dense, other, back):
            path.unlink(missing_ok=True)
    return done


def _compare(one: Path, other: Path) -> None:
    a, b = open_showers(one), open_showers(other)
    for start in (0, a.events // 2, max(0, a.events - 10)):
        stop = min(start + 10, a.events)
        np.testing.assert_array_equal(a.read(start, stop).energies, b.read(start, stop).energies)


def main() -> None:
    """Measure and print the numbers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=5000)
    parser.add_argument("--folder", type=Path, help="where to write; default: a temporary folder")
    parser.add_argument("--format", default="sparse", help="root, par04, parquet or another one")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        print(json.dumps(measure(options.events, Path(folder), options.format), indent=2))


if __name__ == "__main__":
    main()
