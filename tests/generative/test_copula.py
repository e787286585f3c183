"""Correlations in closed form: found although most voxels are empty, and given back to showers."""

from __future__ import annotations

import pytest
import torch

from simulacra.batch import Draws
from simulacra.errors import ConfigError
from simulacra.generative import (
    CascadeConfig,
    Copula,
    FlowMatchingConfig,
    IndependentConfig,
    LayerwiseConfig,
    ShowerCascade,
    ShowerLayout,
    initialised,
)
from simulacra.generative.copula import shower_keys

RINGS = ((2, 6),) * 4
VOXELS, EVENTS = 48, 3000
LAYOUT = ShowerLayout(rings=RINGS, threshold=1.0)


def _latent(events=EVENTS, seed=0):
    """Normal scores whose neighbours in depth have a correlation of 0.6."""
    z = torch.randn(events, 4, 12, generator=torch.Generator().manual_seed(seed))
    layers = [z[:, 0]]
    for number in range(1, 4):
        layers.append(0.6 * layers[-1] + 0.8 * z[:, number])
    return torch.cat(layers, dim=1)


def _in_depth(x):
    """Return the mean correlation of neighbouring layers."""
    pairs = torch.corrcoef(x.T)[torch.arange(36), torch.arange(12, 48)]
    return float(pairs.mean())


@pytest.mark.statistical
def test_correlations_are_found_although_seven_tenths_are_empty():
    """Truth 0.6; filled one by one the scores show about 0.3. The mean of 36 pairs scatters by
    0.004; sixteen rounds leave at most 0.05 of the way."""
    x, boundary = _latent(), torch.full((EVENTS, VOXELS), 0.5)
    c, keys = torch.zeros(EVENTS, 1), shower_keys(x)
    scores = torch.where(x < boundary, -9.0, x)
    copula = Copula(RINGS, 1).fit(scores, boundary, c, torch.ones(EVENTS), keys)
    drawn = copula.colour(torch.randn(EVENTS, VOXELS, generator=_generator(1)), c)
    assert _in_depth(drawn) == pytest.approx(0.6, abs=0.06)
    uniform = torch.rand(x.shape, generator=_generator(2)) * torch.special.ndtr(boundary)
    alone = torch.where(x < boundary, torch.special.ndtri(uniform), x)
    assert _in_depth(alone) < 0.45


def _generator(seed):
    return torch.Generator().manual_seed(seed)


def test_what_is_filled_in_is_a_function_of_the_shower_alone():
    x, boundary = _latent(60), torch.zeros(60, VOXELS)
    c, keys = torch.zeros(60, 1), shower_keys(x)
    copula = Copula(RINGS, 1).fit(x, boundary - 9, c, torch.ones(60), keys)
    whole = copula.whiten(x, boundary, c, keys)
    back = copula.whiten(x.flip(0)[:7], boundary[:7], c[:7], keys[::-1][:7].copy())
    torch.testing.assert_close(back, whole.flip(0)[:7], rtol=1e-4, atol=1e-4)
    filled = copula.colour(whole, c)
    assert (filled[x < boundary] <= 1e-4).all()
    torch.testing.assert_close(filled[x >= boundary], x[x >= boundary], rtol=1e-3, atol=1e-3)


def test_keys_tell_showers_apart():
    keys = shower_keys(_latent(500))
    assert len(set(keys.tolist())) == 500
    assert (shower_keys(_latent(500)[3:5]) == keys[3:5]).all()


def _showers(events=400):
    """Energies whose voxels rise and fall together in depth, many below threshold."""
    incident = 1000 * 16 ** torch.rand(events, 1, generator=_generator(3))
    x = torch.exp(1.5 * _latent(events, seed=4) - 0.5) * incident / 3000
    return torch.where(x >= 1, x, 0.0), incident


def _cascade(**settings):
    config = CascadeConfig(
        channels=6,
        blocks=1,
        width=8,
        energy_width=8,
        energy_blocks=1,
        mirror=True,
        energy=FlowMatchingConfig(steps=2, along="angle"),
        **settings,
    )
    x, condition = _showers()
    model = initialised(lambda: ShowerCascade(config, LAYOUT), seed=0)
    return model.fit_constants(x, condition, torch.ones(len(x)), Draws(0, 0, len(x)))


CASCADES = {
    "nothing learned": {"copula": "symmetric", "shape": IndependentConfig()},
    "layers one by one": {
        "copula": "symmetric",
        "layers": "logarithms",
        "spectra": "layer",
        "shape": IndependentConfig(),
    },
    "layers without a copula": {"layers": "logarithms", "spectra": "layer"},
    "mixer": {"copula": "symmetric", "slab": 2},
    "from layer to layer": {"copula": "by_layer", "shape": LayerwiseConfig()},
}


@pytest.mark.parametrize("settings", CASCADES.values(), ids=CASCADES.keys())
def test_whatever_is_drawn_behind_a_copula_is_physics(settings):
    model, condition = _cascade(**settings), _showers()[1]
    noise = 2 * torch.randn(400, model.noise_size, generator=_generator(5))
    with torch.no_grad():
        drawn = model.draw(condition, noise)
    assert drawn.isfinite().all()
    assert (drawn >= 0).all()
    assert (drawn[drawn > 0] >= LAYOUT.threshold * (1 - 1e-5)).all()


def test_a_symmetric_cascade_turns_its_showers_with_the_noise():
    model, condition = _cascade(**CASCADES["mixer"]), _showers()[1][:20]
    noise = torch.randn(20, model.noise_size, generator=_generator(6))

    def turned(x):
        return x.reshape(20, 4, 6, 2).roll(1, 2).flatten(1)

    with torch.no_grad():
        drawn = model.draw(condition, noise)
        other = model.draw(condition, torch.cat([noise[:, :4], turned(noise[:, 4:])], dim=1))
    torch.testing.assert_close(other, turned(drawn), rtol=1e-3, atol=1e-3)


def test_a_symmetry_that_is_not_there_is_refused():
    with pytest.raises(ConfigError, match="without a preferred angle"):
        CascadeConfig.from_dict({"equivariant": False, "copula": "symmetric"})
