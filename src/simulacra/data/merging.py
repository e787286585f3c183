"""Files of showers joined in bounded memory; shards of one run go back into their order."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..errors import FileFormatError
from .files import ShowerFile
from .joined import JoinedFiles, open_joined
from .writing import write_showers

__all__ = ["merge_showers", "refuse_incomplete"]


def merge_showers(path: Path | str, parts: Sequence[Path | str]) -> int:
    """Join files of showers without loading them; shards of one run go back into their order.

    Memory is that of two pieces of a file, whatever the number of files and their size.

    Args:
        path: the file to write.
        parts: shards of one run in any order, or plain files of one geometry in theirs; folders
            and patterns stand for their files.

    Returns:
        The number of showers written.

    Raises:
        FileFormatError: if shards are of different runs, overlap or leave a gap, or some files are
            shards and others are not.
        ShapeError: if a file has another geometry or other columns than the first.
        UnitError: if energies look as if they were in GeV.
        RangeError: if there is no part.
    """
    joined = open_joined(parts)
    joined.refuse_unlike()
    files = list(joined.files)
    for file in files:
        file.refuse_gev()
    runs = {file.provenance.get("run") for file in files}
    if len(runs) > 1:
        raise FileFormatError(
            "merge: the files belong to different runs (other model, seed or particles); only "
            "shards of one run, or plain files, can be joined."
        )
    attributes: dict[str, Any] = dict(files[0].provenance)
    if runs != {None}:
        files = _in_order(files)
        attributes |= {"first_event": 0, "shard": "0/1"}
    arrays = {name: files[0].array(name) for name in files[0].arrays}
    chunks = JoinedFiles(files).chunks()
    return write_showers(path, chunks, attributes=attributes, arrays=arrays)


def _in_order(files: list[ShowerFile]) -> list[ShowerFile]:
    files = sorted(files, key=lambda file: int(file.provenance["first_event"]))
    shards = [(file.path.name, int(file.provenance["first_event"]), file.events) for file in files]
    refuse_incomplete(shards, int(files[0].provenance["events_of_run"]))
    return files


def refuse_incomplete(shards: Sequence[tuple[str, int, int]], total: int) -> None:
    """Refuse shards that are not exactly one whole run.

    Args:
        shards: name, number of the first event and number of events of each, in order.
        total: events of the run.

    Raises:
        FileFormatError: if they overlap, leave a gap, or one is missing.
    """
    expected = 0
    for name, first, events in shards:
        if first != expected:
            what = "overlap" if first < expected else "leave a gap"
            raise FileFormatError(
                f"merge: the shards {what}: {name} begins with event {first}, expected {expected}."
            )
        expected += events
    if expected != total:
        raise FileFormatError(
            f"merge: the shards hold {expected} of the run's {total} showers; a shard is missing."
        )
