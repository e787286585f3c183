"""The one seam to other processes, and files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .errors import OutputError, RangeError

__all__ = ["Shard", "atomic_path", "atomic_text"]


@contextlib.contextmanager
def atomic_path(final: Path | str) -> Iterator[Path]:
    """Give a temporary path beside ``final`` and move it there when the block succeeds.

    If the block fails or the process dies, nothing stands under the final name, and a file that
    stood there before is untouched.

    Args:
        final: the file (or folder) to create; its parent folder is created too.

    Raises:
        OutputError: if the folder cannot be written or the disk is full.
    """
    final = Path(final)
    temporary = final.with_name(f".{final.name}.{secrets.token_hex(4)}.tmp")
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        _sync(temporary)
        os.replace(temporary, final)
    except OSError as error:
        if isinstance(error, OutputError):
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
    if path.is_file():
        with path.open("rb") as handle:
            os.fsync(handle.fileno())


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        for child in path.iterdir():
            _remove(child)
        path.rmdir()
    else:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            path.unlink()


def _output_error(final: Path, error: OSError) -> OutputError:
    if error.errno == errno.ENOSPC:
        return OutputError(
            f"{final}: the disk is full; nothing was left under this name. Free some space or "
            "choose another folder with --out."
        )
    return OutputError(
        f"{final}: cannot be written ({error.strerror or error}); nothing was left under this "
        "name. Choose a folder you may write to."
    )
