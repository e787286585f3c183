"""What the unseen scores of all retrainings say together, for all events or some of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import RangeError
from .auc import area_under_curve, auc_sample_error
from .calibration import jensen_shannon

__all__ = ["Areas", "ScoredEvents", "areas"]

Array = NDArray[Any]
FloatArray = NDArray[np.float64]
Pair = tuple[FloatArray, FloatArray]


@dataclass(frozen=True, eq=False)
class ScoredEvents:
    """The unseen events of one retraining, for both samples.

    Args:
        events: numbers in their own sample, one array per sample.
        scores: probability of belonging to the first sample, before calibration.
        calibrated: the same after it.
        weights: event weights.
    """

    events: tuple[NDArray[np.int64], NDArray[np.int64]]
    scores: Pair
    calibrated: Pair
    weights: Pair

    def within(self, masks: tuple[Array, Array] | None) -> ScoredEvents:
        """Return the events for which the masks of their samples are true; None is all."""
        if masks is None:
            return self
        here = [mask[events] for mask, events in zip(masks, self.events, strict=True)]
        return ScoredEvents(
            (self.events[0][here[0]], self.events[1][here[1]]),
            *(
                (pair[0][here[0]], pair[1][here[1]])
                for pair in (self.scores, self.calibrated, self.weights)
            ),
        )

    @property
    def effective(self) -> tuple[int, int]:
        r"""Effective numbers of events, :math:`(\sum w)^2 / \sum w^2`."""
        first, second = (max(1, round(w.sum() ** 2 / (w**2).sum())) for w in self.weights)
        return first, second


@dataclass(frozen=True)
class Areas:
    """Areas under the ROC curve and Jensen-Shannon divergences.

    Args:
        auc: area of all unseen events together before calibration, mean over the rotations.
        sample_error: its standard deviation from the finite samples, scores fixed.
        null_error: standard deviation of the area for equal samples of these sizes.
        fold_aucs: area of each retraining before calibration; nan where it has no event.
        fold_calibrated: the same after calibration.
        fold_jsds: divergence of each retraining after calibration, see ``jensen_shannon``.
        jsd_sample_error: standard deviation of their mean from the finite samples.
        effective: mean effective numbers of unseen events of a retraining, of both samples.
    """

    auc: float
    sample_error: float
    null_error: float
    fold_aucs: tuple[float, ...]
    fold_calibrated: tuple[float, ...]
    fold_jsds: tuple[float, ...]
    jsd_sample_error: float
    effective: tuple[int, int]

    @property
    def auc_calibrated(self) -> float:
        """Mean area of the retrainings after calibration, as published numbers are."""
        return float(np.nanmean(self.fold_calibrated))

    @property
    def jsd(self) -> float:
        """Mean divergence of the retrainings, as published numbers are."""
        return float(np.nanmean(self.fold_jsds))

    @property
    def spread(self) -> float:
        """Standard deviation of ``fold_aucs`` (population, as published); nan for a single one."""
        return _spread(self.fold_aucs)

    @property
    def error(self) -> float:
        """Spread of the retrainings and sample error in quadrature (conservative).

        The retrainings are scored on different events, so their spread holds the sample error
        of a part, too.
        """
        return _quadrature(self.sample_error, self.spread)

    @property
    def calibrated_error(self) -> float:
        """The same for the area after calibration."""
        return _quadrature(self.sample_error, _spread(self.fold_calibrated))

    @property
    def jsd_error(self) -> float:
        """The same for the divergence."""
        return _quadrature(self.jsd_sample_error, _spread(self.fold_jsds))


def areas(
    retrainings: Sequence[ScoredEvents],
    per_rotation: int,
    masks: tuple[Array, Array] | None = None,
) -> Areas:
    """Measure retrainings, one by one and together.

    Args:
        retrainings: the scored events, in order.
        per_rotation: number of retrainings that score different events.
        masks: events of both samples that count, each ``(events,)``; by default all.

    Raises:
        RangeError: if the events that count do not have positive sums of weights.
    """
    scored = [one.within(masks) for one in retrainings]
    rotations = [
        _pooled(scored[start : start + per_rotation])
        for start in range(0, len(scored), per_rotation)
    ]
    each = [one.effective for one in scored if _filled(one)]
    if not each or not all(map(_filled, rotations)):
        raise RangeError(
            "classifier: the unseen events there do not have a positive sum of weights in both "
            "samples."
        )
    plain = [(*one.scores, *one.weights) for one in rotations]
    errors = [jensen_shannon(*one.calibrated, *one.weights)[1] for one in rotations]
    return Areas(
        auc=float(np.mean([area_under_curve(*p) for p in plain])),
        sample_error=float(np.mean([auc_sample_error(*p) for p in plain])),
        null_error=float(np.mean([_null_error(*one.weights) for one in rotations])),
        fold_aucs=_each(area_under_curve, "scores", scored),
        fold_calibrated=_each(area_under_curve, "calibrated", scored),
        fold_jsds=_each(lambda *both: jensen_shannon(*both)[0], "calibrated", scored),
        jsd_sample_error=float(np.mean(errors)),
        effective=(
            round(float(np.mean([e[0] for e in each]))),
            round(float(np.mean([e[1] for e in each]))),
        ),
    )


def _pooled(parts: Sequence[ScoredEvents]) -> ScoredEvents:
    def joined(name: str) -> Any:
        pairs = [getattr(part, name) for part in parts]
        return tuple(np.concatenate([pair[k] for pair in pairs]) for k in (0, 1))

    return ScoredEvents(*(joined(name) for name in ("events", "scores", "calibrated", "weights")))


def _filled(one: ScoredEvents) -> bool:
    return all(weight.sum() > 0 for weight in one.weights)


def _each(
    measure: Callable[..., float], name: str, parts: Sequence[ScoredEvents]
) -> tuple[float, ...]:
    """Measure each part; nan for one that holds no events of a region."""
    return tuple(
        measure(*getattr(one, name), *one.weights) if _filled(one) else float("nan")
        for one in parts
    )


def _null_error(first: FloatArray, second: FloatArray) -> float:
    """Return the error of Mann and Whitney's statistic for equal samples with these weights."""
    noise = [(w**2).sum() / w.sum() ** 2 for w in (first, second)]
    return float(np.sqrt((noise[0] + noise[1] + noise[0] * noise[1]) / 12))


def _spread(values: tuple[float, ...]) -> float:
    kept = [value for value in values if not np.isnan(value)]
    return float(np.std(kept)) if len(kept) > 1 else float("nan")


def _quadrature(error: float, spread: float) -> float:
    return float(np.hypot(error, 0.0 if np.isnan(spread) else spread))
