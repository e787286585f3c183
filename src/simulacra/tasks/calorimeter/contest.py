"""A contest of recipes: each trained for equally long on the same showers, judged alike."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import subprocess
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ...artifact import load_artifact
from ...data import ShowerFile, VoxelShowers, open_showers
from ...errors import ConfigError, OutputError, RangeError, SimulacraError, UnknownNameError
from ...evaluation import Verdict, evaluate
from ...evaluation.suite import load_suite
from ...execute import atomic_text
from ...generative.cascade import CascadeConfig, ShowerCascade
from ...generative.model import HasDensity
from ...pieces import locked
from .contest_conditions import Conditions, conditions_of, differences
from .drawing import particles_like
from .problem import SurrogateConfig
from .sampling import sample_to_file
from .shipped import find_model
from .surrogate import Surrogate

__all__ = ["Contest", "Entry", "parse_budget", "rows_of", "teachers_first", "verdicts_of"]

_TRIAL_SHOWERS = 4096
_ROW, _CONDITIONS, _EPOCHS, _MODEL = "row.json", "conditions.json", "epochs.json", "model"
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
        again: make anew what was made under other conditions (recipe, showers, budget, threads,
            teacher), which is refused otherwise.
    """

    folder: Path
    data: Path
    reference: Path
    minutes: float
    suite: str = "ranking"
    threads: int = 2
    batches: tuple[int, ...] = (1, 100, 10_000)
    again: bool = False

    def run_all(self, entries: Sequence[Entry], say: Say) -> None:
        """Run entries in this order; one that fails does not keep the others.

        Args:
            entries: teachers before their students.
            say: called with a sentence when another stage begins.

        Raises:
            ConfigError: if one was made under other conditions and ``again`` is not set; before
                anything is done, or at the end if a teacher was made anew meanwhile.
            UnknownNameError: if there is no such suite.
        """
        load_suite(self.suite)
        for entry in [] if self.again else entries:
            self.refuse_changed(entry)
        refused: list[ConfigError] = []
        for entry in entries:
            try:
                self.run(entry, say)
            except ConfigError as error:
                refused.append(error)
        if refused:
            raise refused[0]

    def run(self, entry: Entry, say: Say) -> dict[str, Any]:
        """Train, sample, judge and time an entry; what is there already is not done again.

        What is finished is kept after every stage, and half a training or judging goes on where
        it stopped. An entry that was judged by another suite keeps what that said. An entry that
        another process is at work on is left to it.

        Args:
            entry: the recipe and its seed.
            say: called with a sentence when another stage begins.

        Returns:
            The entry's row: plain data, also kept as ``row.json``. What a suite said stands under
            ``judged`` and its name. An entry that fails has ``failure``, the reason.

        Raises:
            ConfigError: if it was made under other conditions and ``again`` is not set.
        """
        place = self.folder / entry.label
        place.mkdir(parents=True, exist_ok=True)
        try:
            let_in = locked(place, lambda: place.mkdir(parents=True, exist_ok=True))
        except OutputError:
            say(f"{entry.label}: left to the process that is at work on it")
            return self._so_far(entry, place)
        try:
            return self._run(entry, place, say)
        finally:
            let_in()

    def refuse_changed(self, entry: Entry) -> None:
        """Refuse an entry that stands in the folder, made under other conditions.

        Raises:
            ConfigError: saying which.
        """
        place = self.folder / entry.label
        kept = _kept(place / _CONDITIONS)
        if kept is None and not any((place / name).exists() for name in (_ROW, _MODEL)):
            return
        if differ := differences(kept or {}, self._conditions(entry)):
            raise ConfigError(
                f"{place}: was made with {', '.join(differ)}. Give what it was made with, another "
                "--out, or --again to make it anew."
            )

    def _run(self, entry: Entry, place: Path, say: Say) -> dict[str, Any]:
        row = self._begun(entry, place)
        try:
            if "normalised_ms" not in row:
                surrogate = self._trained(entry, place, say)
                row |= self._described(surrogate)
                say(f"{entry.label}: drawing showers")
                row |= self._drawn(surrogate, entry, place)
                say(f"{entry.label}: timing")
                row |= self._timed(place)
                _keep(place / _ROW, row)
            if self.suite not in row["judged"]:
                say(f"{entry.label}: judging")
                row["judged"][self.suite] = self._judged(entry, place, row)
            row.pop("failure", None)
        except SimulacraError as error:
            row["failure"] = str(error)
        except Exception as error:  # whatever it is, the others go on
            row["failure"] = f"{type(error).__name__}: {error}"
            atomic_text(place / "failure.txt", traceback.format_exc())
        _keep(place / _ROW, row)
        return row

    def _begun(self, entry: Entry, place: Path) -> dict[str, Any]:
        """Return what is known of an entry; with ``again``, remove what other conditions made."""
        try:
            self.refuse_changed(entry)
        except ConfigError:
            if not self.again:
                raise
            _emptied(place)
        conditions = self._conditions(entry)
        if conditions["teacher"] is None:
            conditions["teacher"] = (_kept(place / _CONDITIONS) or {}).get("teacher")
        _keep(place / _CONDITIONS, conditions)
        return self._so_far(entry, place)

    def _so_far(self, entry: Entry, place: Path) -> dict[str, Any]:
        return _kept(place / _ROW) or {
            "name": entry.config.name,
            "seed": entry.seed,
            "budget_minutes": None if entry.model else self.minutes,
            "judged": {},
        }

    @cached_property
    def _showers(self) -> dict[str, str]:
        files = {"training file": self.data, "reference": self.reference}
        return {name: open_showers(file).digest() for name, file in files.items()}

    def _conditions(self, entry: Entry) -> Conditions:
        return conditions_of(
            entry.config,
            showers=self._showers,
            minutes=self.minutes,
            threads=self.threads,
            model=entry.model,
            teacher=None if entry.model else self._known_teacher(entry),
        )

    def _trained(self, entry: Entry, place: Path, say: Say) -> Surrogate:
        if (place / _MODEL / "manifest.json").exists():
            return Surrogate.load(place / _MODEL)
        if entry.model:
            surrogate = Surrogate.load(entry.model)
            surrogate.save(place / _MODEL)
            return surrogate
        epochs = self._epochs(entry, place, say)
        training = entry.config.training.updated(epochs=epochs, threads=self.threads)
        config = entry.config.updated(training=training.to_dict(), teacher=self._teacher(entry))
        say(f"{entry.label}: training for {epochs} epochs")
        surrogate = Surrogate(config)
        surrogate.fit(self.data, seed=entry.seed, folder=place / "training", resume=True)
        surrogate.save(place / _MODEL)
        return surrogate

    def _teacher(self, entry: Entry) -> str | None:
        """Return the teacher: the contest's entry of that name and seed, or one by itself.

        Raises:
            ConfigError: if there is none, or not yet.
        """
        name = entry.config.teacher
        if name is None:
            return None
        if (known := self._known_teacher(entry)) is not None:
            return str(known)
        place = self.folder / name / f"seed-{entry.seed}"
        state = "is not trained yet" if place.is_dir() else "has no part in this contest"
        raise ConfigError(
            f"{entry.label}: learns from {name}, which {state} with seed {entry.seed}. Put "
            f"{name} into the same contest first, or name a model's folder as `teacher`."
        )

    def _known_teacher(self, entry: Entry) -> Path | None:
        """Return the teacher's folder; None if it has none, or not yet."""
        if entry.config.teacher is None:
            return None
        own = self.folder / entry.config.teacher / f"seed-{entry.seed}"
        if own.is_dir():
            return own / _MODEL if (own / _MODEL / "manifest.json").exists() else None
        try:
            return find_model(entry.config.teacher)
        except UnknownNameError:
            return None

    def _epochs(self, entry: Entry, place: Path, say: Say) -> int:
        """Time a short training; return how many epochs fit into the budget."""
        if kept := _kept(place / _EPOCHS):  # a training that goes on must end where it was to end
            return int(kept["epochs"])
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
        _keep(place / _EPOCHS, {"epochs": epochs, "seconds_per_epoch": each})
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
            "teacher": surrogate.config.teacher and _name_of(surrogate.config.teacher),
        }

    def _drawn(self, surrogate: Surrogate, entry: Entry, place: Path) -> dict[str, Any]:
        particles = particles_like(open_showers(self.reference), surrogate.config.conditions)
        showers = place / "showers.hdf5"
        sample_to_file(surrogate, showers, particles, seed=entry.seed, workers=self.threads)
        return {"showers": showers.name}

    def _timed(self, place: Path) -> dict[str, Any]:
        """Time sampling in a process of its own, whose memory is measured."""
        command = [sys.executable, "-m", "simulacra", "bench", "sampling", str(place / _MODEL)]
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


def _kept(path: Path) -> dict[str, Any] | None:
    """Return what a file keeps; None if it is not there."""
    found: dict[str, Any] | None = json.loads(path.read_text()) if path.exists() else None
    return found


def _keep(path: Path, content: dict[str, Any]) -> None:
    atomic_text(path, json.dumps(content, indent=1) + "\n")


def _emptied(place: Path) -> None:
    """Remove what is in a folder and leave the folder, which is locked; the conditions last."""
    for path in sorted(place.iterdir(), key=lambda path: path.name == _CONDITIONS):
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def _name_of(teacher: str) -> str:
    """Return what a teacher is called: its model's name, or that of its folder."""
    try:
        return str(load_artifact(find_model(teacher)).manifest["name"])
    except (SimulacraError, KeyError):
        return Path(teacher).name


def teachers_first(entries: Sequence[Entry]) -> list[Entry]:
    """Return entries in an order in which every student comes after its teacher, else as given."""
    names = {entry.config.name: entry for entry in entries}

    def depth(entry: Entry, below: int = 0) -> int:
        teacher = names.get(entry.config.teacher or "")
        if teacher is None or entry.model is not None or below > len(names):
            return 0
        return 1 + depth(teacher, below + 1)

    return sorted(entries, key=depth)


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
    found = [json.loads(path.read_text()) for path in sorted(folder.glob(f"*/seed-*/{_ROW}"))]
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
