"""The sliced Wasserstein distance: closed forms, weights, symmetries, refusals."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from simulacra.errors import RangeError, ShapeError
from simulacra.evaluation.metrics import wasserstein_distance
from simulacra.generative.sliced import sliced_wasserstein, unit_vectors
from simulacra.random import Stream, generator


def _normal(number, events, features):
    drawn = generator(4, Stream.NOISE, number).normal(size=(events, features))
    return torch.from_numpy(drawn)


def test_a_shift_costs_its_square_over_the_features():
    x, shift = _normal(0, 500, 5), torch.tensor([1.0, -2.0, 0.0, 0.5, 0.0]).double()
    # shifted events keep their order along every direction: exactly the mean of (v . shift)^2
    vectors = unit_vectors(4000, 5, 1).double()
    found = sliced_wasserstein(x, x + shift, slices=4000, seed=1)
    assert found.item() == pytest.approx(float((vectors @ shift).square().mean()), rel=1e-6)
    # (v . mu)^2 / mu^2 has mean 1/d and variance 2 (d - 1) / (d^2 (d + 2)): 5 standard errors
    spread = math.sqrt(2 * 4 / (25 * 7) / 4000)
    assert found.item() / 5.25 == pytest.approx(1 / 5, abs=5 * spread)


@pytest.mark.statistical
def test_normal_laws_of_one_covariance_are_as_far_as_their_means():
    events, shift = 20_000, 0.7
    x, y = _normal(1, events, 3), _normal(2, events, 3) + shift
    found = sliced_wasserstein(x, y, slices=500, seed=3).item()
    # 3 * 0.49 / 3; 5 standard deviations of the mean shift, and 0.01 for the directions
    assert found == pytest.approx(0.49, abs=5 * 2 * shift * math.sqrt(2 / events) + 0.05)


def test_another_width_costs_the_difference_squared():
    x = _normal(3, 300, 4)
    found = sliced_wasserstein(x, 1.5 * x, slices=50, seed=2)
    vectors = unit_vectors(50, 4, 2).double()
    assert found.item() == pytest.approx(0.25 * float((x @ vectors.T).square().mean()), rel=1e-6)


@pytest.mark.parametrize("power", [1.0, 2.0, 3.5])
def test_weights_are_events_seen_more_often(power):
    x, y = _normal(4, 60, 3), _normal(5, 45, 3)
    times_x, times_y = torch.arange(60) % 4, torch.arange(45) % 3
    often_x, often_y = x.repeat_interleave(times_x, 0), y.repeat_interleave(times_y, 0)
    given = {"slices": 20, "seed": 1, "power": power}
    weighted = sliced_wasserstein(x, y, times_x.double(), times_y.double(), **given)
    repeated = sliced_wasserstein(often_x, often_y, **given)
    assert weighted.item() == pytest.approx(repeated.item(), rel=1e-9)


def test_equal_weights_are_none():
    x, y = _normal(4, 60, 3), _normal(5, 60, 3)
    plain = sliced_wasserstein(x, y, slices=20, seed=1)
    weighted = sliced_wasserstein(x, y, torch.full((60,), 0.3), slices=20, seed=1)
    assert weighted.item() == pytest.approx(plain.item(), rel=1e-9)


def test_one_dimension_is_the_wasserstein_distance_of_the_judge():
    rng = generator(6, Stream.NOISE)
    x, y = rng.normal(size=80), rng.exponential(size=50)
    weight_x, weight_y = rng.random(80), rng.random(50)
    found = sliced_wasserstein(
        torch.from_numpy(x[:, None]),
        torch.from_numpy(y[:, None]),
        torch.from_numpy(weight_x),
        torch.from_numpy(weight_y),
        slices=3,
        seed=0,
        power=1.0,
    )
    assert found.item() == pytest.approx(wasserstein_distance(x, y, weight_x, weight_y), rel=1e-9)


def test_order_and_exchange_do_not_matter():
    x, y = _normal(4, 60, 3), _normal(5, 45, 3)
    weight = torch.from_numpy(np.linspace(0.1, 2, 60))
    found = sliced_wasserstein(x, y, weight, slices=20, seed=1).item()
    turned = sliced_wasserstein(x.flip(0), y.flip(0), weight.flip(0), slices=20, seed=1)
    exchanged = sliced_wasserstein(y, x, None, weight, slices=20, seed=1)
    assert turned.item() == pytest.approx(found, rel=1e-9)
    assert exchanged.item() == pytest.approx(found, rel=1e-9)
    assert sliced_wasserstein(x, x.flip(0), slices=20, seed=1).item() < 1e-20


def test_directions_belong_to_their_numbers():
    both = unit_vectors(6, 3, 5)
    torch.testing.assert_close(unit_vectors(4, 3, 5, first=2), both[2:])
    torch.testing.assert_close(both.norm(dim=1), torch.ones(6))
    assert not torch.equal(both, unit_vectors(6, 3, 6))


@pytest.mark.parametrize("weighted", [False, True])
def test_its_slope_is_that_of_small_steps(weighted):
    x, y = _normal(4, 7, 2), _normal(5, 7, 2)
    weight = torch.arange(1.0, 8.0).double() if weighted else None
    assert torch.autograd.gradcheck(
        lambda x, y: sliced_wasserstein(x, y, weight, slices=5, seed=1),
        (x.requires_grad_(), y.requires_grad_()),
    )


@pytest.mark.parametrize(
    ("x", "weight", "error", "words"),
    [
        (torch.ones(3, 2), torch.tensor([1.0, -1.0, 1.0]), RangeError, "has no quantiles"),
        (torch.ones(3, 2), torch.zeros(3), RangeError, "sum must be positive"),
        (torch.ones(3, 2), torch.ones(2), ShapeError, "one weight for each of 3"),
        (torch.ones(0, 2), None, RangeError, "has no events"),
        (torch.ones(3, 1), None, ShapeError, "the same features"),
    ],
)
def test_what_has_no_distance_is_refused(x, weight, error, words):
    with pytest.raises(error, match=words):
        sliced_wasserstein(x, torch.ones(4, 2), weight, slices=2, seed=0)


def test_a_power_below_one_is_refused():
    with pytest.raises(RangeError, match="power of at least 1"):
        sliced_wasserstein(torch.ones(2, 1), torch.ones(2, 1), slices=2, seed=0, power=0.5)
