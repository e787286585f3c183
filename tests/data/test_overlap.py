from __future__ import annotations

import numpy as np
import pytest

from simulacra.data import (
    Fingerprint,
    VoxelShowers,
    convert_showers,
    find_overlap,
    open_showers,
    refuse_overlap,
    toy_geometry,
    write_showers,
)
from simulacra.data.toys import ToyShowers
from simulacra.errors import OverlapError

TOY = ToyShowers(toy_geometry())


def fingerprint(path, showers, **options) -> Fingerprint:
    write_showers(path, showers, **options)
    return Fingerprint.of(open_showers(path))


def test_the_same_file_is_found_by_its_digest(tmp_path):
    one = fingerprint(tmp_path / "a.hdf5", TOY.log_uniform(9, seed=1))
    with pytest.raises(OverlapError, match=r"a\.hdf5: the reference is a file"):
        refuse_overlap(one, one)


def test_the_same_events_in_another_file_and_format_are_found(tmp_path):
    train, new = TOY.log_uniform(9, seed=1), TOY.log_uniform(20, seed=2)
    mixed = VoxelShowers.concatenate([new, train.select([4, 2])])
    a = fingerprint(tmp_path / "a.hdf5", train)
    b = fingerprint(tmp_path / "b.hdf5", mixed, format="sparse")
    with pytest.raises(OverlapError, match="2 of 22 showers"):
        refuse_overlap(a, b)
    refuse_overlap(a, fingerprint(tmp_path / "c.hdf5", new))


def test_converting_does_not_hide_a_training_file(tmp_path):
    a = fingerprint(tmp_path / "a.hdf5", TOY.log_uniform(9, seed=1))
    convert_showers(open_showers(tmp_path / "a.hdf5"), tmp_path / "b.hdf5", format="lemurs")
    with pytest.raises(OverlapError, match="9 of 9"):
        refuse_overlap(a, Fingerprint.of(open_showers(tmp_path / "b.hdf5")))


def test_empty_showers_prove_nothing(tmp_path):
    def with_empty(seed: int) -> VoxelShowers:
        showers = TOY.sample(np.full(5, 256.0), seed=seed)
        showers.energies[2] = 0
        return showers

    a = fingerprint(tmp_path / "a.hdf5", with_empty(1))
    b = fingerprint(tmp_path / "b.hdf5", with_empty(2))
    assert len(a.keys) == 4
    refuse_overlap(a, b)


def test_an_official_training_file_is_no_reference(tmp_path):
    nothing = Fingerprint((), (), np.zeros(0, np.uint64))
    showers = TOY.log_uniform(9, seed=1)
    official = fingerprint(tmp_path / "dataset_2_1.hdf5", showers)
    with pytest.raises(OverlapError, match="official training file of calochallenge-2"):
        refuse_overlap(nothing, official)
    refuse_overlap(nothing, fingerprint(tmp_path / "dataset_2_2.hdf5", showers))


def test_positions_of_shared_events():
    a = np.array([5, 6, 7], np.uint64)
    b = np.array([7, 1, 5, 7], np.uint64)
    assert find_overlap(a, b).tolist() == [0, 2, 3]
    assert find_overlap(a[:0], b).tolist() == []


def test_fingerprints_join(tmp_path):
    a = fingerprint(tmp_path / "a.hdf5", TOY.log_uniform(9, seed=1))
    b = fingerprint(tmp_path / "b.hdf5", TOY.log_uniform(4, seed=2))
    both = Fingerprint.joined([a, b])
    assert len(both.keys) == 13
    for part in (a, b):
        with pytest.raises(OverlapError):
            refuse_overlap(both, part)
