"""The map equals the closed form; conditions are kept and obeyed; weights are."""

from __future__ import annotations

import numpy as np
import pytest

from simulacra.classify import FAST
from simulacra.errors import ConfigError, RangeError, ShapeError
from simulacra.tasks.refinement import Samples, Transport, TransportConfig, refine
from simulacra.tasks.refinement.closure import GaussianMap

TOY = GaussianMap(
    source=np.array([[1.0, 0.5], [0.5, 1.5]]),
    target=np.array([[2.0, -0.6], [-0.6, 0.7]]),
    mean=np.array([1.0, -0.5]),
)
QUICK = TransportConfig(steps=250, width=16, batch=512, learning_rate=1e-2, average=0.98)


def test_the_closed_form_moves_the_covariance() -> None:
    source, _ = TOY.draw(200_000, seed=1)
    moved = TOY(source)
    np.testing.assert_allclose(np.cov(moved.T), TOY.target, atol=0.02)
    np.testing.assert_allclose(moved.mean(axis=0), TOY.mean, atol=0.02)


@pytest.mark.slow
@pytest.mark.statistical
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_map_between_normal_laws_is_the_closed_form_to_two_percent(seed) -> None:
    """Root mean square distance over fresh events below 0.02 widths of the target.

    A map from the covariances of 100,000 events alone is 0.006 off.
    """
    found = Transport().fit(*TOY.draw(100_000, seed=seed), seed=seed)
    fresh, _ = TOY.draw(10_000, seed=seed + 100)
    moved, _ = found.refine(fresh)
    assert TOY.error(fresh, moved) < 0.02


@pytest.fixture(scope="module")
def quick() -> Transport:
    return Transport(QUICK).fit(*TOY.draw(20_000, seed=5), seed=1)


@pytest.mark.statistical
def test_a_short_training_comes_near(quick) -> None:
    """0.1 widths after 250 steps, where the source itself is 0.9 widths off."""
    fresh, _ = TOY.draw(5000, seed=6)
    assert TOY.error(fresh, quick.refine(fresh)[0]) < 0.1
    assert TOY.error(fresh, fresh) > 0.8


def test_weights_and_their_order_stay(quick) -> None:
    fresh, _ = TOY.draw(50, seed=6)
    weight = np.linspace(-1, 2, 50)
    moved, kept = quick.refine(fresh, weight)
    np.testing.assert_array_equal(kept, weight)
    one_by_one = np.concatenate([quick.refine(row[None])[0] for row in fresh])
    np.testing.assert_allclose(one_by_one, moved, rtol=1e-4, atol=1e-5)


@pytest.mark.statistical
def test_the_map_does_not_turn(quick) -> None:
    """A gradient's map is monotone: no two events pass each other, 0 of 5000 pairs."""
    a, b = (TOY.draw(5000, seed=s)[0] for s in (7, 8))
    width = np.diag(TOY.target)
    along = ((a - b) * (quick.refine(a)[0] - quick.refine(b)[0]) / width).sum(axis=1)
    assert (along >= -1e-5).all()


@pytest.mark.statistical
def test_a_curved_map_of_one_observable_is_the_one_of_quantiles() -> None:
    """Normal to log-normal: x goes to exp(x/2); 0.15 widths where the best line is 0.24 off."""
    rng = np.random.default_rng(1)
    source, target = rng.normal(size=(20_000, 1)), np.exp(rng.normal(size=(20_000, 1)) / 2)
    found = Transport(
        QUICK.updated(hidden=2, width=32, softness=0.3, steps=500, learning_rate=0.02)
    ).fit(source, target, seed=2)
    moved, _ = found.refine(source)
    true = np.exp(source / 2)
    line = np.polyval(np.polyfit(source[:, 0], true[:, 0], 1), source)
    error, of_line = (np.sqrt(np.mean((x - true) ** 2)) / true.std() for x in (moved, line))
    assert error < 0.15 < 0.2 < of_line


def by_condition(events, seed, moved):
    """N(0, 1), or N(c, (1 + c/2)^2), at c between -1 and 1."""
    rng = np.random.default_rng(seed)
    c, x = rng.uniform(-1, 1, events), rng.normal(size=events)
    return np.column_stack([c + (1 + c / 2) * x if moved else x, c])


@pytest.mark.statistical
def test_a_condition_is_obeyed_and_not_moved() -> None:
    """x goes to c + (1 + c/2) x; 0.1 widths where a map blind to c would be 0.6 off."""
    config = QUICK.updated(conditions=1, steps=400)
    found = Transport(config).fit(
        by_condition(20_000, 1, False), by_condition(20_000, 2, True), seed=1
    )
    fresh = by_condition(4000, 3, False)
    moved, _ = found.refine(fresh)
    np.testing.assert_array_equal(moved[:, 1], fresh[:, 1])
    x, c = fresh.T
    assert np.sqrt(np.mean((moved[:, 0] - (c + (1 + c / 2) * x)) ** 2)) < 0.1


@pytest.mark.statistical
def test_an_event_of_weight_two_counts_as_two() -> None:
    """Two lines of events, the upper one at weight 3: the target's mean is 1/2, not 0."""
    rng = np.random.default_rng(3)
    source = rng.normal(size=(10_000, 1))
    side = rng.integers(0, 2, 10_000) * 2.0 - 1
    target = (side + 0.5 * rng.normal(size=10_000))[:, None]
    found = Transport(QUICK).fit(source, target, None, np.where(side > 0, 3.0, 1.0), seed=1)
    assert found.refine(source)[0].mean() == pytest.approx(0.5, abs=0.05)


@pytest.mark.statistical
def test_moved_events_are_judged_like_weighted_ones(quick) -> None:
    """All events are kept, and the area falls from about 0.9 to 0.5 within four errors."""
    judge = FAST.updated(width=32, epochs=8, retrainings=5, threads=1)
    result = refine(Samples.of(*TOY.draw(6000, seed=9)), Transport(QUICK), judge=judge, seed=1)
    d = result.diagnosis
    assert d.auc_before > 0.8
    assert abs(d.auc_after - 0.5) < 4 * d.auc_after_error
    assert d.kept == 1
    assert result.settings == QUICK.to_dict()


def test_mistakes_are_one_sentence(quick) -> None:
    rows, _ = TOY.draw(100, seed=1)
    with pytest.raises(ConfigError, match="call `fit`"):
        Transport().refine(rows)
    with pytest.raises(ShapeError, match="2 conditions leave nothing to move of 2"):
        Transport(TransportConfig(conditions=2)).fit(rows, rows)
    with pytest.raises(RangeError, match="observable 1 of the target has no width"):
        Transport(QUICK).fit(rows, rows * [1, 0])
    with pytest.raises(ShapeError, match="expected 2 observables as learned, got 1"):
        quick.refine(rows[:, :1])
