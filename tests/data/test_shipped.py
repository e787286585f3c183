"""The embedded showers: complete, apart, and honest about where they come from."""

from __future__ import annotations

import numpy as np
import pytest

from simulacra.data import (
    Fingerprint,
    embedded,
    find_overlap,
    open_showers,
    read_showers,
    refuse_overlap,
)
from simulacra.errors import OverlapError, UnknownNameError

NAMES = ("photons-train", "photons-test")


@pytest.mark.parametrize(("name", "events"), [("photons-train", 12_800), ("photons-test", 3_200)])
def test_they_are_photons_in_mev(name, events):
    showers = read_showers(embedded(name), strict=True)
    assert showers.energies.shape == (events, 368)
    assert showers.geometry.name == "calochallenge-1-photons"
    assert [layer.z_max for layer in showers.geometry.layers] == [24, 96, 296, 336, 360]
    assert showers.incident_energy.min() >= 1000
    assert showers.incident_energy.max() <= 64_000
    response = showers.energies.sum(axis=1, dtype=float) / showers.incident_energy
    assert abs(np.median(response) - 1) < 0.01


@pytest.mark.parametrize("name", NAMES)
def test_their_provenance_is_complete(name):
    found = open_showers(embedded(name)).provenance
    assert found["licence"] == "CC-BY-4.0"
    assert found["part_of"] == f"{name}.hdf5"
    assert found["first_event"] == 0
    for key in ("simulation", "detector", "voxels", "rounding", "full_simulation_ms_per_gev"):
        assert key in found
    assert (embedded(name).parent / "README.md").is_file()


def test_train_and_test_share_no_event():
    train, test = (Fingerprint.of(open_showers(embedded(name))) for name in NAMES)
    assert len(train.keys) == 12_800  # no shower twice
    assert len(find_overlap(train.keys, test.keys)) == 0
    refuse_overlap(train, test)
    with pytest.raises(OverlapError):
        refuse_overlap(train, train)


def test_an_unknown_name_is_answered_with_the_known_ones():
    with pytest.raises(UnknownNameError, match="photons-train"):
        embedded("photons")
