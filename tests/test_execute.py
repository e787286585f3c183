"""Files appear whole or not at all, and shards cover the events once."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulacra.errors import OutputError, RangeError
from simulacra.execute import Shard, atomic_path, atomic_text, require_writable


def test_a_file_appears_with_its_content_and_nothing_else(tmp_path: Path) -> None:
    atomic_text(tmp_path / "new" / "page.html", "é")
    assert (tmp_path / "new" / "page.html").read_text(encoding="utf-8") == "é"
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["page.html"]


def test_nothing_stands_under_the_final_name_before_the_end(tmp_path: Path) -> None:
    final = tmp_path / "showers.hdf5"
    with atomic_path(final) as temporary:
        temporary.write_bytes(b"half")
        assert not final.exists()
        assert temporary.parent == final.parent
    assert final.read_bytes() == b"half"


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt(), SystemExit(2)])
def test_a_failure_leaves_what_stood_there(tmp_path: Path, error: BaseException) -> None:
    final = tmp_path / "page.html"
    final.write_text("old")
    with pytest.raises(type(error)), atomic_path(final) as temporary:
        temporary.write_text("new")
        raise error
    assert final.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]


def test_a_folder_appears_whole(tmp_path: Path) -> None:
    with atomic_path(tmp_path / "model") as temporary:
        (temporary / "deep").mkdir(parents=True)
        (temporary / "deep" / "card.md").write_text("words")
    assert (tmp_path / "model" / "deep" / "card.md").read_text() == "words"


def test_a_failed_folder_is_removed_with_its_files(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no"), atomic_path(tmp_path / "model") as temporary:
        (temporary / "deep").mkdir(parents=True)
        (temporary / "deep" / "card.md").write_text("words")
        raise ValueError("no")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_files_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "card.md").write_text("mine")
    with pytest.raises(OutputError, match="A folder with files stands there"):
        with atomic_path(tmp_path / "model") as temporary:
            temporary.mkdir()
    assert (tmp_path / "model" / "card.md").read_text() == "mine"


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
        OSError(errno.EDQUOT, "Disk quota exceeded"),
        RuntimeError(
            "Problems closing file (errno = 28, error message = 'No space left on device'"
        ),
    ],
)
def test_a_full_disk_is_said_in_words(tmp_path: Path, error: Exception) -> None:
    with pytest.raises(OutputError, match="the disk is full"):
        with atomic_path(tmp_path / "showers.hdf5") as temporary:
            temporary.write_bytes(b"half")
            raise error
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        atomic_text(tmp_path / "file" / "page.html", "x")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_an_unwritable_folder_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match="Permission denied"):
        atomic_text(tmp_path / "page.html", "x")


@pytest.mark.parametrize("name", [".", "..", "/", ""])
def test_a_folder_is_no_name_for_a_file(name: str) -> None:
    with pytest.raises(OutputError, match="is no name for a result"):
        atomic_text(name, "x")


def test_an_error_of_reading_is_not_called_an_error_of_writing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="absent"):
        with atomic_path(tmp_path / "out.hdf5"):
            (tmp_path / "absent.hdf5").read_bytes()
    with pytest.raises(TimeoutError), atomic_path(tmp_path / "out.hdf5"):
        raise TimeoutError("the server does not answer")


def test_a_killed_process_leaves_nothing_under_the_final_name(tmp_path: Path) -> None:
    code = """
import sys, time
from simulacra.execute import atomic_path
with atomic_path(sys.argv[1]) as temporary:
    temporary.write_bytes(b"half")
    time.sleep(60)
"""
    final = tmp_path / "showers.hdf5"
    process = subprocess.Popen([sys.executable, "-c", code, str(final)])
    try:
        deadline = time.monotonic() + 30
        while not list(tmp_path.iterdir()) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert list(tmp_path.iterdir()), "the process never began to write"
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert not final.exists()


@given(st.integers(0, 10_000), st.integers(1, 50))
def test_shards_cover_the_events_once_and_in_order(events: int, count: int) -> None:
    ranges = [Shard(index, count).range(events) for index in range(count)]
    assert [event for piece in ranges for event in piece] == list(range(events))
    sizes = [len(piece) for piece in ranges]
    assert max(sizes) - min(sizes) <= 1


def test_a_shard_is_read_as_it_is_written() -> None:
    assert Shard.parse("2/3") == Shard(2, 3)
    assert Shard() == Shard.parse("0/1")


@pytest.mark.parametrize("text", ["3/3", "-1/3", "1", "1/0", "a/b", "1/", "/2", "1.0/2", "1/2/3"])
def test_a_wrong_shard_is_refused(text: str) -> None:
    with pytest.raises(RangeError, match="expected i/N"):
        Shard.parse(text)


def test_a_place_that_cannot_be_cleaned_is_said_as_well(tmp_path, monkeypatch) -> None:
    def read_only(*_: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(Path, "unlink", read_only)
    with pytest.raises(OutputError, match="cannot be written"), atomic_path(tmp_path / "f") as path:
        raise OSError(errno.EROFS, "Read-only file system", str(path))


def test_a_place_for_results_is_looked_at_and_not_made(tmp_path: Path) -> None:
    require_writable(tmp_path / "new" / "folder")
    require_writable(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_place_without_permission_is_refused(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(OutputError, match="cannot be written; choose another"):
        require_writable(tmp_path / "new")
