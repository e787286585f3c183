"""Generated events of weight 1: noise drawn again until an event's weight lets it pass."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import RangeError
from ...random import Stream, generator, normal, uniform

__all__ = ["Redrawn", "redraw"]

Array = NDArray[Any]
FloatArray = NDArray[np.float64]
Make = Callable[[NDArray[np.float32], NDArray[np.int64]], tuple[Array, FloatArray]]

_ROUNDS = 1000  # of which none took an event: its weights are nothing everywhere


@dataclass(frozen=True, eq=False)
class Redrawn:
    """Events of weight 1 and the noise that they are made of.

    Args:
        events: ``(events, features)``.
        noise: ``(events, numbers)``.
        draws: how often each was drawn until it passed, ``(events,)``.
    """

    events: Array
    noise: NDArray[np.float32]
    draws: NDArray[np.int64]


def redraw(
    make: Make, events: int, numbers: int, *, largest: float, seed: int, first_event: int = 0
) -> Redrawn:
    r"""Draw noise from :math:`\min(w, w_\text{max})\, N(z)` by rejection, event by event.

    Noise is drawn anew until it passes with the probability of its event's weight over the
    largest. It is the exact sampler of the law that R. Winterhalder, M. Bellagente, B. Nachman,
    "Latent space refinement for deep generative models", 2021, https://arxiv.org/abs/2106.00792,
    draw noise from; of noise of hundreds of numbers it is also the cheap one, at
    :math:`w_\text{max} / E[w]` draws an event. An event's condition stays what it is.

    Args:
        make: from noise ``(some, numbers)`` and the numbers of their events, of ``range(events)``,
            to events ``(some, features)`` and their weights ``(some,)``, which are not negative.
        events: how many.
        numbers: of noise per event.
        largest: weight that passes always; larger ones count as this.
        seed: identity of the set.
        first_event: number of the first event in its set; event i is a function of seed and number.

    Raises:
        RangeError: if a weight is negative or no number, the largest is not positive, or an event
            does not pass in 1000 rounds.
    """
    if not largest > 0:
        raise RangeError(f"redraw: expected a positive largest weight, got {largest:g}.")
    pending, parts = np.arange(events), list[tuple[Array, ...]]()
    for turn in range(_ROUNDS):
        if not len(pending):
            break
        key = int(generator(seed, Stream.LATENT, turn).integers(2**63))
        names = first_event + pending
        noise = normal(key, names, numbers, stream=Stream.LATENT)
        made, weight = make(noise, pending)
        if not (np.asarray(weight) >= 0).all():
            raise RangeError("redraw: a weight is negative or no number; resample weights first.")
        chance = uniform(key, names, 1, stream=Stream.KEPT, dtype=np.float64)[:, 0]
        taken = chance * largest < weight
        drawn = np.full(int(taken.sum()), turn + 1)
        parts.append((pending[taken], made[taken], noise[taken], drawn))
        pending = pending[~taken]
    if len(pending):
        raise RangeError(
            f"redraw: {len(pending)} of {events} events did not pass in {_ROUNDS} rounds; their "
            "weights are far below the largest. Lower it, or look at these conditions."
        )
    if not parts:
        raise RangeError(f"redraw: expected at least one event, got {events}.")
    which, *columns = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Redrawn(*(column[np.argsort(which)] for column in columns))
