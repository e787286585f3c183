"""Isotonic calibration and the divergence: scikit-learn, the challenge's steps, closed forms."""

import math

import numpy as np
import pytest
from sklearn.isotonic import IsotonicRegression
from sklearn.metrics import log_loss

from simulacra.classify import calibrate, jensen_shannon
from simulacra.classify.calibration import EDGE, null_jensen_shannon


def scored(events, seed, ties=False):
    """Scores whose true probability of label 1 is the score squared."""
    rng = np.random.default_rng(seed)
    scores = rng.random(events).round(2) if ties else rng.random(events)
    return scores, (rng.random(events) < scores**2).astype(float)


@pytest.mark.parametrize("ties", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
def test_it_is_that_of_scikit_learn(ties, weighted):
    scores, label = scored(400, 0, ties)
    weight = np.random.default_rng(1).random(400) if weighted else None
    theirs = IsotonicRegression(out_of_bounds="clip", y_min=1e-6, y_max=1 - 1e-6)
    theirs.fit(scores, label, sample_weight=weight)
    asked = np.concatenate([np.linspace(-0.1, 1.1, 500), scores])
    np.testing.assert_allclose(
        calibrate(scores, label, weight)(asked), theirs.predict(asked), atol=1e-12
    )


def test_the_challenges_final_steps():
    """Fit on one set, rescale another, BCE in nats, JSD = 1 - BCE / ln 2."""
    scores, label = scored(1000, 0)
    unseen, truth = scored(800, 1)
    rescaled = calibrate(scores, label)(unseen)
    weight = np.where(truth == 1, 0.5 / truth.sum(), 0.5 / (1 - truth).sum())
    expected = 1 - log_loss(truth, rescaled, sample_weight=weight) / math.log(2)
    found, error = jensen_shannon(rescaled[truth == 1], rescaled[truth == 0])
    assert found == pytest.approx(expected, rel=1e-12)
    assert 0 < error < 0.1


def test_probabilities_rise_and_keep_away_from_the_edges():
    fitted = calibrate(np.array([0.1, 0.2, 0.9]), np.array([0.0, 0.0, 1.0]))
    assert fitted(np.array([-1.0, 2.0])) == pytest.approx([EDGE, 1 - EDGE])
    assert (np.diff(fitted(np.linspace(0, 1, 50))) >= 0).all()


def test_weight_two_is_seen_twice():
    scores, label = scored(300, 3)
    weight = np.random.default_rng(1).integers(1, 4, 300)
    twice = calibrate(np.repeat(scores, weight), np.repeat(label, weight))
    asked = np.linspace(0, 1, 99)
    np.testing.assert_allclose(calibrate(scores, label, weight)(asked), twice(asked), atol=1e-12)


@pytest.mark.statistical
def test_negative_weights_take_events_away():
    """20,000 clean events, 4,000 wrong ones and as many with weight -1: the curve is s^2 again.

    A group of 50 has an error of 0.07 or less; 200 points within 0.15 of the truth, mean 0.01.
    """
    scores, label = scored(20_000, 0)
    rng = np.random.default_rng(1)
    dirt = rng.random(8_000)
    every = np.concatenate([scores, dirt])
    labels = np.concatenate([label, np.zeros(8_000)])
    weight = np.concatenate([np.ones(24_000), -np.ones(4_000)])
    asked = np.linspace(0.05, 0.95, 200)
    found = calibrate(every, labels, weight)(asked)
    assert np.abs(found - asked**2).max() < 0.15
    assert abs(np.mean(found - asked**2)) < 0.02
    assert np.mean(calibrate(every, labels)(asked) - asked**2) < -0.03


@pytest.mark.statistical
def test_the_divergence_of_two_gaussians():
    """With the exact probabilities the mean is the Jensen-Shannon divergence by quadrature."""
    x = np.linspace(-10, 11, 20_001)
    p, q = (np.exp(-((x - m) ** 2) / 2) / math.sqrt(2 * math.pi) for m in (1, 0))
    m = (p + q) / 2
    terms = p * np.log2(p / m) / 2 + q * np.log2(q / m) / 2
    exact = float(np.sum(terms) * (x[1] - x[0]))
    rng = np.random.default_rng(0)
    first, second = rng.normal(1, 1, 20_000), rng.normal(0, 1, 20_000)
    found, error = jensen_shannon(*(1 / (1 + np.exp(0.5 - s)) for s in (first, second)))
    assert abs(found - exact) < 4.5 * error
    assert error < 0.01
    assert jensen_shannon(np.full(3, 0.5), np.full(2, 0.5))[0] == pytest.approx(0)
    assert jensen_shannon(np.full(3, 1.0), np.full(2, 1e-300))[0] == pytest.approx(1)


@pytest.mark.statistical
def test_the_floor_is_what_equal_samples_show():
    """60 null comparisons: their mean within 5 errors of the stated floor."""
    floor, spread = null_jensen_shannon((200, 200), [(200, 200)], seed=0, repeats=200)[0]
    rng, found = np.random.default_rng(0), []
    for _ in range(60):
        fitted = calibrate(rng.normal(size=400), np.repeat([1.0, 0.0], 200))
        found.append(jensen_shannon(*(fitted(rng.normal(size=200)) for _ in range(2)))[0])
    assert abs(np.mean(found) - floor) < 5 * spread * math.sqrt(1 / 60 + 1 / 200)
    assert floor < 0
