"""What a map that was learned without pairs can be held against."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from ...data.pairs import Pairs, Sample
from .refold import agreement_p_value

__all__ = ["MapCheck", "check_map"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class MapCheck:
    """One observable, before and after a map.

    Args:
        joint: sliced Wasserstein distance (squared) of encoded simulation and simulated truth in
            the quantiles of all observables together.
        floor: what two samples of the truth of that size give.
        encoded: probability of a worse agreement of encoded simulation and simulated truth.
        decoded: the same of decoded simulated truth and what was simulated to be measured.
        again: the same of the data and themselves through both maps. The events are the same, so
            all three are on the large side.
        detector: mean distance of what was measured from the truth in simulated pairs, in the
            observable's unit.
        decoder: mean distance by which the decoder moves a simulated truth.
    """

    joint: float
    floor: float
    encoded: float
    decoded: float
    again: float
    detector: float
    decoder: float

    def to_dict(self) -> dict[str, float]:
        """Return plain data."""
        return asdict(self)


def check_map(
    simulation: Pairs,
    *,
    encoded: Sample,
    decoded: Sample,
    data: Sample,
    again: Sample,
    joint: tuple[float, float],
) -> dict[str, MapCheck]:
    """Hold a map against both laws, the data, and simulated pairs, which it has not seen.

    Args:
        simulation: events that pass both selections.
        encoded: their measured side, encoded; the same order and weights.
        decoded: their truth, decoded; likewise.
        data: measured events.
        again: the same through both maps.
        joint: distance of encoded events and truth in all observables, and its floor.

    Returns:
        A check of each observable that both sides have.
    """
    truth, reco = simulation.true_sample(), simulation.reco_sample()
    weight = simulation.weights

    def moved(values: FloatArray, name: str) -> float:
        return float(np.average(np.abs(values - truth.column(name)), weights=weight))

    return {
        name: MapCheck(
            joint=joint[0],
            floor=joint[1],
            encoded=agreement_p_value(encoded, truth, name),
            decoded=agreement_p_value(decoded, reco, name),
            again=agreement_p_value(again, data, name),
            detector=moved(reco.column(name), name),
            decoder=moved(decoded.column(name), name),
        )
        for name in truth.names
        if name in reco.names
    }
