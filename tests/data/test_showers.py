from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulacra.data import ToyShowers, VoxelShowers, geometry, toy_geometry
from simulacra.errors import RangeError, ShapeError

TOY = ToyShowers(toy_geometry()).log_uniform(12, seed=4)


def test_shapes_are_checked_with_the_geometry_that_fits():
    with pytest.raises(ShapeError, match='shape of "calochallenge-3"'):
        VoxelShowers(np.ones((2, 40500)), np.ones(2), geometry("calochallenge-2"))
    with pytest.raises(ShapeError, match="incident_energy"):
        replace(TOY, incident_energy=np.ones(5))
    with pytest.raises(ShapeError, match="theta"):
        replace(TOY, conditions={"theta": np.ones((12, 1))})
    with pytest.raises(ShapeError, match="weight"):
        replace(TOY, weight=np.ones(11))


def test_layer_energies_are_the_sums_of_their_voxels():
    by_hand = np.stack([TOY.energies[:, part].sum(axis=1) for part in TOY.geometry.slices], axis=1)
    np.testing.assert_allclose(TOY.layer_energies(), by_hand, rtol=1e-12)


@given(st.lists(st.integers(0, 11), min_size=1, max_size=20))
def test_selecting_picks_the_same_showers_everywhere(which):
    full = replace(TOY, conditions={"x": np.arange(12.0)}, weight=-np.arange(12.0))
    part = full.select(which)
    np.testing.assert_array_equal(part.energies, full.energies[which])
    np.testing.assert_array_equal(part.conditions["x"], which)
    np.testing.assert_array_equal(part.weights, -np.array(which, float))
    np.testing.assert_array_equal(part.event_keys(), full.event_keys()[which])


def test_the_threshold_keeps_what_lies_on_it():
    cut = float(np.median(TOY.energies))
    kept = TOY.thresholded(cut).energies
    assert (kept[TOY.energies < cut] == 0).all()
    np.testing.assert_array_equal(kept[TOY.energies >= cut], TOY.energies[TOY.energies >= cut])
    assert (TOY.thresholded().energies[TOY.energies < TOY.geometry.threshold] == 0).all()


def test_keys_know_content_not_dtype():
    single = replace(TOY, energies=TOY.energies.astype("f4"))
    np.testing.assert_array_equal(TOY.event_keys(), single.event_keys())
    assert len(set(TOY.event_keys())) == 12
    changed = replace(TOY, energies=TOY.energies * 1.001)
    assert not set(TOY.event_keys()) & set(changed.event_keys())
    zero, minus = np.zeros((1, 60)), -np.zeros((1, 60))
    keys = [VoxelShowers(e, np.ones(1), TOY.geometry).event_keys()[0] for e in (zero, minus)]
    assert keys[0] == keys[1]


def test_joining_keeps_weights_and_shared_conditions():
    a = replace(TOY, weight=np.full(12, -2.0), conditions={"x": np.ones(12), "y": np.ones(12)})
    b = replace(TOY, conditions={"x": np.zeros(12)})
    both = VoxelShowers.concatenate([a, b])
    assert len(both) == 24
    assert set(both.conditions) == {"x"}
    assert both.weights.tolist() == [-2.0] * 12 + [1.0] * 12
    with pytest.raises(ShapeError, match="one geometry"):
        VoxelShowers.concatenate([TOY, ToyShowers(toy_geometry(2)).log_uniform(2, seed=1)])
    with pytest.raises(RangeError):
        VoxelShowers.concatenate([])
