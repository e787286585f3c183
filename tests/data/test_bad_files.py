"""Bad input: one clear sentence each, nothing written."""

from __future__ import annotations

import json
from dataclasses import replace

import h5py
import numpy as np
import pytest
from synthetic_showers import ring_showers

from simulacra.data import (
    FORMATS,
    ToyShowers,
    convert_showers,
    geometry,
    open_showers,
    read_showers,
    toy_geometry,
    toy_grid,
    write_showers,
)
from simulacra.data.formats import guard
from simulacra.errors import FileFormatError, ShapeError, UnitError, UnknownNameError


def refused(path, error, match, **options):
    """The file is refused by every way in, with the same kind of error."""
    with pytest.raises(error, match=match) as caught:
        open_showers(path, **options).validate()
    assert "\n" not in str(caught.value)
    with pytest.raises(error, match=match):
        read_showers(path, **options)
    with pytest.raises(error, match=match):
        source = open_showers(path, **options)
        source.validate()
        convert_showers(source, path.with_name("out.hdf5"), format="sparse")
    assert not path.with_name("out.hdf5").exists()


def test_wrong_number_of_voxels_names_the_geometry_that_fits(challenge_file):
    path = challenge_file(np.ones((3, 368)), np.full(3, 1000.0))
    refused(path, ShapeError, r"calochallenge-1-photons", geometry="calochallenge-2")


def test_no_geometry_fits(challenge_file):
    path = challenge_file(np.ones((3, 367)), np.full(3, 1000.0))
    refused(path, FileFormatError, r"367 voxels.*calochallenge-2 \(6480\)")


def test_unknown_geometry_name_of_the_user(challenge_file):
    path = challenge_file(np.ones((3, 368)), np.full(3, 1000.0))
    refused(path, UnknownNameError, "Did you mean `calochallenge-2`", geometry="calochalenge-2")


@pytest.mark.parametrize("attribute", ["nobody-knows", "{not json", '{"name": 1}', "{" * 10_000])
def test_nonsense_in_the_geometry_attribute(challenge_file, attribute):
    path = challenge_file(np.ones((3, 368)), np.full(3, 1000.0))
    with h5py.File(path, "a") as file:
        file.attrs["geometry"] = attribute
    refused(path, FileFormatError, "geometry")


def test_a_stated_geometry_that_is_too_large_is_not_built(challenge_file):
    path = challenge_file(np.ones((3, 368)), np.full(3, 1000.0))
    huge = {
        "name": "huge",
        "particle": "x",
        "pdg": 0,
        "threshold_mev": 0,
        "layers": [{"id": 0, "r_edges_mm": [0, 1], "n_alpha": 10**12}],
    }
    with h5py.File(path, "a") as file:
        file.attrs["geometry"] = json.dumps(huge)
    refused(path, ShapeError, "huge")


@pytest.mark.parametrize("depths", [[1.0], ["a"] * 5, [5.0, 4.0, 3.0, 2.0, 1.0]])
def test_nonsense_in_the_depths(challenge_file, depths):
    path = challenge_file(np.ones((3, 368)), np.full(3, 1000.0))
    with h5py.File(path, "a") as file:
        file.attrs["layer_z_min_mm"] = [5.0, 4.0, 3.0, 2.0, 1.0]
        file.attrs["layer_z_max_mm"] = depths
    refused(path, FileFormatError, "layer")


@pytest.mark.parametrize("missing", ["showers", "incident_energies"])
def test_missing_keys_are_named(challenge_file, missing):
    path = challenge_file(np.ones((3, 368)), np.full(3, 1000.0))
    with h5py.File(path, "a") as file:
        file.move(missing, "other")
    refused(path, FileFormatError, f"`{missing}`.*missing.*other")


def test_a_group_where_a_dataset_is_expected(challenge_file):
    path = challenge_file(np.ones((3, 368)), np.full(3, 1000.0))
    with h5py.File(path, "a") as file:
        del file["showers"]
        file.create_group("showers")
    refused(path, FileFormatError, "no dataset `showers`")


def test_more_energies_than_showers(challenge_file):
    refused(challenge_file(np.ones((3, 368)), np.ones((4, 1))), ShapeError, "4 entries for 3")


def test_wrong_shape_of_energies(challenge_file):
    path = challenge_file(np.ones((3, 368)), np.ones((3, 2)))
    refused(path, FileFormatError, r"shape \(3, 2\)")


@pytest.mark.parametrize("shape", [(3,), (3, 4, 5)])
def test_wrong_shape_of_showers(challenge_file, shape):
    path = challenge_file(np.ones(shape), np.ones(3))
    refused(path, FileFormatError, "expected")


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("format", FORMATS)
def test_numbers_that_are_not_finite(tmp_path, toy, bad, format):
    toy = ToyShowers(toy_grid()).log_uniform(57, seed=3) if format == "cells" else toy
    energies = toy.energies.copy()
    energies[41, 7] = bad
    write_showers(tmp_path / "a.hdf5", replace(toy, energies=energies), format=format)
    refused(tmp_path / "a.hdf5", FileFormatError, "shower 41 has voxels that are not finite")


@pytest.mark.parametrize("bad", [np.nan, np.inf, 0.0, -5.0])
def test_incident_energies_that_are_none(challenge_file, photons, bad):
    energies = photons.incident_energy.copy()
    energies[2] = bad
    path = challenge_file(photons.energies, energies)
    refused(path, FileFormatError, "shower 2 .*incident energy")


def test_conditions_and_weights_must_be_numbers_too(challenge_file, photons):
    column = np.zeros(20)
    column[4] = np.nan
    refused(
        challenge_file(photons.energies, photons.incident_energy, theta=column),
        FileFormatError,
        "shower 4 .*theta",
    )
    refused(
        challenge_file(photons.energies, photons.incident_energy, weights=column),
        FileFormatError,
        "shower 4 .*weight",
    )


def test_negative_energies_beyond_rounding(challenge_file, photons):
    energies = photons.energies.copy()
    energies[9, 5] = -0.5
    path = challenge_file(energies, photons.incident_energy)
    refused(path, FileFormatError, "shower 9 has the value -0.5: negative voxel beyond rounding")


def test_negative_energies_within_rounding_are_counted_or_strictly_refused(challenge_file, photons):
    energies = photons.energies.copy()
    energies[9, :3] = -1e-4
    path = challenge_file(energies, photons.incident_energy)
    with pytest.warns(UserWarning, match="3 voxels"):
        found = open_showers(path).validate()
    assert found.negative == 3
    assert any("3 voxels" in text for text in found.warnings)
    with pytest.raises(FileFormatError, match="training takes none"):
        open_showers(path).validate(strict=True)
    with pytest.raises(FileFormatError, match="training takes none"):
        read_showers(path, strict=True)


def test_rounding_grows_with_the_incident_energy(challenge_file, photons):
    energies, incident = photons.energies.copy() * 1e3, photons.incident_energy * 1e3
    energies[0, 0] = -5e-7 * incident[0]
    path = challenge_file(energies, incident)
    with pytest.warns(UserWarning, match="1 voxels"):
        assert open_showers(path).validate().negative == 1


def test_no_showers(challenge_file):
    path = challenge_file(np.zeros((0, 368)), np.zeros((0, 1)))
    refused(path, FileFormatError, "has no showers")


def test_all_showers_empty(challenge_file):
    path = challenge_file(np.zeros((4, 368)), np.full(4, 1e4))
    refused(path, FileFormatError, "all 4 showers are empty")


def test_showers_in_gev(challenge_file, photons):
    path = challenge_file(photons.energies / 1000, photons.incident_energy)
    refused(path, UnitError, "the showers look as if they were in GeV")


def test_incident_energies_in_gev(challenge_file, photons):
    path = challenge_file(photons.energies, photons.incident_energy / 1000)
    refused(path, UnitError, "the incident energies look as if they were in GeV")


def test_both_in_gev(challenge_file, photons):
    path = challenge_file(photons.energies / 1000, photons.incident_energy / 1000)
    refused(path, UnitError, "most of them below all of.*GeV")
    assert open_showers(path).validate(trust_units=True).warnings


def test_the_whole_range_of_data_set_1_in_gev(challenge_file):
    """15 discrete energies from 0.256 to 4194 GeV, so that some lie above 256."""
    energies = np.tile(2.0 ** np.arange(8, 23), 4)
    photons = ToyShowers(geometry("calochallenge-1-photons"), concentration=100.0).sample(
        energies, seed=1
    )
    good = challenge_file(photons.energies, energies, "good.hdf5")
    assert open_showers(good).validate().warnings == ()
    path = challenge_file(photons.energies / 1000, energies / 1000)
    refused(path, UnitError, "most of them below all of calochallenge-1-photons.*GeV")


def test_deposited_energies_are_no_unit_error(tmp_path):
    toy = ToyShowers(toy_geometry(), fractions=(0.011, 0.011, 0.011)).log_uniform(50, seed=1)
    write_showers(tmp_path / "a.hdf5", toy)
    found = open_showers(tmp_path / "a.hdf5").validate()
    assert any("sampling fraction" in text for text in found.warnings)


def test_truncated_file(tmp_path):
    path = tmp_path / "a.hdf5"
    write_showers(path, ring_showers(events=200))
    path.write_bytes(path.read_bytes()[:-2000])
    refused(path, FileFormatError, "truncated")


def test_damaged_chunk(tmp_path):
    path = tmp_path / "a.hdf5"
    write_showers(path, ring_showers(events=200))
    with h5py.File(path) as file:
        info = file["showers"].id.get_chunk_info(0)
    content = bytearray(path.read_bytes())
    content[info.byte_offset + 50 : info.byte_offset + 5000] = bytes(4950)
    path.write_bytes(content)
    refused(path, FileFormatError, "damaged")


@pytest.mark.parametrize("content", [b"", b"not HDF5 at all", b"PK\x03\x04" * 200])
def test_not_hdf5(tmp_path, content):
    (tmp_path / "a.hdf5").write_bytes(content)
    refused(
        tmp_path / "a.hdf5", FileFormatError, "expected an HDF5, ROOT or Parquet file|truncated"
    )


def test_no_such_file_and_a_folder(tmp_path):
    refused(tmp_path / "nothing.hdf5", FileFormatError, "no such file")
    refused(tmp_path, FileFormatError, "folder")


@pytest.mark.parametrize("name", ["showers", "unrelated"])
@pytest.mark.parametrize("link", [h5py.ExternalLink("other.hdf5", "/showers"), h5py.SoftLink("/a")])
def test_links_are_refused_wherever_they_are(challenge_file, name, link):
    path = challenge_file(np.ones((3, 368)), np.full(3, 1000.0))
    other = challenge_file(np.ones((3, 368)), np.full(3, 1000.0), "other.hdf5")
    with h5py.File(path, "a") as file:
        if name in file:
            del file[name]
        file[name] = link
    refused(path, FileFormatError, "link")
    assert other.exists()


def test_links_in_groups_are_refused_and_cycles_end(challenge_file):
    path = challenge_file(np.ones((3, 368)), np.full(3, 1000.0))
    with h5py.File(path, "a") as file:
        group = file.create_group("deep")
        group["again"] = file["/deep"]
    open_showers(path)
    with h5py.File(path, "a") as file:
        file["deep/out"] = h5py.ExternalLink("/etc/passwd", "/x")
    refused(path, FileFormatError, "external link")


def test_virtual_and_external_storage(tmp_path, challenge_file):
    challenge_file(np.ones((3, 368)), np.full(3, 1000.0), "source.hdf5")
    layout = h5py.VirtualLayout(shape=(3, 368), dtype="f8")
    layout[:] = h5py.VirtualSource(tmp_path / "source.hdf5", "showers", shape=(3, 368))
    with h5py.File(tmp_path / "virtual.hdf5", "w") as file:
        file.create_virtual_dataset("showers", layout)
        file["incident_energies"] = np.full(3, 1000.0)
    refused(tmp_path / "virtual.hdf5", FileFormatError, "other files")
    (tmp_path / "raw.bin").write_bytes(bytes(3 * 368 * 8))
    with h5py.File(tmp_path / "external.hdf5", "w") as file:
        file.create_dataset(
            "showers", shape=(3, 368), dtype="f8", external=[(tmp_path / "raw.bin", 0, 3 * 368 * 8)]
        )
        file["incident_energies"] = np.full(3, 1000.0)
    refused(tmp_path / "external.hdf5", FileFormatError, "other files")


def test_objects_instead_of_numbers(tmp_path):
    with h5py.File(tmp_path / "a.hdf5", "w") as file:
        file["incident_energies"] = np.ones(3)
        file.create_dataset("showers", (3,), dtype=h5py.vlen_dtype(np.float64))
    refused(tmp_path / "a.hdf5", FileFormatError, "dtype")
    with h5py.File(tmp_path / "b.hdf5", "w") as file:
        file["incident_energies"] = np.ones(3)
        file["showers"] = np.ones((3, 368), int)
    refused(tmp_path / "b.hdf5", FileFormatError, "floating point")


def bomb(path, events, chunk, fill):
    """Declare ``events`` showers and store next to nothing."""
    with h5py.File(path, "w") as file:
        file.create_dataset(
            "showers", (events, 368), "f4", chunks=(chunk, 368), compression="gzip", fillvalue=1.0
        )
        if fill:
            file["showers"][:] = 0
        file.create_dataset("incident_energies", (events, 1), "f4", compression="gzip")


@pytest.mark.parametrize(("events", "fill"), [(10**12, False), (20_000, True)])
def test_compression_bomb(tmp_path, monkeypatch, events, fill):
    monkeypatch.setattr(guard, "HARMLESS_BYTES", 20_000_000)
    bomb(tmp_path / "a.hdf5", events, 1000, fill)
    assert (tmp_path / "a.hdf5").stat().st_size < 1_000_000
    refused(tmp_path / "a.hdf5", FileFormatError, "compression bomb")


def test_compressed_twice(tmp_path):
    space = h5py.h5s.create_simple((3, 368))
    settings = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    settings.set_chunk((3, 368))
    settings.set_deflate(9)
    settings.set_deflate(9)
    with h5py.File(tmp_path / "a.hdf5", "w") as file:
        h5py.h5d.create(file.id, b"showers", h5py.h5t.IEEE_F32LE, space, settings)
        file["incident_energies"] = np.full(3, 1000.0)
    refused(tmp_path / "a.hdf5", FileFormatError, "several times over")


def test_a_text_beside_the_showers_is_harmless(challenge_file, photons):
    path = challenge_file(photons.energies, photons.incident_energy, comment="from a friend")
    assert open_showers(path).validate().events == 20


def test_giant_chunk(tmp_path, monkeypatch):
    monkeypatch.setattr(guard, "MAX_CHUNK_BYTES", 100_000)
    bomb(tmp_path / "a.hdf5", 500, 500, fill=True)
    refused(tmp_path / "a.hdf5", FileFormatError, "chunks of")


def test_sparse_data_set_3_is_no_bomb(tmp_path, monkeypatch):
    """The sparsest real showers, 1 GeV in 40,500 voxels: about 400 filled."""
    monkeypatch.setattr(guard, "HARMLESS_BYTES", 0)
    where = geometry("calochallenge-3")
    rng = np.random.default_rng(1)
    energies = np.zeros((60, where.voxels), np.float64)
    np.put_along_axis(
        energies, rng.integers(0, where.voxels, (60, 400)), rng.exponential(2.5, (60, 400)), 1
    )
    path = tmp_path / "a.hdf5"
    with h5py.File(path, "w") as file:
        file.create_dataset("showers", data=energies, compression="gzip")
        file["incident_energies"] = np.full(60, 1500.0)
    assert open_showers(path).validate().events == 60


@pytest.mark.parametrize("what", ["offsets", "index", "order", "long", "voxels", "huge"])
def test_damaged_sparse_files(tmp_path, toy, what):
    path = tmp_path / "a.hdf5"
    write_showers(path, toy, format="sparse")
    with h5py.File(path, "a") as file:
        if what == "offsets":
            file["event_offsets"][3] = 10**9
        elif what == "index":
            file["voxel_index"][5] = 60_000
        elif what == "order":
            file["voxel_index"][5] = file["voxel_index"][4]
        elif what == "long":
            file["voxel_index"].resize(10, axis=0)
        elif what == "huge":
            file.attrs["voxels"] = 10**15
        else:
            file.attrs["voxels"] = "many"
    refused(path, FileFormatError, "event_offsets|voxel_index|voxels")


def test_unknown_format(challenge_file):
    path = challenge_file(np.ones((3, 368)), np.full(3, 1000.0))
    with pytest.raises(UnknownNameError, match="Did you mean `lemurs`"):
        open_showers(path, format="lemur")


def test_lemurs_in_an_irregular_geometry(tmp_path, photons):
    with pytest.raises(ShapeError, match="irregular"):
        write_showers(tmp_path / "a.hdf5", photons, format="lemurs")
    assert list(tmp_path.iterdir()) == []


def test_lemurs_with_swapped_axes(tmp_path):
    with h5py.File(tmp_path / "a.hdf5", "w") as file:
        file["showers"] = np.ones((2, 45, 16, 9))
        file["incident_energy"] = np.full(2, 7000.0)
    refused(tmp_path / "a.hdf5", ShapeError, r"\(R, PHI, Z\) = \(45, 16, 9\)")


def test_a_name_that_is_no_text_stays_on_one_line(tmp_path):
    with h5py.File(tmp_path / "a.hdf5", "w") as file:
        file["evil\n\x1b[31mname"] = np.ones(3)
    refused(tmp_path / "a.hdf5", FileFormatError, "evil\\?")
