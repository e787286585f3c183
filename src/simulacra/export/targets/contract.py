"""What a target is: who runs a bundle, what it needs for that, and how it is played."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from ...data import Geometry
from ...deploy import DeployedModel
from ...errors import ArtifactError, ConfigError
from ..exported import Exported, Material
from ..questions import Client

__all__ = ["Opened", "Part", "Target", "geometry_of", "refuse_conditions"]


@dataclass(frozen=True, eq=False)
class Opened:
    """A bundle whose files were read once and compared with their digests.

    Args:
        model: the bundle itself.
        contents: its files by name.
        trust: whether what can run code may be loaded.
    """

    model: DeployedModel
    contents: Mapping[str, bytes]
    trust: bool = False

    def text(self, name: str) -> str:
        """Return a file as text.

        Raises:
            ArtifactError: if the bundle does not have it, or it is no text.
        """
        if name not in self.contents:
            raise ArtifactError(f"{name}: missing; export the model again.")
        try:
            return self.contents[name].decode()
        except UnicodeDecodeError:
            raise ArtifactError(f"{name}: is no text.") from None

    def graph(self, name: str) -> bytes:
        """Return a graph.

        Raises:
            ArtifactError: if the bundle does not have it.
        """
        if name not in self.contents:
            raise ArtifactError(f"{name}: missing; export the model again.")
        return self.contents[name]


@dataclass(frozen=True, eq=False)
class Part:
    """One way in which a target runs a bundle.

    Args:
        name: in words.
        start: opens it as its client does, with so many threads; raises ``ArtifactError`` with the
            reason if the client could not run it.
        unlooked: why it was not opened; empty if it is.
    """

    name: str
    start: Callable[[int], Client] | None
    unlooked: str = ""


class Target(Protocol):
    """A program that runs bundles.

    Attributes:
        name: as on the command line, and of its folder in the bundle.
        told: what it is, in a few words.
    """

    @property
    def name(self) -> str: ...

    @property
    def told(self) -> str: ...

    def refuse(self, exported: Exported) -> None:
        """Refuse a model that it cannot run.

        Raises:
            ConfigError: with the reason, and what would fit.
        """
        ...

    def files(self, material: Material) -> dict[str, bytes]:
        """Return its own files by name, all in its own folder."""
        ...

    def how(self, raw: Mapping[str, Any]) -> str:
        """Return what the bundle's page says about running it there, Markdown."""
        ...

    def parts(self, opened: Opened) -> Iterable[Part]:
        """Return every way in which it runs a bundle."""
        ...


def refuse_conditions(exported: Exported, target: str, known: tuple[str, ...]) -> None:
    """Refuse a model that depends on more than the client can say.

    Args:
        exported: what becomes a bundle.
        target: its name, for the message.
        known: conditions that the client gives.

    Raises:
        ConfigError: naming the conditions.
    """
    further = [one.name for one in exported.conditions if one.name not in known]
    if further:
        raise ConfigError(
            f"export: the model depends on {', '.join(further)}, and the client of {target} gives "
            f"{', '.join(known)} alone; export a model of these, or for triton or python."
        )


def geometry_of(opened: Opened) -> Geometry:
    """Return the detector that a bundle's manifest describes."""
    return Geometry.from_dict(dict(opened.model.manifest.raw["geometry"]))
