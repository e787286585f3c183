"""Drawing events so that each is the same in any batch, order, shard or number of workers."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice, pairwise
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
from numpy.typing import NDArray

from ..errors import RangeError
from ..random import Stream, normal, torch_normal
from .model import GenerativeModel

__all__ = ["Drawing", "draw"]

Array = NDArray[Any]

_ROWS_AT_ONCE = 256  # beyond, products are no faster
_NUMBERS_AT_ONCE = 2**17  # of noise: intermediate results stay in a core's cache

_together: WeakKeyDictionary[GenerativeModel, dict[tuple[int, int, str], bool]] = (
    WeakKeyDictionary()
)
"""Whether (tile, number, precision) of a model may be computed at once; it changes time alone."""


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
    every call. Where a trial on this machine shows that several tiles computed at once give the
    bits that each gives alone (products of equal width usually do, from four rows on), full runs
    of tiles are computed at once, which is faster; what is left over goes tile by tile.

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

    def job(numbers: range) -> list[Drawing]:
        lowest, highest = numbers.start * tile, numbers.stop * tile
        start, stop = max(lowest, events.start), min(highest, events.stop)
        rows = slice(start - lowest, stop - lowest)
        given = conditions(start, stop).astype(np.float32)
        condition = torch.ones(highest - lowest, given.shape[1])
        condition[rows] = torch.from_numpy(given)
        noise = _noise(model, seed, start, stop, rows, highest - lowest, device)
        with torch.inference_mode():
            x = model.draw(condition.to(device), noise)[rows].cpu().numpy()
        ends = [start, *(n * tile for n in numbers[1:]), stop]
        return [Drawing(a, x[a - start : b - start]) for a, b in pairwise(ends)]

    busy = max(1, min(workers, len(tiles)))
    with _single_threads(busy) as pool:
        at_once = 1
        if device == "cpu" and (wanted := _worth_it(model, tile)) <= len(tiles) // (2 * busy):
            trial = conditions(events.start, min(events.stop, events.start + tile))
            at_once = wanted if pool.submit(_alike, model, trial, tile, wanted).result() else 1
        for drawn in _in_order(pool, job, _runs(tiles, at_once), ahead=2 * busy):
            yield from drawn


def _worth_it(model: GenerativeModel, tile: int) -> int:
    """Return how many tiles fill a core's cache."""
    rows = min(_ROWS_AT_ONCE, _NUMBERS_AT_ONCE // model.noise_size)
    return max(1, rows // tile)


def _runs(tiles: range, at_once: int) -> Iterator[range]:
    """Cut tiles into runs that are computed at once, all of one length or of one tile."""
    whole = tiles.start + len(tiles) // at_once * at_once
    yield from (range(n, n + at_once) for n in range(tiles.start, whole, at_once))
    yield from (range(n, n + 1) for n in range(whole, tiles.stop))


def _alike(model: GenerativeModel, conditions: Array, tile: int, at_once: int) -> bool:
    """Try whether tiles computed at once have the bits that each has alone.

    Products choose their kernels by the sizes of what is multiplied and by nothing else, so that
    one trial with these sizes decides; the first tile, one in the middle and the last are compared.
    """
    known = _together.setdefault(model, {})
    kind = tile, at_once, torch.get_float32_matmul_precision()
    if kind not in known:
        every = np.resize(conditions.astype(np.float32), (tile * at_once, conditions.shape[1]))
        condition = torch.from_numpy(every)
        noise = torch.from_numpy(normal(0, range(tile * at_once), model.noise_size))
        with torch.inference_mode():
            whole = model.draw(condition, noise).numpy()
            places = (slice(n * tile, (n + 1) * tile) for n in {0, at_once // 2, at_once - 1})
            known[kind] = all(
                whole[place].tobytes()
                == model.draw(condition[place], noise[place]).numpy().tobytes()
                for place in places
            )
    return known[kind]


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
    pool: Executor, job: Callable[[range], list[Drawing]], runs: Iterator[range], ahead: int
) -> Iterator[list[Drawing]]:
    """Run jobs with at most ``ahead`` of them waiting or finished but not taken."""
    waiting: deque[Future[list[Drawing]]] = deque(pool.submit(job, n) for n in islice(runs, ahead))
    while waiting:
        done = waiting.popleft()
        yield done.result()
        waiting.extend(pool.submit(job, n) for n in islice(runs, 1))
