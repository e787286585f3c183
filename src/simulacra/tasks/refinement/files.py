"""Files in, a folder out: refined events, the method's verdict on itself, a picture each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...data import ShowerFile, VoxelShowers, open_showers, write_showers
from ...data.formats.opening import guarded
from ...data.pair_files import write_columns
from ...errors import ArtifactError, ConfigError, ShapeError, UnknownNameError
from ...evaluation.plots.canvas import png
from ...execute import atomic_path, require_writable
from .problem import Samples
from .recipes import RefinerConfig, load_refiner, refiner
from .refining import refine
from .result import Refinement
from .showers import shower_table, weighted_showers
from .storing import Learned
from .transport import Transport

__all__ = ["EventTable", "apply_to_file", "read_showers_table", "read_table", "refine_files"]

Array = NDArray[Any]
FloatArray = NDArray[np.float64]

_PICTURES = 6  # observables that are drawn: those that were furthest apart


@dataclass(frozen=True, eq=False)
class EventTable:
    """Observables of a file's events.

    Args:
        rows: ``(events, observables)``, in the units of the file.
        weight: ``(events,)``; None where the file has none.
        names: of the observables.
        showers: the file, if it holds showers.
    """

    rows: FloatArray
    weight: FloatArray | None
    names: tuple[str, ...]
    showers: ShowerFile | None = None


def read_table(path: Path | str, names: Sequence[str], weight: str | None = None) -> EventTable:
    """Read columns of an HDF5, ROOT or Parquet file with one number per event each.

    Args:
        path: the file.
        names: of the observables.
        weight: name of the column of event weights.

    Raises:
        UnknownNameError: if a column is not there.
        ShapeError: if a column has more than one number per event, or columns differ in length.
        FileFormatError: if the file cannot be read.
    """
    wanted = [*names, *([weight] if weight else [])]
    columns = []
    with guarded(Path(path)) as file:
        for name in wanted:
            if name not in file:
                raise UnknownNameError(f"column of {path}", name, file)
            column = file[name]
            if getattr(column, "ndim", 2) != 1:
                raise ShapeError(
                    f"{path}: column {name!r} has the shape {getattr(column, 'shape', '?')}; "
                    "expected one number per event."
                )
            columns.append(np.asarray(column[:], np.float64))
    if len({len(column) for column in columns}) > 1:
        found = ", ".join(f"{n} {len(c)}" for n, c in zip(wanted, columns, strict=True))
        raise ShapeError(f"{path}: expected columns of one length, found {found}.")
    rows = np.column_stack(columns[: len(names)])
    return EventTable(rows, columns[-1] if weight else None, tuple(names))


def read_showers_table(path: Path | str) -> EventTable:
    """Read a file of showers as the judge's high-level observables.

    Raises:
        FileFormatError: if it is no file of showers.
        ShapeError: if there are no showers in it.
    """
    file = open_showers(path)
    weights: list[Array | None] = []

    def parts() -> Iterator[VoxelShowers]:
        for part in file.chunks():
            weights.append(part.weight)
            yield part

    rows, names = shower_table(parts())
    given = [np.asarray(weight, np.float64) for weight in weights if weight is not None]
    return EventTable(rows, np.concatenate(given) if given else None, names, file)


def refine_files(
    source: EventTable,
    target: EventTable,
    config: RefinerConfig,
    out: Path | str,
    *,
    seed: int = 0,
    workers: int = 1,
) -> Refinement:
    """Refine a file's events; learn on one half, judge on the other, write all.

    Written are ``refined.hdf5`` (showers with weights, or a table of observables with ``weight``),
    ``held_out.hdf5`` (which events of the source the method has not learned from), ``result`` (the
    held-out half with its diagnosis), ``method`` (fitted, for :func:`apply_to_file`) and ``*.png``.

    Args:
        source: what is refined.
        target: what it should look like.
        config: of the method.
        out: folder for the results.
        seed: identity of split, training and judging.
        workers: processes that judge at the same time; they change no bit.

    Raises:
        ShapeError: if the two have different observables.
        ConfigError: if showers should be moved, which only weights can refine.
        OutputError: if the folder cannot be written.
    """
    out, method = Path(out), refiner(config)
    if source.names != target.names:
        raise ShapeError(
            "refine: expected source and target with the same observables, got "
            f"{len(source.names)} and {len(target.names)}, of different detectors or columns."
        )
    if source.showers is not None and isinstance(method, Transport):
        raise ConfigError(
            "transport moves observables, from which no shower can be put together again; choose "
            "a recipe of weights for showers."
        )
    require_writable(out)
    samples = Samples.of(source.rows, target.rows, source.weight, target.weight)
    result = refine(samples, method, names=source.names, seed=seed, workers=workers)
    events, weights = method.refine(samples.tables[0], samples.source_weight)
    held_out = np.zeros(len(events), np.int8)
    held_out[samples.split(seed=seed)[0][1]] = 1
    _write_refined(out, source, events, weights)
    write_columns(out / "held_out.hdf5", {"held_out": held_out})
    result.save(out / "result")
    method.save(out / "method", Learned(source.names, _detector(source)))
    for column in _furthest(result):
        name = "".join(c if c.isalnum() else "-" for c in result.names[column])
        with atomic_path(out / f"{name}.png") as path:
            path.write_bytes(png(result.plot(column)))
    return result


def apply_to_file(
    method: Path | str, path: Path | str, out: Path | str, weight: str | None = None
) -> Path:
    """Refine further events with a method that :func:`refine_files` wrote; nothing is judged.

    Weights and moves are those that the method would have given in its own run, bit for bit.

    Args:
        method: its folder.
        path: showers or a table, like the file that the method was learned on.
        out: folder for ``refined.hdf5``.
        weight: name of the column of event weights of a table.

    Raises:
        ArtifactError: if the folder holds no such method, or one that nobody named observables of.
        ShapeError: if the file is of another detector than the method.
        UnknownNameError: if the table lacks a column.
        ConfigError: if a column of weights is named and the file holds showers.
        OutputError: if the folder cannot be written.
    """
    fitted, learned = load_refiner(method)
    if not learned.observables:
        raise ArtifactError(
            f"{method}: does not say which observables it was learned on; it was saved without "
            "their names or by an earlier version. Fit it again, or use it from Python."
        )
    if learned.detector and weight is not None:
        raise ConfigError("--weight names a column of a table; showers carry their own weights.")
    table = (
        read_showers_table(path)
        if learned.detector
        else read_table(path, learned.observables, weight)
    )
    if (table.names, _detector(table)) != (learned.observables, learned.detector):
        raise ShapeError(
            f"{path}: expected showers in {learned.detector}, which the method was learned on, "
            f"found {_detector(table)}; refine them with a method of their own."
        )
    require_writable(Path(out))
    return _write_refined(Path(out), table, *fitted.refine(table.rows, table.weight))


def _detector(table: EventTable) -> str:
    return "" if table.showers is None else table.showers.geometry.name


def _write_refined(out: Path, came: EventTable, events: Array, weights: FloatArray) -> Path:
    path = out / "refined.hdf5"
    if came.showers is None:
        columns = dict(zip(came.names, events.T, strict=True))
        write_columns(path, {**columns, "weight": weights})
    else:
        write_showers(path, _weighted(came.showers, weights))
    return path


def _weighted(file: ShowerFile, weights: FloatArray) -> Iterator[VoxelShowers]:
    start = 0
    for part in file.chunks():
        yield weighted_showers(part, weights[start : start + len(part)])
        start += len(part)


def _furthest(result: Refinement) -> list[int]:
    """Return the observables whose means were furthest apart, in widths of the target."""
    source, target = result.samples.tables
    centre = np.average(target, axis=0, weights=result.samples.target_weight)
    other = np.average(source, axis=0, weights=result.samples.source_weight)
    width = target.std(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        distance = np.nan_to_num(np.abs(centre - other) / width)
    drawn = np.flatnonzero(width > 0)
    order = drawn[np.argsort(-distance[drawn], kind="stable")]
    return [int(column) for column in order[:_PICTURES]]
