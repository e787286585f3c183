"""What a refinement achieved and what it cost: three numbers that are only told together."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...classify import FAST, ClassifierConfig, TwoSampleResult, calibrate, tell_apart
from ...data.weights import effective_events
from ...errors import RangeError
from ...random import Stream, generator
from .problem import FloatArray, Samples

__all__ = ["JUDGE", "Diagnosis", "diagnose", "uncovered"]

Array = NDArray[Any]

JUDGE = FAST.updated(width=128, batch=256, epochs=20, patience=5, retrainings=5, threads=1)
"""The post-hoc classifier: five trainings on rotated splits of events that no method has seen."""

_REPEATS = 50
_LONELY = 0.01  # a calibrated probability of the source below which it has no support


@dataclass(frozen=True)
class Diagnosis:
    r"""How near a refined sample is to its target, how much of it is left, and what it lacks.

    All of it is measured on events that the method has not learned from.

    Args:
        auc_before: area under the curve of a classifier of target and source.
        auc_before_error: its error, the spread of the retrainings and the sample error.
        auc_after: the same of a new classifier of target and refined source; 0.5 is perfect.
        auc_after_error: its error.
        null_error: standard deviation of either area for equal samples of unit weights.
        effective: effective number :math:`(\sum w)^2 / \sum w^2` of refined events.
        effective_before: the same of the source as it came.
        events: number of judged source events.
        target_events: number of judged target events.
        uncovered: share of the target, by weight, where the source has no support; see
            :func:`uncovered`. No weight makes events there, whatever the area says.
        uncovered_error: its statistical error.
        bound: the calibrated probability of the source that counts as no support.
    """

    auc_before: float
    auc_before_error: float
    auc_after: float
    auc_after_error: float
    null_error: float
    effective: float
    effective_before: float
    events: int
    target_events: int
    uncovered: float
    uncovered_error: float
    bound: float

    @property
    def kept(self) -> float:
        """Effective number of events after refinement over the one before."""
        return self.effective / self.effective_before

    @property
    def sentence(self) -> str:
        """The three numbers in one sentence, so that none is told without the others."""
        return (
            f"AUC {self.auc_before:.3f} -> {self.auc_after:.3f} ± {self.auc_after_error:.3f} "
            f"with {self.effective:.0f} effective events of {self.effective_before:.0f} "
            f"({100 * self.kept:.0f} %); {100 * self.uncovered:.2g} % of the target lies where the "
            "source has no support"
        )

    def to_dict(self) -> dict[str, float | int]:
        """Return plain data."""
        return asdict(self)


def diagnose(
    held_out: Samples,
    refined: Array,
    weight: Array,
    *,
    judge: ClassifierConfig = JUDGE,
    bound: float = _LONELY,
    seed: int = 0,
    workers: int = 1,
) -> Diagnosis:
    """Judge a refined source by classifiers trained anew.

    Args:
        held_out: source and target events that the method has not learned from.
        refined: the held-out source after refinement, ``(events, features)``.
        weight: weights of the refined events, ``(events,)``.
        judge: settings of the classifiers.
        bound: calibrated probability of the source below which it has no support.
        seed: identity of splits and trainings.
        workers: processes that train at the same time; they change no bit.

    Raises:
        RangeError: if samples are too small, weights do not sum to a positive number, or the
            source has no support under any part of the target.
    """
    before = _compared(held_out, held_out.tables[0], held_out.source_weight, judge, seed, workers)
    weights = held_out.source_weight, held_out.target_weight
    share, share_error = uncovered(before, *weights, bound=bound, seed=seed)
    if share == 1.0:
        raise RangeError(
            "source and target do not overlap: a classifier gives every target event a "
            f"probability below {bound:g} of being from the source. Weights cannot make events "
            "where there are none; begin with a source that covers the target."
        )
    after = _compared(held_out, refined, weight, judge, seed, workers)
    return Diagnosis(
        auc_before=before.areas.auc,
        auc_before_error=before.areas.error,
        auc_after=after.areas.auc,
        auc_after_error=after.areas.error,
        null_error=before.areas.null_error,
        effective=effective_events(weight),
        effective_before=effective_events(held_out.source_weight),
        events=len(held_out.source_weight),
        target_events=len(held_out.target_weight),
        uncovered=share,
        uncovered_error=share_error,
        bound=bound,
    )


def uncovered(
    before: TwoSampleResult,
    source_weight: Array,
    target_weight: Array,
    *,
    bound: float = _LONELY,
    seed: int = 0,
) -> tuple[float, float]:
    r"""Return the share of the target where the source has no support, with its error.

    .. math::
        u = \frac{\sum_{i \in \text{target}} w_i\, [\,p(\text{source} \mid s_i) < b\,]}
                 {\sum_{i \in \text{target}} w_i}

    with the unseen scores s of a classifier, turned by isotonic regression into probabilities
    for classes of equal total weight. One average source event more than was found is put at the
    far end of the scores, so that a region counts only if it holds enough target events to
    say that the source is rarer than b there: about 1/b of them. At the bound a source event would
    need a weight of :math:`(1 - b)/b`, 99 for the default. The share is a lower estimate: small
    samples have few source events at the edge of a hole to say where it begins. Blind to holes
    that the classifier has not found.

    Args:
        before: target (first sample) and source told apart.
        source_weight: weights of the source's events, ``(events,)``.
        target_weight: weights of the target's events, ``(events,)``.
        bound: b, between 0 and 0.5.
        seed: identity of the resampled events that the error is from.

    Returns:
        The share, cut to [0, 1], and its standard deviation over 50 bootstrap samples of the
        scored events, networks fixed.

    Raises:
        RangeError: if the bound is no such probability.
    """
    if not 0 < bound < 0.5:
        raise RangeError(f"bound: expected a probability between 0 and 0.5, got {bound:g}.")
    target, weight = _seen(before.scores_first, target_weight)
    source, other = _seen(before.scores_second, source_weight)
    share = _lonely_share(target, weight, source, other, bound)
    rng = generator(seed, Stream.BOOTSTRAP)
    again = []
    for _ in range(_REPEATS):
        times = [rng.poisson(1, len(scores)).astype(np.float64) for scores in (target, source)]
        again.append(_lonely_share(target, weight * times[0], source, other * times[1], bound))
    return share, float(np.std(again))


def _lonely_share(
    target: FloatArray, weight: FloatArray, source: FloatArray, other: FloatArray, bound: float
) -> float:
    """Return the target's share at which the calibrated source is rarer than the bound."""
    average = (other**2).sum() / other.sum() ** 2
    to_probability = calibrate(
        np.concatenate([target, source, [max(target.max(), source.max())]]),
        np.repeat([1, 0], [len(target), len(source) + 1]),
        np.concatenate([weight / weight.sum(), other / other.sum(), [average]]),
    )
    lonely = 1 - to_probability(target) < bound
    return float(np.clip((weight * lonely).sum() / weight.sum(), 0, 1))


def _seen(scores: FloatArray, weight: Array) -> tuple[FloatArray, FloatArray]:
    seen = ~np.isnan(scores)
    return scores[seen], np.asarray(weight, np.float64)[seen]


def _compared(
    held_out: Samples,
    source: Array,
    weight: FloatArray,
    judge: ClassifierConfig,
    seed: int,
    workers: int,
) -> TwoSampleResult:
    return tell_apart(
        held_out.tables[1],
        np.asarray(source, np.float64),
        judge,
        seed=seed,
        weight_first=held_out.target_weight,
        weight_second=weight,
        workers=workers,
    )
