"""Do generated showers lie nearer to the training showers than independent ones do?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri
from scipy.stats import hypergeom, mannwhitneyu

from ..data import VoxelShowers
from .metrics import BinnedEvents
from .metrics.manifold import drawn_rows
from .metrics.neighbours import Nearest
from .metrics.rows import FeatureRows
from .sample import Observed, Sample
from .suite import Suite
from .verdict import Finding, Histogram, Score

__all__ = ["Memory", "compare_distances", "memorised"]

Array = NDArray[Any]
FloatArray = NDArray[np.float64]
Progress = Callable[[str, int, int], None]

NAME = "training_distance"
"""Name of the histogram of distances to the training showers."""

_AFFORDABLE = 3e12  # showers times training showers times voxels: minutes of a few cores
_FEWEST = 500
_NEAREST = 0.005  # share of all distances among which near copies are looked for
_SIGNIFICANT = 1e-3
_KEY = 7  # of the draws of showers that take part
_CANNOT_SEE = (
    "whether nearness is copying or smoothness: showers without the truth's graininess lie nearer "
    "to everything; copies that were turned or rescaled"
)


@dataclass(frozen=True)
class Memory:
    """What the distances to the training showers tell.

    Args:
        scores: p-value, share of near copies, ratio of the median distances.
        histogram: the distances of both samples.
        findings: near copies, if there are significantly many.
    """

    scores: tuple[Score, ...]
    histogram: Histogram
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class DistanceTest:
    """Are some distances smaller than others?

    Args:
        p_value: chance of so small distances, or so many very small ones, in equal samples.
        p_all: that of the rank sum of all distances.
        p_nearest: that of the number of generated showers among the nearest.
        near_copies: generated showers among the nearest beyond what is expected.
        ratio: median distance of the generated showers over that of the reference.
    """

    p_value: float
    p_all: float
    p_nearest: float
    near_copies: float
    ratio: float


def compare_distances(generated: Array, reference: Array) -> DistanceTest:
    r"""Test whether generated showers lie nearer to the training showers than reference showers.

    Two one-sided tests: the rank sum of Mann and Whitney, which sees a general nearness, and the
    number of generated showers among the nearest 0.5 % of both samples (hypergeometric), which
    sees few copies. The p-value of the smaller one is that of the smaller of two independent
    ones, :math:`1 - (1 - p)^2`; it is uniform for equal samples but for the grain of whole numbers.

    Args:
        generated: distance of each generated shower to its nearest training shower.
        reference: the same for independent showers of the truth.
    """
    both = np.concatenate([generated, reference])
    count = max(10, round(_NEAREST * len(both)))
    nearest = np.argsort(both, kind="stable")[:count]
    found = int((nearest < len(generated)).sum())
    law = hypergeom(len(both), len(generated), count)
    p_nearest = float(law.sf(found) + 0.5 * law.pmf(found))
    p_all = float(mannwhitneyu(generated, reference, alternative="less").pvalue)
    medians = np.median(generated), np.median(reference)
    return DistanceTest(
        p_value=1 - (1 - min(p_all, p_nearest)) ** 2,
        p_all=p_all,
        p_nearest=p_nearest,
        near_copies=max(0.0, found - float(law.mean())),
        ratio=float(medians[0] / medians[1]) if medians[1] > 0 else float("nan"),
    )


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
    r"""Compare the distances of generated and reference showers to the training showers.

    Showers are points :math:`\sqrt{e_i / E_\mathrm{inc}}`, in which a voxel counts by its
    relative error, and the distance is Euclidean: twice the squared one is the energy fraction
    that differs, in the manner of Hellinger. Weights play no part.

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
    searches = [
        Nearest(_table(o, drawn_rows(o.sample.events, limit, seed, key=_KEY + k), threshold), 1)
        for k, o in enumerate((reference, generated))
    ]
    done = 0
    for chunk in training.chunks():
        others = FeatureRows.from_blocks(_points(chunk, threshold))
        for search in searches:
            search.add(others, done)
        done += len(chunk)
        if progress is not None:
            progress("distances to the training showers", done, training.events)
    truth, ours = (np.sqrt(search.square_distance[:, 0]) for search in searches)
    test = compare_distances(ours, truth)
    return Memory(
        scores=_scores(test, len(truth), len(ours), training),
        histogram=_histogram(truth, ours),
        findings=_findings(test, len(ours)),
    )


def _table(observed: Observed, rows: Array, threshold: float) -> FeatureRows:
    def chosen() -> Iterator[FloatArray]:
        start = 0
        for chunk in observed.sample.chunks():
            inside = rows[(rows >= start) & (rows < start + len(chunk))] - start
            start += len(chunk)
            if len(inside):
                yield from _points(chunk.select(inside), threshold)

    return FeatureRows.from_blocks(chosen())


def _points(showers: VoxelShowers, threshold: float) -> Iterator[FloatArray]:
    step = max(1, (1 << 24) // showers.geometry.voxels)
    for start in range(0, len(showers), step):
        part = showers.select(slice(start, start + step))
        energies = part.energies.astype(np.float64)
        energies[energies < threshold] = 0
        energies /= part.incident_energy.astype(np.float64)[:, None]
        yield np.sqrt(energies, out=energies)


def _scores(
    test: DistanceTest, reference: int, generated: int, training: Sample
) -> tuple[Score, ...]:
    protocol = (
        f"Euclidean distance of the square roots of voxel over incident energy to the nearest of "
        f"{training.events} training showers, {reference} reference and {generated} generated "
        "showers; rank sum of all and number among the nearest 0.5 %, the smaller of both "
        "p-values corrected for being chosen"
    )
    numbers = {
        "memorisation": ("p-value of memorisation", test.p_value, None, None),
        "memorisation/near_copies": (
            "share of near copies of training showers",
            test.near_copies / generated,
            0.0,
            float(np.sqrt(_NEAREST * (reference + generated)) / 2 / generated),
        ),
        "memorisation/distance": (
            "median distance to the training showers over the reference's",
            test.ratio,
            1.0,
            None,
        ),
    }
    return tuple(
        Score(
            name=name,
            label=label,
            value=value,
            error=0.0,
            floor=floor,
            floor_error=floor_error,
            layer=None,
            unit="",
            protocol=protocol,
            comparable=False,
            cannot_see=_CANNOT_SEE,
            floor_from="uniform in [0, 1] for independent showers"
            if floor is None
            else "for independent showers",
        )
        for name, (label, value, floor, floor_error) in numbers.items()
    )


def _findings(test: DistanceTest, generated: int) -> tuple[Finding, ...]:
    if test.p_value >= _SIGNIFICANT:
        return ()
    significance = float(min(-ndtri(max(test.p_value / 2, 1e-300)), 37.0))
    if test.p_nearest <= test.p_all:
        words = (
            f"about {test.near_copies:.0f} of {generated} generated showers lie as near to a "
            "training shower as independent ones hardly ever do: near copies"
        )
        return (Finding("near_copies", words, significance),)
    words = (
        f"generated showers lie nearer to the training showers than the reference does (median "
        f"distance times {test.ratio:.3f}): copied in part, or smoother than the truth"
    )
    return (Finding("nearness", words, significance),)


def _histogram(reference: FloatArray, generated: FloatArray) -> Histogram:
    high = float(max(reference.max(), generated.max())) or 1.0
    edges = np.linspace(0, high * (1 + 1e-9), 61)
    binned = [BinnedEvents.from_values(values, edges) for values in (reference, generated)]
    density = [b.sums[1:-1] / (b.sums[1:-1].sum() * np.diff(edges)) for b in binned]
    error = [np.sqrt(b.variances[1:-1]) / (b.sums[1:-1].sum() * np.diff(edges)) for b in binned]
    return Histogram(
        name=NAME,
        label="distance to the nearest training shower",
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
        cannot_see=_CANNOT_SEE,
    )
