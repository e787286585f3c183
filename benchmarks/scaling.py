"""Two workers against one: sampling over Dask, simulating over processes.

    python benchmarks/scaling.py [--rounds N] [--showers N] [--simulated N] [--executor dask]

Other work and shared caches slow one process and two unlike each other, so what counts is the ratio
to what two independent processes of the same arithmetic reach in the same minutes. Kinds of runs
alternate; medians are printed. The start of the workers (interpreters, torch, the scheduler, the
model on its way to them) is timed apart from the steady rate, and both are printed.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Any

from simulacra.simulate import preset, simulate_to_file
from simulacra.tasks.calorimeter import Surrogate, find_model, sample_to_file, spectrum
from simulacra.tasks.calorimeter.piecework import Drawer

TILES = 24  # that each independent process draws
OPERATIONS = 30_000_000


@dataclass(frozen=True)
class Took:
    """Seconds of one run."""

    start: float
    steady: float
    own: float  # processor seconds of this process meanwhile: handing out, unpacking, writing


def compute(_: int) -> float:
    """Do pure arithmetic, which needs nothing but a core; return the seconds."""
    start, state = time.perf_counter(), 1
    for _ in range(OPERATIONS):
        state = state * 6364136223846793005 + 1442695040888963407 & 0xFFFFFFFFFFFFFFFF
    return time.perf_counter() - start


def draw_alone(_: int) -> float:
    """Draw showers without any seam: caches and memory are shared all the same."""
    surrogate = Surrogate.load(find_model("photons"))
    drawer = Drawer(surrogate.model, surrogate.config.tile, 0, "cpu")
    events = range(TILES * drawer.tile)
    table = spectrum(1000.0, 64000.0, len(events), seed=0).incident_energy[:, None]
    list(drawer.draw(range(drawer.tile), table))  # not counted: the first is slow
    start = time.perf_counter()
    list(drawer.draw(events, table))
    return time.perf_counter() - start


def alone(work: Callable[[int], float], processes: int) -> float:
    """Time so many processes that know nothing of each other."""
    with get_context("spawn").Pool(processes) as pool:
        pool.map(abs, range(processes), chunksize=1)
        return max(pool.map(work, range(processes), chunksize=1))


@contextmanager
def hired(where: str, workers: int) -> Iterator[Any]:
    """Start workers and let each do something, so that none is still starting."""
    with ExitStack() as stack:
        if where == "dask":
            from distributed import Client, LocalCluster

            cluster = stack.enter_context(
                LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=None)
            )
            yield stack.enter_context(Client(cluster))
        else:
            yield stack.enter_context(ProcessPoolExecutor(workers, get_context("spawn")))


def sampling(where: str, workers: int, showers: int, folder: Path) -> Took:
    """Sample with the shipped photons model into a file."""
    surrogate = Surrogate.load(find_model("photons"))
    begun = time.perf_counter()
    with hired(where, workers) as executor:
        few = spectrum(1000.0, 64000.0, 4 * workers * surrogate.config.tile, seed=1)
        sample_to_file(
            surrogate, folder / "few.hdf5", few, seed=1, workers=workers, executor=executor,
            batch_size=surrogate.config.tile,
        )  # fmt: skip
        ready, used = time.perf_counter(), time.process_time()
        particles = spectrum(1000.0, 64000.0, showers, seed=2)
        sample_to_file(
            surrogate, folder / "many.hdf5", particles, seed=2, workers=workers,
            executor=executor, batch_size=256,
        )  # fmt: skip
        done, used = time.perf_counter(), time.process_time() - used
    for path in folder.iterdir():
        path.unlink()
    return Took(ready - begun, done - ready, used)


def simulating(where: str, workers: int, showers: int, folder: Path) -> Took:
    """Simulate electromagnetic showers into a file."""
    setup = preset("pbwo4-lar")
    begun = time.perf_counter()
    with hired(where, workers) as executor:
        few = 30 * workers  # some pieces for each
        simulate_to_file(
            setup, folder / "few.hdf5", few, seed=1, workers=workers, executor=executor
        )
        ready, used = time.perf_counter(), time.process_time()
        simulate_to_file(
            setup, folder / "many.hdf5", showers, seed=2, workers=workers, executor=executor
        )
        done, used = time.perf_counter(), time.process_time() - used
    for path in folder.iterdir():
        path.unlink()
    return Took(ready - begun, done - ready, used)


def main() -> None:
    """Alternate all kinds of runs."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--showers", type=int, default=4096, help="sampled")
    options.add_argument("--simulated", type=int, default=200)
    options.add_argument("--executor", default="dask", choices=["dask", "processes"])
    given = options.parse_args()
    gains: dict[str, list[float]] = {"pure arithmetic": [], "drawing without a seam": []}
    starts: dict[str, list[float]] = {}
    kinds = {f"sampling, {given.executor}": (sampling, given.executor, given.showers)}
    if find_spec("calzone") is None:
        print("calzone is not installed: no simulation")
    else:
        for where in {"processes": 0, given.executor: 0}:
            kinds[f"simulating, {where}"] = (simulating, where, given.simulated)
    with tempfile.TemporaryDirectory() as name:
        for _ in range(given.rounds):
            for what, work in zip(gains, (compute, draw_alone), strict=False):
                gains[what].append(2 * alone(work, 1) / alone(work, 2))
            for what, (run, where, showers) in kinds.items():
                one, two = (run(where, n, showers, Path(name)) for n in (1, 2))
                gains.setdefault(what, []).append(one.steady / two.steady)
                starts.setdefault(what, []).append(two.start)
                rates = f"{showers / one.steady:.1f} and {showers / two.steady:.1f} showers/s"
                print(
                    f"{what}: {rates}, start {one.start:.1f} and {two.start:.1f} s, "
                    f"{1e3 * two.own / showers:.2f} ms of this process per shower",
                    flush=True,
                )
    limit = median(gains["pure arithmetic"])
    for what, found in gains.items():
        text = f"two against one, {what}: {median(found):.2f}, {100 * median(found) / limit:.0f} %"
        start = f"; start of two {median(starts[what]):.1f} s" if what in starts else ""
        print(f"{text} of pure arithmetic ({', '.join(f'{g:.2f}' for g in found)}){start}")


if __name__ == "__main__":
    main()
