"""Two observed samples and a classifier of a suite in; scores, a curve and a record out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..classify.areas import Areas
from ..classify.comparison import TwoSampleResult, tell_apart
from ..classify.rotation import partners
from ..classify.rows import DENSE_LIMIT, MEMORY_LIMIT, Rows, store_rows
from ..data import VoxelShowers
from ..errors import RangeError
from ..execute import require_writable
from ..random import Stream, generator
from .observables.inputs import INPUTS, high_level_inputs, image_shape, input_features
from .regions import Region
from .sample import Observed
from .suite import ClassifierTask
from .verdict import ClassifierRecord, Curve, Score

__all__ = ["ClassifierVerdict", "drawn_rows", "judge_classifier", "stored_inputs"]

Array = NDArray[Any]
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, eq=False)
class ClassifierVerdict:
    """What one classifier found.

    Args:
        scores: AUC before and after calibration and divergence, for all showers, then for each
            region that holds unseen showers of both samples.
        curve: the ROC curve before calibration.
        record: settings and retrainings.
        result: the scores of each shower, for a diagnosis.
        rows: numbers of the showers that took part, of reference and generated sample.
    """

    scores: tuple[Score, ...]
    curve: Curve
    record: ClassifierRecord
    result: TwoSampleResult
    rows: tuple[NDArray[np.int64], NDArray[np.int64]]


def judge_classifier(
    task: ClassifierTask,
    reference: Observed,
    generated: Observed,
    *,
    threshold: float,
    seed: int,
    regions: Sequence[Region] = (),
    comparable: bool = False,
    workers: int = 1,
    folder: Path | str | None = None,
    progress: Progress | None = None,
) -> ClassifierVerdict:
    """Train one classifier of a suite; label 1 is the reference.

    Files are read once, in pieces. If the inputs are large they are kept without their zeros, in
    memory up to 2 GiB and beyond that in a file without a name, so that an epoch never holds
    more than a batch of dense showers.

    Args:
        task: inputs and settings.
        reference: the reference.
        generated: the generated showers.
        threshold: cut on the voxels, in MeV.
        seed: seed of every draw.
        regions: parts of phase space.
        comparable: whether the protocol is that of published numbers.
        workers: retrainings at the same time, each with the threads of the task; changes no bit.
        folder: where finished retrainings are kept, so that an interrupted judge goes on.
        progress: called with (the task's label, epochs done, epochs).

    Raises:
        RangeError: if the geometry does not allow these inputs or a sample is too small.
        OutputError: if the folder cannot be written.
    """
    samples = (reference, generated)
    energies = [o.observables.incident_energy for o in samples]
    rows = drawn_rows(energies, task.limit, seed)
    weights = [
        None if o.observables.weight is None else o.observables.weight[r]
        for o, r in zip(samples, rows, strict=True)
    ]
    shape = image_shape(task.inputs, reference.sample.geometry)
    found = tell_apart(
        stored_inputs(task.inputs, samples, rows, threshold, workers=workers, folder=folder),
        len(rows[1]),
        task.classifier,
        seed=seed,
        weight_first=weights[0],
        weight_second=weights[1],
        match_first=energies[0][rows[0]],
        match_second=energies[1][rows[1]],
        shape=shape,
        workers=workers,
        folder=folder,
        progress=None if progress is None else lambda done, of: progress(task.label, done, of),
    )
    return ClassifierVerdict(
        scores=_scores(task, found, rows, regions, comparable),
        curve=_curve(task, found),
        record=_record(task, found),
        result=found,
        rows=(rows[0], rows[1]),
    )


def drawn_rows(energies: Sequence[Array], limit: int, seed: int) -> list[NDArray[np.int64]]:
    """Return the numbers of the showers of each sample that take part, in rising order.

    Showers of equal incident energy are drawn together as far as there are any, so that the
    samples stay comparable.

    Args:
        energies: incident energies in MeV, one array per sample.
        limit: largest number of showers of each sample; 0 is all.
        seed: seed of the draw.
    """
    if not limit or all(len(e) <= limit for e in energies):
        return [np.arange(len(e)) for e in energies]
    pairs = partners(energies)
    shared = generator(seed, Stream.SPLIT, 2).permutation(len(pairs[0]))
    found = []
    for number, (energy, pair) in enumerate(zip(energies, pairs, strict=True)):
        rest = np.setdiff1d(np.arange(len(energy)), pair)
        alone = generator(seed, Stream.SPLIT, 3 + number).permutation(rest)
        wanted = min(limit, len(energy))
        together = round(wanted * len(pair) / len(energy))  # their share stays what it is
        chosen = [pair[shared[:together]], alone[: wanted - together]]
        found.append(np.sort(np.concatenate(chosen)))
    return found


def stored_inputs(
    kind: str,
    samples: Sequence[Observed],
    rows: Sequence[Array],
    threshold: float,
    *,
    workers: int = 1,
    folder: Path | str | None = None,
) -> Rows:
    """Read the inputs of a classifier, sample after sample, and keep them.

    Args:
        kind: what the classifier sees, see ``input_features``.
        samples: the observed samples, of one detector.
        rows: rising numbers of the showers that take part, one array per sample.
        threshold: cut on the voxels, in MeV.
        workers: processes that will read them; several share a file instead of memory.
        folder: where that file lies; by default the system's folder for temporary files.

    Raises:
        OutputError: if the folder cannot be written.
    """
    if folder is not None:
        require_writable(folder)
        Path(folder).mkdir(parents=True, exist_ok=True)
    return store_rows(
        _blocks(kind, samples, rows, threshold),
        sum(map(len, rows)),
        input_features(kind, samples[0].sample.geometry),
        dense_limit=DENSE_LIMIT if workers == 1 else DENSE_LIMIT // (1 + workers),
        memory_limit=MEMORY_LIMIT if workers == 1 else 0,
        folder=folder,
    )


def _blocks(
    kind: str, samples: Sequence[Observed], rows: Sequence[Array], threshold: float
) -> Iterator[Array]:
    for observed, which in zip(samples, rows, strict=True):
        if kind == "high_level":
            yield high_level_inputs(observed.observables)[which]
            continue
        start = 0
        for block in observed.sample.over_blocks(_as_they_are):
            inside = which[(which >= start) & (which < start + len(block))] - start
            start += len(block)
            chosen = block if len(inside) == len(block) else block.select(inside)
            if len(chosen):
                yield INPUTS[kind](chosen, threshold=threshold)


def _as_they_are(block: VoxelShowers) -> VoxelShowers:
    return block


def _scores(
    task: ClassifierTask,
    found: TwoSampleResult,
    rows: Sequence[Array],
    regions: Sequence[Region],
    comparable: bool,
) -> tuple[Score, ...]:
    parts = [("", "all showers", found.areas)]
    for region in regions:
        try:
            here = found.within(region.mask_reference[rows[0]], region.mask_generated[rows[1]])
        except RangeError:  # no unseen shower of one of the samples
            continue
        parts.append((f"@{region.key}", region.words, here))
    floors = found.jsd_floors([areas for _, _, areas in parts])
    return tuple(
        score
        for (suffix, words, areas), floor in zip(parts, floors, strict=True)
        for score in _three(task, found, areas, floor, suffix, words, comparable)
    )


def _three(
    task: ClassifierTask,
    found: TwoSampleResult,
    areas: Areas,
    jsd_floor: tuple[float, float],
    suffix: str,
    region: str,
    comparable: bool,
) -> Iterator[Score]:
    """Give the area before and after calibration and the divergence, in one region."""
    trained = _trained(found, areas)
    errors = "error: spread of the retrainings and sample error in quadrature"
    symmetry = "by symmetry: scores of equal samples are exchangeable"
    means = "mean over the retrainings, each with the isotonic calibration of its selection showers"
    every: dict[str, Any] = {
        "layer": None,
        "unit": "",
        "comparable": comparable,
        "cannot_see": _CANNOT_SEE[task.inputs],
        "region": region,
    }
    yield Score(
        name=f"auc/{task.name}{suffix}",
        label=f"AUC, {task.label}",
        value=areas.auc,
        error=areas.error,
        floor=0.5,
        floor_error=areas.null_error,
        protocol=f"{trained}; all unseen showers together, before calibration; {errors}",
        floor_from=symmetry,
        **every,
    )
    yield Score(
        name=f"auc_calibrated/{task.name}{suffix}",
        label=f"AUC after calibration, {task.label}",
        value=areas.auc_calibrated,
        error=areas.calibrated_error,
        floor=0.5,
        floor_error=areas.null_error,
        protocol=f"{trained}; {means}, as published; {errors}",
        floor_from=symmetry,
        **every,
    )
    yield Score(
        name=f"jsd/{task.name}{suffix}",
        label=f"Jensen-Shannon divergence, {task.label}",
        value=areas.jsd,
        error=areas.jsd_error,
        floor=jsd_floor[0],
        floor_error=jsd_floor[1],
        protocol=f"{trained}; 1 - BCE / ln 2, {means}, as published; {errors}",
        floor_from="random scores of as many showers, calibrated in the same way",
        **every,
    )


def _trained(found: TwoSampleResult, areas: Areas) -> str:
    """Say in words what was trained on what and scored on how much."""
    c = found.config
    network = (
        f"{c.hidden} hidden layers of {c.width}"
        if c.network == "mlp"
        else f"3-D residual network of {'-'.join(map(str, c.channels))} channels"
    )
    split = "/".join(f"{100 * part / sum(c.split):.3g}" for part in c.split)
    retrainings = len(found.scored)
    unseen = " reference and ".join(str(count) for count in areas.effective)
    return (
        f"{network}, {c.epochs} epochs, {found.precision}; {retrainings} "
        f"retraining{'s' * (retrainings > 1)} on rotated {split} % splits, each scored on about "
        f"{unseen} generated unseen showers"
    )


def _curve(task: ClassifierTask, found: TwoSampleResult) -> Curve:
    x, y = found.roc
    return Curve(
        name=f"roc/{task.name}",
        label=task.label,
        x_label="generated showers accepted",
        y_label="reference showers accepted",
        x=tuple(x.tolist()),
        y=tuple(y.tolist()),
    )


def _record(task: ClassifierTask, found: TwoSampleResult) -> ClassifierRecord:
    settings = found.config.to_dict() | {"inputs": task.inputs, "limit": task.limit}
    return ClassifierRecord(
        name=task.name,
        settings=settings | {"precision": found.precision, "threads": found.threads},
        inputs=found.features,
        parameters=found.parameters,
        fold_aucs=found.areas.fold_aucs,
        fold_epochs=tuple(one.epoch for one in found.retrainings),
        sample_error=found.areas.sample_error,
        retraining_error=found.areas.spread,
        seconds=sum(one.seconds for one in found.retrainings),
        fold_calibrated_aucs=found.areas.fold_calibrated,
        fold_jsds=found.areas.fold_jsds,
    )


_VOXELS = (
    "what a plain network does not learn from so many showers, above all fine angular structure; "
    "copies of training showers"
)
_CANNOT_SEE = {
    "low_level": _VOXELS,
    "low_level_normed": _VOXELS,
    "calogan": _VOXELS,
    "calogan_normed": _VOXELS,
    "high_level": "everything that leaves the layers' energies, centres, widths and sparsities "
    "alone; copies of training showers",
    "resnet": "what lies across the seam of the angle, where its image has edges, and small shifts "
    "that its strides even out; copies of training showers",
}
