"""Two samples told apart on rotated splits, so that each event is scored once as unseen."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import RangeError
from ..random import Stream, generator
from .auc import area_under_curve, auc_sample_error, roc_curve
from .classifier import ClassifierConfig, LabelledSample, torch_threads, train_discriminator

__all__ = ["TwoSampleResult", "rotated_fifths", "tell_apart"]

Array = NDArray[Any]
FloatArray = NDArray[np.float64]

PARTS = 5
"""Each class is cut into fifths: three to train, one to select the epoch, one to score."""


@dataclass(frozen=True, eq=False)
class TwoSampleResult:
    """How well a classifier tells two samples apart, on events that it has not seen.

    Args:
        auc: area under the ROC curve of all scored events together, before calibration.
        sample_error: its standard deviation from the finite samples, scores fixed.
        spread: standard deviation of ``fold_aucs``; nan for a single one.
        null_error: standard deviation of the area for equal samples of these sizes.
        fold_aucs: area of each retraining on its own unseen events.
        fold_epochs: epoch whose weights were kept, from 1.
        scores_first: probability of belonging to the first sample, shape ``(events_first,)``;
            nan where no retraining scored.
        scores_second: the same, shape ``(events_second,)``.
        roc: accepted fractions of the second and of the first sample.
        features: number of input features.
        parameters: number of trained parameters.
        config: the settings.
        seed: the seed.
        threads: number of threads that the bits depend on.
        seconds: wall time.
    """

    auc: float
    sample_error: float
    spread: float
    null_error: float
    fold_aucs: tuple[float, ...]
    fold_epochs: tuple[int, ...]
    scores_first: FloatArray
    scores_second: FloatArray
    roc: tuple[FloatArray, FloatArray]
    features: int
    parameters: int
    config: ClassifierConfig
    seed: int
    threads: int
    seconds: float

    @property
    def error(self) -> float:
        """Spread of the retrainings and sample error in quadrature (conservative).

        The retrainings are scored on different fifths, so their spread holds the sample error
        of a fifth, too.
        """
        spread = 0.0 if np.isnan(self.spread) else self.spread
        return float(np.hypot(self.sample_error, spread))


def rotated_fifths(events: int, seed: int, sample: int) -> list[Array]:
    """Return the events of one sample in five random parts whose sizes differ by at most 1.

    Args:
        events: number of events.
        seed: seed of the order.
        sample: number of the sample; another one draws another order.

    Raises:
        RangeError: if there are fewer events than parts.
    """
    if events < PARTS:
        raise RangeError(
            f"classifier: expected at least {PARTS} events of each kind, got {events}."
        )
    return np.array_split(generator(seed, Stream.SPLIT, sample).permutation(events), PARTS)


def tell_apart(
    first: Array,
    second: Array,
    config: ClassifierConfig,
    *,
    seed: int,
    weight_first: Array | None = None,
    weight_second: Array | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> TwoSampleResult:
    """Train classifiers on rotated splits and score each event as unseen.

    Retraining k scores part k, selects its epoch on part k + 1 and trains on the other three,
    in both samples. The parts of the two samples are drawn separately: for generated showers
    that copy the reference's incident energies, partners fall into different parts.

    Args:
        first: features of the first sample (label 1: the reference), ``(events_first, features)``.
        second: features of the second sample (label 0), ``(events_second, features)``.
        config: the settings.
        seed: seed of splits, weights and order.
        weight_first: event weights, may be negative; default 1.
        weight_second: event weights; default 1.
        progress: called with (epochs done, epochs of all retrainings).

    Raises:
        ShapeError: if the samples have different features or weights do not fit.
        RangeError: if a sample is too small, not finite, or has no positive sum of weights.
    """
    start = time.perf_counter()
    sample = LabelledSample.of(
        first,
        second,
        weight_first,
        weight_second,
        standardise=config.standardise,
        device=config.device,
    )
    parts = [
        [a, b + len(first)]
        for a, b in zip(
            rotated_fifths(len(first), seed, 0), rotated_fifths(len(second), seed, 1), strict=True
        )
    ]
    scores = np.full(len(sample.label), np.nan)
    weights = sample.weight.cpu().numpy().astype(np.float64)
    aucs, epochs, parameters = [], [], 0
    for fold in range(config.folds):
        where = [np.concatenate(parts[(fold + shift) % PARTS]) for shift in range(PARTS)]
        network = train_discriminator(
            sample,
            np.concatenate(where[2:]),
            where[1],
            config,
            seed=seed,
            fold=fold,
            progress=_shifted(progress, fold, config),
        )
        with torch_threads(config.threads):
            logits = network.logits(sample.inputs[where[0]]).double().cpu().numpy()
        scores[where[0]] = _sigmoid(logits)
        aucs.append(area_under_curve(*_by_class(scores, weights, parts[fold])))
        epochs.append(network.epoch)
        parameters = sum(p.numel() for p in network.network.parameters())
    scored = np.flatnonzero(~np.isnan(scores))
    split = [scored[scored < len(first)], scored[scored >= len(first)]]
    pooled = _by_class(scores, weights, split)
    with torch_threads(config.threads) as used:
        return TwoSampleResult(
            auc=area_under_curve(*pooled),
            sample_error=auc_sample_error(*pooled),
            spread=float(np.std(aucs, ddof=1)) if len(aucs) > 1 else float("nan"),
            null_error=_null_error(*pooled[2:]),
            fold_aucs=tuple(aucs),
            fold_epochs=tuple(epochs),
            scores_first=scores[: len(first)],
            scores_second=scores[len(first) :],
            roc=roc_curve(*pooled),
            features=first.shape[1],
            parameters=parameters,
            config=config,
            seed=seed,
            threads=used,
            seconds=time.perf_counter() - start,
        )


def _by_class(
    scores: FloatArray, weights: FloatArray, events: list[Array]
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    a, b = events
    return scores[a], scores[b], weights[a], weights[b]


def _null_error(first: FloatArray, second: FloatArray) -> float:
    """Return the error of Mann and Whitney's statistic for equal samples with these weights."""
    noise = [(w**2).sum() / w.sum() ** 2 for w in (first, second)]
    return float(np.sqrt((noise[0] + noise[1] + noise[0] * noise[1]) / 12))


def _shifted(
    progress: Callable[[int, int], None] | None, fold: int, config: ClassifierConfig
) -> Callable[[int, int], None] | None:
    if progress is None:
        return None
    return lambda done, of: progress(fold * of + done, config.folds * of)


def _sigmoid(logits: FloatArray) -> FloatArray:
    return np.exp(-np.logaddexp(0, -logits))
