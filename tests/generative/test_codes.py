"""Generators through codes: what the decoder's noise, the prior and the codebook promise."""

from __future__ import annotations

import math

import pytest
import torch

from simulacra.batch import Batch, Draws
from simulacra.generative import (
    RingKit,
    VariationalAutoencoder,
    VariationalAutoencoderConfig,
    VectorKit,
    VectorQuantised,
    VectorQuantisedConfig,
    initialised,
)
from simulacra.generative.autoencoder import negative_log_normal, noisy

EVENTS = 64
KIT = VectorKit(4, 1, width=16, blocks=1)
RINGS = RingKit(((3, 1), (2, 6)), 1, channels=6, blocks=1, width=8)
QUANTISED = VectorQuantisedConfig(local=2, whole=1, codes=8, depth=2, width=8, heads=2)


def _variational(**settings):
    config = VariationalAutoencoderConfig(local=2, whole=1, **settings)
    return initialised(lambda: VariationalAutoencoder.from_kit(KIT, config), seed=1)


def _quantised(kit=KIT, **settings):
    config = QUANTISED.updated(**settings)
    return initialised(lambda: VectorQuantised.from_kit(kit, config), seed=1)


def _numbers(count, seed):
    return torch.randn(EVENTS, count, generator=torch.Generator().manual_seed(seed))


def _batch():
    return Batch(_numbers(4, 0), _numbers(1, 1), torch.ones(EVENTS))


def test_the_misfit_is_the_density_of_a_normal_with_the_decoders_law():
    x, mean, log_width = _numbers(4, 0), _numbers(4, 1), 0.01 * _numbers(4, 2)
    law = torch.stack([mean, log_width], dim=1)
    exact = -torch.distributions.Normal(mean, log_width.exp()).log_prob(x)
    found = negative_log_normal(x, law) + 0.5 * math.log(2 * math.pi)
    torch.testing.assert_close(found, exact, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(noisy(law, (x - mean) / log_width.exp()), x, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("build", [_variational, _quantised])
def test_an_untrained_model_hands_the_noise_through(build):
    model = build()
    noise = _numbers(model.noise_size, 3)
    torch.testing.assert_close(model.draw(_numbers(1, 1), noise), noise[:, -4:])


def _information(model, first):
    """Return the weight of the information in the loss, from losses of two betas."""
    batch, draws = _batch(), Draws(1, first, EVENTS)
    return float((model(1.0).loss(batch, draws) - model(0.0).loss(batch, draws)).detach().mean())


def test_beta_rises_with_the_samples_seen_and_stays():
    def model(beta):
        return _variational(beta=beta, warmup=999)

    whole = _information(model, 10**9)
    assert _information(model, 0) == pytest.approx(whole / 1000, rel=0.3)  # noise differs
    assert _information(model, 499) == pytest.approx(whole / 2, rel=0.1)
    assert _information(model, 2**63) == pytest.approx(whole, rel=0.1)


def test_the_prior_learns_from_codes_that_it_does_not_change():
    model = _variational()
    found = []
    for prior in (1.0, 5.0):
        model.zero_grad()
        batch, draws = _batch(), Draws(1, 0, EVENTS)
        model.prior.loss = lambda b, d, w=prior: w * type(model.prior).loss(model.prior, b, d)
        model.loss(batch, draws).mean().backward()
        found.append([p.grad.clone() for p in model.encoder.parameters()])
    torch.testing.assert_close(found[0], found[1])


def test_the_nearest_entry_is_the_nearest():
    model = _quantised()
    code = torch.randn(EVENTS, 3, 2, generator=torch.Generator().manual_seed(5))
    distance = torch.cdist(code, model.codebook.detach().expand(EVENTS, -1, -1))
    assert torch.equal(model.nearest(code), distance.argmin(dim=2))


def test_tokens_are_the_inverse_transform_of_uniform_numbers():
    """The first token's law is that of the transformer; a uniform grid meets each share of it."""
    model = _quantised()
    model.tokens.leave.bias.data = torch.linspace(-1, 1, 8)
    share = torch.linspace(-1, 1, 8).softmax(0)
    uniform = ((torch.arange(8000) + 0.5) / 8000)[:, None].expand(-1, 3)
    with torch.no_grad():
        token = model._sequence(torch.zeros(8000, 1), uniform)
    for place in range(3):  # the last layer's weights are still zero: the same law everywhere
        counts = torch.bincount(token[:, place], minlength=8)
        torch.testing.assert_close(counts / 8000, share, atol=2 / 8000, rtol=0)
    assert (token[1:, 0] >= token[:-1, 0]).all()


def test_entries_that_nothing_uses_are_placed_on_codes():
    model = _quantised(restart=4)
    model.codebook.data[3:] = 1e3
    batch = _batch()
    for step in range(7):
        model.loss(batch, Draws(1, step * EVENTS, EVENTS))
        far = (model.codebook.detach() > 500).any(dim=1).sum()
        model.usage[3:] = 0.0
        assert bool(far) == (step < 3)
    again = _quantised(restart=4)
    again.load_state_dict(model.state_dict())
    assert torch.equal(again.usage, model.usage)


def test_a_settled_codebook_keeps_its_unused_entries():
    model = _quantised(restart=1, settled=2 * EVENTS)
    for step in range(4):
        model.codebook.data[3:] = 1e3
        model.usage[3:] = 0.0
        model.loss(_batch(), Draws(1, step * EVENTS, EVENTS))
        assert bool((model.codebook.detach() > 500).any()) == (step >= 2)


def test_validation_leaves_the_codebook_alone():
    model = _quantised(restart=1).eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    model.usage.zero_()
    before["usage"].zero_()
    with torch.no_grad():
        model.loss(_batch(), Draws(1, 0, EVENTS))
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


def test_turning_an_event_turns_its_tokens():
    """Rings (3, 1) and (2, 6); codes of two tokens in each sector, then one for the event."""
    model = _quantised(RINGS)
    x = torch.randn(EVENTS, 15, generator=torch.Generator().manual_seed(6))
    turned = torch.cat([x[:, :3], x[:, 3:].reshape(-1, 6, 2).roll(1, 1).flatten(1)], dim=1)

    def tokens(x):
        with torch.no_grad():
            code = model.encoder(x, torch.zeros(EVENTS, 1))
        return model.nearest(code.reshape(EVENTS, 13, 2)).split([12, 1], dim=1)

    (sectors, whole), (later, same) = tokens(x), tokens(turned)
    assert torch.equal(later, sectors.reshape(-1, 6, 2).roll(1, 1).flatten(1))
    assert torch.equal(same, whole)
