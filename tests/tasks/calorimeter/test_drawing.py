"""Showers to disk: shards, merging, spectra, and nothing half-written."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from simulacra.data import open_showers, read_showers, write_showers
from simulacra.errors import FileFormatError, OutputError, OverlapError, RangeError
from simulacra.evaluation import evaluate
from simulacra.execute import Shard
from simulacra.tasks.calorimeter import merge_showers, sample_to_file, spectrum
from simulacra.tasks.calorimeter.drawing import particles_like

EVENTS = 100


@pytest.fixture(scope="module")
def particles(tiny):
    low, high = tiny.manifest["validity"]["ranges"]["incident_energy"]
    return spectrum(low, high, EVENTS, seed=9)


def _whole(tiny, particles, path, **settings):
    sample_to_file(tiny, path, particles, seed=9, **settings)
    return read_showers(path)


def test_batches_workers_and_merged_shards_give_the_same_bits(tiny, particles, tmp_path):
    whole = _whole(tiny, particles, tmp_path / "whole.hdf5")
    sevens = _whole(tiny, particles, tmp_path / "sevens.hdf5", batch_size=7)
    workers = _whole(tiny, particles, tmp_path / "workers.hdf5", workers=2)
    parts = [tmp_path / f"part-{i}.hdf5" for i in range(3)]
    for i, path in enumerate(parts):
        sample_to_file(tiny, path, particles, seed=9, shard=Shard(i, 3), batch_size=11)
    assert merge_showers(tmp_path / "merged.hdf5", parts[::-1]) == EVENTS
    merged = read_showers(tmp_path / "merged.hdf5")
    for other in (sevens, workers, merged):
        assert_array_equal(other.energies, whole.energies)
        assert_array_equal(other.incident_energy, whole.incident_energy)


def test_the_file_says_where_it_comes_from(tiny, particles, tmp_path):
    _whole(tiny, particles, tmp_path / "f.hdf5")
    with open_showers(tmp_path / "f.hdf5") as file:
        assert file.provenance["model"] == "tiny"
        assert file.provenance["model_digest"] == tiny.manifest["digest"]
        assert_array_equal(np.sort(file.array("training_keys")), np.sort(tiny.training_keys))


def test_a_reference_that_was_trained_on_is_refused_by_the_judge(
    tiny, particles, toy_showers, tmp_path
):
    _whole(tiny, particles, tmp_path / "f.hdf5")
    write_showers(tmp_path / "reference.hdf5", toy_showers.select(slice(0, EVENTS)))
    with pytest.raises(OverlapError, match="100 of 100"):
        evaluate(tmp_path / "f.hdf5", tmp_path / "reference.hdf5")


def test_particles_like_a_file(tiny, toy_showers, tmp_path):
    write_showers(tmp_path / "reference.hdf5", toy_showers.select(slice(0, 30)))
    with open_showers(tmp_path / "reference.hdf5") as file:
        like = particles_like(file, ())
        single = toy_showers.incident_energy[:30].astype(np.float32)
        assert_array_equal(like.incident_energy, single)
        with pytest.raises(FileFormatError, match="depends on theta, which the file does not have"):
            particles_like(file, ("theta",))
    drawn = _whole(tiny, like, tmp_path / "f.hdf5")
    assert_array_equal(drawn.incident_energy, like.incident_energy)


def test_an_interrupted_sampler_leaves_no_file(tiny, particles, tmp_path):
    def interrupt(done):
        if done > 40:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sample_to_file(
            tiny, tmp_path / "f.hdf5", particles, seed=9, batch_size=10, progress=interrupt
        )
    assert not (tmp_path / "f.hdf5").exists()


def test_an_unwritable_place_is_an_output_error(tiny, particles, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        sample_to_file(tiny, tmp_path / "file" / "f.hdf5", particles, seed=9)


def test_merging_refuses_what_does_not_belong_together(tiny, particles, tmp_path):
    paths = [tmp_path / f"{i}.hdf5" for i in range(3)]
    for i, path in enumerate(paths):
        sample_to_file(tiny, path, particles, seed=9, shard=Shard(i, 3))
    out = tmp_path / "out.hdf5"
    with pytest.raises(FileFormatError, match="leave a gap"):
        merge_showers(out, [paths[0], paths[2]])
    with pytest.raises(FileFormatError, match="a shard is missing"):
        merge_showers(out, paths[:2])
    with pytest.raises(FileFormatError, match="overlap"):
        merge_showers(out, [*paths, paths[1]])
    sample_to_file(tiny, tmp_path / "other.hdf5", particles, seed=10, shard=Shard(1, 3))
    with pytest.raises(FileFormatError, match="different runs"):
        merge_showers(out, [paths[0], tmp_path / "other.hdf5", paths[2]])
    with pytest.raises(RangeError, match="at least one file"):
        merge_showers(out, [])
    assert not out.exists()


def test_plain_files_are_joined_in_their_order(toy_showers, tmp_path):
    write_showers(tmp_path / "a.hdf5", toy_showers.select(slice(0, 10)))
    write_showers(tmp_path / "b.hdf5", toy_showers.select(slice(10, 30)))
    assert merge_showers(tmp_path / "c.hdf5", [tmp_path / "b.hdf5", tmp_path / "a.hdf5"]) == 30
    joined = read_showers(tmp_path / "c.hdf5")
    assert_array_equal(joined.energies[20:], toy_showers.energies[:10])


@pytest.mark.statistical
@pytest.mark.parametrize("shape", ["log", "uniform"])
def test_spectra(shape):
    """The mean of 20,000 uniform numbers within 5 sigma."""
    energy = spectrum(1000.0, 64000.0, 20_000, seed=1, shape=shape).incident_energy
    share = (energy - 1000) / 63000 if shape == "uniform" else np.log(energy / 1000) / np.log(64)
    assert abs(share.mean() - 0.5) < 5 / np.sqrt(12 * 20_000)
    assert energy.min() >= 1000
    assert energy.max() <= 64000


def test_a_spectrum_belongs_to_its_seed_and_event():
    longer, shorter = (spectrum(1.0, 10.0, n, seed=3).incident_energy for n in (50, 20))
    assert_array_equal(longer[:20], shorter)
    assert (spectrum(5.0, 5.0, 3, seed=0).incident_energy == 5).all()


@pytest.mark.parametrize(("low", "high", "events"), [(0, 1, 1), (-1, 1, 1), (2, 1, 1), (1, 2, 0)])
def test_impossible_spectra(low, high, events):
    with pytest.raises(RangeError, match="expected"):
        spectrum(low, high, events, seed=0)
