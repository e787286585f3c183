"""A classifier of a suite on observed samples: scores, regions, streaming, diagnosis."""

import dataclasses

import numpy as np
import pytest

from simulacra.classify import ClassifierConfig, area_under_curve
from simulacra.data import Geometry, Layer, VoxelShowers, write_showers
from simulacra.errors import RangeError
from simulacra.evaluation import classifiers as module
from simulacra.evaluation.classifiers import drawn_rows, judge_classifier, stored_inputs
from simulacra.evaluation.diagnosis import (
    area_among_alike,
    diagnose,
    ratio_weights,
    tell_tales,
)
from simulacra.evaluation.posteriors import judge_posteriors
from simulacra.evaluation.regions import Region
from simulacra.evaluation.sample import Observed, Sample
from simulacra.evaluation.suite import ClassifierTask

TINY = ClassifierConfig(
    width=32, hidden=2, epochs=15, batch=100, learning_rate=3e-3, retrainings=5, threads=1,
    standardise=True, precision="float32",
)  # fmt: skip
HIGH = ClassifierTask(name="high_level", label="high", inputs="high_level", classifier=TINY)
IMAGE = Geometry(
    name="image",
    particle="electron",
    pdg=11,
    layers=tuple(Layer(i, (0.0, 5.0, 12.0, 30.0), 4) for i in range(5)),
    threshold=0.5,
)
KINDS = ("low_level", "low_level_normed", "high_level", "resnet", "calogan", "calogan_normed")


def observed(showers, role="reference"):
    return Observed.of(Sample(showers, role), 1.0)


def scaled(showers, layer, factor, every=1):
    energies = showers.energies.copy()
    energies[::every, showers.geometry.slices[layer]] *= factor
    return dataclasses.replace(showers, energies=energies)


@pytest.fixture(scope="module")
def faulty(toy):
    """1500 reference showers and as many of which half have a second layer twice as bright."""
    reference, clean = toy(1500, seed=2), toy(1500, seed=1)
    return observed(reference), observed(scaled(clean, 1, 2.0, every=2), "generated")


@pytest.fixture(scope="module")
def found(faulty):
    energy = [o.observables.incident_energy for o in faulty]
    regions = [
        Region("energy-0", "incident energy below 8 GeV", *(e < 8e3 for e in energy)),
        Region("energy-1", "incident energy of a year", *(e < 0 for e in energy)),
    ]
    return judge_classifier(HIGH, *faulty, threshold=1.0, seed=0, regions=regions)


def test_scores_are_complete(found):
    names = [s.name for s in found.scores]
    three = ["auc/high_level", "auc_calibrated/high_level", "jsd/high_level"]
    assert names == [*three, *(f"{n}@energy-0" for n in three)]
    assert {s.region for s in found.scores[3:]} == {"incident energy below 8 GeV"}
    for score in found.scores:
        assert score.cannot_see
        assert score.floor_from
        assert "unseen showers" in score.protocol
        assert "60/20/20" in score.protocol
        assert not score.comparable
        assert score.error > 0
        assert score.floor_error > 0
    auc, calibrated, jsd = (s.value for s in found.scores[:3])
    assert auc > 0.6
    assert abs(auc - calibrated) < 0.02
    assert 0 < jsd < 1
    assert found.scores[3].floor_error > found.scores[0].floor_error
    record = found.record
    assert len(record.fold_aucs) == len(record.fold_calibrated_aucs) == len(record.fold_jsds) == 5
    assert np.mean(record.fold_calibrated_aucs) == pytest.approx(calibrated)
    assert record.settings["precision"] == "float32"


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_inputs_is_judged(toy, kind):
    samples = [observed(toy(60, seed=s, detector=IMAGE)) for s in (0, 1)]
    config = TINY.updated(epochs=1, retrainings=1, batch=30, channels=[2, 2, 2, 2])
    config = config.updated(network="resnet" if kind == "resnet" else "mlp")
    task = ClassifierTask(name=kind, label=kind, inputs=kind, classifier=config)
    verdict = judge_classifier(task, *samples, threshold=0.5, seed=0, comparable=True)
    assert verdict.scores[0].comparable
    assert verdict.record.parameters > 0
    words = "3-D residual" if kind == "resnet" else "hidden layers"
    assert words in verdict.scores[0].protocol


def test_irregular_showers_are_no_image(faulty):
    task = HIGH.updated(inputs="resnet", classifier=TINY.updated(network="resnet"))
    with pytest.raises(RangeError, match="irregular"):
        judge_classifier(task, *faulty, threshold=1.0, seed=0)


def test_files_memory_and_packing_give_the_same_rows(toy, tmp_path, monkeypatch):
    samples = [toy(300, seed=s, detector=IMAGE) for s in (0, 1)]
    paths = [tmp_path / f"{k}.hdf5" for k in (0, 1)]
    for path, showers in zip(paths, samples, strict=True):
        write_showers(path, showers)
    rows = [np.arange(0, 300, 2), np.arange(5, 290)]
    which = np.random.default_rng(0).permutation(435)
    found = []
    for sources, dense, workers in ((samples, 1 << 30, 1), (paths, 1 << 30, 1), (paths, 0, 1),
                                    (paths, 0, 3)):  # fmt: skip
        monkeypatch.setattr(module, "DENSE_LIMIT", dense)
        looked = [observed(source) for source in sources]
        stored = stored_inputs("low_level", looked, rows, 0.5, workers=workers, folder=tmp_path)
        found.append(stored.dense(which).tobytes())
        if dense == 0:
            assert stored.in_memory == (workers == 1)
    assert len(set(found)) == 1
    assert len(list(tmp_path.iterdir())) == 2


def test_a_limit_keeps_partners_and_spectrum():
    rng = np.random.default_rng(0)
    one = rng.uniform(1, 2, 500)
    order = rng.permutation(500)
    first, second = drawn_rows([one, one[order]], 100, seed=0)
    assert len(first) == 100
    assert set(one[first]) == set(one[order][second])
    assert (np.diff(first) > 0).all()
    halved = drawn_rows([one, one[order][:250]], 100, seed=0)
    inside = np.isin(one[halved[0]], one[order][:250])
    assert inside.sum() == 50
    assert [len(r) for r in drawn_rows([one, one], 0, seed=0)] == [500, 500]
    discrete = np.repeat([1.0, 2.0], 250)
    missing = np.repeat([1.0, 2.0], [490, 10])  # a bin is nearly empty: it must stay so
    first, second = drawn_rows([discrete, missing], 200, seed=0)
    assert abs((discrete[first] == 2).sum() - 100) < 30
    assert (missing[second] == 2).sum() < 15


def test_weights_take_part(toy):
    """Showers with a fault whose weight is 1e-6 are not found."""
    clean, fault = toy(600, seed=1), scaled(toy(600, seed=3), 1, 5.0)
    joined = VoxelShowers.concatenate([clean, fault])
    weight = np.repeat([1.0, 1e-6], 600)
    weighted = dataclasses.replace(joined, weight=weight)
    task = HIGH.updated(classifier=TINY.updated(retrainings=2, epochs=8))
    aucs = [
        judge_classifier(task, observed(toy(800, seed=2)), observed(s), threshold=1.0, seed=0)
        .scores[0].value
        for s in (weighted, joined)
    ]  # fmt: skip
    assert aucs[1] > 0.62
    assert aucs[0] < 0.58


def test_diagnosis_names_the_fault(found, faulty):
    told = diagnose(found, *faulty)
    assert told.classifier == "high_level"
    assert told.observables[0] == "layer_energy/1"
    assert told.powers[0] > 0.3 * (found.scores[0].value - 0.5)
    assert (np.diff(told.powers) <= 0).all()
    assert len(told.showers) == len(told.shower_scores) == 10
    assert max(told.shower_scores) < 0.3
    assert sum(shower % 2 == 0 for shower in told.showers) >= 9
    before, after = (
        dict(zip(told.closure, values, strict=True)) for values in (told.before, told.after)
    )
    assert after["total_energy_ratio"] < 0.3 * before["total_energy_ratio"]
    assert after["layer_energy/1"] < 0.5 * before["layer_energy/1"]
    assert set(told.closure) >= {f"layer_energy/{k}" for k in (0, 1, 12)}
    assert 0.3 < told.effective < 0.8


@pytest.mark.statistical
def test_nothing_is_told_about_equal_samples(toy):
    """Falls of the area of 40 unrelated numbers: 5 errors of an area of 1000 showers each.

    The score itself tells everything: Phi(0.3 / sqrt 2) - 1/2 = 0.084.
    """
    rng = np.random.default_rng(0)
    energies = [np.exp(rng.uniform(0, 6, 1000)) for _ in range(2)]
    scores = (rng.normal(0.3, 1, 1000), rng.normal(0, 1, 1000))
    ones = (np.ones(1000), np.ones(1000))
    values = [[rng.normal(size=1000) for _ in range(2)] for _ in range(40)]
    falls = tell_tales([*values, scores], energies, scores, ones)
    assert np.abs(falls[:-1]).max() < 5 * 0.0129
    assert falls[-1] == pytest.approx(0.084, abs=5 * 0.0129)


def slow_area(cell, scores, weights):
    total = norm = 0.0
    cut = len(scores[0])
    for one in np.unique(cell):
        first, second = cell[:cut] == one, cell[cut:] == one
        w, v = weights[0][first], weights[1][second]
        if len(w) and len(v):
            wins = np.sign(scores[0][first][:, None] - scores[1][second]) / 2 + 0.5
            share = w.sum() * v.sum() / (w.sum() + v.sum())
            total += share * (w @ wins @ v) / (w.sum() * v.sum())
            norm += share
    return total / norm


def test_the_area_among_alike_showers_is_that_of_the_slow_twin():
    rng = np.random.default_rng(0)
    scores = (rng.normal(0.5, 1, 60).round(1), rng.normal(0, 1, 50).round(1))
    weights = (rng.random(60), rng.random(50))
    for cells in (1, 5, 40):
        cell = rng.integers(0, cells, 110)
        expected = slow_area(cell, scores, weights)
        assert area_among_alike(cell, scores, weights) == pytest.approx(expected, rel=1e-12)
    whole = area_among_alike(np.zeros(110, int), scores, weights)
    assert whole == pytest.approx(area_under_curve(*scores, *weights), rel=1e-12)
    assert area_among_alike(np.repeat([0, 1], [60, 50]), scores, weights) == 0.5


def test_ratios_are_cut():
    assert ratio_weights(np.array([0.5, 1e-6, 1 - 1e-6, 0.75])) == pytest.approx([1, 0.05, 20, 3])


def test_posteriors_of_several_models(toy):
    """The model without a fault is taken for the truth."""
    truth = observed(toy(500, seed=5))
    models = {
        name: observed(scaled(toy(500, seed=k), 1, factor))
        for k, (name, factor) in enumerate({"good": 1.0, "bad": 4.0, "worse": 0.2}.items())
    }
    task = HIGH.updated(classifier=TINY.updated(retrainings=2, epochs=8))
    told = judge_posteriors(task, truth, models, threshold=1.0, seed=0)
    assert [s.name for s in told.scores] == [f"log_posterior/{name}" for name in models]
    values = [s.value for s in told.scores]
    assert values[0] == max(values)
    assert all(s.floor is None and s.error > 0 and s.cannot_see for s in told.scores)
    assert told.cross.shape == (3, 3)
    assert (told.cross.argmax(axis=1) == np.arange(3)).all()
