"""Processor times that mean something on shared machines: normalised to a matrix product."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["NORMAL_RATE", "SamplingTime", "matrix_rate", "time_sampling"]

NORMAL_RATE = 170.0
"""Rate in GFLOP/s to which times are normalised: raw x rate / 170."""

_SIZE = 4096


@dataclass(frozen=True)
class SamplingTime:
    """How long one shower takes in batches of one size.

    Args:
        batch: showers per call.
        milliseconds: raw wall time per shower, median of the repetitions.
        spread: difference of the slowest and fastest repetition, in ms per shower.
        rate: the matrix product's GFLOP/s, mean of just before and just after.
        threads: processor threads of both.
        normalised_milliseconds: ``milliseconds * rate / 170``.
        operations: floating-point operations per shower, in millions.
        fraction: share of the matrix product's rate that was reached.
    """

    batch: int
    milliseconds: float
    spread: float
    rate: float
    threads: int
    normalised_milliseconds: float
    operations: float
    fraction: float

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return asdict(self)


def matrix_rate(threads: int, repetitions: int = 3) -> float:
    """Return the rate of a 4096-square float32 matrix product in GFLOP/s.

    Args:
        threads: processor threads.
        repetitions: products of which the fastest counts.
    """
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        a, b = torch.ones(_SIZE, _SIZE), torch.ones(_SIZE, _SIZE)
        a @ b
        times = []
        for _ in range(repetitions):
            start = time.perf_counter()
            a @ b
            times.append(time.perf_counter() - start)
        return 2 * _SIZE**3 / min(times) / 1e9
    finally:
        torch.set_num_threads(before)


def time_sampling(
    sample: Callable[[int], object],
    *,
    batches: Sequence[int],
    operations: float,
    threads: int,
    repetitions: int = 3,
) -> list[SamplingTime]:
    """Time a sampler at several batch sizes, each between two measurements of the matrix product.

    Args:
        sample: draws as many showers as its argument says, without writing files.
        batches: batch sizes.
        operations: floating-point operations per shower.
        threads: processor threads that ``sample`` uses.
        repetitions: timed calls per batch size, after one that is not counted.
    """
    found = []
    sample(batches[0])
    for batch in batches:
        before = matrix_rate(threads)
        times = []
        for _ in range(repetitions):
            start = time.perf_counter()
            sample(batch)
            times.append((time.perf_counter() - start) / batch)
        rate = (before + matrix_rate(threads)) / 2
        seconds = statistics.median(times)
        found.append(
            SamplingTime(
                batch=batch,
                milliseconds=1e3 * seconds,
                spread=1e3 * (max(times) - min(times)),
                rate=rate,
                threads=threads,
                normalised_milliseconds=1e3 * seconds * rate / NORMAL_RATE,
                operations=operations / 1e6,
                fraction=operations / seconds / 1e9 / rate,
            )
        )
    return found
