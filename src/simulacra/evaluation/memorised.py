"""Whether generated showers lie nearer to the training showers than independent ones do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from ..data import VoxelShowers
from .metrics import BinnedEvents
from .metrics.memorisation import (
    MEMORISATION_CANNOT_SEE,
    Memorisation,
    MemorisationSettings,
    memorisation,
)
from .metrics.shower_rows import drawn_rows, memorisation_rows
from .sample import Observed, Sample
from .suite import Suite
from .verdict import Finding, Histogram, Score

__all__ = ["Memory", "memorised"]

Array = NDArray[Any]
FloatArray = NDArray[np.float64]
Progress = Callable[[str, int, int], None]

NAME = "training_distance"
"""Name of the histogram of distances to the training showers."""

_AFFORDABLE = 3e12  # showers times training showers times voxels: minutes of a few cores
_FEWEST = 500
_SIGNIFICANT = 1e-3
_KEY = 7  # of the draws of showers that take part


@dataclass(frozen=True)
class Memory:
    """What the distances to the training showers tell.

    Args:
        scores: p-value and share of near copies.
        histogram: the distances of both samples.
        findings: near copies, if there are significantly many.
    """

    scores: tuple[Score, ...]
    histogram: Histogram
    findings: tuple[Finding, ...]


def memorised(
    reference: Observed,
    generated: Observed,
    training: Sample,
    suite: Suite,
    *,
    threshold: float,
    seed: int,
    progress: Progress | None = None,
) -> Memory:
    """Compare the distances of generated and reference showers to the training showers.

    See :func:`~.metrics.memorisation.memorisation` for the distance and the tests. Weighted
    showers are drawn in proportion to their weight.

    Args:
        reference: the reference.
        generated: the generated showers.
        training: what the model was trained on; read once, in pieces.
        suite: limits the number of showers of each sample.
        threshold: cut on the voxels, in MeV.
        seed: seed of the draw of showers that take part.
        progress: called with ("distances to the training showers", done, of).
    """
    voxels = reference.sample.geometry.voxels
    affordable = max(_FEWEST, int(_AFFORDABLE / (training.events * voxels)))
    limit = min(suite.memorisation_limit, affordable)
    truth, ours = (
        _table(o, limit, threshold, seed, _KEY + k) for k, o in enumerate((reference, generated))
    )
    step = None
    if progress is not None:
        told = progress

        def step(done: int) -> None:
            told("distances to the training showers", done, training.events)

    found = memorisation(
        ours,
        truth,
        training.chunks(),
        settings=MemorisationSettings(seed=seed),
        threshold=threshold,
        progress=step,
    )
    return Memory(
        scores=tuple(_scores(found, training)),
        histogram=_histogram(found.reference_relative, found.generated_relative),
        findings=_findings(found),
    )


def _table(observed: Observed, limit: int, threshold: float, seed: int, key: int) -> Any:
    """Draw showers and give their rows; showers with weight in proportion to it."""
    o = observed.observables
    rows = drawn_rows(len(o), limit, seed, key=key, weight=o.weight)
    return memorisation_rows(_some(observed, rows), threshold=threshold)


def _some(observed: Observed, rows: Array) -> Iterator[VoxelShowers]:
    start = 0
    for chunk in observed.sample.chunks():
        inside = rows[(rows >= start) & (rows < start + len(chunk))] - start
        start += len(chunk)
        if len(inside):
            yield chunk.select(inside)


def _scores(found: Memorisation, training: Sample) -> Iterator[Score]:
    ours, truth = len(found.generated_rows), len(found.reference_rows)
    protocol = (
        f"distance to the nearest of {training.events} training showers over that to the "
        f"{found.neighbours}th nearest, {truth} reference and {ours} generated showers: ranks of "
        "all, number among the smallest, number below all of the reference; the smallest of the "
        "three p-values corrected for being chosen"
    )
    share = len(found.near_copies) / ours
    expected = found.expected_near_copies / ours
    uniform = "uniform in [0, 1] for independent showers"
    for name, label, value, error, floor, floor_error, origin in (
        ("memorisation", "p-value of memorisation", found.p_value, 0.0, None, None, uniform),
        (
            "memorisation/near_copies",
            "share of generated showers nearer to the training than any reference shower",
            share,
            (share / ours) ** 0.5,
            expected,
            expected * (1 + 1 / ours),
            "one shower in as many as the reference has",
        ),
    ):
        yield Score(
            name=name,
            label=label,
            value=value,
            error=error,
            floor=floor,
            floor_error=floor_error,
            layer=None,
            unit="",
            protocol=protocol,
            comparable=False,
            cannot_see=MEMORISATION_CANNOT_SEE,
            floor_from=origin,
        )


def _findings(found: Memorisation) -> tuple[Finding, ...]:
    if found.p_value >= _SIGNIFICANT:
        return ()
    significance = float(min(-ndtri(max(found.p_value / 2, 1e-300)), 37.0))
    near, ours = len(found.near_copies), len(found.generated_rows)
    words = (
        f"generated showers lie nearer to single training showers than independent ones do "
        f"(p = {found.p_value:.1g})"
    )
    if near > 5 * found.expected_near_copies + 5:
        words = (
            f"{near} of {ours} generated showers are near copies of training showers, nearer than "
            f"any of {len(found.reference_rows)} reference showers (rows "
            f"{', '.join(map(str, found.near_copies[:5].tolist()))}, ...)"
        )
    return (Finding("near_copies", words, significance),)


def _histogram(reference: FloatArray, generated: FloatArray) -> Histogram:
    high = float(max(reference.max(), generated.max())) or 1.0
    edges = np.linspace(0, high * (1 + 1e-9), 61)
    binned = [BinnedEvents.from_values(values, edges) for values in (reference, generated)]
    density = [b.sums[1:-1] / (b.sums[1:-1].sum() * np.diff(edges)) for b in binned]
    error = [np.sqrt(b.variances[1:-1]) / (b.sums[1:-1].sum() * np.diff(edges)) for b in binned]
    return Histogram(
        name=NAME,
        label="distance to the nearest training shower over that to the 5th nearest",
        unit="",
        layer=None,
        edges=tuple(edges.tolist()),
        reference=tuple(density[0].tolist()),
        reference_error=tuple(error[0].tolist()),
        generated=tuple(density[1].tolist()),
        generated_error=tuple(error[1].tolist()),
        reference_outside=(0.0, 0.0),
        generated_outside=(0.0, 0.0),
        log_x=False,
        log_y=True,
        separation=None,
        cannot_see=MEMORISATION_CANNOT_SEE,
    )
