"""Normal laws in closed form: white noise and back, symmetric, exact where a truth is known."""

from __future__ import annotations

import pytest
import torch

from simulacra.nets import ConditionalGaussian, RingGaussian

RINGS = ((2, 6), (3, 6), (2, 1))
VOXELS = 32
EVENTS = 3000


def _white(events=EVENTS, seed=0):
    return torch.randn(events, VOXELS, generator=torch.Generator().manual_seed(seed))


def _condition(events=EVENTS):
    return torch.randn(events, 2, generator=torch.Generator().manual_seed(9))


def _turned(x, steps):
    first, second, rest = x.split([12, 18, 2], dim=1)
    parts = [p.reshape(len(x), 6, -1).roll(steps, 1).flatten(1) for p in (first, second)]
    return torch.cat([*parts, rest], dim=1)


def _mirrored(x):
    first, second, rest = x.split([12, 18, 2], dim=1)
    parts = [p.reshape(len(x), 6, -1).flip(1).flatten(1) for p in (first, second)]
    return torch.cat([*parts, rest], dim=1)


def _symmetric_sample():
    """Numbers with neighbours and a common part, and a mean that depends on the condition."""
    z, c = _white(), _condition()
    x = z + 0.7 * _turned(z, 1) + 0.7 * _turned(z, -1) + z[:, 30:31] + c[:, :1] * c[:, 1:]
    return x, c


@pytest.fixture(scope="module", params=[False, True], ids=["symmetric", "by layer"])
def law(request):
    x, c = _symmetric_sample()
    return RingGaussian(RINGS, 2, by_layer=request.param).fit(x, c, torch.ones(EVENTS))


def test_there_and_back(law):
    z, c = _white(50, seed=3), _condition(50)
    torch.testing.assert_close(law.whiten(law.colour(z, c), c), z, rtol=1e-4, atol=1e-4)


def test_what_it_was_fitted_to_becomes_white(law):
    """Covariances of 3,000 events scatter by 0.026 where the symmetry does not average."""
    x, c = _symmetric_sample()
    z = law.whiten(x, c)
    assert float((torch.cov(z.T) - torch.eye(VOXELS)).abs().max()) < 0.13
    assert float((z * c[:, :1] * c[:, 1:]).mean(0).abs().max()) < 0.08


@pytest.mark.parametrize("move", [lambda x: _turned(x, 1), _mirrored], ids=["turn", "mirror"])
def test_rotations_and_reflections_commute(law, move):
    z, c = _white(20, seed=4), _condition(20)
    torch.testing.assert_close(law.colour(move(z), c), move(law.colour(z, c)), rtol=1e-4, atol=1e-4)


def test_by_layer_the_first_layers_do_not_see_the_last():
    x, c = _symmetric_sample()
    law = RingGaussian(RINGS, 2, by_layer=True).fit(x, c, torch.ones(EVENTS))
    z, other = _white(5, seed=5), _white(5, seed=6)
    other[:, :12] = z[:, :12]
    torch.testing.assert_close(law.colour(z, c[:5])[:, :12], law.colour(other, c[:5])[:, :12])
    assert not torch.allclose(law.colour(z, c[:5])[:, 12:], law.colour(other, c[:5])[:, 12:])


def test_the_conditional_law_is_that_of_the_whole_covariance(law):
    c, places = _condition(1).expand(VOXELS + 1, -1), torch.tensor([0, 17, 31])
    columns = law.colour(torch.cat([torch.zeros(1, VOXELS), torch.eye(VOXELS)]), c)
    mean, root = columns[0].double(), (columns[1:] - columns[0]).T.double()
    stiff = torch.linalg.inv(root @ root.T)
    x = _white(7, seed=8)
    expected = x[:, places].double() - ((x - mean) @ stiff)[:, places] / stiff.diagonal()[places]
    found, width = law.conditional(x, c[:7], places)
    torch.testing.assert_close(found.double(), expected, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(
        width.double(), stiff.diagonal()[places].rsqrt(), rtol=1e-3, atol=1e-4
    )


def test_a_weight_of_two_is_an_event_seen_twice():
    x, c = (a[:200] for a in _symmetric_sample())
    weight = torch.ones(200)
    weight[:100] = 2
    twice = torch.cat([x, x[:100]]), torch.cat([c, c[:100]])
    one = ConditionalGaussian(VOXELS, 2).fit(x, c, weight)
    two = ConditionalGaussian(VOXELS, 2).fit(*twice, torch.ones(300))
    torch.testing.assert_close(one.mean, two.mean, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(one.root, two.root, rtol=0.02, atol=0.02)  # the prior counts events


def test_plain_vectors_there_and_back():
    x, c = _symmetric_sample()
    law = ConditionalGaussian(VOXELS, 2).fit(x, c, torch.ones(EVENTS))
    z = law.whiten(x, c)
    torch.testing.assert_close(law.colour(z, c), x, rtol=1e-3, atol=1e-3)
    assert float((torch.cov(z.T) - torch.eye(VOXELS)).abs().max()) < 0.1


def test_the_conditional_law_of_a_plain_vector_is_that_of_its_covariance():
    x, c = _symmetric_sample()
    law = ConditionalGaussian(VOXELS, 2).fit(x, c, torch.ones(EVENTS))
    places = torch.tensor([3, 0, 29])
    mean, width = law.conditional(x[:5], c[:5], places)
    rest = x[:5].double() - law.colour(torch.zeros(5, VOXELS), c[:5]).double()
    covariance = law.root.double() @ law.root.double().T
    for column, place in enumerate(places.tolist()):
        others = torch.arange(VOXELS) != place
        weights = torch.linalg.solve(covariance[others][:, others], covariance[others, place])
        left = covariance[place, place] - weights @ covariance[others, place]
        expected = x[:5, place].double() - rest[:, place] + rest[:, others] @ weights
        torch.testing.assert_close(mean[:, column].double(), expected, rtol=1e-3, atol=1e-3)
        assert float(width[column]) == pytest.approx(float(left.sqrt()), rel=1e-3)


def test_more_numbers_than_events_stay_invertible():
    x, c = (a[:10] for a in _symmetric_sample())
    law = RingGaussian(RINGS, 2).fit(x, c, torch.ones(10))
    assert law.whiten(x, c).isfinite().all()
