"""Weights equal the known ratio, and the result says what they cost."""

from __future__ import annotations

import numpy as np
import pytest

from simulacra.artifact import load_artifact
from simulacra.classify import FAST, RatioConfig
from simulacra.data.weights import effective_events
from simulacra.errors import ArtifactError, ConfigError, RangeError, ShapeError
from simulacra.tasks.refinement import (
    Refinement,
    Reweighter,
    ReweighterConfig,
    Samples,
    refine,
)
from simulacra.tasks.refinement.closure import GaussianShift

QUICK = ReweighterConfig(ratio=RatioConfig(width=32, hidden=2, epochs=20, networks=2, threads=1))
JUDGE = FAST.updated(width=32, epochs=8, retrainings=5, threads=1)
TOY = GaussianShift(0.6)


@pytest.fixture(scope="module")
def result() -> Refinement:
    source, target = TOY.draw(8000, seed=1)
    method = Reweighter(QUICK)
    return refine(Samples.of(source, target), method, names=("a", "b"), judge=JUDGE, seed=2)


@pytest.mark.statistical
def test_log_weights_are_the_closed_form(result) -> None:
    """Root mean square error of ln w 0.08 at this seed; 0.15 leaves a factor of two."""
    true = TOY.log_ratio(result.samples.source)
    assert np.sqrt(np.mean((np.log(result.weights) - true) ** 2)) < 0.15
    assert result.weights.mean() == pytest.approx(1, abs=0.05)


def test_the_diagnosis_is_of_the_events_that_were_not_learned_from(result) -> None:
    d = result.diagnosis
    assert (d.events, d.target_events) == (4000, 4000)
    assert d.effective == pytest.approx(effective_events(result.weights))
    assert abs(d.auc_after - 0.5) < abs(d.auc_before - 0.5) / 3
    assert d.kept == pytest.approx(TOY.kept, rel=0.1)
    assert d.uncovered == 0


def test_weights_of_the_source_multiply(result) -> None:
    source, target = TOY.draw(400, seed=3)
    method = Reweighter(QUICK).fit(source, target)
    before = np.linspace(-1, 2, 400)
    np.testing.assert_allclose(
        method.predict_weights(source, before), before * method.predict_weights(source)
    )
    assert len(method.predict_weights(source[:1])) == 1


@pytest.mark.statistical
def test_an_event_of_weight_two_counts_as_two() -> None:
    """A target half of whose events have weight 3 against a target drawn with those odds."""
    rng = np.random.default_rng(4)
    source = rng.integers(0, 2, (6000, 1)) + 0.0
    target = rng.integers(0, 2, (6000, 1)) + 0.0
    weight = np.where(target[:, 0] > 0, 3.0, 1.0)
    found = Reweighter(QUICK).fit(source, target, None, weight, seed=1)
    low, high = found.predict_weights(np.array([[0.0], [1.0]]))
    assert (low, high) == (pytest.approx(0.5, rel=0.07), pytest.approx(1.5, rel=0.07))


def test_factors_are_cut_at_the_largest() -> None:
    source, target = GaussianShift(2.0).draw(2000, seed=1)
    cut = QUICK.updated(largest=3.0)
    weights = Reweighter(cut).fit(source, target).predict_weights(target)
    assert weights.max() == pytest.approx(3.0)
    assert (weights < 3.0).any()


def test_the_same_seed_gives_the_same_weights() -> None:
    source, target = TOY.draw(400, seed=3)
    one, two, other = (
        Reweighter(QUICK).fit(source, target, seed=s).predict_weights(source) for s in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, two)
    assert not np.array_equal(one, other)


def test_a_saved_reweighter_gives_the_same_weights(tmp_path) -> None:
    source, target = TOY.draw(400, seed=3)
    method = Reweighter(QUICK).fit(source, target)
    loaded = Reweighter.load(method.save(tmp_path / "weights"))
    assert loaded.config == QUICK
    np.testing.assert_array_equal(loaded.predict_weights(source), method.predict_weights(source))


def test_a_saved_result_is_the_same(result, tmp_path) -> None:
    loaded = Refinement.load(result.save(tmp_path / "result"))
    assert loaded.diagnosis == result.diagnosis
    assert (loaded.names, loaded.settings) == (("a", "b"), QUICK.to_dict())
    np.testing.assert_array_equal(loaded.weights, result.weights)
    np.testing.assert_array_equal(loaded.samples.target, result.samples.target)
    scores = {s["label"]: s["value"] for s in load_artifact(tmp_path / "result").manifest["scores"]}
    assert scores["AUC after"] == result.diagnosis.auc_after
    assert "effective events" in (tmp_path / "result" / "card.md").read_text()


def test_other_folders_are_refused(result, tmp_path) -> None:
    result.save(tmp_path / "result")
    with pytest.raises(ArtifactError, match="expected a reweighter, found refinement"):
        Reweighter.load(tmp_path / "result")
    source, target = TOY.draw(100, seed=3)
    Reweighter(QUICK).fit(source, target).save(tmp_path / "weights")
    with pytest.raises(ArtifactError, match="expected a refinement, found reweighter"):
        Refinement.load(tmp_path / "weights")


def test_a_picture_shows_the_three_and_the_three_numbers(result) -> None:
    figure = result.plot("b", bins=20)
    above, below = figure.axes
    assert [text.get_text() for text in above.get_legend().get_texts()] == [
        "target",
        "source",
        "reweighting",
    ]
    assert below.get_xlabel() == "b"
    assert "effective" in above.get_title()
    with pytest.raises(RangeError, match="expected a name or number of a, b"):
        result.plot("c")
    with pytest.raises(RangeError, match="expected a name or number of a, b"):
        result.plot(2)


def test_mistakes_are_one_sentence() -> None:
    with pytest.raises(ConfigError, match="call `fit`"):
        Reweighter().predict_weights(np.ones((3, 1)))
    source, target = TOY.draw(100, seed=3)
    with pytest.raises(ShapeError, match="names: expected one for each of 2"):
        refine(Samples.of(source, target), Reweighter(QUICK), names=("a",))
    method = Reweighter(QUICK).fit(source, target)
    with pytest.raises(ShapeError, match="source weights"):
        method.predict_weights(source, np.ones(3))
    with pytest.raises(RangeError, match="not a finite number"):
        method.predict_weights(source * np.nan)
