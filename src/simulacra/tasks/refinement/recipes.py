"""Named, complete configurations of the methods that refine a file of events."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ...artifact import load_artifact
from ...classify import RatioConfig
from ...errors import ArtifactError, UnknownNameError
from .conditional import ConditionalConfig, ConditionalReweighter
from .refining import Refiner
from .reweighting import Reweighter, ReweighterConfig
from .storing import Learned
from .transport import Transport, TransportConfig

__all__ = [
    "RECIPES",
    "RefinerConfig",
    "conditional",
    "load_refiner",
    "recipe",
    "refiner",
    "transport",
    "weights",
    "weights_fast",
]

RefinerConfig = ReweighterConfig | ConditionalConfig | TransportConfig


def weights() -> ReweighterConfig:
    """Three networks; half a minute of one core for 60,000 events of 30 observables each."""
    return ReweighterConfig(ratio=RatioConfig(width=128, networks=3, epochs=40, threads=1))


def weights_fast() -> ReweighterConfig:
    """One small network, for a first look."""
    return ReweighterConfig(ratio=RatioConfig(width=64, hidden=2, epochs=15, threads=1))


def conditional() -> ConditionalConfig:
    """Weights at given values of the last observable."""
    return ConditionalConfig(ratio=RatioConfig(width=128, networks=3, epochs=40, threads=1))


def transport() -> TransportConfig:
    """Events moved by the gradient of a convex network."""
    return TransportConfig()


RECIPES: dict[str, Callable[[], RefinerConfig]] = {
    "weights": weights,
    "weights-fast": weights_fast,
    "conditional": conditional,
    "transport": transport,
}
"""By name."""


def recipe(name: str) -> RefinerConfig:
    """Return a named configuration.

    Raises:
        UnknownNameError: if there is no such recipe, with the closest name.
    """
    try:
        return RECIPES[name]()
    except KeyError:
        raise UnknownNameError("recipe of refinement", name, RECIPES) from None


def refiner(config: RefinerConfig) -> Refiner:
    """Return the method that a configuration is for, not yet fitted."""
    if isinstance(config, ConditionalConfig):
        return ConditionalReweighter(config)
    if isinstance(config, ReweighterConfig):
        return Reweighter(config)
    return Transport(config)


_KINDS: dict[str, type[Reweighter | ConditionalReweighter | Transport]] = {
    "reweighter": Reweighter,
    "conditional reweighter": ConditionalReweighter,
    "transport": Transport,
}


def load_refiner(folder: Path | str) -> tuple[Refiner, Learned]:
    """Read a method that refines events, of whatever kind, and what it was learned on.

    Raises:
        ArtifactError: if the folder is incomplete, changed, or holds nothing that refines events.
    """
    manifest = load_artifact(folder).manifest
    kind = manifest.get("kind", "surrogate")
    if kind not in _KINDS:
        raise ArtifactError(
            f"{folder}: expected a method that refines events ({', '.join(_KINDS)}), found a "
            f"{kind}. Name the folder `method` that `simulacra refine` wrote."
        )
    learned = Learned(tuple(manifest.get("observables", ())), manifest.get("detector", ""))
    return _KINDS[kind].load(folder), learned
