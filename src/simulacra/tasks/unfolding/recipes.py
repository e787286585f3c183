"""Methods by name: each a whole configuration, and how it becomes a method."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...classify.polynomial import PolynomialConfig
from ...classify.ratio import RatioConfig
from ...errors import UnknownNameError
from ...generative import CouplingFlowConfig, DiffusionConfig, FlowMatchingConfig
from ...generative.bridge import BridgeConfig
from .bayes import Bayes, BayesConfig
from .method import Unfolder
from .omnifold import OmniFold, OmniFoldConfig
from .otus import Otus, OtusConfig
from .posterior import Posterior, PosteriorConfig

__all__ = [
    "METHODS",
    "bayes",
    "bridge",
    "bridge_deterministic",
    "cinn",
    "diffusion",
    "flow_matching",
    "method_config",
    "omnifold",
    "omnifold_polynomial",
    "otus",
    "unfolder",
]


def bayes() -> BayesConfig:
    """Iterative Bayesian unfolding in bins, each observable on its own."""
    return BayesConfig()


def omnifold() -> OmniFoldConfig:
    """OmniFold by small networks, an ensemble of two in every step."""
    network = RatioConfig(width=64, hidden=2, batch=200, epochs=30, patience=5, networks=2)
    return OmniFoldConfig(ratio=network)


def omnifold_polynomial() -> OmniFoldConfig:
    """OmniFold by polynomials of second degree: for few data and smooth differences."""
    return OmniFoldConfig(ratio=PolynomialConfig(), iterations=10, replicas=30)


def cinn() -> PosteriorConfig:
    """Draw with a conditional invertible network, for two or more observables."""
    return PosteriorConfig(family=CouplingFlowConfig(couplings=6, depth=1))


def flow_matching() -> PosteriorConfig:
    """Draw with conditional flow matching."""
    return PosteriorConfig(family=FlowMatchingConfig())


def diffusion() -> PosteriorConfig:
    """Draw with conditional diffusion."""
    return PosteriorConfig(family=DiffusionConfig())


def bridge() -> PosteriorConfig:
    """Draw by noisy walks that begin at what was measured."""
    return PosteriorConfig(family=BridgeConfig())


def bridge_deterministic() -> PosteriorConfig:
    """Carry what was measured to truth along a flow, without noise."""
    return PosteriorConfig(family=BridgeConfig(noise=0.0, sees_start=False))


def otus() -> OtusConfig:
    """Send the data through a map between two laws, learned without pairs."""
    return OtusConfig()


METHODS: dict[str, Callable[[], Any]] = {
    "bayes": bayes,
    "omnifold": omnifold,
    "omnifold-polynomial": omnifold_polynomial,
    "cinn": cinn,
    "flow-matching": flow_matching,
    "diffusion": diffusion,
    "bridge": bridge,
    "bridge-deterministic": bridge_deterministic,
    "otus": otus,
}
"""Recipes by name."""

_UNFOLDERS: dict[str, Callable[[Any], Unfolder]] = {
    "bayes": Bayes,
    "omnifold": OmniFold,
    "otus": Otus,
    "posterior": Posterior,
}


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
