"""Conditional weights correct a response and leave the spectrum of the conditions alone."""

from __future__ import annotations

import numpy as np
import pytest

from simulacra.classify import RatioConfig
from simulacra.errors import ConfigError, ShapeError
from simulacra.tasks.refinement import (
    ConditionalConfig,
    ConditionalReweighter,
    Reweighter,
    ReweighterConfig,
)

QUICK = ConditionalConfig(ratio=RatioConfig(width=32, hidden=2, epochs=25, networks=2, threads=1))
SLOPE, EVENTS = 0.5, 12_000


def response(events, middle, slope, seed):
    """A response x of mean slope * c and width 1 at conditions c around some middle."""
    rng = np.random.default_rng(seed)
    c = rng.normal(middle, 1, events)
    return np.column_stack([rng.normal(slope * c, 1), c])


def log_weight(rows):
    """Return ln N(x; slope c, 1) / N(x; 0, 1)."""
    x, c = rows.T
    return SLOPE * c * x - (SLOPE * c) ** 2 / 2


@pytest.fixture(scope="module")
def fitted():
    source, target = response(EVENTS, 0, 0, 1), response(EVENTS, 0.8, SLOPE, 2)
    return ConditionalReweighter(QUICK).fit(source, target, seed=3), source, target


@pytest.mark.statistical
def test_weights_are_the_conditional_ratio(fitted) -> None:
    """Root mean square error of ln w below 0.15 where c lies within the target's two widths."""
    method, _, _ = fitted
    rows = response(4000, 0.4, 0, 4)
    near = np.abs(rows[:, 1] - 0.4) < 1.5
    error = np.log(method.predict_weights(rows))[near] - log_weight(rows)[near]
    assert np.sqrt(np.mean(error**2)) < 0.15


@pytest.mark.statistical
def test_the_spectrum_stays_and_the_response_moves(fitted) -> None:
    """Fresh source events; the plain ratio moves the mean of c by 0.8, this one by under 0.06."""
    method, source, target = fitted
    rows = response(8000, 0, 0, 5)
    weights = method.predict_weights(rows)
    before, after = rows[:, 1].mean(), np.average(rows[:, 1], weights=weights)
    assert abs(after - before) < 0.06
    both = Reweighter(ReweighterConfig(ratio=QUICK.ratio)).fit(source, target, seed=3)
    plain = both.predict_weights(rows)
    assert np.average(rows[:, 1], weights=plain) - before > 0.6
    near = np.abs(rows[:, 1] - 0.4) < 1.5  # where both samples have events to learn from
    slope = np.polyfit(rows[near, 1], rows[near, 0], 1, w=np.sqrt(weights[near]))[0]
    assert slope == pytest.approx(SLOPE, abs=0.08)


def test_mistakes_are_one_sentence() -> None:
    rows = response(100, 0, 0, 1)
    with pytest.raises(ConfigError, match="conditions"):
        QUICK.updated(conditions=0)
    with pytest.raises(ShapeError, match="2 conditions leave nothing to reweight of 2"):
        ConditionalReweighter(QUICK.updated(conditions=2)).fit(rows, rows)
    with pytest.raises(ConfigError, match="call `fit`"):
        ConditionalReweighter().predict_weights(rows)
