"""What a surrogate's speed is measured on: drawing without files, and operations per shower."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from ...workforce import Workforce
from .drawing import spectrum
from .piecework import Drawer, by_workers, cut
from .surrogate import Surrogate

__all__ = ["operations_per_shower", "sampler"]

_PIECE = 256  # showers that a worker draws at a time


def sampler(
    surrogate: Surrogate, *, seed: int, workers: int, force: Workforce | None = None
) -> Callable[[int], object]:
    """Return a function that draws so many showers over the model's range of energies.

    Further conditions are taken in the middle of their ranges.

    Args:
        surrogate: the model.
        seed: identity of the showers.
        workers: threads.
        force: who works instead of threads; what they hand back is packed.
    """
    ranges = surrogate.manifest["validity"]["ranges"]
    (low, high), *others = ranges.values()
    drawer = Drawer(surrogate.model, surrogate.config.tile, seed, "cpu")

    def sample(events: int) -> object:
        energy = spectrum(low, high, events, seed=seed).incident_energy
        table = np.column_stack([energy, *(np.full(events, (a + b) / 2) for a, b in others)])
        table = table.astype(np.float32)
        if force is not None:
            pieces = cut(range(events), drawer.tile, min(events, _PIECE), surrogate.geometry.voxels)
            works = ((piece, table[piece.start : piece.stop]) for piece in pieces)
            return list(by_workers(drawer, works, force))
        drawn = surrogate.draw(table, range(events), seed=seed, workers=workers)
        return [part.x for part in drawn]

    return sample


def operations_per_shower(surrogate: Surrogate) -> float:
    """Return the floating-point operations of the matrix products that one shower takes."""
    model = surrogate.model
    rows = surrogate.config.tile
    energy = float(np.mean(surrogate.manifest["validity"]["ranges"]["incident_energy"]))
    condition = torch.full((rows, 1 + len(surrogate.config.conditions)), energy)
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        model.draw(condition, torch.zeros(rows, model.noise_size))
    return float(counter.get_total_flops()) / rows
