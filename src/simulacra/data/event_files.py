"""Files of collision events: Parquet that awkward, pandas and Spark read, a piece at a time."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import DependencyError, FileFormatError, RangeError
from ..execute import atomic_path
from .events import Events, Ragged

if TYPE_CHECKING:
    import awkward
    import pyarrow

__all__ = ["EventFile", "merge_events", "open_events", "to_awkward", "write_events"]

_KEY = b"simulacra"
_FORMAT = "simulacra-events/1"
_GROUP = 1000
"""Events per row group, the same in every file: so merged shards are the bytes of one run."""


class EventFile:
    """A file of collision events on disk; nothing but its description is in memory.

    Made by :func:`open_events`. May be pickled: no handle is kept open.

    Args:
        path: the file.
        events: how many there are.
        provenance: what the file says of itself.
    """

    def __init__(self, path: Path, events: int, provenance: dict[str, Any]) -> None:
        self.path, self.events, self.provenance = path, events, provenance

    def __len__(self) -> int:
        return self.events

    def chunks(self) -> Iterator[Events]:
        """Read the events a thousand at a time.

        Raises:
            FileFormatError: if the file is cut or is not what it says.
        """
        arrow = _arrow()
        try:
            with arrow.parquet.ParquetFile(self.path) as file:
                for group in range(file.num_row_groups):
                    yield _from_arrow(file.read_row_group(group), self.provenance)
        except (arrow.ArrowException, OSError) as error:
            raise FileFormatError(f"{self.path}: cannot be read as Parquet ({error}).") from error

    def read(self) -> Events:
        """Read all events into memory."""
        return Events.concatenate(self.chunks())


def open_events(path: Path | str) -> EventFile:
    """Open a file that :func:`write_events` wrote.

    Raises:
        FileFormatError: if it is not such a file.
        DependencyError: if pyarrow is not installed.
    """
    arrow = _arrow()
    try:
        with arrow.parquet.ParquetFile(path) as file:
            said = (file.schema_arrow.metadata or {}).get(_KEY)
            events = file.metadata.num_rows
    except (arrow.ArrowException, OSError) as error:
        raise FileFormatError(f"{path}: cannot be read as Parquet ({error}).") from error
    if said is None:
        raise FileFormatError(
            f"{path}: is a Parquet file, but not one of collision events that simulacra wrote."
        )
    provenance = json.loads(said)
    if provenance.pop("format", None) != _FORMAT:
        raise FileFormatError(f"{path}: is of an unknown version; this package reads {_FORMAT}.")
    return EventFile(Path(path), events, provenance)


def write_events(
    path: Path | str,
    parts: Events | Iterable[Events],
    *,
    provenance: Mapping[str, Any] | None = None,
) -> int:
    """Write events to a Parquet file that appears whole or not at all.

    Every table becomes a column of lists of records, so ``awkward.from_parquet`` gives the jagged
    arrays back. Memory is that of a thousand events and one part.

    Args:
        path: the file; one that stands there is replaced at the end.
        parts: events, or an iterable of events with the same tables and columns.
        provenance: further plain data to store; it overrides that of the first part.

    Returns:
        The number of events written.

    Raises:
        RangeError: if there is no event.
        ShapeError: if the parts differ in tables or columns.
        OutputError: if the folder cannot be written or the disk is full.
        DependencyError: if pyarrow is not installed.
    """
    arrow = _arrow()
    groups = _regrouped(iter([parts]) if isinstance(parts, Events) else iter(parts))
    first = next(groups, None)
    if first is None:
        raise RangeError(f"{path}: there are no events to write; expected at least one.")
    written = len(first)
    with atomic_path(path) as temporary:
        table = _to_arrow(first)
        said = {**first.provenance, **(provenance or {}), "format": _FORMAT}
        schema = table.schema.with_metadata({_KEY: json.dumps(said, sort_keys=True)})
        with (
            temporary.open("wb") as sink,
            arrow.parquet.ParquetWriter(sink, schema, compression="zstd") as writer,
        ):
            writer.write_table(table.cast(schema), row_group_size=_GROUP)
            for group in groups:
                writer.write_table(_to_arrow(group).cast(schema), row_group_size=_GROUP)
                written += len(group)
    return written


def merge_events(path: Path | str, parts: Sequence[Path | str]) -> int:
    """Join shards of one run, in any order, without loading them.

    The result is the file that one run of all events would have written.

    Args:
        path: the file to write.
        parts: all shards of one run.

    Returns:
        The number of events written.

    Raises:
        FileFormatError: if the files are of different runs, overlap or leave a gap.
        RangeError: if there is no part.
    """
    files = [open_events(part) for part in parts]
    if not files:
        raise RangeError("merge: expected at least one file to join, got none.")
    runs = {json.dumps(file.provenance.get("run"), sort_keys=True) for file in files}
    if len(runs) > 1 or runs == {"null"}:
        raise FileFormatError(
            "merge: the files are not shards of one run (other settings, seed or number of "
            "events); only shards of one run can be joined."
        )
    files.sort(key=lambda file: int(file.provenance["first_event"]))
    expected = 0
    for file in files:
        first = int(file.provenance["first_event"])
        if first != expected:
            raise FileFormatError(
                f"merge: the shards {'overlap' if first < expected else 'leave a gap'}: "
                f"{file.path.name} begins with event {first}, expected {expected}."
            )
        expected += len(file)
    total = int(files[0].provenance["events_of_run"])
    if expected != total:
        raise FileFormatError(
            f"merge: the shards hold {expected} of the run's {total} events; a shard is missing."
        )
    whole = {"first_event": 0, "shard": "0/1"}
    return write_events(path, (c for file in files for c in file.chunks()), provenance=whole)


def to_awkward(events: Events) -> awkward.Array:
    """Return events as an awkward array: one record per event, one list of records per table.

    Raises:
        DependencyError: if awkward is not installed.
    """
    try:
        import awkward as ak
    except ImportError:
        raise _missing("awkward") from None
    fields: dict[str, Any] = {"number": events.number, **events.columns}
    for name, table in events.tables.items():
        records = ak.zip({key: ak.Array(column) for key, column in table.columns.items()})
        fields[name] = ak.unflatten(records, table.counts)
    return ak.zip(fields, depth_limit=1)


def _regrouped(parts: Iterator[Events]) -> Iterator[Events]:
    """Cut and join parts to the size of a row group; the last may be smaller."""
    held: list[Events] = []
    count = 0
    for part in parts:
        held.append(part)
        count += len(part)
        while count >= _GROUP:
            whole = held[0] if len(held) == 1 else Events.concatenate(held)
            yield whole.select(slice(0, _GROUP))
            held, count = [whole.select(slice(_GROUP, count))], count - _GROUP
    if count:
        yield Events.concatenate(held)


def _to_arrow(events: Events) -> pyarrow.Table:
    """Convert to Arrow; nothing may be missing, and the schema says so."""
    arrow = _arrow()
    flat = {"number": events.number, **events.columns}
    arrays = {name: arrow.array(column) for name, column in flat.items()}
    for name, table in events.tables.items():
        columns = {key: arrow.array(column) for key, column in table.columns.items()}
        fields = [arrow.field(key, array.type, nullable=False) for key, array in columns.items()]
        records = arrow.StructArray.from_arrays(list(columns.values()), fields=fields)
        item = arrow.field("item", records.type, nullable=False)
        arrays[name] = arrow.LargeListArray.from_arrays(
            arrow.array(table.offsets), records, type=arrow.large_list(item)
        )
    schema = [arrow.field(name, array.type, nullable=False) for name, array in arrays.items()]
    return arrow.table(list(arrays.values()), schema=arrow.schema(schema))


def _from_arrow(table: pyarrow.Table, provenance: dict[str, Any]) -> Events:
    arrow = _arrow()
    tables: dict[str, Ragged] = {}
    columns: dict[str, Any] = {}
    for name in table.column_names:
        column = table.column(name).combine_chunks()
        if not arrow.types.is_large_list(column.type):
            columns[name] = _numbers(column)
            continue
        offsets = np.asarray(column.offsets, np.int64)
        records = column.flatten()
        names = [field.name for field in column.type.value_type]
        flat = dict(zip(names, map(_numbers, records.flatten()), strict=True))
        tables[name] = Ragged(offsets - offsets[0], flat)
    return Events(columns.pop("number"), tables, columns, provenance)


def _numbers(array: pyarrow.Array) -> Any:
    return array.to_numpy(zero_copy_only=False)


def _arrow() -> Any:
    try:
        import pyarrow.parquet
    except ImportError:
        raise _missing("pyarrow") from None
    return pyarrow


def _missing(package: str) -> DependencyError:
    return DependencyError(
        f"files of collision events need the package {package}; pip install 'simulacra[pythia]'."
    )
