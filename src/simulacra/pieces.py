"""Long work in pieces that are finished one by one, so that nothing finished is made again."""

from __future__ import annotations

import contextlib
import glob
import io
import json
import os
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from .errors import FileFormatError, OutputError
from .execute import atomic_path, atomic_text

__all__ = ["PieceFolder", "locked", "pack"]

Array = NDArray[Any]


class PieceFolder:
    """The folder of finished pieces beside the file that they will become.

    Used in a ``with`` block it belongs to one process at a time, and what killed ones left half
    written is cleared away; a block that fails before the first piece is finished leaves nothing.

    Args:
        file: the final file; the folder is ``FILE.pieces``.
        run: identity of the run; pieces of another one are refused.
        what: what the run is called in messages.
        differs: in what another run may differ, for the message.
        ending: how the files of the pieces end.

    Raises:
        OutputError: if pieces of another run lie there, or nothing can be written.
    """

    def __init__(
        self, file: Path, run: str, *, what: str, differs: str, ending: str = ".npz"
    ) -> None:
        self.file = file
        self.folder = file.with_name(f"{file.name}.pieces")
        self._run, self._what, self._differs, self._ending = run, what, differs, ending
        self._lock = contextlib.ExitStack()
        self._claim()

    def __enter__(self) -> Self:
        self._lock.callback(locked(self.folder, self._claim))
        for path in [*_half_written(self.file), *filter(_is_temporary, self.folder.iterdir())]:
            with contextlib.suppress(OSError):
                path.unlink()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None and not any(self.folder.glob(f"*{self._ending}")):
            self.remove()
        self._lock.close()

    def __contains__(self, piece: range) -> bool:
        return self.path(piece).exists()

    def path(self, piece: range) -> Path:
        """Return where the piece with these event numbers lies, finished or not."""
        return self.folder / f"{piece.start:012d}-{piece.stop:012d}{self._ending}"

    @property
    def notes(self) -> dict[str, Any]:
        """What was noted about the run."""
        return dict(self._read_note())

    def note(self, **facts: Any) -> None:
        """Write down plain facts about the run, beside those that were noted before."""
        atomic_text(self._note, json.dumps({**self._read_note(), **facts}))

    def keep(self, piece: range, content: bytes) -> None:
        """Write a finished piece, whole or not at all.

        Args:
            piece: its event numbers.
            content: what :func:`pack` returned.

        Raises:
            OutputError: if it cannot be written.
        """
        with atomic_path(self.path(piece)) as temporary:
            temporary.write_bytes(content)

    def read(self, piece: range, *names: str) -> dict[str, Array]:
        """Read a finished piece, or some of its arrays.

        Raises:
            FileFormatError: if it is damaged.
        """
        path = self.path(piece)
        try:
            with np.load(path, allow_pickle=False) as file:
                return {name: file[name] for name in names or file.files}
        except (OSError, ValueError, KeyError, EOFError, zlib.error, BadZipFile) as error:
            raise FileFormatError(
                f"{path}: is damaged ({error}); remove it and run the same command again, which "
                "makes only this piece."
            ) from None

    def remove(self) -> None:
        """Remove the folder, when the final file is there."""
        if not self.folder.exists():
            return
        for path in self.folder.iterdir():
            path.unlink(missing_ok=True)
        self.folder.rmdir()

    @property
    def _note(self) -> Path:
        return self.folder / "run.json"

    def _read_note(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self._note.read_text(encoding="utf-8"))
        return found

    def _claim(self) -> None:
        """Refuse a folder with pieces of another run, else write down whose it is."""
        if self._note.exists():
            if self._read_note().get("run") != self._run:
                raise OutputError(
                    f"{self.folder}: holds finished pieces of another {self._what} (other "
                    f"{self._differs}); finish that one with its own command, remove the folder, "
                    "or choose another --out."
                )
            return
        if self.folder.exists() and not all(map(_is_temporary, self.folder.iterdir())):
            raise OutputError(
                f"{self.folder}: is in the way, and it holds no pieces of a {self._what}; move it "
                "or choose another --out."
            )
        atomic_text(self._note, json.dumps({"run": self._run}))


def pack(arrays: Mapping[str, Any], *, compress: bool = False) -> bytes:
    """Return arrays as the content of one piece; done where the piece is made.

    Args:
        arrays: by name; texts and numbers too.
        compress: make it smaller, which takes longer.
    """
    content = io.BytesIO()
    (np.savez_compressed if compress else np.savez)(content, **arrays)
    return content.getvalue()


def _is_temporary(path: Path) -> bool:
    """Tell a file that a killed process left unfinished; see ``atomic_path``."""
    return path.name.startswith(".") and path.name.endswith(".tmp")


def _half_written(file: Path) -> Iterator[Path]:
    return file.parent.glob(f".{glob.escape(file.name)}.*.tmp")


def locked(folder: Path, claim: Callable[[], None]) -> Callable[[], None]:
    """Keep other processes out of a folder; return what lets them in again.

    The lock goes with the process. File systems without locks have none.

    Args:
        folder: an existing folder.
        claim: makes the folder again, should another process have removed it meanwhile.

    Raises:
        OutputError: if another process has locked it.
    """
    try:
        import fcntl
    except ImportError:  # not on every system
        return lambda: None
    while True:
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise OutputError(
                f"{folder}: another process is at work in it; wait for it, or choose another --out."
            ) from None
        except OSError:
            pass
        if folder.exists() and folder.stat().st_ino == os.fstat(descriptor).st_ino:
            return lambda: os.close(descriptor)
        os.close(descriptor)  # the other one has just finished and removed it
        claim()
