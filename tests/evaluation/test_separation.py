"""Separation power: exact values, weights, errors and floors that are honest."""

import numpy as np
import pytest
from scipy import stats

from simulacra.errors import RangeError, ShapeError
from simulacra.evaluation.metrics import (
    BinnedEvents,
    incident_energy_mismatch,
    separation,
    separation_power,
)

EDGES = np.linspace(-2, 2, 21)


def normal(events, seed, shift=0.0, weight=None, edges=EDGES):
    values = np.random.default_rng(seed).normal(shift, 1, events)
    return BinnedEvents.from_values(values, edges, weight)


def test_closed_forms():
    p = np.array([0.2, 0.3, 0.5])
    assert separation_power(p, 7 * p) == pytest.approx(0)
    assert separation_power([1, 0], [0, 3]) == pytest.approx(1)
    # p = (1/2, 1/2), q = (1/4, 3/4): (1/16 / 3/4 + 1/16 / 5/4) / 2 = 1/15
    assert separation_power([1, 1], [1, 3]) == pytest.approx(1 / 15)
    assert separation_power([1, 3], [1, 1]) == pytest.approx(1 / 15)
    assert separation_power([0, 0], [1, 3]) == 1
    assert separation_power([0, 0], [0, 0]) == 0


def test_entries_outside_are_dropped_before_normalising():
    a = BinnedEvents.from_values(np.array([0.5, 1.5, 99.0, -99.0]), np.array([0.0, 1.0, 2.0]))
    assert a.sums.tolist() == [1, 1, 1, 1]
    b = BinnedEvents.from_values(np.array([0.5, 1.5, 1.5, 1.5]), np.array([0.0, 1.0, 2.0]))
    assert separation(a, b, seed=0).value == pytest.approx(1 / 15)


def test_weight_two_is_seen_twice():
    rng = np.random.default_rng(0)
    values, weight = rng.normal(size=500), rng.integers(0, 4, 500).astype(float)
    other = normal(400, 1)
    weighted = BinnedEvents.from_values(values, EDGES, weight)
    repeated = BinnedEvents.from_values(np.repeat(values, weight.astype(int)), EDGES)
    np.testing.assert_allclose(weighted.sums, repeated.sums)
    assert separation(weighted, other, seed=0).value == separation(repeated, other, seed=0).value


def test_negative_weights_subtract_events():
    """A contamination that is subtracted with weight -1 leaves the pure sample."""
    pure, other = normal(20_000, 0), normal(20_000, 1)
    rng = np.random.default_rng(2)
    dirt = rng.normal(1, 0.3, 8_000)
    values = np.concatenate([np.random.default_rng(0).normal(0, 1, 20_000), dirt, dirt + 1e-9])
    weight = np.concatenate([np.ones(28_000), -np.ones(8_000)])
    subtracted = separation(BinnedEvents.from_values(values, EDGES, weight), other, seed=0)
    assert subtracted.value == pytest.approx(separation(pure, other, seed=0).value, abs=1e-5)
    assert subtracted.error > separation(pure, other, seed=0).error
    with pytest.raises(RangeError, match="negative"):
        separation_power([-1, 0], [1, 1])


def test_fast_and_slow_bootstrap_have_the_same_moments():
    """10,000 repeats: means agree within 5 standard errors in 22 bins (false alarm < 2e-5)."""
    plain = normal(200, 0, edges=np.linspace(-2, 2, 5))
    slow = BinnedEvents(plain.edges, plain.entries, np.ones(200))
    for draw in ("bootstrapped", "halved"):
        a = getattr(plain, draw)(np.random.default_rng(1), 10_000)
        b = getattr(slow, draw)(np.random.default_rng(2), 10_000)
        a, b = (x[0] if draw == "halved" else x for x in (a, b))
        error = np.sqrt((a.var(0) + b.var(0)) / 10_000)
        assert (np.abs(a.mean(0) - b.mean(0)) < 5 * error + 1e-12).all()
        np.testing.assert_allclose(a.var(0), b.var(0), rtol=0.1)


def test_events_with_many_entries_are_resampled_as_events():
    """Ten equal entries per event fluctuate sqrt(10) times more than independent ones."""
    single = normal(1000, 0)
    entries = np.zeros((1000, single.columns), np.int32)
    entries[np.arange(1000), single.entries] = 10
    many = BinnedEvents(EDGES, entries)
    np.testing.assert_allclose(many.sums, 10 * single.sums)
    np.testing.assert_allclose(many.variances, 100 * single.variances)
    spread = many.bootstrapped(np.random.default_rng(0), 500).std(0)
    np.testing.assert_allclose(
        spread[1:-1], 10 * np.sqrt(single.sums * (1 - single.sums / 1000))[1:-1], rtol=0.2
    )
    first, second, _ = many.halved(np.random.default_rng(0), 3)
    np.testing.assert_allclose(first + second, np.tile(many.sums, (3, 1)))


@pytest.mark.statistical
@pytest.mark.parametrize(("n", "m", "weighted"), [(2000, 2000, False), (4000, 1000, True)])
def test_perfect_samples_stand_on_their_floor(n, m, weighted):
    """The pulls of 200 null comparisons have mean 0 and width 1.

    Mean within 5 / sqrt(200) = 0.35, width within 25 % (5 standard deviations of a sample
    standard deviation of 200 draws): false alarm below 1e-5. Breaking the 1/N correction moves the
    mean by several units.
    """
    weight = np.random.default_rng(0).choice([-0.5, 1.0, 3.0], n) if weighted else np.ones(n)
    found = [
        separation(
            normal(n, 2 * s, weight=weight if weighted else None),
            normal(m, 2 * s + 1, weight=weight[:m] if weighted else None),
            seed=s,
        )
        for s in range(200)
    ]
    pulls = np.array([(f.value - f.floor) / f.floor_error for f in found])
    assert abs(pulls.mean()) < 0.35
    assert abs(pulls.std() - 1) < 0.25
    assert np.mean([f.error for f in found]) == pytest.approx(
        np.std([f.value for f in found]), rel=0.3
    )


@pytest.mark.statistical
def test_error_of_a_true_difference():
    """Stated and true spread of S for shifted normals agree within 30 % (5 sigma of 150 draws)."""
    found = [
        separation(normal(2000, 2 * s), normal(2000, 2 * s + 1, shift=0.3), seed=s)
        for s in range(150)
    ]
    assert np.mean([f.error for f in found]) == pytest.approx(
        np.std([f.value for f in found]), rel=0.3
    )
    assert min(f.value / f.floor for f in found) > 1.5


def test_independent_reference_gives_the_floor():
    found = separation(normal(1000, 0), normal(500, 1), seed=0, independent=normal(1000, 2))
    power = separation_power(normal(1000, 0).sums[1:-1], normal(1000, 2).sums[1:-1])
    assert found.floor == pytest.approx(power * (1 / 1000 + 1 / 500) / (2 / 1000))
    assert "independent" in found.floor_from


def test_same_seed_same_error_and_other_seed_another():
    a, b = normal(300, 0), normal(300, 1)
    assert separation(a, b, seed=1) == separation(a, b, seed=1)
    assert separation(a, b, seed=1).error != separation(a, b, seed=2).error


def test_shapes_are_checked():
    with pytest.raises(ShapeError):
        BinnedEvents(EDGES, np.zeros((3, 4), int))
    with pytest.raises(ShapeError):
        BinnedEvents(EDGES, np.zeros(3, int), np.ones(4))
    with pytest.raises(ShapeError):
        separation_power([1, 2], [1, 2, 3])


def test_incident_energies_against_scipy():
    rng = np.random.default_rng(0)
    for shift in (0.0, 0.05, 0.5):
        a, b = rng.normal(size=800), rng.normal(shift, 1, 500)
        distance, p = incident_energy_mismatch(a, b)
        expected = stats.ks_2samp(a, b, method="asymp")
        assert distance == pytest.approx(expected.statistic)
        assert p == pytest.approx(expected.pvalue, rel=0.2, abs=1e-12)
    assert incident_energy_mismatch(a, a[::-1]) == (0.0, 1.0)


def test_many_entries_and_weights_are_halved_without_loss():
    """What one half has not the other has, and its noise is that of its own events."""
    rng = np.random.default_rng(0)
    entries, weight = rng.poisson(1.0, (300, len(EDGES) + 1)), rng.uniform(0.5, 2, 300)
    for w in (None, weight):
        events = BinnedEvents(EDGES, entries, w)
        first, second, noise = events.halved(np.random.default_rng(1), 50)
        np.testing.assert_allclose(first + second, np.tile(events.sums, (50, 1)))
        assert noise.mean() == pytest.approx(4 * events.noise, rel=0.05)
        assert first.mean() == pytest.approx(second.mean(), rel=0.05)


def test_selected_events_keep_their_bins():
    events = normal(100, 0, weight=np.arange(100.0))
    part = events.select(slice(10, 20))
    np.testing.assert_array_equal(part.entries, events.entries[10:20])
    assert part.weights.sum() == np.arange(10, 20).sum()
    with_nan = BinnedEvents.from_values(np.array([0.0, np.nan]), EDGES, np.array([1.0, 9.0]))
    assert (len(with_nan), with_nan.sums.sum()) == (1, 1.0)
