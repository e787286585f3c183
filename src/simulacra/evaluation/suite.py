"""A suite is a value: which observables, which distances, which classifiers, how careful."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from ..classify.settings import FAST, ClassifierConfig
from ..config import Config, load_yaml
from ..data import Geometry, geometry
from ..errors import ShapeError, UnknownNameError
from .observables.declared import FAMILIES, PROTOCOL_FAMILIES

__all__ = [
    "CHALLENGE",
    "QUICK",
    "RANKING",
    "SUITES",
    "ClassifierTask",
    "Suite",
    "load_suite",
    "suite_named",
]

Inputs = Literal[
    "low_level", "low_level_normed", "high_level", "resnet", "calogan", "calogan_normed"
]


class ClassifierTask(Config):
    """One classifier of a suite."""

    name: str
    """Key of its scores, for example ``low_level``."""
    label: str
    """What it sees, in words."""
    inputs: Inputs
    """What it is shown, see ``evaluation.observables.inputs``."""
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
    geometry: str = ""
    """Name of the only detector that the suite is for; empty for any."""
    observables: tuple[str, ...] = FAMILIES
    """Families of observables to histogram and to compare."""
    points: bool = True
    """Whether to compare the observables of the points themselves, for files of point clouds."""
    distances: tuple[Literal["separation", "wasserstein", "kolmogorov_smirnov"], ...] = (
        "separation",
        "wasserstein",
        "kolmogorov_smirnov",
    )
    """How single observables are compared."""
    bootstrap: int = Field(200, ge=2)
    """Resamplings behind each error and floor of a distance."""
    profiles: bool = True
    """Whether to compare profiles, linearity, resolution and correlations."""
    regions: int = Field(4, ge=0)
    """Ranges of incident energy in which every score is given again; 0 for none."""
    physics_distance: bool = True
    """Whether to measure the Frechet and the kernel physics distance."""
    manifold: bool = True
    """Whether to measure precision, recall, density and coverage."""
    manifold_limit: int = Field(0, ge=0)
    """Largest number of showers of each sample for them, drawn at random; 0 is as many as fit."""
    memorisation_limit: int = Field(10_000, ge=0)
    """Largest number of showers of each sample whose distance to the training showers is
    measured; 0 leaves that out."""
    classifiers: tuple[ClassifierTask, ...] = ()
    """The classifiers."""
    images: bool = True
    """Whether to keep the mean shower of each layer."""
    examples: int = Field(6, ge=0)
    """Number of pairs of single showers to keep."""

    def for_geometry(self, detector: Geometry) -> Suite:
        """Return the suite without the classifiers that a detector cannot have.

        Args:
            detector: the detector; the 3-D network needs layers of one shape.

        Raises:
            ShapeError: if the suite is for another detector.
        """
        if self.geometry and geometry(self.geometry).digest != detector.digest:
            raise ShapeError(
                f'suite "{self.name}" is for the detector "{self.geometry}", the files are of '
                f'"{detector.name}"; choose the suite "calochallenge", which fits any detector.'
            )
        if detector.regular:
            return self
        kept = [task for task in self.classifiers if task.inputs != "resnet"]
        return self.model_copy(update={"classifiers": tuple(kept)})


_LABELS: dict[Inputs, str] = {
    "low_level": "low-level classifier (voxels)",
    "low_level_normed": "low-level classifier (voxels over layer energies)",
    "high_level": "high-level classifier (observables)",
    "resnet": "3-D convolutional classifier (voxels)",
    "calogan": "classifier as in CaloGAN's tests (voxels in GeV)",
    "calogan_normed": "classifier as in CaloGAN's tests (voxels over layer energies)",
}


def _tasks(
    inputs: tuple[Inputs, ...], classifier: ClassifierConfig, limit: int = 0
) -> tuple[ClassifierTask, ...]:
    return tuple(
        ClassifierTask(
            name=i,
            label=_LABELS[i],
            inputs=i,
            classifier=classifier.updated(network="resnet" if i == "resnet" else "mlp"),
            limit=limit,
        )
        for i in inputs
    )


_PROTOCOL: tuple[Inputs, ...] = ("low_level", "low_level_normed", "high_level", "resnet")

QUICK = Suite(
    name="quick",
    label="quick verdict: not comparable with published numbers",
    comparable=False,
    observables=PROTOCOL_FAMILIES,
    distances=("separation",),
    bootstrap=100,
    regions=0,
    physics_distance=False,
    manifold=False,
    memorisation_limit=2_000,
    classifiers=_tasks(("low_level", "high_level"), FAST, 10_000),
)
"""Minutes on a laptop: a smaller network, fewer epochs and retrainings, at most 10,000 showers."""

CHALLENGE = Suite(
    name="calochallenge",
    label="the whole evaluation of the CaloChallenge",
    comparable=True,
    classifiers=_tasks(_PROTOCOL, ClassifierConfig()),
)
"""Every observable, distance and classifier of the challenge, every shower, five retrainings."""

_DATA_SETS: dict[str, tuple[str, tuple[Inputs, ...], tuple[int, int, int]]] = {
    "ds1-photons": ("calochallenge-1-photons", _PROTOCOL[:3], (80_000, 20_000, 21_000)),
    "ds1-pions": ("calochallenge-1-pions", _PROTOCOL[:3], (80_000, 20_000, 20_800)),
    "ds2": ("calochallenge-2", _PROTOCOL, (60_000, 20_000, 20_000)),
    "ds3": ("calochallenge-3", _PROTOCOL, (60_000, 20_000, 20_000)),
}

RANKING = QUICK.updated(
    name="ranking",
    label="ranking of generators by small networks: not comparable with published numbers",
    physics_distance=True,
    classifiers=[
        task.to_dict() for task in _tasks(("low_level", "high_level", "resnet"), FAST, 10_000)
    ],
)
"""The quick suite with the Frechet physics distance and, for regular layers, the 3-D network."""

_FURTHER = (
    RANKING,
    *(
        CHALLENGE.updated(
            name=f"calochallenge-{key}",
            label=f"the whole evaluation of the CaloChallenge, {key}",
            geometry=detector,
            classifiers=[t.to_dict() for t in _tasks(inputs, ClassifierConfig(split=split))],
        )
        for key, (detector, inputs, split) in _DATA_SETS.items()
    ),
    CHALLENGE.updated(
        name="calochallenge-distances",
        label="the evaluation of the CaloChallenge without its classifiers",
        classifiers=[],
    ),
    CHALLENGE.updated(
        name="calochallenge-fast",
        label="every part of the CaloChallenge's evaluation with small networks and subsamples: "
        "not comparable with published numbers",
        comparable=False,
        bootstrap=50,
        manifold_limit=5_000,
        memorisation_limit=5_000,
        classifiers=[task.to_dict() for task in _tasks(_PROTOCOL, FAST, 10_000)],
    ),
    CHALLENGE.updated(
        name="calogan",
        label="the pair of classifiers of the CaloGAN and CaloFlow papers",
        comparable=False,
        regions=0,
        physics_distance=False,
        manifold=False,
        classifiers=[
            task.to_dict() for task in _tasks(("calogan", "calogan_normed"), ClassifierConfig())
        ],
    ),
)

SUITES = {suite.name: suite for suite in (QUICK, CHALLENGE, *_FURTHER)}
"""The suites by name."""


def suite_named(name: str) -> Suite:
    """Return a suite by name.

    Raises:
        UnknownNameError: if there is none.
    """
    if name not in SUITES:
        raise UnknownNameError("suite", name, SUITES)
    return SUITES[name]


def load_suite(source: str | Path) -> Suite:
    """Return a suite by name or from a YAML file of one's own.

    The file names a suite that it starts from and what is different::

        extends: quick
        name: mine
        observables: [layer_energy, voxel_energy]
        bootstrap: 50

    A changed suite is not comparable with published numbers unless the file says so.

    Args:
        source: a name, or the path of a file that ends in ``.yaml`` or ``.yml``.

    Raises:
        UnknownNameError: if there is no suite of that name.
        ConfigError: if the file cannot be read, or a setting is unknown or has a bad value.
    """
    if Path(source).suffix not in (".yaml", ".yml"):
        return suite_named(str(source))
    settings: dict[str, Any] = load_yaml(Path(source))
    base = suite_named(str(settings.pop("extends", CHALLENGE.name)))
    if settings and "comparable" not in settings:
        settings["comparable"] = False
        settings.setdefault("label", f"{base.label}, changed: not comparable with published ones")
    settings.setdefault("name", Path(source).stem)
    return base.updated(**settings)
