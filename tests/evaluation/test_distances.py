"""Wasserstein and Kolmogorov-Smirnov: exact values, weights, errors and floors that are honest."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from simulacra.errors import RangeError, ShapeError
from simulacra.evaluation.metrics import (
    distances,
    kolmogorov_smirnov,
    kolmogorov_smirnov_distance,
    wasserstein,
    wasserstein_distance,
)


def normal(events, seed, shift=0.0):
    return np.random.default_rng(seed).normal(shift, 1, events)


def test_closed_forms():
    a = normal(1000, 0)
    assert wasserstein_distance(a, a + 0.25) == pytest.approx(0.25)
    assert wasserstein_distance(a, a) == kolmogorov_smirnov_distance(a, a) == 0
    # one of four events moved from 0 to 10: a quarter of the weight by 10
    four = np.array([0.0, 1.0, 2.0, 3.0])
    assert wasserstein_distance(four, np.array([10.0, 1.0, 2.0, 3.0])) == pytest.approx(2.5)
    assert kolmogorov_smirnov_distance(four, np.array([10.0, 1.0, 2.0, 3.0])) == 0.25
    assert kolmogorov_smirnov_distance(four, four + 9) == 1
    assert wasserstein_distance(np.ones(3), np.ones(5)) == 0


@pytest.mark.parametrize(("n", "m"), [(500, 500), (300, 700)])
def test_values_against_scipy(n, m):
    a, b = normal(n, 0), normal(m, 1, shift=0.2)
    assert wasserstein_distance(a, b) == pytest.approx(stats.wasserstein_distance(a, b))
    assert kolmogorov_smirnov_distance(a, b) == pytest.approx(stats.ks_2samp(a, b).statistic)
    rng = np.random.default_rng(2)
    u, v = rng.exponential(size=n), rng.exponential(size=m)
    expected = stats.wasserstein_distance(a, b, u, v)
    assert wasserstein_distance(a, b, u, v) == pytest.approx(expected)
    found = distances(a, b, seed=0, weight_reference=u, weight_generated=v)
    assert found.wasserstein.value == pytest.approx(expected)


@settings(max_examples=30, deadline=None)
@given(scale=st.floats(1e-3, 1e3), shift=st.floats(-1e3, 1e3), seed=st.integers(0, 100))
def test_another_unit_scales_one_and_leaves_the_other(scale, shift, seed):
    a, b = normal(60, seed), np.random.default_rng(seed + 1).exponential(size=40)
    first, second = distances(a, b, seed=3), distances(scale * a + shift, scale * b + shift, seed=3)
    for name in ("value", "error", "floor", "floor_error", "scale"):
        x = getattr(first.wasserstein, name)
        assert getattr(second.wasserstein, name) == pytest.approx(scale * x, rel=0.05)
    assert second.kolmogorov_smirnov.value == pytest.approx(first.kolmogorov_smirnov.value)
    assert second.wasserstein.relative == pytest.approx(first.wasserstein.relative, rel=1e-6)


def test_weight_two_is_seen_twice():
    rng = np.random.default_rng(0)
    a, b, w = rng.normal(size=400), normal(300, 1), rng.integers(0, 4, 400)
    repeated = np.repeat(a, w)
    for measure in (wasserstein_distance, kolmogorov_smirnov_distance):
        assert measure(a, b, w.astype(float)) == pytest.approx(measure(repeated, b))


def test_negative_weights_subtract_events():
    """Dirt with weights 1 and -1 at the same places leaves the pure sample, but more noise."""
    pure, other = normal(3000, 0), normal(3000, 1)
    dirt = np.random.default_rng(2).normal(2, 0.1, 1000)
    values = np.concatenate([pure, dirt, dirt])
    weight = np.concatenate([np.ones(4000), -np.ones(1000)])
    clean = distances(pure, other, seed=0)
    found = distances(values, other, seed=0, weight_reference=weight)
    assert found.wasserstein.value == pytest.approx(clean.wasserstein.value)
    assert found.kolmogorov_smirnov.value == pytest.approx(clean.kolmogorov_smirnov.value)
    assert found.wasserstein.floor > 1.1 * clean.wasserstein.floor


def test_nan_takes_no_part():
    a, b = normal(200, 0), normal(100, 1)
    with_nan = np.append(a, [np.nan, np.nan])
    assert distances(with_nan, b, seed=0) == distances(a, b, seed=0)


SAMPLES = {
    "normal": lambda rng, n: rng.normal(size=n),
    "exponential": lambda rng, n: rng.exponential(size=n).astype(np.float32),
    "discrete": lambda rng, n: rng.poisson(3, n).astype(float),
    "spike": lambda rng, n: np.where(rng.random(n) < 0.3, 0, rng.normal(size=n)),
}


@pytest.mark.statistical
@pytest.mark.parametrize("kind", SAMPLES)
@pytest.mark.parametrize(("n", "m", "weighted"), [(1000, 1000, False), (1000, 400, True)])
def test_perfect_samples_stand_on_their_floor(kind, n, m, weighted):
    """100 null comparisons: pulls from the floor have mean 0 within 0.5 and width 1 within 0.35.

    5 standard errors of the mean of 100 pulls are 0.5, 5 of their standard deviation 0.35 for
    normal pulls: false alarm below 1e-5 each. With 1/N instead of 1/sqrt(N) the mean is off by 1.
    """
    found = []
    for seed in range(100):
        rng = np.random.default_rng([seed, n])
        a, b = SAMPLES[kind](rng, n), SAMPLES[kind](rng, m)
        u, v = (rng.choice([-0.5, 1.0, 2.0], k) if weighted else None for k in (n, m))
        found.append(distances(a, b, seed=seed, repeats=40, weight_reference=u, weight_generated=v))
    for name in ("wasserstein", "kolmogorov_smirnov"):
        each = [getattr(f, name) for f in found]
        pulls = np.array([(c.value - c.floor) / c.floor_error for c in each])
        assert abs(pulls.mean()) < 0.5
        assert abs(pulls.std() - 1) < 0.35
        assert all(c.error >= c.floor_error for c in each)


@pytest.mark.statistical
def test_error_of_a_true_difference():
    """Stated and true spread for shifted normals agree within 30 % (5 sigma of 150 draws)."""
    found = [
        distances(normal(1000, 2 * s), normal(1000, 2 * s + 1, 0.3), seed=s, repeats=50)
        for s in range(150)
    ]
    for name in ("wasserstein", "kolmogorov_smirnov"):
        each = [getattr(f, name) for f in found]
        assert np.mean([c.error for c in each]) == pytest.approx(
            np.std([c.value for c in each]), rel=0.3
        )
    assert np.mean([f.wasserstein.value for f in found]) == pytest.approx(0.3, abs=0.02)


def test_independent_reference_gives_the_floor():
    a, b, c = normal(1000, 0), normal(500, 1), normal(250, 2)
    factor = np.sqrt((1 / 1000 + 1 / 500) / (1 / 1000 + 1 / 250))
    found = distances(a, b, seed=0, independent=c)
    assert found.wasserstein.floor == pytest.approx(wasserstein_distance(a, c) * factor)
    expected = kolmogorov_smirnov_distance(a, c) * factor
    assert found.kolmogorov_smirnov.floor == pytest.approx(expected)
    assert found.wasserstein.floor_from == (
        "250 independent reference showers, scaled by 1/sqrt(N) to 1000 against 500 (times 0.775)"
    )
    halves = distances(a, b, seed=0)
    assert "100 random halves of the 1000 reference showers" in halves.wasserstein.floor_from
    assert f"(times {np.sqrt(0.003 / 0.004):.3g})" in halves.wasserstein.floor_from


def test_same_seed_same_numbers_and_another_key_others():
    a, b = normal(300, 0), normal(300, 1)
    both = distances(a, b, seed=1)
    assert both == distances(a, b, seed=1)
    assert both.wasserstein == wasserstein(a, b, seed=1)
    assert both.kolmogorov_smirnov == kolmogorov_smirnov(a, b, seed=1)
    assert both.wasserstein.error != wasserstein(a, b, seed=1, key=1).error
    assert both.wasserstein.error != wasserstein(a, b, seed=2).error


def test_bad_input_is_refused():
    a = normal(10, 0)
    with pytest.raises(RangeError, match="takes part"):
        wasserstein_distance(a, np.full(3, np.nan))
    with pytest.raises(RangeError, match="not positive"):
        wasserstein_distance(a, a, -np.ones(10))
    with pytest.raises(RangeError, match="at least two"):
        distances(a[:1], a, seed=0)
    with pytest.raises(ShapeError, match="weight"):
        kolmogorov_smirnov_distance(a, a, np.ones(9))
