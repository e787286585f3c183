"""Sampling in pieces: nothing finished is drawn again, and nobody changes a bit."""

from __future__ import annotations

import errno
import importlib.util
import multiprocessing
import os
import pickle
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from scheduler_elsewhere import Scheduler
from tiny_surrogate import TINY

from simulacra.data import read_showers
from simulacra.errors import ConfigError, OutputError, RangeError, WorkforceError
from simulacra.execute import Shard
from simulacra.pieces import PieceFolder
from simulacra.tasks.calorimeter import Surrogate, sample_to_file, spectrum
from simulacra.tasks.calorimeter.drawing import Particles
from simulacra.tasks.calorimeter.piecework import cut, packed, unpacked

EVENTS, PIECE = 100, 16

needs_dask = pytest.mark.skipif(
    importlib.util.find_spec("distributed") is None, reason="needs Dask: the extra `cluster`"
)


@pytest.fixture(scope="module")
def particles(tiny):
    low, high = tiny.manifest["validity"]["ranges"]["incident_energy"]
    return spectrum(low, high, EVENTS, seed=9)


@pytest.fixture(scope="module")
def whole(tiny, particles, tmp_path_factory):
    path = tmp_path_factory.mktemp("whole") / "f.hdf5"
    _sample(tiny, particles, path)
    return path.read_bytes()


def _sample(tiny, particles, path, **settings):
    return sample_to_file(tiny, path, particles, seed=9, **{"batch_size": PIECE, **settings})


def _pieces(path):
    return sorted(p.name for p in path.with_name(f"{path.name}.pieces").glob("*.npz"))


def _until(events):
    def stop(done):
        if done >= events:
            raise KeyboardInterrupt

    return stop


@pytest.mark.parametrize("executor", ["threads", "processes"])
@pytest.mark.parametrize("workers", [1, 2])
def test_who_works_changes_no_bit(tiny, particles, whole, tmp_path, executor, workers):
    _sample(tiny, particles, tmp_path / "f.hdf5", executor=executor, workers=workers)
    assert (tmp_path / "f.hdf5").read_bytes() == whole
    assert list(tmp_path.iterdir()) == [tmp_path / "f.hdf5"]


def test_any_executor_will_do(tiny, particles, whole, tmp_path):
    with ThreadPoolExecutor(2) as executor:
        _sample(tiny, particles, tmp_path / "f.hdf5", executor=executor, workers=2)
    assert (tmp_path / "f.hdf5").read_bytes() == whole


def test_an_interrupted_run_goes_on(tiny, particles, whole, tmp_path):
    path = tmp_path / "f.hdf5"
    with pytest.raises(KeyboardInterrupt):
        _sample(tiny, particles, path, progress=_until(40))
    assert not path.exists()
    before = {name: _written(path, name) for name in _pieces(path)}
    assert len(before) == 3
    told = []

    def look(done):
        told.append(done)
        assert {name: _written(path, name) for name in before} == before  # not made again

    assert _sample(tiny, particles, path, progress=look, workers=2) == EVENTS
    assert told[-1] == EVENTS
    assert path.read_bytes() == whole
    assert list(tmp_path.iterdir()) == [path]


def _written(path, name):
    found = (path.with_name(f"{path.name}.pieces") / name).stat()
    return found.st_mtime_ns, found.st_ino


def test_a_piece_in_the_middle_is_made_again(tiny, particles, whole, tmp_path):
    path = tmp_path / "f.hdf5"
    with pytest.raises(KeyboardInterrupt):
        _sample(tiny, particles, path, progress=_until(90))
    for name in _pieces(path)[1:4:2]:
        (tmp_path / "f.hdf5.pieces" / name).unlink()
    _sample(tiny, particles, path)
    assert path.read_bytes() == whole


def test_a_full_disk_keeps_what_is_finished(tiny, particles, whole, tmp_path, monkeypatch):
    keep, calls = PieceFolder.keep, []

    def full(self, piece, content):
        calls.append(piece)
        if len(calls) > 3:
            monkeypatch.setattr(Path, "write_bytes", _no_space)
        keep(self, piece, content)

    with monkeypatch.context() as patch:
        patch.setattr(PieceFolder, "keep", full)
        with pytest.raises(OutputError, match="the disk is full"):
            _sample(tiny, particles, tmp_path / "f.hdf5")
    monkeypatch.undo()
    assert not (tmp_path / "f.hdf5").exists()
    assert len(_pieces(tmp_path / "f.hdf5")) == 3
    _sample(tiny, particles, tmp_path / "f.hdf5")
    assert (tmp_path / "f.hdf5").read_bytes() == whole


def _no_space(*_):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_killed_process_costs_its_own_pieces(tiny, particles, whole, tmp_path):
    killed = []

    def kill(done):
        if not killed:
            killed.append(multiprocessing.active_children()[0])
            killed[0].kill()

    path = tmp_path / "f.hdf5"
    _sample(tiny, particles, path, executor="processes", workers=2, batch_size=8, progress=kill)
    assert killed
    assert_array_equal(read_showers(path).energies, _energies(whole, tmp_path))


def _energies(content, folder):
    (folder / "whole.hdf5").write_bytes(content)
    return read_showers(folder / "whole.hdf5").energies


@needs_dask
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_killed_scheduler_leaves_what_is_finished(tiny, particles, whole, tmp_path):
    path, elsewhere = tmp_path / "f.hdf5", Scheduler()
    try:
        elsewhere.join()

        def kill(done):
            elsewhere.scheduler.kill()

        with pytest.raises(WorkforceError, match="no longer answers"):
            _sample(tiny, particles, path, executor=f"dask:{elsewhere.address}", progress=kill)
        with pytest.raises(WorkforceError, match="no scheduler answers there"):
            _sample(tiny, particles, path, executor=f"dask:{elsewhere.address}")
    finally:
        elsewhere.stop()
    assert not path.exists()
    assert 1 <= len(_pieces(path)) < 7
    _sample(tiny, particles, path)
    assert path.read_bytes() == whole


def test_a_finished_file_is_left_as_it_is_and_another_is_replaced(tiny, particles, tmp_path):
    path = tmp_path / "f.hdf5"
    _sample(tiny, particles, path, shard=Shard(0, 2))
    before = path.stat().st_mtime_ns
    assert _sample(tiny, particles, path, shard=Shard(0, 2)) == EVENTS // 2
    assert path.stat().st_mtime_ns == before
    assert _sample(tiny, particles, path, shard=Shard(1, 2)) == EVENTS // 2
    assert read_showers(path).provenance["shard"] == "1/2"


def test_pieces_of_another_run_are_refused(tiny, particles, tmp_path):
    path = tmp_path / "f.hdf5"
    with pytest.raises(KeyboardInterrupt):
        _sample(tiny, particles, path, progress=_until(40))
    for change in ({"shard": Shard(0, 2)}, {"batch_size": 8}):
        with pytest.raises(OutputError, match="pieces of another set of showers"):
            _sample(tiny, particles, path, **change)
    weighted = Particles(particles.incident_energy, {}, np.ones(EVENTS))
    with pytest.raises(OutputError, match="pieces of another set of showers"):
        _sample(tiny, weighted, path)


def test_a_model_that_was_never_saved_is_known_by_its_weights(toy_showers, particles, tmp_path):
    for number in (1, 2):
        surrogate = Surrogate(TINY).fit(toy_showers, seed=number)
        path = tmp_path / f"{number}.hdf5"
        _sample(surrogate, particles, path)
    runs = {read_showers(tmp_path / f"{n}.hdf5").provenance["run"] for n in (1, 2)}
    assert len(runs) == 2


@pytest.mark.parametrize(
    ("settings", "error", "told"),
    [
        ({"batch_size": 0}, RangeError, "batch size"),
        ({"workers": 0}, RangeError, "workers"),
        ({"shard": Shard(0, 200)}, RangeError, "take fewer shards"),
        ({"executor": "slurm"}, ConfigError, "dask:ADDRESS"),
    ],
)
def test_nonsense_is_refused_and_leaves_nothing(tiny, particles, tmp_path, settings, error, told):
    with pytest.raises(error, match=told):
        _sample(tiny, particles, tmp_path / "f.hdf5", **settings)
    assert list(tmp_path.iterdir()) == []


@given(st.integers(0, 10**6), st.integers(1, 10**5), st.integers(1, 100), st.integers(1, 5000))
def test_pieces_cover_every_event_once(first, events, tile, size):
    pieces = cut(range(first, first + events), tile, size, voxels=368)
    assert pieces[0].start == first
    assert pieces[-1].stop == first + events
    for one, next_one in pairwise(pieces):
        assert one.stop == next_one.start
        assert one.stop % tile == 0
    assert all(len(piece) >= 1 for piece in pieces)
    assert len(pieces) <= 2002 or size < events // 2000


def test_large_pieces_stay_small_in_memory():
    largest = max(map(len, cut(range(10**8), 64, 128, voxels=40500)))
    assert largest * 40500 * 4 <= 64 * 2**20 + 64 * 40500 * 4


@pytest.mark.parametrize("empty_below", [0.2, 0.7])
def test_a_packed_shower_comes_back_to_the_bit(tmp_path, empty_below):
    voxels = np.random.default_rng(1).exponential(size=(5, 7)).astype(np.float32)
    voxels[voxels < empty_below] = 0
    voxels[2] = 0
    voxels[4, 3] = -0.0
    with PieceFolder(tmp_path / "f", "run", what="set", differs="seed") as folder:
        folder.keep(range(5), packed(voxels))
        back = unpacked(folder.read(range(5)))
    assert_array_equal(back.view(np.uint32), voxels.view(np.uint32))


def test_a_model_can_be_sent(tiny):
    assert pickle.loads(pickle.dumps(tiny.model)).noise_size == tiny.model.noise_size
