"""Events as sets of points, padded to one number of places: what a network for sets reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import RangeError, ShapeError
from .events import Ragged

__all__ = ["Clouds", "join_clouds"]

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Clouds:
    """Events that are sets of points, padded to the same number of places.

    Args:
        points: any units, shape ``(events, points, features)``.
        mask: which places hold a point, bool, shape ``(events, points)``.

    Raises:
        ShapeError: if the shapes do not fit each other.
    """

    points: Array
    mask: NDArray[np.bool_]

    def __post_init__(self) -> None:
        if self.points.ndim != 3 or self.mask.shape != self.points.shape[:2]:
            raise ShapeError(
                "clouds: expected points (events, points, features) and a mask (events, points), "
                f"got {self.points.shape} and {self.mask.shape}."
            )

    def __len__(self) -> int:
        return len(self.points)

    def __getitem__(self, which: slice | Array) -> Clouds:
        """Return some events."""
        return Clouds(self.points[which], self.mask[which])

    @classmethod
    def of(cls, table: Ragged, names: Sequence[str], places: int) -> Clouds:
        """Pad the rows of a table, float32; rows beyond the last place are left out.

        Args:
            table: rows in the order in which they are kept, such as by falling momentum.
            names: of the columns that become features.
            places: points of an event, at most.

        Raises:
            RangeError: if there is no place.
        """
        if places < 1:
            raise RangeError(f"clouds: expected at least 1 place for points, got {places}.")
        event = table.event
        place = np.arange(len(event)) - table.offsets[event]
        kept = place < places
        points = np.zeros((len(table), places, len(names)), np.float32)
        for feature, name in enumerate(names):
            points[event[kept], place[kept], feature] = table[name][kept]
        return cls(points, np.arange(places) < table.counts[:, None])


def join_clouds(parts: Sequence[Clouds | None]) -> Clouds | None:
    """Join the clouds of several samples; None if none has any.

    Raises:
        ShapeError: if some have clouds and some have not, or places or features differ.
    """
    there = [part for part in parts if part is not None]
    if not there:
        return None
    sizes = {part.points.shape[1:] for part in there}
    if len(there) < len(parts) or len(sizes) > 1:
        raise ShapeError(
            "clouds: expected points of the same places and features in all samples to join, got "
            f"{', '.join(map(str, sorted(sizes)))} in {len(there)} of {len(parts)}."
        )
    return Clouds(
        np.concatenate([part.points for part in there]),
        np.concatenate([part.mask for part in there]),
    )
