"""Peak memory and time of the judge on two files of the size of CaloChallenge data set 3.

    python benchmarks/judge_memory.py make --folder SCRATCH --events 50000
    python benchmarks/judge_memory.py suite --folder SCRATCH
    python benchmarks/judge_memory.py epoch resnet --folder SCRATCH

`make` writes the two files as users have them: 40,500 voxels per shower, dense, gzip (about 2 GB
each for 50,000 showers). `suite` judges one against the other in a process of its own; `epoch`
reads, stores the inputs of one classifier and trains the first epoch of one retraining. Memory is
that of the process and all its children together, read from /proc ten times a second (Linux only);
a page that two processes share counts twice. With `--at-most MINUTES` a measurement ends then, and
says so. Prints one JSON line per measurement.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np

from simulacra.data import VoxelShowers, geometry
from simulacra.evaluation import evaluate
from simulacra.evaluation.suite import CHALLENGE

PIECE = 250
FILLED = 0.10
SUITE = "calochallenge-distances"
PAUSE = 0.1
CLI = "from simulacra.cli import main; main()"


def showers(events: int, seed: int) -> Iterator[VoxelShowers]:
    """Make showers with a maximum in depth, a narrow core and about 10 % of voxels filled."""
    detector = geometry("calochallenge-3")
    rng = np.random.default_rng(seed)
    depth = np.repeat(np.arange(45), detector.voxels // 45)
    for start in range(0, events, PIECE):
        count = min(PIECE, events - start)
        incident = 1000.0 * 1000.0 ** rng.random(count, np.float32)
        maximum = 3 * np.log(incident / 20)[:, None] * rng.normal(1, 0.1, (count, 1))
        slope = 0.25
        profile = np.exp(slope * maximum * np.log1p(depth / maximum) - slope * depth)
        shape = (profile * np.exp(-detector.radius / 6)).astype(np.float32)
        shape /= shape.sum(axis=1, keepdims=True)
        level = np.sqrt(shape * incident[:, None])
        level *= FILLED / level.mean(axis=1, keepdims=True)
        filled = rng.random(level.shape, np.float32) < level
        energies = np.zeros_like(level)
        energies[filled] = rng.standard_exponential(int(filled.sum()), np.float32)
        energies *= shape / np.maximum(level, 1e-6)
        energies *= (incident / energies.sum(axis=1))[:, None]
        energies[energies < detector.threshold] = 0
        yield VoxelShowers(energies, incident.astype(np.float32), detector)


def make(path: Path, events: int, seed: int, dtype: str) -> dict[str, object]:
    """Write one file piece by piece in the challenge's layout."""
    start, filled = time.perf_counter(), 0
    with h5py.File(path, "w") as file:
        voxels = file.create_dataset(
            "showers",
            (events, 40_500),
            dtype,
            chunks=(PIECE, 40_500),
            compression="gzip",
            compression_opts=1,
            shuffle=True,
        )
        energy = file.create_dataset("incident_energies", (events, 1), dtype)
        done = 0
        for part in showers(events, seed):
            voxels[done : done + len(part)] = part.energies
            energy[done : done + len(part), 0] = part.incident_energy
            filled += np.count_nonzero(part.energies)
            done += len(part)
    return {
        "made": path.name,
        "events": events,
        "filled": round(filled / (events * 40_500), 4),
        "gb": round(path.stat().st_size / 1e9, 2),
        "seconds": round(time.perf_counter() - start, 1),
    }


def measured(command: list[str], at_most: float) -> dict[str, object]:
    """Run a command; give its wall time and the peak memory of it and its children."""
    start, peak, processes, ended = time.perf_counter(), 0, 1, False
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    while True:
        pid, status, usage = os.wait4(child.pid, os.WNOHANG)
        if pid:
            break
        family = _family(child.pid)
        processes = max(processes, len(family))
        peak = max(peak, sum(_resident(one) for one in family))
        if not ended and time.perf_counter() - start > 60 * at_most:
            child.terminate()
            ended = True
        time.sleep(PAUSE)
    return {
        "peak_gb": round(max(peak, usage.ru_maxrss * 1024) / 1e9, 3),
        "main_process_gb": round(usage.ru_maxrss * 1024 / 1e9, 3),
        "processes": processes,
        "seconds": round(time.perf_counter() - start, 1),
        "exit": os.waitstatus_to_exitcode(status),
        "ended_early": ended,
    }


def _family(pid: int) -> list[int]:
    """Return a process and all that descend from it."""
    found = [pid]
    for one in found:
        try:
            tasks = list(Path(f"/proc/{one}/task").iterdir())
            found += [int(c) for t in tasks for c in (t / "children").read_text().split()]
        except OSError:  # it ended meanwhile
            continue
    return found


def _resident(pid: int) -> int:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def main() -> None:
    """Make the files or measure one step."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("step", choices=("make", "suite", "epoch", "train"))
    parser.add_argument("classifier", nargs="?", default="low_level")
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--events", type=int, default=50_000)
    parser.add_argument("--dtype", choices=("float32", "float64"), default="float32")
    parser.add_argument("--suite", default=SUITE)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--at-most", type=float, default=float("inf"), metavar="MINUTES")
    given = parser.parse_args()
    files = [given.folder / f"ds3-{role}.hdf5" for role in ("generated", "reference")]
    if given.step == "make":
        for seed, path in enumerate(files):
            print(json.dumps(make(path, given.events, seed, given.dtype)), flush=True)
        return
    if given.step == "train":
        first_epoch(*files, given.classifier, given.threads)
        return
    if given.step == "suite":
        command = [sys.executable, "-c", CLI, "evaluate", str(files[0])]
        command += ["--reference", str(files[1]), "--suite", given.suite]
        command += ["--geometry", "calochallenge-3", "--out", str(given.folder / "verdict")]
        what = {"suite": given.suite}
    else:
        command = [sys.executable, __file__, "train", given.classifier]
        command += ["--folder", str(given.folder), "--threads", str(given.threads)]
        what = {"first_epoch": given.classifier}
    with h5py.File(files[0]) as file:
        what["events"] = len(file["showers"])
    print(json.dumps({**what, **measured(command, given.at_most)}), flush=True)


def first_epoch(generated: Path, reference: Path, classifier: str, threads: int) -> None:
    """Train one epoch of one retraining; runs in the process that is measured."""
    (task,) = (t for t in CHALLENGE.classifiers if t.name == classifier)
    short = task.classifier.updated(epochs=1, retrainings=1)
    suite = CHALLENGE.updated(
        observables=(),
        profiles=False,
        regions=0,
        physics_distance=False,
        manifold=False,
        classifiers=[task.updated(classifier=short.to_dict()).to_dict()],
        images=False,
        examples=0,
    )
    evaluate(generated, reference, suite=suite, geometry="calochallenge-3", threads=threads)


if __name__ == "__main__":
    main()
