"""The network is convex in x whatever its numbers, and starts as the identity's potential."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from simulacra.nets import ConvexNetwork

EVENTS, FEATURES = 50, 3


def numbers(seed, conditions):
    rng = np.random.default_rng(seed)
    x, y = (torch.from_numpy(3 * rng.normal(size=(EVENTS, FEATURES))).float() for _ in "ab")
    return rng, x, y, torch.from_numpy(rng.normal(size=(EVENTS, conditions))).float()


@pytest.mark.parametrize("conditions", [0, 2])
@pytest.mark.parametrize("hidden", [1, 3])
def test_a_chord_lies_above_whatever_the_parameters(conditions, hidden) -> None:
    rng, x, y, c = numbers(1, conditions)
    network = ConvexNetwork(FEATURES, conditions, width=8, hidden=hidden).initialise(rng)
    for parameter in network.parameters():
        parameter.data += torch.from_numpy(rng.normal(size=tuple(parameter.shape))).float()
    for share in (0.2, 0.5, 0.9):
        between = network(share * x + (1 - share) * y, c)
        chord = share * network(x, c) + (1 - share) * network(y, c)
        assert (chord - between > -1e-5 * chord.abs()).all()


def test_it_is_free_in_the_condition() -> None:
    rng, x, y, c = numbers(2, 3)
    network = ConvexNetwork(FEATURES, FEATURES, width=8).initialise(rng)
    for parameter in network.parameters():
        parameter.data += torch.from_numpy(rng.normal(size=tuple(parameter.shape))).float()
    values = network(y, (x + c) / 2) - (network(y, x) + network(y, c)) / 2
    assert (values > 0).any()
    assert (values < 0).any()


def test_its_gradient_begins_along_x() -> None:
    rng, x, _, c = numbers(3, 2)
    network = ConvexNetwork(FEATURES, 2).initialise(rng)
    moved = network.gradient(x, c)
    assert ((moved * x).sum(1) / x.square().sum(1)).mean() == pytest.approx(1, abs=0.4)


def test_its_gradient_is_the_derivative() -> None:
    rng, x, _, c = numbers(4, 0)
    network = ConvexNetwork(FEATURES, 0).initialise(rng).double()
    x = x.double()
    step = 1e-5 * torch.eye(FEATURES, dtype=torch.float64)
    by_hand = [(network(x + h, c) - network(x - h, c)) / 2e-5 for h in step]
    torch.testing.assert_close(
        network.gradient(x, c), torch.stack(by_hand, 1), rtol=1e-6, atol=1e-7
    )


def test_the_same_generator_gives_the_same_network() -> None:
    one, two = (ConvexNetwork(2, 1).initialise(np.random.default_rng(7)) for _ in "ab")
    for a, b in zip(one.parameters(), two.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)
