"""How long judging takes, stage by stage, beside the rate of a matrix product."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ..classify.classifier import (
    operations_per_event,
    precision_used,
    torch_threads,
    train_discriminator,
)
from ..classify.sample import LabelledSample
from ..classify.settings import ClassifierConfig
from ..data import VoxelShowers
from ..errors import RangeError
from .metrics import BinnedEvents, separation
from .observables import (
    ShowerObservables,
    count_voxels,
    high_level_inputs,
    low_level_inputs,
    observe,
    shower_observables,
    spectrum_bins,
)
from .timing import matrix_rate

__all__ = ["JudgingTime", "time_judging"]


@dataclass(frozen=True)
class JudgingTime:
    """How fast one stage of a verdict is.

    Args:
        stage: what was timed.
        showers: number of showers that went through it.
        seconds: wall time, the fastest of the repetitions.
        showers_per_second: ``showers / seconds``.
        rate: GFLOP/s of a 4096-square float32 matrix product, mean of before and after.
        threads: processor threads of both.
        fraction: share of that rate that was reached; 0 where operations are not counted.
            Products in bfloat16 may exceed 1.
    """

    stage: str
    showers: int
    seconds: float
    showers_per_second: float
    rate: float
    threads: int
    fraction: float

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return asdict(self)


def time_judging(
    showers: VoxelShowers,
    *,
    threads: int = 2,
    repetitions: int = 3,
    classifier: ClassifierConfig | None = None,
    seed: int = 0,
) -> list[JudgingTime]:
    """Time the stages of a verdict on these showers; halves play reference and generated.

    Args:
        showers: at least 100.
        threads: processor threads.
        repetitions: the fastest counts; a classifier epoch is timed once.
        classifier: settings of the epochs; by default the challenge's. Where ``automatic``
            precision is not float32, epochs of the perceptron are timed in both.
        seed: seed of every draw.

    Raises:
        RangeError: if there are fewer than 100 showers.
    """
    if len(showers) < 100:
        raise RangeError(f"bench judge: expected at least 100 showers, got {len(showers)}.")
    config = (classifier or ClassifierConfig()).updated(epochs=1, threads=threads)
    cut = showers.geometry.threshold
    halves = [showers.select(slice(start, None, 2)) for start in (0, 1)]
    observed = [observe(half, threshold=cut) for half in halves]
    declared = shower_observables(showers.geometry)
    edges = spectrum_bins(observed[0].brightest_voxel.max(), cut)

    def histograms() -> None:
        for key, observable in enumerate(declared):
            values = [observable.values(o) for o in observed]
            bins = observable.edges(observed[0], cut)
            filled = [BinnedEvents.from_values(v, bins) for v in values]
            separation(*filled, seed=seed, key=key)

    stages: list[tuple[str, Callable[[], object], float]] = [
        ("observables", lambda: observe(showers, threshold=cut), 0.0),
        ("voxel spectrum", lambda: count_voxels(showers, edges, threshold=cut), 0.0),
        ("histograms, 200 resamplings", histograms, 0.0),
    ]
    found = [_timed(*stage, len(showers), threads, repetitions) for stage in stages]
    for name, inputs, settings in _epochs(halves, observed, cut, config):
        epoch, operations, trained = _epoch(inputs, settings, seed)
        found.append(_timed(name, epoch, operations, trained, threads, 1))
    return found


def _epochs(
    halves: list[VoxelShowers],
    observed: list[ShowerObservables],
    cut: float,
    config: ClassifierConfig,
) -> Iterator[tuple[str, LabelledSample, ClassifierConfig]]:
    """Give the classifiers whose epochs are timed: their names, inputs and settings."""
    voxels = [low_level_inputs(half, threshold=cut) for half in halves]
    high = [high_level_inputs(o) for o in observed]
    for name, inputs in (("low-level epoch", voxels), ("high-level epoch", high)):
        sample = LabelledSample.of(inputs, standardise=config.standardise)
        for precision in dict.fromkeys(("float32", precision_used(config))):
            stage = name if precision == "float32" else f"{name}, {precision}"
            yield stage, sample, config.updated(precision=precision)
    if halves[0].geometry.regular:
        image = LabelledSample.of(voxels, shape=halves[0].geometry.shape)
        yield "residual network's epoch", image, config.updated(network="resnet")


def _epoch(
    sample: LabelledSample, config: ClassifierConfig, seed: int
) -> tuple[Callable[[], object], float, int]:
    """Return one epoch, its floating-point operations, and how many showers it trains on."""
    order = np.random.default_rng(seed).permutation(len(sample))
    training, selection = np.split(order[: len(order) * 4 // 5], [len(order) * 3 // 5])
    forward, both = operations_per_event(sample, config)
    return (
        lambda: train_discriminator(sample, training, selection, config, seed=seed),
        both * len(training) + forward * len(selection),
        len(training),
    )


def _timed(
    stage: str,
    work: Callable[[], object],
    operations: float,
    showers: int,
    threads: int,
    repetitions: int,
) -> JudgingTime:
    before = matrix_rate(threads)
    seconds = []
    with torch_threads(threads):
        for _ in range(repetitions):
            start = time.perf_counter()
            work()
            seconds.append(time.perf_counter() - start)
    rate = (before + matrix_rate(threads)) / 2
    best = min(seconds)
    return JudgingTime(
        stage=stage,
        showers=showers,
        seconds=best,
        showers_per_second=showers / best,
        rate=rate,
        threads=threads,
        fraction=operations / best / 1e9 / rate,
    )
