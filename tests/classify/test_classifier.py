"""The classifier finds what can be found, nothing else, and is the same each time."""

import contextlib
import math

import numpy as np
import pytest
import torch

from simulacra.classify import ClassifierConfig, rotated_fifths, tell_apart
from simulacra.classify.classifier import (
    LabelledSample,
    torch_threads,
    train_discriminator,
)
from simulacra.errors import RangeError, ShapeError
from simulacra.nets.mlp import MLP

TINY = ClassifierConfig(width=16, hidden=2, epochs=12, batch=100, learning_rate=3e-3, threads=1)


def normals(events, shift, seed, features=3):
    x = np.random.default_rng(seed).normal(size=(events, features))
    x[:, 0] += shift
    return x


def test_defaults_are_the_challenges():
    config = ClassifierConfig()
    assert (config.width, config.hidden, config.slope) == (2048, 3, 0.01)
    assert (config.learning_rate, config.batch, config.epochs, config.folds) == (2e-4, 1000, 50, 5)
    network = MLP(369, 1, config.width, config.hidden, config.slope)
    sizes = [tuple(p.shape) for p in network.parameters()]
    assert sizes == [(2048, 369), (2048,), *[(2048, 2048), (2048,)] * 2, (1, 2048), (1,)]
    kinds = [type(layer).__name__ for layer in network.layers]
    assert kinds == ["Linear", "LeakyReLU"] * 3 + ["Linear"]


@pytest.mark.statistical
def test_shifted_normals_reach_the_closed_form():
    """AUC = Phi(d / sqrt 2) for the best cut; 4 stated errors plus 0.01 for a tiny network."""
    found = tell_apart(normals(3000, 1.0, 0), normals(3000, 0.0, 1), TINY, seed=0)
    expected = 0.5 * (1 + math.erf(1.0 / 2))
    assert abs(found.auc - expected) < 4 * found.error + 0.01
    assert found.auc < expected + 4 * found.sample_error
    assert 0.003 < found.sample_error < 0.01


@pytest.mark.statistical
def test_equal_samples_are_not_told_apart():
    """Eight null comparisons within 4.5 stated errors (false alarm 8 x 7e-6), pulls not tiny."""
    pulls = []
    for seed in range(8):
        found = tell_apart(
            normals(600, 0, 2 * seed), normals(500, 0, 2 * seed + 1), TINY, seed=seed
        )
        pulls.append((found.auc - 0.5) / found.sample_error)
    assert max(np.abs(pulls)) < 4.5
    assert max(np.abs(pulls)) > 0.2


def test_each_event_is_scored_once_and_unseen():
    parts = rotated_fifths(103, seed=1, sample=0)
    assert sorted(np.concatenate(parts)) == list(range(103))
    assert {len(p) for p in parts} == {20, 21}
    assert not np.array_equal(parts[0], rotated_fifths(103, seed=1, sample=1)[0])
    found = tell_apart(normals(50, 1, 0), normals(60, 0, 1), TINY.updated(epochs=1), seed=0)
    assert not np.isnan(found.scores_first).any()
    assert not np.isnan(found.scores_second).any()
    assert len(found.fold_aucs) == 5


def test_memorised_events_do_not_leak():
    """Random labels in 200 dimensions: a network that saw its test events would score near 1."""
    config = TINY.updated(epochs=30, width=64)
    found = tell_apart(normals(250, 0, 0, 200), normals(250, 0, 1, 200), config, seed=0)
    assert abs(found.auc - 0.5) < 4.5 * found.sample_error
    both = LabelledSample.of(normals(250, 0, 0, 200), normals(250, 0, 1, 200))
    seen = np.arange(500)
    network = train_discriminator(both, seen, seen, config, seed=0)
    assert network.accuracy > 0.9


def test_fewer_folds_leave_showers_unscored():
    found = tell_apart(
        normals(100, 1, 0), normals(100, 0, 1), TINY.updated(folds=2, epochs=1), seed=0
    )
    assert np.isnan(found.scores_first).sum() == 60
    assert len(found.fold_aucs) == 2


def test_same_seed_same_bits_and_no_global_state():
    torch_state = torch.random.get_rng_state()
    numpy_state = np.random.get_state()[1].copy()  # noqa: NPY002
    count = torch.get_num_threads()
    a, b = normals(200, 0.5, 0), normals(200, 0, 1)
    one, two = (tell_apart(a, b, TINY.updated(epochs=3), seed=7) for _ in range(2))
    assert one.scores_first.tobytes() == two.scores_first.tobytes()
    assert one.auc == two.auc
    other = tell_apart(a, b, TINY.updated(epochs=3), seed=8)
    assert one.scores_first.tobytes() != other.scores_first.tobytes()
    assert torch.equal(torch_state, torch.random.get_rng_state())
    assert np.array_equal(numpy_state, np.random.get_state()[1])  # noqa: NPY002
    assert torch.get_num_threads() == count


def test_threads_are_restored_after_an_error():
    before = torch.get_num_threads()
    with contextlib.suppress(ZeroDivisionError), torch_threads(before + 1) as used:
        assert used == before + 1
        raise ZeroDivisionError
    assert torch.get_num_threads() == before


def test_weight_two_is_seen_twice():
    """In one batch an event of weight two gives the gradient of two events, to rounding."""
    a, b = normals(60, 1, 0), normals(50, 0, 1)
    weight = np.random.default_rng(0).integers(1, 4, 60)
    repeated = np.repeat(a, weight, axis=0)
    config = TINY.updated(batch=10_000, epochs=8)
    ours = LabelledSample.of(a, b, weight.astype(float))
    twin = LabelledSample.of(repeated, b)
    found = [
        train_discriminator(
            s, np.arange(len(s.label)), np.arange(len(s.label)), config, seed=0
        ).losses
        for s in (ours, twin)
    ]
    np.testing.assert_allclose(found[0], found[1], rtol=1e-4)
    ignored = LabelledSample.of(a, b)
    other = train_discriminator(ignored, np.arange(110), np.arange(110), config, seed=0).losses
    assert not np.allclose(found[0], other, rtol=1e-4)


@pytest.mark.statistical
def test_negative_weights_take_a_fault_away():
    """Dirt at +3 that is subtracted again is not found (4.5 stated errors); unsubtracted it is."""
    clean, reference = normals(2000, 0, 0), normals(2000, 0, 1)
    dirt = normals(1000, 3, 2)
    sample = np.concatenate([clean, dirt, normals(1000, 3, 3)])
    weight = np.concatenate([np.ones(3000), -np.ones(1000)])
    subtracted = tell_apart(sample, reference, TINY, seed=0, weight_first=weight)
    assert abs(subtracted.auc - 0.5) < 4.5 * subtracted.sample_error
    dirty = tell_apart(sample[:3000], reference, TINY, seed=0)
    assert dirty.auc > 0.6


def test_progress_counts_every_epoch():
    seen = []
    config = TINY.updated(epochs=2, folds=3)
    tell_apart(
        normals(30, 0, 0), normals(30, 0, 1), config, seed=0,
        progress=lambda done, of: seen.append((done, of)),
    )  # fmt: skip
    assert seen == [(k, 6) for k in range(1, 7)]


def test_perfect_accuracy_ends_a_retraining():
    config, epochs = TINY.updated(epochs=40, folds=2), []
    found = tell_apart(
        normals(200, 50, 0), normals(200, 0, 1), config, seed=0,
        progress=lambda *done: epochs.append(done),
    )  # fmt: skip
    assert found.auc == 1.0
    assert len(epochs) < 80


def test_bad_input_is_refused():
    with pytest.raises(ShapeError, match="same features"):
        tell_apart(normals(10, 0, 0), normals(10, 0, 0, 4), TINY, seed=0)
    with pytest.raises(RangeError, match="at least 5"):
        tell_apart(normals(4, 0, 0), normals(10, 0, 1), TINY, seed=0)
    with pytest.raises(RangeError, match="finite"):
        tell_apart(np.full((10, 3), np.nan), normals(10, 0, 1), TINY, seed=0)
    with pytest.raises(RangeError, match="positive sum"):
        tell_apart(normals(10, 0, 0), normals(10, 0, 1), TINY, seed=0, weight_first=-np.ones(10))
    with pytest.raises(ShapeError, match="10 weights"):
        tell_apart(normals(10, 0, 0), normals(10, 0, 1), TINY, seed=0, weight_first=np.ones(9))
