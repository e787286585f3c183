"""A suite is a value: which observables, which classifiers, how careful, how comparable."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ..classify.classifier import ClassifierConfig
from ..config import Config
from ..errors import UnknownNameError
from .observables.declared import PROTOCOL_FAMILIES

__all__ = ["CHALLENGE", "QUICK", "SUITES", "ClassifierTask", "Suite", "suite_named"]


class ClassifierTask(Config):
    """One classifier of a suite."""

    name: str
    """Key of its scores, for example ``low_level``."""
    label: str
    """What it sees, in words."""
    inputs: Literal["low_level", "high_level"]
    """Voxels over incident energy, or the high-level observables."""
    classifier: ClassifierConfig = ClassifierConfig()
    """Network and training."""
    limit: int = Field(0, ge=0)
    """Largest number of showers of each sample that take part, drawn at random; 0 is all."""


class Suite(Config):
    """What is measured."""

    name: str
    """Key, as on the command line."""
    label: str
    """The suite in words; says so if its numbers are not comparable with published ones."""
    comparable: bool
    """Whether the protocol is that of published numbers."""
    observables: tuple[str, ...] = PROTOCOL_FAMILIES
    """Families of observables to histogram and to compare."""
    bootstrap: int = Field(200, ge=2)
    """Resamplings behind each error and floor of a separation power."""
    classifiers: tuple[ClassifierTask, ...] = ()
    """The classifiers."""
    images: bool = True
    """Whether to keep the mean shower of each layer."""
    examples: int = Field(6, ge=0)
    """Number of pairs of single showers to keep."""


_FAST = ClassifierConfig(
    width=256, hidden=2, learning_rate=1e-3, batch=200, epochs=12, folds=3, standardise=True
)
_LOW = "low-level classifier (voxels)"
_HIGH = "high-level classifier (observables)"

QUICK = Suite(
    name="quick",
    label="quick verdict: not comparable with published numbers",
    comparable=False,
    bootstrap=100,
    classifiers=(
        ClassifierTask(
            name="low_level", label=_LOW, inputs="low_level", classifier=_FAST, limit=10_000
        ),
        ClassifierTask(
            name="high_level", label=_HIGH, inputs="high_level", classifier=_FAST, limit=10_000
        ),
    ),
)
"""Minutes on a laptop: a smaller network, fewer epochs and retrainings, at most 10,000 showers."""

CHALLENGE = Suite(
    name="challenge",
    label="observables and classifiers of the CaloChallenge",
    comparable=True,
    classifiers=(
        ClassifierTask(name="low_level", label=_LOW, inputs="low_level"),
        ClassifierTask(name="high_level", label=_HIGH, inputs="high_level"),
    ),
)
"""The challenge's networks, every shower, five retrainings on five rotated splits."""

SUITES = {suite.name: suite for suite in (QUICK, CHALLENGE)}
"""The suites by name."""


def suite_named(name: str) -> Suite:
    """Return a suite by name.

    Raises:
        UnknownNameError: if there is none.
    """
    if name not in SUITES:
        raise UnknownNameError("suite", name, SUITES)
    return SUITES[name]
