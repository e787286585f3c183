"""Methods by name: each a whole configuration, and how it becomes a method."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import Discriminator, Tag

from ...classify.polynomial import PolynomialConfig
from ...classify.ratio import RatioConfig
from ...errors import UnknownNameError
from .bayes import Bayes, BayesConfig
from .method import Unfolder
from .omnifold import OmniFold, OmniFoldConfig

__all__ = ["METHODS", "MethodConfig", "method_config", "unfolder"]


def bayes() -> BayesConfig:
    """Iterative Bayesian unfolding in bins, each observable on its own."""
    return BayesConfig()


def omnifold() -> OmniFoldConfig:
    """OmniFold by small networks, an ensemble of two in every step."""
    network = RatioConfig(width=64, hidden=2, epochs=20, patience=4, networks=2)
    return OmniFoldConfig(ratio=network)


def omnifold_polynomial() -> OmniFoldConfig:
    """OmniFold by polynomials of second degree: for few data and smooth differences."""
    return OmniFoldConfig(ratio=PolynomialConfig(), iterations=10, replicas=30)


MethodConfig = Annotated[
    Annotated[BayesConfig, Tag("bayes")] | Annotated[OmniFoldConfig, Tag("omnifold")],
    Discriminator("method"),
]
"""Settings of a method; ``method`` says of which one."""

METHODS: dict[str, Callable[[], Any]] = {
    "bayes": bayes,
    "omnifold": omnifold,
    "omnifold-polynomial": omnifold_polynomial,
}
"""Recipes by name."""

_UNFOLDERS: dict[str, Callable[[Any], Unfolder]] = {"bayes": Bayes, "omnifold": OmniFold}


def method_config(name: str) -> Any:
    """Return the settings of a recipe.

    Raises:
        UnknownNameError: if there is none of this name.
    """
    if name not in METHODS:
        raise UnknownNameError("unfolding method", name, METHODS)
    return METHODS[name]()


def unfolder(config: Any) -> Unfolder:
    """Return the method that some settings are of."""
    return _UNFOLDERS[config.method](config)
