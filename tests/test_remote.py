"""Files elsewhere and sets of files: read where they lie, sent when whole, one clear sentence."""

from __future__ import annotations

import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import numpy as np
import pytest
from synthetic_showers import ring_showers

from simulacra.data import (
    convert_showers,
    merge_showers,
    open_joined,
    open_showers,
    read_showers,
    write_showers,
)
from simulacra.errors import DependencyError, FileFormatError, OutputError, ShapeError
from simulacra.execute import atomic_path, require_writable
from simulacra.remote import address, expanded


@pytest.fixture
def memory():
    """Storage that lives in this process."""
    fsspec = pytest.importorskip("fsspec")
    system = fsspec.filesystem("memory")
    yield system
    system.store.clear()


@pytest.fixture
def showers():
    return ring_showers(events=30)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("s3://bucket/a/b.hdf5", "s3://bucket/a/b.hdf5"),
        ("https://host:8080/a.hdf5", "https://host:8080/a.hdf5"),
        ("file:///tmp/a.hdf5", "file:///tmp/a.hdf5"),
        ("simplecache::s3://bucket/a", "simplecache::s3://bucket/a"),
        ("showers.hdf5", None),
        ("/srv/showers.hdf5", None),
        ("run:3.hdf5", None),
        ("C:/showers.hdf5", None),
    ],
)
def test_an_address_survives_pathlib(text, expected):
    assert address(text) == address(Path(text)) == expected


def test_what_is_written_there_is_read_there(memory, showers):
    where = "memory://run/showers.hdf5"
    assert write_showers(where, showers) == 30
    back = read_showers(where)
    np.testing.assert_array_equal(back.energies, showers.energies)
    file = open_showers(Path(where))
    assert file.digest() == open_showers(where).digest()
    np.testing.assert_array_equal(file.incident_energy(), showers.incident_energy)


def test_a_remote_file_is_read_in_parts(memory, showers, monkeypatch):
    write_showers("memory://run/showers.hdf5", showers)
    with open_showers("memory://run/showers.hdf5") as file:
        parts = list(file.chunks(7))
    np.testing.assert_array_equal(np.concatenate([p.energies for p in parts]), showers.energies)


def test_merging_and_converting_write_there_too(memory, showers, tmp_path):
    for i in range(3):
        write_showers(tmp_path / f"{i}.hdf5", showers.select(slice(10 * i, 10 * i + 10)))
    assert merge_showers("memory://out/all.hdf5", [tmp_path]) == 30
    assert convert_showers(
        open_showers("memory://out/all.hdf5"), "memory://out/sparse.hdf5", format="sparse"
    )
    np.testing.assert_array_equal(
        read_showers("memory://out/sparse.hdf5").energies, showers.energies
    )


def test_nothing_is_sent_when_writing_fails(memory):
    with pytest.raises(ZeroDivisionError), atomic_path("memory://run/file") as here:
        here.write_text("half")
        raise ZeroDivisionError
    assert not memory.exists("/run/file")


def test_a_place_that_takes_nothing_is_an_output_error(showers):
    with pytest.raises(OutputError, match=r"https://127\.0\.0\.1:1/a\.hdf5: cannot be written"):
        write_showers("https://127.0.0.1:1/a.hdf5", showers)


@pytest.mark.parametrize("name", ["run/nothing.hdf5", "run/*.hdf5", "nowhere"])
def test_what_is_not_there_is_named(memory, name):
    with pytest.raises(FileFormatError, match=r"no such file|has no HDF5 file"):
        open_joined(f"memory://{name}")


def test_an_unknown_kind_of_address(showers):
    with pytest.raises(FileFormatError, match=r"nonsense://a/b.hdf5: cannot be reached"):
        open_showers("nonsense://a/b.hdf5")


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(DependencyError, match=r"pip install 'simulacra\[remote\]'"):
        open_showers("s3://bucket/b.hdf5")


def test_long_work_keeps_to_this_machine():
    with pytest.raises(OutputError, match="needs a folder of this machine"):
        require_writable(Path("s3://bucket/model"))


def test_what_is_no_hdf5_there_either(memory):
    memory.pipe_file("/run/text.hdf5", b"not HDF5 at all")
    with pytest.raises(FileFormatError, match="expected an HDF5, ROOT or Parquet file"):
        open_showers("memory://run/text.hdf5")


class _Parts(BaseHTTPRequestHandler):
    """A server that gives parts of a file, as data servers do and ``http.server`` does not."""

    content = b""
    ranges = True

    def do_HEAD(self):
        self._head(200, len(self.content))

    def do_GET(self):
        asked = self.headers.get("Range")
        if not (asked and self.ranges):
            self._head(200, len(self.content))
            self.wfile.write(self.content)
            return
        first, _, last = asked.removeprefix("bytes=").partition("-")
        part = self.content[int(first) : int(last) + 1 if last else None]
        self._head(206, len(part), f"bytes {first}-{int(first) + len(part) - 1}")
        self.wfile.write(part)

    def _head(self, code, length, within=""):
        self.send_response(code)
        self.send_header("Content-Length", str(length))
        if self.ranges:
            self.send_header("Accept-Ranges", "bytes")
        if within:
            self.send_header("Content-Range", f"{within}/{len(self.content)}")
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def server(showers, tmp_path):
    pytest.importorskip("aiohttp", reason="aiohttp is not installed (extra `remote`)")
    write_showers(tmp_path / "a.hdf5", showers)
    handler = type("Handler", (_Parts,), {"content": (tmp_path / "a.hdf5").read_bytes()})
    server = HTTPServer(("localhost", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield handler, f"http://localhost:{server.server_port}/a.hdf5"
    server.shutdown()
    server.server_close()


def test_over_http(server, showers):
    np.testing.assert_array_equal(read_showers(server[1]).energies, showers.energies)


def test_a_set_of_files_in_three_spellings(tmp_path, showers):
    for i in (2, 0, 1):
        write_showers(tmp_path / f"part-{i}.hdf5", showers.select(slice(10 * i, 10 * i + 10)))
    (tmp_path / "notes.txt").write_text("not a file of showers")
    (tmp_path / ".part-9.hdf5.1234.tmp").write_text("somebody is writing")
    files = [tmp_path / f"part-{i}.hdf5" for i in range(3)]
    for spelling in (tmp_path, str(tmp_path / "part-*.hdf5"), files, [tmp_path / "part-?.hdf5"]):
        joined = open_joined(spelling)
        assert [file.path for file in joined.files] == files
        assert len(joined) == 30
        for start, stop in ((0, 30), (9, 11), (10, 20), (25, 30), (4, 4)):
            np.testing.assert_array_equal(
                joined.read(start, stop).energies, showers.energies[start:stop]
            )


def test_a_set_that_lies_elsewhere(memory, showers):
    for i in range(3):
        write_showers(f"memory://set/{i}.hdf5", showers.select(slice(10 * i, 10 * i + 10)))
    for spelling in ("memory://set", "memory://set/*.hdf5"):
        np.testing.assert_array_equal(open_joined(spelling).read().energies, showers.energies)


def test_a_name_with_brackets_is_a_file_if_there_is_one(tmp_path):
    (tmp_path / "a[1].hdf5").write_text("")
    assert expanded([tmp_path / "a[1].hdf5"]) == [tmp_path / "a[1].hdf5"]


@pytest.mark.parametrize("pattern", ["", "*.hdf5"])
def test_an_empty_folder_and_a_pattern_of_nothing(tmp_path, pattern):
    with pytest.raises(FileFormatError, match=r"has no HDF5 file|matches no file"):
        expanded([tmp_path / pattern])


def test_the_broken_file_of_a_set_is_named(tmp_path, showers):
    for i in range(3):
        write_showers(tmp_path / f"{i}.hdf5", showers)
    whole = (tmp_path / "1.hdf5").read_bytes()
    (tmp_path / "1.hdf5").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(FileFormatError, match=r"1\.hdf5: is truncated"):
        open_joined(tmp_path)


def test_the_file_of_another_detector_is_named(tmp_path, showers):
    write_showers(tmp_path / "0.hdf5", showers)
    write_showers(tmp_path / "1.hdf5", ring_showers("calochallenge-2", events=3))
    with pytest.raises(ShapeError, match=r"1\.hdf5: is of geometry .*only showers of one detector"):
        open_joined(tmp_path)


def test_the_file_with_other_columns_is_named(tmp_path, showers):
    from simulacra.data import VoxelShowers

    write_showers(tmp_path / "0.hdf5", showers)
    weighted = VoxelShowers(**{**vars(showers), "weight": np.ones(30, np.float32)})
    write_showers(tmp_path / "1.hdf5", weighted)
    with pytest.raises(ShapeError, match=r"1\.hdf5: has the columns incident_energy, weight"):
        merge_showers(tmp_path / "all.hdf5", [tmp_path / "0.hdf5", tmp_path / "1.hdf5"])


def test_one_file_in_gev_among_others_is_named(tmp_path, showers):
    from simulacra.data import VoxelShowers
    from simulacra.errors import UnitError

    for i in range(3):
        write_showers(tmp_path / f"{i}.hdf5", showers)
    small = VoxelShowers(showers.energies * 1e-3, showers.incident_energy, showers.geometry)
    write_showers(tmp_path / "1.hdf5", small)
    with pytest.raises(UnitError, match=r"1\.hdf5"):
        open_joined(tmp_path).validate()


def test_a_set_keeps_no_file_open(tmp_path, showers):
    for i in range(40):
        write_showers(tmp_path / f"{i:02d}.hdf5", showers.select(slice(0, 2)))
    joined = open_joined(tmp_path)
    before = len(list(Path("/proc/self/fd").iterdir()))
    most = max(len(list(Path("/proc/self/fd").iterdir())) for _ in joined.chunks())
    assert most <= before + 2
    assert len({id(file.geometry) for file in joined.files}) == 1
