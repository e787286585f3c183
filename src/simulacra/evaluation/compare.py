"""Observed samples in, parts of a verdict out: histograms, images, examples, classifier scores."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..classify.rotation import TwoSampleResult, tell_apart
from ..data import VoxelShowers
from ..random import Stream, generator
from .metrics import BinnedEvents, Comparison, separation
from .observables import (
    Observable,
    count_voxels,
    high_level_inputs,
    low_level_inputs,
    shower_observables,
    spectrum_bins,
    tiles,
)
from .observables.declared import SPECTRUM_CANNOT_SEE
from .sample import Observed
from .suite import ClassifierTask, Suite
from .verdict import ClassifierRecord, Curve, ExampleShower, Histogram, MeanImage, Score

__all__ = [
    "classifier_parts",
    "compare_histograms",
    "example_showers",
    "mean_images",
    "run_classifier",
]

Array = NDArray[Any]
FloatArray = NDArray[np.float64]
Progress = Callable[[str, int, int], None]


def compare_histograms(
    reference: Observed,
    generated: Observed,
    suite: Suite,
    *,
    threshold: float,
    seed: int,
    independent: Observed | None = None,
    progress: Progress | None = None,
) -> tuple[Histogram, ...]:
    """Histogram every observable of a suite, with its separation power.

    Args:
        reference: the reference.
        generated: the generated showers.
        suite: names the families and the number of resamplings.
        threshold: cut on the voxels, in MeV.
        seed: seed of the resamplings.
        independent: a second reference for the floors; halves of the reference by default.
        progress: called with ("observables", done, of).
    """
    samples = [s for s in (reference, generated, independent) if s is not None]
    declared = [o for o in shower_observables(reference.sample.geometry)]
    wanted = [o for o in declared if o.family in suite.observables]
    spectrum = "voxel_energy" in suite.observables
    found = []
    for key, observable in enumerate(wanted):
        binned = _binned(observable, samples, threshold)
        compared = separation(
            *binned[:2], seed=seed, key=key, repeats=suite.bootstrap, independent=_third(binned)
        )
        found.append(_histogram(observable, binned, compared, suite))
        if progress is not None:
            progress("observables", key + 1, len(wanted) + spectrum)
    if spectrum:
        binned = _spectra(samples, threshold)
        compared = separation(
            *binned[:2],
            seed=seed,
            key=len(declared),
            repeats=suite.bootstrap,
            independent=_third(binned),
        )
        found.append(_histogram(_SPECTRUM, binned, compared, suite))
        if progress is not None:
            progress("observables", len(wanted) + 1, len(wanted) + 1)
    return tuple(found)


def mean_images(reference: Observed, generated: Observed) -> tuple[MeanImage, ...]:
    """Return the mean shower of both samples, layer by layer."""
    geometry = reference.sample.geometry
    return tuple(
        MeanImage(
            layer=layer.identity,
            r_edges=layer.r_edges,
            n_alpha=layer.n_alpha,
            reference=_rows(reference.images.mean[part].reshape(layer.n_alpha, -1)),
            generated=_rows(generated.images.mean[part].reshape(layer.n_alpha, -1)),
        )
        for layer, part in zip(geometry.layers, geometry.slices, strict=True)
    )


def example_showers(
    reference: Observed, generated: Observed, count: int, threshold: float
) -> tuple[ExampleShower, ...]:
    """Pair reference showers spread over the incident energies with their nearest generated ones.

    Args:
        reference: the reference.
        generated: the generated showers; each is used at most once.
        count: number of pairs wanted; fewer if a sample is smaller.
        threshold: voxels below it (MeV) are set to zero.
    """
    energy = [np.log(o.observables.incident_energy) for o in (reference, generated)]
    count = min(count, *map(len, energy))
    if count == 0:
        return ()
    order = np.argsort(energy[0], kind="stable")
    picked = order[((np.arange(count) + 0.5) / count * len(order)).astype(int)]
    partners: list[int] = []
    for row in picked:
        distance = np.abs(energy[1] - energy[0][row])
        distance[partners] = np.inf
        partners.append(int(np.argmin(distance)))
    showers = [
        _picked(observed, np.asarray(which), threshold)
        for observed, which in ((reference, picked), (generated, partners))
    ]
    return tuple(
        ExampleShower(
            reference_index=int(a),
            generated_index=b,
            reference_incident_energy=float(reference.observables.incident_energy[a]),
            generated_incident_energy=float(generated.observables.incident_energy[b]),
            reference=_numbers(showers[0][int(a)]),
            generated=_numbers(showers[1][b]),
        )
        for a, b in zip(picked, partners, strict=True)
    )


def run_classifier(
    task: ClassifierTask,
    reference: Observed,
    generated: Observed,
    *,
    threshold: float,
    seed: int,
    progress: Progress | None = None,
) -> TwoSampleResult:
    """Train one classifier of a suite; label 1 is the reference."""
    inputs, weights = [], []
    for number, observed in enumerate((reference, generated)):
        rows = _drawn(len(observed.observables), task.limit, seed, number)
        inputs.append(_inputs(task, observed, rows, threshold))
        weight = observed.observables.weight
        weights.append(None if weight is None else weight[rows])
    return tell_apart(
        inputs[0],
        inputs[1],
        task.classifier,
        seed=seed,
        weight_first=weights[0],
        weight_second=weights[1],
        progress=None if progress is None else lambda done, of: progress(task.label, done, of),
    )


def classifier_parts(
    task: ClassifierTask, found: TwoSampleResult, suite: Suite
) -> tuple[Score, Curve, ClassifierRecord]:
    """Return a classifier's result as parts of a verdict."""
    scored = [int((~np.isnan(s)).sum()) for s in (found.scores_first, found.scores_second)]
    c = found.config
    score = Score(
        name=f"auc/{task.name}",
        label=f"AUC, {task.label}",
        value=found.auc,
        error=found.error,
        floor=0.5,
        floor_error=found.null_error,
        layer=None,
        unit="",
        protocol=(
            f"{c.hidden} hidden layers of {c.width}, {c.epochs} epochs, float32; {c.folds} of 5 "
            f"rotated 60/20/20 splits, pooled AUC before calibration on {scored[0]} reference "
            f"and {scored[1]} generated showers; error: spread of the retrainings and sample "
            "error in quadrature"
        ),
        comparable=suite.comparable,
        cannot_see=_CLASSIFIER_CANNOT_SEE[task.inputs],
        floor_from="by symmetry: scores of equal samples are exchangeable",
    )
    x, y = found.roc
    curve = Curve(
        name=f"roc/{task.name}",
        label=task.label,
        x_label="generated showers accepted",
        y_label="reference showers accepted",
        x=_numbers(x),
        y=_numbers(y),
    )
    record = ClassifierRecord(
        name=task.name,
        settings=c.to_dict() | {"inputs": task.inputs, "limit": task.limit},
        inputs=found.features,
        parameters=found.parameters,
        fold_aucs=found.fold_aucs,
        fold_epochs=found.fold_epochs,
        sample_error=found.sample_error,
        retraining_error=found.spread,
        seconds=found.seconds,
    )
    return score, curve, record


_CLASSIFIER_CANNOT_SEE = {
    "low_level": "what a plain network does not learn from so many showers, above all fine angular "
    "structure; copies of training showers",
    "high_level": "everything that leaves the layers' energies, centres, widths and sparsities "
    "alone; copies of training showers",
}

_SPECTRUM = Observable(
    name="voxel_energy",
    family="voxel_energy",
    label=r"$E_\mathrm{voxel}$",
    unit="MeV",
    layer=None,
    values=lambda o: o.brightest_voxel,
    bins=spectrum_bins,
    log_x=True,
    log_y=True,
    cannot_see=SPECTRUM_CANNOT_SEE,
)


def _binned(
    observable: Observable, samples: list[Observed], threshold: float
) -> list[BinnedEvents]:
    values = [observable.values(s.observables) for s in samples]
    edges = observable.edges(samples[0].observables, threshold)
    return [
        BinnedEvents.from_values(v, edges, s.observables.weight)
        for v, s in zip(values, samples, strict=True)
    ]


def _spectra(samples: list[Observed], threshold: float) -> list[BinnedEvents]:
    edges = spectrum_bins(samples[0].observables.brightest_voxel.max(), threshold)
    found = []
    for s in samples:
        counts = [
            count_voxels(tile, edges, threshold=threshold) for tile in tiles(s.sample.chunks())
        ]
        found.append(BinnedEvents(edges, np.concatenate(counts), s.observables.weight))
    return found


def _third(binned: list[BinnedEvents]) -> BinnedEvents | None:
    return binned[2] if len(binned) > 2 else None


def _histogram(
    observable: Observable, binned: list[BinnedEvents], compared: Comparison, suite: Suite
) -> Histogram:
    reference, generated = (_density(b) for b in binned[:2])
    score = Score(
        name=f"separation/{observable.name}",
        label=f"separation power, {observable.label}",
        value=compared.value,
        error=compared.error,
        floor=compared.floor,
        floor_error=compared.floor_error,
        layer=observable.layer,
        unit="",
        protocol=(
            f"{len(binned[0].edges) - 1} bins, {len(binned[0])} reference and {len(binned[1])} "
            "generated showers, entries outside the range dropped"
        ),
        comparable=suite.comparable,
        cannot_see=observable.cannot_see,
        floor_from=compared.floor_from,
    )
    return Histogram(
        name=observable.name,
        label=observable.label,
        unit=observable.unit,
        layer=observable.layer,
        edges=_numbers(binned[0].edges),
        reference=_numbers(reference[0]),
        reference_error=_numbers(reference[1]),
        generated=_numbers(generated[0]),
        generated_error=_numbers(generated[1]),
        reference_outside=_outside(binned[0]),
        generated_outside=_outside(binned[1]),
        log_x=observable.log_x,
        log_y=observable.log_y,
        separation=score,
        cannot_see=observable.cannot_see,
    )


def _density(binned: BinnedEvents) -> tuple[FloatArray, FloatArray]:
    """Return the density in each bin and its error; zeros without entries inside."""
    inside, width = binned.sums[1:-1], np.diff(binned.edges)
    total = inside.sum()
    scale = 1 / (total * width) if total > 0 else np.zeros_like(width)
    return inside * scale, np.sqrt(binned.variances[1:-1]) * scale


def _outside(binned: BinnedEvents) -> tuple[float, float]:
    total = binned.sums.sum()
    if total == 0:
        return 0.0, 0.0
    return float(binned.sums[0] / total), float(binned.sums[-1] / total)


def _drawn(events: int, limit: int, seed: int, number: int) -> Array:
    """Return the numbers of the showers that take part, in order."""
    if not limit or events <= limit:
        return np.arange(events)
    return np.sort(generator(seed, Stream.SPLIT, 2 + number).permutation(events)[:limit])


def _inputs(task: ClassifierTask, observed: Observed, rows: Array, threshold: float) -> Array:
    if task.inputs == "high_level":
        return high_level_inputs(observed.observables)[rows]
    inputs = np.empty((len(rows), 1 + observed.sample.geometry.voxels), np.float32)
    for place, part in _walk(observed, rows):
        inputs[place] = low_level_inputs(part, threshold=threshold)
    return inputs


def _walk(observed: Observed, rows: Array) -> Iterator[tuple[slice, VoxelShowers]]:
    """Give the showers of increasing numbers piece by piece, with their place in the result."""
    start = done = 0
    for chunk in observed.sample.chunks():
        inside = rows[(rows >= start) & (rows < start + len(chunk))] - start
        yield slice(done, done + len(inside)), chunk.select(inside)
        start, done = start + len(chunk), done + len(inside)


def _picked(observed: Observed, which: Array, threshold: float) -> dict[int, Array]:
    rows = np.unique(which)
    energies = observed.sample.rows(rows).thresholded(threshold).energies
    return dict(zip(rows.tolist(), energies, strict=True))


def _numbers(values: Array) -> tuple[float, ...]:
    return tuple(np.asarray(values, np.float64).tolist())


def _rows(image: Array) -> tuple[tuple[float, ...], ...]:
    return tuple(_numbers(row) for row in image)
