"""The GAN with a likeness term: what it refuses, what each term is, that only its side learns."""

from __future__ import annotations

import pytest
import torch

from simulacra.batch import Batch, Draws
from simulacra.errors import ShapeError
from simulacra.generative import LikenessGan, LikenessGanConfig, ShowerLayout, initialised
from simulacra.random import Stream

EVENTS = 40
LAYOUT = ShowerLayout(rings=((4, 2),) * 3, threshold=0.1, conditions=("incident_energy", "x"))


def _model(likeness=0.0, penalty=0.0):
    config = LikenessGanConfig(
        likeness=likeness, penalty=penalty, noise=3, channels=6, factors=(2, 2)
    )
    model = initialised(lambda: LikenessGan(config, LAYOUT), seed=1)
    draw = torch.Generator().manual_seed(0)
    x = torch.rand(EVENTS, 24, generator=draw) * 100
    condition = torch.rand(EVENTS, 2, generator=draw) + 1500
    model.fit_constants(x, condition, torch.ones(EVENTS), Draws(1, 0, EVENTS))
    return model, Batch(model.encode(x, condition), condition, torch.ones(EVENTS)), x


def _noise(model, draws):
    return draws.normal(model.noise_size, Stream.NOISE)


def test_lambda_weighs_the_mean_squared_difference_of_cells():
    (plain, batch, _), (heavy, _, _) = _model(0.0), _model(7.0)
    draws = Draws(3, 0, EVENTS)
    more = heavy.loss(batch, draws) - plain.loss(batch, draws)
    made = plain.draw(batch.condition, _noise(plain, draws))
    unlike = (plain.encode(made, batch.condition) - batch.x).square().mean(dim=1)
    torch.testing.assert_close(more, 7 * unlike, rtol=1e-3, atol=1e-3)


def test_the_likeness_term_leaves_the_discriminator_alone():
    draws, slopes = Draws(3, 0, EVENTS), []
    for likeness in (0.0, 7.0):
        model, batch, _ = _model(likeness)
        model.loss(batch, draws).mean().backward()
        slopes.append([p.grad for p in model.critic.parameters()])
    torch.testing.assert_close(slopes[0], slopes[1])


def _judged(model, batch, draws):
    """Return the log-odds of simulated and of generated events, and what the first were of."""
    empty = torch.zeros(EVENTS, 3)
    with torch.no_grad():
        made = model.draw(batch.condition, _noise(model, draws))
    seen = []
    for image in (batch.x, model.encode(made, batch.condition)):
        given = model.start.given(batch.condition)
        white = model.start.white_layers(image, batch.condition, empty)
        vector = torch.cat([given, white, model.start.seen(image, white, given)], dim=1)
        seen.append([image.reshape(-1, 3, 8).clone(), vector])
    for tensor in seen[0]:
        tensor.requires_grad_()
    return model.critic(*seen[0]), model.critic(*seen[1]), seen[0]


def test_a_discriminator_learns_from_its_own_loss_alone():
    model, batch, _ = _model()
    draws = Draws(3, 0, EVENTS)
    model.loss(batch, draws).mean().backward()
    found = [p.grad for p in model.critic.parameters()]
    model.zero_grad()
    right, wrong, _ = _judged(model, batch, draws)
    (-right.sigmoid().log() - (1 - wrong.sigmoid()).log()).mean().backward()
    torch.testing.assert_close(
        found, [p.grad for p in model.critic.parameters()], rtol=1e-2, atol=1e-4
    )


def test_the_penalty_is_half_the_squared_slope_at_simulated_events():
    (plain, batch, _), (steep, _, _) = _model(), _model(penalty=6.0)
    draws = Draws(3, 0, EVENTS)
    more = steep.loss(batch, draws) - plain.loss(batch, draws)
    odds, _, inputs = _judged(plain, batch, draws)
    slopes = torch.autograd.grad(odds.sum(), inputs)
    squared = sum(slope.flatten(1).square().sum(dim=1) for slope in slopes)
    torch.testing.assert_close(more, 3 * squared, rtol=1e-3, atol=1e-5)


def test_without_gradients_there_is_no_penalty():
    model, batch, _ = _model(penalty=6.0)
    plain, _, _ = _model()
    draws = Draws(3, 0, EVENTS)
    with torch.no_grad():
        torch.testing.assert_close(model.loss(batch, draws), plain.loss(batch, draws))


def test_untrained_it_draws_the_regression():
    model, batch, _ = _model()
    noise = _noise(model, Draws(3, 0, EVENTS))
    expected = model.start.energies(noise[:, 3:6], noise[:, 6:], batch.condition)
    torch.testing.assert_close(model.draw(batch.condition, noise), expected)


def test_energies_are_never_negative_and_come_back():
    model, batch, x = _model()
    for parameter in model.parameters():
        parameter.data += 0.1
    drawn = model.draw(batch.condition, 5 * _noise(model, Draws(2, 0, EVENTS)))
    assert drawn.isfinite().all()
    assert ((drawn == 0) | (drawn >= LAYOUT.threshold * (1 - 1e-5))).all()
    kept = torch.where(x >= LAYOUT.threshold, x, 0.0)
    torch.testing.assert_close(batch.x.expm1() * model.start.unit, kept)


def test_cells_that_do_not_fit_are_refused():
    rows = ShowerLayout(rings=((35, 2),) * 18, threshold=1.0)
    with pytest.raises(ShapeError, match="cells in a multiple of 8, got 70"):
        initialised(lambda: LikenessGan(LikenessGanConfig(), rows), seed=1)
    unequal = ShowerLayout(rings=((4, 2), (5, 2)), threshold=1.0)
    with pytest.raises(ShapeError, match=r"same number of cells, got \[8, 10\]"):
        initialised(lambda: LikenessGan(LikenessGanConfig(), unequal), seed=1)
