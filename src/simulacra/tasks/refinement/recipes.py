"""Named, complete configurations of the methods that refine a file of events."""

from __future__ import annotations

from collections.abc import Callable

from ...classify import RatioConfig
from ...errors import UnknownNameError
from .conditional import ConditionalConfig, ConditionalReweighter
from .refining import Refiner
from .reweighting import Reweighter, ReweighterConfig
from .transport import Transport, TransportConfig

__all__ = [
    "RECIPES",
    "RefinerConfig",
    "conditional",
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
