"""Flow matching of sets: what is matched, what padding does, and that angles are learned."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import pytest
import torch

from simulacra.batch import Batch, Draws
from simulacra.errors import ConfigError
from simulacra.generative import (
    PointCascade,
    PointCascadeConfig,
    PointFlow,
    PointFlowConfig,
    ShowerLayout,
    initialised,
)
from simulacra.generative.point_flow import matched
from simulacra.nets import RingPoints, RingSetNetwork


def _points(angle, mask):
    return RingPoints(
        angle=angle,
        features=torch.arange(angle.numel(), dtype=angle.dtype).reshape(*angle.shape, 1),
        mask=mask,
        lone=torch.zeros(len(angle), 0, 1),
        lone_mask=torch.zeros(len(angle), 0, dtype=torch.bool),
    )


def test_of_all_ways_to_match_it_takes_the_one_that_turns_least():
    draw = torch.Generator().manual_seed(0)
    everywhere = torch.ones(20, 1, 4) > 0
    noise = _points(6 * torch.rand(20, 1, 4, generator=draw, dtype=torch.float64), everywhere)
    data = _points(6 * torch.rand(20, 1, 4, generator=draw, dtype=torch.float64), everywhere)
    start, end = matched(noise, data, 6, turns=4)
    found = (end.angle - start.angle).square().sum(dim=2)[:, 0]
    for event, a, b in zip(range(20), noise.angle[:, 0], data.angle[:, 0], strict=True):
        least = min(
            sum(min((b[j] - a[i] + 6 * k) ** 2 for k in (-1, 0, 1)) for i, j in enumerate(order))
            for order in itertools.permutations(range(4))
        )
        assert float(found[event]) == pytest.approx(float(least))


def test_matching_keeps_points_together_and_padding_apart():
    draw = torch.Generator().manual_seed(1)
    mask = torch.rand(30, 3, 5, generator=draw) < 0.5
    noise = _points(6 * torch.rand(30, 3, 5, generator=draw), mask)
    data = _points(6 * torch.rand(30, 3, 5, generator=draw), mask)
    _, end = matched(noise, data, 6, turns=3)
    assert torch.equal(end.mask.sum(dim=2), mask.sum(dim=2))
    assert torch.equal(end.mask.sort(dim=2, descending=True).values, end.mask)
    known = mask.flatten()
    names, angles = data.features.flatten()[known].tolist(), data.angle.flatten()[known].tolist()
    number = dict(zip(names, angles, strict=True))
    there = end.mask.flatten()
    ended = end.features.flatten()[there].tolist()
    assert sorted(ended) == sorted(number)
    angle = end.angle.flatten()[there] % 6
    assert angle.tolist() == pytest.approx([number[f] for f in ended], abs=1e-5)
    assert not end.features[~end.mask].any()


LAYOUT = ShowerLayout(rings=((2, 1), (3, 6)), threshold=1.0)


def _flow(cells=True, seed=0):
    def build():
        network = RingSetNetwork(2, 1, 1, 6, 1, channels=12, blocks=1, width=16, depth=4)
        return PointFlow(network, (2, 6, 1, 1), 6, PointFlowConfig(steps=4), cells=cells)

    return initialised(build, seed)


def _data(events=64):
    draw = torch.Generator().manual_seed(5)
    mask = torch.rand(events, 2, 6, generator=draw) < 0.5
    return RingPoints(
        angle=torch.arange(6.0).expand(events, 2, 6),
        features=torch.randn(events, 2, 6, 1, generator=draw) * mask[..., None],
        mask=mask,
        lone=torch.randn(events, 1, 1, generator=draw),
        lone_mask=torch.ones(events, 1, dtype=torch.bool),
    )


def test_the_order_of_the_data_changes_no_loss():
    flow, data = _flow(), _data()
    for parameter in flow.parameters():
        parameter.data += 0.05
    order = torch.tensor([3, 1, 5, 0, 2, 4])
    permuted = replace(data, angle=data.angle[:, :, order], features=data.features[:, :, order],
                       mask=data.mask[:, :, order])  # fmt: skip
    condition = torch.zeros(64, 1)
    one, other = (flow.loss(points, condition, Draws(3, 0, 64)) for points in (data, permuted))
    torch.testing.assert_close(one, other)


def test_untrained_points_stay_in_sectors_of_their_own():
    flow, data = _flow(), _data()
    mask = torch.arange(6) < data.mask.sum(dim=2, keepdim=True)
    noise = torch.randn(64, flow.noise_size, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        drawn = flow.draw(mask, data.lone_mask, torch.zeros(64, 1), noise)
    sector = torch.where(mask, drawn.angle.floor(), torch.arange(6.0) + 10)
    assert all(len(set(row)) == 6 for row in sector.flatten(0, 1).tolist())


@pytest.mark.statistical
def test_points_learn_to_lie_beside_each_other():
    """One point in each of two rings, always in the same sector; untrained one in six is."""
    flow, condition = _flow(), torch.zeros(256, 1)
    optimiser = torch.optim.Adam(flow.parameters(), lr=5e-3)
    for step in range(250):
        draws = Draws(1, 256 * step, 256)
        sector = (6 * draws.uniform(1, 91)[:, 0]).long()
        here = torch.nn.functional.one_hot(sector, 6).bool()[:, None].expand(-1, 2, -1)
        data = RingPoints(
            torch.arange(6.0).expand(256, 2, 6), torch.zeros(256, 2, 6, 1), here,
            torch.zeros(256, 1, 1), torch.zeros(256, 1, dtype=torch.bool),
        )  # fmt: skip
        loss = flow.loss(data, condition, draws).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        for group in optimiser.param_groups:
            group["lr"] = 5e-3 * (0.02 + 0.49 * (1 + math.cos(math.pi * step / 250)))
    mask = (torch.arange(6) < 1).expand(256, 2, 6)
    noise = Draws(2, 0, 256).normal(flow.noise_size, 0)
    with torch.no_grad():
        drawn = flow.draw(mask, torch.zeros(256, 1, dtype=torch.bool), condition, noise)
    sector = drawn.angle[:, :, 0].floor() % 6
    together = (sector[:, 0] == sector[:, 1]).double().mean()
    assert together > 0.6  # 0.17 +- 0.02 if nothing was learned


def test_a_cascade_needs_rings():
    with pytest.raises(ConfigError, match=r"common number of at least 3 sectors.* none"):
        PointCascade(PointCascadeConfig(), ShowerLayout(rings=((4, 1),), threshold=1.0))
    with pytest.raises(ConfigError, match=r"this detector has \[4, 6\]"):
        PointCascade(PointCascadeConfig(), ShowerLayout(rings=((4, 4), (2, 6)), threshold=1.0))


def test_numbers_of_points_survive_in_voxels():
    """No two points merge: what was drawn as numbers is what is filled, but for the threshold."""
    layout = ShowerLayout(rings=((1, 1), (3, 6)), threshold=1e-6)
    config = PointCascadeConfig(channels=8, blocks=1, width=8, depth=2, energy_width=8,
                                energy_blocks=1)  # fmt: skip
    model = initialised(lambda: PointCascade(config, layout), 0)
    draw = torch.Generator().manual_seed(0)
    x = torch.exp(torch.randn(300, 19, generator=draw))
    x = torch.where(torch.rand(300, 19, generator=draw) < 0.5, x, 0.0)
    incident = torch.full((300, 1), 1000.0) * (1 + torch.rand(300, 1, generator=draw))
    model.fit_constants(x, incident, torch.ones(300), Draws(0, 0, 300))
    for parameter in model.shape.parameters():
        parameter.data += 0.1 * torch.randn(parameter.shape, generator=draw)  # points run wild
    seen = []
    decode = model.scores.decode_layers
    model.scores.decode_layers = lambda *args: seen.append(decode(*args)) or seen[-1]
    noise = torch.randn(300, model.noise_size, generator=draw)
    with torch.no_grad():
        drawn = model.draw(incident, noise)
    assert torch.equal((drawn > 0).sum(dim=1), seen[0][1].sum(dim=1))
    assert model.encode(x, incident).isfinite().all()
    assert model.loss(Batch(model.encode(x, incident), incident, torch.ones(300)),
                      Draws(1, 0, 300)).isfinite().all()  # fmt: skip


def test_in_a_full_ring_no_point_has_to_move():
    """Paths are whole sectors long, and none where noise and data fill the same sectors: all."""
    data = _data()
    full = replace(data, mask=torch.ones_like(data.mask))
    losses = []
    for weight in (1.0, 1e6):
        flow = _flow()
        flow.config = flow.config.updated(angle_weight=weight)
        losses.append(flow.loss(full, torch.zeros(64, 1), Draws(3, 0, 64)))
    torch.testing.assert_close(*losses)
