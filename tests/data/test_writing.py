from __future__ import annotations

import os
import subprocess
import sys
import zlib
from dataclasses import replace

import h5py
import numpy as np
import pytest

from simulacra.data import ToyShowers, chunks, open_showers, toy_geometry, write_showers
from simulacra.data.formats import dense
from simulacra.errors import OutputError, RangeError, ShapeError, UnknownNameError


@pytest.mark.parametrize("allowed", [0, 1, 3, 6, 12])
@pytest.mark.parametrize("format", ["calochallenge", "sparse"])
def test_a_full_disk_leaves_nothing(tmp_path, toy, full_disk, allowed, format):
    """The disk fills up after any number of writes, also late, while the file is closed."""
    calls = full_disk(allowed)
    with pytest.raises(OutputError, match="the disk is full; nothing was left"):
        write_showers(tmp_path / "a.hdf5", toy, format=format)
    assert len(calls) > allowed
    assert list(tmp_path.iterdir()) == []


LIMITED = """
import resource, signal, sys
import numpy as np
from simulacra.data import ToyShowers, toy_geometry, write_showers
from simulacra.errors import OutputError
showers = ToyShowers(toy_geometry(5, 8, 9)).log_uniform(3000, seed=1)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
try:
    write_showers(sys.argv[1], (showers.select(slice(i, i + 100)) for i in range(0, 3000, 100)))
except OutputError as error:
    sys.exit(str(error))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there are no file size limits to set")
def test_the_operating_system_refuses_in_the_middle(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path / "a.hdf5")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert "cannot be written" in done.stderr
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX permissions")
def test_a_folder_that_cannot_be_written(tmp_path, toy):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(OutputError, match=r"nothing was left"):
        write_showers(tmp_path / "file" / "a.hdf5", toy)
    assert (tmp_path / "file").read_text() == "not a folder"


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere"
)
def test_a_folder_without_permission(tmp_path, toy):
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(OutputError, match="may write"):
            write_showers(tmp_path / "a.hdf5", toy)
    finally:
        tmp_path.chmod(0o700)


def test_nothing_to_write(tmp_path, toy):
    for nothing in ([], [toy.select(slice(0, 0))], toy.select(slice(0, 0))):
        with pytest.raises(RangeError, match="no showers to write"):
            write_showers(tmp_path / "a.hdf5", nothing)
    assert list(tmp_path.iterdir()) == []


def test_parts_must_be_alike(tmp_path, toy):
    other = ToyShowers(toy_geometry(2)).log_uniform(3, seed=1)
    with pytest.raises(ShapeError, match="one geometry"):
        write_showers(tmp_path / "a.hdf5", [toy, other])
    weighted = replace(toy, weight=np.ones(len(toy)))
    with pytest.raises(ShapeError, match="weights"):
        write_showers(tmp_path / "a.hdf5", [toy, weighted])
    turned = replace(toy, conditions={"theta": np.ones(len(toy))})
    with pytest.raises(ShapeError, match="theta"):
        write_showers(tmp_path / "a.hdf5", [toy, turned])
    assert list(tmp_path.iterdir()) == []


def test_unknown_format(tmp_path, toy):
    with pytest.raises(UnknownNameError, match="sparse"):
        write_showers(tmp_path / "a.hdf5", toy, format="spars")


def test_attributes_that_do_not_fit(tmp_path, toy):
    with pytest.raises(RangeError, match="arrays"):
        write_showers(tmp_path / "a.hdf5", toy, attributes={"keys": toy.event_keys().repeat(500)})
    assert list(tmp_path.iterdir()) == []


def test_attributes_cannot_lie_about_units_and_geometry(tmp_path, toy):
    write_showers(tmp_path / "a.hdf5", toy, attributes={"units": "GeV", "geometry": "other"})
    found = open_showers(tmp_path / "a.hdf5")
    assert found.provenance["units"] == "MeV, mm, rad"
    assert found.geometry == toy.geometry


def test_parts_are_taken_one_by_one(tmp_path, toy):
    """The writer holds at most two parts: older ones are freed while it goes on."""
    import gc
    import weakref

    alive: list[weakref.ref] = []

    def parts():
        for seed in range(8):
            part = ToyShowers(toy_geometry(9, 10, 10)).log_uniform(200, seed=seed)
            alive.append(weakref.ref(part))
            yield part
            del part
            gc.collect()
            assert sum(ref() is not None for ref in alive) <= 4

    assert write_showers(tmp_path / "a.hdf5", parts()) == 8 * 200


def test_well_filled_showers_are_shuffled_and_sparse_ones_not(tmp_path, toy):
    write_showers(tmp_path / "full.hdf5", toy)
    write_showers(
        tmp_path / "thin.hdf5",
        replace(toy, energies=np.where(toy.energies > toy.energies.mean() * 4, toy.energies, 0)),
    )
    with h5py.File(tmp_path / "full.hdf5") as full, h5py.File(tmp_path / "thin.hdf5") as thin:
        assert (full["showers"].shuffle, thin["showers"].shuffle) == (True, False)


@pytest.mark.parametrize("format", ["calochallenge", "sparse"])
@pytest.mark.parametrize("thin", [False, True])
def test_packed_beside_or_by_the_library_the_numbers_are_the_same(
    tmp_path, toy, monkeypatch, format, thin
):
    monkeypatch.setattr(dense, "CHUNK_BYTES", 8 * 4 * toy.energies.shape[1])  # chunks of 4 or 8
    if thin:
        toy = replace(toy, energies=np.where(toy.energies > 4 * toy.energies.mean(), 1.5, 0))
    parts = [toy.select(slice(i, i + 7)) for i in range(0, len(toy), 7)]
    for name in ("a", "b"):
        write_showers(tmp_path / f"{name}.hdf5", parts, format=format)
    written = (tmp_path / "a.hdf5").read_bytes()
    assert written == (tmp_path / "b.hdf5").read_bytes()
    np.testing.assert_array_equal(open_showers(tmp_path / "a.hdf5").read().energies, toy.energies)
    monkeypatch.setattr(chunks, "_packable", lambda _: False)
    write_showers(tmp_path / "c.hdf5", parts, format=format)
    with h5py.File(tmp_path / "a.hdf5") as own, h5py.File(tmp_path / "c.hdf5") as library:
        for key, dataset in library.items():
            np.testing.assert_array_equal(own[key], dataset)
            assert own[key].compression == dataset.compression
        if format == "calochallenge":
            assert own["showers"].id.get_num_chunks() > 3
            for i in range(own["showers"].id.get_num_chunks()):
                place = own["showers"].id.get_chunk_info(i).chunk_offset
                ours, theirs = (f["showers"].id.read_direct_chunk(place)[1] for f in (own, library))
                assert zlib.decompress(ours) == zlib.decompress(theirs)


@pytest.mark.parametrize("rounded", [False, True])
def test_our_packing_is_smaller_than_the_librarys(tmp_path, monkeypatch, rounded):
    """Of energies only zeros come again: what a longer search finds by chance costs space."""
    showers = ToyShowers(toy_geometry(9, 10, 10)).log_uniform(2000, seed=3)
    if rounded:
        bits = showers.energies.astype(np.float32).view(np.uint32) & np.uint32(0xFFFFFC00)
        showers = replace(showers, energies=bits.view(np.float32))
    write_showers(tmp_path / "own.hdf5", showers)
    monkeypatch.setattr(chunks, "_packable", lambda _: False)
    write_showers(tmp_path / "library.hdf5", showers)
    own, library = ((tmp_path / f"{name}.hdf5").stat().st_size for name in ("own", "library"))
    assert own < library
    np.testing.assert_array_equal(
        open_showers(tmp_path / "own.hdf5").read().energies, showers.energies
    )
