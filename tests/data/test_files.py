from __future__ import annotations

import hashlib
import pickle
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simulacra.data import (
    FORMATS,
    ToyShowers,
    VoxelShowers,
    geometry,
    open_showers,
    read_showers,
    toy_geometry,
    toy_grid,
    write_showers,
)
from simulacra.errors import RangeError

SHUFFLED = ("pdg", "theta", "phi", "x", "y")


def assert_same(a: VoxelShowers, b: VoxelShowers) -> None:
    np.testing.assert_array_equal(a.energies, b.energies)
    assert a.energies.dtype == b.energies.dtype
    np.testing.assert_array_equal(a.incident_energy, b.incident_energy)
    assert a.incident_energy.dtype == b.incident_energy.dtype
    assert set(a.conditions) == set(b.conditions)
    for name in a.conditions:
        np.testing.assert_array_equal(a.conditions[name], b.conditions[name])
    assert (a.weight is None) == (b.weight is None)
    if a.weight is not None:
        np.testing.assert_array_equal(a.weight, b.weight)
    assert a.geometry == b.geometry


def dressed(showers: VoxelShowers) -> VoxelShowers:
    """The same showers with every condition and with negative weights among them."""
    rng = np.random.default_rng(5)
    columns = {name: rng.normal(size=len(showers)) for name in ("theta", "phi", "x", "y")}
    columns["pdg"] = rng.choice([11, -11, 22], len(showers))
    return replace(showers, conditions=columns, weight=rng.normal(size=len(showers)))


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("with_columns", [False, True])
def test_what_is_written_is_read_back(toy, tmp_path, format, dtype, with_columns):
    toy = ToyShowers(toy_grid()).log_uniform(57, seed=3) if format == "cells" else toy
    showers = replace(toy, energies=toy.energies.astype(dtype))
    showers = dressed(showers) if with_columns else showers
    path = tmp_path / "showers.hdf5"
    assert write_showers(path, showers, format=format) == len(showers)
    found = open_showers(path)
    assert found.format == format
    assert found.events == len(found) == len(showers)
    assert found.dtype == dtype
    assert found.weighted is with_columns
    assert_same(found.read(), showers)
    assert found.provenance["simulation"] == "toy showers in closed form"
    assert found.provenance["units"] == "MeV, mm, rad"


@pytest.mark.parametrize("format", FORMATS)
@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_partition_gives_the_same_file(tmp_path, format, data):
    where = toy_grid(((2, 3), (3, 1))) if format == "cells" else toy_geometry(2, 3, 2)
    showers = ToyShowers(where, concentration=3.0).log_uniform(23, seed=8)
    showers = replace(showers, energies=np.where(showers.energies > 50, showers.energies, 0.0))
    cuts = sorted(data.draw(st.lists(st.integers(0, 23), max_size=6)))
    parts = [showers.select(slice(a, b)) for a, b in zip([0, *cuts], [*cuts, 23], strict=True)]
    path = tmp_path / "parts.hdf5"
    write_showers(path, iter(parts), format=format)
    step = data.draw(st.integers(1, 30))
    read = list(open_showers(path).chunks(step))
    assert [len(part) for part in read[:-1]] == [step] * (len(read) - 1)
    assert_same(VoxelShowers.concatenate(read), showers)


@pytest.mark.parametrize("name", ["calochallenge-1-photons", "calochallenge-1-pions"])
def test_irregular_geometries_come_back_by_name_and_depth(tmp_path, name):
    where = geometry(name)
    layers = len(where.layers)
    where = where.with_depths(range(layers), range(1, layers + 1))
    showers = ToyShowers(where, concentration=50.0).log_uniform(5, seed=1)
    write_showers(tmp_path / "a.hdf5", showers)
    with h5py.File(tmp_path / "a.hdf5") as file:
        assert file.attrs["geometry"] == name
        np.testing.assert_array_equal(file.attrs["layer_z_max_mm"], range(1, layers + 1))
    assert open_showers(tmp_path / "a.hdf5").geometry == where


def test_unknown_depths_stay_unknown(tmp_path, photons):
    write_showers(tmp_path / "a.hdf5", photons)
    with h5py.File(tmp_path / "a.hdf5") as file:
        assert "layer_z_min_mm" not in file.attrs
    found = open_showers(tmp_path / "a.hdf5").geometry
    assert found == photons.geometry
    assert np.isnan(found.layers[0].z_min)


def test_a_geometry_of_ones_own_travels_in_the_file(tmp_path, toy):
    one = replace(toy.geometry, layers=(replace(toy.geometry.layers[0], z_max=float("nan")),))
    showers = ToyShowers(one).log_uniform(4, seed=1)
    write_showers(tmp_path / "a.hdf5", showers)
    assert open_showers(tmp_path / "a.hdf5").geometry == one


def test_the_order_is_radius_then_alpha_then_layer(tmp_path):
    where = toy_geometry(2, 3, 4)
    energies = np.arange(1.0, 25.0)[None]
    showers = VoxelShowers(energies, np.array([300.0]), where)
    write_showers(tmp_path / "a.hdf5", showers, format="lemurs")
    with h5py.File(tmp_path / "a.hdf5") as file:
        block = file["showers"][0]
        assert block.shape == (4, 3, 2)  # R, PHI, Z
        assert block[1, 0, 0] == 2.0  # the second ring of the first sector and layer
        assert block[0, 1, 0] == 5.0
        assert block[0, 0, 1] == 13.0
        assert file["incident_energy"].shape == (1,)


def test_the_challenge_layout_is_that_of_the_challenge(tmp_path, photons):
    write_showers(tmp_path / "a.hdf5", photons)
    with h5py.File(tmp_path / "a.hdf5") as file:
        assert file["incident_energies"].shape == (20, 1)
        assert file["showers"].shape == (20, 368)
        assert file["showers"].compression == "gzip"


def test_a_file_without_attributes_gets_its_geometry_by_its_voxels(challenge_file, photons):
    path = challenge_file(photons.energies, photons.incident_energy[:, None])
    assert open_showers(path).geometry == geometry("calochallenge-1-photons")


def test_big_endian_and_half_precision_are_read(challenge_file, photons):
    path = challenge_file(photons.energies.astype(">f4"), photons.incident_energy.astype(">f8"))
    found = open_showers(path).read()
    assert found.energies.dtype == np.dtype(np.float32).newbyteorder("=")
    np.testing.assert_array_equal(found.energies, photons.energies.astype("f4"))
    half = challenge_file((photons.energies / 100).astype("f2"), photons.incident_energy, "h.hdf5")
    assert open_showers(half).read().energies.dtype == np.float32


def test_runs_inside_the_file_only(tmp_path, toy):
    write_showers(tmp_path / "a.hdf5", toy)
    source = open_showers(tmp_path / "a.hdf5")
    np.testing.assert_array_equal(source.read(3, 9).energies, toy.energies[3:9])
    with pytest.raises(RangeError, match="57"):
        source.read(0, 58)
    with pytest.raises(RangeError, match="at least 1"):
        next(source.chunks(0))


def test_a_file_travels_to_other_processes_without_its_handle(tmp_path, toy):
    write_showers(tmp_path / "a.hdf5", toy)
    with open_showers(tmp_path / "a.hdf5") as source:
        inside = source.read(0, 5)
        copy = pickle.loads(pickle.dumps(source))
        assert source._handle is not None
        assert copy._handle is None
        np.testing.assert_array_equal(copy.read(0, 5).energies, inside.energies)
    assert source._handle is None
    np.testing.assert_array_equal(source.read(0, 5).energies, inside.energies)


def test_the_digest_is_that_of_the_bytes(tmp_path, toy):
    write_showers(tmp_path / "a.hdf5", toy)
    expected = hashlib.sha256((tmp_path / "a.hdf5").read_bytes()).hexdigest()
    assert open_showers(tmp_path / "a.hdf5").digest() == expected


def test_pieces_are_whole_chunks_of_about_64_mb(tmp_path, monkeypatch):
    import simulacra.data.files as files

    showers = ToyShowers(toy_geometry(2, 2, 2)).log_uniform(1000, seed=1)
    path = tmp_path / "a.hdf5"
    with h5py.File(path, "w") as file:
        file.create_dataset("showers", data=showers.energies, chunks=(30, 8))
        file["incident_energies"] = showers.incident_energy
    monkeypatch.setattr(files, "_CHUNK_BYTES", 8 * 8 * 100)
    sizes = [len(part) for part in open_showers(path, geometry=toy_geometry(2, 2, 2)).chunks()]
    assert sizes == [90] * 11 + [10]


def test_a_factor_on_the_energies(tmp_path, toy):
    write_showers(tmp_path / "a.hdf5", toy, format="lemurs")
    scaled = read_showers(tmp_path / "a.hdf5", energy_scale=1 / 0.033)
    np.testing.assert_allclose(scaled.energies, toy.energies / 0.033, rtol=1e-12)


def test_columns_are_read_without_the_showers(tmp_path, toy):
    showers = dressed(toy)
    write_showers(tmp_path / "a.hdf5", showers, format="sparse")
    columns = open_showers(tmp_path / "a.hdf5").columns()
    assert set(columns) == {"incident_energy", "weight", "pdg", "theta", "phi", "x", "y"}
    np.testing.assert_array_equal(columns["weight"], showers.weight)


def test_further_arrays_and_attributes_are_kept(tmp_path, toy):
    keys = toy.event_keys()
    write_showers(
        tmp_path / "a.hdf5",
        toy,
        attributes={"model": "m", "digests": ["a", "b"], "steps": 7, "cut_mev": 0.5},
        arrays={"training_keys": keys},
    )
    found = open_showers(tmp_path / "a.hdf5")
    assert found.arrays == ("training_keys",)
    np.testing.assert_array_equal(found.array("training_keys"), keys)
    kept = {name: found.provenance[name] for name in ("model", "digests", "steps", "cut_mev")}
    assert kept == {"model": "m", "digests": ["a", "b"], "steps": 7, "cut_mev": 0.5}
    with pytest.raises(RangeError, match="training_keys"):
        found.array("nothing")


def test_writing_again_replaces_the_file_and_its_attributes_only_at_the_end(tmp_path, toy):
    path = tmp_path / "a.hdf5"
    write_showers(path, toy)
    before = path.read_bytes()

    def broken():
        yield toy
        raise ValueError("the generator broke")

    with pytest.raises(ValueError, match="broke"):
        write_showers(path, broken())
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.hdf5"]


def test_reading_whole_warns_once_about_rounding(tmp_path, photons):
    energies = photons.energies.copy()
    energies[3, :2] = -1e-9
    write_showers(tmp_path / "a.hdf5", replace(photons, energies=energies))
    with pytest.warns(UserWarning, match="2 voxels are negative within rounding") as caught:
        found = read_showers(tmp_path / "a.hdf5")
    assert len(caught) == 1
    assert found.energies[3, 0] == -1e-9  # kept: the threshold cuts it


def test_embedded_paths_are_plain_files() -> None:
    from simulacra.data import embedded

    assert isinstance(embedded("photons-train"), Path)
