"""One epoch of the low-level classifier: ours against the CaloChallenge's own program.

    python benchmarks/classifier_epoch.py --rows 60000 --threads 2 --homepage CHECKOUT

An epoch is training on that many rows of 369 features (data set 1, photons) and scoring a third as
many. CHECKOUT is the user's own copy of https://github.com/CaloChallenge/homepage; its functions
are called as they are, in double precision, in a process of their own. Without it the ratio is that
to the recorded number, brought to this machine's rate of a matrix product. Prints JSON.

Wall time and processor time are both given: on a machine that others use, too, only the latter
means something.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import subprocess
import sys
import time
import types
from pathlib import Path
from typing import Any

import numpy as np

FEATURES = 369
RECORDED: dict[str, Any] = {}


def rows(count: int, seed: int) -> np.ndarray:
    """Return rows like showers: a logarithm, then 30 % of the voxels filled; float32."""
    rng = np.random.default_rng(seed)
    x = rng.random((count, FEATURES), np.float32)
    x[rng.random(x.shape, np.float32) > 0.3] = 0
    x[:, 0] = 3 + rng.random(count)
    return x


def ours(count: int, threads: int, precision: str) -> dict[str, Any]:
    """Time the second of two epochs; the first one warms up."""
    from simulacra.classify import ClassifierConfig, LabelledSample, train_discriminator
    from simulacra.classify.classifier import operations_per_event, precision_used
    from simulacra.evaluation.timing import matrix_rate

    half = count * 2 // 3
    sample = LabelledSample.of((rows(half, 0), rows(half, 1)))
    order = np.random.default_rng(0).permutation(len(sample))
    config = ClassifierConfig(epochs=2, threads=threads, precision=precision)
    times: list[tuple[float, float]] = []
    mark = [time.perf_counter(), time.process_time()]

    def tick(*_: int) -> None:
        now = [time.perf_counter(), time.process_time()]
        times.append((now[0] - mark[0], now[1] - mark[1]))
        mark[:] = now

    rate = matrix_rate(threads)
    train_discriminator(sample, order[:count], order[count:], config, seed=0, progress=tick)
    forward, both = operations_per_event(sample, config)
    operations = both * count + forward * (len(order) - count)
    wall, processor = times[-1]
    return {
        "precision": precision_used(config),
        "wall_s": round(wall, 2),
        "processor_s": round(processor, 2),
        "matrix_gflops": round((rate + matrix_rate(threads)) / 2, 1),
        "share_of_rate": round(operations / wall / 1e9 / rate, 2),
    }


def official(count: int, threads: int, homepage: Path) -> dict[str, Any]:
    """Time the official program in a process of its own."""
    command = [sys.executable, __file__, "--rows", str(count), "--threads", str(threads)]
    done = subprocess.run(
        [*command, "--homepage", str(homepage), "--only-official"],
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def run_official(count: int, threads: int, homepage: Path) -> dict[str, Any]:
    """Call the official program's functions; they set torch's default to double precision."""
    sys.path.insert(0, str(homepage / "code"))
    import torch

    with contextlib.redirect_stdout(io.StringIO()):
        import evaluate
    from torch.utils.data import DataLoader, TensorDataset

    torch.set_num_threads(threads)

    def loader(size: int, seed: int) -> DataLoader[Any]:
        label = np.arange(size)[:, None] % 2
        array = np.concatenate([rows(size, seed), label], axis=1).astype(np.float64)
        return DataLoader(TensorDataset(torch.tensor(array)), batch_size=1000, shuffle=True)

    given = types.SimpleNamespace(save_mem=False, device=torch.device("cpu"), cls_n_epochs=2)
    network = evaluate.DNN(2, 2048, FEATURES)
    optimiser = torch.optim.Adam(network.parameters(), lr=2e-4)
    training, selection = loader(count, 0), loader(count // 3, 1)
    with contextlib.redirect_stdout(io.StringIO()):
        for epoch in range(2):
            start = time.perf_counter(), time.process_time()
            evaluate.train_cls(network, training, optimiser, epoch, given)
            with torch.no_grad():
                evaluate.evaluate_cls(network, selection, given)
            wall, processor = time.perf_counter() - start[0], time.process_time() - start[1]
    return {"wall_s": round(wall, 2), "processor_s": round(processor, 2)}


def main() -> None:
    """Time and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=6000)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--homepage", type=Path)
    parser.add_argument("--only-official", action="store_true")
    given = parser.parse_args()
    if given.only_official:
        print(json.dumps(run_official(given.rows, given.threads, given.homepage)))
        return
    found: dict[str, Any] = {"rows": given.rows, "threads": given.threads}
    found["ours"] = [ours(given.rows, given.threads, p) for p in ("float32", "automatic")]
    if given.homepage is None:
        found["official"] = _recorded(given.rows, found["ours"][0]["matrix_gflops"] / given.threads)
    else:
        found["official"] = official(given.rows, given.threads, given.homepage)
    kind = "processor_s"
    for one in found["ours"]:
        one["times_faster"] = round(found["official"][kind] / one[kind], 2)
    print(json.dumps(found, indent=2))


def _recorded(count: int, rate: float) -> dict[str, Any]:
    """Scale the recorded processor time to this many rows and this machine's rate per core."""
    scale = count / RECORDED["rows"] * RECORDED["matrix_gflops_per_core"] / rate
    return {"recorded": RECORDED, "processor_s": round(RECORDED["processor_s"] * scale, 2)}


if __name__ == "__main__":
    main()
