"""One way to run any method: learn on one half of the events, judge on the other."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from ...classify import ClassifierConfig
from ...config import Config
from ...errors import ShapeError
from .judging import JUDGE, diagnose
from .problem import Samples
from .result import Refinement
from .storing import Learned

__all__ = ["Refiner", "refine"]

Array = NDArray[Any]
FloatArray = NDArray[np.float64]


class Refiner(Protocol):
    """What a method for two samples can do.

    Attributes:
        name: of the method.
        config: its settings.
    """

    @property
    def name(self) -> str: ...

    @property
    def config(self) -> Config: ...

    def fit(
        self,
        source: Any,
        target: Any,
        source_weight: Any = None,
        target_weight: Any = None,
        *,
        seed: int = 0,
    ) -> Self:
        """Learn from two samples."""
        ...

    def refine(self, source: Any, source_weight: Any = None) -> tuple[Array, FloatArray]:
        """Return refined events, ``(events, features)``, and their weights, ``(events,)``."""
        ...

    def save(self, folder: Path | str, learned: Learned | None = None) -> Path:
        """Write the fitted method as a folder."""
        ...


def refine(
    samples: Samples,
    method: Refiner,
    *,
    names: Sequence[str] = (),
    judge: ClassifierConfig = JUDGE,
    seed: int = 0,
    workers: int = 1,
) -> Refinement:
    """Let a method learn on a half of both samples, and judge it on the other half.

    Args:
        samples: source and target.
        method: what refines; it is fitted here and can be used on further events afterwards.
        names: of the observables; by default their numbers.
        judge: settings of the classifiers that judge.
        seed: identity of split, training and judging.
        workers: processes that judge at the same time; they change no bit.

    Returns:
        The held-out half of the source after refinement, with its diagnosis.

    Raises:
        ShapeError: if events are sets, or names do not fit the observables.
        RangeError: if samples are too small or do not overlap.
    """
    columns = tuple(names) or tuple(f"x{i}" for i in range(samples.features))
    if len(columns) != samples.features:
        raise ShapeError(
            f"names: expected one for each of {samples.features} observables, got {len(columns)}."
        )
    learning, held_out = samples.halves(seed=seed)
    source, target = learning.tables
    start = time.process_time()
    method.fit(
        source,
        target,
        learning.source_weight,
        learning.target_weight,
        seed=seed,
    )
    seconds = time.process_time() - start
    events, weights = method.refine(held_out.tables[0], held_out.source_weight)
    return Refinement(
        method=method.name,
        samples=held_out,
        events=events,
        weights=weights,
        diagnosis=diagnose(held_out, events, weights, judge=judge, seed=seed, workers=workers),
        names=columns,
        settings=method.config.to_dict(),
        seed=seed,
        seconds=seconds,
    )
