"""The whole comparison: sets of showers and a suite in, a verdict out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from threadpoolctl import threadpool_limits

from .. import __version__
from ..classify.classifier import torch_threads
from ..data import Geometry
from ..errors import RangeError, ShapeError, UnitError
from ..workforce import Workforce, workforce
from .about import About
from .classifiers import ClassifierVerdict, judge_classifier
from .compare import compare_observables, example_showers, mean_images
from .diagnosis import diagnose
from .findings import find_copies, find_faults
from .memorised import Memory, memorised
from .metrics import incident_energy_mismatch
from .multivariate import manifolds, physics_distances
from .overlap import NOT_CHECKED, check_overlap
from .posteriors import judge_posteriors
from .profiles import matrices, physics_scores, profiles
from .regions import Regions, regions
from .sample import Observed, Sample, Source
from .suite import ClassifierTask, Suite, load_suite
from .verdict import FileInfo, Finding, Histogram, Matrix, Profile, Score, Verdict

__all__ = ["Judge", "evaluate"]

Progress = Callable[[str, int, int], None]

_MISMATCH_P_VALUE = 1e-3
_COMPETITORS = 3  # models from which on a multiclass score says something


class Judge:
    """Judges any number of generated samples against one reference, which is read once.

    Use it in a ``with`` block, which holds the worker processes. All samples are cut at the
    threshold before anything is computed. Same arguments, same bits, on one machine and number
    of threads, however the files are read and by how many workers.

    Args:
        reference: independent showers of the truth, in memory or the path of a file or several.
        suite: what to measure; a suite, the name of one, or the path of a YAML file.
        seed: seed of every draw.
        training: the showers that the model was trained on; a reference that shares any is
            refused.
        independent: a second reference, for the floors; halves of the reference by default.
        geometry: detector to read files with; by default the files' own.
        threshold: cut on the voxels in MeV; by default the geometry's.
        threads: threads of the classifiers; 0 leaves torch as it is.
        workers: processes; changes no bit.
        executor: where the workers are: ``processes``, ``dask``, ``dask:ADDRESS`` or an executor.
        folder: where finished retrainings are kept, so that interrupted work resumes; by default
            nowhere.
        progress: called with (stage, steps done, steps).

    Raises:
        UnknownNameError: if there is no such suite.
        ShapeError: if the detectors differ, or the suite is for another one.
        RangeError: if a sample has no shower or there is no worker.
        UnitError: if energies look as if they were in GeV.
        FileFormatError: if a file is not one of showers.
    """

    def __init__(
        self,
        reference: Source,
        *,
        suite: Suite | str | Path = "quick",
        seed: int = 0,
        training: Source | None = None,
        independent: Source | None = None,
        geometry: str | Path | Geometry | None = None,
        threshold: float | None = None,
        threads: int = 0,
        workers: int = 1,
        executor: Any = "processes",
        folder: Path | None = None,
        progress: Progress | None = None,
    ) -> None:
        suite = suite if isinstance(suite, Suite) else load_suite(suite)
        given = {"reference": reference, "training": training, "independent": independent}
        self._samples = {
            role: Sample(source, role, geometry)
            for role, source in given.items()
            if source is not None
        }
        truth = self._samples["reference"]
        for sample in self._samples.values():
            _same_detector(sample, truth)
        self.suite = suite.for_geometry(truth.geometry)
        self._geometry = geometry
        self._cut = truth.geometry.threshold if threshold is None else threshold
        self._seed, self._threads, self._workers = seed, threads, workers
        self._executor = executor
        self._folder, self._progress = folder, progress
        self._stack = ExitStack()
        self._force = Workforce()
        self._observed: dict[str, Observed] = {}
        self._judged: dict[int, Observed] = {}

    def __enter__(self) -> Self:
        self._threads = self._stack.enter_context(torch_threads(self._threads))
        self._stack.enter_context(threadpool_limits(self._threads))
        self._force = self._stack.enter_context(workforce(self._executor, self._workers))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def verdict(
        self, generated: Source, *, about: About | None = None, created: str = ""
    ) -> Verdict:
        """Judge one sample.

        Args:
            generated: the showers to judge, in memory or the path of a file or several.
            about: what is stated about the generator.
            created: date to write into the verdict, ISO 8601.

        Raises:
            ShapeError: if the detectors differ.
            RangeError: if there is no shower, or the incident energies do not overlap.
            UnitError: if energies look as if they were in GeV.
            OverlapError: if the reference shares showers with the training or these showers.
            FileFormatError: if a file is not one of showers.
        """
        about = about or About()
        sample = Sample(generated, "generated", self._geometry)
        _same_detector(sample, self._samples["reference"])
        truth = self._observe("reference")
        ours = self._read(sample)
        training = self._samples.get("training")
        warnings = [*ours.warnings, *truth.warnings, *_incident_warnings(ours, truth)]
        overlap, copies = check_overlap(ours, truth, training)
        if overlap == NOT_CHECKED:
            warnings.append(
                "overlap not checked: nothing says what the generated showers' model was trained on"
            )
        found = _Parts()
        found.findings += [*find_faults(truth, ours), *find_copies(ours, copies)]
        parts = Regions((), ())
        if self.suite.regions:
            parts = regions(truth.observables, ours.observables, self.suite.regions)
        self._distances(truth, ours, parts, found)
        if _subtracts(ours) or _subtracts(truth):
            warnings.append(
                "no Frechet or kernel distance and no test of memorisation: with negative event "
                "weights nothing can be drawn in proportion to them"
            )
        elif training is not None and self.suite.memorisation_limit:
            found.add(memorised(truth, ours, training, self.suite, **self._common))
        judged = [self._classified(task, truth, ours, parts) for task in self.suite.classifiers]
        for one in judged:
            found.scores += one.scores
        verdict = Verdict(
            suite=self.suite.name,
            suite_label=self.suite.label,
            comparable=self.suite.comparable,
            geometry=truth.sample.geometry.to_dict(),
            threshold=float(self._cut),
            seed=self._seed,
            threads=self._threads,
            generated=_info(ours),
            reference=_info(truth),
            training=None if training is None else training.info(training.digest()),
            overlap=overlap,
            scores=tuple(sorted(found.scores, key=_place)),
            histograms=tuple(found.histograms),
            curves=tuple(one.curve for one in judged),
            images=mean_images(truth, ours) if self.suite.images else (),
            examples=example_showers(truth, ours, self.suite.examples, self._cut),
            classifiers=tuple(one.record for one in judged),
            timing=_timing(ours, truth, about),
            warnings=tuple([*warnings, *parts.skipped]),
            version=__version__,
            profiles=tuple(found.profiles),
            matrices=tuple(found.matrices),
            diagnoses=tuple(diagnose(one, truth, ours) for one in judged),
            findings=tuple(sorted(found.findings, key=lambda f: -f.significance)),
            size=about.size(),
            created=created,
        )
        self._judged[id(verdict)] = ours
        return verdict

    def with_posteriors(self, verdicts: Mapping[str, Verdict]) -> dict[str, Verdict]:
        """Add to the verdicts of several models which of them the reference would be taken for.

        The suite's first classifier is trained to tell the models apart and asked about the
        reference. The numbers depend on which models compete.

        Args:
            verdicts: by this judge, by name; fewer than three come back as they are.

        Raises:
            RangeError: if a model has too few showers.
        """
        if len(verdicts) < _COMPETITORS or not self.suite.classifiers:
            return dict(verdicts)
        models = {name: self._judged[id(verdict)] for name, verdict in verdicts.items()}
        found = judge_posteriors(
            self._task(self.suite.classifiers[0]),
            self._observe("reference"),
            models,
            workers=self._workers,
            folder=self._folder,
            **self._common,
        )
        scores = {score.name.partition("/")[2]: score for score in found.scores}
        return {
            name: replace(verdict, scores=(*verdict.scores, scores[name]))
            for name, verdict in verdicts.items()
        }

    @property
    def _common(self) -> dict[str, Any]:
        return {"threshold": self._cut, "seed": self._seed, "progress": self._progress}

    def _observe(self, role: str) -> Observed:
        """Read a sample of the judge's own, once."""
        if role not in self._observed:
            self._observed[role] = self._read(self._samples[role])
        return self._observed[role]

    def _read(self, sample: Sample) -> Observed:
        step = None
        if self._progress is not None:
            told = self._progress

            def step(done: int, of: int) -> None:
                told(f"reading {sample.role}", done, of)

        return Observed.of(sample, self._cut, force=self._force, progress=step)

    def _distances(self, truth: Observed, ours: Observed, parts: Regions, found: _Parts) -> None:
        """Measure everything but memorisation and classifiers."""
        suite, kept = self.suite, parts.kept
        independent = self._observe("independent") if "independent" in self._samples else None
        histograms, scores = compare_observables(
            truth, ours, suite, kept, independent=independent, force=self._force, **self._common
        )
        found.histograms += histograms
        found.scores += scores
        if suite.profiles:
            found.scores += physics_scores(truth.observables, ours.observables, seed=self._seed)
            found.profiles += profiles(truth.observables, ours.observables)
            found.matrices += matrices(truth.observables, ours.observables)
        if suite.physics_distance:
            found.scores += physics_distances(truth, ours, suite, kept, independent, self._progress)
        if suite.manifold:
            found.scores += manifolds(truth, ours, suite, kept, independent, **self._common)

    def _task(self, task: ClassifierTask) -> ClassifierTask:
        threads = task.classifier.updated(threads=self._threads)
        return task.model_copy(update={"classifier": threads})

    def _classified(
        self, task: ClassifierTask, truth: Observed, ours: Observed, parts: Regions
    ) -> ClassifierVerdict:
        return judge_classifier(
            self._task(task),
            truth,
            ours,
            regions=parts.kept,
            comparable=self.suite.comparable,
            workers=self._workers,
            folder=self._folder,
            **self._common,
        )


@dataclass
class _Parts:
    """Parts of a verdict as they come in."""

    scores: list[Score] = field(default_factory=list)
    histograms: list[Histogram] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    profiles: list[Profile] = field(default_factory=list)
    matrices: list[Matrix] = field(default_factory=list)

    def add(self, memory: Memory) -> None:
        self.scores += memory.scores
        self.histograms.append(memory.histogram)
        self.findings += memory.findings


_ORDER = (
    "auc",
    "auc_calibrated",
    "jsd",
    "fpd",
    "kpd",
    "precision",
    "recall",
    "density",
    "coverage",
)


def _place(score: Score) -> tuple[bool, int]:
    """Order scores: those of all showers first, classifiers before distances."""
    kind = score.name.partition("@")[0].partition("/")[0]
    return "@" in score.name, _ORDER.index(kind) if kind in _ORDER else len(_ORDER)


def _same_detector(sample: Sample, reference: Sample) -> None:
    detector = reference.geometry
    if sample.geometry.digest != detector.digest:
        raise ShapeError(
            f"{sample.name}: the {sample.role} showers are of geometry "
            f'"{sample.geometry.name}" ({sample.geometry.voxels} voxels), the reference is '
            f'of "{detector.name}" ({detector.voxels} voxels); expected the same detector.'
        )


def evaluate(
    generated: Source,
    reference: Source,
    *,
    about: About | None = None,
    created: str = "",
    **settings: Any,
) -> Verdict:
    """Judge generated showers by comparing them with reference showers.

    Args:
        generated: the showers to judge, in memory or the path of a file or several.
        reference: independent showers of the truth, with the same incident energies.
        about: what is stated about the generator.
        created: date to write into the verdict, ISO 8601.
        **settings: of :class:`Judge`: ``suite``, ``seed``, ``training``, ``independent``,
            ``geometry``, ``threshold``, ``threads``, ``workers``, ``folder``, ``progress``.

    Raises:
        ShapeError: if the detectors differ.
        RangeError: if a sample has no shower, or the incident energies do not overlap.
        UnitError: if energies look as if they were in GeV.
        OverlapError: if the reference shares showers with the training or the generated file.
        FileFormatError: if a file is not one of showers.
    """
    with Judge(reference, **settings) as judge:
        return judge.verdict(generated, about=about, created=created)


def _incident_warnings(generated: Observed, reference: Observed) -> list[str]:
    """Refuse incident energies that have nothing in common; warn about different spectra."""
    ours, truth = (o.observables.incident_energy for o in (generated, reference))
    ratio = float(np.median(ours) / np.median(truth))
    if ours.min() > truth.max() or ours.max() < truth.min():
        found = (
            f"{generated.sample.name}: incident energies of {ours.min():.6g} to {ours.max():.6g} "
            f"MeV, the reference has {truth.min():.6g} to {truth.max():.6g} MeV"
        )
        if 300 < ratio < 3000 or 300 < 1 / ratio < 3000:
            raise UnitError(f"{found}; one of them looks as if it were in GeV. Both are MeV here.")
        raise RangeError(
            f"{found}: they do not overlap. Generate with the reference's incident energies "
            "(`sample --like`)."
        )
    distance, p_value = incident_energy_mismatch(truth, ours)
    if p_value >= _MISMATCH_P_VALUE:
        return []
    return [
        f"{generated.sample.name}: the incident energies do not follow the reference's "
        f"(Kolmogorov-Smirnov distance {distance:.3f}, p = {p_value:.1g}); every score contains "
        "that difference. Generate with `sample --like` the reference."
    ]


def _subtracts(observed: Observed) -> bool:
    weight = observed.observables.weight
    return weight is not None and bool((weight < 0).any())


def _info(observed: Observed) -> FileInfo:
    return observed.sample.info(observed.sample.digest())


def _timing(generated: Observed, reference: Observed, about: About) -> dict[str, Any] | None:
    """Collect what the files and the user say about the time per shower, in milliseconds."""
    found: dict[str, Any] = about.timing()
    for name, value in generated.sample.provenance.items():
        if name in ("ms_per_shower", "milliseconds_per_shower") or name.startswith("timing_"):
            if about.timing():
                continue  # what is stated by hand comes first
            found[name] = value.item() if isinstance(value, np.generic) else value
    per_gev = reference.sample.provenance.get("full_simulation_ms_per_gev")
    if per_gev is not None:
        mean_gev = float(reference.observables.incident_energy.mean()) / 1000
        found["full_simulation_ms_per_shower"] = float(per_gev) * mean_gev
    return found or None
