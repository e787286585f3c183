"""Drawing events so that each is the same in any batch, order, shard or number of workers."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..errors import RangeError
from ..random import Stream, normal, torch_normal
from .model import GenerativeModel

__all__ = ["Drawing", "draw"]

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Drawing:
    """Some events of a set: numbers ``first, first + 1, ...`` and what was drawn for them.

    Args:
        first: number of the first event.
        x: the events, ``(events, features)``, float32, in the model's physical units.
    """

    first: int
    x: Array


def draw(
    model: GenerativeModel,
    conditions: Callable[[int, int], Array],
    events: range,
    *,
    seed: int,
    tile: int,
    workers: int = 1,
    device: str = "cpu",
) -> Iterator[Drawing]:
    """Draw events in order, a tile at a time.

    A network's last digits depend on how many rows are multiplied at once and on the number of
    threads. Here every event is computed in row ``event mod tile`` of a tile that always has
    ``tile`` rows (those outside ``events`` are padding), by one thread; so it has the same bits in
    every call.

    Args:
        model: the generator, in evaluation mode.
        conditions: ``conditions(start, stop)`` returns the conditions of these event numbers,
            ``(stop - start, conditions)``, in physical units.
        events: contiguous event numbers to draw.
        seed: identity of the set.
        tile: rows per tile; part of the result's identity.
        workers: tiles computed at the same time, each by one thread.
        device: where the network runs; another device has other last digits.

    Raises:
        RangeError: if ``workers`` is below 1.
    """
    if workers < 1:
        raise RangeError(f"workers: expected at least 1 thread, got {workers}.")
    tiles = range(events.start // tile, -(-events.stop // tile)) if len(events) else range(0)

    def job(number: int) -> Drawing:
        start, stop = max(number * tile, events.start), min((number + 1) * tile, events.stop)
        rows = slice(start - number * tile, stop - number * tile)
        given = conditions(start, stop).astype(np.float32)
        condition = torch.ones(tile, given.shape[1])
        condition[rows] = torch.from_numpy(given)
        noise = _noise(model, seed, start, stop, rows, tile, device)
        with torch.inference_mode():
            x = model.draw(condition.to(device), noise)
        return Drawing(first=start, x=x[rows].cpu().numpy())

    busy = max(1, min(workers, len(tiles)))
    with _single_threads(busy) as pool:
        yield from _in_order(pool, job, tiles, ahead=2 * busy)


def _noise(
    model: GenerativeModel, seed: int, start: int, stop: int, rows: slice, tile: int, device: str
) -> torch.Tensor:
    noise = torch.zeros(tile, model.noise_size, device=device)
    if device == "cpu":
        drawn = normal(seed, range(start, stop), model.noise_size, stream=Stream.NOISE)
        noise[rows] = torch.from_numpy(drawn)
    else:
        numbers = torch.arange(start, stop, device=device)
        noise[rows] = torch_normal(seed, numbers, model.noise_size, stream=Stream.NOISE)
    return noise


@contextlib.contextmanager
def _single_threads(workers: int) -> Iterator[Executor]:
    """Give a pool whose threads multiply alone, and put torch's thread number back."""
    threads = torch.get_num_threads()
    pool = ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,))
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(threads)


def _in_order(
    pool: Executor, job: Callable[[int], Drawing], tiles: range, ahead: int
) -> Iterator[Drawing]:
    """Run jobs with at most ``ahead`` of them waiting or finished but not taken."""
    numbers = iter(tiles)
    waiting: list[Future[Drawing]] = [pool.submit(job, n) for n in islice(numbers, ahead)]
    while waiting:
        done = waiting.pop(0)
        yield done.result()
        waiting += [pool.submit(job, n) for n in islice(numbers, 1)]
