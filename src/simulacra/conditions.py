"""What a shower depends on, as columns: one check and one range for every generator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .errors import ConfigError, ShapeError

__all__ = ["accepted_range", "condition_columns"]

_SLACK = 0.01  # the edge of a sample is not the edge of its spectrum


def condition_columns(
    incident_energy: ArrayLike, conditions: Mapping[str, ArrayLike], names: Sequence[str]
) -> NDArray[Any]:
    """Return conditions as columns, incident energy first, ``(events, 1 + names)``, float32.

    Args:
        incident_energy: in MeV, shape ``(events,)`` or a single number.
        conditions: the further ones by name, shape ``(events,)`` each, in mm or rad.
        names: those that there must be, in the order of the columns.

    Raises:
        ConfigError: if a condition is missing or unknown.
        ShapeError: if the columns have different lengths.
    """
    if set(conditions) != set(names):
        raise ConfigError(
            f"conditions: the model depends on {', '.join(names) or 'the energy alone'}, got "
            f"{', '.join(conditions) or 'none'}."
        )
    given = (incident_energy, *(conditions[name] for name in names))
    columns = [np.atleast_1d(np.asarray(column, np.float32)) for column in given]
    if columns[0].ndim != 1 or any(column.shape != columns[0].shape for column in columns):
        raise ShapeError(
            "conditions: expected one number per shower, got columns of shape "
            f"{[column.shape for column in columns]}."
        )
    return np.column_stack(columns).astype(np.float32)


def accepted_range(name: str, low: float, high: float) -> tuple[float, float]:
    """Return the range that a model accepts: 1 % more than it was trained on.

    Args:
        name: of the condition.
        low: smallest value of the training data, in MeV, mm or rad.
        high: largest value.
    """
    # energies reach over decades, angles and positions across zero
    below, above = (low, high) if name == "incident_energy" else (high - low,) * 2
    return low - _SLACK * below, high + _SLACK * above
