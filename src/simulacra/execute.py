"""The one seam to other processes, and files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from .errors import OutputError, RangeError
from .remote import address, sent

__all__ = [
    "Shard",
    "atomic_path",
    "atomic_text",
    "available_cores",
    "place_in_job",
    "require_writable",
    "stop_requests",
]


_STOP_SIGNALS = (signal.SIGTERM, signal.SIGUSR1)  # of batch systems, before they kill


@contextlib.contextmanager
def atomic_path(final: Path | str) -> Iterator[Path]:
    """Give a temporary path beside ``final`` and move it there when the block succeeds.

    If the block fails or the process dies, nothing stands under the final name, and a file that
    stood there before is untouched.

    Args:
        final: the file (or folder) to create; its parent folder is created too. A file with a
            remote address is written on this machine and sent when it is whole.

    Raises:
        OutputError: if the folder cannot be written or the disk is full. Other errors of the
            block, for example those of reading, pass unchanged.
    """
    if (where := address(final)) is not None:
        with sent(where) as here:
            yield here
        return
    final = Path(final)
    if final.name in ("", ".."):
        raise OutputError(f"{final}: is no name for a result. Give a new name inside that folder.")
    temporary = final.with_name(f".{final.name}.{secrets.token_hex(4)}.tmp")
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        _sync(temporary)
        temporary.replace(final)
    except (OSError, RuntimeError) as error:  # h5py closes a file on a full disk with the latter
        if isinstance(error, OutputError) or not _is_about_writing(error, final, temporary):
            raise
        raise _output_error(final, error) from error
    finally:
        _remove(temporary)


def atomic_text(final: Path | str, text: str) -> None:
    """Write a text file that appears whole or not at all.

    Raises:
        OutputError: if it cannot be written.
    """
    with atomic_path(final) as temporary:
        temporary.write_text(text, encoding="utf-8")


def require_writable(folder: Path | str) -> None:
    """Refuse a place for results where nothing can be written, before long work begins.

    Args:
        folder: an existing folder, or one that is to be created; it is not created here.

    Raises:
        OutputError: if a file is in the way, the folder may not be written, or it is remote: long
            work keeps its unfinished pieces beside its result.
    """
    if (where := address(folder)) is not None:
        raise OutputError(
            f"{where}: this command keeps unfinished work beside its result, which needs a folder "
            "of this machine; write there, and copy the result."
        )
    folder = Path(folder)
    there = folder.absolute()
    while not (there.exists() or there.is_symlink()):
        there = there.parent
    if not there.is_dir():
        raise OutputError(f"{folder}: {there} is a file; choose another folder with --out.")
    if not os.access(there, os.W_OK | os.X_OK):
        raise OutputError(f"{folder}: {there} cannot be written; choose another folder with --out.")


def available_cores() -> int:
    """Return how many processor cores this process may use."""
    if hasattr(os, "sched_getaffinity"):  # not on every system
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextlib.contextmanager
def stop_requests() -> Iterator[Callable[[], bool]]:
    """Let batch systems ask for an end: SIGTERM and SIGUSR1 are remembered inside the block.

    Yields a question to ask at moments when work can be saved; it says whether a signal came.
    Until it is first asked there is nothing to save, and a signal ends the process as always.
    For a command line: signals belong to the whole process.
    """
    asked = came = False

    def question() -> bool:
        nonlocal asked
        asked = True
        return came

    def remember(number: int, _: object) -> None:
        nonlocal came
        came = True
        if not asked:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)

    before = {number: signal.signal(number, remember) for number in _STOP_SIGNALS}
    try:
        yield question
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def place_in_job() -> tuple[int, int]:
    """Return this process's number, from 0, and how many torchrun started with it.

    Read from the variables ``RANK``, ``LOCAL_RANK`` and ``WORLD_SIZE`` that torchrun and its kin
    set; without all of them this process is alone: 0 and 1.
    """
    told = [os.environ.get(name, "") for name in ("RANK", "LOCAL_RANK", "WORLD_SIZE")]
    if not all(number.isdecimal() for number in told):
        return 0, 1
    return int(told[0]), max(1, int(told[2]))


@dataclass(frozen=True)
class Shard:
    """One of ``count`` contiguous pieces of a set of events; shards count from 0."""

    index: int = 0
    count: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.index < self.count:
            raise RangeError(
                f"shard: expected i/N with 0 <= i < N, got {self.index}/{self.count}; "
                "shards count from 0."
            )

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Read ``i/N``.

        Raises:
            RangeError: if the text is not of that form or the index is out of range.
        """
        index, slash, count = text.partition("/")
        if not (slash and index.strip().isdecimal() and count.strip().isdecimal()):
            raise RangeError(f"shard: expected i/N such as 0/3, got {text!r}.")
        return cls(int(index), int(count))

    def range(self, events: int) -> range:
        """Return the event numbers of this shard out of ``events``; sizes differ by at most 1."""
        start = events * self.index // self.count
        return range(start, events * (self.index + 1) // self.count)


def _sync(path: Path) -> None:
    for file in [path, *path.rglob("*")] if path.is_dir() else [path]:
        if file.is_file():
            with file.open("rb") as handle:
                os.fsync(handle.fileno())


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        for child in path.iterdir():
            _remove(child)
        path.rmdir()
    else:
        with contextlib.suppress(OSError):  # of a place that cannot be written, all is said already
            path.unlink()


_FULL = {errno.ENOSPC, errno.EDQUOT}


def _is_full(error: Exception) -> bool:
    return getattr(error, "errno", None) in _FULL or os.strerror(errno.ENOSPC) in str(error)


def _is_about_writing(error: Exception, final: Path, temporary: Path) -> bool:
    """Tell an error of the result's own place from one of an input or of the network."""
    if _is_full(error):
        return True
    if not isinstance(error, OSError):
        return False
    named = [str(name) for name in (error.filename, error.filename2) if name is not None]
    if not named:  # h5py spells the file's name in its text
        return error.errno in {errno.EFBIG, errno.EROFS} or temporary.name in str(error)
    own = {str(final), str(temporary), *map(str, final.parents)}
    return any(name in own or name.startswith(f"{temporary}{os.sep}") for name in named)


def _output_error(final: Path, error: Exception) -> OutputError:
    if _is_full(error):
        return OutputError(
            f"{final}: the disk is full; nothing was left under this name. Free some space or "
            "choose another folder with --out."
        )
    reason = getattr(error, "strerror", None) or error
    remedy = (
        "A folder with files stands there; remove it or choose another name."
        if getattr(error, "errno", None) == errno.ENOTEMPTY
        else "Choose a folder you may write to."
    )
    return OutputError(
        f"{final}: cannot be written ({reason}); nothing was left under this name. {remedy}"
    )
