"""Optimal transport between the noise and the events of a batch."""

from __future__ import annotations

import pytest
import torch

from simulacra.batch import Batch, Draws
from simulacra.errors import ConfigError
from simulacra.generative import FlowMatchingConfig, VectorKit, build_family, initialised
from simulacra.generative.pairing import paired


def _batch(features=1, events=64, weight=None):
    draw = torch.Generator().manual_seed(2)
    x = torch.randn(events, features, generator=draw)
    condition = torch.randn(events, 2, generator=draw)
    weight = torch.ones(events) if weight is None else weight
    return Batch(x, condition, weight), torch.randn(events, features, generator=draw)


def test_in_one_dimension_the_order_is_kept():
    batch, noise = _batch()
    assert torch.equal(paired(noise, batch, 0.0)[:, 0].argsort(), batch.x[:, 0].argsort())


def test_noise_stays_where_only_conditions_count():
    batch, noise = _batch()
    assert torch.equal(paired(noise, batch, 1e9), noise)


def test_noise_is_reordered_and_brought_closer():
    batch, noise = _batch(features=3)
    found = paired(noise, batch, 0.1)
    assert torch.equal(found.sort(dim=0).values, noise.sort(dim=0).values)
    assert (found - batch.x).square().sum() < 0.8 * (noise - batch.x).square().sum()


def test_pairs_do_not_tie_noise_to_conditions():
    """Events whose x is their condition: noise that follows x would follow the condition."""
    draw = torch.Generator().manual_seed(3)
    condition = torch.randn(512, 1, generator=draw)
    noise = torch.randn(512, 1, generator=draw)
    batch = Batch(condition + 0.3 * torch.randn(512, 1, generator=draw), condition, torch.ones(512))

    def tie(weight):
        return float(
            torch.corrcoef(torch.cat([paired(noise, batch, weight), condition], 1).T)[0, 1]
        )

    assert tie(0.0) > 0.9
    assert abs(tie(100.0)) < 0.2  # 4.5 standard errors of no correlation


def test_events_of_different_weight_are_refused():
    batch, _ = _batch(weight=torch.linspace(0.5, 2, 64))
    config, kit = FlowMatchingConfig(coupling="optimal"), VectorKit(1, 2)
    model = initialised(lambda: build_family(config, kit), seed=0)
    with pytest.raises(ConfigError, match="equal weight"):
        model.loss(batch, Draws(0, 0, 64))
