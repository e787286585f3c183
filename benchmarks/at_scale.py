"""What 10^9 showers cost on 100 nodes: measured here in a minute or two, and multiplied.

    python benchmarks/at_scale.py [--showers 1000000000] [--nodes 100] [--cores 64] [--json]

Every number of the first table is measured by this program on this machine, in seconds of
processor time of one core, so that other work here does not count. The second table multiplies
them; nothing in it is measured. What the model leaves out: waiting in queues, nodes that fail,
and a file system that is slower than the processors, for which the last rows give the rates.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")


from simulacra.data import (
    VoxelShowers,
    merge_showers,
    open_joined,
    open_showers,
    write_showers,
)

HOUR, DAY = 3600.0, 86_400.0
SHOWERS_PER_SHARD = 10**6
NODE_MEMORY_GB = 256


def processor_seconds() -> float:
    """Return the processor time of this process and of those it has waited for."""
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


def cost(work: Callable[[], object], times: int = 1) -> float:
    """Return the median processor time of some work in seconds."""
    found = []
    for _ in range(times):
        start = processor_seconds()
        work()
        found.append(processor_seconds() - start)
    return median(found)


def measure(folder: Path) -> dict[str, float]:
    """Measure everything that the model multiplies."""
    found = {**_drawing(folder), **_simulating(folder)}
    found |= _files(folder, found.pop("_showers"))  # type: ignore[arg-type]
    return {name: float(f"{value:.4g}") for name, value in found.items()}


def _drawing(folder: Path) -> dict[str, Any]:
    from simulacra.tasks.calorimeter import Surrogate, find_model, sample_to_file, spectrum

    model, events = Surrogate.load(find_model("photons")), 512
    particles = spectrum(1000.0, 64_000.0, events, seed=1)
    target = folder / "drawn.hdf5"
    seconds = cost(lambda: sample_to_file(model, target, particles, seed=1, workers=1))
    command = [sys.executable, "-m", "simulacra", "sample", "photons", "--energy", "2GeV"]
    command += ["-n", "1", "--workers", "1", "--out", str(folder / "one.hdf5")]
    start = cost(lambda: subprocess.run(command, check=True, capture_output=True))
    many = 10**6
    energies = cost(lambda: spectrum(1000.0, 64_000.0, many, seed=1))
    return {
        "sample: ms per shower": 1e3 * seconds / events,
        "sample: s to start a shard": start,
        "sample: s per 10^6 incident particles of the whole set": energies,
        "_showers": replace(open_showers(target).read(), provenance={}),  # of no run
    }


def _simulating(folder: Path) -> dict[str, float]:
    try:
        import calzone  # noqa: F401
    except ImportError:
        return {}
    from simulacra.simulate import preset, simulate_to_file

    events = 60
    simulate_to_file(preset("pbwo4-lar"), folder / "warm.hdf5", 1, seed=2)  # renders its tables
    result = simulate_to_file(preset("pbwo4-lar"), folder / "simulated.hdf5", events, seed=1)
    return {"simulate: ms per shower (1 to 64 GeV)": result.milliseconds_per_shower}


def _files(folder: Path, showers: VoxelShowers) -> dict[str, float]:
    """Time files of the size of a shard's piece: 20 files of 5,120 showers."""
    files, repeats = 20, 10
    parts = folder / "parts"
    parts.mkdir()

    def pieces() -> Iterator[VoxelShowers]:
        for _ in range(repeats):
            yield showers

    written = cost(lambda: [write_showers(parts / f"{i:03d}.hdf5", pieces()) for i in range(files)])
    events = files * repeats * len(showers)
    stored = sum(path.stat().st_size for path in parts.iterdir())
    joined = open_joined(parts)
    reading = cost(lambda: sum(len(chunk) for chunk in joined.chunks()))
    merging = cost(lambda: merge_showers(folder / "all.hdf5", [parts]))
    before = _peak_gb(folder, parts, 2)
    encoded = showers.geometry.voxels + len(showers.geometry.layers)
    return {
        "file: bytes per shower": stored / events,
        "file: voxels per shower": showers.geometry.voxels,
        "write: us per shower": 1e6 * written / events,
        "read: us per shower": 1e6 * reading / events,
        "merge: us per shower": 1e6 * merging / events,
        "merge: GB of memory, 2 files": before,
        "merge: GB of memory, 20 files": _peak_gb(folder, parts, files),
        "open: ms per file": 1e3 * cost(lambda: open_joined(parts), times=3) / files,
        "train: bytes of memory per shower": 4.0 * encoded + 16,
    }


def _peak_gb(folder: Path, parts: Path, files: int) -> float:
    """Return the largest memory of a process that merges so many files, in GB."""
    code = (
        "import sys, resource; from simulacra.data import merge_showers\n"
        "merge_showers(sys.argv[1], sys.argv[2:])\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9)"
    )
    chosen = [str(path) for path in sorted(parts.iterdir())[:files]]
    line = [sys.executable, "-c", code, str(folder / "peak.hdf5"), *chosen]
    done = subprocess.run(line, check=True, capture_output=True, text=True)
    return float(done.stdout)


def model(found: dict[str, float], showers: float, nodes: int, cores: int) -> list[tuple[str, str]]:
    """Multiply: what ``showers`` cost on ``nodes`` machines with ``cores`` cores each."""
    workers = nodes * cores
    shards = max(1.0, showers / SHOWERS_PER_SHARD)
    size = showers * found["file: bytes per shower"]
    drawing = showers * found["sample: ms per shower"] / 1e3
    particles = showers / 1e6 * found["sample: s per 10^6 incident particles of the whole set"]
    overhead = shards * (found["sample: s to start a shard"] + particles)
    rows = [("size of the files", f"{size / 1e12:.2f} TB in {shards:.0f} shards")]
    if simulating := found.get("simulate: ms per shower (1 to 64 GeV)"):
        rows.append(("simulate", _spent(showers * simulating / 1e3, workers)))
    merging = showers * found["merge: us per shower"] / 1e6
    reading = showers * found["read: us per shower"] / 1e6
    memory = showers * found["train: bytes of memory per shower"]
    return [
        *rows,
        ("sample", _spent(drawing, workers)),
        ("... starting its shards", f"{_spent(overhead, workers)}: {overhead / drawing:.1%} of it"),
        ("... incident particles in memory", f"{4 * showers / 1e9:.2f} GB per process, "
         f"{4 * showers * cores / 1e9:.0f} GB per node"),
        ("merge into one file, one process", _time(merging)),
        ("open as a set, without merging", _time(shards / 1e3 * found["open: ms per file"])),
        ("read everything once, one process", _time(reading)),
        ("read everything once, all cores", _time(reading / workers)),
        ("train on everything", f"{memory / 1e12:.2f} TB of memory per process; "
         f"{NODE_MEMORY_GB} GB hold {NODE_MEMORY_GB * 1e9 / memory * showers:.2g} showers"),
        ("file system, written while sampling", f"{size / (drawing / workers) / 1e6:.0f} MB/s"),
        ("file system, read by all cores", f"{size / (reading / workers) / 1e9:.0f} GB/s"),
        ("10 TB hold", f"{1e13 / found['file: bytes per shower']:.2g} showers"),
    ]  # fmt: skip


def _spent(seconds: float, workers: int) -> str:
    return f"{seconds / HOUR:,.0f} core hours, {_time(seconds / workers)} on {workers} cores"


def _time(seconds: float) -> str:
    for unit, size in (("days", DAY), ("hours", HOUR), ("minutes", 60.0)):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.1f} s"


def main() -> None:
    """Measure, multiply and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--showers", type=float, default=1e9)
    parser.add_argument("--nodes", type=int, default=100)
    parser.add_argument("--cores", type=int, default=64, help="per node")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    begin = time.perf_counter()
    with tempfile.TemporaryDirectory() as name:
        found = measure(Path(name))
    rows = model(found, options.showers, options.nodes, options.cores)
    if options.json:
        print(json.dumps({"measured": found, "model": dict(rows)}, indent=2))
        return
    print(f"measured on this machine in {time.perf_counter() - begin:.0f} s, one core:")
    for what, number in found.items():
        print(f"  {what:<60}{number:>12g}")
    print(f"model: {options.showers:g} showers, {options.nodes} nodes of {options.cores} cores:")
    for what, text in rows:
        print(f"  {what:<40}{text}")


if __name__ == "__main__":
    main()
