"""The polynomial ratio against closed forms of Gaussians."""

from __future__ import annotations

import numpy as np
import pytest

from simulacra.classify.polynomial import PolynomialConfig, fit_polynomial
from simulacra.errors import RangeError, ShapeError
from simulacra.random import Stream, generator

RNG = generator(5, Stream.NOISE)
SOURCE = RNG.normal(0.0, 1.0, (40_000, 1))
TARGET = RNG.normal(0.3, 0.8, (40_000, 1))


def _truth(x):
    return -0.5 * ((x - 0.3) / 0.8) ** 2 - np.log(0.8) + 0.5 * x**2


def test_two_gaussians_have_the_log_ratio_of_the_closed_form():
    x = np.linspace(-1.5, 1.5, 7)[:, None]
    found = fit_polynomial(SOURCE, TARGET).log_ratio(x)
    # the standard error of the fit is about 0.01 in the middle and 0.03 at the ends
    np.testing.assert_allclose(found, _truth(x[:, 0]), atol=0.12)


def test_a_weight_of_two_is_an_event_seen_twice():
    twice = np.concatenate([TARGET[:500], TARGET[:200]])
    weight = np.where(np.arange(500) < 200, 2.0, 1.0)
    a = fit_polynomial(SOURCE[:500], TARGET[:500], target_weight=weight)
    b = fit_polynomial(SOURCE[:500], twice)
    x = np.linspace(-1, 1, 5)[:, None]
    # centre and width differ and the ridge is small: the same polynomial up to that
    np.testing.assert_allclose(a.log_ratio(x), b.log_ratio(x), atol=2e-3)


def test_an_event_of_weight_minus_one_takes_its_double_away():
    doubled = np.concatenate([TARGET[:800], SOURCE[:300], SOURCE[:300]])
    weight = np.repeat([1.0, 1.0, -1.0], [800, 300, 300])
    a = fit_polynomial(SOURCE[300:1000], doubled, target_weight=weight)
    b = fit_polynomial(SOURCE[300:1000], TARGET[:800])
    x = np.linspace(-1, 1, 5)[:, None]
    np.testing.assert_allclose(a.log_ratio(x), b.log_ratio(x), atol=2e-3)


def test_the_same_sample_has_ratio_one():
    found = fit_polynomial(SOURCE[:300], SOURCE[:300], config=PolynomialConfig(degree=3))
    np.testing.assert_allclose(found.log_ratio(SOURCE[:50]), 0.0, atol=1e-9)


def test_cross_terms_see_a_correlation():
    rng = generator(6, Stream.NOISE)
    plain = rng.normal(size=(30_000, 2))
    bound = plain.copy()
    bound[:, 1] = 0.6 * plain[:, 0] + 0.8 * plain[:, 1]
    ratio = fit_polynomial(plain, bound)
    along = ratio.log_ratio(np.array([[1.0, 1.0]]))[0]
    # -ln 0.8 - (x^2 - 1.2 x y + y^2) / 1.28 + (x^2 + y^2) / 2 at (1, 1)
    assert along == pytest.approx(-np.log(0.8) - 0.8 / 1.28 + 1, abs=0.1)


def test_what_cannot_be_fitted_is_refused():
    with pytest.raises(RangeError, match="positive sum"):
        fit_polynomial(SOURCE[:10], TARGET[:10], source_weight=-np.ones(10))
    with pytest.raises(ShapeError, match="same features"):
        fit_polynomial(SOURCE[:10], np.ones((4, 2)))
    with pytest.raises(ShapeError, match="10 weights"):
        fit_polynomial(SOURCE[:10], TARGET[:10], source_weight=np.ones(9))
