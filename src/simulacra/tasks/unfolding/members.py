"""Unfoldings of bootstrap replicas that each drew events of their own, as one result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...data.weights import effective_events
from .problem import Unfolding
from .result import UnfoldedEvents

__all__ = ["Drawn", "joined"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Drawn:
    """What one iteration of one member drew.

    Args:
        truth: true observables, shape ``(events, observables)``.
        weight: shape ``(events,)``.
    """

    truth: FloatArray
    weight: FloatArray


def joined(
    members: Sequence[Sequence[Drawn]],
    problem: Unfolding,
    *,
    method: str,
    about: Mapping[str, Any],
    networks: int = 1,
) -> UnfoldedEvents:
    """Put the simulation's truth, as iteration 0, and all that was drawn side by side.

    The result is the mean of the members, its replicas are what each of them found alone.

    Args:
        members: what each drew in each iteration, as many in all.
        problem: simulation and data.
        method: who drew.
        about: settings, seed and whatever else belongs to the provenance.
        networks: how many members in a row are of the same replica.
    """
    iterations = len(members[0])
    prior = problem.simulation.true_sample()
    blocks = [Drawn(prior.values, prior.weights)]
    blocks += [found for rounds in members for found in rounds]
    starts = np.cumsum([0, *(len(block.weight) for block in blocks)])
    history = np.zeros((iterations + 1, starts[-1]))
    replicas = np.zeros((len(members), starts[-1]), np.float32)
    final = []
    for k, block in enumerate(blocks[1:]):
        member, n = divmod(k, iterations)
        place = slice(starts[k + 1], starts[k + 2])
        history[n + 1, place] = block.weight / len(members)
        if n + 1 == iterations:
            replicas[member, place] = block.weight
            final.append(block.weight.sum())
    history[0, : starts[1]] = prior.weights * (np.mean(final) / prior.weights.sum())
    return UnfoldedEvents(
        method=method,
        names=problem.simulation.names,
        data_events=effective_events(problem.data.weights),
        about=dict(about),
        events=np.concatenate([block.truth for block in blocks]),
        history=history,
        replicas=replicas,
        networks=networks,
    )
