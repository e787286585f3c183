"""The catalog, against a local server that can cut connections and lie."""

from __future__ import annotations

import hashlib
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from simulacra.data import catalog, dataset, datasets, geometry, get, verify
from simulacra.data.download import fetch
from simulacra.errors import FileFormatError, OutputError, UnknownNameError

CONTENT = bytes(range(256)) * 2000
DIGEST = "sha256:" + hashlib.sha256(CONTENT).hexdigest()


class Server:
    """What the server has, does wrong, and was asked for."""

    def __init__(self) -> None:
        self.files = {"/one.hdf5": CONTENT, "/two.hdf5": CONTENT[::-1]}
        self.cut_after: int | None = None
        self.cuts = 0
        self.ranges = True
        self.asked: list[tuple[str, str | None]] = []

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        asked = handler.headers.get("Range")
        self.asked.append((handler.path, asked))
        content = self.files.get(handler.path)
        if content is None:
            handler.send_error(404)
            return
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and self.ranges else 0
        if start >= len(content) > 0 and start:
            handler.send_response(416)
            handler.send_header("Content-Range", f"bytes */{len(content)}")
            handler.end_headers()
            return
        handler.send_response(206 if start else 200)
        if start:
            handler.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        handler.send_header("Content-Length", str(len(content) - start))
        handler.end_headers()
        body = content[start:]
        if self.cut_after is not None and self.cuts > 0:
            self.cuts -= 1
            body = body[: self.cut_after]
        handler.wfile.write(body)


@pytest.fixture
def server():
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.answer(self)

        def log_message(self, *_: object) -> None:
            pass

    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=running.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    state.url = f"http://127.0.0.1:{running.server_address[1]}"
    yield state
    running.shutdown()
    thread.join()
    running.server_close()


@pytest.fixture
def two_files(monkeypatch, server):
    """A data set of two files, the digest of the second one unknown."""
    known = replace(
        dataset("calochallenge-2"),
        name="two",
        files=(
            catalog.CatalogFile("one.hdf5", "train", digest=DIGEST),
            catalog.CatalogFile("two.hdf5", "evaluation"),
        ),
    )
    monkeypatch.setitem(catalog._CATALOG, "two", known)
    return known


def test_files_are_fetched_and_verified(tmp_path, server, two_files):
    assert [state.state for state in verify("two", tmp_path)] == ["missing", "missing"]
    seen: list[tuple[str, int, int | None]] = []
    states = get("two", tmp_path, base_url=server.url, progress=lambda *a: seen.append(a))
    assert [state.state for state in states] == ["complete", "recorded"]
    assert (tmp_path / "one.hdf5").read_bytes() == CONTENT
    assert ("one.hdf5", len(CONTENT), len(CONTENT)) in seen
    recorded = (tmp_path / "two.hdf5.sha256").read_text()
    assert recorded == hashlib.sha256(CONTENT[::-1]).hexdigest() + "  two.hdf5\n"
    assert not (tmp_path / "one.hdf5.sha256").exists()
    asked = len(server.asked)
    get("two", tmp_path, base_url=server.url)
    assert len(server.asked) == asked  # what is complete is not fetched again
    (tmp_path / "two.hdf5").write_bytes(b"changed")
    assert [state.state for state in verify("two", tmp_path)] == ["complete", "changed"]


def test_a_file_of_unknown_digest_says_so(tmp_path, two_files):
    (tmp_path / "two.hdf5").write_bytes(b"mine")
    state = verify("two", tmp_path)[1]
    assert state.state == "unknown"
    assert state.digest == "sha256:" + hashlib.sha256(b"mine").hexdigest()


def test_an_interrupted_transfer_goes_on_where_it_stopped(tmp_path, server):
    server.cut_after, server.cuts = 100_000, 1
    fetch(f"{server.url}/one.hdf5", tmp_path / "one.hdf5", digest=DIGEST)
    assert (tmp_path / "one.hdf5").read_bytes() == CONTENT
    assert server.asked == [("/one.hdf5", None), ("/one.hdf5", "bytes=100000-")]
    assert [p.name for p in tmp_path.iterdir()] == ["one.hdf5"]


def test_a_transfer_is_resumed_by_the_next_command(tmp_path, server):
    server.cut_after, server.cuts = 50_000, 3
    with pytest.raises(FileFormatError, match=r"150000 bytes are kept in one\.hdf5\.part"):
        fetch(f"{server.url}/one.hdf5", tmp_path / "one.hdf5", digest=DIGEST)
    assert not (tmp_path / "one.hdf5").exists()
    fetch(f"{server.url}/one.hdf5", tmp_path / "one.hdf5", digest=DIGEST)
    assert server.asked[-1] == ("/one.hdf5", "bytes=150000-")
    assert (tmp_path / "one.hdf5").read_bytes() == CONTENT


def test_a_server_that_cannot_resume_starts_again(tmp_path, server):
    server.ranges = False
    (tmp_path / "one.hdf5.part").write_bytes(b"something else")
    fetch(f"{server.url}/one.hdf5", tmp_path / "one.hdf5", digest=DIGEST)
    assert (tmp_path / "one.hdf5").read_bytes() == CONTENT


def test_a_part_that_is_complete_is_only_named(tmp_path, server):
    (tmp_path / "one.hdf5.part").write_bytes(CONTENT)
    fetch(f"{server.url}/one.hdf5", tmp_path / "one.hdf5", digest=DIGEST)
    assert (tmp_path / "one.hdf5").read_bytes() == CONTENT


def test_a_part_longer_than_the_file_is_thrown_away(tmp_path, server):
    (tmp_path / "one.hdf5.part").write_bytes(CONTENT + b"more")
    fetch(f"{server.url}/one.hdf5", tmp_path / "one.hdf5", digest=DIGEST)
    assert (tmp_path / "one.hdf5").read_bytes() == CONTENT


def test_a_wrong_digest_is_refused(tmp_path, server):
    with pytest.raises(FileFormatError, match="another version and was removed"):
        fetch(f"{server.url}/two.hdf5", tmp_path / "one.hdf5", digest=DIGEST)
    assert list(tmp_path.iterdir()) == []


def test_what_is_not_there(tmp_path, server):
    with pytest.raises(FileFormatError, match="404"):
        fetch(f"{server.url}/three.hdf5", tmp_path / "three.hdf5")
    with pytest.raises(FileFormatError, match="transfer stopped"):
        fetch("http://127.0.0.1:9/x", tmp_path / "x", attempts=1)
    with pytest.raises(FileFormatError, match="https://"):
        fetch("file:///etc/hostname", tmp_path / "x")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written(tmp_path, server):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        fetch(f"{server.url}/one.hdf5", tmp_path / "file" / "one.hdf5")


@pytest.mark.parametrize("known", datasets(), ids=lambda known: known.name)
def test_entries_are_consistent(known):
    assert known.incident_energy[0] < known.incident_energy[1]
    assert known.reference
    if known.geometry:
        geometry(known.geometry)
    if known.base_url:
        assert known.base_url.startswith("https://zenodo.org/records/")
        parts = {file.part for file in known.files}
        assert parts == {"train", "evaluation"}
        for file in known.files:
            assert file.digest is not None
            assert len(file.digest) == len("md5:") + 32


def test_the_official_split():
    assert catalog.official_part("dataset_3_2.hdf5") == ("calochallenge-3", "train")
    assert catalog.official_part("dataset_3_3.hdf5") == ("calochallenge-3", "evaluation")
    assert catalog.official_part("mine.hdf5") is None


def test_unknown_names_and_sets_without_files(tmp_path):
    with pytest.raises(UnknownNameError, match="Did you mean `calochallenge-3`"):
        dataset("calochalenge-3")
    with pytest.raises(FileFormatError, match=r"2509\.05108"):
        get("lemurs", tmp_path)
    with pytest.raises(FileFormatError, match=r"10\.17632"):
        get("calogan", tmp_path)
