"""CaloGAN: physics of what it draws, who learns, and that showers do not see each other."""

from __future__ import annotations

import torch

from simulacra.batch import Batch, Draws
from simulacra.generative import CaloGan, CaloGanConfig, ShowerLayout, initialised
from simulacra.random import Stream

LAYOUT = ShowerLayout(rings=((3, 1), (4, 6), (2, 6)), threshold=1.0)
EVENTS = 30


def _model(**settings):
    config = CaloGanConfig(noise=5, channels=2, width=12, **{"penalty": 0.0, **settings})
    model = initialised(lambda: CaloGan(config, LAYOUT), seed=1)
    draw = torch.Generator().manual_seed(0)
    incident = 1000 * 64 ** torch.rand(EVENTS, 1, generator=draw)
    x = torch.exp(2 * torch.randn(EVENTS, LAYOUT.voxels, generator=draw)) * incident / 5000
    model.fit_constants(x, incident, torch.ones(EVENTS), Draws(1, 0, EVENTS))
    return model, Batch(model.encode(x, incident), incident, torch.ones(EVENTS))


def _noise(model, draws):
    return draws.normal(model.noise_size, Stream.NOISE)


def _moved(model):
    """Give every parameter of the generator something to say."""
    for number, parameter in enumerate([*model.generator.parameters(), *model.layers.parameters()]):
        parameter.data += 0.3 * torch.randn(
            parameter.shape, generator=torch.Generator().manual_seed(number)
        )


def test_what_it_draws_is_physics():
    model, batch = _model(pace=3.0)
    _moved(model)
    drawn = model.draw(batch.condition, 5 * _noise(model, Draws(2, 0, EVENTS)))
    assert drawn.isfinite().all()
    assert ((drawn == 0) | (drawn >= LAYOUT.threshold * (1 - 1e-5))).all()
    assert (drawn > 0).any()


def test_encoding_cuts_and_keeps_energies():
    model, _ = _model()
    x = torch.zeros(1, LAYOUT.voxels)
    x[0, :4] = torch.tensor([0.0, 0.5, 1.0, 70.0])
    back = model.encode(x, torch.ones(1, 1)).expm1() * model.start.unit
    torch.testing.assert_close(back[0, :4], torch.tensor([0.0, 0.0, 1.0, 70.0]))


def test_untrained_it_draws_the_regression():
    model, batch = _model()
    noise = _noise(model, Draws(3, 0, EVENTS))
    expected = model.start.energies(noise[:, 5:8], noise[:, 8:], batch.condition)
    torch.testing.assert_close(model.draw(batch.condition, noise), expected)


def test_the_energy_term_is_the_relative_difference_of_totals():
    draws = Draws(3, 0, EVENTS)
    (plain, batch), (heavy, _) = _model(energy_weight=0.0), _model(energy_weight=2.0)
    more = heavy.loss(batch, draws) - plain.loss(batch, draws)
    made = plain.draw(batch.condition, _noise(plain, draws)).sum(dim=1)
    expected = 2 * (made / batch.condition[:, 0] - 1).abs()
    torch.testing.assert_close(more, expected, rtol=1e-3, atol=1e-4)


def test_the_generators_loss_does_not_teach_the_critic():
    slopes = []
    for weight in (0.0, 3.0):
        model, batch = _model(energy_weight=weight)
        _moved(model)
        model.loss(batch, Draws(3, 0, EVENTS)).mean().backward()
        slopes.append([p.grad for p in model.critic.parameters()])
        assert all(p.grad is not None for p in model.generator.parameters())
    torch.testing.assert_close(slopes[0], slopes[1])


def test_a_layer_knows_the_one_before_and_not_the_one_behind():
    model, _ = _model()
    _moved(model)
    x = torch.randn(EVENTS, 9, generator=torch.Generator().manual_seed(3))
    noise = torch.zeros(EVENTS, LAYOUT.voxels)
    before = model.generator(x, noise).split([3, 24, 12], dim=1)
    model.generator.streams[1].leave.bias.data += 1.0
    after = model.generator(x, noise).split([3, 24, 12], dim=1)
    assert [not torch.equal(a, b) for a, b in zip(before, after, strict=True)] == [
        False,
        True,
        True,
    ]


def test_showers_do_not_see_each_other():
    model, batch = _model()
    _moved(model)
    noise = _noise(model, Draws(3, 0, EVENTS))
    whole = model.draw(batch.condition, noise)
    torch.testing.assert_close(model.draw(batch.condition[4:9], noise[4:9]), whole[4:9])
