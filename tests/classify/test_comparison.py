"""Areas after calibration and the divergence reach what the best classifier can."""

import math

import numpy as np
import pytest

from simulacra.classify import ClassifierConfig, area_under_curve, store_rows, tell_apart
from simulacra.errors import RangeError, ShapeError

TINY = ClassifierConfig(
    width=16, hidden=2, epochs=12, batch=100, learning_rate=3e-3, threads=1, precision="float32"
)


def normals(events, shift, seed, features=3):
    x = np.random.default_rng(seed).normal(size=(events, features))
    x[:, 0] += shift
    return x


@pytest.fixture(scope="module")
def found():
    return tell_apart(
        normals(3000, 1, 0, 1), normals(3000, 0, 1, 1), TINY.updated(standardise=True), seed=0
    )


@pytest.mark.statistical
def test_the_best_classifier_of_two_gaussians(found):
    """AUC = Phi(1 / sqrt 2) = 0.7602; divergence 0.1633 bits; within 4.5 stated errors."""
    areas = found.areas
    expected = 0.5 * (1 + math.erf(0.5))
    assert abs(areas.auc - expected) < 4.5 * areas.error
    assert abs(areas.auc_calibrated - expected) < 4.5 * areas.calibrated_error
    assert abs(areas.jsd - 0.1633) < 4.5 * areas.jsd_error
    assert areas.jsd_error < 0.03
    assert areas.jsd < 0.1633 + 4.5 * areas.jsd_sample_error
    assert np.abs(np.subtract(areas.fold_aucs, areas.fold_calibrated)).max() < 0.005


@pytest.mark.statistical
def test_calibrated_scores_are_probabilities(found):
    """In five bins of 1200 unseen events the fraction of the first sample is within 0.07."""
    p = np.concatenate([found.calibrated_first, found.calibrated_second])
    label = np.repeat([1, 0], 3000)
    for part in np.array_split(np.argsort(p), 5):
        assert abs(label[part].mean() - p[part].mean()) < 0.07


def test_the_pooled_area_is_that_of_all_unseen_events(found):
    pooled = area_under_curve(found.scores_first, found.scores_second)
    assert found.auc == pytest.approx(pooled, abs=1e-12)


def test_a_second_rotation_is_averaged():
    a, b = normals(300, 1, 0), normals(300, 0, 1)
    config = TINY.updated(epochs=2)
    ten = tell_apart(a, b, config.updated(retrainings=10), seed=0)
    five = tell_apart(a, b, config, seed=0)
    assert ten.areas.fold_aucs[:5] == five.areas.fold_aucs
    scores = [
        np.concatenate([one.scores[k] for one in ten.scored[5:]]) for k in (0, 1)
    ]  # fmt: skip
    assert ten.auc == pytest.approx((five.auc + area_under_curve(*scores)) / 2)
    assert ten.areas.null_error == pytest.approx(five.areas.null_error)


def test_a_region_is_its_own_events(found):
    inside = (normals(3000, 1, 0, 1)[:, 0] > 0, normals(3000, 0, 1, 1)[:, 0] > 0)
    here = found.within(*inside)
    scores = found.scores_first[inside[0]], found.scores_second[inside[1]]
    assert here.auc == pytest.approx(area_under_curve(*scores), abs=1e-12)
    assert here.auc < found.auc
    assert here.null_error > found.areas.null_error
    everything = found.within(np.ones(3000, bool), np.ones(3000, bool))
    assert everything == found.areas
    with pytest.raises(RangeError):
        found.within(np.zeros(3000, bool), np.ones(3000, bool))


@pytest.mark.statistical
def test_equal_samples_stand_at_their_floors():
    """Six null comparisons: areas within 4.5 errors, divergences within 5 of the floor."""
    for seed in range(6):
        null = tell_apart(normals(600, 0, 2 * seed), normals(500, 0, 2 * seed + 1), TINY, seed=seed)
        assert abs(null.areas.auc_calibrated - 0.5) < 4.5 * null.areas.null_error
        floor, error = null.jsd_floors([null.areas])[0]
        assert abs(null.areas.jsd - floor) < 5 * error


def test_stored_rows_are_rows():
    a, b = normals(100, 1, 0), normals(80, 0, 1)
    config = TINY.updated(epochs=2, standardise=True)
    plain = tell_apart(a, b, config, seed=0)
    for limits in ((0, 1 << 30), (0, 0)):
        rows = store_rows(
            [a[:33], a[33:], b], 180, 3, dense_limit=limits[0], memory_limit=limits[1]
        )
        packed = tell_apart(rows, 80, config, seed=0)
        assert packed.scores_first.tobytes() == plain.scores_first.tobytes()
    with pytest.raises(ShapeError, match="stored rows need"):
        tell_apart(rows, b, config, seed=0)
    with pytest.raises(ShapeError, match="got a number"):
        tell_apart(a, 3, config, seed=0)
