"""All observables or all voxels at once: physics distances and neighbours as scores."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data import VoxelShowers
from ..errors import RangeError
from .metrics import Comparison
from .metrics.kernel_distance import (
    KERNEL_CANNOT_SEE,
    KernelSettings,
    kernel_physics_distance,
)
from .metrics.manifold import (
    MANIFOLD_CANNOT_SEE,
    ManifoldSettings,
    manifold_scores,
)
from .metrics.physics_distance import (
    FRECHET_CANNOT_SEE,
    FrechetSettings,
    frechet_physics_distance,
)
from .metrics.rows import FeatureRows
from .metrics.shower_rows import drawn_rows, manifold_rows
from .observables import high_level_inputs, tiles
from .regions import Region
from .sample import Observed
from .suite import Suite
from .verdict import Score

__all__ = ["manifold_limit", "manifolds", "physics_distances"]

Array = NDArray[Any]
Progress = Callable[[str, int, int], None]

_FEWEST = 100  # showers below which a distance of many features says nothing
_AFFORDABLE = 6e12  # showers squared times voxels: minutes of a few cores
_FOUR = ("precision", "recall", "density", "coverage")


def physics_distances(
    reference: Observed,
    generated: Observed,
    suite: Suite,
    regions: Sequence[Region] = (),
    independent: Observed | None = None,
    progress: Progress | None = None,
) -> list[Score]:
    """Measure the Frechet and the kernel physics distance of the high-level features.

    Args:
        reference: the reference.
        generated: the generated showers.
        suite: says whether the protocol is that of published numbers.
        regions: parts of phase space in which they are given again, with fewer draws.
        independent: a second reference for the floor of the Frechet distance.
        progress: called with ("physics distances", done, of).
    """
    samples = [reference, generated, *filter(None, [independent])]
    features = [high_level_inputs(o.observables) for o in samples]
    weights = [o.observables.weight for o in samples]
    if any(w is not None and (w < 0).any() for w in weights):
        return []  # the judge says why
    scores: list[Score] = []
    for number, region in enumerate((None, *regions)):
        masks: list[Any] = [slice(None)] * len(samples)
        if region is not None:
            masks = [region.mask_reference, region.mask_generated]
        parts = [f[m] for f, m in zip(features, masks, strict=False)]
        chances = [None if w is None else w[m] for w, m in zip(weights, masks, strict=False)]
        if min(len(p) for p in parts[:2]) >= _FEWEST:
            scores += _two(parts, chances, suite, region)
        if progress is not None:
            progress("physics distances", number + 1, 1 + len(regions))
    return scores


def _two(
    features: list[Array], weights: list[Any], suite: Suite, region: Region | None
) -> Iterator[Score]:
    """Give both distances in one part of phase space; parts get fewer and smaller draws."""
    frechet, kernel = FrechetSettings(), KernelSettings()
    if region is not None:
        frechet = frechet.updated(batches=5, halves=5, smallest=2_000, largest=10_000)
        kernel = kernel.updated(batch_size=2_000)
    events = f"{len(features[0])} reference and {len(features[1])} generated showers"
    far = frechet_physics_distance(
        features[0],
        features[1],
        settings=frechet,
        weight_reference=weights[0],
        weight_generated=weights[1],
        independent=features[2] if len(features) > 2 else None,
    )
    common: dict[str, Any] = {
        "layer": None,
        "unit": "",
        "comparable": suite.comparable and region is None,
        "region": region.words if region else "all showers",
    }
    suffix = f"@{region.key}" if region else ""
    yield Score(
        name=f"fpd{suffix}",
        label="Fréchet physics distance",
        value=far.value,
        error=math.hypot(far.error, far.sampling_error),
        floor=far.floor,
        floor_error=far.floor_error,
        protocol=(
            f"{features[0].shape[1]} high-level features over their largest value, {events}; "
            f"{frechet.batches} draws of each of {frechet.points} sizes from {frechet.smallest} to "
            f"{frechet.largest}, seed {frechet.seed}, extrapolated to infinite samples; error: "
            f"sampling ({far.sampling_error:.2g}) and fit ({far.error:.2g}, which is what "
            "published numbers state) in quadrature"
        ),
        cannot_see=FRECHET_CANNOT_SEE,
        floor_from=far.floor_from,
        **common,
    )
    near = kernel_physics_distance(
        features[0],
        features[1],
        settings=kernel,
        weight_reference=weights[0],
        weight_generated=weights[1],
    )
    yield Score(
        name=f"kpd{suffix}",
        label="kernel physics distance",
        value=near.value,
        error=near.error,
        floor=near.floor,
        floor_error=near.floor_error,
        protocol=(
            f"{features[0].shape[1]} high-level features over their largest value, {events}; "
            f"median of {kernel.batches} batches of {kernel.batch_size}, seed {kernel.seed}; "
            "error: half the central 67 % of the batches, as published"
        ),
        cannot_see=KERNEL_CANNOT_SEE,
        floor_from=near.floor_from,
        **common,
    )


def manifold_limit(suite: Suite, voxels: int) -> int:
    """Return how many showers of each sample take part in precision and recall.

    All of them for the challenge's data set 1; the effort grows with the square of their number.

    Args:
        suite: may state a limit.
        voxels: number of voxels.
    """
    return suite.manifold_limit or int(math.sqrt(_AFFORDABLE / voxels))


def manifolds(
    reference: Observed,
    generated: Observed,
    suite: Suite,
    regions: Sequence[Region] = (),
    independent: Observed | None = None,
    *,
    threshold: float,
    seed: int,
    progress: Progress | None = None,
) -> list[Score]:
    """Measure precision, recall, density and coverage of the voxel energies.

    Args:
        reference: the reference.
        generated: the generated showers.
        suite: may limit the number of showers.
        regions: parts of phase space in which they are given again.
        independent: a second reference for the floors.
        threshold: cut on the voxels, in MeV.
        seed: seed of the draw of showers that take part, and of the floors.
        progress: called with ("precision and recall", done, of).
    """
    limit = manifold_limit(suite, reference.sample.geometry.voxels)
    samples = [reference, generated, *filter(None, [independent])]
    rows = [drawn_rows(s.sample.events, limit, seed, key=k) for k, s in enumerate(samples)]
    tables = [
        manifold_rows(_some(s, r), threshold=threshold) for s, r in zip(samples, rows, strict=True)
    ]
    weights = [
        None if s.observables.weight is None else s.observables.weight[r]
        for s, r in zip(samples, rows, strict=True)
    ]
    scores: list[Score] = []
    settings = ManifoldSettings(seed=seed)
    for region in (None, *regions):
        parts: list[FeatureRows] = list(tables)
        shares = list(weights)
        if region is not None:
            masks = (region.mask_reference[rows[0]], region.mask_generated[rows[1]])
            inside = [np.flatnonzero(m) for m in masks]
            parts = [t.take(i) for t, i in zip(tables[:2], inside, strict=True) if len(i)]
            shares = [None if w is None else w[i] for w, i in zip(weights, inside, strict=False)]
        if len(parts) < 2 or min(map(len, parts[:2])) < _FEWEST:
            continue
        try:
            found = manifold_scores(
                parts[0],
                parts[1],
                settings=settings,
                weight_reference=shares[0],
                weight_generated=shares[1],
                independent=parts[2] if len(parts) > 2 else None,
                progress=_named("precision and recall", progress) if region is None else None,
            )
        except RangeError:
            if region is None:
                raise
            continue  # the weights of a part may sum to nothing
        for name in _FOUR:
            scores.append(_neighbour_score(name, getattr(found, name), found, suite, region, limit))
    return scores


def _neighbour_score(
    name: str, found: Comparison, of: Any, suite: Suite, region: Region | None, limit: int
) -> Score:
    return Score(
        name=name + (f"@{region.key}" if region else ""),
        label=name,
        value=found.value,
        error=found.error,
        floor=found.floor,
        floor_error=found.floor_error,
        layer=None,
        unit="",
        protocol=(
            f"{of.neighbours} nearest neighbours among {of.events_reference} reference and "
            f"{of.events_generated} generated showers (at most {limit} of each), log10 of the "
            "voxel energies, empty ones at 0.1 MeV"
        ),
        comparable=suite.comparable and region is None,
        cannot_see=MANIFOLD_CANNOT_SEE[name],
        floor_from=found.floor_from,
        region=region.words if region else "all showers",
    )


def _some(observed: Observed, rows: Array) -> Iterator[VoxelShowers]:
    """Give the showers of increasing numbers piece by piece."""
    start = 0
    for tile in tiles(observed.sample.chunks()):
        inside = rows[(rows >= start) & (rows < start + len(tile))] - start
        start += len(tile)
        if len(inside):
            yield tile.select(inside)


def _named(stage: str, progress: Progress | None) -> Callable[[int, int], None] | None:
    if progress is None:
        return None
    return lambda done, of: progress(stage, done, of)
