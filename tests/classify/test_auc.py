"""Areas under the curve: exact with ties and weights, with an honest error."""

import math

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from simulacra.classify import area_under_curve, auc_sample_error, roc_curve
from simulacra.errors import RangeError


def scores(seed, ties=True):
    rng = np.random.default_rng(seed)
    a, b = rng.normal(0.4, 1, 300), rng.normal(0, 1, 200)
    return (a.round(1), b.round(1)) if ties else (a, b)


def area_below(x, y):
    return ((x[1:] - x[:-1]) * (y[1:] + y[:-1]) / 2).sum()


def slow_auc(a, b, v=None, w=None):
    v, w = (np.ones(len(x)) if y is None else y for x, y in ((a, v), (b, w)))
    wins = (a[:, None] > b).astype(float) + 0.5 * (a[:, None] == b)
    return (v[:, None] * w * wins).sum() / (v.sum() * w.sum())


def test_hand_computed():
    # pairs: 1 > 0, 1 = 1 (half), 3 > 0, 3 > 1 -> 3.5 / 4
    assert area_under_curve(np.array([1, 3]), np.array([0, 1])) == pytest.approx(3.5 / 4)


@pytest.mark.parametrize("ties", [True, False])
def test_against_sklearn_and_the_slow_twin(ties):
    a, b = scores(0, ties)
    v, w = np.random.default_rng(1).random(300), np.random.default_rng(2).random(200)
    label = np.append(np.ones(300), np.zeros(200))
    for weights in ((None, None), (v, w)):
        joined = None if weights[0] is None else np.concatenate(weights)
        expected = roc_auc_score(label, np.concatenate([a, b]), sample_weight=joined)
        assert area_under_curve(a, b, *weights) == pytest.approx(expected, abs=1e-12)
        assert area_under_curve(a, b, *weights) == pytest.approx(slow_auc(a, b, *weights))


def test_negative_weights_and_weight_two():
    a, b = scores(0)
    v = np.random.default_rng(1).integers(0, 3, 300).astype(float)
    repeated = area_under_curve(np.repeat(a, v.astype(int)), b)
    assert area_under_curve(a, b, v) == pytest.approx(repeated)
    signed = np.where(np.arange(300) % 5 == 0, -1.0, 1.0)
    assert area_under_curve(a, b, signed) == pytest.approx(slow_auc(a, b, signed))
    with pytest.raises(RangeError, match="sum to"):
        area_under_curve(a, b, -np.ones(300))


def test_swapping_the_samples_mirrors_the_area():
    a, b = scores(3)
    assert area_under_curve(a, b) + area_under_curve(b, a) == pytest.approx(1)
    assert auc_sample_error(a, b) == pytest.approx(auc_sample_error(b, a))


@pytest.mark.statistical
def test_error_is_the_spread_of_new_samples():
    """600 samples: a standard deviation is known to 3 %; 15 % is 5 sigma (false alarm 1e-6)."""
    found, errors = [], []
    for seed in range(600):
        a, b = scores(seed, ties=False)
        found.append(area_under_curve(a, b))
        errors.append(auc_sample_error(a, b))
    assert np.std(found) == pytest.approx(np.mean(errors), rel=0.15)
    expected = 0.5 * (1 + math.erf(0.4 / 2))  # Phi(d / sqrt 2) for two unit normals d apart
    assert np.mean(found) == pytest.approx(expected, abs=5 * np.std(found) / np.sqrt(600))


def test_error_is_that_of_the_bootstrap_and_near_hanley_mcneil():
    a, b = scores(5, ties=False)
    rng = np.random.default_rng(0)
    drawn = [area_under_curve(rng.choice(a, 300), rng.choice(b, 200)) for _ in range(1000)]
    assert auc_sample_error(a, b) == pytest.approx(np.std(drawn), rel=0.12)
    area = area_under_curve(a, b)
    q, r = area / (2 - area), 2 * area**2 / (1 + area)
    n, m = len(a), len(b)
    variance = area * (1 - area) + (n - 1) * (q - area**2) + (m - 1) * (r - area**2)
    assert auc_sample_error(a, b) == pytest.approx(math.sqrt(variance / (n * m)), rel=0.1)


def test_weighted_error_of_equal_weights_is_the_unweighted_one():
    a, b = scores(5)
    weighted = auc_sample_error(a, b, np.full(300, 3.0), np.full(200, 0.1))
    assert weighted == pytest.approx(auc_sample_error(a, b))


def test_curve_encloses_the_area():
    a, b = scores(7, ties=False)
    x, y = roc_curve(a, b, points=10_000)
    assert (x[0], y[0], x[-1], y[-1]) == (0, 0, 1, 1)
    assert (np.diff(x) >= 0).all()
    assert area_below(x, y) == pytest.approx(area_under_curve(a, b), abs=1e-12)
    x, y = roc_curve(a, b, points=51)
    assert len(x) == 51
    assert area_below(x, y) == pytest.approx(area_under_curve(a, b), abs=0.01)
