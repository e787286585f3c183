"""Nearest neighbours and what is made of them, against dense float64 answers, ties included."""

import numpy as np
import pytest

from simulacra.data import VoxelShowers
from simulacra.errors import RangeError, ShapeError
from simulacra.evaluation.metrics import neighbours
from simulacra.evaluation.metrics.manifold import (
    MANIFOLD_CANNOT_SEE,
    ManifoldSettings,
    manifold_scores,
)
from simulacra.evaluation.metrics.neighbours import Nearest, nearest_others, pairs_inside
from simulacra.evaluation.metrics.rows import FeatureRows
from simulacra.evaluation.metrics.shower_rows import drawn_rows, manifold_inputs, manifold_rows

FOUR = ("precision", "recall", "density", "coverage")


def sparse(events, features, seed, shift=0.0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(events, features)) + shift
    return np.where(x > 0, x, 0)


def lattice(events, features, seed):
    """Few different values, hence ties and copies in plenty."""
    return np.random.default_rng(seed).integers(0, 3, (events, features)).astype(float)


def far_away(events, features, seed):
    """Small distances far from the origin, where float32 knows none of them."""
    return 1000 + 1e-3 * np.random.default_rng(seed).normal(size=(events, features))


def dense_distances(x, y):
    return np.stack([((row - y) ** 2).sum(axis=1) for row in x])


def dense_scores(x, y, k, w=None, v=None):
    """Precision, recall, density, coverage from three distance matrices, as defined."""
    w, v = (np.ones(len(s)) if u is None else u for u, s in ((w, x), (v, y)))
    radius, other = (np.sort(dense_distances(s, s), axis=1)[:, k] for s in (x, y))
    inside = dense_distances(x, y) < radius[:, None]
    hosted = dense_distances(x, y) < other[None]
    return (
        np.average(inside.any(0), weights=v),
        np.average(hosted.any(1), weights=w),
        np.average(inside.sum(0) / k, weights=v),
        np.average(inside.any(1), weights=w),
    )


def four(x, y, **arguments):
    found = manifold_scores(FeatureRows.from_array(x), FeatureRows.from_array(y), **arguments)
    return tuple(getattr(found, name).value for name in FOUR)


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(neighbours, "BLOCK", 64)
    monkeypatch.setattr(neighbours, "_STEP", 32)


SAMPLES = [(sparse, 5), (sparse, 300), (lattice, 3), (lattice, 12), (far_away, 6), (sparse, 1100)]


# Rows without zeros


@pytest.mark.parametrize("features", [1, 7, 1024, 2500])
def test_rows_give_back_what_they_were_given(features):
    x = sparse(40, features, 0)
    x[3] = 0
    rows = FeatureRows.from_blocks([x[:10].astype(np.float32), x[10:11], x[11:]])
    x[:10] = x[:10].astype(np.float32)
    which = np.array([7, 3, 3, 39, 12, 13, 14])
    np.testing.assert_array_equal(np.hstack(list(rows.dense(which))), x[which])
    np.testing.assert_array_equal(np.hstack(list(rows.take(which).dense(np.arange(7)))), x[which])
    np.testing.assert_allclose(rows.square_norm, (x**2).sum(1))
    assert len(rows) == 40


def test_identical_rows_are_found():
    x = lattice(200, 2, 0)
    x[5] = x[6] = -0.0
    first, kind, number = FeatureRows.from_array(x).identical()
    expected = np.unique(x, axis=0)
    assert len(first) == len(expected)
    assert number.sum() == 200
    np.testing.assert_array_equal(x[first][kind], x)


def test_bad_tables_are_refused():
    with pytest.raises(RangeError, match="finite"):
        FeatureRows.from_array(np.array([[1.0, np.inf]]))
    with pytest.raises(RangeError, match="at least one"):
        FeatureRows.from_blocks([])
    with pytest.raises(ShapeError, match="tables"):
        FeatureRows.from_blocks([np.ones((2, 3)), np.ones((2, 4))])
    with pytest.raises(ShapeError, match="expected 3"):
        Nearest(FeatureRows.from_array(np.ones((2, 3))), 1).add(FeatureRows.from_array(np.eye(2)))
    with pytest.raises(RangeError, match="more than 2"):
        nearest_others(FeatureRows.from_array(np.eye(2)), 2)


# Neighbours


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize(("kind", "features"), SAMPLES)
def test_nearest_others_are_those_of_the_dense_matrix(kind, features):
    x = kind(230, features, 0)
    distances = dense_distances(x, x)
    np.fill_diagonal(distances, np.inf)
    found = nearest_others(FeatureRows.from_array(x), 5)
    expected = np.sort(distances, axis=1)[:, :5]
    np.testing.assert_allclose(found.square_distance, expected, rtol=1e-12, atol=0)
    at = np.take_along_axis(distances, found.index, axis=1)
    np.testing.assert_allclose(at, expected, rtol=1e-12, atol=0)


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize(("kind", "features"), SAMPLES)
def test_nearest_of_a_stream_are_those_of_the_dense_matrix(kind, features):
    """In pieces of any size and order, one of them a single row."""
    x, y = kind(150, features, 0), kind(170, features, 1)
    y[20] = x[3]
    search = Nearest(FeatureRows.from_array(x), 3)
    for start, stop in ((100, 170), (0, 1), (1, 100)):
        search.add(FeatureRows.from_array(y[start:stop]), start)
    distances = dense_distances(x, y)
    expected = np.sort(distances, axis=1)[:, :3]
    np.testing.assert_allclose(search.square_distance, expected, rtol=1e-12, atol=0)
    at = np.take_along_axis(distances, search.index, axis=1)
    np.testing.assert_allclose(at, expected, rtol=1e-12, atol=0)
    assert search.square_distance[3, 0] == 0


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize(("kind", "features"), SAMPLES)
def test_pairs_inside_are_those_of_the_dense_matrix(kind, features):
    x, y = kind(150, features, 0), kind(170, features, 1)
    radius, other = (np.sort(dense_distances(s, s), axis=1)[:, 4] for s in (x, y))
    number = np.random.default_rng(0).integers(1, 4, 150)
    found = pairs_inside(
        FeatureRows.from_array(x), FeatureRows.from_array(y), (radius, other), number
    )
    inside = dense_distances(x, y) < radius[:, None]
    np.testing.assert_array_equal(found.balls, number @ inside)
    np.testing.assert_array_equal(found.has_guest, inside.any(1))
    np.testing.assert_array_equal(found.has_host, (dense_distances(x, y) < other).any(1))


def test_rounding_is_bounded_for_the_worst_sums():
    """The error of a float32 block of -d²/2 stays below the slack that decides what is exact."""
    for features in (10, 1000, 3000):
        x = np.random.default_rng(0).lognormal(0, 2, (60, features))
        rows = FeatureRows.from_array(x)
        block = neighbours._Block(rows, np.arange(60))
        wrong = np.abs(block.minus_half_square_distances(block) + 0.5 * dense_distances(x, x))
        assert (wrong < block.slack(block)[:, None]).all()


# Scores


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize(("kind", "features"), SAMPLES)
@pytest.mark.parametrize("k", [1, 5])
def test_scores_are_those_of_the_dense_matrices(kind, features, k):
    x, y = kind(180, features, 0), kind(150, features, 1)
    settings = ManifoldSettings(neighbours=k)
    assert four(x, y, settings=settings) == pytest.approx(dense_scores(x, y, k), rel=1e-12)


def test_many_equal_showers_on_both_sides():
    """More than k copies have radius 0: they hold nobody, not even another copy."""
    x, y = sparse(120, 4, 0), sparse(90, 4, 1)
    x[:30] = y[:20] = 0
    y[50:53] = x[60]
    assert four(x, y) == pytest.approx(dense_scores(x, y, 5), rel=1e-12)
    assert four(np.zeros((20, 3)), np.zeros((20, 3))) == (0, 0, 0, 0)


def test_one_shower_repeated_for_ever():
    """Precise, dense, and no recall: what MANIFOLD_CANNOT_SEE says."""
    x = np.random.default_rng(0).normal(size=(300, 20))
    centre = np.zeros((200, 20))
    precision, recall, density, coverage = four(x, centre)
    assert precision == 1
    assert recall == 0
    assert density > 10
    assert coverage == pytest.approx(density * 5 / 300)
    assert set(MANIFOLD_CANNOT_SEE) == set(FOUR)


@pytest.mark.reference
@pytest.mark.parametrize(
    ("shift", "expected"),
    [
        (0.0, (0.948, 0.9457142857142857, 0.976, 0.9271428571428572)),
        (0.4, (0.9, 0.9785714285714285, 0.7952, 0.8357142857142857)),
    ],
)
def test_the_official_program_says_the_same(shift, expected):
    """Made with ``prdc.compute_prdc(x, y, 5)``, prdc 0.2 on scikit-learn 1.9.1, numpy 2.4.6."""
    x = sparse(700, 12, 1)
    y = sparse(500, 12, 2, shift * np.arange(12) / 12)
    assert four(x, y) == pytest.approx(expected, rel=1e-6)


def test_blocks_do_not_matter(monkeypatch):
    x, y = sparse(300, 30, 0), sparse(200, 30, 1)
    found = []
    for sizes in ((64, 16), (50, 200), (2048, 1024)):
        monkeypatch.setattr(neighbours, "BLOCK", sizes[0])
        monkeypatch.setattr(neighbours, "_STEP", sizes[1])
        found.append(manifold_scores(FeatureRows.from_array(x), FeatureRows.from_array(y)))
    assert found[0] == found[1] == found[2]


def test_weights_average_showers():
    """Weights, negative ones too, enter the means alone; 0 leaves a shower as a neighbour."""
    x, y = sparse(150, 5, 0), sparse(140, 5, 1)
    rng = np.random.default_rng(0)
    w, v = rng.normal(1, 1, 150), rng.normal(1, 1, 140)
    assert min(w.min(), v.min()) < 0
    weighted = four(x, y, weight_reference=w, weight_generated=v)
    assert weighted == pytest.approx(dense_scores(x, y, 5, w, v), rel=1e-12)
    twice = four(x, y, weight_reference=2 * w, weight_generated=3 * v)
    assert twice == pytest.approx(weighted)
    rows = [FeatureRows.from_array(s) for s in (x, y)]
    with pytest.raises(RangeError, match="positive sum"):
        manifold_scores(*rows, weight_reference=-np.ones(150))
    with pytest.raises(ShapeError, match="one per generated"):
        manifold_scores(*rows, weight_generated=np.ones(150))
    with pytest.raises(RangeError, match="2 \\(k \\+ 1\\)"):
        manifold_scores(rows[0], FeatureRows.from_array(y[:11]))


def test_progress_ends_at_its_end():
    rows, seen = [FeatureRows.from_array(sparse(100, 4, s)) for s in (0, 1)], []
    manifold_scores(*rows, progress=lambda *step: seen.append(step))
    assert seen[-1][0] == seen[-1][1]
    assert seen == sorted(seen)


@pytest.mark.statistical
def test_perfect_samples_stand_on_their_floor():
    """Pulls of 60 null comparisons of 200 against 100 showers.

    Errors are approximate (0.7 to 1.5 times the true ones): mean below 0.8, width between 0.5
    and 1.6. Without continuing to the full size the means of precision and recall are above 2.
    """
    found = [
        manifold_scores(
            FeatureRows.from_array(sparse(200, 20, 2 * s, 0.5)),
            FeatureRows.from_array(sparse(100, 20, 2 * s + 1, 0.5)),
            settings=ManifoldSettings(seed=s),
        )
        for s in range(60)
    ]
    for name in FOUR:
        scores = [getattr(f, name) for f in found]
        pulls = np.array([(s.value - s.floor) / s.floor_error for s in scores])
        assert abs(pulls.mean()) < 0.8, name
        assert 0.5 < pulls.std() < 1.6, name
        true = np.std([s.value for s in scores])
        assert 0.6 < np.mean([s.error for s in scores]) / true < 1.6, name
    assert "continued to 200 against 100" in found[0].precision.floor_from


def test_independent_reference_gives_the_floor():
    x, y, z = (FeatureRows.from_array(sparse(n, 6, s)) for s, n in enumerate((150, 120, 200)))
    found = manifold_scores(x, y, independent=z)
    part = z.take(drawn_rows(200, 120, 0, key=2))
    assert found.recall.floor == manifold_scores(x, part).recall.value
    assert "120 independent" in found.recall.floor_from


# Showers


def test_inputs_of_the_protocol(small):
    energies = np.zeros((2, small.voxels))
    energies[0, :5] = [-1, 0.5, 1, 10, 1000]
    showers = VoxelShowers(energies, np.ones(2), small)
    found = manifold_inputs(showers, threshold=1.0)
    np.testing.assert_allclose(found[0, :6], [-1, -1, 0, 1, 3, -1])
    assert (found[1] == -1).all()
    np.testing.assert_allclose(manifold_inputs(showers, threshold=1.0, fill=1.0)[0, :5].sum(), 4)
    assert (energies[0, :2] == [-1, 0.5]).all()


def test_rows_have_the_distances_of_the_inputs(toy):
    showers = toy(50)
    inputs = manifold_inputs(showers, threshold=1.0)
    parts = [showers.select(slice(0, 7)), showers.select(slice(7, None))]
    rows = manifold_rows(parts, threshold=1.0)
    i, j = np.arange(49), np.arange(1, 50)
    expected = ((inputs[i] - inputs[j]) ** 2).sum(1)
    np.testing.assert_allclose(rows.square_distances(i, rows, j), expected)
    assert rows._chunks[0].values.size == (showers.energies >= 1).sum()


def test_a_limit_draws_some():
    some = drawn_rows(1000, 100, 0)
    assert len(np.unique(some)) == 100
    assert (np.diff(some) > 0).all()
    assert list(drawn_rows(1000, 100, 0)) == list(some)
    assert list(drawn_rows(1000, 100, 0, key=1)) != list(some)
    assert len(drawn_rows(1000, 0, 0)) == len(drawn_rows(1000, 2000, 0)) == 1000
    weight = np.where(np.arange(1000) < 50, 0.0, 1.0)
    assert drawn_rows(1000, 0, 0, weight=weight).tolist() == list(range(50, 1000))
    assert drawn_rows(1000, 100, 0, weight=weight).min() >= 50
    with pytest.raises(RangeError, match="weight"):
        drawn_rows(3, 2, 0, weight=np.array([1.0, -1.0, 2.0]))
