r"""Run the challenge's own evaluation and jetnet's metrics on two files; keep every number.

    python validation/run_official.py GENERATED REFERENCE --dataset 1-photons \
        --homepage CHECKOUT --jetnet CHECKOUT --out official.json

CHECKOUT are the user's own copies of https://github.com/CaloChallenge/homepage and
https://github.com/jet-net/JetNet; nothing of them is part of this package, and nothing of this
package is used here. Wanted: numpy, h5py, matplotlib, scikit-learn, scipy, torch, numba, prdc.

The programs' functions are called as they are. What is done around them: LaTeX is switched off, no
picture is saved, numbers are taken before they are rounded for print, seeds are set (the programs
set none), the split sizes are 60/20/20 % (the program's own option) instead of fixed counts, rows
may be selected and the dtype changed before anything is computed (the classifiers, which refuse
single precision, always see double). Modules that jetnet imports but does not need for its two
distances are replaced by empty ones.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import importlib.metadata
import importlib.util
import io
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
import types
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

STAGES = ("histograms", "inputs", "fpd", "kpd", "prdc")
PROGRAMS = ("evaluate", "HighLevelFeatures", "XMLHandler", "evaluate_plotting_helper", "resnet")
PACKAGES = ("numpy", "scipy", "scikit-learn", "torch", "numba", "prdc", "h5py", "matplotlib")
PARTICLES = {"1-photons": "photon", "1-pions": "pion", "2": "electron", "3": "electron"}
THRESHOLDS = {"1-photons": 1.0, "1-pions": 1.0, "2": 0.5e-3 / 0.033, "3": 0.5e-3 / 0.033}
IMAGES = {"2": (45, 16, 9), "3": (45, 50, 18)}
HISTOGRAMS = {
    "plot_Etot_Einc": "total_energy_ratio",
    "plot_E_layers": "layer_energy",
    "plot_ECEtas": "centre_eta",
    "plot_ECPhis": "centre_phi",
    "plot_ECWidthEtas": "width_eta",
    "plot_ECWidthPhis": "width_phi",
    "plot_ECR": "centre_r",
    "plot_ECWidthR": "width_r",
    "plot_sparsity": "sparsity",
}
ROWS, EXAMPLES = 50, 3  # showers whose inputs are kept: in one number each, in full
MOST_COLUMNS = 400  # of inputs that are kept in full


class Official:
    """The programs as modules, and what is measured while they run."""

    def __init__(self, homepage: Path, jetnet: Path | None) -> None:
        import matplotlib as mpl

        mpl.use("Agg")
        self.code = homepage if (homepage / "evaluate.py").exists() else homepage / "code"
        sys.path.insert(0, str(self.code))
        import evaluate
        import evaluate_plotting_helper
        import matplotlib.pyplot as plt

        plt.rc("text", usetex=False)
        plt.savefig = lambda *_, **__: None
        self.evaluate, self.plots = evaluate, evaluate_plotting_helper
        self.metrics = jetnet_metrics(jetnet) if jetnet else None
        self.seconds: dict[str, float] = {}
        self.processor_seconds: dict[str, float] = {}
        self.warnings: dict[str, list[str]] = {}

    @contextlib.contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Time a stage, keep its warnings, drop what it prints."""
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            start, busy = time.perf_counter(), time.process_time()
            with contextlib.redirect_stdout(io.StringIO()):
                yield
            seconds, busy = time.perf_counter() - start, time.process_time() - busy
        self.seconds[stage] = min(seconds, self.seconds.get(stage, seconds))
        self.processor_seconds[stage] = min(busy, self.processor_seconds.get(stage, busy))
        if caught:
            self.warnings[stage] = sorted({str(warning.message) for warning in caught})
        print(f"{stage}: {self.seconds[stage]:.2f} s", file=sys.stderr)


def jetnet_metrics(checkout: Path) -> Any:
    """Load jetnet's file of metrics without the data sets and jets it can do as well."""
    for name, attributes in {
        "energyflow": (),
        "energyflow.emd": ("emds",),
        "jetnet": ("utils", "datasets"),
        "jetnet.utils": (),
        "jetnet.datasets": ("JetNet",),
    }.items():
        module = types.ModuleType(name)
        for attribute in attributes:
            setattr(module, attribute, None)
        sys.modules[name] = module
    path = checkout / "jetnet" / "evaluation" / "gen_metrics.py"
    spec = importlib.util.spec_from_file_location("jetnet.evaluation.gen_metrics", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


class Sample:
    """One file as the programs hold it: voxels before and after the cut, and its features."""

    def __init__(self, official: Official, given: argparse.Namespace, role: str) -> None:
        import h5py
        import numpy as np

        rows = slice(*(int(x) if x else None for x in getattr(given, f"{role}_rows").split(":")))
        with h5py.File(getattr(given, role)) as file:
            stored = {key: file[key][rows] for key in ("showers", "incident_energies")}
        if given.dtype != "file":
            stored = {key: value.astype(given.dtype) for key, value in stored.items()}
        self.file = {**stored, "incident_energies": stored["incident_energies"].reshape(-1, 1)}
        self.dtype = str(stored["showers"].dtype)
        self.cut = np.where(
            self.file["showers"] < given.threshold,
            np.zeros_like(self.file["showers"]),
            self.file["showers"],
        )
        binning = official.code / f"binning_dataset_{given.dataset.replace('-', '_')}.xml"
        self.features = official.evaluate.HLF.HighLevelFeatures(
            PARTICLES[given.dataset], filename=str(binning)
        )
        self.features.Einc = self.file["incident_energies"]

    def __len__(self) -> int:
        return len(self.cut)


def separations(
    official: Official, generated: Sample, reference: Sample, given: argparse.Namespace
) -> dict[str, float]:
    """Return every separation power with its digits, by our names for the observables."""
    found: list[float] = []
    original = official.plots._separation_power

    def recorded(*arguments: Any) -> float:
        found.append(float(original(*arguments)))
        return found[-1]

    scores: dict[str, float] = {}
    given.mode, given.x_scale = "hist-chi", "log"
    official.plots._separation_power = recorded
    with tempfile.TemporaryDirectory() as given.output_dir:
        with official.timed("histograms"):
            for function, family in HISTOGRAMS.items():
                found.clear()
                getattr(official.plots, function)(generated.features, reference.features, given)
                names = _names(family, reference.features, len(found))
                scores.update(zip(names, found, strict=True))
            if given.dataset.startswith("1"):
                found.clear()
                official.plots.plot_Etot_Einc_discrete(
                    generated.features, reference.features, given
                )
                scores |= {f"total_energy_ratio_at/{2**8 << i}": v for i, v in enumerate(found)}
        with official.timed("cells"):
            found.clear()
            official.plots.plot_cell_dist(generated.cut, reference.cut, given)
            scores["voxel_energy"] = found[0]
    official.plots._separation_power = original
    return {f"separation/{name}": value for name, value in scores.items() if value == value}


def _names(family: str, features: Any, count: int) -> list[str]:
    if count == 1 and family == "total_energy_ratio":
        return [family]
    every, angular = features.relevantLayers, features.layersBinnedInAlpha
    around = family in ("centre_eta", "centre_phi", "width_eta", "width_phi")
    return [f"{family}/{layer}" for layer in (angular if around else every)]


def inputs(
    official: Official, sample: Sample, given: argparse.Namespace, which: str, label: float
) -> Any:
    """Return what a classifier of the challenge is shown, label included."""
    prepare = official.evaluate.prepare_low_data_for_classifier
    file, settings = sample.file, {"threshold": given.threshold}
    if which.startswith("low_level_normed"):
        settings = {"normed": True}  # the program does not pass the threshold here
    if which == "low_level_normed_cut":  # what it would be if it did
        file = {**file, "showers": sample.cut}
    elif which == "high_level":
        prepare = official.evaluate.prepare_high_data_for_classifier
    with official.timed(f"inputs/{which}"):
        return prepare(file, sample.features, label, **settings)


def described(array: Any) -> dict[str, Any]:
    """Condense inputs into few numbers that a change of any column would change."""
    import numpy as np

    rows = array[:ROWS].astype("float64")
    few = array.shape[1] <= MOST_COLUMNS
    return {
        "shape": list(array.shape),
        "projected": (rows @ (2 + np.cos(np.arange(array.shape[1])))).tolist(),
        "examples": rows[:EXAMPLES].tolist() if few else [],
    }


def distances(
    official: Official, generated: Sample, reference: Sample, given: argparse.Namespace
) -> dict[str, float]:
    """Return FPD, KPD and the four numbers of nearest neighbours."""
    import numpy as np

    scores: dict[str, float] = {}
    ours, truth = (
        inputs(official, sample, given, "high_level", label)[:, :-1]
        for sample, label in ((generated, 0.0), (reference, 1.0))
    )
    for _ in range(given.repeats if "fpd" in given.stages else 0):
        with official.timed("fpd"):
            value = official.metrics.fpd(
                truth, ours, min_samples=given.fpd_min, max_samples=given.fpd_max
            )
        scores["fpd"], scores["fpd_error"] = map(float, value)
    if "kpd" in given.stages:
        small = min(200, given.kpd_batch)
        official.metrics.kpd(truth[:small], ours[:small], batch_size=small)  # compile first
        with official.timed("kpd"):
            value = official.metrics.kpd(truth, ours, batch_size=given.kpd_batch)
        scores["kpd"], scores["kpd_error"] = map(float, value)
    if "prdc" in given.stages:
        from prdc import compute_prdc

        filled = [
            np.log10(np.where(part == 0.0, 0.1 * np.ones_like(part), part))
            for part in (
                sample.cut[: given.prdc_events or None] for sample in (reference, generated)
            )
        ]
        with official.timed("prdc"):
            scores |= {
                name: float(value)
                for name, value in compute_prdc(*filled, nearest_k=given.neighbours).items()
            }
    return scores


def classifier(
    official: Official, arrays: tuple[Any, Any], given: argparse.Namespace, mode: str, seed: int
) -> dict[str, Any]:
    """Train and score one classifier as the program's main part does, with a seed."""
    import numpy as np
    import torch

    program = official.evaluate
    np.random.seed(seed)  # noqa: NPY002 (the program draws from this one)
    torch.manual_seed(seed)
    parts = program.ttv_split(*(array.copy() for array in arrays))
    if mode == "resnet":
        network = program.generate_model(18, img_shape=IMAGES[given.dataset])
    else:
        network = program.DNN(2, given.hidden, parts[0].shape[1] - 1, 0.0)
    optimiser = torch.optim.Adam(network.parameters(), lr=2e-4)
    loaders = [
        program.DataLoader(
            program.TensorDataset(torch.tensor(part).double()), batch_size=1000, shuffle=number == 0
        )
        for number, part in enumerate(parts)
    ]
    given.mode, given.device, given.save_mem = mode, torch.device("cpu"), False
    given.cls_n_epochs = given.epochs
    with tempfile.TemporaryDirectory() as given.output_dir, contextlib.ExitStack() as stack:
        training = stack.enter_context(_watched(program, "train_cls"))
        scoring = stack.enter_context(_watched(program, "evaluate_cls"))
        areas = stack.enter_context(_watched(program, "roc_auc_score"))
        with official.timed(f"classifier/{mode}/{seed}"):
            program.train_and_evaluate_cls(network, *loaders[:2], optimiser, given)
            network = program.load_classifier(network, given)
            with torch.no_grad():
                _, auc, jsd = program.evaluate_cls(
                    network, loaders[2], given, final_eval=True, calibration_data=loaders[1]
                )
    return {
        "seed": seed,
        "best_epoch": given.best_epoch,
        "accuracy": [float(result[0]) for _, result in scoring[:-1]],
        "auc": float(areas[-2][1]),
        "auc_calibrated": float(auc),
        "jsd": float(jsd),
        "train_seconds": [times for times, _ in training],
        "select_seconds": [times for times, _ in scoring[:-1]],
        "split": [len(part) for part in parts],
    }


@contextlib.contextmanager
def _watched(module: Any, name: str) -> Iterator[list[tuple[tuple[float, float], Any]]]:
    """Keep wall and processor time and the result of every call of a function of a module."""
    original: Callable[..., Any] = getattr(module, name)
    calls: list[tuple[tuple[float, float], Any]] = []

    def call(*arguments: Any, **named: Any) -> Any:
        start, busy = time.perf_counter(), time.process_time()
        result = original(*arguments, **named)
        times = time.perf_counter() - start, time.process_time() - busy
        calls.append((times, result))
        return result

    setattr(module, name, call)
    try:
        yield calls
    finally:
        setattr(module, name, original)


def matrix_rate(repetitions: int = 3) -> float:
    """Return GFLOP/s of a 4096-square product in float32, to compare times across machines."""
    import torch

    a = torch.ones(4096, 4096, dtype=torch.float32)
    b, times = torch.ones_like(a), []
    for _ in range(repetitions + 1):
        start = time.perf_counter()
        a @ b
        times.append(time.perf_counter() - start)
    return 2 * 4096**3 / min(times[1:]) / 1e9


def provenance(official: Official, given: argparse.Namespace, samples: list[Sample]) -> dict:
    """Say what was run on what; names of files, not their places."""
    programs = {f"{name}.py": official.code / f"{name}.py" for name in PROGRAMS}
    if official.metrics:
        programs["gen_metrics.py"] = Path(official.metrics.__file__)
    kept = ("dataset", "generated_rows", "reference_rows", "dtype", "threshold", "fpd_min")
    kept += ("fpd_max", "kpd_batch", "prdc_events", "neighbours", "hidden", "epochs", "threads")
    return {
        "command": _command(given),
        "programs": {name: _sha256(path) for name, path in programs.items()},
        "commits": {
            "CaloChallenge/homepage": given.homepage_commit or _commit(given.homepage),
            "jet-net/JetNet": given.jetnet_commit or _commit(given.jetnet),
        },
        "files": {
            role: {"name": path.name, "sha256": _sha256(path), "events": len(sample)}
            for role, path, sample in zip(
                ("generated", "reference"), (given.generated, given.reference), samples, strict=True
            )
        },
        "computed_in": samples[0].dtype,
        "settings": {name: getattr(given, name) for name in kept},
        "versions": {name: importlib.metadata.version(name) for name in PACKAGES},
        "python": platform.python_version(),
        "machine": platform.machine(),
    }


def _command(given: argparse.Namespace) -> str:
    """Return the command line with names of files in place of their paths."""
    ours = {str(given.homepage): "HOMEPAGE", str(given.jetnet): "JETNET"}
    words = [ours.get(w, Path(w).name if "/" in w else w) for w in sys.argv[1:]]
    return " ".join(["python validation/run_official.py", *words])


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _commit(checkout: Path | None) -> str:
    if checkout is None or not (checkout / ".git").exists():
        return "unknown"
    command = ["git", "-C", str(checkout), "rev-parse", "HEAD"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def parsed() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("generated", type=Path)
    parser.add_argument("reference", type=Path)
    parser.add_argument("--dataset", choices=sorted(PARTICLES), required=True)
    parser.add_argument("--homepage", type=Path, required=True, help="CaloChallenge/homepage")
    parser.add_argument("--jetnet", type=Path, help="jet-net/JetNet")
    parser.add_argument("--homepage-commit", default="", help="if the copy has no .git")
    parser.add_argument("--jetnet-commit", default="", help="if the copy has no .git")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--stages", nargs="*", choices=STAGES, default=list(STAGES))
    parser.add_argument("--generated-rows", default="0:", help="start:stop")
    parser.add_argument("--reference-rows", default="0:", help="start:stop")
    parser.add_argument("--dtype", choices=("file", "float32", "float64"), default="file")
    parser.add_argument("--fpd-min", type=int, default=10_000)
    parser.add_argument("--fpd-max", type=int, default=50_000)
    parser.add_argument("--kpd-batch", type=int, default=10_000)
    parser.add_argument("--prdc-events", type=int, default=0, help="of each file; 0: all")
    parser.add_argument("--neighbours", type=int, default=5)
    parser.add_argument("--classifier", nargs="*", default=[], help="low_level, high_level, ...")
    parser.add_argument("--seeds", nargs="*", type=int, default=[0])
    parser.add_argument("--epochs", type=int, default=50)
    parser.add_argument("--hidden", type=int, default=2048)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=1, help="of the short stages, for timing")
    return parser.parse_args()


def main() -> None:
    """Run the wanted stages; the file is written after each, so that an end loses one."""
    given = parsed()
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(given.threads)  # before numpy is imported
    given.threshold = given.min_energy = THRESHOLDS[given.dataset]
    official = Official(given.homepage, given.jetnet)
    import torch

    torch.set_num_threads(given.threads)
    result: dict[str, Any] = {"matrix_rate_gflops": [matrix_rate()]}
    with official.timed("read"):
        samples = [Sample(official, given, role) for role in ("generated", "reference")]
    generated, reference = samples
    result["provenance"] = provenance(official, given, samples)
    result["scores"] = {}
    for _ in range(given.repeats):
        with official.timed("features"):
            for sample in samples:
                sample.features.CalculateFeatures(sample.cut)
        if "histograms" in given.stages:
            result["scores"] |= separations(official, generated, reference, given)
    if "inputs" in given.stages:
        result["inputs"] = {
            name: [
                described(inputs(official, sample, given, name, label)[:, :-1])
                for label, sample in enumerate(samples)
            ]
            for name in ("low_level", "low_level_normed", "low_level_normed_cut", "high_level")
        }
    result["scores"] |= distances(official, generated, reference, given)
    result["classifiers"] = {}
    for mode in given.classifier:
        which = "low_level" if mode == "resnet" else mode
        arrays = tuple(
            inputs(official, sample, given, which, float(label))
            for label, sample in enumerate(samples)
        )
        for seed in given.seeds:
            run = classifier(official, arrays, given, mode, seed)
            result["classifiers"].setdefault(mode, []).append(run)
            _save(given.out, result, official)
    result["matrix_rate_gflops"].append(matrix_rate())
    _save(given.out, result, official)


def _save(path: Path, result: dict[str, Any], official: Official) -> None:
    whole = {
        **result,
        "seconds": official.seconds,
        "processor_seconds": official.processor_seconds,
        "warnings": official.warnings,
    }
    lines = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in whole.items()]
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
