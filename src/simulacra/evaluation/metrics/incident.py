"""Do two samples hold the same incident energies? Scores mean little if they do not."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["incident_energy_mismatch"]

Array = NDArray[Any]


def incident_energy_mismatch(reference: Array, generated: Array) -> tuple[float, float]:
    r"""Compare incident energies by the two-sample Kolmogorov-Smirnov test.

    The p-value is the asymptotic one, :math:`2 \sum_k (-1)^{k-1} e^{-2 k^2 \lambda^2}`, too
    large for discrete energies. It cannot see differences that leave the cumulative
    distribution alone, such as another order.

    Args:
        reference: incident energies in MeV, shape ``(events_reference,)``.
        generated: incident energies in MeV, shape ``(events_generated,)``.

    Returns:
        The largest distance of the cumulative distributions and its p-value. Generated showers
        that copy the reference's energies (``--like``) have distance 0 and p-value 1.
    """
    every = np.sort(np.concatenate([reference, generated]))
    below = [
        np.searchsorted(np.sort(x), every, side="right") / len(x) for x in (reference, generated)
    ]
    distance = float(np.abs(below[0] - below[1]).max())
    effective = len(reference) * len(generated) / (len(reference) + len(generated))
    x = distance * (np.sqrt(effective) + 0.12 + 0.11 / np.sqrt(effective))
    if x < 0.2:
        return distance, 1.0
    k = np.arange(1, 101)
    p = 2 * np.sum((-1.0) ** (k - 1) * np.exp(-2 * k**2 * x**2))
    return distance, float(np.clip(p, 0, 1))
