"""Flows: an invertible map, its exact density, the symmetry of rings, and the fast student."""

from __future__ import annotations

import math

import pytest
import torch

from simulacra.batch import Batch, Draws
from simulacra.errors import ConfigError
from simulacra.generative import (
    AutoregressiveFlow,
    AutoregressiveFlowConfig,
    CouplingFlow,
    CouplingFlowConfig,
    FlowMatchingConfig,
    GridKit,
    HasDensity,
    InverseAutoregressiveFlow,
    InverseAutoregressiveFlowConfig,
    RingKit,
    VectorKit,
    build_family,
    initialised,
)

VECTOR = VectorKit(4, 2, width=16, blocks=2)
RINGS = RingKit(((3, 1), (4, 6), (2, 6)), 2, channels=8, blocks=1, width=12)
CELLS = GridKit(((2, 6), (3, 4), (5, 1)), 2, patch=4, channels=8, blocks=1, width=12)
CONFIGS = {
    "coupling": CouplingFlowConfig(couplings=5, depth=1, bins=4),
    "coupling, rotated": CouplingFlowConfig(couplings=5, depth=1, bins=4, mixing="rotation"),
    "autoregressive": AutoregressiveFlowConfig(steps=3, bins=4),
    "inverse autoregressive": InverseAutoregressiveFlowConfig(steps=3, bins=4),
}


def _flow(config, kit):
    """Build a flow that is no longer the identity."""
    flow = initialised(lambda: build_family(config, kit), seed=1).double()
    draw = torch.Generator().manual_seed(2)
    for parameter in flow.parameters():
        size = 0.3 / math.sqrt(parameter.shape[-1])
        parameter.data += size * torch.randn(parameter.shape, generator=draw)
    return flow


def _events(kit, events=6):
    draw = torch.Generator().manual_seed(3)
    x = torch.randn(events, kit.features, generator=draw, dtype=torch.float64)
    return x, torch.randn(events, kit.conditions, generator=draw, dtype=torch.float64)


@pytest.fixture(params=CONFIGS.values(), ids=CONFIGS.keys())
def config(request):
    return request.param


@pytest.fixture(params=[VECTOR, RINGS, CELLS], ids=["vector", "rings", "cells"])
def kit(request):
    return request.param


def test_untrained_flows_hand_the_noise_through(config, kit):
    flow = initialised(lambda: build_family(config, kit), seed=1).double()
    x, condition = _events(kit)
    torch.testing.assert_close(flow.draw(condition, x), x, rtol=0, atol=1e-6)
    expected = -0.5 * x.square().sum(1) - kit.features / 2 * math.log(2 * math.pi)
    torch.testing.assert_close(flow.log_density(x, condition), expected)


def test_noise_is_found_again(config, kit):
    flow = _flow(config, kit)
    noise, condition = _events(kit)
    with torch.no_grad():
        x = flow.draw(condition, noise)
        back, _ = flow.to_noise(x, condition)
    assert float((x - noise).abs().mean()) > 0.05  # not the identity
    torch.testing.assert_close(back, noise, rtol=0, atol=1e-7)


def test_density_is_that_of_what_is_drawn(config, kit):
    """The determinant of the map from noise, by autograd or, where it has none, differences."""
    flow = _flow(config, kit)
    noise, condition = _events(kit, 1)

    def drawn(z):
        return flow.draw(condition, z[None])[0]

    if isinstance(flow, AutoregressiveFlow):
        steps = 1e-6 * torch.eye(kit.features, dtype=torch.float64)
        both = torch.cat([noise + steps, noise - steps])
        above, below = flow.draw(condition.expand(len(both), -1), both).chunk(2)
        jacobian, tolerance = (above - below) / 2e-6, 1e-5
    else:
        jacobian, tolerance = torch.autograd.functional.jacobian(drawn, noise[0]), 1e-8
    normal = -0.5 * noise.square().sum() - kit.features / 2 * math.log(2 * math.pi)
    expected = normal - torch.linalg.slogdet(jacobian)[1]
    with torch.no_grad():
        density = flow.log_density(flow.draw(condition, noise), condition)
    assert float(density) == pytest.approx(float(expected), abs=tolerance)


def test_flows_have_a_density_and_others_do_not(config):
    assert isinstance(_flow(config, VECTOR), HasDensity)
    assert not isinstance(_flow(FlowMatchingConfig(), VECTOR), HasDensity)


def test_single_precision_is_enough(config, kit):
    flow = _flow(config, kit).float()
    noise, condition = (values.float() for values in _events(kit))
    with torch.no_grad():
        back, _ = flow.to_noise(flow.draw(condition, noise), condition)
        far = flow.draw(condition, 6.7 * noise.sign())
    torch.testing.assert_close(back, noise, rtol=0, atol=1e-3)
    assert far.isfinite().all()


def test_turns_of_rings_are_rotations():
    turns = torch.tensor(RINGS.turns())
    assert turns.shape == (6, RINGS.features)
    shower = torch.zeros(RINGS.features)
    shower[3 + 4 * 2 + 1] = 1  # layer 1, sector 2, radius 1
    turned = shower[turns[1]]
    assert turned.nonzero()[0] == 3 + 4 * 1 + 1
    assert torch.equal(turns[:, :3], torch.arange(3).expand(6, 3))
    assert len(VECTOR.turns()) == 1
    alone = RingKit(RINGS.rings, 2, equivariant=False)
    assert len(alone.turns()) == 1


def test_every_other_pair_of_ring_couplings_keeps_all_rotations_the_rest_those_by_two():
    flow = _flow(CouplingFlowConfig(couplings=4, depth=1, bins=4), RINGS)
    x, condition = _events(RINGS)
    turns = torch.tensor(RINGS.turns())

    def broken(coupling, turn):
        plain = coupling(x, condition)[0][:, turns[turn]]
        return float((coupling(x[:, turns[turn]], condition)[0] - plain).detach().abs().max())

    for number, coupling in enumerate(flow.couplings):
        assert broken(coupling, 2) < 1e-5
        assert (broken(coupling, 1) < 1e-5) == (number >= 2)


def test_two_couplings_move_every_feature():
    for kit in (VECTOR, RINGS, CELLS):
        with torch.random.fork_rng(devices=[]):
            halves = kit.halves(6)
        for one, other in zip(halves[::2], halves[1::2], strict=True):
            assert sorted(one.given + one.moved) == list(range(kit.features))
            assert one.given == other.moved
            assert 0 < len(one.given) < kit.features


def test_cells_are_moved_with_about_half_of_their_patch_given():
    with torch.random.fork_rng(devices=[]):
        half = CELLS.halves(1)[0]
    cells = CELLS.patches.split(torch.arange(1.0, CELLS.features + 1)[None])[0]
    for patch in cells:
        inside = {int(cell) - 1 for cell in patch if cell > 0}
        assert abs(len(inside & set(half.given)) - len(inside & set(half.moved))) <= 1
    assert sum(columns for _, columns in half.given_images) == len(half.given)


def test_a_coupling_of_cells_sees_the_other_patches():
    flow = _flow(CouplingFlowConfig(couplings=2, depth=1, bins=4), CELLS)
    x, condition = _events(CELLS)
    coupling = flow.couplings[0]
    given, moved = int(coupling.given[0]), coupling.moved
    elsewhere = x.clone()
    elsewhere[:, given] += 1.0
    change = coupling(elsewhere, condition)[0] - coupling(x, condition)[0]
    assert bool((change[:, moved].abs() > 1e-6).any(dim=0).all())


def test_training_turns_showers():
    flow = initialised(lambda: build_family(CONFIGS["coupling"], RINGS), seed=1)
    x = torch.arange(float(RINGS.features)).expand(400, -1)
    turned = flow.turned(x, Draws(1, 0, 400))
    found = {tuple(row) for row in turned.tolist()}
    assert found == {tuple(map(float, turn)) for turn in RINGS.turns()}


def _normal(events, first):
    """Draw two correlated numbers around the first condition."""
    draws = Draws(5, first, events)
    condition = 2 * draws.uniform(2, 90) - 1
    z = draws.normal(4, 91)
    x = torch.stack(
        [z[:, 0], 0.8 * z[:, 0] + 0.6 * z[:, 1], condition[:, 0] + 0.5 * z[:, 2], z[:, 3]], dim=1
    )
    return x, condition, draws


_ENTROPY = 2 * math.log(2 * math.pi * math.e) + math.log(0.6) + math.log(0.5)


def _train(flow, steps, rate):
    optimiser = torch.optim.Adam([p for p in flow.parameters() if p.requires_grad], lr=rate)
    for step in range(steps):
        x, condition, draws = _normal(256, 256 * step)
        loss = flow.loss(Batch(x, condition, torch.ones(256)), draws).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        for group in optimiser.param_groups:
            group["lr"] = rate * 0.5 * (1 + math.cos(math.pi * step / steps))
    return flow


@pytest.fixture(scope="module")
def teacher():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        flow = AutoregressiveFlow(VECTOR, AutoregressiveFlowConfig(steps=2, bins=4, width=32))
    return _train(flow, 250, 1e-2)


@pytest.mark.slow
def test_teacher_learns_a_correlated_normal(teacher):
    """Cross-entropy within 0.05 nats of the truth's, which it cannot beat but by chance."""
    x, condition, _ = _normal(20_000, 10**6)
    with torch.no_grad():
        found = -float(teacher.log_density(x, condition).mean())
    assert found == pytest.approx(_ENTROPY, abs=0.05)


@pytest.mark.slow
def test_coupling_flow_learns_a_correlated_normal():
    flow = initialised(
        lambda: CouplingFlow(VECTOR, CouplingFlowConfig(couplings=4, depth=1, bins=4)), seed=0
    )
    _train(flow, 250, 5e-3)
    x, condition, _ = _normal(20_000, 10**6)
    with torch.no_grad():
        found = -float(flow.log_density(x, condition).mean())
    assert found == pytest.approx(_ENTROPY, abs=0.08)


@pytest.mark.slow
def test_student_draws_what_its_teacher_draws(teacher):
    """From the same noise; a student starts as the identity, which is 0.5 away."""
    config = InverseAutoregressiveFlowConfig(steps=2, bins=4, width=32)
    student = initialised(lambda: InverseAutoregressiveFlow(VECTOR, config), seed=0)
    student.learn_from(teacher)

    def distance():
        noise, condition = Draws(9, 0, 2000).normal(4, 0), _normal(2000, 0)[1]
        with torch.no_grad():
            apart = student.draw(condition, noise) - teacher.draw(condition, noise)
        return float(apart.square().mean().sqrt())

    before = distance()
    _train(student, 250, 1e-2)
    assert before > 0.3
    assert distance() < before / 6
    assert not any("teacher" in name for name in student.state_dict())


def test_a_teacher_follows_its_student():
    """To another number format as to another device."""
    first = initialised(lambda: build_family(AutoregressiveFlowConfig(steps=1), VECTOR), seed=0)
    config = InverseAutoregressiveFlowConfig(steps=1)
    student = initialised(lambda: InverseAutoregressiveFlow(VECTOR, config), seed=0)
    student.learn_from(first)
    student.double()
    assert {p.dtype for p in first.parameters()} == {torch.float64}


def test_a_student_needs_a_fitting_teacher(teacher):
    config = InverseAutoregressiveFlowConfig(steps=3, bins=4)
    student = initialised(lambda: InverseAutoregressiveFlow(VECTOR, config), seed=0)
    x, condition, draws = _normal(4, 0)
    with pytest.raises(ConfigError, match="steps=2"):
        student.learn_from(teacher)
    with pytest.raises(ConfigError, match="family autoregressive_flow, found CouplingFlow"):
        student.learn_from(_flow(CONFIGS["coupling"], VECTOR))
    with pytest.raises(ConfigError, match="expected a teacher"):
        student.loss(Batch(x, condition, torch.ones(4)), draws)


def test_a_single_number_cannot_be_split():
    with pytest.raises(ConfigError, match="two numbers"):
        CouplingFlow(VectorKit(1, 1), CouplingFlowConfig())
