"""The result of a comparison as plain data: stored, drawn and compared without the showers."""

from __future__ import annotations

import dataclasses
import json
import math
import types
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self, TypeVar, Union, get_args, get_origin, get_type_hints

from ..errors import FileFormatError
from ..execute import atomic_text

__all__ = [
    "SCHEMA_VERSION",
    "ClassifierRecord",
    "Curve",
    "Diagnosis",
    "ExampleShower",
    "FileInfo",
    "Finding",
    "Histogram",
    "Matrix",
    "MeanImage",
    "Profile",
    "Score",
    "Verdict",
]

SCHEMA_VERSION = 2

Numbers = tuple[float, ...]
T = TypeVar("T")


@dataclass(frozen=True)
class Score:
    """One number with its error, beside the value that two perfect samples would give.

    Args:
        name: unique key, for example ``separation/layer_energy/1`` or ``auc/low_level``.
        label: the number in words, for people.
        value: the central value.
        error: one standard deviation of ``value``.
        floor: expected value for two reference samples of the comparison's own sizes; None if
            unknown.
        floor_error: one standard deviation of a single such comparison around ``floor``.
        floor_from: where the floor comes from, in words.
        layer: the layer's number in its own detector; None for the whole shower.
        region: part of the phase space that the score is restricted to.
        unit: unit of ``value``; ``""`` for a dimensionless one.
        protocol: how it was measured, in one sentence that includes the numbers of showers.
        comparable: whether the value may stand beside published ones of the same protocol.
        cannot_see: one sentence on what the score is blind to.
    """

    name: str
    label: str
    value: float
    error: float
    floor: float | None
    floor_error: float | None
    layer: int | None
    unit: str
    protocol: str
    comparable: bool
    cannot_see: str
    floor_from: str = ""
    region: str = "all showers"


@dataclass(frozen=True)
class Histogram:
    """One observable of both samples in common bins.

    ``reference`` and ``generated`` are probability densities per ``unit``: they integrate to 1
    over ``edges`` (zeros if no entry is inside). The errors are one standard deviation each.

    Args:
        name: key of the observable, for example ``layer_energy/1``.
        label: axis label; plain text, may contain ``$...$`` mathematics.
        unit: unit of the axis; ``""`` for a dimensionless one.
        layer: the layer's number in its own detector; None for the whole shower.
        edges: bin edges in ``unit``, shape ``(bins + 1,)``.
        reference: density of the reference, shape ``(bins,)``.
        reference_error: its error, shape ``(bins,)``.
        generated: density of the generated showers, shape ``(bins,)``.
        generated_error: its error, shape ``(bins,)``.
        reference_outside: fraction of the reference's entries below and above the range.
        generated_outside: fraction of the generated entries below and above the range.
        log_x: whether the bins are equal on a logarithmic axis.
        log_y: whether the density is best shown on a logarithmic axis.
        separation: the separation power of the two, where it is part of the suite.
        cannot_see: one sentence on what the histogram is blind to.
    """

    name: str
    label: str
    unit: str
    layer: int | None
    edges: Numbers
    reference: Numbers
    reference_error: Numbers
    generated: Numbers
    generated_error: Numbers
    reference_outside: tuple[float, float]
    generated_outside: tuple[float, float]
    log_x: bool
    log_y: bool
    separation: Score | None
    cannot_see: str


@dataclass(frozen=True)
class Curve:
    """A curve such as a classifier's ROC.

    Args:
        name: key, for example ``roc/low_level``.
        label: the curve in words, for a legend.
        x_label: meaning of ``x``.
        y_label: meaning of ``y``.
        x: shape ``(points,)``.
        y: shape ``(points,)``.
        y_error: one standard deviation of ``y``, shape ``(points,)``; None if unknown.
    """

    name: str
    label: str
    x_label: str
    y_label: str
    x: Numbers
    y: Numbers
    y_error: Numbers | None = None


@dataclass(frozen=True)
class Profile:
    """A quantity of both samples against another one: a mean, a width, a fraction.

    Args:
        name: key, for example ``longitudinal`` or ``resolution``.
        label: meaning of the values; plain text, may contain ``$...$`` mathematics.
        unit: unit of the values; ``""`` for a dimensionless one.
        x_label: meaning of ``edges``.
        x_unit: unit of ``edges``; ``""`` for a dimensionless one.
        edges: edges of the bins in ``x_unit``, shape ``(bins + 1,)``.
        reference: values of the reference, shape ``(bins,)``; nan where there is none.
        reference_error: one standard deviation each, shape ``(bins,)``.
        generated: values of the generated showers, shape ``(bins,)``.
        generated_error: one standard deviation each, shape ``(bins,)``.
        log_x: whether the bins are best shown on a logarithmic axis.
        log_y: whether the values are.
        note: fitted parameters in words, or what else a reader must know.
        cannot_see: one sentence on what the profile is blind to.
    """

    name: str
    label: str
    unit: str
    x_label: str
    x_unit: str
    edges: Numbers
    reference: Numbers
    reference_error: Numbers
    generated: Numbers
    generated_error: Numbers
    log_x: bool
    log_y: bool
    note: str
    cannot_see: str


@dataclass(frozen=True)
class Matrix:
    """A symmetric table of both samples, such as the correlations of the layers' energies.

    Args:
        name: key, for example ``layer_correlation``.
        label: meaning of the values.
        labels: names of the rows, which are those of the columns, too.
        reference: values of the reference, shape ``(rows, rows)``.
        generated: values of the generated showers, shape ``(rows, rows)``.
        cannot_see: one sentence on what the table is blind to.
    """

    name: str
    label: str
    labels: tuple[str, ...]
    reference: tuple[Numbers, ...]
    generated: tuple[Numbers, ...]
    cannot_see: str


@dataclass(frozen=True)
class Diagnosis:
    """What gives the generated showers away to a classifier, and what its ratio can repair.

    Args:
        classifier: name of the classifier, for example ``high_level``.
        observables: names of single observables, best tell-tale first.
        powers: fall of the area under the curve when only showers that are alike in this
            observable and in incident energy are compared (the classifier's scores stay as they
            are), shape of ``observables``. Observables that go along with each other share their
            power; what is wrong only in how they go together has none.
        showers: rows of the generated showers that the classifier is surest about.
        shower_scores: its probability that each of them is of the reference.
        closure: names of the observables whose separation power was measured again with the
            generated showers weighted by the classifier's ratio p / (1 - p) of calibrated
            scores, cut to between 1/20 and 20.
        before: separation power without the weights, shape of ``closure``.
        after: separation power with them, shape of ``closure``.
        effective: effective fraction of the generated showers under the weights,
            ``(sum w)^2 / (n sum w^2)``.
    """

    classifier: str
    observables: tuple[str, ...]
    powers: Numbers
    showers: tuple[int, ...]
    shower_scores: Numbers
    closure: tuple[str, ...]
    before: Numbers
    after: Numbers
    effective: float


@dataclass(frozen=True)
class Finding:
    """Something that is wrong with the generated showers, named.

    Args:
        name: key, for example ``layer_scale/2``.
        sentence: what is wrong, with numbers and units, for people.
        significance: standard deviations (of equal samples) above nothing.
        layer: the layer's number in its own detector; None for the whole shower.
    """

    name: str
    sentence: str
    significance: float
    layer: int | None = None


@dataclass(frozen=True)
class MeanImage:
    """Mean shower in one layer, for a polar image, or one of rectangular cells.

    Args:
        layer: the layer's number in its own detector.
        r_edges: radial edges in mm, shape ``(n_radius + 1,)``; empty for cells.
        n_alpha: number of sectors; the first one starts at -pi; 0 for cells.
        reference: mean energy per voxel in MeV, shape ``(n_alpha, n_radius)`` or ``(n_x, n_y)``.
        generated: the same for the generated showers.
        x_edges: edges of cells along x in mm, shape ``(n_x + 1,)``; empty for rings.
        y_edges: edges of cells along y in mm, shape ``(n_y + 1,)``; empty for rings.
    """

    layer: int
    r_edges: Numbers
    n_alpha: int
    reference: tuple[Numbers, ...]
    generated: tuple[Numbers, ...]
    x_edges: Numbers = ()
    y_edges: Numbers = ()


@dataclass(frozen=True)
class ExampleShower:
    """A reference shower and the generated shower nearest to it in incident energy.

    Args:
        reference_index: row of the reference file.
        generated_index: row of the generated file.
        reference_incident_energy: in MeV.
        generated_incident_energy: in MeV.
        reference: energy of each voxel in MeV in the geometry's flat order, shape ``(voxels,)``.
        generated: the same for the generated shower.
    """

    reference_index: int
    generated_index: int
    reference_incident_energy: float
    generated_incident_energy: float
    reference: Numbers
    generated: Numbers


@dataclass(frozen=True)
class FileInfo:
    """A set of showers that took part.

    Args:
        role: ``generated``, ``reference`` or ``training``.
        name: file name without its folder.
        sha256: digest of the file; ``""`` for showers that came from memory.
        events: number of showers.
        provenance: what the file says about its origin: plain strings and numbers.
    """

    role: str
    name: str
    sha256: str
    events: int
    provenance: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ClassifierRecord:
    """How one classifier was trained and what its retrainings gave.

    Args:
        name: ``low_level`` or ``high_level``.
        settings: every setting, plain data.
        inputs: number of input features.
        parameters: number of trained parameters.
        fold_aucs: area under the curve of each retraining on its own unseen showers.
        fold_epochs: epoch (from 1) whose weights were kept, by accuracy on the selection set.
        sample_error: standard deviation of the pooled AUC from the finite samples.
        retraining_error: standard deviation of ``fold_aucs``.
        seconds: wall time of all retrainings, one after another; 0 if not measured.
        fold_calibrated_aucs: area of each retraining after calibration; empty if not calibrated.
        fold_jsds: Jensen-Shannon divergence of each retraining, likewise.
    """

    name: str
    settings: Mapping[str, Any]
    inputs: int
    parameters: int
    fold_aucs: Numbers
    fold_epochs: tuple[int, ...]
    sample_error: float
    retraining_error: float
    seconds: float = 0.0
    fold_calibrated_aucs: Numbers = ()
    fold_jsds: Numbers = ()


@dataclass(frozen=True)
class Verdict:
    """Everything that a comparison found; enough for the page, the table and later comparisons.

    Args:
        suite: name of the suite.
        suite_label: the suite in words; says so where its numbers are not comparable.
        comparable: whether the suite follows the protocol of published numbers.
        geometry: the detector as plain data (``Geometry.from_dict`` rebuilds it).
        threshold: cut on the voxels of both samples, in MeV.
        seed: seed of every draw.
        threads: number of threads that the bits of the result depend on.
        generated: the judged showers.
        reference: what they were compared with.
        training: what the model was trained on, where given.
        overlap: ``overlap not checked``, or what the check found.
        scores: every number.
        histograms: every observable.
        curves: ROC curves.
        images: mean showers per layer.
        examples: single showers side by side.
        classifiers: settings and retrainings of the classifiers.
        timing: milliseconds per shower and their hardware, as measured or stated by hand.
        warnings: sentences that a reader must see beside the numbers.
        version: version of the package.
        profiles: longitudinal and radial profiles, linearity, resolution.
        matrices: correlations.
        diagnoses: what gives the showers away, one per classifier that was asked.
        findings: faults that were recognised, the surest first.
        size: numbers of parameters ``training`` and ``generation``, where stated.
        created: when, as the caller states it (ISO 8601); ``""`` if not stated.
        schema: version of this layout.
    """

    suite: str
    suite_label: str
    comparable: bool
    geometry: Mapping[str, Any]
    threshold: float
    seed: int
    threads: int
    generated: FileInfo
    reference: FileInfo
    training: FileInfo | None
    overlap: str
    scores: tuple[Score, ...]
    histograms: tuple[Histogram, ...]
    curves: tuple[Curve, ...]
    images: tuple[MeanImage, ...]
    examples: tuple[ExampleShower, ...]
    classifiers: tuple[ClassifierRecord, ...]
    timing: Mapping[str, Any] | None
    warnings: tuple[str, ...]
    version: str
    profiles: tuple[Profile, ...] = ()
    matrices: tuple[Matrix, ...] = ()
    diagnoses: tuple[Diagnosis, ...] = ()
    findings: tuple[Finding, ...] = ()
    size: Mapping[str, int] = field(default_factory=dict)
    created: str = ""
    schema: int = SCHEMA_VERSION

    def score(self, name: str) -> Score:
        """Return the score of that name.

        Raises:
            KeyError: if there is none.
        """
        for score in self.scores:
            if score.name == name:
                return score
        raise KeyError(name)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data from which :meth:`from_dict` rebuilds the verdict; nan becomes None."""
        plain = _plain(self)
        assert isinstance(plain, dict)
        return plain

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Self:
        """Rebuild a verdict from :meth:`to_dict`.

        Raises:
            FileFormatError: if it is of another schema version or not a verdict.
        """
        schema = raw.get("schema") if isinstance(raw, Mapping) else None
        if schema not in (1, SCHEMA_VERSION):  # what version 2 added has defaults
            raise FileFormatError(
                f"expected a verdict of schema version {SCHEMA_VERSION}, found {schema!r}; it was "
                "written by another version of simulacra or is another file: evaluate again."
            )
        try:
            return _built(cls, {**raw, "schema": SCHEMA_VERSION})
        except (KeyError, TypeError, ValueError) as error:
            raise FileFormatError(f"expected a verdict, found something else ({error}).") from None

    def to_json(self) -> str:
        """Return the verdict as JSON."""
        return json.dumps(self.to_dict(), allow_nan=False, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read the verdict that :meth:`to_json` wrote.

        Raises:
            FileFormatError: if the text is not JSON or not such a verdict.
        """
        try:
            raw = json.loads(text)
        except ValueError as error:
            raise FileFormatError(f"expected a verdict in JSON, cannot read it: {error}.") from None
        return cls.from_dict(raw)

    def save(self, path: Path | str) -> Path:
        """Write the JSON file; it appears whole or not at all.

        Raises:
            OutputError: if it cannot be written.
        """
        atomic_text(path, self.to_json())
        return Path(path)

    @classmethod
    def load(cls, path: Path | str) -> Self:
        """Read the file that :meth:`save` wrote.

        Raises:
            FileFormatError: if it cannot be read or is not a verdict.
        """
        try:
            text = Path(path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise FileFormatError(f"{path}: expected a verdict, cannot read it: {error}.") from None
        try:
            return cls.from_json(text)
        except FileFormatError as error:
            raise FileFormatError(f"{path}: {error}") from None


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, bool | int | str):
        return value
    raise TypeError(f"a verdict holds plain data only, found {type(value).__name__}")


def _built(kind: type[T], raw: Mapping[str, Any]) -> T:
    hints = get_type_hints(kind)
    return kind(**{name: _value(hints[name], item) for name, item in raw.items()})


def _value(hint: Any, raw: Any) -> Any:
    """Turn JSON back into the type that the dataclass's field declares."""
    if get_origin(hint) in (Union, types.UnionType):
        if raw is None:
            return None
        hint = next(part for part in get_args(hint) if part is not type(None))
    if dataclasses.is_dataclass(hint):
        assert isinstance(hint, type)
        return _built(hint, raw)
    if get_origin(hint) is tuple:
        return tuple(_value(get_args(hint)[0], item) for item in raw)
    if hint is float:
        return math.nan if raw is None else float(raw)
    return raw
