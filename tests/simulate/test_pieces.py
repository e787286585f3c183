"""A run in pieces: every event once, and nothing finished is lost or mixed up."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_calorimeter import invented_showers, small_setup

from simulacra.errors import FileFormatError, OutputError
from simulacra.simulate.pieces import Pieces, Totals, cut
from simulacra.simulate.workers import Work


@given(
    st.lists(st.floats(1.0, 1e6, width=32), min_size=1, max_size=300),
    st.integers(0, 10**6),
)
def test_pieces_cover_every_event_once(energies, first):
    energy = np.array(energies, np.float32)
    pieces = cut(energy, first)
    events = [event for piece in pieces for event in piece]
    assert events == list(range(first, first + len(energy)))
    for piece in pieces:
        inside = energy[piece.start - first : piece.stop - first].astype(float)
        assert len(piece) == 1 or inside.sum() <= 200_000.0 * (1 + 1e-9)


def test_large_runs_have_a_bounded_number_of_pieces():
    assert len(cut(np.full(500_000, 30_000.0, np.float32), 0)) <= 2010
    assert len(cut(np.full(100_000, 1.0, np.float32), 0)) == -(-100_000 // 1024)


def _made(first=0, stop=4):
    setup = json.dumps(small_setup().to_dict())
    return invented_showers(Work(setup, None, 1, first, stop, 0.2))


def test_a_piece_comes_back_as_it_went(tmp_path):
    done = Pieces(tmp_path / "out.hdf5", "this run")
    showers, engine = _made()
    assert range(4) not in done
    done.keep(range(4), showers, engine)
    assert range(4) in Pieces(tmp_path / "out.hdf5", "this run")
    energies, primaries = done.read(range(4))
    assert np.array_equal(energies, showers.energies)
    assert np.array_equal(primaries.energy, showers.primaries.energy)
    assert np.array_equal(primaries.direction, showers.primaries.direction)


def test_totals_add_up(tmp_path):
    done = Pieces(tmp_path / "out.hdf5", "this run")
    pieces = [range(4), range(4, 10)]
    for piece in pieces:
        done.keep(piece, *_made(piece.start, piece.stop))
    totals = done.totals(pieces)
    assert (totals.events, totals.engine) == (10, "Geant4 0 through calzone 0")
    assert totals.milliseconds_per_shower == pytest.approx(202.0 / 10)
    assert totals.filling_share == pytest.approx(0.001 / 0.101)
    gev = sum(float(done.read(piece)[1].energy.sum()) for piece in pieces) / 1e3
    assert totals.milliseconds_per_gev == pytest.approx(202.0 / gev)
    assert Totals().filling_share == 0.0


def test_pieces_of_another_run_are_refused(tmp_path):
    Pieces(tmp_path / "out.hdf5", "this run")
    with pytest.raises(OutputError, match="pieces of another simulation"):
        Pieces(tmp_path / "out.hdf5", "another run")


def test_a_foreign_folder_is_left_alone(tmp_path):
    (tmp_path / "out.hdf5.pieces").mkdir()
    (tmp_path / "out.hdf5.pieces" / "thesis.tex").touch()
    with pytest.raises(OutputError, match="in the way"):
        Pieces(tmp_path / "out.hdf5", "this run")


def test_what_a_kill_left_half_written_does_not_count(tmp_path):
    folder = tmp_path / "out.hdf5.pieces"
    folder.mkdir()
    (folder / ".run.json.0123abcd.tmp").write_text("{")
    done = Pieces(tmp_path / "out.hdf5", "this run")
    (folder / ".000000000000-000000000004.npz.0123abcd.tmp").write_text("PK")
    assert range(4) not in done
    done.remove()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("place", ["head", "tail"])
def test_a_damaged_piece_is_named(tmp_path, place):
    done = Pieces(tmp_path / "out.hdf5", "this run")
    done.keep(range(4), *_made())
    path = next(done.folder.glob("*.npz"))
    raw = bytearray(path.read_bytes())
    at = 0 if place == "head" else len(raw) // 2
    raw[at : at + 40] = bytes(40)
    path.write_bytes(bytes(raw))
    with pytest.raises(FileFormatError, match=r"is damaged.*run the same command again"):
        done.read(range(4))
        done.totals([range(4)])


def test_a_measured_fraction_is_remembered(tmp_path):
    done = Pieces(tmp_path / "out.hdf5", "this run")
    assert done.sampling_fraction is None
    done.keep_sampling_fraction(0.125)
    assert Pieces(tmp_path / "out.hdf5", "this run").sampling_fraction == 0.125
