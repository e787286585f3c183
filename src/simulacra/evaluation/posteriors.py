"""Several generators at once: which of them the reference would be taken for."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..classify.classifier import precision_used
from ..classify.multiclass import log_posteriors
from .classifiers import drawn_rows, stored_inputs
from .observables.inputs import image_shape
from .sample import Observed
from .suite import ClassifierTask
from .verdict import Score

__all__ = ["Posteriors", "judge_posteriors"]

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Posteriors:
    """What a classifier of several models says about the reference.

    Args:
        scores: ``log_posterior/NAME`` of each model, in nats.
        cross: mean logarithm of the probability of model k for unseen showers of model m, row m
            and column k, in nats, shape ``(models, models)``.
    """

    scores: tuple[Score, ...]
    cross: NDArray[np.float64]


def judge_posteriors(
    task: ClassifierTask,
    reference: Observed,
    models: Mapping[str, Observed],
    *,
    threshold: float,
    seed: int,
    workers: int = 1,
    folder: Path | str | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> Posteriors:
    """Train a classifier on the samples of all models and ask it about the reference.

    Args:
        task: inputs and settings; a limit is one on each sample.
        reference: the reference; it takes no part in the training.
        models: the generated showers by name, at least three.
        threshold: cut on the voxels, in MeV.
        seed: seed of every draw.
        workers: retrainings at the same time, each with the threads of the task; changes no bit.
        folder: where finished retrainings are kept and found again.
        progress: called with (the task's label, epochs done, epochs).

    Raises:
        RangeError: if there are fewer than three models, one is too small, or the geometry does
            not allow these inputs.
        OutputError: if the folder cannot be written.
    """
    samples = [*models.values(), reference]
    energies = [o.observables.incident_energy for o in samples]
    rows = drawn_rows(energies, task.limit, seed)
    weights = [
        None if o.observables.weight is None else o.observables.weight[r]
        for o, r in zip(samples, rows, strict=True)
    ]
    config = task.classifier
    label = f"log-posterior, {task.label}"
    found = log_posteriors(
        stored_inputs(task.inputs, samples, rows, threshold, workers=workers, folder=folder),
        [len(r) for r in rows[:-1]],
        config,
        seed=seed,
        weights=weights[:-1],
        weight_reference=weights[-1],
        match=[e[r] for e, r in zip(energies[:-1], rows[:-1], strict=True)],
        shape=image_shape(task.inputs, reference.sample.geometry),
        workers=workers,
        folder=folder,
        progress=None if progress is None else lambda done, of: progress(label, done, of),
    )
    competitors = ", ".join(models)
    protocol = (
        f"classifier of {len(models)} models ({competitors}), {task.inputs} inputs, "
        f"{config.epochs} epochs, {precision_used(config)}, {config.retrainings} retrainings; mean "
        f"over {len(rows[-1])} reference showers, which none has seen; "
        f"{-math.log(len(models)):.2f} if nothing tells the models apart; error: spread of the "
        "retrainings and sample error in quadrature"
    )
    return Posteriors(
        scores=tuple(
            Score(
                name=f"log_posterior/{name}",
                label=f"mean log-posterior of {name}, {task.label}",
                value=float(value),
                error=float(error),
                floor=None,
                floor_error=None,
                layer=None,
                unit="",
                protocol=protocol,
                comparable=False,
                cannot_see="faults that all models share; a value holds only among these models",
            )
            for name, value, error in zip(models, found.values, found.errors, strict=True)
        ),
        cross=found.cross,
    )
