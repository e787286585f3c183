"""The whole comparison: two sets of showers and a suite in, a verdict out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from .. import __version__
from ..classify.classifier import torch_threads
from ..data import Geometry
from ..errors import RangeError, ShapeError, UnitError
from .compare import (
    classifier_parts,
    compare_histograms,
    example_showers,
    mean_images,
    run_classifier,
)
from .metrics import incident_energy_mismatch
from .overlap import NOT_CHECKED, check_overlap
from .sample import Observed, Sample, Source
from .suite import Suite, suite_named
from .verdict import Verdict

__all__ = ["evaluate"]

Progress = Callable[[str, int, int], None]

_MISMATCH_P_VALUE = 1e-3


def evaluate(
    generated: Source,
    reference: Source,
    *,
    suite: Suite | str = "quick",
    seed: int = 0,
    training: Source | None = None,
    independent: Source | None = None,
    geometry: str | Path | Geometry | None = None,
    threshold: float | None = None,
    threads: int = 0,
    created: str = "",
    progress: Progress | None = None,
) -> Verdict:
    """Judge generated showers by comparing them with reference showers.

    Both samples are cut at the threshold before anything is computed. Same arguments, same bits,
    on one machine and number of threads, however the files are read.

    Args:
        generated: the showers to judge, in memory or as a file.
        reference: independent showers of the truth, with the same incident energies.
        suite: what to measure; a suite or the name of one.
        seed: seed of every draw.
        training: the showers that the model was trained on; a reference that shares any is
            refused.
        independent: a second reference, for the floors; halves of the reference by default.
        geometry: detector to read files with; by default the files' own.
        threshold: cut on the voxels in MeV; by default the geometry's.
        threads: threads of the classifiers; 0 leaves torch as it is.
        created: date to write into the verdict, ISO 8601.
        progress: called with (stage, steps done, steps).

    Raises:
        ShapeError: if the detectors differ.
        RangeError: if a sample has no shower, or the incident energies do not overlap.
        UnitError: if energies look as if they were in GeV.
        OverlapError: if the reference shares showers with the training or the generated file.
        FileFormatError: if a file is not one of showers.
    """
    suite = suite_named(suite) if isinstance(suite, str) else suite
    samples = _opened(generated, reference, training, independent, geometry)
    detector = samples["reference"].geometry
    cut = detector.threshold if threshold is None else threshold
    observed = {}
    wanted = [role for role in samples if role != "training"]
    for done, role in enumerate(wanted):
        observed[role] = Observed.of(samples[role], cut)
        if progress is not None:
            progress("reading", done + 1, len(wanted))
    ours, truth = observed["generated"], observed["reference"]
    warnings = [*ours.warnings, *truth.warnings, *_incident_warnings(ours, truth)]
    overlap = check_overlap(ours, truth, samples.get("training"))
    if overlap == NOT_CHECKED:
        warnings.append(
            "overlap not checked: nothing says what the generated showers' model was trained on"
        )
    histograms = compare_histograms(
        truth,
        ours,
        suite,
        threshold=cut,
        seed=seed,
        independent=observed.get("independent"),
        progress=progress,
    )
    tasks = [
        task.updated(classifier=task.classifier.updated(threads=threads)) if threads else task
        for task in suite.classifiers
    ]
    parts = [
        classifier_parts(
            task,
            run_classifier(task, truth, ours, threshold=cut, seed=seed, progress=progress),
            suite,
        )
        for task in tasks
    ]
    with torch_threads(threads) as used:
        return Verdict(
            suite=suite.name,
            suite_label=suite.label,
            comparable=suite.comparable,
            geometry=detector.to_dict(),
            threshold=float(cut),
            seed=seed,
            threads=used,
            generated=_info(ours),
            reference=_info(truth),
            training=_training_info(samples.get("training")),
            overlap=overlap,
            scores=(*(p[0] for p in parts), *(h.separation for h in histograms if h.separation)),
            histograms=histograms,
            curves=tuple(p[1] for p in parts),
            images=mean_images(truth, ours) if suite.images else (),
            examples=example_showers(truth, ours, suite.examples, cut),
            classifiers=tuple(p[2] for p in parts),
            timing=_timing(ours, truth),
            warnings=tuple(warnings),
            version=__version__,
            created=created,
        )


def _opened(
    generated: Source,
    reference: Source,
    training: Source | None,
    independent: Source | None,
    geometry: str | Path | Geometry | None,
) -> dict[str, Sample]:
    given = {
        "generated": generated,
        "reference": reference,
        "training": training,
        "independent": independent,
    }
    samples = {
        role: Sample(source, role, geometry) for role, source in given.items() if source is not None
    }
    detector = samples["reference"].geometry
    for role, sample in samples.items():
        if sample.geometry.digest != detector.digest:
            raise ShapeError(
                f"{sample.name}: the {role} showers are of geometry "
                f'"{sample.geometry.name}" ({sample.geometry.voxels} voxels), the reference is '
                f'of "{detector.name}" ({detector.voxels} voxels); expected the same detector.'
            )
    return samples


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


def _info(observed: Observed) -> Any:
    return observed.sample.info(observed.sample.digest())


def _training_info(training: Sample | None) -> Any:
    return None if training is None else training.info(training.digest())


def _timing(generated: Observed, reference: Observed) -> dict[str, Any] | None:
    """Collect what the files say about the time per shower, in milliseconds."""
    found: dict[str, Any] = {}
    for name, value in generated.sample.provenance.items():
        if name in ("ms_per_shower", "milliseconds_per_shower") or name.startswith("timing_"):
            found[name] = value.item() if isinstance(value, np.generic) else value
    per_gev = reference.sample.provenance.get("full_simulation_ms_per_gev")
    if per_gev is not None:
        mean_gev = float(reference.observables.incident_energy.mean()) / 1000
        found["full_simulation_ms_per_shower"] = float(per_gev) * mean_gev
    return found or None
