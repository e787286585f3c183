"""Thinned events keep contents and variances of histograms, and all their weights are positive."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chi2

from simulacra.classify import RatioConfig
from simulacra.data.weights import effective_events
from simulacra.errors import ConfigError, RangeError, ShapeError
from simulacra.tasks.refinement import (
    Resampler,
    ResamplerConfig,
    thin,
    thin_to_units,
)
from simulacra.tasks.refinement.closure import SignedMixture

TOY = SignedMixture()
EDGES = np.linspace(-2.5, 2.5, 21)
NETWORKS = RatioConfig(width=32, hidden=2, epochs=30, networks=2, threads=1)


def sums(x, weight, power):
    return np.histogram(x[:, 0], EDGES, weights=weight**power)[0]


def p_values(x, w, kept, new, mean, spread):
    """Chi-square p of the contents and of the variances before and after, over all bins of x.

    Given x, an event's contribution w - w' has mean 0 and variance 2 W^2 (K - 1), and that of
    w^2 - w'^2 has (W K)^4 (1/K) (1 - 1/K) for weights of one size.
    """
    variances = (2 * mean**2 * (spread - 1), (mean * spread) ** 4 * (spread - 1) / spread**2)
    found = []
    for power, each in zip((1, 2), variances, strict=True):
        difference = sums(x, w, power) - sums(x[kept], new, power)
        variance = np.histogram(x[:, 0], EDGES, weights=each)[0]
        found.append(float(chi2.sf((difference**2 / variance).sum(), len(difference))))
    return found


@pytest.mark.statistical
@pytest.mark.parametrize("seed", range(4))
def test_exact_means_keep_contents_and_variances(seed) -> None:
    """Eight p-values above 0.001: one false alarm in 125."""
    x, w = TOY.draw(20_000, seed=seed)
    mean, spread = TOY.means(x)
    found = thin(mean, spread, seed=seed)
    assert min(p_values(x, w, found.kept, found.weights, mean, spread)) > 0.001


@pytest.mark.statistical
def test_p_values_see_a_resampling_that_keeps_too_much() -> None:
    x, w = TOY.draw(20_000, seed=1)
    mean, spread = TOY.means(x)
    wrong = thin(mean, np.sqrt(spread), seed=1)
    contents, variances = p_values(x, w, wrong.kept, wrong.weights, mean, spread)
    assert contents > 1e-6 > variances  # weights W sqrt(K) at 1/sqrt(K): only contents are kept


@pytest.fixture(scope="module")
def learned() -> Resampler:
    return Resampler(ResamplerConfig(ratio=NETWORKS)).fit(*TOY.draw(40_000, seed=11), seed=1)


@pytest.mark.statistical
def test_learned_means_keep_held_out_histograms(learned) -> None:
    """The requirement: chi-square p above 0.01 for contents and variances of unseen events."""
    x, w = TOY.draw(20_000, seed=12)
    found = learned.resample(x, seed=3)
    assert (w < 0).any()
    assert found.weights.min() > 0
    assert len(found.kept) < len(x)
    assert min(p_values(x, w, found.kept, found.weights, *TOY.means(x))) > 0.01


@pytest.mark.slow
@pytest.mark.statistical
def test_every_held_out_histogram_keeps_contents_and_variances() -> None:
    """The requirement on six histograms of two observables: all twelve p-values above 0.01.

    Exact means would fail at one seed in nine; the seed is fixed. Half of the histograms are of
    combinations that the networks were not shown.
    """

    def table(events, seed):
        x, w = TOY.draw(events, seed=seed)
        y = x[:, 0] / 2 + np.random.default_rng(seed).normal(size=events)
        return np.column_stack([x[:, 0], y]), w

    networks = NETWORKS.updated(networks=3, batch=1000)
    method = Resampler(ResamplerConfig(ratio=networks)).fit(*table(60_000, 21), seed=1)
    rows, w = table(20_000, 22)
    found = method.resample(rows, seed=3)
    assert found.weights.min() > 0
    mean, spread = TOY.means(rows)
    x, y = rows.T
    all_p = []
    for values in (x, y, 1.25 * np.hypot(x, y) - 2.5, x + y, x - y, x * y):
        column = np.clip(values, -2.5, 2.499)[:, None]
        all_p += p_values(column, w, found.kept, found.weights, mean, spread)
    assert min(all_p) > 0.01


@pytest.mark.statistical
def test_learned_means_are_the_closed_forms(learned) -> None:
    x, _ = TOY.draw(5000, seed=13)
    mean, spread = learned.means(x)
    true, true_spread = TOY.means(x)
    np.testing.assert_allclose(
        np.average(mean, weights=true), np.average(true, weights=true), rtol=0.02
    )
    assert np.sqrt(np.mean((mean - true) ** 2)) < 0.03
    assert np.sqrt(np.mean((spread / true_spread - 1) ** 2)) < 0.1


@pytest.mark.statistical
def test_unit_weights_keep_contents_and_never_claim_more_than_there_was() -> None:
    """One p-value above 0.001; squares of unit weights are at least those that came in."""
    x, w = TOY.draw(40_000, seed=5)
    mean, spread = TOY.means(x)
    found = thin_to_units(mean, spread, seed=2)
    assert len(np.unique(found.weights)) == 1
    common = found.weights[0]
    contents = sums(x, w, 1) - sums(x[found.kept], found.weights, 1)
    each = mean**2 * (spread - 1) + common * mean - mean**2
    variance = np.histogram(x[:, 0], EDGES, weights=each)[0]
    assert chi2.sf((contents**2 / variance).sum(), len(contents)) > 0.001
    assert effective_events(found.weights) < effective_events(w)


def test_an_event_is_kept_whatever_its_neighbours() -> None:
    x, _ = TOY.draw(1000, seed=1)
    mean, spread = TOY.means(x)
    whole = thin(mean, spread, seed=9)
    parts = [
        thin(mean[s], spread[s], seed=9, first_event=s.start)
        for s in (slice(0, 300), slice(300, 1000))
    ]
    np.testing.assert_array_equal(whole.kept, np.concatenate([parts[0].kept, parts[1].kept + 300]))
    assert not np.array_equal(whole.kept, thin(mean, spread, seed=10).kept)


def test_equal_weights_are_left_alone() -> None:
    found = thin(np.full(50, 2.0), np.ones(50), seed=1)
    assert found.kept.tolist() == list(range(50))
    assert set(found.weights) == {2.0}


def test_unit_setting_is_used(learned) -> None:
    x, _ = TOY.draw(2000, seed=6)
    units = Resampler(ResamplerConfig(ratio=NETWORKS, unit=True))
    units._means = learned._means
    assert len(np.unique(units.resample(x, seed=1).weights)) == 1
    assert len(np.unique(learned.resample(x, seed=1).weights)) > 1


def test_mistakes_are_one_sentence() -> None:
    x, w = TOY.draw(100, seed=1)
    with pytest.raises(ShapeError, match="source weights"):
        Resampler().fit(x, w[:-1])
    with pytest.raises(RangeError, match="sum to"):
        Resampler().fit(x, -np.ones(100))
    with pytest.raises(ConfigError, match="call `fit`"):
        Resampler().resample(x, seed=1)
    with pytest.raises(RangeError, match="no density to draw from"):
        thin(np.array([-1.0]), np.array([1.0]), seed=1)
