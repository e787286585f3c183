"""Sets of points: padded, cut and joined as they say."""

from __future__ import annotations

import numpy as np
import pytest

from simulacra.data.clouds import Clouds, join_clouds
from simulacra.data.events import Ragged
from simulacra.data.pairs import Pairs, Sample
from simulacra.errors import RangeError, ShapeError

TABLE = Ragged(
    np.array([0, 2, 2, 5]),
    {"a": np.array([1.0, 2.0, 3.0, 4.0, 5.0]), "b": -np.arange(5.0)},
)


def test_rows_of_a_table_are_padded_and_the_last_are_left_out():
    clouds = Clouds.of(TABLE, ("b", "a"), 2)
    np.testing.assert_array_equal(clouds.mask, [[1, 1], [0, 0], [1, 1]])
    np.testing.assert_array_equal(clouds.points[0], [[0, 1], [-1, 2]])
    np.testing.assert_array_equal(clouds.points[2], [[-2, 3], [-3, 4]])
    assert not clouds.points[1].any()
    with pytest.raises(RangeError, match="at least 1 place"):
        Clouds.of(TABLE, ("a",), 0)


def test_clouds_are_joined_or_refused():
    clouds = Clouds.of(TABLE, ("a",), 3)
    both = join_clouds([clouds, clouds[1:]])
    assert both is not None
    np.testing.assert_array_equal(both.mask, np.concatenate([clouds.mask, clouds.mask[1:]]))
    assert join_clouds([None, None]) is None
    for other in (None, Clouds.of(TABLE, ("a",), 2)):
        with pytest.raises(ShapeError, match="same places and features"):
            join_clouds([clouds, other])


def test_pairs_carry_particles_of_both_sides_wherever_they_go():
    truth, reco = Clouds.of(TABLE, ("a",), 3), Clouds.of(TABLE, ("b",), 3)
    values = np.arange(3.0)[:, None]
    pairs = Pairs(
        values,
        values,
        ("x",),
        pass_truth=np.array([True, True, False]),
        pass_reco=np.array([True, False, True]),
        truth_particles=truth,
        reco_particles=reco,
    )
    seen = pairs.weighted(np.array([1.0, 2.0, 3.0])).reco_sample()
    np.testing.assert_array_equal(seen.particles.points, reco.points[[0, 2]])
    there = Pairs.concatenate([pairs, pairs.select([2, 1, 0])]).true_sample()
    np.testing.assert_array_equal(there.particles.points, truth.points[[0, 1, 1, 0]])
    np.testing.assert_array_equal(there.select([1]).particles.points, truth.points[[1]])


def test_particles_of_other_events_or_of_one_side_are_refused():
    values, clouds = np.arange(3.0)[:, None], Clouds.of(TABLE, ("a",), 3)
    with pytest.raises(ShapeError, match="for each of 3 events, found 2"):
        Sample(values, ("x",), particles=clouds[:2])
    with pytest.raises(ShapeError, match="on the truth side only"):
        Pairs(values, values, ("x",), truth_particles=clouds)
