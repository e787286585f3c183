"""A ratio of densities is that of the closed form, with weights, for numbers and for sets."""

import numpy as np
import pytest
import torch

from simulacra.classify import Clouds, DensityRatio, RatioConfig, fit_ratio
from simulacra.errors import ArtifactError, RangeError, ShapeError

SMALL = RatioConfig(width=32, hidden=2, epochs=12, learning_rate=3e-3, batch=200, threads=1)


def normals(events, shift, seed):
    x = np.random.default_rng(seed).normal(size=(events, 2))
    x[:, 0] += shift
    return x


def clouds(events, shift, seed, points=5):
    rng = np.random.default_rng(seed)
    mask = np.arange(points) < rng.integers(1, points + 1, size=events)[:, None]
    return Clouds(rng.normal(shift, 1.0, size=(events, points, 1)), mask)


@pytest.mark.statistical
def test_shifted_normals_have_the_closed_form():
    """ln r = s x - s^2 / 2; a small network is within 0.1 of it on average where events are."""
    ratio = fit_ratio(normals(20000, 0, 0), normals(20000, 0.7, 1), config=SMALL)
    x = normals(4000, 0.35, 2)
    found, true = ratio.log_ratio(x), 0.7 * x[:, 0] - 0.245
    assert np.abs(found - true).mean() < 0.1
    assert abs(np.polyfit(true, found, 1)[0] - 1) < 0.1


@pytest.mark.statistical
def test_sets_add_what_their_points_say():
    """ln r is the sum over points; correlation above 0.97, whatever stands in the padding."""
    source, target = clouds(20000, 0, 3), clouds(20000, 0.5, 4)
    ratio = fit_ratio(source, target, config=SMALL)
    x = clouds(3000, 0.25, 5)
    true = ((0.5 * x.points[..., 0] - 0.125) * x.mask).sum(axis=1)
    found = ratio.log_ratio(x)
    assert np.corrcoef(found, true)[0, 1] > 0.97
    other = Clouds(np.where(x.mask[..., None], x.points, 9e9), x.mask)
    np.testing.assert_array_equal(ratio.log_ratio(other), found)
    order = [4, 0, 2, 1, 3]
    turned = ratio.log_ratio(Clouds(x.points[:, order], x.mask[:, order]))
    np.testing.assert_allclose(turned, found, atol=1e-5)


@pytest.mark.statistical
def test_weights_are_part_of_the_densities():
    """A target weighted to look like the source has a ratio of 1: within 0.05 on average."""
    target = normals(20000, 0.7, 6)
    weight = np.exp(0.245 - 0.7 * target[:, 0])
    ratio = fit_ratio(normals(20000, 0, 7), target, None, weight, config=SMALL)
    assert np.abs(ratio.log_ratio(normals(2000, 0, 8))).mean() < 0.05


def test_negative_weights_take_events_away():
    """Wrong events that are there twice, with 1 and with -1, change little; with 1 alone much."""
    source, target = normals(4000, 0, 9), normals(4000, 0, 10)
    wrong = normals(1000, 4, 11)
    x = wrong[:200]
    both = fit_ratio(
        source,
        np.concatenate([target, wrong, wrong]),
        None,
        np.concatenate([np.ones(5000), -np.ones(1000)]),
        config=SMALL,
    )
    alone = fit_ratio(source, np.concatenate([target, wrong]), config=SMALL)
    assert both.log_ratio(x).mean() < 0.5 * alone.log_ratio(x).mean()


def test_the_same_seed_gives_the_same_numbers():
    source, target = normals(500, 0, 12), normals(500, 1, 13)
    first = fit_ratio(source, target, config=SMALL, seed=3)
    state = torch.random.get_rng_state()
    again = fit_ratio(source, target, config=SMALL, seed=3)
    assert torch.equal(state, torch.random.get_rng_state())
    np.testing.assert_array_equal(first.log_ratio(target), again.log_ratio(target))
    other = fit_ratio(source, target, config=SMALL, seed=4)
    assert not np.array_equal(first.log_ratio(target), other.log_ratio(target))


def test_it_survives_being_stored():
    config = SMALL.updated(networks=2, epochs=1)
    seen = []
    for source, target in [
        (normals(50, 0, 0), normals(50, 1, 1)),
        (clouds(50, 0, 0), clouds(50, 1, 1)),
    ]:
        ratio = fit_ratio(source, target, config=config, progress=lambda *a: seen.append(a))
        again = DensityRatio.restored(ratio.state(), config, ratio.points)
        np.testing.assert_array_equal(ratio.log_ratio(target), again.log_ratio(target))
    assert seen == [(1, 2), (2, 2)] * 2
    with pytest.raises(ArtifactError, match="expected 3 networks"):
        DensityRatio.restored(ratio.state(), config.updated(networks=3), ratio.points)


def test_the_derivative_is_that_of_the_same_function():
    ratio = fit_ratio(normals(500, 0, 0), normals(500, 1, 1), config=SMALL)
    x = torch.tensor([[0.3, -0.2]], requires_grad=True)
    value = ratio.of(x)
    np.testing.assert_allclose(value.detach(), ratio.log_ratio(x.detach().numpy()), rtol=1e-5)
    (slope,) = torch.autograd.grad(value.sum(), x)
    step = np.array([[1e-2, 0.0]])
    rise = np.diff([ratio.log_ratio(x.detach().numpy() + s * step)[0] for s in (-1, 1)])[0] / 2e-2
    assert abs(float(slope[0, 0]) - rise) < 0.05 * abs(rise) + 0.02


@pytest.mark.parametrize(
    ("source", "target", "weight", "error", "words"),
    [
        (normals(9, 0, 0), np.zeros((9, 3)), None, ShapeError, "same features"),
        (normals(9, 0, 0), clouds(9, 0, 0), None, ShapeError, "same features"),
        (normals(1, 0, 0), normals(9, 0, 0), None, RangeError, "at least 2 events"),
        (normals(9, 0, 0), np.full((9, 2), np.nan), None, RangeError, "finite"),
        (normals(9, 0, 0), normals(9, 0, 0), np.ones(8), ShapeError, "9 weights"),
        (normals(9, 0, 0), normals(9, 0, 0), -np.ones(9), RangeError, "positive sum"),
    ],
)
def test_what_cannot_be_compared_is_refused(source, target, weight, error, words):
    with pytest.raises(error, match=words):
        fit_ratio(source, target, None, weight, config=SMALL)
