from __future__ import annotations

import numpy as np
import pytest

from simulacra.data import (
    VoxelShowers,
    convert_showers,
    energy_between,
    filtered,
    open_showers,
    split_showers,
    write_showers,
)
from simulacra.errors import OutputError, RangeError


@pytest.fixture
def source(tmp_path, toy):
    write_showers(tmp_path / "source.hdf5", toy, arrays={"keys": toy.event_keys()})
    return open_showers(tmp_path / "source.hdf5")


def test_converted_there_and_back_is_the_same(tmp_path, source, toy):
    for format in ("sparse", "lemurs", "calochallenge"):
        convert_showers(source, tmp_path / f"{format}.hdf5", format=format)
        source = open_showers(tmp_path / f"{format}.hdf5")
    np.testing.assert_array_equal(source.read().event_keys(), toy.event_keys())
    assert source.provenance["made_from"] == "lemurs.hdf5"
    np.testing.assert_array_equal(source.array("keys"), toy.event_keys())


def test_the_energy_filter_takes_its_lower_edge(toy):
    edge = float(np.sort(toy.incident_energy)[20])
    kept = VoxelShowers.concatenate(filtered([toy], energy_between(edge, 1e9)))
    assert len(kept) == len(toy) - 20
    assert kept.incident_energy.min() == edge
    below = VoxelShowers.concatenate(filtered([toy], energy_between(0, edge)))
    assert len(below) == 20
    with pytest.raises(RangeError, match="low < high"):
        energy_between(5, 5)


def test_any_predicate_filters(toy):
    kept = list(filtered([toy, toy], lambda part: part.layer_energies()[:, 0] > 1e12))
    assert kept == []
    (whole,) = filtered([toy], lambda part: np.ones(len(part), bool))
    assert whole is toy


def test_a_filter_that_keeps_nothing_writes_nothing(tmp_path, source):
    with pytest.raises(RangeError, match="no showers"):
        convert_showers(source, tmp_path / "a.hdf5", format="sparse", keep=energy_between(0, 1))
    assert not (tmp_path / "a.hdf5").exists()


@pytest.mark.parametrize("seed", [None, 7])
@pytest.mark.parametrize("size", [{"events": 20}, {"fraction": 20 / 57}])
def test_a_split_shares_nothing_and_loses_nothing(tmp_path, source, toy, seed, size):
    counts = split_showers(source, tmp_path / "a.hdf5", tmp_path / "b.hdf5", seed=seed, **size)
    assert counts == (20, 37)
    a, b = (open_showers(tmp_path / f"{n}.hdf5").read().event_keys() for n in "ab")
    assert not set(a) & set(b)
    assert set(a) | set(b) == set(toy.event_keys())
    position = {key: i for i, key in enumerate(toy.event_keys())}
    order = [position[key] for key in a]
    assert order == sorted(order)
    assert (order == list(range(20))) is (seed is None)


def test_a_seed_decides_the_split(tmp_path, source):
    def first(seed: int, name: str) -> list[int]:
        split_showers(source, tmp_path / name, tmp_path / f"r{name}", events=9, seed=seed)
        return open_showers(tmp_path / name).read().event_keys().tolist()

    assert first(1, "a") == first(1, "b")
    assert first(1, "a") != first(2, "c")


def test_a_split_does_not_depend_on_the_format(tmp_path, source):
    convert_showers(source, tmp_path / "s.hdf5", format="sparse")
    keys = []
    for name, file in (("a", source), ("b", open_showers(tmp_path / "s.hdf5"))):
        split_showers(file, tmp_path / name, tmp_path / f"r{name}", events=9, seed=3)
        keys.append(open_showers(tmp_path / name).read().event_keys().tolist())
        assert open_showers(tmp_path / name).format == file.format
    assert keys[0] == keys[1]


@pytest.mark.parametrize(
    "size",
    [{}, {"events": 3, "fraction": 0.5}, {"events": 0}, {"events": 57}, {"fraction": 1.0}],
)
def test_splits_that_make_no_sense(tmp_path, source, size):
    with pytest.raises(RangeError, match="split"):
        split_showers(source, tmp_path / "a.hdf5", tmp_path / "b.hdf5", **size)
    assert not (tmp_path / "a.hdf5").exists()


def test_neither_part_is_there_if_one_cannot_be_written(tmp_path, source):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        split_showers(source, tmp_path / "a.hdf5", tmp_path / "file" / "b.hdf5", events=9)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "source.hdf5"]


def test_a_file_is_never_written_over_itself(tmp_path, source):
    with pytest.raises(RangeError, match="written over"):
        convert_showers(source, source.path, format="sparse")
    with pytest.raises(RangeError, match="written over"):
        split_showers(source, tmp_path / "a.hdf5", tmp_path / "a.hdf5", events=9)
