"""A network that starts as a trained one."""

from __future__ import annotations

import torch
from torch import nn

from .embed import FourierEmbedding

__all__ = ["start_from"]


def start_from(network: nn.Module, trained: nn.Module, *, skipping: int) -> bool:
    """Copy the weights of a network that lacks one condition; the new one has no effect at first.

    Args:
        network: a field that sees a further number behind its first ``skipping`` conditions.
        trained: one of equal size without it.
        skipping: number of conditions that both have.

    Returns:
        Whether the networks fit; if not, nothing is changed.
    """
    ours, theirs = network.state_dict(), dict(trained.state_dict())
    if ours.keys() != theirs.keys():
        return False
    times = [module for module in network.modules() if isinstance(module, FourierEmbedding)]
    place = 2 * sum(len(time.frequencies) for time in times) + skipping
    for name, own in ours.items():
        other = theirs[name]
        if own.shape == other.shape:
            continue
        if own.ndim != 2 or own.shape != (other.shape[0], other.shape[1] + 1):
            return False
        silent = torch.zeros_like(other[:, :1])
        theirs[name] = torch.cat([other[:, :place], silent, other[:, place:]], dim=1)
    network.load_state_dict(theirs)
    return True
