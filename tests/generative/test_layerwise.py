"""From layer to layer: nothing is seen before it is made, and every layer knows its number."""

from __future__ import annotations

import pytest
import torch

from simulacra.batch import Batch, Draws
from simulacra.errors import ShapeError
from simulacra.generative import (
    CouplingFlowConfig,
    FlowMatchingConfig,
    LayerwiseConfig,
    MeanFlowConfig,
    RingKit,
    VectorKit,
    build_family,
    initialised,
)

RINGS = ((2, 6),) * 4
KIT = RingKit(RINGS, 1, channels=6, blocks=1, width=12)
INNER = (FlowMatchingConfig(steps=2), MeanFlowConfig(), CouplingFlowConfig(couplings=4, bins=4))


def _model(inner, kit=KIT):
    model = initialised(lambda: build_family(LayerwiseConfig(layer=inner), kit), seed=1)
    for parameter in model.parameters():
        parameter.data += 0.2 * torch.randn(
            parameter.shape, generator=torch.Generator().manual_seed(parameter.numel())
        )
    return model


def _noise(model, seed):
    return torch.randn(5, model.noise_size, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("inner", INNER, ids=lambda config: config.family)
def test_a_layer_does_not_depend_on_the_noise_of_later_ones(inner):
    model, condition = _model(inner), torch.zeros(5, 1)
    one, two = _noise(model, 1), _noise(model, 2)
    two[:, :24] = one[:, :24]
    with torch.no_grad():
        drawn, other = model.draw(condition, one), model.draw(condition, two)
    torch.testing.assert_close(drawn[:, :24], other[:, :24])
    assert not torch.allclose(drawn[:, 24:], other[:, 24:])


@pytest.mark.parametrize("inner", INNER[:2], ids=lambda config: config.family)
def test_rotations_by_a_sector_commute(inner):
    model, condition, noise = _model(inner), torch.zeros(5, 1), None
    noise = _noise(model, 3)

    def turned(x):
        return x.reshape(5, 4, 6, 2).roll(1, 2).flatten(1)

    with torch.no_grad():
        torch.testing.assert_close(
            model.draw(condition, turned(noise)), turned(model.draw(condition, noise))
        )


def test_layers_are_told_apart():
    model = _model(FlowMatchingConfig(steps=2))
    noise = _noise(model, 4)[:, :12].repeat(1, 4)
    with torch.no_grad():
        first, second = model.draw(torch.zeros(5, 1), noise).split(12, dim=1)[:2]
    assert not torch.allclose(first, second)


def test_training_sees_the_layers_that_drawing_sees():
    """What was drawn has no velocity left to explain but its own: the loss at noise = data."""
    model = _model(CouplingFlowConfig(couplings=4, bins=4))
    noise, condition = _noise(model, 5), torch.zeros(5, 1)
    with torch.no_grad():
        x = model.draw(condition, noise)
        loss = model.loss(Batch(x, condition, torch.ones(5)), Draws(0, 0, 5))
        other = model.loss(Batch(x.flip(1), condition, torch.ones(5)), Draws(0, 0, 5))
    assert not torch.allclose(loss, other)
    assert float(loss.mean()) < float(other.mean())


@pytest.mark.parametrize("kit", [VectorKit(8, 1), RingKit(((2, 6), (3, 6)), 1)])
def test_vectors_without_layers_of_one_shape_are_refused(kit):
    with pytest.raises(ShapeError, match="layers of one shape"):
        build_family(LayerwiseConfig(), kit)
