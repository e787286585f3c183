"""The two losses of a GAN of showers, and the network that moves the scores of its layers."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.functional import softplus

__all__ = ["critic_loss", "generator_loss", "layer_network"]

Seen = tuple[Tensor, Tensor]
"""What a critic looks at: images and a vector, the events first."""


def critic_loss(critic: nn.Module, right: Seen, wrong: Seen, penalty: float) -> Tensor:
    r"""Return the loss of a critic with log-odds :math:`\ell`, ``(events,)``.

    .. math:: \ln(1 + e^{-\ell(x)}) + \ln(1 + e^{\ell(G)})
        + \frac{\gamma}{2}\,\|\nabla_x \ell(x)\|^2

    The last term, at simulated events only, is the first penalty of L. Mescheder, A. Geiger,
    S. Nowozin, "Which training methods for GANs do actually converge?", 2018, arXiv:1801.04406,
    eq. 9; the slope is that in everything that the critic sees. It is left out where no gradients
    are taken. The generator learns nothing from this loss.

    Args:
        critic: of two arguments, twice differentiable.
        right: simulated events.
        wrong: generated ones.
        penalty: :math:`\gamma`, dimensionless.
    """
    fooled = softplus(critic(*(part.detach() for part in wrong)))
    if not penalty or not torch.is_grad_enabled():
        return fooled + softplus(-critic(*right))
    first, second = (part.detach().requires_grad_() for part in right)
    odds = critic(first, second)
    slopes = torch.autograd.grad(odds.sum(), (first, second), create_graph=True)
    steepness = torch.stack([slope.flatten(1).square().sum(dim=1) for slope in slopes]).sum(dim=0)
    return fooled + softplus(-odds) + 0.5 * penalty * steepness


def generator_loss(critic: nn.Module, wrong: Seen) -> Tensor:
    r"""Return :math:`-\ln D(G) = \ln(1 + e^{-\ell(G)})`, ``(events,)``; the critic learns nothing.

    Args:
        critic: of two arguments.
        wrong: generated events.
    """
    fixed = {name: value.detach() for name, value in critic.named_parameters()}
    return softplus(-functional_call(critic, fixed, wrong))


def layer_network(inputs: int, layers: int) -> nn.Sequential:
    """Return a network that says how far the scores of layers are moved: not at all, untrained.

    Args:
        inputs: size of the vector.
        layers: number of scores.
    """
    last = nn.Linear(64, layers)
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    return nn.Sequential(nn.Linear(inputs, 64), nn.SiLU(), last)
