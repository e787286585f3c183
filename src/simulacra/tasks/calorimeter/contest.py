"""A contest of recipes: each trained for equally long on the same showers, judged alike."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...data import ShowerFile, VoxelShowers, open_showers
from ...errors import ConfigError, RangeError, SimulacraError
from ...evaluation import Verdict, evaluate
from ...execute import atomic_text
from ...generative.cascade import CascadeConfig, ShowerCascade
from ...generative.model import HasDensity
from .drawing import particles_like
from .problem import SurrogateConfig
from .sampling import sample_to_file
from .surrogate import Surrogate

__all__ = ["Contest", "Entry", "parse_budget", "rows_of", "verdicts_of"]

_TRIAL_SHOWERS = 4096
_UNITS = {"s": 1 / 60, "m": 1.0, "h": 60.0}
Say = Callable[[str], None]


def parse_budget(text: str) -> float:
    """Read a time such as ``90s``, ``20m`` or ``2h``; return minutes.

    Raises:
        ConfigError: if it is none.
    """
    number, unit = text[:-1], text[-1:]
    try:
        minutes = float(number) * _UNITS[unit]
    except (KeyError, ValueError):
        minutes = 0.0
    if not 0 < minutes < float("inf"):
        raise ConfigError(f"budget: expected a time such as 90s, 20m or 2h, found {text!r}.")
    return minutes


@dataclass(frozen=True)
class Entry:
    """One recipe with one seed, or a model that is trained already.

    Args:
        config: the recipe; its number of epochs is set by the budget.
        seed: of training and sampling.
        model: folder of a trained model of that configuration, which no budget limits.
    """

    config: SurrogateConfig
    seed: int
    model: Path | None = None

    @property
    def label(self) -> str:
        """Name and seed, also the folder below the contest's."""
        return f"{self.config.name}/seed-{self.seed}"


@dataclass(frozen=True)
class Contest:
    """The conditions that are equal for all entries.

    Args:
        folder: where models, showers, verdicts and rows are kept.
        data: training showers.
        reference: showers to judge with; nothing is trained on them.
        minutes: wall time of a training's epochs.
        suite: of the judge.
        threads: of training, sampling and judging.
        batches: numbers of showers per call for which sampling is timed.
    """

    folder: Path
    data: Path
    reference: Path
    minutes: float
    suite: str = "quick"
    threads: int = 2
    batches: tuple[int, ...] = (1, 100, 10_000)

    def run(self, entry: Entry, say: Say) -> dict[str, Any]:
        """Train, sample, judge and time an entry; what is there already is not done again.

        An entry that was judged by another suite keeps what that said. One that was made under
        other conditions (recipe, data, budget, threads) is made anew.

        Args:
            entry: the recipe and its seed.
            say: called with a sentence when another stage begins.

        Returns:
            The entry's row: plain data, also kept as ``row.json``. What a suite said stands under
            ``judged`` and its name. An entry that fails has ``failure``, the reason.
        """
        place = self.folder / entry.label
        kept, row = place / "row.json", self._begun(entry, place)
        try:
            if "normalised_ms" not in row:
                surrogate = self._trained(entry, place, say)
                row |= self._described(surrogate)
                say(f"{entry.label}: drawing showers")
                row |= self._drawn(surrogate, entry, place)
                say(f"{entry.label}: timing")
                row |= self._timed(place)
                row.pop("failure", None)
            if self.suite not in row["judged"]:
                say(f"{entry.label}: judging")
                row["judged"][self.suite] = self._judged(entry, place, row)
                row.pop("failure", None)
        except SimulacraError as error:
            row["failure"] = str(error)
        atomic_text(kept, json.dumps(row, indent=1) + "\n")
        return row

    def _begun(self, entry: Entry, place: Path) -> dict[str, Any]:
        """Return what is known of an entry; remove what was made under other conditions."""
        identity = self._identity(entry)
        made_for = place / "identity.json"
        if place.exists() and (
            not made_for.exists() or json.loads(made_for.read_text())["identity"] != identity
        ):
            shutil.rmtree(place)
        place.mkdir(parents=True, exist_ok=True)
        atomic_text(made_for, json.dumps({"identity": identity}) + "\n")
        if (place / "row.json").exists():
            row: dict[str, Any] = json.loads((place / "row.json").read_text())
            return row
        return {
            "name": entry.config.name,
            "seed": entry.seed,
            "budget_minutes": None if entry.model else self.minutes,
            "judged": {},
        }

    def _identity(self, entry: Entry) -> str:
        content = {
            "config": entry.config.to_dict(),
            "data": open_showers(self.data).digest(),
            "reference": open_showers(self.reference).digest(),
            "minutes": self.minutes,
            "threads": self.threads,
            "seed": entry.seed,
        }
        if entry.model:
            content["model"] = Surrogate.load(entry.model).manifest.get("digest")
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    def _trained(self, entry: Entry, place: Path, say: Say) -> Surrogate:
        if (place / "model" / "manifest.json").exists():
            return Surrogate.load(place / "model")
        if entry.model:
            surrogate = Surrogate.load(entry.model)
            surrogate.save(place / "model")
            return surrogate
        epochs = self._epochs(entry, place, say)
        training = entry.config.training.updated(epochs=epochs, threads=self.threads)
        config = entry.config.updated(training=training.to_dict(), teacher=self._teacher(entry))
        say(f"{entry.label}: training for {epochs} epochs")
        surrogate = Surrogate(config)
        surrogate.fit(self.data, seed=entry.seed, folder=place / "training", resume=True)
        surrogate.save(place / "model")
        return surrogate

    def _teacher(self, entry: Entry) -> str | None:
        """Return the teacher: the model of another entry of that name, or one by itself."""
        teacher = entry.config.teacher
        own = self.folder / str(teacher) / f"seed-{entry.seed}" / "model"
        return str(own) if teacher and own.is_dir() else teacher

    def _epochs(self, entry: Entry, place: Path, say: Say) -> int:
        """Time a short training; return how many epochs fit into the budget."""
        kept = place / "epochs.json"
        if kept.exists():  # a training that goes on must end where it was to end
            return int(json.loads(kept.read_text())["epochs"])
        say(f"{entry.label}: timing an epoch")
        file = open_showers(self.data)
        trial = _trial(file)
        quick = entry.config.training.updated(epochs=2, threads=self.threads)
        config = entry.config.updated(training=quick.to_dict(), teacher=self._teacher(entry))
        surrogate = Surrogate(config)
        surrogate.fit(trial, seed=entry.seed)
        each = min(_seconds(surrogate)) * file.events / len(trial)
        epochs = int(60 * self.minutes / each)
        if epochs < 1:
            raise RangeError(
                f"budget: one epoch of {entry.config.name} on {file.events} showers takes about "
                f"{each / 60:.1f} minutes here, the budget is {self.minutes:g}. Give more time or "
                "fewer showers."
            )
        atomic_text(kept, json.dumps({"epochs": epochs, "seconds_per_epoch": each}) + "\n")
        return epochs

    def _described(self, surrogate: Surrogate) -> dict[str, Any]:
        training = surrogate.manifest["training"]
        model = surrogate.model
        parts = (model.energy, model.shape) if isinstance(model, ShowerCascade) else (model,)
        return {
            "family": _family(surrogate.config),
            "parameters": sum(p.numel() for p in surrogate.model.parameters()),
            "epochs": training["epochs"],
            "training_minutes": training["wall_minutes"],
            "training_processor_minutes": training["processor_minutes"],
            "density": all(isinstance(part, HasDensity) for part in parts),
        }

    def _drawn(self, surrogate: Surrogate, entry: Entry, place: Path) -> dict[str, Any]:
        particles = particles_like(open_showers(self.reference), surrogate.config.conditions)
        showers = place / "showers.hdf5"
        sample_to_file(surrogate, showers, particles, seed=entry.seed, workers=self.threads)
        return {"showers": showers.name}

    def _timed(self, place: Path) -> dict[str, Any]:
        """Time sampling in a process of its own, whose memory is measured."""
        command = [sys.executable, "-m", "simulacra", "bench", "sampling", str(place / "model")]
        command += ["--json", "--threads", str(self.threads)]
        for batch in self.batches:
            command += ["--batch", str(batch)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            text = child.stdout.read()
            _, status, usage = os.wait4(child.pid, 0)
            child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            raise RangeError(f"timing of {place} ended with status {child.returncode}.")
        found = json.loads(text)
        return {
            "normalised_ms": {str(t["batch"]): t["normalised_milliseconds"] for t in found},
            "raw_ms": {str(t["batch"]): t["milliseconds"] for t in found},
            "matrix_rate_gflops": found[-1]["rate"],
            "sampling_peak_gb": usage.ru_maxrss * 1024 / 1e9,
        }

    def _judged(self, entry: Entry, place: Path, row: dict[str, Any]) -> dict[str, Any]:
        verdict = evaluate(
            place / "showers.hdf5",
            self.reference,
            suite=self.suite,
            seed=entry.seed,
            training=self.data,
            threads=self.threads,
            folder=place / f"retrainings-{_file_name(self.suite)}",
        )
        verdict = _with_facts(verdict, entry, row)
        verdict.save(place / f"verdict-{_file_name(self.suite)}.json")
        return {
            "verdict": f"verdict-{_file_name(self.suite)}.json",
            "scores": {
                score.name: {"value": score.value, "error": score.error, "floor": score.floor}
                for score in verdict.scores
                if score.layer is None and "@" not in score.name
            },
            "suite": verdict.suite,
            "suite_label": verdict.suite_label,
            "comparable": verdict.comparable,
            "events": verdict.generated.events,
        }


def _file_name(suite: str) -> str:
    """Return a suite's name for files; suites may be paths of YAML files."""
    return Path(suite).stem


def _family(config: SurrogateConfig) -> str:
    model = config.model
    return model.shape.family if isinstance(model, CascadeConfig) else model.family


def _trial(file: ShowerFile) -> VoxelShowers:
    return file.read(0, min(file.events, _TRIAL_SHOWERS))


def _seconds(surrogate: Surrogate) -> list[float]:
    return [float(entry["wall_seconds"]) for entry in surrogate.history]


def _with_facts(verdict: Verdict, entry: Entry, row: dict[str, Any]) -> Verdict:
    """Put time and size into the verdict, for its page."""
    batches = [
        {"batch": int(batch), "ms_per_shower": value} for batch, value in row["raw_ms"].items()
    ]
    timing = {**(verdict.timing or {}), "hardware": "CPU", "batches": batches}
    size = {"training": row["parameters"], "generation": row["parameters"]}
    generated = dataclasses.replace(verdict.generated, name=entry.label)
    return dataclasses.replace(verdict, timing=timing, size=size, generated=generated)


def rows_of(folder: Path) -> list[dict[str, Any]]:
    """Read the rows that a contest has so far, by name and seed."""
    found = [json.loads(path.read_text()) for path in sorted(folder.glob("*/seed-*/row.json"))]
    return sorted(found, key=lambda row: (row["name"], row["seed"]))


def verdicts_of(folder: Path, rows: Sequence[dict[str, Any]]) -> list[Verdict]:
    """Read the most demanding verdict of the first seed of every name that has one."""
    first: dict[str, Path] = {}
    for row in rows:
        judged = sorted(row["judged"].values(), key=lambda said: not said["comparable"])
        for said in judged[:1]:
            path = folder / row["name"] / f"seed-{row['seed']}" / said["verdict"]
            first.setdefault(row["name"], path)
    return [Verdict.load(path) for path in first.values()]
