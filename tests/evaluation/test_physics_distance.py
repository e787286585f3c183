"""Fréchet and kernel physics distance: exact, official, weighted, and honest about chance."""

import math

import numpy as np
import pytest
from scipy import linalg, optimize

from simulacra.errors import RangeError, ShapeError
from simulacra.evaluation.metrics import kernel_distance, moments
from simulacra.evaluation.metrics.kernel_distance import KernelSettings, kernel_physics_distance
from simulacra.evaluation.metrics.moments import drawn_moments, frechet_distance
from simulacra.evaluation.metrics.physics_distance import (
    FrechetSettings,
    _exact_fit,
    _official_fit,
    frechet_physics_distance,
)

QUICK = FrechetSettings(smallest=200, largest=1000, points=5, batches=4, halves=10)


def toy(events, features, seed, stretch=1.0):
    """Correlated features, one that is not normal, one that is always 0."""
    normal = np.random.default_rng(seed).normal(size=(events, features))
    mixed = normal @ np.random.default_rng(99).normal(size=(features, features)) * stretch
    return np.column_stack([mixed, np.exp(0.3 * normal[:, 0]), np.zeros(events)])


def normals(events, seed, shift=0.0):
    x = np.random.default_rng(seed).normal(1, 0.3, (events, 3))
    x[:, 0] += shift
    return x


# The Fréchet distance of normal distributions


def test_closed_forms():
    """(mu, sigma) of one dimension: (mu_a - mu_b)² + (sigma_a - sigma_b)²."""
    one = np.eye(1)
    assert frechet_distance(np.zeros(1), one, np.array([3.0]), 4 * one) == pytest.approx(10)
    a, b = np.diag([1.0, 4.0]), np.diag([9.0, 16.0])
    assert frechet_distance(np.zeros(2), a, np.zeros(2), b) == pytest.approx(4 + 4)
    turn = np.array([[0.6, -0.8], [0.8, 0.6]])
    turned = [turn @ c @ turn.T for c in (a, b)]
    assert frechet_distance(np.zeros(2), turned[0], np.zeros(2), turned[1]) == pytest.approx(8)


@pytest.mark.filterwarnings("ignore:Matrix is singular")
def test_against_the_root_of_the_product():
    x, y = toy(500, 8, 0)[:, :9], toy(400, 8, 1)[:, :9]
    a, b = np.cov(x, rowvar=False), np.cov(y, rowvar=False)
    root = np.trace(np.real(linalg.sqrtm(a @ b)))
    expected = np.trace(a) + np.trace(b) - 2 * root
    assert frechet_distance(np.zeros(9), a, np.zeros(9), b) == pytest.approx(expected, rel=1e-10)


def test_singular_covariances_are_exact():
    """Two lines in a plane at an angle: tr = 1 + 4 - 2 * 1 * 2 * |cos|."""
    u, v = np.array([1.0, 0.0]), np.array([0.6, 0.8])
    a, b = np.outer(u, u), 4 * np.outer(v, v)
    found = frechet_distance(np.zeros(2), a, np.zeros(2), b)
    assert found == pytest.approx(1 + 4 - 4 * 0.6, abs=1e-12)
    assert frechet_distance(u, a, u, a) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("features", [3, 60])
def test_moments_of_draws_are_those_of_drawn_samples(features):
    """Both ways, against events gathered one by one; 60 features take the other path."""
    values = toy(700, features, 0) + 5
    rng = np.random.default_rng(1)
    draws = [rng.integers(0, 700, n).astype(np.int32) for n in (50, 700, 3000)]
    for drawn, (mean, covariance) in zip(draws, drawn_moments(values, draws), strict=True):
        np.testing.assert_allclose(mean, values[drawn].mean(0), rtol=1e-12, atol=1e-13)
        expected = np.cov(values[drawn], rowvar=False)
        np.testing.assert_allclose(covariance, expected, rtol=1e-10, atol=1e-12)


def test_many_events_take_the_path_without_counts(monkeypatch):
    values, draws = toy(300, 3, 0), [np.arange(0, 300, 2), np.arange(100)]
    few = list(drawn_moments(values, draws))
    monkeypatch.setattr(moments, "_PAIRED_COUNTS", 100)
    for (mean, covariance), other in zip(few, drawn_moments(values, draws), strict=True):
        np.testing.assert_allclose(mean, other[0], rtol=1e-12)
        np.testing.assert_allclose(covariance, other[1], rtol=1e-10, atol=1e-12)


# FPD


def slow_frechet(x, y, settings):
    """The protocol in words of one line each; draws are those of the official program."""
    scale = np.abs(x).max(0)
    scale[scale == 0] = 1
    rng, means = np.random.default_rng(settings.seed), []
    for size in settings.sizes:
        found = []
        for _ in range(settings.batches):
            first, second = x[rng.choice(len(x), size)], y[rng.choice(len(y), size)]
            a, b = first / scale, second / scale
            c, d = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
            root = np.trace(np.real(linalg.sqrtm(c @ d)))
            shift = ((a.mean(0) - b.mean(0)) ** 2).sum()
            found.append(shift + np.trace(c) + np.trace(d) - 2 * root)
        means.append(np.mean(found))
    return np.array(means)


def test_against_the_slow_twin():
    x, y = toy(400, 4, 0)[:, :5], toy(300, 4, 1, 1.2)[:, :5]
    found = frechet_physics_distance(x, y, settings=QUICK)
    assert found.sizes == (200, 250, 333, 500, 1000)
    np.testing.assert_allclose(found.means, slow_frechet(x, y, QUICK), rtol=1e-9)
    line = np.polyfit(1 / QUICK.sizes, found.means, 1)
    assert (found.exact_slope, found.exact_value) == pytest.approx(tuple(line), rel=1e-9)


@pytest.mark.reference
@pytest.mark.parametrize(
    ("features", "events", "stretch", "fpd", "kpd"),
    [
        (5, 1500, 1.1, (0.005244743612225569, 8.683542e-05), (0.000782306167419, 8.974016426e-05)),
        (5, 1500, 1.0, (0.0010870783758700473, 3.491338e-05), (0.00041937383519, 8.79565824e-05)),
        (60, 900, 1.05, (0.1391337256581625, 0.00031985211), (0.00116875459650, 0.000212958427)),
    ],
)
def test_the_official_program_says_the_same(features, events, stretch, fpd, kpd):
    """Made with jetnet 0.2.5's gen_metrics (numpy 2.4.6, scipy 1.17.1, numba 0.68.1):

    ``fpd(a, b, min_samples=10000)``, ``kpd(a, b, batch_size=10000)`` (1000 for 60 features).
    """
    a, b = toy(events, features, 1), toy(events + 200, features, 2, stretch)
    found = frechet_physics_distance(a, b)
    assert (found.value, found.error) == pytest.approx(fpd, rel=1e-6)
    batch = 10_000 if features == 5 else 1000
    found = kernel_physics_distance(a, b, settings=KernelSettings(batch_size=batch))
    assert (found.value, found.error) == pytest.approx(kpd, rel=1e-6)


def test_the_fit_at_its_bounds():
    """The true minimum with both parameters at least 0, against scipy's own."""
    sizes = FrechetSettings().sizes
    table = np.column_stack([np.ones(10), 1 / sizes])
    bumps = 1e-3 * np.cos(np.arange(10))
    for intercept, slope in ((0.01, 50), (0.01, -50), (-0.001, 50), (-0.01, -5)):
        points = intercept + slope / sizes + bumps
        expected = optimize.nnls(table, points)[0]
        assert _exact_fit(sizes, points)[:2] == pytest.approx(tuple(expected), rel=1e-9, abs=1e-12)


def test_the_official_fit_stops_early_for_small_distances():
    """So its intercept stands beside published ones, and the true minimum beside it."""
    sizes = FrechetSettings().sizes
    points = 1e-5 + 5 / sizes + 1e-6 * np.cos(np.arange(10))
    exact = _exact_fit(sizes, points)[0]
    assert exact == pytest.approx(1e-5, rel=0.2)
    assert _official_fit(sizes, points)[0] > exact + 1e-5
    points = 1e-2 + 100 / sizes + 1e-4 * np.cos(np.arange(10))
    assert _official_fit(sizes, points) == pytest.approx(_exact_fit(sizes, points)[::2], rel=1e-6)


def test_units_and_order_of_features_do_not_matter():
    x, y = normals(400, 0), normals(300, 1, 0.1)
    found = frechet_physics_distance(x, y, settings=QUICK)
    other = frechet_physics_distance(x[:, ::-1] * 1000, y[:, ::-1] * 1000, settings=QUICK)
    np.testing.assert_allclose(found.means, other.means, rtol=1e-9)
    assert kernel(x, y).value == pytest.approx(kernel(-5 * x, -5 * y).value, rel=1e-9)


def test_same_seed_same_bits_and_progress():
    x, y, seen = normals(300, 0), normals(300, 1), []
    first = frechet_physics_distance(x, y, settings=QUICK, progress=lambda *s: seen.append(s))
    assert first == frechet_physics_distance(x, y, settings=QUICK)
    assert seen[0] == (1, 20)
    assert seen[-1] == (20, 20)
    assert first != frechet_physics_distance(x, y, settings=QUICK.updated(seed=1))


@pytest.mark.statistical
def test_perfect_samples_stand_on_the_frechet_floor():
    """The pulls of 100 null comparisons, 300 against 600 showers, have mean 0 and width 1.

    Mean within 5 / sqrt(100) = 0.5, width within 35 % (5 standard deviations of that of 100
    draws): false alarm below 1e-5. Without the scaling by 1/N the mean is off by several units.
    """
    settings = QUICK.updated(smallest=100, largest=400)
    found = [
        frechet_physics_distance(normals(300, 2 * s), normals(600, 2 * s + 1), settings=settings)
        for s in range(100)
    ]
    pulls = np.array([(f.value - f.floor) / f.floor_error for f in found])
    assert abs(pulls.mean()) < 0.5
    assert abs(pulls.std() - 1) < 0.35
    assert "random halves" in found[0].floor_from


@pytest.mark.statistical
def test_sampling_error_of_a_true_difference():
    """Stated and true spread agree within 30 %, 5 standard deviations of those of 150 draws."""
    found = [
        frechet_physics_distance(normals(400, 2 * s), normals(400, 2 * s + 1, 0.1), settings=QUICK)
        for s in range(150)
    ]
    true = np.std([f.plug_in for f in found])
    assert np.mean([f.sampling_error for f in found]) == pytest.approx(true, rel=0.3)
    both = [math.hypot(f.sampling_error, f.exact_error) for f in found]
    assert np.mean(both) == pytest.approx(np.std([f.exact_value for f in found]), rel=0.3)


def test_independent_reference_gives_the_floor():
    x, y, z = normals(400, 0), normals(300, 1), normals(500, 2)
    found = frechet_physics_distance(x, y, settings=QUICK, independent=z)
    scale = np.abs(x).max(0)
    first, second = (moments.moments(s / scale) for s in (x, z))
    floor = frechet_distance(*first, *second) * (1 / 400 + 1 / 300) / (1 / 400 + 1 / 500)
    points = np.array(found.means) - found.plug_in + floor
    assert found.floor == _official_fit(QUICK.sizes, points)[0]
    assert "independent" in found.floor_from


# KPD


def kernel(x, y, **settings):
    settings = {"batch_size": 150, "batches": 4} | settings
    return kernel_physics_distance(x, y, settings=KernelSettings(**settings))


@pytest.mark.parametrize("features", [2, 40])
def test_against_the_kernel_matrix(features):
    """Few features by moments, many by blocks, both against the definition."""
    x, y = toy(200, features, 0), toy(250, features, 1, 1.3)
    found = kernel(x, y)
    scale = np.abs(x).max(0)
    scale[scale == 0] = 1
    for number, value in enumerate(found.batches):
        rng = np.random.default_rng(42 + 1000 * number)
        a, b = x[rng.choice(200, 150)] / scale, y[rng.choice(250, 150)] / scale
        xx, yy, xy = ((p @ q.T / p.shape[1] + 1) ** 4 for p, q in ((a, a), (b, b), (a, b)))
        same = sum((k.sum() - np.trace(k)) / (150 * 149) for k in (xx, yy))
        assert value == pytest.approx(same - 2 * xy.mean(), rel=1e-9, abs=1e-12)
    assert found.value == np.median(found.batches)


def test_moments_and_blocks_agree(monkeypatch):
    monkeypatch.setattr(kernel_distance, "_ROWS", 64)
    samples = [(toy(200, 4, s), np.random.default_rng(s).integers(1, 4, 200) * 1.0) for s in (0, 1)]
    first = kernel_distance._by_moments(*samples, 300)
    np.testing.assert_allclose(first, kernel_distance._by_blocks(*samples, 300), rtol=1e-11)


@pytest.mark.statistical
def test_perfect_samples_stand_on_the_kernel_floor():
    """As for the Fréchet distance, 200 null comparisons of 60 against 120 showers.

    The median of 10 skew batches is not quite their mean: a shift of 0.3 is allowed, which is
    4 standard errors; the width within 30 % (5 standard deviations).
    """
    found = [
        kernel(normals(60, 2 * s), normals(120, 2 * s + 1), batch_size=400, batches=10)
        for s in range(200)
    ]
    pulls = np.array([(np.mean(f.batches) - f.floor) / f.floor_error for f in found])
    assert abs(pulls.mean()) < 0.3
    assert abs(pulls.std() - 1) < 0.3
    assert np.mean([f.floor for f in found]) > 0


def test_kernel_progress():
    seen = []
    settings = KernelSettings(batch_size=20, batches=3)
    x = normals(50, 0)
    kernel_physics_distance(x, x + 0.1, settings=settings, progress=lambda *s: seen.append(s))
    assert seen == [(1, 3), (2, 3), (3, 3)]


# Weights and bad input


def test_an_event_of_weight_0_is_never_drawn():
    x, y = normals(300, 0), normals(200, 1)
    wild = np.concatenate([x, np.full((50, 3), 0.5)])
    weight = np.concatenate([np.ones(300), np.zeros(50)])
    found = frechet_physics_distance(wild, y, settings=QUICK, weight_reference=weight)
    plain = frechet_physics_distance(x, y, settings=QUICK)
    assert found.plug_in == pytest.approx(plain.plug_in, rel=1e-9)
    assert found.value == pytest.approx(plain.value, abs=6 * plain.floor_error)
    found = kernel_physics_distance(
        wild, y, weight_reference=weight, settings=KernelSettings(batch_size=500)
    )
    assert (
        abs(found.value - kernel(x, y, batch_size=500, batches=10).value) < 6 * found.median_error
    )


@pytest.mark.statistical
def test_weight_two_is_seen_twice():
    """Same distances for weights and for copies, within 6 of their errors (false alarm 1e-8)."""
    x, y = normals(600, 0), normals(400, 1, 0.2)
    weight = np.where(x[:, 0] > 1, 2.0, 1.0)
    copies = np.repeat(x, weight.astype(int), axis=0)
    a = frechet_physics_distance(y, x, settings=QUICK, weight_generated=weight)
    b = frechet_physics_distance(y, copies, settings=QUICK)
    assert a.plug_in == pytest.approx(b.plug_in, rel=0.01)
    assert abs(a.exact_value - b.exact_value) < 6 * math.hypot(a.exact_error, b.exact_error)
    plain = frechet_physics_distance(y, x, settings=QUICK)
    assert abs(a.plug_in - plain.plug_in) > 0.05 * plain.plug_in
    c = kernel_physics_distance(
        y, x, weight_generated=weight, settings=KernelSettings(batch_size=500)
    )
    d = kernel_physics_distance(y, copies, settings=KernelSettings(batch_size=500))
    assert abs(c.value - d.value) < 6 * math.hypot(c.median_error, d.median_error)


@pytest.mark.parametrize("distance", [frechet_physics_distance, kernel_physics_distance])
def test_bad_input_is_refused(distance):
    x = normals(50, 0)
    with pytest.raises(ShapeError, match="equal columns"):
        distance(x, x[:, :2])
    with pytest.raises(RangeError, match="not finite"):
        distance(x, np.where(x > 1.2, np.nan, x))
    with pytest.raises(RangeError, match="at least two"):
        distance(x, x[:1])
    with pytest.raises(RangeError, match="less often than never"):
        distance(x, x, weight_generated=np.linspace(-1, 5, 50))
    with pytest.raises(ShapeError, match="weight"):
        distance(x, x, weight_reference=np.ones(49))
