"""Verdicts made from toy showers, rich enough to draw a whole page; no file is needed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from simulacra.data import Geometry, geometry
from simulacra.evaluation.verdict import (
    ClassifierRecord,
    Curve,
    Diagnosis,
    ExampleShower,
    FileInfo,
    Finding,
    Histogram,
    Matrix,
    MeanImage,
    Profile,
    Score,
    Verdict,
)

BLIND = "Each quantity on its own: correlations between quantities are not seen."


def toy_showers(detector: Geometry, events: int, seed: int, tilt: float = 0.0):
    """Return energies in MeV, shape (events, voxels), and incident energies, shape (events,)."""
    draw = np.random.default_rng(seed)
    incident = 10 ** draw.uniform(3, 4.8, events)
    layers = len(detector.layers)
    depth = np.exp(-(((np.arange(layers) - layers / 2.5) / (layers / 4)) ** 2))
    shares = draw.dirichlet(20 * depth + 0.05, events)
    energies = np.zeros((events, detector.voxels))
    for position, cells in enumerate(detector.slices):
        radius = detector.radius[cells]
        profile = np.exp(-radius / (12 + tilt)) + 1e-7
        noise = draw.gamma(0.4, 1.0, (events, len(radius))) * profile
        noise /= noise.sum(axis=1, keepdims=True)
        energies[:, cells] = 0.98 * (incident * shares[:, position])[:, None] * noise
    energies[energies < detector.threshold] = 0
    return energies, incident


def toy_verdict(
    name: str = "calochallenge-1-photons",
    *,
    generated_name: str = "surrogate.hdf5",
    tilt: float = 3.0,
    events: int = 300,
    comparable: bool = False,
) -> Verdict:
    """Judge toy showers of one radial slope against others of another slope."""
    detector = geometry(name)
    reference, energy_r = toy_showers(detector, events, 1)
    generated, energy_g = toy_showers(detector, events, 2, tilt)
    histograms = _histograms(detector, (reference, energy_r), (generated, energy_g), comparable)
    scores = [
        _auc("low_level", 0.5 + 0.05 * tilt, comparable),
        _auc("high_level", 0.5 + 0.03 * tilt, comparable),
        *(h.separation for h in histograms if h.separation is not None),
    ]
    return Verdict(
        suite="full" if comparable else "quick",
        suite_label="protocol of the challenge" if comparable else "quick, not comparable",
        comparable=comparable,
        geometry=detector.to_dict(),
        threshold=detector.threshold,
        seed=7,
        threads=1,
        generated=FileInfo("generated", generated_name, "ab" * 32, events, {"model": "toy"}),
        reference=FileInfo(
            "reference", "truth.hdf5", "cd" * 32, events, {"full_simulation_ms_per_gev": 4.0}
        ),
        training=FileInfo("training", "train.hdf5", "ef" * 32, 10 * events, {}),
        overlap="no shower of the reference is among those of the training (0 of 300)",
        scores=tuple(scores),
        histograms=histograms,
        curves=tuple(_roc(score) for score in scores[:2]),
        images=_images(detector, reference, generated),
        examples=_examples(reference, energy_r, generated, energy_g),
        classifiers=(
            ClassifierRecord(
                name="low_level",
                settings={"width": 64, "epochs": 10, "folds": 2},
                inputs=detector.voxels + 1,
                parameters=30_000,
                fold_aucs=(0.64, 0.66),
                fold_epochs=(7, 9),
                sample_error=0.01,
                retraining_error=0.008,
                seconds=12.5,
            ),
        ),
        timing=None,
        warnings=(
            "300 showers are few: below 10,000 the classifiers see less than published ones.",
        ),
        version="0.1.0",
        created="2025-01-02T03:04:05+00:00",
    )


def without_pictures(verdict: Verdict) -> Verdict:
    """Return the verdict with its numbers only."""
    return replace(verdict, histograms=(), curves=(), images=(), examples=())


def full_verdict(name: str = "calochallenge-1-photons", **settings) -> Verdict:
    """Return a verdict with everything that a whole suite leaves; numbers are made up."""
    plain = toy_verdict(name, **settings)
    detector = Geometry.from_dict(dict(plain.geometry))
    comparable, tilt = plain.comparable, settings.get("tilt", 3.0)
    whole = [*plain.scores, *_further_scores(detector, tilt, comparable)]
    return replace(
        plain,
        scores=(*whole, *_regional(whole)),
        histograms=(*plain.histograms, _training_distance()),
        profiles=_profiles(detector, tilt),
        matrices=(_correlations(detector, tilt),),
        diagnoses=(_diagnosis(plain),),
        findings=(
            Finding("layer_scale/2", "Layer 2 holds 2.1 % too much energy.", 9.4, 2),
            Finding("duplicates", "1.0 % of the generated showers are copies.", 23.0),
        ),
        timing={"ms_per_shower": 1.3, "hardware": "one core of a processor", "batch": 100,
                "stated_by_hand": True},
        size={"training": 2_000_000, "generation": 1_250_000},
    )  # fmt: skip


def challenge_verdict(**settings) -> Verdict:
    """Return a full verdict whose reference looks like the challenge's photons."""
    plain = full_verdict(**{"comparable": True, **settings})
    energies = (2.0**9, 2.0**14, 2.0**18)
    return replace(
        plain,
        suite="calochallenge-ds1-photons",
        reference=replace(plain.reference, events=121_000, provenance={}),
        generated=replace(plain.generated, events=121_000),
        examples=tuple(
            replace(e, reference_incident_energy=energy)
            for e, energy in zip(plain.examples, energies, strict=True)
        ),
    )


def score(name: str, value: float, error: float = 0.01, floor: float | None = 0.0, **further):
    """Return a score with the fields that a test does not ask about filled in."""
    settings = {
        "label": name.replace("_", " "), "floor_error": error, "layer": None, "unit": "",
        "protocol": "300 against 300 showers", "comparable": False, "cannot_see": BLIND,
        "floor_from": "halves of the reference",
    }  # fmt: skip
    return Score(name=name, value=value, error=error, floor=floor, **{**settings, **further})


# fmt: off
def _further_scores(detector: Geometry, tilt: float, comparable: bool):
    levels = {"low_level": 0.05 * tilt, "high_level": 0.03 * tilt}
    for level, excess in levels.items():
        words = level.replace("_", "-")
        yield score(f"auc_calibrated/{level}", 0.5 + 0.98 * excess, 0.012, 0.5,
                    comparable=comparable, label=f"AUC after calibration, {words} classifier")
        yield score(f"jsd/{level}", 0.4 * excess, 0.004, 0.001, comparable=comparable,
                    label=f"Jensen-Shannon divergence, {words} classifier")
    for name, value, error, floor in (
        ("fpd", 8e-4 * tilt, 1e-4, 1.2e-4), ("kpd", 4e-5, 3e-5, 0.0),
        ("precision", 0.71, 0.01, 0.7), ("recall", 0.62, 0.01, 0.7),
        ("density", 1.02, 0.02, 0.99), ("coverage", 0.95, 0.004, 0.964),
        ("memorisation", 0.4, 0.3, 0.5),
    ):
        yield score(name, value, error, floor, comparable=comparable)
    for layer in detector.layers:
        for kind in ("wasserstein", "kolmogorov_smirnov"):
            yield score(f"{kind}/layer_energy/{layer.identity}", 0.02 * tilt, 0.004, 0.01,
                        layer=layer.identity, label=f"{kind}, $E_{{{layer.identity}}}$")


# fmt: on


def _regional(scores):
    """The same scores in four parts of phase space, one of them bad."""
    for number in range(4):
        region = f"incident energy {4**number} to {4 ** (number + 1)} GeV"
        for one in scores:
            if not one.name.startswith(("memorisation", "kpd")):
                bad = 1.6 if number == 3 else 1.0
                yield replace(one, name=f"{one.name}@energy-{number}", region=region,
                              value=one.value * bad, error=2 * one.error)  # fmt: skip


def _training_distance() -> Histogram:
    edges = np.linspace(0, 10, 21)
    centres = (edges[1:] + edges[:-1]) / 2
    curves = [np.exp(-0.5 * ((centres - mean) / 1.5) ** 2) / (1.5 * 2.5066) for mean in (5, 4.6)]
    error = tuple((0.05 * curves[0] + 1e-3).tolist())
    return Histogram(
        "training_distance", "distance to the nearest training shower", "", None,
        tuple(edges.tolist()), tuple(curves[0].tolist()), error, tuple(curves[1].tolist()), error,
        (0.0, 0.0), (0.0, 0.0), False, False, None, BLIND,
    )  # fmt: skip


def _profiles(detector: Geometry, tilt: float) -> tuple[Profile, ...]:
    edges = tuple(float(k) for k in range(len(detector.layers) + 1))
    depth = np.arange(len(detector.layers)) + 0.5
    shape = np.exp(-(((depth - 2) / 2) ** 2)) + 0.01
    energies = tuple(np.geomspace(1e3, 64e3, 7).tolist())
    resolution = 0.1 / np.sqrt(np.sqrt(np.array(energies[1:]) * np.array(energies[:-1])) / 1e3)
    return (
        Profile("longitudinal", "mean energy fraction", "", "layer", "", edges, _row(shape),
                _row(0.01 * shape), _row(shape * (1 + 0.01 * tilt)), _row(0.012 * shape), False,
                False, "", BLIND),
        Profile("resolution", r"$\sigma / \langle E \rangle$", "", "incident energy", "MeV",
                energies, _row(resolution), _row(0.02 * resolution),
                _row(resolution * (1 + 0.05 * tilt)), _row(0.02 * resolution), True, False,
                "stochastic term 10.1 %/√GeV, reference 10.0 %/√GeV", BLIND),
    )  # fmt: skip


def _correlations(detector: Geometry, tilt: float) -> Matrix:
    place = np.arange(len(detector.layers))
    table = np.exp(-np.abs(place[:, None] - place) / 3)
    other = np.exp(-np.abs(place[:, None] - place) / (3 + 0.2 * tilt))
    labels = tuple(f"layer {layer.identity}" for layer in detector.layers)
    return Matrix("layer_correlation", "correlation of layer energies", labels,
                  tuple(map(_row, table)), tuple(map(_row, other)), BLIND)  # fmt: skip


def _row(values) -> tuple[float, ...]:
    return tuple(np.asarray(values, float).tolist())


def _diagnosis(verdict: Verdict) -> Diagnosis:
    names = [h.name for h in verdict.histograms][:20]
    powers = tuple(0.08 / (k + 1) for k in range(len(names)))
    few = tuple(names[:5])
    return Diagnosis("high_level", tuple(names), powers, (17, 4, 203), (0.001, 0.004, 0.02), few,
                     tuple(0.02 for _ in few), tuple(0.004 for _ in few), 0.81)  # fmt: skip


def _auc(level: str, value: float, comparable: bool) -> Score:
    return Score(
        name=f"auc/{level}",
        label=f"AUC of the {level.replace('_', '-')} classifier",
        value=value,
        error=0.012,
        floor=0.5,
        floor_error=0.013,
        layer=None,
        unit="",
        protocol="300 against 300 showers, 2 retrainings",
        comparable=comparable,
        cannot_see="Differences that this network at this number of showers cannot learn.",
        floor_from="theory",
    )


def _roc(score: Score) -> Curve:
    x = np.linspace(0, 1, 41)
    y = x ** ((1 - score.value) / score.value)
    level = score.name.removeprefix("auc/")
    return Curve(
        name=f"roc/{level}",
        label=level.replace("_", "-"),
        x_label="reference taken for generated",
        y_label="generated recognised",
        x=tuple(x.tolist()),
        y=tuple(y.tolist()),
        y_error=tuple((0.03 * np.sqrt(y * (1 - y))).tolist()),
    )


def _histograms(detector: Geometry, reference, generated, comparable: bool):
    histograms = []
    e_tot = [energies.sum(axis=1) / incident for energies, incident in (reference, generated)]
    histograms.append(_histogram("total_energy", r"$E_{tot} / E_{inc}$", "", None, e_tot, False))
    for position, (layer, cells) in enumerate(zip(detector.layers, detector.slices, strict=True)):
        energies = [sample[0][:, cells] for sample in (reference, generated)]
        sums = [np.clip(e.sum(axis=1), 1e-3, None) for e in energies]
        eta = [
            (e * detector.eta[cells]).sum(axis=1) / s for e, s in zip(energies, sums, strict=True)
        ]
        filled = [(e > 0).mean(axis=1) for e in energies]
        i = layer.identity
        for key, label, unit, values, log in (
            ("layer_energy", f"energy in layer {i}", "MeV", sums, True),
            ("centre_eta", rf"centre in $\eta$, layer {i}", "mm", eta, False),
            ("sparsity", f"fraction of filled voxels, layer {i}", "", filled, False),
        ):
            if position < 12 or key == "layer_energy":
                found = _histogram(f"{key}/{i}", label, unit, i, values, log)
                histograms.append(found)
    return tuple(
        replace(h, separation=replace(h.separation, comparable=comparable)) for h in histograms
    )


def _histogram(name, label, unit, layer, samples, log) -> Histogram:
    joined = np.concatenate(samples)
    low, high = float(joined.min()), float(joined.max()) + 1e-6
    edges = np.geomspace(low, high, 31) if log else np.linspace(low, high, 31)
    counts = [np.histogram(values, edges)[0] for values in samples]
    widths = np.diff(edges)
    density = [c / c.sum() / widths for c in counts]
    errors = [np.sqrt(c) / c.sum() / widths for c in counts]
    p, q = (c / c.sum() for c in counts)
    filled = p + q > 0
    value = float(0.5 * np.sum((p - q)[filled] ** 2 / (p + q)[filled]))
    score = Score(
        name=f"separation/{name}",
        label=label,
        value=value,
        error=0.1 * value + 1e-3,
        floor=0.03,
        floor_error=0.008,
        layer=layer,
        unit="",
        protocol="300 against 300 showers, 30 bins, bootstrap error",
        comparable=False,
        cannot_see=BLIND,
        floor_from="two halves of the reference",
    )
    return Histogram(
        name=name,
        label=label,
        unit=unit,
        layer=layer,
        edges=tuple(edges.tolist()),
        reference=tuple(density[0].tolist()),
        reference_error=tuple(errors[0].tolist()),
        generated=tuple(density[1].tolist()),
        generated_error=tuple(errors[1].tolist()),
        reference_outside=(0.0, 0.0),
        generated_outside=(0.0, 0.002),
        log_x=log,
        log_y=log,
        separation=score,
        cannot_see=BLIND,
    )


def _images(detector: Geometry, reference, generated) -> tuple[MeanImage, ...]:
    return tuple(
        MeanImage(
            layer=layer.identity,
            r_edges=layer.r_edges,
            n_alpha=layer.n_alpha,
            reference=_rows(reference.mean(axis=0)[cells], layer.n_alpha),
            generated=_rows(generated.mean(axis=0)[cells], layer.n_alpha),
        )
        for layer, cells in zip(detector.layers, detector.slices, strict=True)
    )


def _rows(values, n_alpha: int) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(row) for row in values.reshape(n_alpha, -1).tolist())


def _examples(reference, energy_r, generated, energy_g) -> tuple[ExampleShower, ...]:
    chosen = np.argsort(energy_r)[[len(energy_r) // 5, len(energy_r) // 2, -2]]
    nearest = [int(np.argmin(np.abs(energy_g - energy_r[i]))) for i in chosen]
    return tuple(
        ExampleShower(
            reference_index=int(i),
            generated_index=j,
            reference_incident_energy=float(energy_r[i]),
            generated_incident_energy=float(energy_g[j]),
            reference=tuple(reference[i].tolist()),
            generated=tuple(generated[j].tolist()),
        )
        for i, j in zip(chosen, nearest, strict=True)
    )
