"""Print what a normal of the noise law costs, in nanoseconds of one core, numpy and torch.

    python benchmarks/noise.py

Processor time, so that a busy machine changes it little; numpy's own generator stands beside it.
"""

from __future__ import annotations

import time

import numpy as np
import torch

from simulacra.random import Stream, _device_normal, normal, torch_normal

EVENTS, NUMBERS, REPEATS = 2000, 373, 20


def _nanoseconds(draw) -> float:  # noqa: ANN001
    draw()
    times = []
    for _ in range(REPEATS):
        start = time.process_time()
        draw()
        times.append(time.process_time() - start)
    return float(np.median(times)) / (EVENTS * NUMBERS) * 1e9


def main() -> None:
    """Time the back-ends on one thread."""
    torch.set_num_threads(1)
    events = np.arange(EVENTS)
    numbers = torch.arange(EVENTS)
    block = np.random.Generator(np.random.Philox(0))
    for name, draw in {
        "numpy, the law": lambda: normal(1, events, NUMBERS),
        "torch on the processor, the law": lambda: torch_normal(1, numbers, NUMBERS),
        "the code for devices, on the processor": lambda: _device_normal(
            1, numbers, NUMBERS, Stream.NOISE
        ),
        "numpy, one block without events": lambda: block.standard_normal(
            (EVENTS, NUMBERS), np.float32
        ),
    }.items():
        print(f"{name}: {_nanoseconds(draw):.1f} ns per normal and core")


if __name__ == "__main__":
    main()
