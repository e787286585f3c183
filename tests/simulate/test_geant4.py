"""Geant4 itself, in processes of its own: the same bits however the work is cut."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
from small_calorimeter import small_setup

from simulacra.data import open_showers, read_showers
from simulacra.errors import ConfigError, SimulationError
from simulacra.execute import Shard
from simulacra.simulate import simulate_to_file
from simulacra.simulate.geant4 import transport_indices, volumes
from simulacra.tasks.calorimeter import merge_showers

EVENTS = 24


def _simulate(path, setup=None, **more):
    settings = {"events": EVENTS, "seed": 5, "tables": "rendered", **more}
    return simulate_to_file(setup or small_setup(), path, **settings)


@pytest.fixture(scope="module")
def whole(rendered_tables, tmp_path_factory):
    """One worker's showers."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SIMULACRA_CACHE", str(rendered_tables))
        path = tmp_path_factory.mktemp("whole") / "whole.hdf5"
        result = _simulate(path)
    return path, result


def test_showers_hold_what_geant4_deposited(whole):
    path, result = whole
    showers = read_showers(path, strict=True)
    response = showers.energies.sum() / showers.incident_energy.sum()
    assert 0.3 < response < 1.2  # 1.5 radiation lengths of lead stop a part of 100 MeV
    assert result.milliseconds_per_shower > 0
    assert 0 < result.filling_share < 0.5
    found = showers.provenance
    assert found["simulation"].startswith("Geant4 11.")
    assert found["tables"].startswith("rendered from PENELOPE by pypenred")
    assert 0 <= found["deposits_outside_voxels"] < 0.2
    assert "hadronic_physics" not in found


def test_two_workers_give_the_same_bits(whole, geant4, tmp_path, monkeypatch):
    monkeypatch.setattr("simulacra.simulate.pieces._LEAST_EVENTS", 5)
    _simulate(tmp_path / "two.hdf5", workers=2)
    _assert_same(whole[0], tmp_path / "two.hdf5")


def test_any_shards_and_any_executor_give_the_same_bits(whole, geant4, tmp_path):
    parts = [tmp_path / f"part-{i}.hdf5" for i in range(3)]
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        for i in (2, 0, 1):
            _simulate(parts[i], shard=Shard(i, 3), executor=pool)
    merge_showers(tmp_path / "merged.hdf5", parts)
    _assert_same(whole[0], tmp_path / "merged.hdf5")


def _assert_same(one, other):
    a, b = read_showers(one), read_showers(other)
    assert np.array_equal(a.incident_energy, b.incident_energy)
    assert a.energies.tobytes() == b.energies.tobytes()


def test_another_seed_gives_other_showers_of_other_energies(whole, geant4, tmp_path):
    _simulate(tmp_path / "other.hdf5", seed=6, events=4)
    a, b = read_showers(whole[0]), read_showers(tmp_path / "other.hdf5")
    assert not np.isin(b.incident_energy, a.incident_energy).any()


def test_an_unknown_material_is_one_sentence(geant4, tmp_path):
    setup = small_setup()
    stack = {"slabs": [{"material": "G4_Pv", "thickness": 48.0, "active": True}]}
    wrong = setup.updated(calorimeter={**setup.calorimeter.to_dict(), "stacks": [stack]})
    with pytest.raises(ConfigError, match=r"no material 'G4_Pv'.*Did you mean `G4_Pb`"):
        _simulate(tmp_path / "a.hdf5", setup=wrong, events=1)
    assert not (tmp_path / "a.hdf5").exists()


def test_a_sampling_fraction_is_the_active_share(geant4, tmp_path):
    """Of 10 GeV electrons in 8 mm of lead and 40 mm of argon."""
    setup = small_setup(sampling_fraction="measured")
    first = _simulate(tmp_path / "a.hdf5", setup=setup, events=1)
    assert 0.2 < first.sampling_fraction < 0.6  # minimum ionising: 21 of 31 MeV are in argon


@pytest.mark.statistical
def test_voxels_may_follow_the_particle(geant4, tmp_path):
    """At an angle of 0.4 rad the shower's centre moves by about 8 mm; around its own axis not.

    60 showers of 200 MeV know their centre to about 1 mm: thresholds are at 4 sigma or more.
    """
    centres = {}
    for axis in ("calorimeter", "particle"):
        setup = small_setup(axis=axis, deposits="all")
        beam = {
            "particles": ["e-"],
            "energy": [200.0, 200.0],
            "theta": [0.4, 0.4],
            "phi": [0.0, 0.0],
        }
        _simulate(tmp_path / f"{axis}.hdf5", setup=setup.updated(beam=beam), events=60)
        showers = read_showers(tmp_path / f"{axis}.hdf5")
        where, energy = showers.geometry, showers.energies.sum(axis=0, dtype=float)
        centres[axis] = (energy * where.eta).sum() / energy.sum()
    assert centres["calorimeter"] > 4.0
    assert abs(centres["particle"]) < 3.0


def test_geant4s_last_words_are_passed_on(geant4, tmp_path):
    """Tables that vanish under a worker are fatal for Geant4 and end its process."""
    folder = tmp_path / "data"
    for name in ("G4EMLOW1.0/brem_SB", "G4PARTICLEXS1.0", "G4ENSDFSTATE1.0"):
        (folder / name).mkdir(parents=True)
    (folder / "G4ENSDFSTATE1.0" / "ENSDFSTATE.dat").touch()
    for number in (1, 18, 82):
        (folder / "G4EMLOW1.0" / "brem_SB" / f"br{number}").touch()
    with pytest.raises(SimulationError, match=r"it said: G4GammaNuclearXS.*inel1> is not opened"):
        _simulate(tmp_path / "a.hdf5", tables=folder, events=1)


KILLED = """
from small_calorimeter import small_setup
from simulacra.simulate import pieces, simulate_to_file
pieces._LEAST_EVENTS = 3
if __name__ == "__main__":
    import sys
    simulate_to_file(small_setup(), sys.argv[1], 240, seed=5, tables="rendered", workers=2)
"""


def test_a_killed_run_goes_on_where_it_was(geant4, tmp_path, monkeypatch):
    script = tmp_path / "killed.py"
    script.write_text(KILLED)
    out = tmp_path / "out.hdf5"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    process = subprocess.Popen([sys.executable, script, out], env=environment)
    pieces = out.with_name("out.hdf5.pieces")
    deadline = time.monotonic() + 120
    while len(list(pieces.glob("[0-9]*.npz"))) < 4 and time.monotonic() < deadline:
        assert process.poll() is None, "the run ended before it could be killed"
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not out.exists()
    kept = len(list(pieces.glob("[0-9]*.npz")))
    monkeypatch.setattr("simulacra.simulate.pieces._LEAST_EVENTS", 3)
    result = _simulate(out, events=240)
    assert result.made == 240 - 3 * kept
    assert not pieces.exists()
    assert open_showers(out).events == 240


def test_places_in_the_random_stream_belong_to_the_event():
    whole = transport_indices(7, range(100))
    assert np.array_equal(whole[40:], transport_indices(7, range(40, 100)))
    assert len({(int(a), int(b)) for a, b in whole}) == 100
    assert not np.array_equal(whole, transport_indices(8, range(100)))
    assert (whole.dtype, whole.shape, whole.flags.c_contiguous) == (np.uint64, (100, 2), True)
    bits = np.unpackbits(whole.view(np.uint8)).mean()
    assert abs(bits - 0.5) < 5 * 0.5 / np.sqrt(100 * 128)


def test_plates_stand_one_behind_the_other():
    world = volumes(small_setup().calorimeter, recorded=[1])["World"]
    first, second = world["Slab0"], world["Slab1"]
    assert first == {"box": [30.0, 30.0, 0.2], "position": [0.0, 0.0, 0.1], "material": "G4_Pb"}
    assert second["position"] == [0.0, 0.0, pytest.approx(0.7)]
    assert second["role"] == "record_deposits"
    assert world["box"][2] / 2 > 4.8


@pytest.mark.slow
def test_killed_at_twenty_random_moments_nothing_is_lost(geant4, tmp_path, monkeypatch):
    """Each time, what was finished stays; at the end the file is that of an undisturbed run."""
    script = tmp_path / "killed.py"
    script.write_text(KILLED)
    out = tmp_path / "out.hdf5"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    pieces = out.with_name("out.hdf5.pieces")
    kept: set[str] = set()
    for wait in np.random.default_rng(3).uniform(0.5, 4.0, 20):
        process = subprocess.Popen([sys.executable, script, out], env=environment)
        time.sleep(wait)
        process.send_signal(signal.SIGKILL)
        process.wait()
        if out.exists():
            break
        now = {path.name for path in pieces.glob("[0-9]*.npz")}
        assert kept <= now
        kept = now
    monkeypatch.setattr("simulacra.simulate.pieces._LEAST_EVENTS", 3)
    _simulate(out, events=240)
    _simulate(tmp_path / "whole.hdf5", events=240)
    _assert_same(tmp_path / "whole.hdf5", out)
    assert not pieces.exists()


@pytest.mark.slow
@pytest.mark.skipif(find_spec("distributed") is None, reason="Dask is not installed")
def test_dask_gives_the_same_bits(whole, geant4, tmp_path, monkeypatch):
    monkeypatch.setattr("simulacra.simulate.pieces._LEAST_EVENTS", 5)
    _simulate(tmp_path / "dask.hdf5", executor="dask", workers=2)
    _assert_same(whole[0], tmp_path / "dask.hdf5")
