"""The whole judge: nothing is found in equal samples, planted faults are, bad input is refused."""

import dataclasses

import numpy as np
import pytest

from simulacra.classify import ClassifierConfig
from simulacra.data import VoxelShowers, open_showers, write_showers
from simulacra.errors import (
    FileFormatError,
    OverlapError,
    RangeError,
    ShapeError,
    UnitError,
    UnknownFieldError,
    UnknownNameError,
)
from simulacra.evaluation import CHALLENGE, QUICK, Suite, Verdict, evaluate, suite_named
from simulacra.evaluation.about import About
from simulacra.evaluation.judge import Judge
from simulacra.evaluation.observables import PROTOCOL_FAMILIES
from simulacra.evaluation.overlap import NOT_CHECKED
from simulacra.evaluation.suite import SUITES, ClassifierTask, load_suite

TINY = ClassifierConfig(
    width=32,
    hidden=2,
    epochs=10,
    batch=100,
    learning_rate=3e-3,
    retrainings=2,
    standardise=True,
    precision="float32",
)
SUITE = Suite(
    name="test",
    label="test",
    comparable=False,
    observables=PROTOCOL_FAMILIES,
    distances=("separation",),
    regions=0,
    profiles=False,
    physics_distance=False,
    manifold=False,
    memorisation_limit=0,
    bootstrap=40,
    examples=3,
    classifiers=(
        ClassifierTask(name="low_level", label="low", inputs="low_level", classifier=TINY),
        ClassifierTask(name="high_level", label="high", inputs="high_level", classifier=TINY),
    ),
)
BARE = SUITE.updated(name="bare", classifiers=[])


@pytest.fixture(scope="module")
def null(toy):
    return evaluate(toy(800, seed=1), toy(1000, seed=2), suite=SUITE, seed=3, threads=1)


def changed(showers, function):
    energies = showers.energies.copy()
    function(energies)
    return dataclasses.replace(showers, energies=energies)


def test_a_verdict_is_complete_and_survives_its_file(null, tmp_path):
    assert Verdict.load(null.save(tmp_path / "v.json")) == null
    names = [s.name for s in null.scores]
    assert names[:2] == ["auc/low_level", "auc/high_level"]
    assert len(names) == len(set(names)) == 2 * 3 + 1 + 4 * 3 + 4 * 2 + 1
    assert all(s.cannot_see and s.protocol and s.floor_from for s in null.scores)
    assert all(h.cannot_see for h in null.histograms)
    assert null.overlap == NOT_CHECKED
    assert any("overlap not checked" in w for w in null.warnings)
    assert (null.generated.events, null.reference.events, null.threads) == (800, 1000, 1)
    assert null.classifiers[0].settings["width"] == 32
    assert len(null.curves) == 2


@pytest.mark.statistical
def test_equal_samples_are_not_told_apart(null):
    """Two AUCs within 4.5 null errors, 22 separations within 8 of their skewed floor's errors."""
    for score in null.scores[:2]:
        assert abs(score.value - 0.5) < 4.5 * score.floor_error
        assert score.error > score.floor_error / 2
    for score in null.scores[2:]:
        assert score.value < score.floor + 8 * score.floor_error


def test_densities_integrate_to_one(null):
    for h in null.histograms:
        assert np.sum(np.diff(h.edges) * h.reference) == pytest.approx(1)
        assert np.sum(np.diff(h.edges) * h.generated) == pytest.approx(1)
        assert min(h.reference_outside + h.generated_outside) >= 0
        assert sum(h.generated_outside) < 0.5


def test_images_and_examples_show_the_showers(null, toy):
    reference = toy(1000, seed=2).thresholded()
    image = null.images[1]
    mean = reference.energies.astype(float).mean(0)[reference.geometry.slices[1]]
    np.testing.assert_allclose(np.ravel(image.reference), mean, rtol=1e-6)
    assert np.shape(image.generated) == (4, 3)
    for pair in null.examples:
        np.testing.assert_array_equal(pair.reference, reference.energies[pair.reference_index])
        ratio = pair.generated_incident_energy / pair.reference_incident_energy
        assert 0.9 < ratio < 1.1
    assert len({pair.generated_index for pair in null.examples}) == 3


@pytest.mark.statistical
def test_planted_faults_are_found(toy):
    """Each fault stands 8 errors of the floor (or of the null AUC) above it."""
    reference, clean = toy(1000, seed=2), toy(1000, seed=1)
    second = clean.geometry.slices[1]

    def scale(energies):
        energies[:, second] *= 1.15

    def reverse(energies):
        image = energies[:, second].reshape(-1, 4, 3)
        energies[:, second] = image[:, :, ::-1].reshape(len(energies), -1)

    def noise(energies):
        energies[:, 0] += 5.0

    for fault, seen in (
        (scale, ["separation/total_energy_ratio"]),
        (reverse, ["separation/centre_r/1", "auc/low_level", "auc/high_level"]),
        (noise, ["separation/sparsity/0"]),
    ):
        verdict = evaluate(changed(clean, fault), reference, suite=SUITE, seed=0, threads=1)
        for name in seen:
            score = verdict.score(name)
            assert score.value > score.floor + 8 * score.floor_error, (fault, name)


def test_a_layer_turned_against_the_others_is_seen_in_the_voxels(toy):
    """One ring of layer 0 tells the hot half of layer 1; turned by two sectors, it lies."""

    def hot(showers, seed, turn):
        sector = np.random.default_rng(seed).integers(0, 4, len(showers))
        energies = showers.energies.copy()
        energies[:, 2:14] = 0
        energies[np.arange(len(showers)), 2 + 3 * ((sector + turn) % 4)] = 1
        energies[:, :2] = np.stack([sector < 2, sector >= 2], axis=1)
        energies[:, :14] *= 0.3 * showers.incident_energy[:, None]
        return dataclasses.replace(showers, energies=energies.astype(np.float32))

    reference, turned = hot(toy(800, seed=1), 5, 0), hot(toy(800, seed=2), 6, 2)
    verdict = evaluate(turned, reference, suite=SUITE, seed=0, threads=1)
    assert verdict.score("auc/low_level").value > 0.8
    for name in ("centre_eta/1", "layer_energy/0", "layer_energy/1"):
        score = verdict.score(f"separation/{name}")
        assert score.value < score.floor + 8 * score.floor_error


def test_same_seed_same_bits_however_the_file_is_read(toy, tmp_path):
    a, b = toy(300, seed=1), toy(300, seed=2)
    write_showers(tmp_path / "a.hdf5", a)
    one = evaluate(a, b, suite=SUITE, seed=1, threads=1)
    two = evaluate(tmp_path / "a.hdf5", b, suite=SUITE, seed=1, threads=1)
    assert one.scores == two.scores
    assert one.histograms == two.histograms
    assert one.images == two.images
    assert one.examples == two.examples
    assert two.generated.sha256 == open_showers(tmp_path / "a.hdf5").digest()
    other = evaluate(a, b, suite=SUITE, seed=2, threads=1)
    assert other.scores[0].value != one.scores[0].value


def test_chunks_change_nothing(toy, tmp_path, monkeypatch):
    write_showers(tmp_path / "a.hdf5", toy(300, seed=1))
    file = open_showers(tmp_path / "a.hdf5")
    whole = evaluate(file, toy(300, seed=2), suite=SUITE, seed=1, threads=1)
    monkeypatch.setattr(type(file), "_step", lambda _: 7)
    parts = evaluate(file, toy(300, seed=2), suite=SUITE, seed=1, threads=1)
    assert whole.scores == parts.scores
    assert whole.examples == parts.examples


def test_weight_two_is_seen_twice(toy):
    showers, reference = toy(300, seed=1), toy(300, seed=2)
    weight = np.random.default_rng(0).integers(0, 3, 300)
    repeated = showers.select(np.repeat(np.arange(300), weight))
    weighted = dataclasses.replace(showers, weight=weight.astype(float))
    a, b = (evaluate(s, reference, suite=BARE, seed=0) for s in (weighted, repeated))
    for x, y in zip(a.histograms, b.histograms, strict=True):
        np.testing.assert_allclose(x.generated, y.generated)
        assert x.separation.value == pytest.approx(y.separation.value)
    for x, y in zip(a.images, b.images, strict=True):
        np.testing.assert_allclose(x.generated, y.generated)
    assert a.scores[0].value != evaluate(showers, reference, suite=BARE, seed=0).scores[0].value


def test_the_threshold_cuts_both(toy):
    a, b = toy(200, seed=1), toy(200, seed=2)
    dim = changed(a, lambda e: np.copyto(e, 0.5, where=e < 1.0))
    one, two = (evaluate(s, b, suite=BARE, seed=0) for s in (a, dim))
    assert one.scores == two.scores
    assert one.threshold == 1.0
    high = evaluate(a, b, suite=BARE, seed=0, threshold=100.0)
    assert high.threshold == 100.0
    assert high.scores != one.scores


def test_an_independent_reference_gives_the_floors(toy):
    found = evaluate(
        toy(200, seed=1), toy(200, seed=2), suite=BARE, seed=0, independent=toy(200, seed=3)
    )
    assert "independent" in found.scores[0].floor_from


def test_a_limit_draws_showers(toy):
    task = SUITE.classifiers[0].updated(limit=100)
    suite = SUITE.updated(classifiers=[task.to_dict()])
    found = evaluate(toy(300, seed=1), toy(300, seed=2), suite=suite, seed=0, threads=1)
    assert "about 20 reference" in found.scores[0].protocol


def test_overlap_with_the_training_is_refused(toy, tmp_path):
    reference, generated, training = (toy(60, seed=s) for s in (1, 2, 3))
    checked = evaluate(generated, reference, suite=BARE, training=training)
    assert checked.overlap.startswith("no shared event among the 60 reference showers")
    assert checked.training.events == 60
    seen = VoxelShowers.concatenate([training, reference.select([5])])
    with pytest.raises(OverlapError, match="1 of 60"):
        evaluate(generated, reference, suite=BARE, training=seen)
    for keys, wrong in ((training.event_keys(), False), (seen.event_keys(), True)):
        path = tmp_path / "generated.hdf5"
        write_showers(path, generated, arrays={"training_keys": keys})
        if wrong:
            with pytest.raises(OverlapError, match="1 of 60"):
                evaluate(path, reference, suite=BARE)
        else:
            assert "60 keys" in evaluate(path, reference, suite=BARE).overlap


def test_a_reference_file_named_by_the_generated_one_is_refused(toy, tmp_path):
    write_showers(tmp_path / "r.hdf5", toy(60, seed=1))
    digest = open_showers(tmp_path / "r.hdf5").digest()
    generated = dataclasses.replace(
        toy(60, seed=2), provenance={"training_files": f"r.hdf5 sha256:{digest}"}
    )
    with pytest.raises(OverlapError, match="trained on"):
        evaluate(generated, tmp_path / "r.hdf5", suite=BARE)


def test_the_reference_itself_is_refused(toy):
    showers = toy(60, seed=1)
    with pytest.raises(OverlapError, match="60 of 60 generated"):
        evaluate(showers, showers, suite=BARE)


def test_bad_input_is_refused(toy, small, photons, tmp_path):
    a, b = toy(60, seed=1), toy(60, seed=2)
    with pytest.raises(ShapeError, match="same detector"):
        evaluate(toy(10, detector=photons), b, suite=BARE)
    with pytest.raises(RangeError, match="at least one shower"):
        evaluate(a.select(slice(0, 0)), b, suite=BARE)
    with pytest.raises(UnitError, match="GeV"):
        evaluate(changed(a, lambda e: np.divide(e, 1000, out=e)), b, suite=BARE)
    gev = dataclasses.replace(
        a, energies=a.energies / 1000, incident_energy=a.incident_energy / 1000
    )
    with pytest.raises(UnitError, match="GeV"):
        evaluate(gev, b, suite=BARE, threshold=0.0)
    far = dataclasses.replace(a, energies=a.energies * 70, incident_energy=a.incident_energy * 70)
    with pytest.raises(RangeError, match="do not overlap"):
        evaluate(far, b, suite=BARE)
    with pytest.raises(FileFormatError, match="not"):
        evaluate(changed(a, lambda e: np.copyto(e[:1], np.nan)), b, suite=BARE)
    with pytest.raises(RangeError, match="weights sum"):
        evaluate(dataclasses.replace(a, weight=-np.ones(60)), b, suite=BARE)
    with pytest.raises(UnknownNameError, match="quick"):
        evaluate(a, b, suite="quik")
    with pytest.raises(FileFormatError):
        evaluate(tmp_path / "none.hdf5", b, suite=BARE)


def test_other_incident_energies_are_warned_about(toy):
    a, b = toy(300, seed=1), toy(300, seed=2)
    soft = a.select(a.incident_energy < 8000)
    assert any("do not follow" in w for w in evaluate(soft, b, suite=BARE).warnings)
    assert not any("do not follow" in w for w in evaluate(a, b, suite=BARE).warnings)


def test_a_dead_layer_gives_the_largest_separation(toy, small):
    dead = changed(toy(100, seed=1), lambda e: np.copyto(e[:, small.slices[2]], 0))
    found = evaluate(dead, toy(100, seed=2), suite=BARE)
    assert found.score("separation/layer_energy/12").value == 1.0


def test_suites_are_values():
    assert suite_named("quick") == QUICK == Suite.from_dict(QUICK.to_dict())
    assert CHALLENGE.comparable
    for suite in SUITES.values():
        assert suite == Suite.from_dict(suite.to_dict())
        assert suite.comparable or "not comparable" in suite.label or suite.name == "calogan"
    for task in CHALLENGE.classifiers:
        assert task.classifier.updated(network="mlp") == ClassifierConfig()
        assert task.limit == 0


def test_a_suite_of_ones_own_in_a_few_lines(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("extends: calochallenge\nobservables: [layer_energy]\nclassifiers: []\n")
    mine = load_suite(path)
    assert (mine.name, mine.observables, mine.classifiers) == ("mine", ("layer_energy",), ())
    assert not mine.comparable
    assert "not comparable" in mine.label
    path.write_text("bootstap: 3\n")
    with pytest.raises(UnknownFieldError, match="bootstrap"):
        load_suite(path)
    path.write_text("extends: calochalenge\n")
    with pytest.raises(UnknownNameError, match="calochallenge"):
        load_suite(path)


def test_a_suite_fits_its_detector(toy, photons):
    assert {t.inputs for t in CHALLENGE.for_geometry(photons).classifiers} == {
        "low_level", "low_level_normed", "high_level"
    }  # fmt: skip
    with pytest.raises(ShapeError, match="calochallenge-2"):
        evaluate(toy(60, seed=1), toy(60, seed=2), suite="calochallenge-ds2")


@pytest.fixture(scope="module")
def everything(toy):
    suite = SUITE.updated(
        **{name: getattr(CHALLENGE, name) for name in ("observables", "distances")},
        regions=2,
        profiles=True,
        physics_distance=True,
        manifold=True,
        memorisation_limit=1000,
        classifiers=[SUITE.classifiers[1].to_dict()],
    )
    return evaluate(
        toy(500, seed=1),
        toy(500, seed=2),
        suite=suite,
        seed=3,
        threads=1,
        training=toy(800, seed=4),
    )


def test_a_whole_suite_measures_everything(everything):
    names = {s.name.partition("@")[0].partition("/")[0] for s in everything.scores}
    assert names >= {
        "auc", "auc_calibrated", "jsd", "fpd", "kpd", "precision", "recall", "density", "coverage",
        "memorisation", "separation", "wasserstein", "kolmogorov_smirnov",
    }  # fmt: skip
    assert all(s.cannot_see and s.protocol for s in everything.scores)
    assert Verdict.from_json(everything.to_json()) == everything
    assert {p.name for p in everything.profiles} >= {"longitudinal", "radial", "linearity"}
    assert everything.matrices
    assert everything.diagnoses[0].classifier == "high_level"
    assert everything.findings == ()


def test_every_kind_of_score_is_given_again_in_regions(everything):
    whole = {s.name for s in everything.scores if "@" not in s.name}
    regions = {s.region for s in everything.scores if "@" in s.name}
    assert len(regions) == 2
    assert all(r.startswith("incident energy") for r in regions)
    for kind in ("auc/high_level", "fpd", "kpd", "precision", "separation/layer_energy/1"):
        assert kind in whole
        assert {f"{kind}@energy-0", f"{kind}@energy-1"} <= {s.name for s in everything.scores}
    assert not any(s.comparable for s in everything.scores if "@" in s.name)


@pytest.mark.statistical
def test_equal_samples_stay_at_their_floors(everything):
    """Some 500 scores; skewed floors: none above 8 of its errors, few above 5."""
    above = [
        (s.value - s.floor) / s.floor_error
        for s in everything.scores
        if s.floor is not None and s.floor_error and s.name.startswith(("sep", "was", "kol"))
    ]
    assert max(above) < 8
    assert sum(a > 5 for a in above) <= 3


def test_workers_change_no_bit(toy, tmp_path):
    for name, seed in (("a", 1), ("b", 2)):
        write_showers(tmp_path / f"{name}.hdf5", toy(300, seed=seed))
    one, two = (
        evaluate(tmp_path / "a.hdf5", tmp_path / "b.hdf5", suite=BARE, seed=1, threads=1, workers=w)
        for w in (1, 2)
    )
    assert one.scores == two.scores
    assert one.histograms == two.histograms


def test_interrupted_work_resumes(toy, tmp_path, monkeypatch):
    settings = {"suite": SUITE, "seed": 1, "threads": 1, "folder": tmp_path}
    whole = evaluate(toy(300, seed=1), toy(300, seed=2), **settings)
    kept = sorted(tmp_path.iterdir())
    assert len(kept) == 4  # two classifiers, two retrainings each
    kept[0].unlink()
    assert evaluate(toy(300, seed=1), toy(300, seed=2), **settings).scores == whole.scores
    assert sorted(tmp_path.iterdir()) == kept


def test_copies_of_the_training_are_named(toy):
    training, clean = toy(300, seed=3), toy(300, seed=1)
    copied = VoxelShowers.concatenate([clean, training.select(slice(0, 3))])
    found = evaluate(copied, toy(300, seed=2), suite=BARE, training=training)
    assert "3 of 303 generated showers" in found.findings[0].sentence


def test_several_files_are_one_sample(toy, tmp_path):
    whole, parts = toy(300, seed=2), []
    for k in range(2):
        parts.append(tmp_path / f"{k}.hdf5")
        write_showers(parts[-1], whole.select(slice(150 * k, 150 * (k + 1))))
    one, two = (evaluate(toy(300, seed=1), r, suite=BARE, seed=0) for r in (whole, parts))
    assert one.scores == two.scores
    assert two.reference.name == "0.hdf5 + 1.hdf5"


def test_what_is_known_of_a_foreign_generator_may_be_stated(toy):
    about = About(ms_per_shower=2.5, hardware="A100", batch=100, parameters_generation=7)
    found = evaluate(toy(60, seed=1), toy(60, seed=2), suite=BARE, about=about)
    assert found.timing["ms_per_shower"] == 2.5
    assert found.timing["stated_by_hand"]
    assert found.size == {"generation": 7}


def test_many_models_compete_for_the_reference(toy):
    suite = SUITE.updated(classifiers=[SUITE.classifiers[1].to_dict()])
    with Judge(toy(200, seed=9), suite=suite, threads=1) as judge:
        found = {str(k): judge.verdict(toy(200, seed=k)) for k in range(3)}
        for name, verdict in judge.with_posteriors(found).items():
            score = verdict.score(f"log_posterior/{name}")
            assert -3 < score.value < 0
        pair = {name: found[name] for name in "01"}
        assert judge.with_posteriors(pair) == pair
