"""The classifier finds what can be found, nothing else, and is the same each time."""

import contextlib
import math

import numpy as np
import pytest
import torch

from simulacra.classify import ClassifierConfig, LabelledSample, tell_apart, train_discriminator
from simulacra.classify.classifier import precision_used, torch_threads
from simulacra.errors import RangeError, ShapeError
from simulacra.nets.mlp import MLP

TINY = ClassifierConfig(
    width=16, hidden=2, epochs=12, batch=100, learning_rate=3e-3, threads=1, precision="float32"
)


def normals(events, shift, seed, features=3):
    x = np.random.default_rng(seed).normal(size=(events, features))
    x[:, 0] += shift
    return x


def test_defaults_are_the_challenges():
    config = ClassifierConfig()
    assert (config.width, config.hidden, config.slope) == (2048, 3, 0.01)
    assert (config.learning_rate, config.batch, config.epochs) == (2e-4, 1000, 50)
    assert (config.retrainings, config.split, config.patience) == (5, (60, 20, 20), 0)
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
    assert abs(found.auc - expected) < 4 * found.areas.error + 0.01
    assert found.auc < expected + 4 * found.areas.sample_error
    assert 0.003 < found.areas.sample_error < 0.01


@pytest.mark.statistical
def test_equal_samples_are_not_told_apart():
    """Eight null comparisons within 4.5 stated errors (false alarm 8 x 7e-6), pulls not tiny."""
    pulls = []
    for seed in range(8):
        found = tell_apart(
            normals(600, 0, 2 * seed), normals(500, 0, 2 * seed + 1), TINY, seed=seed
        )
        pulls.append((found.auc - 0.5) / found.areas.sample_error)
    assert max(np.abs(pulls)) < 4.5
    assert max(np.abs(pulls)) > 0.2


def test_each_event_is_scored_once_and_unseen():
    found = tell_apart(normals(50, 1, 0), normals(60, 0, 1), TINY.updated(epochs=1), seed=0)
    assert not np.isnan(found.scores_first).any()
    assert not np.isnan(found.scores_second).any()
    assert len(found.areas.fold_aucs) == 5


def test_memorised_events_do_not_leak():
    """Random labels in 200 dimensions: a network that saw its test events would score near 1."""
    config = TINY.updated(epochs=30, width=64)
    found = tell_apart(normals(250, 0, 0, 200), normals(250, 0, 1, 200), config, seed=0)
    assert abs(found.auc - 0.5) < 4.5 * found.areas.sample_error
    both = LabelledSample.of((normals(250, 0, 0, 200), normals(250, 0, 1, 200)))
    seen = np.arange(500)
    network = train_discriminator(both, seen, seen, config, seed=0)
    assert network.accuracy > 0.9


def test_fewer_folds_leave_showers_unscored():
    found = tell_apart(
        normals(100, 1, 0), normals(100, 0, 1), TINY.updated(retrainings=2, epochs=1), seed=0
    )
    assert np.isnan(found.scores_first).sum() == 60
    assert len(found.areas.fold_aucs) == 2


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
    ours = LabelledSample.of((a, b), (weight.astype(float), None))
    twin = LabelledSample.of((repeated, b))
    found = [
        train_discriminator(
            s, np.arange(len(s.label)), np.arange(len(s.label)), config, seed=0
        ).losses
        for s in (ours, twin)
    ]
    np.testing.assert_allclose(found[0], found[1], rtol=1e-4)
    ignored = LabelledSample.of((a, b))
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
    assert abs(subtracted.auc - 0.5) < 4.5 * subtracted.areas.sample_error
    dirty = tell_apart(sample[:3000], reference, TINY, seed=0)
    assert dirty.auc > 0.6


def test_progress_counts_every_epoch():
    seen = []
    config = TINY.updated(epochs=2, retrainings=3)
    tell_apart(
        normals(30, 0, 0), normals(30, 0, 1), config, seed=0,
        progress=lambda done, of: seen.append((done, of)),
    )  # fmt: skip
    assert seen == [(k, 6) for k in range(1, 7)]


def test_perfect_accuracy_ends_a_retraining():
    config, epochs = TINY.updated(epochs=40, retrainings=2), []
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
    with pytest.raises(ShapeError, match="residual network needs"):
        tell_apart(normals(10, 0, 0), normals(10, 0, 1), TINY.updated(network="resnet"), seed=0)
    with pytest.raises(ShapeError, match="both samples or of none"):
        tell_apart(normals(10, 0, 0), normals(10, 0, 1), TINY, seed=0, match_first=np.ones(10))
    with pytest.raises(ShapeError, match="10 weights"):
        tell_apart(normals(10, 0, 0), normals(10, 0, 1), TINY, seed=0, weight_first=np.ones(9))


def test_patience_ends_a_training_and_changes_nothing_before():
    """Equal samples: the selection accuracy soon stops rising."""
    sample = LabelledSample.of((normals(200, 0, 0), normals(200, 0, 1)))
    parts = np.split(np.random.default_rng(0).permutation(400), 2)
    whole = train_discriminator(sample, *parts, TINY.updated(epochs=40), seed=0)
    early = train_discriminator(sample, *parts, TINY.updated(epochs=40, patience=5), seed=0)
    assert len(early.losses) < 40 == len(whole.losses)
    assert early.losses == whole.losses[: len(early.losses)]
    assert len(early.losses) == early.epoch + 5
    best_of_these = train_discriminator(
        sample, *parts, TINY.updated(epochs=len(early.losses)), seed=0
    )
    assert best_of_these.epoch == early.epoch


def test_precision_leaves_the_inputs_alone():
    """A shift of 1e-4 beside an offset of 4: rounded to 8 bits it would be gone (AUC 0.5)."""
    rng = np.random.default_rng(0)
    a, b = (np.column_stack([4 + shift + 1e-5 * rng.normal(size=400)]) for shift in (1e-4, 0))
    config = TINY.updated(precision="bfloat16", standardise=True, retrainings=1)
    assert tell_apart(a, b, config, seed=0).auc > 0.99
    assert precision_used(config) == "bfloat16"
    assert precision_used(config.updated(network="resnet", precision="automatic")) == "float32"


@pytest.mark.statistical
def test_precisions_agree():
    """The same events and seeds: areas differ by less than 4 errors of one."""
    a, b = normals(1500, 0.5, 0), normals(1500, 0, 1)
    found = [
        tell_apart(a, b, TINY.updated(precision=p, retrainings=2, width=64), seed=0)
        for p in ("float32", "bfloat16")
    ]
    assert [f.precision for f in found] == ["float32", "bfloat16"]
    assert abs(found[0].auc - found[1].auc) < 4 * found[0].areas.sample_error
    assert found[0].scores_first.tobytes() != found[1].scores_first.tobytes()


def test_classes_have_equal_weights_of_mean_one():
    sample = LabelledSample.of((normals(30, 1, 0), normals(10, 0, 1)), (np.arange(30.0), None))
    assert sample.weight.mean() == pytest.approx(1)
    assert sample.weight[:30].sum() == pytest.approx(sample.weight[30:].sum())
    assert sample.label.tolist() == [1] * 30 + [0] * 10


def test_standardising_in_batches_is_standardising_first():
    a, b = 100 + 7 * normals(100, 1, 0), 100 + 7 * normals(100, 0, 1)
    both = np.concatenate([a, b]).astype(np.float32).astype(np.float64)
    scaled = (both - both.mean(0)) / both.std(0)
    events = np.arange(200)
    found = [
        train_discriminator(sample, events, events, TINY, seed=0).losses
        for sample in (
            LabelledSample.of((a, b), standardise=True),
            LabelledSample.of((scaled[:100], scaled[100:])),
        )
    ]
    np.testing.assert_allclose(*found, rtol=1e-3)


def test_a_single_last_event_joins_the_batch_before():
    """Normalisation over a batch has no variance for one event: 2 batches, of 10 and 11."""
    image = np.abs(np.random.default_rng(0).normal(size=(21, 1 + 3 * 4 * 5)))
    sample = LabelledSample.of((image[:11], image[11:]), shape=(3, 4, 5))
    config = TINY.updated(network="resnet", channels=(2, 2, 2, 2), batch=10, epochs=1)
    events = np.arange(21)
    assert np.isfinite(train_discriminator(sample, events, events, config, seed=0).losses).all()
