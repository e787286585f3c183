"""The losses of a GAN of showers: against formulas on a critic that is a line, and who learns."""

from __future__ import annotations

import torch
from torch import nn

from simulacra.generative import initialised
from simulacra.generative.adversary import critic_loss, generator_loss, layer_network


class _Line(nn.Module):
    """Log-odds w . image + v . vector: the slope is (w, v) everywhere."""

    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.tensor([0.5, -1.0]))
        self.v = nn.Parameter(torch.tensor([2.0]))

    def forward(self, image, vector):
        return image @ self.w + vector @ self.v


RIGHT = (torch.tensor([[1.0, 2.0], [0.0, 1.0]]), torch.tensor([[0.5], [1.0]]))
WRONG = (torch.tensor([[3.0, 0.0], [1.0, 1.0]]), torch.tensor([[-1.0], [0.0]]))


def test_the_critics_loss_is_cross_entropy_and_half_its_squared_slope():
    found = critic_loss(_Line(), RIGHT, WRONG, 3.0)
    right, wrong = torch.tensor([-0.5, 1.0]).sigmoid(), torch.tensor([-0.5, -0.5]).sigmoid()
    slope = 0.5**2 + 1.0**2 + 2.0**2
    torch.testing.assert_close(found, -right.log() - (1 - wrong).log() + 1.5 * slope)


def test_the_penalty_teaches_the_critic_its_slope():
    """The penalty alone has the gradient gamma times the slope."""
    slopes = []
    for penalty in (0.0, 3.0):
        line = _Line()
        critic_loss(line, RIGHT, WRONG, penalty).mean().backward()
        slopes.append(torch.cat([line.w.grad, line.v.grad]))
    torch.testing.assert_close(slopes[1] - slopes[0], 3 * torch.tensor([0.5, -1.0, 2.0]))


def test_without_gradients_there_is_no_penalty():
    with torch.no_grad():
        torch.testing.assert_close(
            critic_loss(_Line(), RIGHT, WRONG, 3.0), critic_loss(_Line(), RIGHT, WRONG, 0.0)
        )


def test_each_side_learns_from_its_own_loss_alone():
    line, made = _Line(), WRONG[0].clone().requires_grad_()
    loss = generator_loss(line, (made, WRONG[1]))
    torch.testing.assert_close(loss, -torch.tensor([-0.5, -0.5]).sigmoid().log())
    loss.sum().backward()
    assert line.w.grad is None
    assert made.grad.any()
    made.grad = None
    critic_loss(line, RIGHT, (made, WRONG[1]), 1.0).sum().backward()
    assert made.grad is None
    assert line.w.grad.any()


def test_untrained_layers_stay_where_they_are():
    network = initialised(lambda: layer_network(4, 3), 1)
    assert not network(torch.ones(5, 4)).any()
