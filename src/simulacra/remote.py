"""Files elsewhere (``s3://``, ``https://``, ``memory://``, ...) by way of fsspec; sets of files.

Nothing is mounted and nothing copied: a remote file is read in blocks of a few megabytes where it
lies, of which a few are kept. Results are written here first and sent when they are whole.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any

from .errors import DependencyError, FileFormatError, OutputError

__all__ = ["address", "expanded", "opened", "sent"]

_SCHEME = re.compile(r"(?:[a-z][a-z0-9+.-]+::)*[a-z][a-z0-9+.-]+:/+")
_MAGIC = re.compile(r"[*?\[]")
_SUFFIXES = (".hdf5", ".h5", ".hdf", ".root", ".parquet")
_BLOCK_BYTES, _BLOCKS = 4 * 2**20, 16


def address(path: Path | str) -> str | None:
    """Return the address that a path stands for, or None for a file of this machine.

    A :class:`~pathlib.Path` keeps one of the slashes of ``s3://bucket/file``; both spellings are
    understood.

    Example:
        >>> address(Path("s3://bucket/file.hdf5")), address("showers.hdf5")
        ('s3://bucket/file.hdf5', None)
    """
    text = str(path)
    found = _SCHEME.match(text)
    if found is None:
        return None
    scheme = found.group().rstrip("/")
    slashes = "///" if scheme.endswith(("file:", "local:")) else "//"
    return f"{scheme}{slashes}{text[found.end() :]}"


def opened(path: Path | str) -> IO[bytes]:
    """Open a file for reading, wherever it is; the caller closes it.

    Raises:
        FileFormatError: if a remote file is missing or cannot be reached or read in parts.
        DependencyError: if the package for this kind of address is not installed.
        OSError: if a file of this machine cannot be opened.
    """
    where = address(path)
    if where is None:
        return Path(path).open("rb")
    with _explained(where):
        system, name = _system(where)
        stream: IO[bytes] = system.open(
            name,
            "rb",
            block_size=_BLOCK_BYTES,
            cache_type="blockcache",
            cache_options={"maxblocks": _BLOCKS},
        )
    if not stream.seekable():
        stream.close()
        raise FileFormatError(
            f"{where}: its server gives whole files only, not parts; download it first."
        )
    return stream


@contextlib.contextmanager
def sent(where: str) -> Iterator[Path]:
    """Give a temporary path on this machine and send what was written there when all is well.

    Raises:
        OutputError: if it cannot be sent; nothing stands under the address then.
        DependencyError: if the package for this kind of address is not installed.
    """
    with TemporaryDirectory(prefix="simulacra-") as folder:
        here = Path(folder) / Path(where).name
        yield here
        try:
            system, name = _system(where)
            system.put_file(str(here), name)
        except DependencyError:
            raise
        except Exception as error:  # every kind of storage has errors of its own
            raise OutputError(
                f"{where}: cannot be written ({_reason(error)}); nothing was left under this name. "
                "Choose a file of this machine, and copy it afterwards."
            ) from None


def expanded(places: Iterable[Path | str]) -> list[Path]:
    """Return the files that are meant: a folder or a pattern stands for its files of showers.

    Files of a folder or a pattern come in the order of their names.

    Args:
        places: files, folders and patterns (``*``, ``?``, ``[...]``), here or remote.

    Raises:
        FileFormatError: if a folder or a pattern has no file, or cannot be reached.
    """
    found: list[Path] = []
    for place in places:
        found += _files_elsewhere(where) if (where := address(place)) else _files_here(Path(place))
    return found


def _files_here(place: Path) -> list[Path]:
    if place.is_dir():
        inside = sorted(file for file in place.iterdir() if _is_result(file.name))
        return inside or _nothing(str(place), "has no HDF5 file")
    if place.exists() or not _MAGIC.search(str(place)):
        return [place]
    anchor = Path(place.anchor)
    matching = sorted(anchor.glob(str(place.relative_to(anchor))))
    return matching or _nothing(str(place), "matches no file")


def _files_elsewhere(where: str) -> list[Path]:
    if where.endswith(_SUFFIXES) and not _MAGIC.search(where):
        return [Path(where)]
    with _explained(where):
        system, name = _system(where)
        if _MAGIC.search(where):
            names = sorted(system.glob(name))
        elif system.isdir(name):
            listed = sorted(system.ls(name, detail=False))
            names = [found for found in listed if _is_result(found.rsplit("/", 1)[-1])]
        else:
            return [Path(where)]
    return [Path(system.unstrip_protocol(n)) for n in names] or _nothing(where, "has no HDF5 file")


def _is_result(name: str) -> bool:
    return name.endswith(_SUFFIXES) and not name.startswith(".")


def _nothing(place: str, what: str) -> list[Path]:
    raise FileFormatError(
        f"{place}: {what}; expected files of showers (.hdf5, .h5, .root, .parquet)."
    )


def _system(where: str) -> tuple[Any, str]:
    try:
        import fsspec

        system, name = fsspec.core.url_to_fs(where)
    except ImportError as error:
        raise DependencyError(
            f"{where}: cannot be reached ({_reason(error)}); for https and s3: pip install "
            "'simulacra[remote]'."
        ) from None
    return system, name


@contextlib.contextmanager
def _explained(where: str) -> Iterator[None]:
    try:
        yield
    except (DependencyError, FileFormatError):
        raise
    except FileNotFoundError:
        raise FileFormatError(f"{where}: there is no such file.") from None
    except Exception as error:  # every kind of storage has errors of its own
        raise FileFormatError(
            f"{where}: cannot be reached ({_reason(error)}); check the address, the network and "
            "your credentials for it."
        ) from None


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:160]}" if text else type(error).__name__
