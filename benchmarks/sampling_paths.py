"""The ways to draw showers beside each other, what takes their time, and what writing adds.

    python benchmarks/sampling_paths.py MODEL... [--bundle DIR...] [--threads 2]
        [--rows 1 100 10000] [--compile] [--written 100000] [--json FILE]

MODEL is a shipped name or a folder, ``--bundle`` the exported bundle of each, in the same order;
one that is missing is exported first, which takes a minute or two. Times are medians of wall time,
the ways take turns, and the rate of a matrix product is measured before and after; normalised
times are those of ``simulacra bench sampling``. Shares are processor time of one thread.
``--written`` times drawing and ``simulacra sample`` (compressed HDF5) of so many showers, in turns.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from torch.profiler import ProfilerActivity, profile

from simulacra.deploy import DeployedModel, load
from simulacra.evaluation.timing import NORMAL_RATE, matrix_rate
from simulacra.generative import tiles
from simulacra.random import normal
from simulacra.tasks.calorimeter import Surrogate, find_model, sample_to_file, spectrum
from simulacra.tasks.calorimeter.exporting import export
from simulacra.tasks.calorimeter.speed import operations_per_shower

Way = Callable[[int], object]
PRODUCTS = {"aten::addmm", "aten::mm", "aten::bmm", "aten::baddbmm", "aten::_addmm_activation"}
BFLOAT16_SIZE = 2048


def incident(surrogate: Surrogate, events: int) -> np.ndarray:
    """Return conditions over the model's range of energies, others in the middle of theirs."""
    (low, high), *others = surrogate.manifest["validity"]["ranges"].values()
    energy = spectrum(low, high, events, seed=0).incident_energy
    columns = [energy, *(np.full(events, (a + b) / 2) for a, b in others)]
    return np.column_stack(columns).astype(np.float32)


def ways_of(surrogate: Surrogate, bundle: Path, args: argparse.Namespace) -> dict[str, Way]:
    """Return every way to draw, by name."""
    table = incident(surrogate, max(args.rows))
    deployed = load(bundle)

    def default(events: int) -> object:
        return list(surrogate.draw(table[:events], range(events), seed=0, workers=args.threads))

    def alone(events: int) -> object:
        kept, tiles._ROWS_AT_ONCE = tiles._ROWS_AT_ONCE, 0
        try:
            return default(events)
        finally:
            tiles._ROWS_AT_ONCE = kept

    def by_onnx(events: int) -> object:
        further = dict(zip(surrogate.config.conditions, table[:events, 1:].T, strict=True))
        return deployed.sample(table[:events, 0], further, workers=args.threads)

    ways: dict[str, Way] = {"torch, tile by tile": alone, "torch (default)": default}
    if args.compile:
        compiled = Surrogate.load(find_model(args.now))
        compiled.model.draw = torch.compile(compiled.model.draw)  # type: ignore[method-assign]

        def by_compiler(events: int) -> object:
            return list(compiled.draw(table[:events], range(events), seed=0, workers=args.threads))

        ways["torch.compile"] = by_compiler
    return {**ways, "ONNX Runtime": by_onnx}


def timed(ways: dict[str, Way], rows: int, repetitions: int) -> dict[str, float]:
    """Return the median milliseconds per shower of each way; they take turns."""
    took: dict[str, list[float]] = {name: [] for name in ways}
    for way in ways.values():
        way(rows)
    for _ in range(repetitions):
        for name, way in ways.items():
            start = time.perf_counter()
            way(rows)
            took[name].append(1e3 * (time.perf_counter() - start) / rows)
    return {name: median(values) for name, values in took.items()}


def shares(surrogate: Surrogate) -> dict[str, Any]:
    """Tell what one thread's time goes into, computing as many tiles as are computed at once."""
    model, tile = surrogate.model, surrogate.config.tile
    rows = tile * tiles._worth_it(model, tile)
    condition = torch.from_numpy(incident(surrogate, rows))
    noise = torch.from_numpy(normal(0, range(rows), model.noise_size))
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.inference_mode():
            model.draw(condition, noise)
            with profile(activities=[ProfilerActivity.CPU]) as found:
                model.draw(condition, noise)
            drawing = _best(lambda: model.draw(condition, noise))
        making = _best(lambda: normal(0, range(rows), model.noise_size))
        tables = _best(
            lambda: model.scores.decode(  # type: ignore[operator, union-attr]
                *model.drawn_scores(condition, noise),
                condition[:, 0],  # type: ignore[operator]
            )
        ) - _best(lambda: model.drawn_scores(condition, noise))  # type: ignore[operator]
        rate32, rate16 = _rate(torch.float32), _rate(torch.bfloat16)
    finally:
        torch.set_num_threads(before)
    events = found.key_averages()
    whole = sum(event.self_cpu_time_total for event in events)
    products = sum(e.self_cpu_time_total for e in events if e.key in PRODUCTS)
    operations = operations_per_shower(surrogate) * rows
    top = sorted(events, key=lambda event: -event.self_cpu_time_total)[:8]
    return {
        "rows": rows,
        "microseconds_per_shower": 1e6 * drawing / rows,
        "noise_microseconds_per_shower": 1e6 * making / rows,
        "from_scores_microseconds_per_shower": 1e6 * tables / rows,
        "share_of_products": products / whole,
        "fraction_of_rate": operations / (drawing + making) / rate32,
        "fraction_of_rate_in_products": operations / (drawing * products / whole) / rate32,
        "rate_gflops": rate32 / 1e9,
        "bfloat16_rate_gflops": rate16 / 1e9,
        "operators": {event.key: event.self_cpu_time_total / whole for event in top},
    }


def _best(work: Callable[[], object], repetitions: int = 7) -> float:
    took = []
    for _ in range(repetitions):
        start = time.process_time()
        work()
        took.append(time.process_time() - start)
    return min(took)


def _rate(dtype: torch.dtype) -> float:
    square = torch.ones(BFLOAT16_SIZE, BFLOAT16_SIZE, dtype=dtype)
    return 2 * BFLOAT16_SIZE**3 / _best(lambda: square @ square, 4)


def written(surrogate: Surrogate, events: int, threads: int) -> dict[str, float]:
    """Time drawing alone, and drawing into a compressed file, in turns."""
    (low, high), *_ = surrogate.manifest["validity"]["ranges"].values()
    particles = spectrum(low, high, events, seed=0)
    table = surrogate.condition_table(particles.incident_energy, {})
    wall: dict[str, list[float]] = {"drawing": [], "file": []}
    work: dict[str, list[float]] = {"drawing": [], "file": []}
    with tempfile.TemporaryDirectory() as folder:
        for turn in range(4):
            for kind in wall:
                start, busy = time.perf_counter(), time.process_time()
                if kind == "drawing":
                    for _ in surrogate.draw(table, range(events), seed=0, workers=threads):
                        pass
                else:
                    path = Path(folder) / f"{turn}.hdf5"
                    sample_to_file(surrogate, path, particles, seed=0, workers=threads)
                wall[kind].append(time.perf_counter() - start)
                work[kind].append(time.process_time() - busy)
    return {
        "events": events,
        "drawing_s": min(wall["drawing"]),
        "file_s": min(wall["file"]),
        "ratio": min(wall["file"]) / min(wall["drawing"]),
        "processor_ratio": min(work["file"]) / min(work["drawing"]),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def import_seconds() -> float:
    """Return what importing the runtime adds to a fresh interpreter."""
    command = "import time; t = time.perf_counter(); import simulacra.deploy; "
    command += "print(time.perf_counter() - t)"
    runs = [subprocess.run([sys.executable, "-c", command], capture_output=True, check=True)
            for _ in range(3)]  # fmt: skip
    return min(float(run.stdout) for run in runs)


def alone_by_onnx(deployed: DeployedModel, table: np.ndarray) -> float:
    """Return milliseconds of a single shower through the runtime, one thread."""
    names = [one.name for one in deployed.conditions[1:]]
    further = dict(zip(names, table[:1, 1:].T, strict=True))
    took = []
    for number in range(200):
        start = time.perf_counter()
        deployed.sample(table[:1, 0], further, first_event=number)
        took.append(time.perf_counter() - start)
    return 1e3 * median(took)


def measured(name: str, bundle: Path, args: argparse.Namespace) -> dict[str, Any]:
    """Measure one model every way and print its table."""
    args.now = name
    surrogate = Surrogate.load(find_model(name))
    if not bundle.exists():
        export(surrogate, bundle)
    ways, rates = ways_of(surrogate, bundle, args), [matrix_rate(args.threads)]
    found: dict[str, Any] = {"model": name, "threads": args.threads, "milliseconds": {}}
    for rows in args.rows:
        found["milliseconds"][rows] = timed(ways, rows, 15 if rows < 1000 else 3)
    single = alone_by_onnx(load(bundle), incident(surrogate, 1))
    rates.append(matrix_rate(args.threads))
    rate = sum(rates) / 2
    found |= {"rate_gflops": rates, "import_seconds": import_seconds(), "single_ms": single}
    found["shares"] = shares(surrogate)
    print(f"{name}: matrix product {rates[0]:.0f} and {rates[1]:.0f} GFLOP/s; normalised ms:")
    operations = operations_per_shower(surrogate)
    for rows, times in found["milliseconds"].items():
        for way, ms in times.items():
            part = operations / ms / 1e6 / rate
            print(f"  {rows:6d} {way:22s} {ms * rate / NORMAL_RATE:9.3f}  (raw {ms:.3f}, "
                  f"{part:.2f} of the rate)")  # fmt: skip
    print(f"  one shower by the runtime: {single * rate / NORMAL_RATE:.3f} (raw {single:.3f}); "
          f"import {found['import_seconds']:.2f} s")  # fmt: skip
    for key, value in found["shares"].items():
        print(f"  {key}: {value}")
    if args.written:
        found["written"] = written(surrogate, args.written, args.threads)
        print(f"  to a file: {found['written']}")
    return found


def main() -> None:
    """Measure the models that were named."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="+")
    parser.add_argument("--bundle", action="append", type=Path, default=[])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rows", type=int, nargs="+", default=[1, 100, 10000])
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--written", type=int, default=0)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    with tempfile.TemporaryDirectory() as folder:
        bundles = [*args.bundle, *(Path(folder) / str(i) for i in range(len(args.models)))]
        found = [measured(n, b, args) for n, b in zip(args.models, bundles, strict=False)]
    if args.json:
        args.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
