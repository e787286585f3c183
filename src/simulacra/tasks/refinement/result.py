"""What a refinement gives: events with weights, and a diagnosis that cannot be left behind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import torch
from numpy.typing import NDArray

from ... import __version__
from ...artifact import Artifact, load_artifact, save_artifact
from ...errors import ArtifactError, RangeError
from .judging import Diagnosis
from .problem import Samples

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Refinement"]

Array = NDArray[Any]
FloatArray = NDArray[np.float64]

_KIND = "refinement"


@dataclass(frozen=True, eq=False)
class Refinement:
    """The held-out half of a source after refinement, beside the one before and the target.

    Args:
        method: what refined it.
        samples: held-out source and target events that the method has not learned from.
        events: the refined source, ``(events, features)``; the source itself if a method gives
            weights only.
        weights: of the refined events, ``(events,)``.
        diagnosis: area under the curve, effective number of events and missing support.
        names: of the observables.
        settings: of the method, as plain data.
        seed: identity of split and training.
        seconds: processor time of training by this process, in s.
    """

    method: str
    samples: Samples
    events: Array
    weights: FloatArray
    diagnosis: Diagnosis
    names: tuple[str, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    seconds: float = 0.0

    def save(self, folder: Path | str) -> Path:
        """Write events, weights and diagnosis as a folder; see :func:`save_artifact`.

        Args:
            folder: its name; must not exist, or hold an earlier result, which is replaced.
        """
        arrays = {
            "events": self.events,
            "weights": self.weights,
            "source": self.samples.source,
            "source_weight": self.samples.source_weight,
            "target": self.samples.target,
            "target_weight": self.samples.target_weight,
        }
        tensors = {name: torch.from_numpy(np.asarray(array)) for name, array in arrays.items()}
        return save_artifact(folder, Artifact(self._manifest(), tensors, np.zeros(0, np.uint64)))

    @classmethod
    def load(cls, folder: Path | str) -> Self:
        """Read what :meth:`save` wrote.

        Raises:
            ArtifactError: if the folder is incomplete, changed or holds something else.
        """
        artifact = load_artifact(folder)
        manifest = artifact.manifest
        if manifest.get("kind") != _KIND:
            raise ArtifactError(
                f"{folder}: expected a refinement, found {manifest.get('kind', 'a surrogate')}."
            )
        array = {name: tensor.numpy() for name, tensor in artifact.weights.items()}
        return cls(
            method=manifest["name"],
            samples=Samples(
                *(array[n] for n in ("source", "target", "source_weight", "target_weight"))
            ),
            events=array["events"],
            weights=array["weights"],
            diagnosis=Diagnosis(**manifest["diagnosis"]),
            names=tuple(manifest["observables"]),
            settings=manifest["settings"],
            seed=manifest["seed"],
            seconds=manifest["seconds"],
        )

    def plot(self, observable: int | str = 0, *, bins: int | Sequence[float] = 40) -> Figure:
        """Draw an observable of target, source and refined source, each with unit area.

        Args:
            observable: its number or name.
            bins: how many between the extremes of the target, or edges.

        Raises:
            RangeError: if there is no such observable.
        """
        from .picture import three_histograms

        column = self.names.index(observable) if observable in self.names else observable
        if not isinstance(column, int) or not 0 <= column < len(self.names):
            raise RangeError(
                f"observable: expected a name or number of {', '.join(self.names)}, "
                f"got {observable!r}."
            )
        return three_histograms(self, column, bins)

    def _manifest(self) -> dict[str, Any]:
        d = self.diagnosis
        protocol = "new classifiers on events that the method has not seen"
        return {
            "kind": _KIND,
            "name": self.method,
            "summary": f"A source refined towards a target. {d.sentence}.",
            "package": __version__,
            "observables": list(self.names),
            "settings": dict(self.settings),
            "seed": self.seed,
            "seconds": self.seconds,
            "diagnosis": d.to_dict(),
            "validity": {"observables": ", ".join(self.names)},
            "training": {
                "held-out source events": d.events,
                "held-out target events": d.target_events,
            },
            "scores": [
                _score("AUC before", d.auc_before, d.auc_before_error, 0.5, protocol),
                _score("AUC after", d.auc_after, d.auc_after_error, 0.5, protocol),
                _score("effective events", d.effective, None, None, "(sum w)^2 / sum w^2"),
                _score(
                    "target without support",
                    d.uncovered,
                    d.uncovered_error,
                    0.0,
                    f"source's calibrated probability below {d.bound:g}",
                ),
            ],
            "known_failures": [
                "observables that were not given are refined only as far as they follow these"
            ],
        }


def _score(
    label: str, value: float, error: float | None, floor: float | None, protocol: str
) -> dict[str, Any]:
    return {
        "label": label,
        "value": value,
        "error": error,
        "floor": floor,
        "protocol": protocol,
    }
