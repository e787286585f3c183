"""One file over HTTP: resumed where it stopped, checked, and named only when complete."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..errors import FileFormatError, OutputError

__all__ = ["fetch"]

Progress = Callable[[str, int, "int | None"], None]

_BLOCK = 2**20
_TIMEOUT_S = 60


class _InterruptedTransfer(Exception):
    """The connection ended before the file did."""


def fetch(
    url: str,
    target: Path,
    *,
    digest: str | None = None,
    attempts: int = 3,
    progress: Progress | None = None,
) -> None:
    """Fetch a file; what has arrived waits as ``NAME.part`` and is not asked for again.

    Args:
        url: where it is, http or https.
        target: where to put it.
        digest: expected ``algorithm:hexadecimal``, or None if not known.
        attempts: how often to connect before giving up.
        progress: is called with file name, bytes so far and bytes in all (None if not known).

    Raises:
        FileFormatError: if the file cannot be fetched, is incomplete (then the part that came
            is kept for the next try) or has another digest (then it is removed).
        OutputError: if the folder cannot be written or the disk is full.
    """
    if not url.startswith(("https://", "http://")):
        raise FileFormatError(f"{url}: expected an address that begins with https:// or http://.")
    part = target.with_name(f"{target.name}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _fetch_part(url, part, attempts, progress or _silent)
        _check_digest(part, target.name, digest)
        part.replace(target)
    except (FileFormatError, OutputError):
        raise
    except OSError as error:
        raise OutputError(
            f"{target}: cannot be written ({error.strerror or error}); what has arrived is kept "
            "as a .part file."
        ) from error


def _fetch_part(url: str, part: Path, attempts: int, progress: Progress) -> None:
    reason = "no attempt was made"
    for _ in range(attempts):
        try:
            _append(url, part, progress)
        except urllib.error.HTTPError as error:
            error.close()
            if error.code < 500:
                raise FileFormatError(
                    f"{url}: the server answered {error.code} {error.reason}. Is the address right?"
                ) from None
            reason = f"{error.code} {error.reason}"
        except (urllib.error.URLError, _InterruptedTransfer, TimeoutError) as error:
            reason = str(getattr(error, "reason", error))
        else:
            return
    kept = part.stat().st_size if part.exists() else 0
    raise FileFormatError(
        f"{url}: the transfer stopped ({reason}); {kept} bytes are kept in {part.name}. Run the "
        "same command again to go on from there."
    )


def _append(url: str, part: Path, progress: Progress) -> None:
    """Ask for what is missing and add it to the part."""
    have = part.stat().st_size if part.exists() else 0
    headers = {"User-Agent": "simulacra", "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    request = urllib.request.Request(url, headers=headers)
    try:
        response = urllib.request.urlopen(request, timeout=_TIMEOUT_S)
    except urllib.error.HTTPError as error:
        if error.code == 416 and have and _whole_size(error) == have:
            error.close()
            return
        if error.code == 416:  # the part is longer than the file: it was another file
            part.unlink()
            error.close()
            raise _InterruptedTransfer("the kept part does not belong to this file") from None
        raise
    with response:
        resumed = response.status == 206 and _starts_at(response, have)
        start = have if resumed else 0
        total = _announced(response, start)
        with part.open("ab" if resumed else "wb") as handle:
            _copy(response, handle, part.name.removesuffix(".part"), start, total, progress)
    if total is not None and part.stat().st_size != total:
        raise _InterruptedTransfer(f"{part.stat().st_size} of {total} bytes have arrived")


def _copy(
    response: Any, handle: Any, name: str, have: int, total: int | None, progress: Progress
) -> None:
    while True:
        try:
            block = response.read(_BLOCK)
        except http.client.IncompleteRead as error:
            block = error.partial
            handle.write(block)
            raise _InterruptedTransfer("the connection was closed") from None
        except ConnectionError as error:
            raise _InterruptedTransfer(str(error)) from None
        if not block:
            return
        handle.write(block)
        have += len(block)
        progress(name, have, total)


def _announced(response: Any, start: int) -> int | None:
    length = response.headers.get("Content-Length", "")
    return start + int(length) if length.isdecimal() else None


def _starts_at(response: Any, have: int) -> bool:
    return str(response.headers.get("Content-Range", "")).startswith(f"bytes {have}-")


def _whole_size(error: urllib.error.HTTPError) -> int | None:
    size = str(error.headers.get("Content-Range", "")).rpartition("/")[2]
    return int(size) if size.isdecimal() else None


def _check_digest(part: Path, name: str, digest: str | None) -> None:
    if digest is None:
        return
    algorithm, _, expected = digest.partition(":")
    with part.open("rb") as handle:
        found = hashlib.file_digest(handle, algorithm).hexdigest()
    if found != expected:
        with contextlib.suppress(OSError):
            part.unlink()
        raise FileFormatError(
            f"{name}: has the {algorithm} digest {found}, expected {expected}; it is damaged or "
            "another version and was removed. Fetch it again, or look for a changed record."
        )


def _silent(name: str, have: int, total: int | None) -> None:
    """Say nothing."""
