"""A run without Geant4: showers are invented, everything around them is real."""

from __future__ import annotations

import errno
import json
import os
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import h5py
import numpy as np
import pytest
from small_calorimeter import Inline, invented_showers, small_setup

from simulacra.data import geometry, open_showers, read_showers
from simulacra.errors import (
    ConfigError,
    DependencyError,
    FileFormatError,
    OutputError,
    RangeError,
    ShapeError,
    SimulationError,
)
from simulacra.execute import Shard
from simulacra.simulate import (
    Setup,
    Tables,
    preset,
    run,
    simulate_to_file,
)
from simulacra.tasks.calorimeter import merge_showers


@pytest.fixture(autouse=True)
def _no_geant4(monkeypatch):
    tables = Tables("official", (("G4LEDATA", "nowhere"),), "official: G4EMLOW8.8")
    monkeypatch.setattr(run, "_engine_version", lambda: "calzone 0")
    monkeypatch.setattr(run, "find_tables", lambda _: tables)
    monkeypatch.setattr(run, "simulate_piece", invented_showers)
    monkeypatch.setattr(run, "measure_sampling_fraction", lambda *_: 0.125)
    monkeypatch.setattr("simulacra.simulate.pieces._LEAST_EVENTS", 7)


def _simulate(path, events=40, setup=None, **more):
    return simulate_to_file(
        setup or small_setup(), path, events, **{"seed": 1, "executor": Inline(), **more}
    )


def test_a_file_can_be_read_as_any_other(tmp_path):
    result = _simulate(tmp_path / "a.hdf5")
    showers = read_showers(tmp_path / "a.hdf5", strict=True)
    assert (result.events, result.made, len(showers)) == (40, 40, 40)
    assert showers.geometry.shape == (3, 4, 3)
    assert showers.provenance["sampling_fraction"] == 0.2
    assert showers.provenance["simulation"].startswith("Geant4 0 through calzone 0, standard")
    assert Setup.from_dict(json.loads(showers.provenance["setup"])) == small_setup()
    assert showers.provenance["full_simulation_ms_per_shower"] > 0
    assert list(tmp_path.iterdir()) == [tmp_path / "a.hdf5"]


def test_shards_merge_to_the_whole(tmp_path):
    _simulate(tmp_path / "whole.hdf5")
    parts = [tmp_path / f"part-{i}.hdf5" for i in range(3)]
    for i, part in enumerate(parts):
        _simulate(part, shard=Shard(i, 3))
    merge_showers(tmp_path / "merged.hdf5", parts[::-1])
    whole, merged = (read_showers(tmp_path / f"{n}.hdf5") for n in ("whole", "merged"))
    assert np.array_equal(whole.energies, merged.energies)
    assert np.array_equal(whole.incident_energy, merged.incident_energy)
    assert open_showers(tmp_path / "merged.hdf5").provenance["shard"] == "0/1"


def test_shards_of_different_runs_do_not_merge(tmp_path):
    _simulate(tmp_path / "0.hdf5", shard=Shard(0, 2))
    _simulate(tmp_path / "1.hdf5", shard=Shard(1, 2), seed=2)
    with pytest.raises(FileFormatError, match="different runs"):
        merge_showers(tmp_path / "out.hdf5", [tmp_path / "0.hdf5", tmp_path / "1.hdf5"])


def test_an_interrupted_run_goes_on(tmp_path, monkeypatch):
    _simulate(tmp_path / "whole.hdf5")

    def stops(work):
        if work.first == 21:
            raise SimulationError("Geant4 gave up: a test")
        return invented_showers(work)

    monkeypatch.setattr(run, "simulate_piece", stops)
    with pytest.raises(SimulationError, match="gave up"):
        _simulate(tmp_path / "a.hdf5")
    assert not (tmp_path / "a.hdf5").exists()
    assert len(list((tmp_path / "a.hdf5.pieces").glob("*.npz"))) == 3
    monkeypatch.setattr(run, "simulate_piece", invented_showers)
    again = Inline()
    result = _simulate(tmp_path / "a.hdf5", executor=again)
    assert (again.calls, result.made) == (3, 19)
    whole, resumed = (read_showers(tmp_path / f"{n}.hdf5") for n in ("whole", "a"))
    assert np.array_equal(whole.energies, resumed.energies)


def test_a_full_disk_keeps_what_is_finished(tmp_path, monkeypatch):
    write, calls = Path.write_bytes, []

    def full(path, content):
        calls.append(1)
        if len(calls) > 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(path, content)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        with pytest.raises(OutputError, match="the disk is full"):
            _simulate(tmp_path / "a.hdf5")
    result = _simulate(tmp_path / "a.hdf5")
    assert result.made == 40 - 2 * 7


def test_a_finished_file_is_left_as_it_is(tmp_path):
    _simulate(tmp_path / "a.hdf5")
    before = (tmp_path / "a.hdf5").read_bytes()
    idle = Inline()
    result = _simulate(tmp_path / "a.hdf5", executor=idle)
    assert (idle.calls, result.made, result.events) == (0, 0, 40)
    assert (tmp_path / "a.hdf5").read_bytes() == before


@pytest.mark.parametrize("change", [{"seed": 2}, {"events": 41}, {"shard": Shard(0, 2)}])
def test_another_set_is_not_replaced(tmp_path, change):
    _simulate(tmp_path / "a.hdf5")
    with pytest.raises(OutputError, match="holds something else"):
        _simulate(tmp_path / "a.hdf5", **change)


def test_a_foreign_file_is_not_replaced(tmp_path):
    (tmp_path / "a.hdf5").write_text("a thesis")
    with pytest.raises(OutputError, match="holds something else"):
        _simulate(tmp_path / "a.hdf5")
    assert (tmp_path / "a.hdf5").read_text() == "a thesis"


def test_a_sampling_fraction_is_measured_once_and_stored(tmp_path):
    setup = small_setup(sampling_fraction="measured")
    pool = Inline()
    result = _simulate(tmp_path / "a.hdf5", setup=setup, executor=pool)
    assert result.sampling_fraction == 0.125
    assert pool.calls == 1 + 6
    assert open_showers(tmp_path / "a.hdf5").provenance["sampling_fraction"] == 0.125
    whole = _simulate(tmp_path / "all.hdf5", setup=small_setup(deposits="all"))
    assert whole.sampling_fraction == 1.0


def test_varying_conditions_are_columns(tmp_path):
    setup = small_setup()
    beam = {**setup.beam.to_dict(), "particles": ["e-", "e+"], "theta": [0.0, 0.2], "x": [0.0, 1.0]}
    _simulate(tmp_path / "a.hdf5", setup=setup.updated(beam=beam))
    showers = read_showers(tmp_path / "a.hdf5")
    assert set(showers.conditions) == {"pdg", "theta", "phi", "x"}
    assert set(showers.conditions["pdg"].tolist()) == {11, -11}


def test_grids_are_written_layer_by_layer(tmp_path):
    _simulate(tmp_path / "calogan.hdf5", setup=preset("calogan"))
    _simulate(tmp_path / "ams.hdf5", setup=preset("ams02-ecal"))
    with h5py.File(tmp_path / "calogan.hdf5") as file:
        shapes = [file[f"layer_{i}"].shape for i in range(3)]
        assert shapes == [(40, 3, 96), (40, 12, 12), (40, 12, 6)]
        assert file["incident_energies"].shape == (40, 1)
        assert {"pdg", "theta", "phi", "x", "y"} <= set(file)
        first = file["layer_0"][0].ravel()
        assert np.allclose(np.diff(first), np.diff(first)[0], rtol=1e-3)  # the invented order
    with h5py.File(tmp_path / "ams.hdf5") as file:
        assert file["showers"].shape == (40, 18, 72)


@pytest.mark.parametrize(
    ("name", "cells", "threshold"),
    [("calogan", "calogan", 0.01), ("ams02-ecal", "ecal-18x72", 1.0)],
)
def test_grids_are_read_with_their_cells_and_depths(tmp_path, name, cells, threshold):
    setup = preset(name)
    _simulate(tmp_path / "cells.hdf5", setup=setup)
    found = open_showers(tmp_path / "cells.hdf5")
    assert found.geometry.digest == geometry(cells).digest
    assert found.geometry.threshold == threshold
    depths = [layer.z_max for layer in found.geometry.layers]
    assert depths == pytest.approx(setup.calorimeter.layer_edges[1:])
    assert len(found.read()) == 40


def test_shards_of_grids_merge_to_the_whole(tmp_path):
    setup = preset("calogan")
    _simulate(tmp_path / "whole.hdf5", setup=setup)
    parts = [tmp_path / f"part-{i}.hdf5" for i in range(3)]
    for i, part in enumerate(parts):
        _simulate(part, setup=setup, shard=Shard(i, 3))
    assert merge_showers(tmp_path / "merged.hdf5", [parts[2], parts[0], parts[1]]) == 40
    with h5py.File(tmp_path / "whole.hdf5") as whole, h5py.File(tmp_path / "merged.hdf5") as merged:
        assert set(whole) == set(merged)
        assert all(np.array_equal(whole[name], merged[name]) for name in whole)
        assert merged.attrs["shard"] == "0/1"


def test_shards_of_grids_that_do_not_fit_are_refused(tmp_path):
    setup = preset("calogan")
    for i in range(3):
        _simulate(tmp_path / f"{i}.hdf5", setup=setup, shard=Shard(i, 3))
    _simulate(tmp_path / "other.hdf5", setup=setup, shard=Shard(1, 3), seed=2)
    _simulate(tmp_path / "rings.hdf5")
    first, second, third = (tmp_path / f"{i}.hdf5" for i in range(3))
    for parts, told in (
        ([first, tmp_path / "other.hdf5", third], "different runs"),
        ([first, third], "leave a gap"),
        ([first, second], "a shard is missing"),
        ([first, first, second, third], "overlap"),
        ([first, tmp_path / "rings.hdf5"], "one detector"),
    ):
        with pytest.raises((FileFormatError, ShapeError), match=told):
            merge_showers(tmp_path / "out.hdf5", parts)
    assert not (tmp_path / "out.hdf5").exists()


def test_hadrons_with_rendered_tables_are_called_approximate(tmp_path, monkeypatch):
    tables = Tables("rendered", (("G4LEDATA", "nowhere"),), "rendered")
    monkeypatch.setattr(run, "find_tables", lambda _: tables)
    result = _simulate(tmp_path / "a.hdf5", setup=preset("fe-hadron"))
    assert result.caveat.startswith("approximate")
    assert open_showers(tmp_path / "a.hdf5").provenance["hadronic_physics"] == result.caveat
    assert _simulate(tmp_path / "b.hdf5").caveat == ""


def test_progress_is_told(tmp_path):
    told = []
    _simulate(tmp_path / "a.hdf5", progress=lambda done, total: told.append((done, total)))
    assert told[0] == (0, 40)
    assert told[-1] == (40, 40)
    assert len(told) == 7


def test_a_lost_worker_is_one_sentence(tmp_path, monkeypatch):
    def lost(work):
        log = tmp_path / "a.hdf5.pieces" / "worker-1.log"
        log.write_text(
            "G4Thing::Read(em0003): Data file <br82> is not opened!\n\n*** Aborting ***\n"
        )
        raise BrokenProcessPool("a test")

    monkeypatch.setattr(run, "simulate_piece", lost)
    with pytest.raises(SimulationError, match=r"it said: G4Thing.*br82.*pieces are kept"):
        _simulate(tmp_path / "a.hdf5")


@pytest.mark.parametrize(
    ("change", "error", "told"),
    [
        ({"events": 0}, RangeError, "expected 1 to 1e.09 showers"),
        ({"events": 10**9}, RangeError, "take more shards"),
        ({"workers": 0}, RangeError, "at least 1"),
        ({"seed": -1}, RangeError, "seed"),
        ({"events": 2, "shard": Shard(0, 3)}, RangeError, "take fewer shards"),
    ],
)
def test_absurd_numbers_are_refused(tmp_path, change, error, told):
    with pytest.raises(error, match=told):
        _simulate(tmp_path / "a.hdf5", **change)
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_failed_at_once_is_not_in_the_way_of_the_next(tmp_path, monkeypatch):
    def unknown(work):
        raise ConfigError("there is no such material")

    with monkeypatch.context() as patch:
        patch.setattr(run, "simulate_piece", unknown)
        with pytest.raises(ConfigError):
            _simulate(tmp_path / "a.hdf5")
    assert list(tmp_path.iterdir()) == []
    assert _simulate(tmp_path / "a.hdf5", setup=small_setup(deposits="all")).made == 40


def test_threads_are_refused(tmp_path):
    with ThreadPoolExecutor(1) as threads, pytest.raises(ConfigError, match="found threads"):
        _simulate(tmp_path / "a.hdf5", executor=threads)


def test_missing_geant4_is_one_sentence(tmp_path, monkeypatch):
    from importlib import metadata

    def missing(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.undo()
    monkeypatch.setattr(metadata, "version", missing)
    with pytest.raises(DependencyError, match=r"pip install 'simulacra\[geant4\]'"):
        _simulate(tmp_path / "a.hdf5")
