"""One number per shower as data: its name, label, unit and bins, and what it is blind to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .showers import ShowerObservables

__all__ = ["Observable", "largest", "log_bins"]

Array = NDArray[Any]
FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Observable:
    """One number per shower and the histogram in which two samples are compared.

    Args:
        name: ``family`` or ``family/layer``, with the layer's number in its own detector.
        family: name of the quantity.
        label: axis label, may contain ``$...$`` mathematics.
        unit: unit of the values; ``""`` for a dimensionless one.
        layer: the layer's number in its own detector; None for the whole shower.
        values: the numbers, shape ``(events,)``, from a sample's observables; nan for showers
            that do not take part, because the quantity is not defined for them.
        bins: edges in ``unit``, from the largest value of the reference and the threshold (MeV).
        log_x: whether the bins are equal on a logarithmic axis.
        log_y: whether the density is best shown on a logarithmic axis.
        cannot_see: one sentence on what the histogram is blind to.
    """

    name: str
    family: str
    label: str
    unit: str
    layer: int | None
    values: Callable[[ShowerObservables], Array]
    bins: Callable[[float, float], FloatArray]
    log_x: bool
    log_y: bool
    cannot_see: str

    def edges(self, reference: ShowerObservables, threshold: float) -> FloatArray:
        """Return the bin edges in ``unit`` for a reference and a threshold in MeV.

        Made from the largest value in the precision of the file, as in the challenge: a rounded
        edge decides on which side of it the largest shower lies.
        """
        return self.bins(largest(self.values(reference)), threshold)


def largest(values: Array) -> Any:
    """Return the largest of the values that are numbers, in their own precision; 0 if none is."""
    present = values[~np.isnan(values)]
    return present.max() if len(present) else 0.0


def log_bins(largest: float, threshold: float, edges: int) -> FloatArray:
    """Return edges that are equal on a logarithmic axis, as the challenge makes them.

    Args:
        largest: last edge; computed with in its own precision.
        threshold: first edge; 0 for a millionth of the last one.
        edges: how many.

    Returns:
        Increasing, shape ``(edges,)``, also where the last edge is not above the first one.
    """
    low = threshold if threshold > 0 else 1e-6 * largest
    high = largest if largest > low else 10 * low  # nothing to show: any range will do
    if not high > 0:
        low, high = 1e-6, 1.0
    return np.logspace(np.log10(low), np.log10(high), edges)
