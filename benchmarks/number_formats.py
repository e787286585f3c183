"""Number formats and compilers: what each gains, and the judge's areas beside it.

    python benchmarks/number_formats.py MODEL REFERENCE [--bundle DIR] [--showers 4000]
        [--skip NAME...] [--json FILE]

Every way draws showers for the incident energies of REFERENCE from the same noise, in one thread
and batches of 240; times are processor time, the least of five turns that alternate. The judge
compares with REFERENCE by the classifiers of the quick suite; areas of 0.5 mean that a
classifier sees nothing. ``torch.compile`` needs a C++ compiler and minutes.
"""

from __future__ import annotations

import argparse
import copy
import json
import tempfile
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from simulacra.data import VoxelShowers, open_showers
from simulacra.deploy import load
from simulacra.deploy.bundle import BATCH
from simulacra.evaluation import QUICK, evaluate
from simulacra.generative import GenerativeModel
from simulacra.nets.cylindrical import CircularLinear
from simulacra.random import normal
from simulacra.tasks.calorimeter import Surrogate, find_model
from simulacra.tasks.calorimeter.exporting import export

Array = NDArray[np.float32]
Way = Callable[[Array, Array], Array]
ROWS = 240


def by_torch(draw: Callable[..., torch.Tensor], *, bfloat16: bool = False) -> Way:
    """Return a way that calls the generator itself."""

    def way(noise: Array, condition: Array) -> Array:
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            drawn = draw(torch.from_numpy(condition), torch.from_numpy(noise))
        return drawn.float().numpy()

    return way


def frozen(model: GenerativeModel) -> GenerativeModel:
    """Return a copy with matrices put together once; the compiler would start anew for each."""
    copied = copy.deepcopy(model)
    for part in copied.modules():
        if isinstance(part, CircularLinear):
            part.freeze()
    return copied


def by_onnx(bundle: Path, folder: Path, *, int8: bool = False) -> Way:
    """Return a way that runs the graph, or one whose products are of 8-bit numbers."""
    model, path = load(bundle), bundle / BATCH
    if int8:
        quantization: Any = import_module("onnxruntime.quantization")
        path = folder / "int8.onnx"
        quantization.quantize_dynamic(
            bundle / BATCH, path, op_types_to_quantize=["MatMul", "Gemm"], per_channel=False
        )
    session = model.open(path.read_bytes(), path.name)

    def way(noise: Array, condition: Array) -> Array:
        out: Array = session.run(None, {"noise": noise, "condition": condition})[0]
        return out

    return way


def seconds(ways: dict[str, Way], noise: Array, condition: Array) -> dict[str, float]:
    """Return the processor seconds of a shower, the least of five turns."""
    found: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(5):
        for name, way in ways.items():
            start = time.process_time()
            for first in range(0, 5 * ROWS, ROWS):
                way(noise[first : first + ROWS], condition[first : first + ROWS])
            found[name].append((time.process_time() - start) / (5 * ROWS))
    return {name: min(took) for name, took in found.items()}


def judged(drawn: Array, truth: VoxelShowers) -> dict[str, tuple[float, float]]:
    """Return the areas of the classifiers with their errors."""
    few = {"memorisation_limit": 0, "images": False, "examples": 0, "manifold": False}
    suite = QUICK.updated(**few, profiles=False, regions=0)
    showers = VoxelShowers(drawn, truth.incident_energy, truth.geometry)
    scores = evaluate(showers, truth, suite=suite, threads=1).scores
    return {s.name: (s.value, s.error or 0.0) for s in scores if s.name.startswith("auc/")}


def main() -> None:
    """Measure and judge every way."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("reference", type=Path)
    parser.add_argument("--bundle", type=Path)
    parser.add_argument("--showers", type=int, default=4000)
    parser.add_argument("--skip", nargs="+", default=[])
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(1)
    surrogate = Surrogate.load(find_model(args.model))
    model = surrogate.model.eval()
    truth = open_showers(args.reference).read(stop=args.showers)
    condition = surrogate.condition_table(truth.incident_energy, dict(truth.conditions))
    condition = condition.astype(np.float32)
    noise = normal(0, range(len(truth)), model.noise_size)
    table: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bundle = args.bundle or folder / "bundle"
        if not bundle.exists():
            export(surrogate, bundle)
        ways = {
            "torch float32": by_torch(model.draw),
            "torch bfloat16": by_torch(model.draw, bfloat16=True),
            "torch.compile": by_torch(torch.compile(frozen(model).draw)),
            "ONNX float32": by_onnx(bundle, folder),
            "ONNX int8": by_onnx(bundle, folder, int8=True),
        }
        ways = {name: way for name, way in ways.items() if name not in args.skip}
        for way in ways.values():
            way(noise[:ROWS], condition[:ROWS])
        took = seconds(ways, noise, condition)
        for name, way in ways.items():
            starts = range(0, len(truth) // ROWS * ROWS, ROWS)
            drawn = np.concatenate([way(noise[i : i + ROWS], condition[i : i + ROWS])
                                    for i in starts])  # fmt: skip
            areas = judged(drawn, truth.select(slice(0, len(drawn))))
            table[name] = {"microseconds": 1e6 * took[name], "areas": areas}
            words = ", ".join(f"{k[4:]} {v:.3f} ± {e:.3f}" for k, (v, e) in areas.items())
            print(f"{name:16s} {1e6 * took[name]:7.1f} µs  {words}", flush=True)
    if args.json:
        args.json.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
