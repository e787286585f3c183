"""A fitted method as a folder: its networks, its settings, and what it was learned on."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Generic, Self, TypeVar, cast

import numpy as np
from torch import Tensor

from ... import __version__
from ...artifact import Artifact, load_artifact, save_artifact
from ...classify import DensityRatio, RatioConfig
from ...config import Config
from ...errors import ArtifactError

__all__ = [
    "Contents",
    "Learned",
    "Stored",
    "ratio_parts",
    "read_method",
    "read_ratio",
    "with_ratio",
    "write_method",
]


C = TypeVar("C", bound=Config)


@dataclass(frozen=True)
class Learned:
    """What a method was learned on, so that a later file can be held against it.

    Args:
        observables: their names, in the order of the columns; empty where nobody named them.
        detector: name of the geometry if they are those of showers, else "".
    """

    observables: tuple[str, ...] = ()
    detector: str = ""


def write_method(
    folder: Path | str,
    kind: str,
    config: Config,
    tensors: Mapping[str, Tensor],
    learned: Learned | None = None,
    **further: Any,
) -> Path:
    """Write a fitted method; see :func:`save_artifact`.

    Args:
        folder: its name; must not exist, or hold an earlier method, which is replaced.
        kind: of method.
        config: its settings.
        tensors: all its numbers by name.
        learned: what it was learned on.
        further: plain data for the manifest.
    """
    on = learned or Learned()
    manifest: dict[str, Any] = {
        "kind": kind,
        "name": kind,
        "package": __version__,
        "config": config.to_dict(),
        "observables": list(on.observables),
        "detector": on.detector,
        **further,
    }
    return save_artifact(folder, Artifact(manifest, tensors, np.zeros(0, np.uint64)))


def read_method(folder: Path | str, kind: str) -> Artifact:
    """Read what :func:`write_method` wrote.

    Raises:
        ArtifactError: if the folder is incomplete, changed or holds something else.
    """
    artifact = load_artifact(folder)
    found = artifact.manifest.get("kind", "a surrogate")
    if found != kind:
        raise ArtifactError(f"{folder}: expected a {kind}, found {found}.")
    return artifact


@dataclass(frozen=True)
class Contents:
    """What a fitted method keeps beside its settings.

    Args:
        tensors: all its numbers by name.
        manifest: plain data.
    """

    tensors: Mapping[str, Tensor]
    manifest: Mapping[str, Any] = field(default_factory=dict)


class Stored(ABC, Generic[C]):
    """A method that is a folder after it was fitted: settings and numbers say all of it.

    Args:
        config: the settings.
    """

    kind: ClassVar[str]
    """What it says it is, in its manifest."""
    settings: ClassVar[type[Config]]
    """Class of its settings."""

    config: C

    def __init__(self, config: C | None = None) -> None:
        self.config = cast("C", self.settings()) if config is None else config

    def save(self, folder: Path | str, learned: Learned | None = None) -> Path:
        """Write networks and settings as a folder; see :func:`save_artifact`.

        Args:
            folder: its name; must not exist, or hold an earlier method, which is replaced.
            learned: what it was learned on, such as the names of the observables (without
                parameters), so that further files can be held against it.

        Raises:
            ConfigError: if nothing was fitted.
        """
        contents = self._stored()
        return write_method(
            folder, self.kind, self.config, contents.tensors, learned, **contents.manifest
        )

    @classmethod
    def load(cls, folder: Path | str) -> Self:
        """Read what :meth:`save` wrote.

        Raises:
            ArtifactError: if the folder is incomplete, changed or holds something else.
        """
        artifact = read_method(folder, cls.kind)
        found = cls(cast("C", cls.settings.from_dict(artifact.manifest["config"])))
        found._restore(artifact)
        return found

    @abstractmethod
    def _stored(self) -> Contents:
        """Return what is kept; refuse if nothing was fitted."""

    @abstractmethod
    def _restore(self, artifact: Artifact) -> None:
        """Take up what :meth:`_stored` gave."""


def with_ratio(name: str, ratio: DensityRatio) -> dict[str, Tensor]:
    """Return a ratio's numbers under a name of its own."""
    return {f"{name}/{key}": tensor for key, tensor in ratio.state().items()}


def ratio_parts(ratio: DensityRatio) -> list[int] | None:
    """Return places and features of the sets that a ratio is of, for the manifest."""
    return None if ratio.points is None else list(ratio.points)


def read_ratio(artifact: Artifact, config: RatioConfig, name: str = "") -> DensityRatio:
    """Return a ratio from the numbers of :func:`with_ratio`, or, without a name, of its state.

    Raises:
        ArtifactError: if numbers are missing or do not fit the settings.
    """
    start = f"{name}/" if name else ""
    state = {
        key.removeprefix(start): tensor
        for key, tensor in artifact.weights.items()
        if key.startswith(start)
    }
    points = artifact.manifest.get("points")
    return DensityRatio.restored(state, config, points and (int(points[0]), int(points[1])))
