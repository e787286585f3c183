"""Files of point clouds: opened lazily, read piece by piece, written whole or not at all."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from ..errors import FileFormatError, RangeError, ShapeError
from ..execute import atomic_path
from ..remote import opened
from .attributes import (
    array_names,
    find_geometry,
    read_array,
    read_attributes,
    write_array,
    write_attributes,
)
from .formats import (
    POINT_FORMATS,
    Content,
    PointFormat,
    Rows,
    WrittenPoints,
    format_named,
    recognise,
)
from .formats.opening import guarded, refuse_unsafe
from .formats.tables import Table
from .geometry import Geometry
from .point_inspection import PointInspection, PointValidation, refuse_bad_points
from .points import PointShowers
from .sink import container_of, refuse_misnamed, sink_of
from .voxelize import voxelize

__all__ = ["PointFile", "holds_points", "open_points", "write_points"]

_PIECE_POINTS = 1 << 21
_POINT_BYTES = 32
"""What a point takes in memory: position, energy, layer, number of its event."""


class PointFile:
    """A file of point clouds on disk; nothing but its description is in memory.

    Made by :func:`open_points`. May be pickled and sent to other processes.

    Args:
        path: the file.
        format: its layout.
        content: what the layout says about it.
        provenance: its attributes as plain data.
        geometry: the voxels that the file says its showers are judged in; None if it does not.
        arrays: names of the further arrays stored beside the showers.
        energy_scale: factor on the points' energies, dimensionless.
        axis: x and y of the shower axis in the file's coordinates, in mm.
    """

    def __init__(
        self,
        path: Path,
        *,
        format: PointFormat,
        content: Content,
        provenance: dict[str, Any],
        geometry: Geometry | None = None,
        arrays: tuple[str, ...] = (),
        energy_scale: float = 1.0,
        axis: tuple[float, float] = (0.0, 0.0),
    ) -> None:
        self.path = path
        self.format = format.name
        self.geometry = geometry
        self.provenance = provenance
        self.arrays = arrays
        self.energy_scale = energy_scale
        self.axis = axis
        self._content = content

    def __len__(self) -> int:
        return self._content.events

    @property
    def events(self) -> int:
        """Number of showers."""
        return self._content.events

    @property
    def point_number(self) -> int:
        """Number of points of all showers together, padding included."""
        return self._content.points

    @property
    def dtype(self) -> np.dtype[Any]:
        """Dtype of the energies: the file's, at least single precision."""
        return self._content.dtype

    @property
    def conditions(self) -> tuple[str, ...]:
        """Names of the conditions besides the incident energy."""
        return self._content.conditions

    @property
    def weighted(self) -> bool:
        """True if the file has event weights."""
        return self._content.weighted

    @property
    def row_bytes(self) -> int:
        """Memory that the points of a shower take on average."""
        return _POINT_BYTES * self._content.points // max(1, self.events)

    def digest(self) -> str:
        """Return the SHA-256 of the file's bytes."""
        with opened(self.path) as handle:
            return hashlib.file_digest(handle, "sha256").hexdigest()  # type: ignore[arg-type]

    def read(self, start: int = 0, stop: int | None = None) -> PointShowers:
        """Read a run of showers into memory.

        Args:
            start: number of the first shower, from 0.
            stop: number after the last one; by default the end.

        Raises:
            RangeError: if the run is not inside the file.
            FileFormatError: if the run holds numbers that are no points, or is damaged.
        """
        stop = self.events if stop is None else stop
        if not 0 <= start <= stop <= self.events:
            raise RangeError(
                f"{self.path}: showers {start} to {stop} asked for, the file has {self.events}."
            )
        with guarded(self.path) as file:
            return self._read(file, start, stop)

    def chunks(
        self, events: int | None = None, start: int = 0, stop: int | None = None
    ) -> Iterator[PointShowers]:
        """Read the file piece by piece, in order.

        Args:
            events: showers per piece; by default as many as have about two million points.
            start: number of the first shower.
            stop: number after the last one; by default the end.

        Raises:
            RangeError: if ``events`` is below 1.
            FileFormatError: if a piece holds numbers that are no points, or is damaged.
        """
        if events is not None and events < 1:
            raise RangeError(f"events: expected at least 1 shower per piece, got {events}.")
        with guarded(self.path) as file:
            yield from self._pieces(file, start, self.events if stop is None else stop, events)

    def incident_energy(self) -> NDArray[Any]:
        """Return the incident energies of all showers in MeV, shape ``(events,)``."""
        with guarded(self.path) as file:
            return format_named(self.format).columns.read(file, 0, self.events)[0]

    def array(self, name: str) -> NDArray[Any]:
        """Return a further array that was stored beside the showers.

        Raises:
            RangeError: if the file has none of that name.
        """
        if name not in self.arrays:
            there = ", ".join(self.arrays) or "none"
            raise RangeError(f"{self.path}: there is no array {name!r}; it has {there}.")
        with guarded(self.path) as file:
            return read_array(file, name)

    def voxel_rows(
        self, file: h5py.File | Table, geometry: Geometry, start: int, stop: int
    ) -> Rows:
        """Read showers ``start`` to ``stop`` of the opened file, summed in voxels."""
        energies = np.empty((stop - start, geometry.voxels), self.dtype)
        lost = np.empty(stop - start)
        done = 0
        for piece in self._pieces(file, start, stop):
            showers = voxelize(piece, geometry, tolerance=1.0)
            energies[done : done + len(piece)] = showers.energies
            lost[done : done + len(piece)] = showers.lost
            done += len(piece)
        columns = format_named(self.format).columns.read(file, start, stop)
        return Rows(energies, *columns, lost=lost)

    def validate(self, *, trust_units: bool = False) -> PointValidation:
        """Read the whole file once and say what is in it.

        Args:
            trust_units: do not refuse energies that look as if they were in GeV.

        Raises:
            FileFormatError: if a number is no energy or position, or every shower is empty.
            UnitError: if energies look as if they were in GeV.
        """
        inspection = PointInspection(str(self.path))
        for piece in self.chunks():
            inspection.add(piece)
        return inspection.result(trust_units=trust_units)

    def refuse_gev(self) -> None:
        """Look at the first showers and refuse energies in GeV.

        Raises:
            FileFormatError: if a number that is looked at is no energy or position.
            UnitError: if energies look as if they were in GeV.
        """
        inspection = PointInspection(str(self.path))
        inspection.add(self.read(0, min(self.events, 512)))
        inspection.refuse_gev()

    def __repr__(self) -> str:
        return f"PointFile({self.path}, {self.events} showers, {self.format})"

    def _pieces(
        self, file: h5py.File | Table, start: int, stop: int, events: int | None = None
    ) -> Iterator[PointShowers]:
        step = events or max(1, _PIECE_POINTS * self.events // max(1, self._content.points))
        for first in range(start, stop, step):
            yield self._read(file, first, min(first + step, stop))

    def _read(self, file: h5py.File | Table, start: int, stop: int) -> PointShowers:
        layout = format_named(self.format)
        if not isinstance(layout, PointFormat):
            raise FileFormatError(f"{self.path}: {self.format} is no layout of points.")
        points = replace(layout.points(file, start, stop), provenance=self.provenance)
        if self.energy_scale != 1.0:
            scale = points.energy.dtype.type(self.energy_scale)
            points = replace(points, energy=points.energy * scale)
        refuse_bad_points(points, str(self.path), first=start)
        return points if self.axis == (0.0, 0.0) else points.moved(*self.axis)


def holds_points(path: Path | str) -> bool:
    """Tell by its keys whether a file holds points rather than voxels.

    Raises:
        FileFormatError: if it is no file of showers or of no known layout.
    """
    with guarded(Path(path)) as file:
        return isinstance(recognise(file), PointFormat)


def open_points(
    path: Path | str,
    *,
    format: str | None = None,
    energy_scale: float = 1.0,
    axis: tuple[float, float] = (0.0, 0.0),
) -> PointFile:
    """Open a file of point clouds without reading any.

    Args:
        path: a file of one of the layouts in ``POINT_FORMATS``.
        format: name of the layout; by default found from the keys.
        energy_scale: factor on the points' energies, dimensionless, for example one over the
            sampling fraction.
        axis: x and y of the shower axis in the file's coordinates, in mm.

    Raises:
        FileFormatError: if the file is missing, damaged, dangerous, of voxels or of no known
            layout, or has no showers.
        UnitError: if its incident energies are in another unit than the layout's.
        UnknownNameError: if the format is not known.
        DependencyError: if the package for this kind of file is not installed.
    """
    path = Path(path)
    with guarded(path) as file:
        refuse_unsafe(file, path)
        layout = recognise(file) if format is None else format_named(format)
        if not isinstance(layout, PointFormat):
            raise FileFormatError(
                f"{path}: is of the format {layout.name}, which holds voxels; expected points "
                f"({', '.join(POINT_FORMATS)}). Open it with `open_showers`."
            )
        content = layout.content(file)
        if content.events == 0:
            raise FileFormatError(f"{path}: has no showers; expected at least one.")
        provenance = read_attributes(file)
        stated = find_geometry(provenance, 0, path) if "geometry" in provenance else None
        arrays = array_names(file)
    return PointFile(
        path,
        format=layout,
        content=content,
        provenance=provenance,
        geometry=stated,
        arrays=arrays,
        energy_scale=energy_scale,
        axis=axis,
    )


def write_points(
    path: Path | str,
    parts: PointShowers | Iterable[PointShowers],
    *,
    format: str | None = None,
    geometry: Geometry | None = None,
    attributes: Mapping[str, Any] | None = None,
    arrays: Mapping[str, NDArray[Any]] | None = None,
) -> int:
    """Write point clouds to a file that appears whole or not at all.

    Args:
        path: the file to write; a file that stands there is replaced at the end.
        parts: showers, or an iterable of showers with the same columns, written as they come.
        format: name of the layout; by default ``points``, or ``root-points`` and
            ``parquet-points`` where the name of the file ends so.
        geometry: the voxels in which the showers are to be judged, stored in the file.
        attributes: further provenance (plain strings, numbers, lists); it overrides that of the
            first part.
        arrays: further numeric arrays to store beside the showers, by name, any shape.

    Returns:
        The number of showers written.

    Raises:
        RangeError: if there is no shower, an attribute is too long, or the name of the file is
            that of another kind of file.
        ShapeError: if the parts differ in layers, conditions or weights.
        OutputError: if the folder cannot be written or the disk is full.
    """
    stream = iter([parts]) if isinstance(parts, PointShowers) else iter(parts)
    first = next((part for part in stream if len(part)), None)
    if first is None:
        raise RangeError(f"{path}: there are no showers to write; expected at least one.")
    layout, written = _written_layout(path, format), 0
    with atomic_path(path) as temporary, sink_of(layout, temporary) as sink:
        file = sink.file
        layout.create(file, first)
        held = sink.hold()
        for part in chain([first], stream):
            if _columns(part) != _columns(first):
                raise ShapeError(
                    f"expected parts with the same columns, got {_columns(first)} and "
                    f"{_columns(part)}."
                )
            layout.append(file, part)
            sink.check()
            written += len(part)
        del held
        write_attributes(file, geometry, {**first.provenance, **(attributes or {})})
        file.attrs["format"] = layout.name
        for name, array in (arrays or {}).items():
            write_array(file, name, array)
    return written


def _written_layout(path: Path | str, format: str | None) -> WrittenPoints:
    container = container_of(path)
    layout = format_named(format or ("points" if container == "hdf5" else f"{container}-points"))
    if not isinstance(layout, WrittenPoints):
        raise FileFormatError(
            f"{path}: points are not written in the format {layout.name}; write points, "
            "root-points or parquet-points."
        )
    refuse_misnamed(path, layout)
    return layout


def _columns(part: PointShowers) -> list[str]:
    optional = {"layer": part.layer, "weight": part.weight}
    there = [name for name, array in optional.items() if array is not None]
    return [*sorted(part.conditions), *there]
