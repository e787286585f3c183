"""Unfold and look at everything: spectra, verdicts, and the truth where a test knows it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...data.pairs import Sample
from ...errors import UnknownNameError
from ...evaluation.plots.canvas import png
from ...execute import atomic_path, atomic_text
from .closure import Closure, Coverage, closure, self_coverage
from .method import Progress, Unfolder
from .picture import Panel, picture
from .problem import Unfolding
from .result import Unfolded
from .spectrum import Spectrum, histogram, quantile_edges
from .verdict import Verdict, prior_shifts, verdict

__all__ = ["Report", "default_edges", "unfold", "write_report"]

FloatArray = NDArray[np.float64]

_BINS = 10
_TAIL = 0.002


@dataclass(frozen=True, eq=False)
class Report:
    """What one unfolding found.

    Args:
        result: the unfolded events or spectra, with what is to be remarked.
        problem: what was unfolded.
        spectra: one for each observable.
        verdicts: on each of them.
        closures: distances to the truth where it was known, else none.
        truth: that truth.
    """

    result: Unfolded
    problem: Unfolding
    spectra: tuple[Spectrum, ...]
    verdicts: tuple[Verdict, ...]
    closures: tuple[Closure, ...] = ()
    truth: Sample | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain data: spectra with covariances, findings, distances."""
        return {
            "method": self.result.method,
            "iterations": self.result.iterations,
            "about": dict(self.result.about),
            "spectra": [
                {
                    "observable": one.observable,
                    "edges": one.edges.tolist(),
                    "counts": one.counts.tolist(),
                    "errors": one.error.tolist(),
                    "covariance": one.covariance.tolist(),
                    "believable": judged.believable,
                    "findings": [asdict(finding) for finding in judged.findings],
                }
                for one, judged in zip(self.spectra, self.verdicts, strict=True)
            ],
            "closure": [
                {**asdict(row), "closes": row.closes, "helps": row.helps} for row in self.closures
            ],
        }


def default_edges(
    problem: Unfolding, given: Mapping[str, Sequence[float]] | None = None
) -> dict[str, FloatArray]:
    """Return edges of bins for every observable that is on both sides of the detector.

    Args:
        problem: simulation and data.
        given: edges by observable; the others get ten bins of about equal simulated truth,
            without the outermost 0.2 % on each side, which would make bins of any width.

    Raises:
        UnknownNameError: if edges were given for something else.
    """
    truth = problem.simulation.true_sample()
    given = given or {}
    for name in given:
        if name not in truth.names:
            raise UnknownNameError("observable", name, truth.names)
    return {
        name: np.asarray(given[name], np.float64)
        if name in given
        else _rounded(_quantiles(truth.column(name), truth.weights))
        for name in truth.names
        if name in problem.simulation.reco_names or name in given
    }


def unfold(
    method: Unfolder,
    problem: Unfolding,
    edges: Mapping[str, FloatArray],
    *,
    seed: int,
    experiments: int = 0,
    prior: bool = True,
    truth: Sample | None = None,
    progress: Progress | None = None,
) -> Report:
    """Unfold, and say of each spectrum whether to believe it.

    Args:
        method: who unfolds; a binned one in bins that ``edges`` join.
        problem: simulation and data.
        edges: of the bins by observable; those that the method did not unfold are left out.
        seed: identity of everything that is drawn.
        experiments: pseudo-experiments for the coverage of the spectra; 0 is none.
        prior: unfold again from another prior.
        truth: true events behind the data, where they are pseudo-data.
        progress: called after every step of the unfolding itself, then after every experiment.
    """
    result = method.fit(problem, seed=seed, progress=progress)
    wanted = {name: bins for name, bins in edges.items() if name in result.names}
    spectra = tuple(result.spectrum(name, bins) for name, bins in wanted.items())
    shifts: Sequence[FloatArray | None] = [None] * len(spectra)
    if prior:
        shifts = prior_shifts(method, problem, result, spectra, seed=seed)
    tests: Sequence[Coverage | None] = [None] * len(spectra)
    if experiments:
        tests = self_coverage(
            method, problem, result, spectra, experiments=experiments, seed=seed, progress=progress
        )
    verdicts = tuple(
        verdict(problem, result, found, shift=shift, coverage=tested)
        for found, shift, tested in zip(spectra, shifts, tests, strict=True)
    )
    remarks = tuple(remark for judged in verdicts for remark in judged.remarks)
    closures = () if truth is None else closure(result, problem, truth, wanted, seed=seed)
    return Report(
        replace(result, remarks=remarks), problem, spectra, verdicts, tuple(closures), truth
    )


def write_report(report: Report, folder: Path | str) -> Path:
    """Write ``result`` (a folder to load again), ``spectra.json`` and ``spectra.png``.

    Raises:
        ArtifactError: if something else stands in the place of the result.
        OutputError: if it cannot be written.
    """
    folder = Path(folder)
    report.result.save(folder / "result")
    atomic_text(folder / "spectra.json", json.dumps(report.to_dict(), indent=1) + "\n")
    drawn = picture([_panel(report, found) for found in report.spectra], report.result.method)
    with atomic_path(folder / "spectra.png") as temporary:
        temporary.write_bytes(png(drawn, palette=True))
    return folder


def _panel(report: Report, found: Spectrum) -> Panel:
    def counted(sample: Sample | None) -> FloatArray | None:
        if sample is None or found.observable not in sample.names:
            return None
        return histogram(sample.column(found.observable), sample.weights, found.edges)

    prior = counted(report.problem.simulation.true_sample())
    if prior is None:
        raise UnknownNameError("observable", found.observable, report.problem.simulation.names)
    return Panel(found, prior, counted(report.problem.data), counted(report.truth))


def _quantiles(values: FloatArray, weight: FloatArray) -> FloatArray:
    fine = quantile_edges(values, weight, round(1 / _TAIL))
    inner = quantile_edges(values, weight, _BINS)
    return np.unique(np.concatenate([fine[1:2], inner[1:-1], fine[-2:-1]]))


def _rounded(edges: FloatArray) -> FloatArray:
    """Round edges to three digits of their range, so that they read well."""
    step = 10.0 ** np.floor(np.log10(np.ptp(edges)) - 3)
    return np.unique(np.round(edges / step) * step)
