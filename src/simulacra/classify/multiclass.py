"""Several models against each other: which the truth would be taken for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import RangeError, ShapeError
from .retrainings import Plan, Retraining, retrain
from .rotation import rotated_parts
from .rows import Rows
from .sample import LabelledSample
from .settings import ClassifierConfig

__all__ = ["LogPosteriors", "log_posteriors"]

Array = NDArray[Any]
FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class LogPosteriors:
    r"""Mean logarithms of a many-class classifier's probabilities, in nats.

    Args:
        values: :math:`\langle \ln p(k|x) \rangle` over the reference, mean over the retrainings,
            shape ``(classes,)``; -ln(classes) if nothing tells the models apart.
        sample_errors: its standard deviation from the finite reference, shape ``(classes,)``.
        spreads: standard deviation over the retrainings (population), shape ``(classes,)``; nan
            for a single one.
        cross: the same on unseen events of the classes themselves: row m, column k is
            :math:`\langle \ln p(k|x) \rangle` over events of class m, shape
            ``(classes, classes)``; the diagonal stands out where models can be told apart.
        retrainings: what each retraining gave.
    """

    values: FloatArray
    sample_errors: FloatArray
    spreads: FloatArray
    cross: FloatArray
    retrainings: tuple[Retraining, ...]

    @property
    def errors(self) -> FloatArray:
        """Spread of the retrainings and sample error in quadrature."""
        return np.hypot(self.sample_errors, np.nan_to_num(self.spreads))


def log_posteriors(
    classes: Sequence[Array] | Rows,
    reference: Array | Sequence[int],
    config: ClassifierConfig,
    *,
    seed: int,
    weights: Sequence[Array | None] | None = None,
    weight_reference: Array | None = None,
    match: Sequence[Array] | None = None,
    shape: tuple[int, int, int] | None = None,
    workers: int = 1,
    folder: Path | str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> LogPosteriors:
    """Train a classifier on samples of several models and ask it about the reference.

    The classes are the models; the reference takes no part in the training. The more a model's
    showers look like the reference, compared with those of the others, the higher its value:
    the numbers depend on who else is there. Models that are all wrong in another way than each
    other are not seen to be so. Krause et al., "CaloChallenge 2022", 2024, arXiv:2410.21611,
    from which the training settings are not known; here they are those of two classes.

    Args:
        classes: features of each model's showers, ``(events, features)``; or stored rows, class
            after class and then the reference.
        reference: features of the reference, ``(events, features)``; or the number of events of
            each class when the rows are stored.
        config: the settings.
        seed: seed of splits, weights and order.
        weights: event weights of each class, may be negative; default 1.
        weight_reference: event weights of the reference; default 1.
        match: incident energies of each class, by which partners are kept in one part.
        shape: ``(layers, alpha, radius)`` if the features after the first one are an image.
        workers: processes that train at the same time; changes no bit.
        folder: where finished retrainings are kept and found again; by default nowhere.
        progress: called with (epochs done, epochs of all retrainings).

    Raises:
        RangeError: if there are fewer than three classes, or a sample is too small.
        ShapeError: if features, weights or energies do not fit each other.
    """
    sample, events = _labelled(classes, reference, weights, config, shape)
    if len(events) < 3:
        raise RangeError(
            f"log-posterior: expected at least 3 models, got {len(events)}; two are told apart by "
            "a classifier of two samples."
        )
    outside = np.arange(sum(events), len(sample))
    w = np.ones(len(outside)) if weight_reference is None else np.asarray(weight_reference, float)
    if w.shape != outside.shape or not w.sum() > 0:
        raise ShapeError(
            f"log-posterior: expected {len(outside)} weights of the reference with a positive sum."
        )
    plans = []
    for number in range(config.retrainings):
        parts = rotated_parts(events, number, config.split, seed, match)
        unseen = np.concatenate([parts.joined("unseen"), outside])
        plans.append(Plan(parts.joined("training"), parts.joined("selection"), unseen))
    found = retrain(
        sample, plans, config, seed=seed, workers=workers, folder=folder, progress=progress
    )
    of_reference = [one.unseen[-len(outside) :] for one in found]
    means = np.stack([np.average(scores, axis=0, weights=w) for scores in of_reference])
    crosses = [
        _cross(sample, plan.unseen[: -len(outside)], one.unseen, len(events))
        for plan, one in zip(plans, found, strict=True)
    ]
    return LogPosteriors(
        values=means.mean(axis=0),
        sample_errors=_sample_error(np.mean(of_reference, axis=0), w),
        spreads=means.std(axis=0) if len(found) > 1 else np.full(len(events), np.nan),
        cross=np.mean(crosses, axis=0),
        retrainings=tuple(found),
    )


def _labelled(
    classes: Sequence[Array] | Rows,
    reference: Array | Sequence[int],
    weights: Sequence[Array | None] | None,
    config: ClassifierConfig,
    shape: tuple[int, int, int] | None,
) -> tuple[LabelledSample, list[int]]:
    settings: dict[str, Any] = {"standardise": config.standardise, "shape": shape}
    if isinstance(classes, Rows):
        events = [int(count) for count in reference]
        return LabelledSample.stored(classes, events, weights, **settings), events
    events = [len(one) for one in classes]
    outside = np.asarray(reference)
    return LabelledSample.of(classes, weights, unlabelled=outside, **settings), events


def _cross(sample: LabelledSample, events: Array, scores: FloatArray, classes: int) -> FloatArray:
    weight, label = sample.weight[events].astype(np.float64), sample.label[events]
    scores = scores[: len(events)]
    return np.stack(
        [np.average(scores[label == k], axis=0, weights=weight[label == k]) for k in range(classes)]
    )


def _sample_error(scores: FloatArray, weight: FloatArray) -> FloatArray:
    mean = np.average(scores, axis=0, weights=weight)
    variance = (weight[:, None] ** 2 * (scores - mean) ** 2).sum(axis=0) / weight.sum() ** 2
    return np.asarray(np.sqrt(variance))
