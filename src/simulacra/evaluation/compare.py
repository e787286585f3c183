"""Observed samples in, parts of a verdict out: distances of observables, images, examples."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data import GridLayer, Layer, VoxelShowers
from ..workforce import Workforce
from .metrics import BinnedEvents, Comparison, distances, separation
from .observables import (
    PROTOCOL_FAMILIES,
    Observable,
    count_voxels,
    response_observables,
    shower_observables,
    spectrum_bins,
)
from .observables.declared import SPECTRUM_CANNOT_SEE
from .observables.point_declared import point_observables
from .regions import Region
from .sample import Observed
from .suite import Suite
from .verdict import ExampleShower, Histogram, MeanImage, Score

__all__ = ["compare_observables", "example_showers", "mean_images", "observables_of"]

Array = NDArray[Any]
FloatArray = NDArray[np.float64]
Progress = Callable[[str, int, int], None]

_WHOLE = 0  # place of all showers among the parts of phase space
_PARTS = 4096  # more than there are parts: makes keys of random numbers unique


@dataclass(frozen=True, eq=False)
class _Label:
    """What a histogram and its scores are called."""

    name: str
    label: str
    unit: str
    layer: int | None
    log_x: bool
    log_y: bool
    cannot_see: str


@dataclass(frozen=True, eq=False)
class _Work:
    """One observable to compare: numbers of each sample, or entries in bins for the spectrum.

    Args:
        label: what it is called.
        key: number of its random numbers.
        edges: bin edges in the observable's unit.
        values: one array per sample, ``(events,)``, or counts ``(events, bins + 2)``.
        weights: event weights of each sample.
        parts: masks of the parts of phase space, for reference and generated showers; the first
            part is everything.
    """

    label: _Label
    key: int
    edges: FloatArray
    values: tuple[Array, ...]
    weights: tuple[FloatArray | None, ...]
    parts: tuple[tuple[Array, ...] | None, ...]


@dataclass(frozen=True, eq=False)
class _Done:
    """Comparisons of each part by kind, and the whole samples in bins."""

    comparisons: list[dict[str, Comparison]]
    sizes: list[tuple[int, int]]
    binned: tuple[BinnedEvents, ...]


def observables_of(observed: Sequence[Observed], suite: Suite) -> list[Observable]:
    """Return the observables that a suite asks for, except the voxel spectrum.

    Args:
        observed: the samples, of one detector.
        suite: names the families.
    """
    detector = observed[0].sample.geometry
    energies = [o.observables.incident_energy for o in observed]
    declared = (*shower_observables(detector), *response_observables(detector, *energies))
    return [o for o in declared if o.family in suite.observables]


def compare_observables(
    reference: Observed,
    generated: Observed,
    suite: Suite,
    regions: Sequence[Region] = (),
    *,
    threshold: float,
    seed: int,
    independent: Observed | None = None,
    force: Workforce | None = None,
    progress: Progress | None = None,
) -> tuple[tuple[Histogram, ...], list[Score]]:
    """Compare every observable of a suite by its distances, for all showers and by region.

    Args:
        reference: the reference.
        generated: the generated showers.
        suite: names the families, the distances and the number of resamplings.
        regions: parts of phase space in which every score is given again.
        threshold: cut on the voxels, in MeV.
        seed: seed of the resamplings.
        independent: a second reference for the floors; halves of the reference by default.
        force: who works; by default this process. Changes no bit.
        progress: called with ("observables", done, of).

    Returns:
        The histograms with their separation powers, and all scores: those of all showers first.
    """
    samples = [s for s in (reference, generated, independent) if s is not None]
    wanted = observables_of(samples[:2], suite)
    spectrum = "voxel_energy" in suite.observables
    works = _works(wanted, [s.observables for s in samples], regions, threshold)
    if spectrum:
        works = chain(works, _spectrum_work(samples, regions, threshold, len(wanted), force))
    labels = [_label_of(o) for o in wanted] + [_SPECTRUM] * spectrum
    if suite.points and all(s.sample.has_points for s in samples):
        clouds = [s.sample.points(threshold) for s in samples]
        declared = point_observables(clouds[0])
        works = chain(works, _works(declared, clouds, regions, threshold, first=len(labels)))
        labels += [_label_of(o) for o in declared]
    histograms, whole, parts = [], [], []
    done_by = (force or Workforce()).in_order(partial(_compared, suite=suite, seed=seed), works)
    for number, (label, done) in enumerate(zip(labels, done_by, strict=True)):
        scores = list(_scores(label, done, suite, regions))
        first = [s for s in scores if "@" not in s.name]
        whole += first
        parts += [s for s in scores if "@" in s.name]
        separations = [s for s in first if s.name.startswith("separation/")]
        histograms.append(_histogram(label, done.binned, separations[0] if separations else None))
        if progress is not None:
            progress("observables", number + 1, len(labels))
    return tuple(histograms), [*whole, *parts]


def mean_images(reference: Observed, generated: Observed) -> tuple[MeanImage, ...]:
    """Return the mean shower of both samples, layer by layer."""
    geometry = reference.sample.geometry
    return tuple(
        MeanImage(
            layer=layer.identity,
            **_edges(layer),
            reference=_rows(reference.images.mean[part].reshape(layer.shape)),
            generated=_rows(generated.images.mean[part].reshape(layer.shape)),
        )
        for layer, part in zip(geometry.layers, geometry.slices, strict=True)
    )


def _edges(layer: Layer | GridLayer) -> dict[str, Any]:
    if isinstance(layer, GridLayer):
        return {"r_edges": (), "n_alpha": 0, "x_edges": layer.x_edges, "y_edges": layer.y_edges}
    return {"r_edges": layer.r_edges, "n_alpha": layer.n_alpha}


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


_SPECTRUM = _Label(
    name="voxel_energy",
    label="voxel energy",
    unit="MeV",
    layer=None,
    log_x=True,
    log_y=True,
    cannot_see=SPECTRUM_CANNOT_SEE,
)


def _label_of(o: Observable) -> _Label:
    return _Label(o.name, o.label, o.unit, o.layer, o.log_x, o.log_y, o.cannot_see)


def _masks(regions: Sequence[Region]) -> tuple[tuple[Array, ...] | None, ...]:
    return (None, *((r.mask_reference, r.mask_generated) for r in regions))


def _works(
    wanted: Sequence[Observable],
    samples: Sequence[Any],
    regions: Sequence[Region],
    threshold: float,
    first: int = 0,
) -> Iterator[_Work]:
    """Give the observables of samples of showers, or of point clouds."""
    for key, observable in enumerate(wanted, first):
        yield _Work(
            label=_label_of(observable),
            key=key,
            edges=observable.edges(samples[0], threshold),
            values=tuple(np.asarray(observable.values(s)) for s in samples),
            weights=tuple(s.weight for s in samples),
            parts=_masks(regions),
        )


def _spectrum_work(
    samples: Sequence[Observed],
    regions: Sequence[Region],
    threshold: float,
    key: int,
    force: Workforce | None,
) -> Iterator[_Work]:
    """Give the voxel spectrum, for which the samples are read once more."""
    edges = spectrum_bins(samples[0].observables.brightest_voxel.max(), threshold)
    counts = [
        np.concatenate(
            list(s.sample.over_blocks(partial(_counts, edges=edges, threshold=threshold), force))
        )
        for s in samples
    ]
    yield _Work(
        label=_SPECTRUM,
        key=key,
        edges=edges,
        values=tuple(counts),
        weights=tuple(s.observables.weight for s in samples),
        parts=_masks(regions),
    )


def _counts(block: VoxelShowers, *, edges: Array, threshold: float) -> Array:
    return count_voxels(block, edges, threshold=threshold)


def _compared(work: _Work, *, suite: Suite, seed: int) -> _Done:
    """Compare one observable in every part of phase space."""
    comparisons: list[dict[str, Comparison]] = []
    sizes: list[tuple[int, int]] = []
    whole: tuple[BinnedEvents, ...] = ()
    for number, masks in enumerate(work.parts):
        values, weights = _inside(work, masks)
        binned = tuple(
            BinnedEvents(work.edges, v, w)
            if v.ndim == 2
            else BinnedEvents.from_values(v, work.edges, w)
            for v, w in zip(values, weights, strict=True)
        )
        whole = whole or binned
        key = work.key * _PARTS + number
        comparisons.append(_in_part(suite, seed, key, values, weights, binned))
        sizes.append((len(values[0]), len(values[1])))
    return _Done(comparisons, sizes, whole)


def _inside(
    work: _Work, masks: tuple[Array, ...] | None
) -> tuple[list[Array], list[FloatArray | None]]:
    """Return values and weights of the showers that take part, in one part of phase space.

    A second reference serves the whole samples only: it is not cut into parts.
    """
    values, weights = [], []
    count = len(work.values) if masks is None else 2
    for k in range(count):
        v, w = work.values[k], work.weights[k]
        kept = np.ones(len(v), bool) if masks is None else masks[k]
        if v.ndim == 1:
            kept = kept & ~np.isnan(v)
        if not kept.all():
            v, w = v[kept], None if w is None else w[kept]
        values.append(v)
        weights.append(w)
    return values, weights


def _in_part(
    suite: Suite,
    seed: int,
    key: int,
    values: Sequence[Array],
    weights: Sequence[FloatArray | None],
    binned: Sequence[BinnedEvents],
) -> dict[str, Comparison]:
    found: dict[str, Comparison] = {}
    if len(values[0]) < 2 or len(values[1]) < 1 or not _weighty(weights):
        return found
    third = len(values) > 2 and len(values[2]) > 0
    if "separation" in suite.distances:
        found["separation"] = separation(
            *binned[:2],
            seed=seed,
            key=key,
            repeats=suite.bootstrap,
            independent=binned[2] if third else None,
        )
    others = {"wasserstein", "kolmogorov_smirnov"} & set(suite.distances)
    if others and values[0].ndim == 1:
        both = distances(
            values[0],
            values[1],
            seed=seed,
            key=key,
            repeats=suite.bootstrap,
            weight_reference=weights[0],
            weight_generated=weights[1],
            independent=values[2] if third else None,
            weight_independent=weights[2] if third else None,
        )
        found |= {name: getattr(both, name) for name in suite.distances if name in others}
    return found


def _weighty(weights: Iterable[FloatArray | None]) -> bool:
    return all(w is None or w.sum() > 0 for w in weights)


_KINDS = {
    "separation": "separation power",
    "wasserstein": "Wasserstein-1 distance",
    "kolmogorov_smirnov": "Kolmogorov-Smirnov distance",
}
_CANNOT_SEE = {
    "separation": "",
    "wasserstein": "sharp features that move little; ",
    "kolmogorov_smirnov": "much in the tails; ",
}


def _scores(label: _Label, done: _Done, suite: Suite, regions: Sequence[Region]) -> Iterator[Score]:
    for number, found in enumerate(done.comparisons):
        region = regions[number - 1] if number != _WHOLE else None
        events = "{} reference and {} generated showers".format(*done.sizes[number])
        for kind, comparison in found.items():
            in_bins = f"{len(done.binned[0].edges) - 1} bins, {events}, entries outside dropped"
            yield Score(
                name=f"{kind}/{label.name}" + (f"@{region.key}" if region else ""),
                label=f"{_KINDS[kind]}, {label.label}",
                value=comparison.value,
                error=comparison.error,
                floor=comparison.floor,
                floor_error=comparison.floor_error,
                layer=label.layer,
                unit=label.unit if kind == "wasserstein" else "",
                protocol=in_bins if kind == "separation" else f"every value, {events}",
                comparable=suite.comparable
                and kind == "separation"
                and region is None
                and label.name.partition("/")[0] in PROTOCOL_FAMILIES,
                cannot_see=_CANNOT_SEE[kind] + label.cannot_see,
                floor_from=comparison.floor_from,
                region=region.words if region else "all showers",
            )


def _histogram(label: _Label, binned: Sequence[BinnedEvents], compared: Score | None) -> Histogram:
    reference, generated = (_density(b) for b in binned[:2])
    return Histogram(
        name=label.name,
        label=label.label,
        unit=label.unit,
        layer=label.layer,
        edges=_numbers(binned[0].edges),
        reference=_numbers(reference[0]),
        reference_error=_numbers(reference[1]),
        generated=_numbers(generated[0]),
        generated_error=_numbers(generated[1]),
        reference_outside=_outside(binned[0]),
        generated_outside=_outside(binned[1]),
        log_x=label.log_x,
        log_y=label.log_y,
        separation=compared,
        cannot_see=label.cannot_see,
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


def _picked(observed: Observed, which: Array, threshold: float) -> dict[int, Array]:
    rows = np.unique(which)
    energies = observed.sample.rows(rows).thresholded(threshold).energies
    return dict(zip(rows.tolist(), energies, strict=True))


def _numbers(values: Array) -> tuple[float, ...]:
    return tuple(np.asarray(values, np.float64).tolist())


def _rows(image: Array) -> tuple[tuple[float, ...], ...]:
    return tuple(_numbers(row) for row in image)
