"""One comparison of two samples: a value, its error, and the floor it stands on."""

from __future__ import annotations

from collections.abc import Sized
from dataclasses import dataclass

__all__ = ["Comparison", "floor_origin"]


@dataclass(frozen=True)
class Comparison:
    """How far two samples are apart, and how far two perfect samples would be.

    Args:
        value: the distance.
        error: one standard deviation of ``value``.
        floor: its mean for two reference samples of the comparison's own sizes.
        floor_error: standard deviation of one such comparison (not of its mean).
        floor_from: where the floor comes from, in words, with the correction for the sizes.
        scale: standard deviation of the reference in the unit of ``value``, to say how large a
            distance is; 1 for a dimensionless one.
    """

    value: float
    error: float
    floor: float
    floor_error: float
    floor_from: str
    scale: float = 1.0

    @property
    def relative(self) -> float:
        """The distance in standard deviations of the reference; nan if these are 0."""
        return self.value / self.scale if self.scale > 0 else float("nan")


def floor_origin(
    reference: Sized,
    generated: Sized,
    independent: Sized | None,
    *,
    repeats: int,
    factor: float,
    law: str,
) -> str:
    """Say where a floor comes from.

    Args:
        reference: the reference.
        generated: the generated showers.
        independent: the second reference, if there is one.
        repeats: number of random halves.
        factor: what their mean distance, or the distance to the second reference, was
            multiplied with.
        law: how the floor falls with the number of showers, such as ``1/N``.

    Example:
        >>> floor_origin([0] * 9, [0] * 7, None, repeats=100, factor=0.5, law="1/N")
        '100 random halves of the 9 reference showers, scaled by 1/N to 9 against 7 (times 0.5)'
    """
    source = (
        f"{repeats} random halves of the {len(reference)} reference showers"
        if independent is None
        else f"{len(independent)} independent reference showers"
    )
    sizes = f"{len(reference)} against {len(generated)}"
    return f"{source}, scaled by {law} to {sizes} (times {factor:.3g})"
