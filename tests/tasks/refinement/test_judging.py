"""Three numbers: area, effective size, missing support; each against a closed form."""

from __future__ import annotations

import numpy as np
import pytest

from simulacra.classify import FAST, tell_apart
from simulacra.data.weights import effective_events
from simulacra.errors import RangeError
from simulacra.tasks.refinement import Samples, diagnose, uncovered
from simulacra.tasks.refinement.closure import GaussianShift

QUICK = FAST.updated(width=32, epochs=8, retrainings=5, threads=1)


def test_effective_size_of_known_weights() -> None:
    assert effective_events(np.full(7, 3.0)) == pytest.approx(7)
    assert effective_events(np.array([1.0, 1.0, -1.0])) == pytest.approx(1 / 3)
    assert effective_events(np.array([1.0, 0.0, 0.0])) == 1
    with pytest.raises(RangeError, match="only zeros"):
        effective_events(np.zeros(3))


def told_apart(source, target):
    return tell_apart(target, source, QUICK, seed=1)


@pytest.mark.statistical
@pytest.mark.parametrize("seed", [1, 2])
def test_uncovered_is_the_closed_form_of_shifted_gaussians(seed) -> None:
    """A share of 0.461 at a bound of 0.1, within 4 bootstrap errors: one alarm in 8,000."""
    ones = np.ones(4000)
    toy = GaussianShift(2.0, features=1)
    share, error = uncovered(told_apart(*toy.draw(4000, seed=seed)), ones, ones, bound=0.1)
    assert toy.uncovered(0.1) == pytest.approx(0.461, abs=1e-3)
    assert abs(share - toy.uncovered(0.1)) < 4 * error
    assert 0.01 < error < 0.06


@pytest.mark.statistical
def test_uncovered_errs_to_the_low_side_where_the_source_is_rare() -> None:
    """Five source events lie beyond the edge at 0.01, and one more is counted."""
    ones = np.ones(4000)
    far = GaussianShift(3.0, features=1)
    share, _ = uncovered(told_apart(*far.draw(4000, seed=5)), ones, ones)
    assert far.uncovered(0.001) < share < far.uncovered(0.01)


@pytest.mark.statistical
def test_uncovered_finds_half_a_target_beside_the_source() -> None:
    rng = np.random.default_rng(2)
    source, target = rng.random((3000, 1)), 2 * rng.random((3000, 1))
    ones = np.ones(3000)
    share, _ = uncovered(told_apart(source, target), ones, ones)
    assert share == pytest.approx((target > 1).mean(), abs=0.03)
    # a target event of weight two counts as two
    doubled = np.where(target[:, 0] > 1, 2.0, 1.0)
    share, _ = uncovered(told_apart(source, target), ones, doubled)
    assert share == pytest.approx(doubled[target[:, 0] > 1].sum() / doubled.sum(), abs=0.03)


@pytest.mark.parametrize("seed", range(3))
def test_equal_samples_are_covered(seed) -> None:
    rng = np.random.default_rng(seed)
    ones = np.ones(1000)
    found = told_apart(rng.normal(size=(1000, 2)), rng.normal(size=(1000, 2)))
    assert uncovered(found, ones, ones) == (0.0, 0.0)


def test_a_bound_is_a_probability() -> None:
    with pytest.raises(RangeError, match=r"between 0 and 0.5, got 0.7"):
        uncovered(None, np.ones(1), np.ones(1), bound=0.7)


def test_samples_side_by_side_are_refused() -> None:
    """Ranges overlap by one event in a thousand, nothing else does."""
    rng = np.random.default_rng(3)
    source, target = rng.random((1000, 1)), 2 + rng.random((1000, 1))
    source[0] = 2.5
    samples = Samples.of(source, target)
    with pytest.raises(RangeError, match=r"do not overlap.*probability below 0\.01"):
        diagnose(samples, source, np.ones(1000), judge=QUICK)


@pytest.mark.statistical
def test_perfect_weights_are_seen_as_perfect() -> None:
    """The area within four of its errors of 0.5, one alarm in 16,000; the size within 10 %."""
    toy = GaussianShift(0.7)
    source, target = toy.draw(4000, seed=7)
    found = diagnose(
        Samples.of(source, target), source, np.exp(toy.log_ratio(source)), judge=QUICK, seed=2
    )
    assert abs(found.auc_before - toy.auc) < 4 * found.auc_before_error
    assert abs(found.auc_after - 0.5) < 4 * found.auc_after_error
    assert found.kept == pytest.approx(toy.kept, rel=0.1)
    assert found.auc_after < found.auc_before - 0.1
    assert f"{found.effective:.0f} effective events of 4000" in found.sentence
