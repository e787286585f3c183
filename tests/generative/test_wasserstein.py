"""The Wasserstein GAN: who learns when, and the penalty in closed form."""

from __future__ import annotations

import torch
from torch import nn

from simulacra.batch import Batch, Draws
from simulacra.generative import VectorKit, WassersteinGan, WassersteinGanConfig, initialised

EVENTS = 50
KIT = VectorKit(4, 1, width=16, blocks=1)


def _model(**settings):
    return initialised(
        lambda: WassersteinGan.from_kit(KIT, WassersteinGanConfig(**settings)), seed=1
    )


def _batch():
    draw = torch.Generator().manual_seed(0)
    x = torch.randn(EVENTS, 4, generator=draw) + 1
    return Batch(x, torch.rand(EVENTS, 1, generator=draw), torch.ones(EVENTS))


class _Line(nn.Module):
    """The critic D(x) = a . x."""

    def __init__(self, slope):
        super().__init__()
        self.slope = nn.Parameter(torch.tensor(slope))

    def forward(self, x, condition):
        return x @ self.slope


def test_an_untrained_generator_hands_the_noise_through():
    noise = torch.randn(9, 4, generator=torch.Generator().manual_seed(1))
    assert torch.equal(_model().draw(torch.zeros(9, 1), noise), noise)


def test_the_penalty_of_a_straight_critic():
    """|grad D| = |a| = 5 everywhere, so the penalty is 2 (5 - 1)^2 = 32 for each event."""
    slope = [3.0, 0.0, 4.0, 0.0]
    losses = []
    for penalty in (1e-9, 2.0):
        config = WassersteinGanConfig(penalty=penalty, drift=0.0)
        model = WassersteinGan(_model().generator, _Line(slope), 4, config)
        losses.append(model.loss(_batch(), Draws(1, 0, EVENTS)))
    torch.testing.assert_close(
        losses[1] - losses[0], torch.full((EVENTS,), 32.0), rtol=1e-4, atol=0
    )


def test_the_generator_learns_every_so_many_steps_and_else_takes_no_part():
    model = _model(critic_steps=3)
    for step in range(6):
        model.zero_grad(set_to_none=True)
        model.loss(_batch(), Draws(1, step * EVENTS, EVENTS)).mean().backward()
        touched = [p.grad is not None for p in model.generator.parameters()]
        assert any(touched) == (step % 3 == 0)
        assert all(p.grad is not None for p in model.critic.parameters())


def test_the_generators_loss_does_not_teach_the_critic():
    draws, slopes = Draws(1, 2 * EVENTS, EVENTS), []  # step 2: everybody's of 1, critic's of 3
    for critic_steps in (1, 3):
        model = _model(critic_steps=critic_steps)
        model.loss(_batch(), draws).mean().backward()
        slopes.append([p.grad for p in model.critic.parameters()])
    torch.testing.assert_close(slopes[0], slopes[1])


def test_the_generator_climbs_the_critic():
    """With D(x) = a . x a step against the gradient moves what is drawn along a."""
    slope = [1.0, -2.0, 0.0, 0.5]
    model = WassersteinGan(_model().generator, _Line(slope), 4, WassersteinGanConfig())
    noise = torch.randn(EVENTS, 4, generator=torch.Generator().manual_seed(2))
    condition = _batch().condition
    model.loss(_batch(), Draws(1, 0, EVENTS)).mean().backward()
    with torch.no_grad():
        before = model.draw(condition, noise)
        for parameter in model.generator.parameters():
            parameter -= 0.05 * parameter.grad
        moved = (model.draw(condition, noise) - before).mean(dim=0)
    along = float(moved @ torch.tensor(slope)) / (float(moved.norm()) * model.critic.slope.norm())
    assert along > 0.99


def test_judging_without_gradients_has_no_penalty_but_a_loss_for_every_event():
    with torch.no_grad():
        loss = _model().loss(_batch(), Draws(1, 2**63, EVENTS))
    assert loss.shape == (EVENTS,)
    assert loss.isfinite().all()
