"""The perceptron of the challenge: its layers, its law of first numbers, what is never rounded."""

import numpy as np
import pytest
import torch

from simulacra.nets import MLP


def network(*sizes, **options):
    return MLP(*sizes, **options).initialise(np.random.default_rng(0))


def test_the_challenges_layers():
    sizes = [tuple(p.shape) for p in MLP(369, 1).parameters()]
    assert sizes == [(2048, 369), (2048,), *[(2048, 2048), (2048,)] * 2, (1, 2048), (1,)]


@pytest.mark.parametrize("hidden", [0, 1, 3])
def test_it_is_the_formula(hidden):
    net = network(5, 2, width=7, hidden=hidden, slope=0.1)
    x = torch.randn(4, 5, generator=torch.Generator().manual_seed(0))
    h, (*pairs, w, b) = x, net.parameters()
    for weight, bias in zip(pairs[::2], pairs[1::2], strict=True):
        h = h @ weight.T + bias
        h = torch.maximum(h, 0.1 * h)
    torch.testing.assert_close(net(x), h @ w.T + b)


def test_inputs_are_not_rounded_and_outputs_not_tied():
    """In bfloat16 4.000 and 4.001 are one number, and so are logits that differ by 1e-3."""
    net = network(3, 1, width=64, hidden=2)
    x = torch.full((1, 3), 4.0)
    with torch.autocast("cpu", torch.bfloat16):
        first = net.layers[0]
        inner = [first(x), first(x + 1e-3)]
        out = net(x + torch.linspace(0, 1, 200)[:, None])
    assert torch.equal(*inner)  # autocast would round
    seen = []
    first.register_forward_hook(lambda *args: seen.append(args[2]))
    with torch.autocast("cpu", torch.bfloat16):
        net(x), net(x + 1e-3)
    assert seen[0].dtype == out.dtype == torch.float32
    assert not torch.equal(*seen)
    assert len(torch.unique(out)) > 150
