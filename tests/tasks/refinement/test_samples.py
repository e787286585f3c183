"""Two samples are checked once, with one sentence for each mistake."""

from __future__ import annotations

import numpy as np
import pytest

from simulacra.classify import Clouds
from simulacra.errors import RangeError, ShapeError
from simulacra.tasks.refinement import Samples

RNG = np.random.default_rng(1)
SOURCE, TARGET = RNG.normal(size=(40, 2)), RNG.normal(size=(30, 2))


def with_nan() -> np.ndarray:
    spoiled = SOURCE.copy()
    spoiled[3, 1] = np.nan
    return spoiled


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ((SOURCE, TARGET, np.ones(39)), ShapeError, r"source weights.*\(40,\), got \(39,\)"),
        ((SOURCE, TARGET, None, np.ones((30, 1))), ShapeError, r"target weights.*\(30,\)"),
        ((SOURCE, TARGET, -np.ones(40)), RangeError, "source weights: they sum to -40"),
        ((SOURCE, TARGET, None, np.zeros(30)), RangeError, "target weights: they sum to 0"),
        ((SOURCE, TARGET, np.full(40, np.inf)), RangeError, "40 of 40 are NaN"),
        ((with_nan(), TARGET), RangeError, "source.*not a finite number in 1 of 40.* column 1"),
        ((SOURCE, TARGET[:, :1]), ShapeError, "2 observables and 1 observables"),
        ((SOURCE[:19], TARGET), RangeError, "source: expected at least 20 events, got 19"),
        ((SOURCE, TARGET + np.array([0, 100])), RangeError, "do not overlap: observable 1 lies in"),
        ((np.zeros((40, 2, 2)), TARGET), ShapeError, r"source.*\(events, features\)"),
    ],
)
def test_a_mistake_is_one_sentence(arguments, error, words) -> None:
    with pytest.raises(error, match=words):
        Samples.of(*arguments)


def test_clouds_and_rows_do_not_mix() -> None:
    clouds = Clouds(np.ones((40, 3, 2), np.float32), np.ones((40, 3), bool))
    with pytest.raises(ShapeError, match="features per point"):
        Samples.of(clouds, TARGET)


def test_what_padding_holds_is_not_looked_at() -> None:
    points, mask = np.ones((40, 3, 2), np.float32), np.ones((40, 3), bool)
    points[:, 2], mask[:, 2] = np.nan, False
    clouds = Clouds(points, mask)
    assert Samples.of(clouds, clouds).features == 2
    mask[0, 2] = True
    with pytest.raises(RangeError, match="not a finite number"):
        Samples.of(clouds, clouds)


def test_halves_hold_every_event_once_with_its_weight() -> None:
    weight = np.arange(40.0)
    halves = Samples.of(SOURCE, TARGET, weight).halves(seed=3)
    rows = np.concatenate([half.source for half in halves])
    weights = np.concatenate([half.source_weight for half in halves])
    np.testing.assert_array_equal(rows[weights.argsort()], SOURCE)
    assert [len(half.target) for half in halves] == [15, 15]
    again = Samples.of(SOURCE, TARGET, weight).halves(seed=4)
    assert not np.array_equal(again[0].source, halves[0].source)


def test_one_number_per_event_is_one_observable() -> None:
    assert Samples.of(SOURCE[:, 0], TARGET[:, 0]).source.shape == (40, 1)
