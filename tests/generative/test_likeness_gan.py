"""The GAN with a likeness term: what it refuses, what the term is, that only its side learns."""

from __future__ import annotations

import pytest
import torch

from simulacra.batch import Batch, Draws
from simulacra.errors import ShapeError
from simulacra.generative import LikenessGan, LikenessGanConfig, initialised
from simulacra.random import Stream

EVENTS = 40
NAMES = ("incident_energy", "x")


def _model(likeness=0.0):
    config = LikenessGanConfig(likeness=likeness, noise=3, channels=6, factors=(2, 2))
    return initialised(lambda: LikenessGan(config, 3, 8, NAMES), seed=1)


def _batch(model):
    draw = torch.Generator().manual_seed(0)
    x = torch.rand(EVENTS, 24, generator=draw) * 100
    condition = torch.rand(EVENTS, 2, generator=draw) + 100
    model.fit_constants(x, condition, torch.ones(EVENTS), Draws(1, 0, EVENTS))
    return Batch(model.encode(x, condition), condition, torch.ones(EVENTS)), x


def test_lambda_weighs_the_mean_squared_difference_of_cells():
    plain, heavy = _model(0.0), _model(7.0)
    (batch, _), _ = _batch(plain), _batch(heavy)
    draws = Draws(3, 0, EVENTS)
    more = heavy.loss(batch, draws) - plain.loss(batch, draws)
    made = plain.draw(batch.condition, draws.normal(3, Stream.NOISE))
    unlike = (plain.encode(made, batch.condition) - batch.x).square().mean(dim=1)
    torch.testing.assert_close(more, 7 * unlike, rtol=1e-3, atol=1e-3)


def test_the_likeness_term_leaves_the_discriminator_alone():
    draws, slopes = Draws(3, 0, EVENTS), []
    for likeness in (0.0, 7.0):
        model = _model(likeness)
        batch, _ = _batch(model)
        model.loss(batch, draws).mean().backward()
        slopes.append([p.grad for p in model.critic.parameters()])
    torch.testing.assert_close(slopes[0], slopes[1])


def test_a_discriminator_learns_from_its_own_loss_alone():
    model = _model()
    batch, _ = _batch(model)
    draws = Draws(3, 0, EVENTS)
    model.loss(batch, draws).mean().backward()
    found = [p.grad for p in model.critic.parameters()]
    model.zero_grad()
    given = model.scale(
        torch.cat([batch.condition[:, :1].log(), batch.condition[:, 1:]], 1), batch.condition[:, 0]
    )
    real = batch.x.reshape(-1, 3, 8)
    with torch.no_grad():
        made = model.draw(batch.condition, draws.normal(3, Stream.NOISE))
        made = model.encode(made, batch.condition).reshape(-1, 3, 8)
    right, wrong = model.critic(real, given), model.critic(made, given)
    (-right.sigmoid().log() - (1 - wrong.sigmoid()).log()).mean().backward()
    torch.testing.assert_close(
        found, [p.grad for p in model.critic.parameters()], rtol=1e-3, atol=1e-5
    )


def test_energies_are_never_negative_and_come_back():
    model = _model()
    batch, x = _batch(model)
    drawn = model.draw(
        batch.condition, torch.randn(EVENTS, 3, generator=torch.Generator().manual_seed(2))
    )
    assert (drawn >= 0).all()
    torch.testing.assert_close(batch.x.expm1() * model.config.unit, x)


def test_cells_that_do_not_fit_are_refused():
    with pytest.raises(ShapeError, match="cells in a multiple of 8, got 70"):
        LikenessGan(LikenessGanConfig(), 18, 70, NAMES)
    with pytest.raises(ShapeError, match="incident energy"):
        LikenessGan(LikenessGanConfig(), 18, 72, ())
