"""Showers to disk: streamed, compressed, complete or not there at all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from ..errors import FileFormatError, RangeError, ShapeError
from ..execute import atomic_path
from .attributes import write_array, write_attributes
from .chunks import ChunkPacker
from .formats import PointFormat, WrittenPoints, format_named
from .formats.dense import rows_per_chunk
from .geometry import Geometry
from .pointfiles import write_points
from .showers import VoxelShowers
from .sink import container_of, refuse_misnamed, sink_of
from .voxelize import to_points

__all__ = ["write_showers"]


def write_showers(
    path: Path | str,
    parts: VoxelShowers | Iterable[VoxelShowers],
    *,
    format: str | None = None,
    attributes: Mapping[str, Any] | None = None,
    arrays: Mapping[str, NDArray[Any]] | None = None,
) -> int:
    """Write showers to a file that appears whole or not at all.

    The parts are written as they come, so that they may be made or read one by one, and packed by
    a thread while the next ones are made; memory is that of two parts and of four chunks.
    Geometry, layer depths and units go into the file's attributes, from which reading rebuilds
    them.

    Args:
        path: the file to write; a file that stands there is replaced at the end.
        parts: showers, or an iterable of showers of one geometry with the same conditions.
        format: name of the layout, see ``FORMATS``; ``points`` puts a point into the middle of
            each voxel that has energy. By default ``root`` and ``parquet`` where the
            name of the file ends so, else ``cells`` for rectangular cells and
            ``calochallenge`` for rings.
        attributes: further provenance (plain strings, numbers, lists); it overrides that of
            the first part.
        arrays: further numeric arrays to store beside the showers, by name (for example
            training event keys), any shape.

    Returns:
        The number of showers written.

    Raises:
        RangeError: if there is no shower, an attribute is too long, or the name of the file is
            that of another kind of file.
        ShapeError: if the parts differ in geometry, conditions or weights, or the format cannot
            hold the geometry.
        OutputError: if the folder cannot be written or the disk is full.
        FileFormatError: if the format is one that is only read.
        UnknownNameError: if the format is not known.
        DependencyError: if the package for this kind of file is not installed.
    """
    stream = iter([parts]) if isinstance(parts, VoxelShowers) else iter(parts)
    first = next((part for part in stream if len(part)), None)
    if first is None:
        raise RangeError(f"{path}: there are no showers to write; expected at least one.")
    layout = format_named(format or _usual_format(path, first.geometry))
    if isinstance(layout, PointFormat):
        if not isinstance(layout, WrittenPoints):
            raise FileFormatError(f"{path}: the format {layout.name} is only read; write points.")
        clouds = (to_points(part) for part in _alike(chain([first], stream), first, 1))
        return write_points(
            path,
            clouds,
            format=layout.name,
            geometry=first.geometry,
            attributes=attributes,
            arrays=arrays,
        )
    refuse_misnamed(path, layout)
    dtype = first.energies.dtype
    written = 0
    with (
        atomic_path(path) as temporary,
        sink_of(layout, temporary) as sink,
        ChunkPacker() as packer,
    ):
        file = sink.file
        layout.create(file, first, dtype)
        held = sink.hold()
        rows = rows_per_chunk(first.geometry.voxels, dtype)
        for part in _alike(chain([first], stream), first, rows):
            layout.append(file, part, packer.append)
            sink.check()
            written += len(part)
        packer.finish()
        sink.check()
        del held
        write_attributes(file, first.geometry, {**first.provenance, **(attributes or {})})
        file.attrs["format"] = layout.name
        for name, array in (arrays or {}).items():
            write_array(file, name, array)
    return written


def _usual_format(path: Path | str, where: Geometry) -> str:
    container = container_of(path)
    if container != "hdf5":
        return container
    return "cells" if where.rectangular else "calochallenge"


def _alike(parts: Iterable[VoxelShowers], first: VoxelShowers, rows: int) -> Iterator[VoxelShowers]:
    """Check that every part is like the first, and join small ones to whole chunks."""
    waiting: list[VoxelShowers] = []
    for part in parts:
        _refuse_unlike(part, first)
        if len(part):
            waiting.append(part)
        held = sum(map(len, waiting))
        if held >= rows:
            whole = waiting[0] if len(waiting) == 1 else VoxelShowers.concatenate(waiting)
            cut = held - held % rows
            yield whole.select(slice(0, cut))
            waiting = [whole.select(slice(cut, held))] if cut < held else []
    if waiting:
        yield VoxelShowers.concatenate(waiting)


def _refuse_unlike(part: VoxelShowers, first: VoxelShowers) -> None:
    if part.geometry.digest != first.geometry.digest:
        raise ShapeError(
            f'expected parts of one geometry, got "{first.geometry.name}" and '
            f'"{part.geometry.name}".'
        )
    found = (sorted(part.conditions), part.weight is not None)
    if found != (sorted(first.conditions), first.weight is not None):
        raise ShapeError(
            f"expected parts with the same columns, got conditions {sorted(first.conditions)} "
            f"and {found[0]}, weights in one but not in the other or different conditions."
        )
