"""Finished pieces beside their file: whose they are, who holds them, what a kill leaves."""

from __future__ import annotations

import fcntl
import os

import numpy as np
import pytest

from simulacra.errors import FileFormatError, OutputError
from simulacra.pieces import PieceFolder, pack


def _folder(path, run="this run"):
    return PieceFolder(path / "f.hdf5", run, what="set", differs="seed")


def test_a_piece_comes_back(tmp_path):
    with _folder(tmp_path) as folder:
        folder.keep(range(2, 5), pack({"a": np.arange(3), "b": "words"}))
        assert range(2, 5) in folder
        assert range(5) not in folder
        assert folder.read(range(2, 5), "a").keys() == {"a"}
    again = _folder(tmp_path).read(range(2, 5))
    assert again["a"].tolist() == [0, 1, 2]
    assert str(again["b"]) == "words"


def test_notes_stay(tmp_path):
    _folder(tmp_path).note(fraction=0.25)
    with _folder(tmp_path) as folder:
        assert folder.notes["fraction"] == 0.25


def test_another_run_is_refused(tmp_path):
    with _folder(tmp_path) as folder:
        folder.keep(range(1), pack({}))
    with pytest.raises(OutputError, match=r"pieces of another set \(other seed\)"):
        _folder(tmp_path, "another run")


def test_a_foreign_folder_is_left_alone(tmp_path):
    (tmp_path / "f.hdf5.pieces").mkdir()
    (tmp_path / "f.hdf5.pieces" / "thesis.tex").touch()
    with pytest.raises(OutputError, match="in the way"):
        _folder(tmp_path)


def test_a_failure_leaves_the_folder_only_if_something_is_finished(tmp_path):
    with pytest.raises(ValueError, match="no"), _folder(tmp_path):
        raise ValueError("no")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ValueError, match="no"), _folder(tmp_path) as folder:
        folder.keep(range(1), pack({}))
        raise ValueError("no")
    assert range(1) in _folder(tmp_path)


def test_what_a_kill_left_half_written_is_cleared_away(tmp_path):
    _folder(tmp_path)
    mine = [tmp_path / ".f.hdf5.0123abcd.tmp", tmp_path / "f.hdf5.pieces" / ".0-1.npz.01ab.tmp"]
    other = tmp_path / ".g.hdf5.0123abcd.tmp"
    for path in (*mine, other):
        path.write_text("half")
    with _folder(tmp_path):
        assert not any(path.exists() for path in mine)
        assert other.exists()


def test_one_process_at_a_time(tmp_path):
    with _folder(tmp_path):
        with pytest.raises(OutputError, match="another process is at work"), _folder(tmp_path):
            pass
    with _folder(tmp_path) as folder:
        folder.remove()


def test_a_lock_on_a_folder_that_has_gone_is_not_one(tmp_path, monkeypatch):
    """The other process finishes and removes the folder between opening and locking it."""
    folder, lock, calls = _folder(tmp_path), fcntl.flock, []

    def slow(*arguments):
        calls.append(1)
        if len(calls) == 1:
            folder.remove()
        lock(*arguments)

    monkeypatch.setattr(fcntl, "flock", slow)
    with folder:
        assert len(calls) == 2
        folder.keep(range(1), pack({}))
        assert range(1) in folder


def test_file_systems_without_locks_have_none(tmp_path, monkeypatch):
    def none(*_):
        raise OSError(os.strerror(38))

    monkeypatch.setattr(fcntl, "flock", none)
    with _folder(tmp_path) as folder:
        folder.keep(range(1), pack({}))


def test_a_damaged_piece_is_named(tmp_path):
    with _folder(tmp_path) as folder:
        folder.keep(range(1), b"no archive at all")
        with pytest.raises(FileFormatError, match=r"is damaged.*makes only this piece"):
            folder.read(range(1))
