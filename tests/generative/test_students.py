"""Students: generators that learn from a trained one."""

from __future__ import annotations

import pytest
import torch

from simulacra.batch import Batch, Draws
from simulacra.errors import ConfigError
from simulacra.generative import (
    CascadeConfig,
    CouplingFlowConfig,
    DiffusionConfig,
    FlowMatchingConfig,
    MeanFlowConfig,
    ShowerCascade,
    ShowerLayout,
    VariationalAutoencoderConfig,
    VectorKit,
    build_family,
    initialised,
)
from simulacra.samplers import solve

KIT = VectorKit(3, 2, width=16, blocks=2)
TEACHERS = {
    "path": FlowMatchingConfig(),
    "unit": DiffusionConfig(),
}


def _random(config, kit=KIT, size=0.1):
    """Build a generator with weights that are no longer those of the identity."""
    model = initialised(lambda: build_family(config, kit), seed=3)
    noise = torch.Generator().manual_seed(0)
    for parameter in model.parameters():
        parameter.data += size * torch.randn(parameter.shape, generator=noise)
    return model


def _points(events=40):
    draw = torch.Generator().manual_seed(1)
    x, condition = torch.randn(events, 3, generator=draw), torch.rand(events, 2, generator=draw)
    return 0.05 + 0.9 * torch.rand(events, generator=draw), x, condition


def test_velocity_of_diffusion_is_that_of_its_denoiser():
    r"""On a line, E[x1 - x0 | x] = (E[x1 | x] - x) / (1 - t) with x / t = x1 + sigma x0."""
    model = _random(DiffusionConfig())
    t, x, condition = _points()
    with torch.no_grad():
        clean = model.denoise(x / t[:, None], (1 - t) / t, condition)
        expected = (clean - x) / (1 - t)[:, None]
        torch.testing.assert_close(model.velocity(t, x, condition), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("sampler", ["heun", "ddim"])
def test_diffusion_follows_the_velocity_it_stands_for(sampler):
    """Removing noise in many steps ends where a fine solution of the velocity ends."""
    model = _random(DiffusionConfig())
    steps = 200 if sampler == "heun" else 1500
    fine = _random(DiffusionConfig(sampler=sampler, steps=steps, largest=1000.0))
    _, noise, condition = _points()

    def field(t, x):
        return model.velocity(torch.full_like(x[:, 0], t), x, condition)

    with torch.no_grad():
        expected = solve(
            "rk4",
            lambda t, x: model.velocity(torch.full_like(x[:, 0], t), x, condition),
            noise,
            200,
        )
        drawn = fine.draw(condition, noise)
    assert float((drawn - expected).abs().max()) < 0.03


@pytest.mark.parametrize("state", TEACHERS)
def test_a_student_starts_as_its_teacher(state):
    """Over no time the mean velocity is the velocity."""
    teacher, student = _random(TEACHERS[state]), _random(MeanFlowConfig(state=state))
    t, x, condition = _points()
    student.learn_from(teacher)
    with torch.no_grad():
        torch.testing.assert_close(
            student.mean_velocity(t, t, x, condition), teacher.velocity(t, x, condition)
        )
    assert not any("teacher" in name for name in student.state_dict())
    assert {id(p) for p in student.parameters()}.isdisjoint(id(p) for p in teacher.parameters())


def test_a_student_of_another_size_starts_anew():
    teacher, student = _random(FlowMatchingConfig()), _random(MeanFlowConfig(), VectorKit(3, 2, 8))
    before = {name: value.clone() for name, value in student.state_dict().items()}
    student.learn_from(teacher)
    assert all(torch.equal(value, before[name]) for name, value in student.state_dict().items())


@pytest.mark.slow
@pytest.mark.parametrize(("lesson", "left"), [("velocity", 0.9), ("end", 0.5)])
def test_a_trained_student_ends_nearer_to_its_teachers_end(lesson, left):
    """A few seconds of training leave at most this part of the squared distance."""
    teacher = _random(FlowMatchingConfig(solver="rk4", steps=6), size=0.07)
    student = _random(MeanFlowConfig(instantaneous=0.0, lesson=lesson))
    student.learn_from(teacher)

    def distance():
        _, noise, condition = _points(400)
        with torch.no_grad():
            apart = student.draw(condition, noise) - teacher.draw(condition, noise)
        return float(apart.square().mean())

    before = distance()
    optimiser = torch.optim.Adam(student.parameters(), lr=2e-3)
    for step in range(200):
        draws = Draws(5, 128 * step, 128)
        condition = draws.uniform(2, 90)
        with torch.no_grad():
            data = teacher.draw(condition, draws.normal(3, 91))
        loss = student.loss(Batch(data, condition, torch.ones(128)), draws).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert distance() < left * before


@pytest.mark.parametrize("family", [CouplingFlowConfig(), MeanFlowConfig(), FlowMatchingConfig()])
def test_one_step_learns_where_any_generator_ends(family):
    teacher, student = _random(family, size=0.3), _random(MeanFlowConfig(lesson="end"))
    student.learn_from(teacher)
    _, noise, condition = _points(200)
    optimiser = torch.optim.Adam(student.parameters(), lr=1e-2)
    losses = []
    for _ in range(40):
        loss = student._missed(noise, condition).mean()
        losses.append(loss.item())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert losses[-1] < 0.25 * losses[0]
    assert all(p.grad is None for p in teacher.parameters())


def test_an_end_needs_one_step_and_a_teacher():
    with pytest.raises(ConfigError, match="single step"):
        MeanFlowConfig.from_dict({"lesson": "end", "steps": 2})
    _, x, condition = _points()
    with pytest.raises(ConfigError, match="needs a teacher"):
        _random(MeanFlowConfig(lesson="end")).loss(
            Batch(x, condition, torch.ones(40)), Draws(0, 0, 40)
        )


def test_a_teacher_of_another_kind_is_refused():
    with pytest.raises(ConfigError, match="only flow_matching and diffusion have the velocity"):
        _random(MeanFlowConfig()).learn_from(_random(MeanFlowConfig()))
    with pytest.raises(ConfigError, match="draws 3 numbers from as many"):
        _random(MeanFlowConfig(lesson="end")).learn_from(_random(VariationalAutoencoderConfig()))
    with pytest.raises(ConfigError, match="learns from data"):
        _random(FlowMatchingConfig()).learn_from(_random(FlowMatchingConfig()))


def _cascade(**changes):
    small = {"channels": 8, "blocks": 1, "width": 12, "energy_width": 12, "energy_blocks": 1}
    layout = ShowerLayout(rings=((3, 1), (4, 6)), threshold=1.0)
    return initialised(lambda: ShowerCascade(CascadeConfig(**small, **changes), layout), seed=4)


def test_a_cascade_takes_over_scores_and_equal_parts():
    teacher, student = _cascade(), _cascade(shape=MeanFlowConfig())
    draw = torch.Generator().manual_seed(0)
    incident = 1000 * 64 ** torch.rand(200, 1, generator=draw)
    x = torch.exp(2 * torch.randn(200, 27, generator=draw)) * incident / 5000
    teacher.fit_constants(x, incident, torch.ones(200), Draws(1, 0, 200))
    for parameter in teacher.parameters():
        parameter.data += 0.02
    student.learn_from(teacher)
    student.fit_constants(2 * x, incident, torch.ones(200), Draws(1, 0, 200))
    torch.testing.assert_close(student.encode(x, incident), teacher.encode(x, incident))
    noise = torch.randn(200, teacher.layers, generator=draw)
    condition = torch.rand(200, 1, generator=draw)
    with torch.no_grad():
        torch.testing.assert_close(
            student.energy.draw(condition, noise), teacher.energy.draw(condition, noise)
        )
    other = ShowerLayout(rings=((3, 1), (4, 6)), threshold=2.0)
    with pytest.raises(ConfigError, match="same detector"):
        initialised(lambda: ShowerCascade(CascadeConfig(), other), seed=0).learn_from(teacher)
    for changes in ({"layers": "logarithms"}, {"spectra": "layer"}):
        with pytest.raises(ConfigError, match="teacher's scores"):
            _cascade(**changes).learn_from(teacher)


def test_pairs_of_a_teacher_with_one_score_more_than_layers():
    teacher, student = (_cascade(layers="logarithms") for _ in range(2))
    student.learn_from(teacher)
    condition, draws = torch.full((5, 1), 2000.0), Draws(1, 0, 5)
    x = student.pairs(condition, draws)
    assert x.shape == (5, 2 * (2 + 1 + 27))
    loss = student.loss(Batch(x, condition, torch.ones(5)), draws)
    torch.testing.assert_close(loss, torch.zeros(5))


def test_the_teacher_moves_with_its_student():
    teacher, student = _random(FlowMatchingConfig()), _random(MeanFlowConfig(lesson="end"))
    student.learn_from(teacher)
    student.double()
    _, noise, condition = _points()
    loss = student._missed(noise.double(), condition.double())
    assert loss.isfinite().all()
