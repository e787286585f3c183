"""What a user holds after unfolding: true events or spectra, with errors; on disk a folder."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ... import __version__
from ...artifact import Artifact, load_artifact, save_artifact
from ...data.pairs import Sample
from ...errors import ArtifactError, RangeError, ShapeError, UnknownNameError
from ...random import NOISE_LAW
from .spectrum import Spectrum, checked_edges, histogram, replica_covariance

__all__ = ["Unfolded", "UnfoldedEvents", "UnfoldedSpectra", "load_unfolded"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False, kw_only=True)
class Unfolded(ABC):
    """The true distribution as a method found it.

    Args:
        method: who found it.
        names: of the true observables.
        data_events: effective number of measured events.
        about: settings, seed and whatever else belongs to the provenance; plain data.
        remarks: what its user should know, in sentences; see the room's verdict.
    """

    method: str
    names: tuple[str, ...]
    data_events: float
    about: Mapping[str, Any] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()

    @property
    @abstractmethod
    def iterations(self) -> int:
        """How many iterations were done; iteration 0 is the prior."""

    @abstractmethod
    def counts(
        self, observable: str, bins: Sequence[float] | FloatArray, iteration: int = -1
    ) -> FloatArray:
        """Return the counts of :meth:`spectrum` alone, for which no replicas are needed."""

    @abstractmethod
    def spectrum(
        self, observable: str, bins: Sequence[float] | FloatArray, iteration: int = -1
    ) -> Spectrum:
        """Return the unfolded spectrum with errors of data and simulation statistics.

        Args:
            observable: which one.
            bins: increasing edges in its unit.
            iteration: which one; by default the last. The covariance is always the last one's.

        Raises:
            UnknownNameError: if there is no such observable.
            ShapeError: if the bins are not increasing, or the method did not unfold in them.
            RangeError: if there are fewer data than bins, no such iteration, or no replicas for
                errors.
        """

    @abstractmethod
    def _arrays(self) -> dict[str, NDArray[Any]]:
        """Return what is stored beside the manifest."""

    def _said(self) -> dict[str, Any]:
        """Return what the manifest says beside what every result has."""
        return {}

    def save(self, folder: Path | str) -> Path:
        """Write a folder that :func:`load_unfolded` reads; it appears whole or not at all.

        Raises:
            ArtifactError: if something else stands under that name.
            OutputError: if it cannot be written.
        """
        manifest = {
            "name": f"unfolded by {self.method}",
            "summary": "A distribution before the detector, found from measured events.",
            "kind": type(self).__name__,
            "method": self.method,
            "observables": list(self.names),
            "data_events": self.data_events,
            "about": dict(self.about),
            "remarks": list(self.remarks),
            "known_failures": list(self.remarks) or ["none found"],
            "package": __version__,
            "noise_law": NOISE_LAW,
            **self._said(),
        }
        arrays = {
            name: torch.from_numpy(np.ascontiguousarray(array))
            for name, array in self._arrays().items()
        }
        return save_artifact(folder, Artifact(manifest, arrays, np.zeros(0, np.uint64)))

    def _covariance(self, replicas: FloatArray, networks: int = 1) -> FloatArray:
        try:
            return replica_covariance(replicas, networks)
        except RangeError as error:
            raise RangeError(f"{self.method}: {error}") from error

    def _row(self, iteration: int) -> int:
        if not -self.iterations - 1 <= iteration <= self.iterations:
            raise RangeError(
                f"{self.method}: expected an iteration from 0 (the prior) to {self.iterations}, "
                f"or -1 for the last, got {iteration}."
            )
        return iteration


@dataclass(frozen=True, eq=False, kw_only=True)
class UnfoldedEvents(Unfolded):
    """True events with weights: what unbinned methods find.

    Args:
        events: true observables, shape ``(events, observables)``.
        history: weights after each iteration, from the prior on, at the normalisation of the
            data, shape ``(iterations + 1, events)``.
        replicas: weights that bootstrap replicas give to the same events after the last
            iteration, shape ``(replicas * networks, events)``.
        networks: unfoldings of each replica, which stand together in ``replicas``; above 1 the
            weights of ``history`` are the mean of all of them.
    """

    events: FloatArray
    history: FloatArray
    replicas: NDArray[np.float32]
    networks: int = 1

    @property
    def iterations(self) -> int:
        return len(self.history) - 1

    def weights(self, iteration: int = -1) -> FloatArray:
        """Return the weights of the events, shape ``(events,)``.

        Args:
            iteration: 0 is the prior, -1 the last.

        Raises:
            RangeError: if there is no such iteration.
        """
        return np.asarray(self.history[self._row(iteration)])

    def sample(self, iteration: int = -1) -> Sample:
        """Return events and weights together."""
        return Sample(self.events, self.names, self.weights(iteration))

    def counts(
        self, observable: str, bins: Sequence[float] | FloatArray, iteration: int = -1
    ) -> FloatArray:
        edges = checked_edges(bins, self.data_events, f"{self.method}, {observable}")
        sample = self.sample(iteration)
        return histogram(sample.column(observable), sample.weights, edges)

    def spectrum(
        self, observable: str, bins: Sequence[float] | FloatArray, iteration: int = -1
    ) -> Spectrum:
        counts, edges = self.counts(observable, bins, iteration), np.asarray(bins, np.float64)
        replicas = histogram(self.sample(iteration).column(observable), self.replicas, edges)
        return Spectrum(observable, edges, counts, self._covariance(replicas, self.networks))

    def _said(self) -> dict[str, Any]:
        return {"networks": self.networks}

    def _arrays(self) -> dict[str, NDArray[Any]]:
        return {"events": self.events, "history": self.history, "replicas": self.replicas}


@dataclass(frozen=True, eq=False, kw_only=True)
class UnfoldedSpectra(Unfolded):
    """Spectra in bins that were chosen before: what binned methods find.

    Args:
        edges: of the bins by observable, shape ``(bins + 1,)`` each.
        history: counts after each iteration, from the prior on, by observable, shape
            ``(iterations + 1, bins)`` each; fewer iterations are filled with their last.
        replicas: counts of bootstrap replicas by observable, shape ``(replicas, bins)`` each.
    """

    edges: Mapping[str, FloatArray]
    history: Mapping[str, FloatArray]
    replicas: Mapping[str, FloatArray]

    @property
    def iterations(self) -> int:
        return min(len(rows) for rows in self.history.values()) - 1

    def counts(
        self, observable: str, bins: Sequence[float] | FloatArray | None = None, iteration: int = -1
    ) -> FloatArray:
        _, join = self._joined(observable, bins)
        return np.asarray(self.history[observable][self._row(iteration)] @ join)

    def spectrum(
        self, observable: str, bins: Sequence[float] | FloatArray | None = None, iteration: int = -1
    ) -> Spectrum:
        """Return a spectrum; bins may join bins that were unfolded, never cut them.

        By default they are the unfolded ones; for the rest see :meth:`Unfolded.spectrum`.
        """
        wanted, join = self._joined(observable, bins)
        covariance = self._covariance(self.replicas[observable] @ join)
        return Spectrum(observable, wanted, self.counts(observable, bins, iteration), covariance)

    def _joined(
        self, observable: str, bins: Sequence[float] | FloatArray | None
    ) -> tuple[FloatArray, FloatArray]:
        """Return the wanted edges, and which own bin belongs to which of them."""
        if observable not in self.edges:
            raise UnknownNameError("observable", observable, self.edges)
        own = self.edges[observable]
        wanted = checked_edges(
            own if bins is None else bins, self.data_events, f"{self.method}, {observable}"
        )
        return wanted, self._joining(observable, own, wanted)

    def _joining(self, observable: str, own: FloatArray, wanted: FloatArray) -> FloatArray:
        """Return which own bin belongs to which wanted one, shape ``(own bins, bins)``."""
        close = np.isclose(own[:, None], wanted, rtol=1e-9, atol=1e-12)
        if not close.any(axis=0).all():
            raise ShapeError(
                f"{self.method}: `{observable}` was unfolded in bins with edges "
                f"{', '.join(f'{edge:g}' for edge in own)}; other bins can join these, not cut "
                "them. Unfold again with the bins that you need."
            )
        places = close.argmax(axis=0)
        join = np.zeros((len(own) - 1, len(wanted) - 1))
        for k, (start, stop) in enumerate(pairwise(places)):
            join[start:stop, k] = 1.0
        return join

    def _arrays(self) -> dict[str, NDArray[Any]]:
        found: dict[str, NDArray[Any]] = {}
        for name in self.names:
            found[f"edges/{name}"] = self.edges[name]
            found[f"history/{name}"] = self.history[name]
            found[f"replicas/{name}"] = self.replicas[name]
        return found


def load_unfolded(folder: Path | str) -> Unfolded:
    """Read what :meth:`Unfolded.save` wrote, and check every byte of it.

    Raises:
        ArtifactError: if a file is missing or changed, or the folder holds something else.
    """
    stored = load_artifact(folder)
    said = stored.manifest
    arrays: dict[str, Any] = {name: t.numpy() for name, t in stored.weights.items()}
    shared: dict[str, Any] = {
        "method": said.get("method", ""),
        "names": tuple(said.get("observables", ())),
        "data_events": said.get("data_events", 0.0),
        "about": said.get("about", {}),
        "remarks": tuple(said.get("remarks", ())),
    }
    if said.get("kind") == UnfoldedEvents.__name__:
        return UnfoldedEvents(**shared, **arrays, networks=said.get("networks", 1))
    if said.get("kind") == UnfoldedSpectra.__name__:
        parts: dict[str, Any] = {
            part: {name: arrays[f"{part}/{name}"] for name in shared["names"]}
            for part in ("edges", "history", "replicas")
        }
        return UnfoldedSpectra(**shared, **parts)
    raise ArtifactError(
        f"{folder}: expected the folder of an unfolded measurement, found that of "
        f"{said.get('name', 'something else')!r}."
    )
