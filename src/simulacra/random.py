r"""Randomness that belongs to an event: the noise law, fixed once for every back-end.

The law, :data:`NOISE_LAW`. Word :math:`w_j` of an event's stream is output ``j % 4`` of
Philox4x32-10 (J. Salmon, M. Moraes, R. Dror, D. Shaw, "Parallel random numbers: as easy as
1, 2, 3", SC 2011, doi:10.1145/2063384.2063405) with

.. code-block:: text

    key     = (seed mod 2^32, seed div 2^32)
    counter = (j div 4, stream, event mod 2^32, event div 2^32)

A uniform is :math:`u_j = (\lfloor w_j / 2^9 \rfloor + 1/2)\,2^{-23}`, never 0 or 1 and exact in
single precision. Normals come in pairs by Box and Muller from words :math:`2k, 2k+1`, with
:math:`\rho = \sqrt{-2 \ln((w_{2k} + 1/2)\,2^{-32})}` and :math:`\theta = \pi\, s\, 2^{-31}`, where
:math:`s` is :math:`w_{2k+1}` read as a signed number:
:math:`n_{2k} = \rho \cos\theta`, :math:`n_{2k+1} = \rho \sin\theta`, so that :math:`|n| < 6.77`.

Hence a shower does not depend on its batch, its order, its shard or the number of workers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import IntEnum
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from .errors import RangeError

if TYPE_CHECKING:
    import torch

Lane = NDArray[np.uint64]

__all__ = [
    "NOISE_LAW",
    "Stream",
    "generator",
    "normal",
    "torch_normal",
    "torch_uniform",
    "uniform",
    "words",
]

NOISE_LAW = "philox4x32-10/box-muller/1"
"""Name and version of the law; it stands in every manifest."""


class Stream(IntEnum):
    """Which draw of an event the numbers are for; streams of one event are independent."""

    NOISE = 0
    INCIDENT_ENERGY = 1
    EMPTY_VOXELS = 2
    PATH_TIME = 3
    ORDER = 4
    INITIALISATION = 5
    BOOTSTRAP = 6
    SPLIT = 7
    PLACE = 8
    BEAM = 9
    TRANSPORT = 10
    COLLISION = 11
    PARTICLE_RESPONSE = 12
    CELL_RESPONSE = 13
    PARTON_SHOWER = 14
    LATENT = 15
    TURN = 16
    EMPTY_LAYERS = 17
    KEPT = 20
    TRAJECTORY = 21
    ACCEPTANCE = 22


_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
_WEYL = (0x9E3779B9, 0xBB67AE85)
_LOW = 0xFFFFFFFF
_BLOCKS_AT_ONCE = 4096  # four words each: the working set stays in the second-level cache


def generator(seed: int, stream: Stream, *numbers: int) -> np.random.Generator:
    """Return a numpy generator keyed by ``(seed, stream, numbers)``, for draws without events.

    Args:
        seed: identity of the set, in ``[0, 2**64)``.
        stream: what the draw is for.
        numbers: further identity, such as an epoch.
    """
    _check(seed)
    entropy = [seed & _LOW, seed >> 32, int(stream), *numbers]
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(entropy)))


def words(
    seed: int, events: Iterable[int], count: int, *, stream: int = Stream.NOISE
) -> NDArray[np.uint32]:
    """Return the first ``count`` 32-bit words of each event's stream, shape ``(events, count)``.

    Args:
        seed: identity of the set, in ``[0, 2**64)``.
        events: event numbers within the set, each in ``[0, 2**64)``.
        count: numbers per event.
        stream: which draw of the event, in ``[0, 2**32)``.

    Raises:
        RangeError: if the seed does not fit into 64 bits.
    """
    out = np.empty((len(numbers := _numbers(events)), -(-count // 4), 4), np.uint32)
    for rows, blocks, lanes in _lanes(seed, stream, numbers, out.shape[1]):
        for place, lane in enumerate(lanes):
            out[rows, blocks, place] = lane
    return out.reshape(len(out), 4 * out.shape[1])[:, :count]


def uniform(
    seed: int,
    events: Iterable[int],
    count: int,
    *,
    stream: int = Stream.NOISE,
    dtype: DTypeLike = np.float32,
) -> NDArray[Any]:
    """Draw uniform numbers in (0, 1) that are a function of ``(seed, event, stream)`` alone.

    Args:
        seed: identity of the set, in ``[0, 2**64)``.
        events: event numbers within the set.
        count: numbers per event.
        stream: which draw of the event.
        dtype: float32 or float64; the values are the same.

    Returns:
        Shape ``(events, count)``.
    """
    word = words(seed, events, count, stream=stream)
    out = (word >> np.uint32(9)).astype(dtype)
    out += 0.5
    out *= 2.0**-23
    return out


def normal(
    seed: int,
    events: Iterable[int],
    count: int,
    *,
    stream: int = Stream.NOISE,
    dtype: DTypeLike = np.float32,
) -> NDArray[Any]:
    """Draw standard normal numbers that are a function of ``(seed, event, stream)`` alone.

    Args:
        seed: identity of the set, in ``[0, 2**64)``.
        events: event numbers within the set.
        count: numbers per event.
        stream: which draw of the event.
        dtype: float32 or float64; the two agree to single precision.

    Returns:
        Shape ``(events, count)``.
    """
    real = np.float64 if np.dtype(dtype) == np.float64 else np.float32
    out = np.empty((len(numbers := _numbers(events)), -(-count // 4), 4), real)
    for rows, blocks, lanes in _lanes(seed, stream, numbers, out.shape[1]):
        for first in (0, 2):
            radius: NDArray[Any] = lanes[first].astype(real)
            radius += 0.5
            radius *= 2.0**-32
            np.log(radius, out=radius)
            radius *= -2.0
            np.sqrt(radius, out=radius)
            signed = lanes[first + 1].astype(np.uint32).view(np.int32)
            angle: NDArray[Any] = signed.astype(real)
            angle *= np.pi * 2.0**-31
            np.multiply(radius, np.cos(angle), out=out[rows, blocks, first])
            np.multiply(radius, np.sin(angle), out=out[rows, blocks, first + 1])
    return out.reshape(len(out), 4 * out.shape[1])[:, :count]


def torch_uniform(
    seed: int, events: torch.Tensor, count: int, *, stream: int = Stream.NOISE
) -> torch.Tensor:
    """Draw :func:`uniform` on the device of ``events``, float32, bit for bit the same numbers.

    Args:
        seed: identity of the set, in ``[0, 2**63)``.
        events: event numbers, int64, shape ``(events,)``.
        count: numbers per event.
        stream: which draw of the event.
    """
    import torch

    if events.device.type == "cpu":
        return torch.from_numpy(uniform(seed, events.numpy(), count, stream=stream))
    return _device_uniform(seed, events, count, stream)


def torch_normal(
    seed: int, events: torch.Tensor, count: int, *, stream: int = Stream.NOISE
) -> torch.Tensor:
    """Draw :func:`normal` on the device of ``events``, float32, equal to rounding.

    Args:
        seed: identity of the set, in ``[0, 2**63)``.
        events: event numbers, int64, shape ``(events,)``.
        count: numbers per event.
        stream: which draw of the event.
    """
    import torch

    if events.device.type == "cpu":  # integers are faster there in numpy
        return torch.from_numpy(normal(seed, events.numpy(), count, stream=stream))
    return _device_normal(seed, events, count, stream)


def _device_uniform(seed: int, events: torch.Tensor, count: int, stream: int) -> torch.Tensor:
    word = _torch_words(seed, events, count, stream)
    return ((word >> 9).float() + 0.5) * 2.0**-23


def _device_normal(seed: int, events: torch.Tensor, count: int, stream: int) -> torch.Tensor:
    import torch

    pairs = -(-count // 2)
    word = _torch_words(seed, events, 2 * pairs, stream).reshape(len(events), pairs, 2)
    radius = ((word[..., 0].float() + 0.5) * 2.0**-32).log().mul(-2.0).sqrt()
    signed = torch.where(word[..., 1] >= 2**31, word[..., 1] - 2**32, word[..., 1])
    angle = signed.float() * (np.pi * 2.0**-31)
    both = torch.stack([radius * angle.cos(), radius * angle.sin()], dim=-1)
    return both.reshape(len(events), 2 * pairs)[:, :count]


def _check(seed: int) -> None:
    if not 0 <= seed < 2**64:
        raise RangeError(f"seed: expected a number in [0, 2**64), got {seed}.")


def _numbers(events: Iterable[int]) -> NDArray[np.uint64]:
    return np.asarray(events if isinstance(events, np.ndarray) else list(events), np.uint64)


def _lanes(
    seed: int, stream: int, events: NDArray[np.uint64], blocks: int
) -> Iterator[tuple[slice, slice, tuple[Lane, ...]]]:
    """Yield the four words of every block, a cache-sized rectangle of (event, block) at a time."""
    _check(seed)
    rows = max(1, _BLOCKS_AT_ONCE // max(blocks, 1))
    for row in range(0, len(events), rows):
        for first in range(0, blocks, _BLOCKS_AT_ONCE):
            block = np.arange(first, min(first + _BLOCKS_AT_ONCE, blocks), dtype=np.uint64)
            lanes = _philox(seed, stream, events[row : row + rows], block)
            yield slice(row, row + rows), slice(first, first + len(block)), lanes


def _philox(
    seed: int, stream: int, events: NDArray[np.uint64], blocks: NDArray[np.uint64]
) -> tuple[Lane, ...]:
    """Return the four output words, each of shape ``(events, blocks)``, on 64-bit lanes."""
    low, shift = np.uint64(_LOW), np.uint64(32)
    shape = (len(events), len(blocks))
    c0 = np.empty(shape, np.uint64)
    c0[:] = blocks
    c1 = np.full(shape, stream, np.uint64)
    c2 = np.empty(shape, np.uint64)
    c2[:] = (events & low)[:, None]
    c3 = np.empty(shape, np.uint64)
    c3[:] = (events >> shift)[:, None]
    high0, high1 = np.empty(shape, np.uint64), np.empty(shape, np.uint64)
    for key0, key1 in _round_keys(seed):
        np.multiply(c0, np.uint64(_MULTIPLIERS[0]), out=c0)
        np.multiply(c2, np.uint64(_MULTIPLIERS[1]), out=c2)
        np.right_shift(c0, shift, out=high0)
        np.right_shift(c2, shift, out=high1)
        np.bitwise_xor(high1, c1, out=high1)
        np.bitwise_xor(high1, np.uint64(key0), out=high1)
        np.bitwise_xor(high0, c3, out=high0)
        np.bitwise_xor(high0, np.uint64(key1), out=high0)
        np.bitwise_and(c2, low, out=c2)
        np.bitwise_and(c0, low, out=c0)
        c0, c1, c2, c3, high0, high1 = high1, c2, high0, c0, c1, c3
    return c0, c1, c2, c3


def _round_keys(seed: int) -> list[tuple[int, int]]:
    key = (seed & _LOW, seed >> 32)
    return [((key[0] + i * _WEYL[0]) & _LOW, (key[1] + i * _WEYL[1]) & _LOW) for i in range(10)]


def _torch_words(seed: int, events: torch.Tensor, count: int, stream: int) -> torch.Tensor:
    """Return :func:`words` as int64, with the same rounds in torch's integer arithmetic."""
    import torch

    _check(seed)
    blocks = -(-count // 4)
    shape = (len(events), blocks)
    c0 = torch.arange(blocks, device=events.device).expand(shape)
    c1 = torch.full(shape, stream, dtype=torch.int64, device=events.device)
    c2 = (events & _LOW)[:, None].expand(shape)
    c3 = ((events >> 32) & _LOW)[:, None].expand(shape)
    for key0, key1 in _round_keys(seed):
        product0, product1 = c0 * _MULTIPLIERS[0], c2 * _MULTIPLIERS[1]
        c0, c1, c2, c3 = (
            ((product1 >> 32) & _LOW) ^ c1 ^ key0,
            product1 & _LOW,
            ((product0 >> 32) & _LOW) ^ c3 ^ key1,
            product0 & _LOW,
        )
    return torch.stack([c0, c1, c2, c3], dim=-1).reshape(len(events), 4 * blocks)[:, :count]
