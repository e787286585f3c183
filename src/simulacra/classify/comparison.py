"""Two samples told apart on rotated splits, so that each event is scored as unseen."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ShapeError
from .areas import Areas, ScoredEvents, areas
from .auc import roc_curve
from .calibration import calibrate, null_jensen_shannon
from .classifier import precision_used, torch_threads
from .retrainings import Plan, Retraining, retrain
from .rotation import Parts, retrainings_per_rotation, rotated_parts
from .rows import Rows
from .sample import LabelledSample
from .settings import ClassifierConfig

__all__ = ["TwoSampleResult", "tell_apart"]

Array = NDArray[Any]
FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class TwoSampleResult:
    """How well a classifier tells two samples apart, on events that it has not seen.

    Args:
        areas: areas under the curve and divergences over all scored events.
        scored: the unseen events of each retraining.
        retrainings: epochs, losses and times of each retraining.
        scores_first: probability of belonging to the first sample before calibration, shape
            ``(events_first,)``; the mean where several retrainings scored, nan where none did.
        scores_second: the same, shape ``(events_second,)``.
        calibrated_first: the same after calibration, shape ``(events_first,)``.
        calibrated_second: the same, shape ``(events_second,)``.
        roc: accepted fractions of the second and of the first sample, for cuts on the scores
            before calibration.
        features: number of input features.
        selection: numbers of selection events of both samples in the first retraining.
        config: the settings.
        precision: precision of the hidden layers' products, ``float32`` or ``bfloat16``.
        seed: the seed.
        threads: number of threads that the bits depend on.
        seconds: wall time.
    """

    areas: Areas
    scored: tuple[ScoredEvents, ...]
    retrainings: tuple[Retraining, ...]
    scores_first: FloatArray
    scores_second: FloatArray
    calibrated_first: FloatArray
    calibrated_second: FloatArray
    roc: tuple[FloatArray, FloatArray]
    features: int
    selection: tuple[int, int]
    config: ClassifierConfig
    precision: str
    seed: int
    threads: int
    seconds: float

    @property
    def auc(self) -> float:
        """Area of all unseen events together, before calibration."""
        return self.areas.auc

    @property
    def parameters(self) -> int:
        """Number of trained parameters."""
        return self.retrainings[0].parameters

    def within(self, first: Array, second: Array) -> Areas:
        """Measure some events only; networks and calibration stay those of all.

        Args:
            first: true for the events of the first sample that count, ``(events_first,)``.
            second: the same for the second sample.

        Raises:
            RangeError: if no scored event of a sample counts.
        """
        return areas(self.scored, retrainings_per_rotation(self.config.split), (first, second))

    def jsd_floors(self, which: Sequence[Areas]) -> list[tuple[float, float]]:
        """Return the divergence that equal samples would show, with the error of one comparison.

        Args:
            which: where it was measured; the numbers of events enter.
        """
        independent = min(len(self.scored), retrainings_per_rotation(self.config.split))
        unseen = [one.effective for one in which]
        found = null_jensen_shannon(self.selection, unseen, seed=self.seed)
        return [(mean, spread / independent**0.5) for mean, spread in found]


def tell_apart(
    first: Array | Rows,
    second: Array | int,
    config: ClassifierConfig,
    *,
    seed: int,
    weight_first: Array | None = None,
    weight_second: Array | None = None,
    match_first: Array | None = None,
    match_second: Array | None = None,
    shape: tuple[int, int, int] | None = None,
    workers: int = 1,
    folder: Path | str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> TwoSampleResult:
    """Train classifiers on rotated splits, calibrate each and score events as unseen.

    Each retraining trains on its training events, keeps the epoch with the best accuracy on its
    selection events, is calibrated on these, and scores its unseen events; see
    :func:`~simulacra.classify.rotation.rotated_parts` for the parts.

    Args:
        first: features of the first sample (label 1: the reference), ``(events_first, features)``;
            or stored rows of both samples, the first one's before the second one's.
        second: features of the second sample (label 0), ``(events_second, features)``; or the
            number of its events when the rows are stored.
        config: the settings.
        seed: seed of splits, weights and order.
        weight_first: event weights, may be negative; default 1.
        weight_second: event weights; default 1.
        match_first: incident energies, by which partners are kept in one part; default none.
        match_second: the same for the second sample.
        shape: ``(layers, alpha, radius)`` if the features after the first one are an image.
        workers: processes that train at the same time; changes no bit.
        folder: where finished retrainings are kept and found again; by default nowhere.
        progress: called with (epochs done, epochs of all retrainings).

    Raises:
        ShapeError: if the samples have different features, or weights or energies do not fit.
        RangeError: if a sample is too small, not finite, or has no positive sum of weights.
        OutputError: if the folder cannot be written.
    """
    start = time.perf_counter()
    sample = _labelled(first, second, (weight_first, weight_second), config, shape)
    events = (int((sample.label == 1).sum()), int((sample.label == 0).sum()))
    if (match_first is None) != (match_second is None):
        raise ShapeError("classifier: expected incident energies of both samples or of none.")
    match = None if match_first is None or match_second is None else [match_first, match_second]
    parts = [
        rotated_parts(events, number, config.split, seed, match)
        for number in range(config.retrainings)
    ]
    plans = [Plan(*(p.joined(n) for n in ("training", "selection", "unseen"))) for p in parts]
    found = retrain(
        sample, plans, config, seed=seed, workers=workers, folder=folder, progress=progress
    )
    weights = sample.weight.astype(np.float64)
    scored = tuple(
        _scored(sample.label, weights, plan, one, part)
        for plan, one, part in zip(plans, found, parts, strict=True)
    )
    per_rotation = retrainings_per_rotation(config.split)
    means = [_means(events, scored, name) for name in ("scores", "calibrated")]
    with torch_threads(config.threads) as used:
        return TwoSampleResult(
            areas=areas(scored, per_rotation),
            scored=scored,
            retrainings=tuple(found),
            scores_first=means[0][0],
            scores_second=means[0][1],
            calibrated_first=means[1][0],
            calibrated_second=means[1][1],
            roc=_roc(means[0], (weights[: events[0]], weights[events[0] :])),
            features=sample.rows.features,
            selection=(len(parts[0].selection[0]), len(parts[0].selection[1])),
            config=config,
            precision=precision_used(config),
            seed=seed,
            threads=used,
            seconds=time.perf_counter() - start,
        )


def _labelled(
    first: Array | Rows,
    second: Array | int,
    weights: tuple[Array | None, Array | None],
    config: ClassifierConfig,
    shape: tuple[int, int, int] | None,
) -> LabelledSample:
    settings: dict[str, Any] = {"standardise": config.standardise, "shape": shape}
    if isinstance(first, Rows):
        if not isinstance(second, int):
            raise ShapeError("classifier: stored rows need the number of the second sample's.")
        return LabelledSample.stored(first, (len(first) - second, second), weights, **settings)
    if isinstance(second, int):
        raise ShapeError("classifier: expected the features of the second sample, got a number.")
    return LabelledSample.of((first, second), weights, **settings)


def _scored(
    label: Array, weights: FloatArray, plan: Plan, found: Retraining, parts: Parts
) -> ScoredEvents:
    calibration = calibrate(
        _sigmoid(found.selection), label[plan.selection], weights[plan.selection]
    )
    scores = _sigmoid(found.unseen)
    cut = len(parts.unseen[0])

    def both(values: FloatArray) -> tuple[FloatArray, FloatArray]:
        return values[:cut], values[cut:]

    return ScoredEvents(
        events=(parts.unseen[0], parts.unseen[1]),
        scores=both(scores),
        calibrated=both(calibration(scores)),
        weights=both(weights[plan.unseen]),
    )


def _means(
    events: tuple[int, int], scored: Sequence[ScoredEvents], name: str
) -> tuple[FloatArray, FloatArray]:
    """Return the mean score of each event of both samples; nan where there is none."""
    found = []
    for sample, count in enumerate(events):
        where = np.concatenate([one.events[sample] for one in scored])
        values = np.concatenate([getattr(one, name)[sample] for one in scored])
        times = np.bincount(where, minlength=count)
        total = np.bincount(where, values, minlength=count)
        found.append(np.divide(total, times, out=np.full(count, np.nan), where=times > 0))
    return found[0], found[1]


def _roc(
    scores: tuple[FloatArray, FloatArray], weights: tuple[FloatArray, FloatArray]
) -> tuple[FloatArray, FloatArray]:
    kept = [~np.isnan(s) for s in scores]
    return roc_curve(
        scores[0][kept[0]], scores[1][kept[1]], weights[0][kept[0]], weights[1][kept[1]]
    )


def _sigmoid(logits: FloatArray) -> FloatArray:
    return np.exp(-np.logaddexp(0, -logits))
