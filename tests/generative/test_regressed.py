"""Where GANs start: means, widths and totals of the simulation; energies physical; layers white."""

from __future__ import annotations

import pytest
import torch

from simulacra.batch import Draws
from simulacra.generative import ShowerLayout, initialised
from simulacra.generative.regressed import RegressedShowers
from simulacra.preprocess import CellPlaces
from simulacra.random import Stream

EVENTS, THRESHOLD = 3000, 1.0
EDGES = tuple(float(edge) for edge in torch.linspace(-36, 36, 13))
PLACES = (CellPlaces(EDGES, (-36.0, 36.0), (0.0, 20.0)), CellPlaces((-36.0, 36.0), EDGES))
AIMED = ShowerLayout(
    rings=(),
    threshold=THRESHOLD,
    conditions=("incident_energy", "x"),
    cells=((12, 1), (1, 12)),
    places=PLACES,
)
FIXED = ShowerLayout(
    rings=(), threshold=THRESHOLD, conditions=("incident_energy", "x"), cells=((12, 1), (1, 12))
)


def _showers(events=EVENTS, seed=0):
    """Normal profiles around x and around 0; layers follow the energy and, by 0.1 sigma, x."""
    draws = Draws(seed, 0, events)
    incident = 1000 * 8 ** draws.uniform(1, 90)
    x = 30 * draws.uniform(1, 91) - 15
    z = draws.normal(2, 92)
    total = (0.9 + 0.002 * x + 0.05 * z[:, :1]) * incident
    share = torch.sigmoid(0.3 * z[:, 1:] + 0.5)
    edges, width = torch.tensor(EDGES), 9.0
    parts = []
    for centre, energy in ((x, share * total), (torch.zeros_like(x), (1 - share) * total)):
        inside = torch.special.ndtr((edges - centre) / width).diff(dim=1)
        jitter = (0.2 * draws.normal(12, 93 + len(parts))).exp() * inside
        parts.append(energy * jitter / jitter.sum(dim=1, keepdim=True))
    cells = torch.cat(parts, dim=1)
    return torch.where(cells >= THRESHOLD, cells, 0.0), torch.cat([incident, x], dim=1)


def _fitted(layout, events=EVENTS):
    x, condition = _showers(events)
    start = initialised(lambda: RegressedShowers(layout, 5.0), seed=1)
    start.fit(x, condition, torch.ones(events), Draws(1, 0, events))
    return start, x, condition


def _drawn(start, condition, seed=7):
    draws = Draws(seed, 0, len(condition))
    white, voxels = draws.normal(2, Stream.NOISE), draws.normal(24, Stream.LATENT)
    return start.energies(white, voxels, condition)


@pytest.mark.parametrize("layout", [AIMED, FIXED], ids=["around the axis", "as they stand"])
@pytest.mark.statistical
def test_what_was_regressed_is_drawn(layout):
    """Total over incident energy: mean 0.9, width sqrt(0.05^2 + (0.002 * 8.7)^2) = 0.053.

    Of 3,000 draws against 3,000: the mean's error is 0.0014, that of the width 0.0010; the bounds
    are 5 of these (6e-7), and the slope in x is known to 0.1 of itself at 5 sigma.
    """
    start, x, condition = _fitted(layout)
    made = _drawn(start, condition)
    true, found = (e.sum(dim=1) / condition[:, 0] for e in (x, made))
    assert float(found.mean()) == pytest.approx(float(true.mean()), abs=0.007)
    assert float(found.std()) == pytest.approx(float(true.std()), abs=0.005)
    centred = condition[:, 1] - condition[:, 1].mean()
    slopes = [float((centred * v).mean() / centred.square().mean()) for v in (true, found)]
    assert slopes[1] == pytest.approx(slopes[0], abs=2e-3 * 0.35)
    layers = [e.split([12, 12], dim=1)[0].sum(dim=1) / condition[:, 0] for e in (x, made)]
    assert float(layers[1].mean()) == pytest.approx(float(layers[0].mean()), rel=0.03)


def test_energies_are_physics_whatever_the_scores_are():
    start, _, condition = _fitted(AIMED, 400)
    draws = Draws(2, 0, 400)
    white, voxels = 20 * draws.normal(2, Stream.NOISE), 50 * draws.normal(24, Stream.LATENT)
    energies = start.energies(white, voxels, condition)
    assert energies.isfinite().all()
    assert ((energies == 0) | (energies >= THRESHOLD * (1 - 1e-5))).all()


def test_layers_have_the_energy_that_their_scores_say():
    """White scores of what was drawn are those that went in: no energy is lost on the way."""
    start, _, condition = _fitted(AIMED, 400)
    draws = Draws(2, 0, 400)
    white, voxels = draws.normal(2, Stream.NOISE), draws.normal(24, Stream.LATENT)
    image = start.image(start.energies(white, voxels, condition), condition)
    back = start.white_layers(image, condition, torch.zeros(400, 2))
    torch.testing.assert_close(back, white, rtol=1e-2, atol=1e-2)


def test_white_scores_of_the_simulation_are_white():
    start, x, condition = _fitted(AIMED)
    image = start.image(x, condition)
    white = start.white_layers(image, condition, torch.zeros(len(x), 2))
    assert white.mean(dim=0).tolist() == pytest.approx([0, 0], abs=0.01)
    torch.testing.assert_close(torch.cov(white.T), torch.eye(2), rtol=0, atol=0.03)


def test_summaries_of_the_simulation_have_unit_width_given_the_layers():
    start, x, condition = _fitted(AIMED)
    image, given = start.image(x, condition), start.given(condition)
    white = start.white_layers(image, condition, Draws(1, 0, EVENTS).normal(2, Stream.EMPTY_VOXELS))
    seen = start.seen(image, white, given)
    assert seen.shape == (len(x), start.seen_size)
    assert float(seen.mean(dim=0).abs().max()) < 0.02
    moving = (seen.std(dim=0) > 1e-3).nonzero().flatten().tolist()
    assert moving == [0, 1, 2, 3, 5, 6, 7, 8, 10, 11]  # a single cell has no middle to miss
    assert seen[:, moving].std(dim=0).tolist() == pytest.approx([1.0] * 10, abs=0.05)


def test_an_image_has_the_axis_in_its_middle():
    start, x, condition = _fitted(AIMED)
    image = start.image(x, condition)
    assert image[:, :12].mean(dim=0).argmax() == 6
    plain = (x / start.unit).log1p()
    torch.testing.assert_close(image.sort(dim=1).values, plain.sort(dim=1).values)


def test_slopes_are_finite_where_layers_are_empty():
    """A layer below the threshold holds nothing; what fills it again must not be not-a-number."""
    start, _, condition = _fitted(AIMED, 400)
    white = torch.full((400, 2), -9.0, requires_grad=True)
    voxels = Draws(2, 0, 400).normal(24, Stream.LATENT).requires_grad_()
    energies = start.energies(white, voxels, torch.cat([condition[:, :1] * 0.002, condition], 1))
    assert (energies.split([12, 12], dim=1)[1].sum(dim=1) == 0).any()
    energies.sum().backward()
    assert white.grad.isfinite().all()
    assert voxels.grad.isfinite().all()


def test_events_with_negative_weights_take_others_away():
    """Showers that are there and taken away again leave the regression as it was."""
    x, condition = _showers(600)
    start, again = (RegressedShowers(FIXED, 5.0) for _ in range(2))
    start.fit(x, condition, torch.ones(600), Draws(1, 0, 600))
    both, at = torch.cat([x, 3 * x, 3 * x]), condition.repeat(3, 1)
    weight = torch.tensor([1.0, 0.5, -0.5]).repeat_interleave(600)
    draws = Draws(1, 0, 1800)
    again.fit(both, at, weight, draws)
    torch.testing.assert_close(again.scale.mean, start.scale.mean, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(again.law.mean[0], start.law.mean[0], rtol=0, atol=0.2)
