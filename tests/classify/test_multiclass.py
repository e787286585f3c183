"""Several models at once: the nearest to the truth has the highest posterior."""

import math

import numpy as np
import pytest

from simulacra.classify import ClassifierConfig, LabelledSample, log_posteriors, store_rows
from simulacra.classify.classifier import train_discriminator
from simulacra.errors import RangeError, ShapeError

TINY = ClassifierConfig(
    width=16, hidden=2, epochs=10, batch=100, learning_rate=3e-3, retrainings=2, threads=1,
    precision="float32",
)  # fmt: skip


def normals(events, shift, seed):
    x = np.random.default_rng(seed).normal(size=(events, 2))
    x[:, 0] += shift
    return x


def exact(shifts, at, width=12.0):
    """Mean log-posterior of each class for a truth at ``at``, by quadrature."""
    x = np.linspace(at - width, at + width, 4001)
    density = np.exp(-((x - at) ** 2) / 2) / math.sqrt(2 * math.pi)
    logs = np.stack([-((x - s) ** 2) / 2 for s in shifts])
    logs -= np.log(np.exp(logs).sum(0))
    return (density * logs).sum(1) * (x[1] - x[0])


@pytest.mark.statistical
def test_three_gaussians_and_a_truth():
    """Posteriors within 4.5 errors plus 0.08 for a tiny network on 2400 events."""
    shifts = (0.0, 1.0, -1.5)
    classes = [normals(1000, s, k) for k, s in enumerate(shifts)]
    found = log_posteriors(classes, normals(1000, 0.3, 7), TINY.updated(standardise=True), seed=0)
    expected = exact(shifts, 0.3)
    assert (np.abs(found.values - expected) < 4.5 * found.errors + 0.08).all()
    assert found.values.argmax() == expected.argmax() == 0
    for m, shift in enumerate(shifts):
        truth = exact(shifts, shift)
        assert np.abs(found.cross[m] - truth)[truth > -2].max() < 0.2  # tails take more events
    assert (found.cross.argmax(axis=1) == np.arange(3)).all()
    assert np.isfinite(found.spreads).all()


@pytest.mark.statistical
def test_equal_models_share_the_posterior():
    """Within 4.5 errors of -ln 3, plus what an overtrained network loses."""
    classes = [normals(500, 0, k) for k in range(3)]
    found = log_posteriors(classes, normals(500, 0, 7), TINY, seed=0)
    assert (np.abs(found.values + math.log(3)) < 4.5 * found.errors + 0.05).all()


def test_the_reference_takes_no_part_in_the_training():
    classes = [normals(100, s, k) for k, s in enumerate((0, 1, 2))]
    config = TINY.updated(epochs=2)
    one = log_posteriors(classes, normals(50, 0, 7), config, seed=0)
    other = log_posteriors(classes, normals(50, 9, 8), config, seed=0)
    assert np.array_equal(one.cross, other.cross)
    assert not np.array_equal(one.values, other.values)
    blocks = [*classes, normals(50, 0, 7)]
    rows = store_rows(blocks, 350, 2, dense_limit=0)
    stored = log_posteriors(rows, [100] * 3, config, seed=0)
    assert stored.values.tobytes() == one.values.tobytes()


def test_reference_weights_are_averages():
    classes = [normals(100, s, k) for k, s in enumerate((0, 1, 2))]
    config = TINY.updated(epochs=2)
    truth, weight = normals(50, 0, 7), np.random.default_rng(0).integers(1, 4, 50)
    weighted = log_posteriors(classes, truth, config, seed=0, weight_reference=weight)
    twice = log_posteriors(classes, np.repeat(truth, weight, axis=0), config, seed=0)
    np.testing.assert_allclose(weighted.values, twice.values, rtol=1e-6)


def test_weight_two_is_seen_twice():
    classes = [normals(30, s, k) for k, s in enumerate((0, 1, 2))]
    weight = np.random.default_rng(0).integers(1, 4, 30)
    repeated = [np.repeat(classes[0], weight, axis=0), *classes[1:]]
    config = TINY.updated(batch=10_000)
    losses = []
    for blocks, weights in ((classes, [weight.astype(float), None, None]), (repeated, None)):
        sample = LabelledSample.of(blocks, weights)
        events = np.arange(len(sample))
        losses.append(train_discriminator(sample, events, events, config, seed=0).losses)
    np.testing.assert_allclose(*losses, rtol=1e-4)


def test_bad_input_is_refused():
    two = [normals(10, 0, 0)] * 2
    with pytest.raises(RangeError, match="at least 3 models"):
        log_posteriors(two, normals(10, 0, 1), TINY, seed=0)
    with pytest.raises(ShapeError, match="10 weights of the reference"):
        log_posteriors([*two, two[0]], normals(10, 0, 1), TINY, seed=0, weight_reference=np.ones(9))
