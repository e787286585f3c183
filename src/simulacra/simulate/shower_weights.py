r"""What a parton shower would have weighed under other parameters, and how that changes.

An accepted trial counts :math:`P'/P`, a rejected one :math:`(1-P')/(1-P)`, where
:math:`P = \sum_a \theta_a b_a` is linear in the parameters: the product over an event is the ratio
of its probabilities, exactly, and so are its derivatives. S. Mrenna, P. Skands, "Automated
parton-shower variations in Pythia 8", 2016, arXiv:1605.08352, section 2.

The weight is of the event *with its history*: of two ways to the same partons it may say different
things. Averages over events are exact all the same; as the ratio of two densities of partons it is
right only on average, and a classifier on the partons finds that average.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data.events import Events
from ..errors import FileFormatError
from .kernels import NAMES, TERMS, Kernels
from .toyshower import PartonShower

__all__ = ["shower_scores", "shower_weights"]

Array = NDArray[Any]


def shower_weights(events: Events, kernels: Kernels) -> NDArray[np.float64]:
    """Return the weight that turns events into a sample at other parameters.

    Args:
        events: as :func:`~simulacra.simulate.toyshower.shower` drew them.
        kernels: the parameters wanted.

    Returns:
        Dimensionless, mean 1 over many events, shape ``(events,)``. Negative where a trial would
        have been accepted with a probability above 1; averages stay exact, and a larger
        ``headroom`` of the shower avoids it.

    Raises:
        FileFormatError: if the events do not say how they were drawn.
    """
    drawn, wanted = _probability(events, _drawn(events)), _probability(events, kernels)
    accepted = events["trials"]["accepted"]
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(accepted, wanted / drawn, (1 - wanted) / (1 - drawn))
        size = np.log(np.abs(ratio))
    place, count = events["trials"].event, len(events)
    negative = np.bincount(place, weights=ratio < 0, minlength=count) % 2
    total = np.bincount(place, weights=size, minlength=count)
    return np.exp(total) * np.where(negative > 0, -1.0, 1.0)


def shower_scores(events: Events, kernels: Kernels | None = None) -> NDArray[np.float64]:
    r"""Return :math:`\partial \ln w / \partial \theta_a` of every event.

    The derivative of a weighted average follows from it by :math:`w\,\partial \ln w`; at the
    parameters of the sample, the mean of its outer products is the Fisher information of events
    with their history, an upper bound on that of the partons alone.

    Args:
        events: as :func:`~simulacra.simulate.toyshower.shower` drew them.
        kernels: where to differentiate; by default where the events were drawn.

    Returns:
        Shape ``(events, 8)``, parameters in the order of ``NAMES``.

    Raises:
        FileFormatError: if the events do not say how they were drawn.
    """
    p = _probability(events, _drawn(events) if kernels is None else kernels)
    trials, count = events["trials"], len(events)
    with np.errstate(divide="ignore"):
        slope = np.where(trials["accepted"], 1 / p, -1 / (1 - p))
    place, kind = trials.event, trials["kind"]
    scores = np.zeros((count, len(NAMES) + 1))
    for column, name in enumerate(("d", "f", "c")):
        for splitting, parameters in enumerate(TERMS):
            these = kind == splitting
            added = slope[these] * trials[name][these]
            scores[:, parameters[column]] += np.bincount(
                place[these], weights=added, minlength=count
            )
    return scores[:, :-1]


def _probability(events: Events, kernels: Kernels) -> Array:
    """Return the acceptance probability of each trial."""
    trials = events["trials"]
    strength = np.append(kernels.vector(), 0.0)[TERMS][trials["kind"]]
    return np.asarray(
        strength[:, 0] * trials["d"] + strength[:, 1] * trials["f"] + strength[:, 2] * trials["c"]
    )


def _drawn(events: Events) -> Kernels:
    if "shower" not in events.provenance:
        raise FileFormatError("the events do not say with which kernels they were drawn.")
    return PartonShower.from_dict(events.provenance["shower"]).kernels
