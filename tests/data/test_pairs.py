"""Pairs of truth and reco: what is refused, with which words, and what selections keep."""

from __future__ import annotations

import numpy as np
import pytest

from simulacra.data.pairs import Pairs, Sample
from simulacra.errors import RangeError, ShapeError, UnknownNameError

TRUTH = np.arange(8.0).reshape(4, 2)
NAMES = ("mass", "width")


def _pairs(**changes):
    given = {"truth": TRUTH, "reco": TRUTH + 0.5, "names": NAMES, **changes}
    return Pairs(**given)


def _with(row, column, value):
    values = TRUTH.copy()
    values[row, column] = value
    return values


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"weight": np.ones(3)}, ShapeError, "one for each of 4 events"),
        ({"weight": np.array([1.0, 1, -3, 0])}, RangeError, "sum to -1, expected a positive"),
        ({"weight": np.array([1.0, np.nan, 1, 1])}, RangeError, "1 of 4 are NaN"),
        ({"reco": TRUTH[:3]}, ShapeError, "reco side of 4 true events, found 3"),
        ({"truth": TRUTH[:, :1]}, ShapeError, r"expected shape \(events, 2\)"),
        ({"truth": _with(2, 1, np.nan)}, RangeError, "truth: `width` is NaN or infinite in 1"),
        ({"reco": _with(0, 0, np.inf)}, RangeError, "reco: `mass` is NaN or infinite in 1"),
        ({"pass_reco": np.zeros(4, bool)}, RangeError, "no event passes both"),
        ({"pass_reco": np.ones(4)}, ShapeError, "times true or false"),
        ({"names": ("mass", "mass")}, ShapeError, "different names"),
    ],
)
def test_bad_pairs_are_refused_with_a_sentence(changes, error, words):
    with pytest.raises(error, match=words):
        _pairs(**changes)


def test_what_does_not_pass_is_never_read():
    missed = np.array([True, True, False, True])
    pairs = _pairs(reco=_with(2, 0, np.nan), pass_reco=missed)
    assert list(pairs.matched) == [True, True, False, True]
    assert len(pairs.true_sample()) == 4
    assert len(pairs.reco_sample()) == 3


def test_a_selection_keeps_all_columns_together():
    flags = np.array([True, False, True, True])
    pairs = _pairs(weight=np.arange(1.0, 5), pass_truth=flags)
    chosen = pairs.select(np.array([3, 1]))
    np.testing.assert_array_equal(chosen.truth, TRUTH[[3, 1]])
    np.testing.assert_array_equal(chosen.reco, TRUTH[[3, 1]] + 0.5)
    assert list(chosen.weights) == [4, 2]
    assert list(chosen.in_truth) == [True, False]


def test_columns_are_found_by_name():
    sample = Sample(TRUTH, NAMES)
    np.testing.assert_array_equal(sample.column("width"), TRUTH[:, 1])
    np.testing.assert_array_equal(sample.observables(["width", "mass"]).values, TRUTH[:, ::-1])
    with pytest.raises(UnknownNameError, match="Did you mean `width`"):
        sample.column("widht")


def test_a_sample_of_nan_or_of_negative_total_is_refused():
    with pytest.raises(RangeError, match="`mass` is NaN"):
        Sample(_with(1, 0, np.nan), NAMES)
    with pytest.raises(RangeError, match="expected a positive total"):
        Sample(TRUTH, NAMES, np.array([-1.0, 0, 0, 0.5]))
