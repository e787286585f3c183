"""Memorisation: uniform for independent showers, sure of few copies, blind to mere smoothness."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from simulacra.data import VoxelShowers
from simulacra.errors import RangeError, ShapeError
from simulacra.evaluation.metrics.memorisation import (
    MemorisationSettings,
    _extreme_p_value,
    _rank_p_value,
    memorisation,
)
from simulacra.evaluation.metrics.shower_rows import memorisation_inputs, memorisation_rows

CUT = 1.0


def judged(generated, reference, training, **arguments):
    rows = [memorisation_rows([s], threshold=CUT) for s in (generated, reference)]
    return memorisation(*rows, [training], threshold=CUT, **arguments)


def copied(showers, training, count, noise=0.0, scale=1.0, seed=0):
    """Replace the first showers by training showers, smeared voxel by voxel and scaled."""
    rng = np.random.default_rng(seed)
    source = rng.choice(len(training), count, replace=False)
    energies, incident = showers.energies.copy(), showers.incident_energy.copy()
    smear = 1 + noise * rng.normal(size=(count, energies.shape[1]))
    energies[:count] = training.energies[source] * np.maximum(smear, 0) * scale
    incident[:count] = training.incident_energy[source] * scale
    return replace(showers, energies=energies, incident_energy=incident), source


@pytest.fixture(scope="module")
def sets(toy):
    """Generated, reference and training, all independent."""
    return tuple(toy(n, seed=s) for s, n in enumerate((5000, 5000, 8000)))


def test_the_space_of_the_distances(small):
    energies = np.zeros((2, small.voxels))
    energies[0, :4] = [4.0, 0.5, -3.0, 16.0]
    found = memorisation_inputs(VoxelShowers(energies, np.full(2, 4.0), small), threshold=CUT)
    np.testing.assert_allclose(found[0, :4], [1, 0, 0, 2])
    assert not found[1].any()
    assert energies[0, 1] == 0.5


def test_distances_are_those_of_the_dense_matrix(toy):
    sample, truth, training = toy(60, seed=0), toy(50, seed=1), toy(90, seed=2)
    x, y = (memorisation_inputs(s, threshold=CUT) for s in (sample, training))
    expected = np.sort(np.sqrt(((x[:, None] - y[None]) ** 2).sum(-1)), axis=1)
    filled = x.any(axis=1)
    found = judged(sample, truth, training, settings=MemorisationSettings(neighbours=3))
    np.testing.assert_array_equal(found.generated_rows, np.flatnonzero(filled))
    np.testing.assert_allclose(found.generated_distance, expected[filled, 0], rtol=1e-12)
    relative = expected[filled, 0] / expected[filled, 2]
    np.testing.assert_allclose(found.generated_relative, relative, rtol=1e-12)
    assert found.events_training == 90


@pytest.mark.parametrize("noise", [0.0, 0.02, 0.1])
def test_one_per_cent_of_copies_are_found(sets, noise):
    generated, reference, training = sets
    mixed, source = copied(generated, training, 50, noise)
    found = judged(mixed, reference, training)
    assert found.p_value < 1e-6
    assert found.exact_copies == (50 if noise == 0 else 0)
    assert found.reference_copies == 0
    named = dict(zip(found.near_copies.tolist(), found.originals.tolist(), strict=True))
    right = [named.get(row) == source[row] for row in range(50)]
    assert np.mean(right) > 0.9 or noise > 0.05  # 17 voxels do not tell each of those from chance
    assert len(named) < 50 + 20 * found.expected_near_copies


def test_copies_scaled_to_another_energy_are_found(sets):
    """Doubled in voxels and incident energy; few voxels come above the threshold by it."""
    generated, reference, training = sets
    mixed, _ = copied(generated, training, 50, scale=2.0)
    assert judged(mixed, reference, training).p_value < 1e-6


def test_a_handful_of_copies_is_found(sets):
    generated, reference, training = sets
    mixed, _ = copied(generated, training, 15)
    found = judged(mixed, reference, training)
    assert found.extreme_p_value < 1e-3
    assert found.p_value < 1e-2


def test_smoother_showers_are_nearer_but_no_copies(sets):
    """Half-way to the mean shower: close to everything, copied from nobody."""
    generated, reference, training = sets
    fraction = generated.energies / generated.incident_energy[:, None]
    smooth = (0.5 * fraction + 0.5 * fraction.mean(0)) * generated.incident_energy[:, None]
    found = judged(replace(generated, energies=smooth.astype(np.float32)), reference, training)
    assert found.closer_p_value < 1e-6
    assert found.extreme_p_value > 1e-3
    assert found.tail_p_value > 1e-3


@pytest.mark.statistical
def test_p_values_are_uniform_for_independent_showers(toy):
    """200 nulls of unequal size against one training: Kolmogorov-Smirnov p above 1e-4, for each
    test and for their combination (false alarm 4e-4 in all)."""
    training = toy(400, seed=10_000)
    found = [
        judged(
            toy(150, seed=2 * s + 1),
            toy(200, seed=2 * s + 2),
            training,
            settings=MemorisationSettings(seed=s),
        )
        for s in range(200)
    ]
    for name in ("p_value", "bulk_p_value", "tail_p_value", "extreme_p_value"):
        values = [getattr(f, name) for f in found]
        assert stats.kstest(values, "uniform").pvalue > 1e-4, name
        assert 0 <= min(values) <= max(values) <= 1


def test_pieces_and_order_of_the_training_do_not_matter(toy):
    generated, reference, training = (toy(n, seed=s) for s, n in enumerate((120, 110, 300)))
    rows = [memorisation_rows([s], threshold=CUT) for s in (generated, reference)]
    whole = judged(generated, reference, training)
    seen = []
    parts = [training.select(slice(k, k + 7)) for k in range(0, 300, 7)]
    found = memorisation(*rows, parts, threshold=CUT, progress=seen.append)
    assert seen[-1] == 300
    assert found.p_value == whole.p_value
    np.testing.assert_array_equal(found.generated_distance, whole.generated_distance)
    np.testing.assert_array_equal(found.originals, whole.originals)
    backwards = judged(generated, reference, training.select(slice(None, None, -1)))
    assert backwards.p_value == whole.p_value
    np.testing.assert_array_equal(299 - backwards.originals, whole.originals)


def test_empty_showers_prove_nothing(toy):
    generated, reference, training = (toy(n, seed=s) for s, n in enumerate((120, 110, 300)))
    for sample in (generated, reference, training):
        sample.energies[::3] = 0.4
    found = judged(generated, reference, training)
    assert found.exact_copies == 0
    assert 0 not in found.generated_rows
    assert len(found.generated_rows) <= 80


def test_training_showers_that_occur_many_times(toy):
    """A copy of one of them has distance 0 to all k; it still counts as a copy."""
    generated, reference, training = (toy(n, seed=s) for s, n in enumerate((120, 110, 300)))
    training.energies[:10] = training.energies[0]
    training.incident_energy[:10] = training.incident_energy[0]
    mixed, _ = copied(generated, training.select(slice(0, 5)), 5)
    found = judged(mixed, reference, training)
    assert found.exact_copies == 5
    assert set(range(5)) <= set(found.near_copies.tolist())


def test_rank_test_against_scipy():
    rng = np.random.default_rng(0)
    for _ in range(5):
        a, b = rng.integers(0, 30, 80), rng.integers(1, 31, 60)
        expected = stats.mannwhitneyu(
            a, b, alternative="less", method="asymptotic", use_continuity=False
        )
        found = _rank_p_value(a.astype(float), b.astype(float))
        assert found == pytest.approx(expected.pvalue, rel=1e-9)


def test_extreme_counts_against_all_orders():
    """3 of ours, 2 of the truth: the smallest h are all ours with chance 3/5, 3/5 * 2/4, ..."""
    chances = [1, 3 / 5, 3 / 10, 1 / 10]
    for found, more in ((0, 0.6), (1, 0.3), (2, 0.1), (3, 0.0)):
        assert _extreme_p_value(found, 3, 2, 1.0) == pytest.approx(chances[found])
        assert _extreme_p_value(found, 3, 2, 0.0) == pytest.approx(more)


def test_bad_input_is_refused(toy, photons):
    generated, reference, training = (toy(n, seed=s) for s, n in enumerate((60, 60, 90)))
    with pytest.raises(RangeError, match="at least 20 generated"):
        judged(generated.select(slice(0, 15)), reference, training)
    with pytest.raises(RangeError, match="more than 5"):
        judged(generated, reference, training.select(slice(0, 5)))
    with pytest.raises(ShapeError, match="features"):
        judged(generated, reference, toy(30, detector=photons))
