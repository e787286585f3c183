"""Retrainings, one after another or in parallel, kept in a folder so that none is done twice."""

from __future__ import annotations

import hashlib
import json
import time
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from .. import __version__
from ..execute import atomic_path
from .classifier import precision_used, torch_threads, train_discriminator
from .parallel import run_in_processes
from .sample import LabelledSample
from .settings import ClassifierConfig

__all__ = ["Plan", "Retraining", "retrain"]

Array = NDArray[Any]
FloatArray = NDArray[np.float64]

_FORMAT = 1
"""Raised when the same key would mean another result."""


@dataclass(frozen=True, eq=False)
class Plan:
    """The events of one retraining, by number in the joined sample.

    Args:
        training: events to train on.
        selection: events that choose the epoch; they are scored, too.
        unseen: events to score.
    """

    training: NDArray[np.int64]
    selection: NDArray[np.int64]
    unseen: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Retraining:
    """What one retraining leaves.

    Args:
        number: its number, from 0.
        epoch: epoch whose weights were kept, from 1.
        accuracy: weighted accuracy on the selection events at that epoch.
        losses: mean training loss of each epoch, in nats.
        parameters: number of trained parameters.
        seconds: wall time when it was trained.
        selection: scores of the plan's selection events, see ``Discriminator.logits``.
        unseen: scores of the plan's unseen events.
    """

    number: int
    epoch: int
    accuracy: float
    losses: FloatArray
    parameters: int
    seconds: float
    selection: FloatArray
    unseen: FloatArray


def retrain(
    sample: LabelledSample,
    plans: Sequence[Plan],
    config: ClassifierConfig,
    *,
    seed: int,
    workers: int = 1,
    folder: Path | str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[Retraining]:
    """Train one network per plan.

    The result does not depend on the number of workers. With a folder each finished retraining
    is kept there as ``retraining-KEY.npz``, where the key is a digest of all that the result
    depends on: inputs, labels, weights, parts, settings, seed, threads, versions. A file that is
    damaged or does not fit is not used.

    Args:
        sample: the events.
        plans: which events train, select and are scored, one per retraining.
        config: the settings.
        seed: seed of weights and order.
        workers: processes that train at the same time, each with the threads of the settings.
        folder: where finished retrainings are kept; by default nowhere.
        progress: called with (epochs done, epochs of all retrainings).

    Raises:
        OutputError: if the folder cannot be written.
        WorkforceError: if a worker dies.
    """
    with torch_threads(config.threads) as threads:
        config = config.updated(threads=threads)
    folder = None if folder is None else Path(folder)
    content = "" if folder is None else _content(sample)
    names = [f"retraining-{_key(content, p, config, seed, k)}.npz" for k, p in enumerate(plans)]
    found: dict[int, Retraining] = {}
    shown = _Progress(progress, len(plans), config.epochs)
    for number, (name, plan) in enumerate(zip(names, plans, strict=True)):
        kept = None if folder is None else _load(folder / name, number, plan, sample.classes)
        if kept is not None:
            found[number] = kept
            shown.finished(number)
    missing = [number for number in range(len(plans)) if number not in found]

    def finished(number: int, result: Retraining) -> None:
        found[number] = result
        if folder is not None:
            _save(folder / names[number], result)

    jobs = {number: (sample, plans[number], config, seed, number) for number in missing}
    if workers > 1 and len(jobs) > 1:
        run_in_processes(
            _train, jobs, workers, on_step=shown.step, on_end=finished, files=sample.rows.files
        )
    else:
        for number, job in jobs.items():
            finished(number, _train(*job, step=partial(shown.step, number)))
    return [found[number] for number in range(len(plans))]


def _train(
    sample: LabelledSample,
    plan: Plan,
    config: ClassifierConfig,
    seed: int,
    number: int,
    *,
    step: Callable[[int], None],
) -> Retraining:
    start = time.perf_counter()
    network = train_discriminator(
        sample,
        plan.training,
        plan.selection,
        config,
        seed=seed,
        fold=number,
        progress=lambda epoch, _: step(epoch),
    )
    with torch_threads(config.threads):
        scores = [network.logits(sample, events) for events in (plan.selection, plan.unseen)]
    return Retraining(
        number=number,
        epoch=network.epoch,
        accuracy=network.accuracy,
        losses=np.array(network.losses),
        parameters=network.parameters,
        seconds=time.perf_counter() - start,
        selection=scores[0],
        unseen=scores[1],
    )


class _Progress:
    """Epochs of all retrainings together; one that ends early leaves its others out."""

    def __init__(
        self, show: Callable[[int, int], None] | None, retrainings: int, epochs: int
    ) -> None:
        self._show = show
        self._epochs = epochs
        self._done = [0] * retrainings

    def step(self, number: int, epoch: int) -> None:
        self._done[number] = epoch
        if self._show is not None:
            self._show(sum(self._done), self._epochs * len(self._done))

    def finished(self, number: int) -> None:
        self.step(number, self._epochs)


def _content(sample: LabelledSample) -> str:
    digest = hashlib.sha256(sample.rows.digest.encode())
    digest.update(repr((sample.rows.features, sample.classes, sample.shape)).encode())
    digest.update(sample.label.tobytes() + sample.weight.tobytes())
    return digest.hexdigest()


def _key(content: str, plan: Plan, config: ClassifierConfig, seed: int, number: int) -> str:
    """Return a digest of everything that a retraining depends on; not how many there are."""
    parts = hashlib.sha256()
    for events in (plan.training, plan.selection, plan.unseen):
        parts.update(repr(len(events)).encode() + events.tobytes())
    settings = config.to_dict() | {"precision": precision_used(config)}
    del settings["retrainings"], settings["split"]  # the parts say it
    everything = {
        "format": _FORMAT,
        "version": __version__,
        "torch": torch.__version__,
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "settings": settings,
        "seed": seed,
        "number": number,
        "content": content,
        "parts": parts.hexdigest(),
    }
    return hashlib.sha256(json.dumps(everything, sort_keys=True).encode()).hexdigest()[:40]


_ARRAYS = ("losses", "selection", "unseen")
_NUMBERS = ("epoch", "accuracy", "parameters", "seconds")


def _save(path: Path, result: Retraining) -> None:
    content = {name: getattr(result, name) for name in (*_ARRAYS, *_NUMBERS)}
    with atomic_path(path) as temporary, temporary.open("wb") as handle:
        np.savez(handle, **content)


def _load(path: Path, number: int, plan: Plan, classes: int) -> Retraining | None:
    """Return a kept retraining, or None if there is none that can be read and fits."""
    try:
        with path.open("rb") as handle, np.load(handle) as content:  # never with pickles
            values = {name: content[name] for name in (*_ARRAYS, *_NUMBERS)}
            found = Retraining(
                number=number,
                epoch=int(values["epoch"]),
                accuracy=float(values["accuracy"]),
                parameters=int(values["parameters"]),
                seconds=float(values["seconds"]),
                **{name: values[name] for name in _ARRAYS},
            )
    except (OSError, ValueError, KeyError, EOFError, TypeError, zipfile.BadZipFile):
        return None
    further = () if classes == 2 else (classes,)
    fits = all(
        scores.shape == (len(events), *further) and scores.dtype == np.float64
        for scores, events in ((found.selection, plan.selection), (found.unseen, plan.unseen))
    )
    return replace(found, losses=np.atleast_1d(found.losses)) if fits else None
