"""Files of showers: opened lazily, read piece by piece, larger than memory if need be."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import h5py
import numpy as np
from numpy.typing import NDArray

from ..errors import FileFormatError, RangeError
from ..remote import opened
from .attributes import array_names, find_geometry, read_array, read_attributes
from .formats import Content, Format, PointFormat, Rows, format_named, recognise
from .formats.guard import translated
from .formats.opening import guarded, open_file, refuse_unsafe
from .formats.tables import Table
from .geometry import Geometry
from .inspection import Inspection, Validation, refuse_bad_values
from .pointfiles import PointFile
from .showers import VoxelShowers

__all__ = ["ShowerFile", "open_showers", "read_showers"]

_CHUNK_BYTES = 64 * 2**20
_GLANCES, _SHOWERS_PER_GLANCE = 8, 64


class ShowerFile:
    """A file of showers on disk; nothing but its description is in memory.

    Made by :func:`open_showers`. May be pickled and sent to other processes: no handle is kept
    open, except between ``with`` and its end, and that one does not travel.

    Args:
        path: the file.
        format: its layout.
        content: what the layout says about it.
        geometry: the detector of its showers.
        provenance: its attributes as plain data.
        arrays: names of the further arrays stored beside the showers.
        energy_scale: factor on the voxel energies, dimensionless.
        axis: x and y of the shower axis in the coordinates of a file of points, in mm.
    """

    def __init__(
        self,
        path: Path,
        *,
        format: Format | PointFormat,
        content: Content,
        geometry: Geometry,
        provenance: dict[str, Any],
        arrays: tuple[str, ...] = (),
        energy_scale: float = 1.0,
        axis: tuple[float, float] = (0.0, 0.0),
    ) -> None:
        self.path = path
        self.points: PointFile | None = None
        if isinstance(format, PointFormat):
            self.points = PointFile(
                path,
                format=format,
                content=content,
                provenance=provenance,
                geometry=geometry,
                arrays=arrays,
                energy_scale=energy_scale,
                axis=axis,
            )
        self.format = format.name
        self.geometry = geometry
        self.provenance = provenance
        self.arrays = arrays
        self.energy_scale = energy_scale
        self._content = content
        self._handle: h5py.File | Table | None = None

    def __len__(self) -> int:
        return self._content.events

    @property
    def events(self) -> int:
        """Number of showers."""
        return self._content.events

    @property
    def dtype(self) -> np.dtype[Any]:
        """Dtype of the voxel energies: the file's, at least single precision."""
        return self._content.dtype

    @property
    def chunk_events(self) -> int:
        """Showers of one piece that the file compresses as a whole."""
        return self._content.chunk_events

    @property
    def conditions(self) -> tuple[str, ...]:
        """Names of the conditions besides the incident energy."""
        return self._content.conditions

    @property
    def weighted(self) -> bool:
        """True if the file has event weights."""
        return self._content.weighted

    def digest(self) -> str:
        """Return the SHA-256 of the file's bytes."""
        with opened(self.path) as handle:
            return hashlib.file_digest(handle, "sha256").hexdigest()  # type: ignore[arg-type]

    def read(
        self, start: int = 0, stop: int | None = None, *, strict: bool = False
    ) -> VoxelShowers:
        """Read a run of showers into memory.

        Args:
            start: number of the first shower, from 0.
            stop: number after the last one; by default the end.
            strict: refuse negative voxels that are within rounding, too.

        Raises:
            RangeError: if the run is not inside the file.
            FileFormatError: if the run holds numbers that are no energies, or is damaged.
        """
        stop = self.events if stop is None else stop
        if not 0 <= start <= stop <= self.events:
            raise RangeError(
                f"{self.path}: showers {start} to {stop} asked for, the file has {self.events}."
            )
        with self._file() as file:
            return self._read(file, start, stop, strict=strict)

    def chunks(self, events: int | None = None, *, strict: bool = False) -> Iterator[VoxelShowers]:
        """Read the whole file piece by piece, in order.

        Args:
            events: showers per piece; by default about 64 MB, in whole chunks of the file.
            strict: refuse negative voxels that are within rounding, too.

        Yields:
            The showers; every piece but the last has the same number.

        Raises:
            RangeError: if ``events`` is below 1.
            FileFormatError: if a piece holds numbers that are no energies, or is damaged.
        """
        if events is not None and events < 1:
            raise RangeError(f"events: expected at least 1 shower per piece, got {events}.")
        step = self._step() if events is None else events
        with self._file() as file:
            for start in range(0, self.events, step):
                stop = min(start + step, self.events)
                yield self._read(file, start, stop, strict=strict)

    def incident_energy(self) -> NDArray[Any]:
        """Return the incident energies of all showers in MeV, shape ``(events,)``."""
        return self.columns()["incident_energy"]

    def columns(self) -> dict[str, NDArray[Any]]:
        """Return all that is one number per shower, by name, shape ``(events,)`` each.

        ``incident_energy`` in MeV, the conditions (see ``CONDITIONS``) and ``weight`` if the
        file has weights. The showers themselves are not read.
        """
        with self._file() as file:
            energy, conditions, weight = format_named(self.format).columns.read(
                file, 0, self.events
            )
        found = {"incident_energy": energy, **conditions}
        return found if weight is None else {**found, "weight": weight}

    def array(self, name: str) -> NDArray[Any]:
        """Return a further array that was stored beside the showers.

        Raises:
            RangeError: if the file has none of that name.
        """
        if name not in self.arrays:
            raise RangeError(
                f"{self.path}: there is no array {name!r}; it has "
                f"{', '.join(self.arrays) or 'none'}."
            )
        with self._file() as file:
            return read_array(file, name)

    def validate(self, *, strict: bool = False, trust_units: bool = False) -> Validation:
        """Read the whole file once and say what is in it.

        Args:
            strict: refuse negative voxels that are within rounding, as training does.
            trust_units: do not refuse energies that look as if they were in GeV.

        Raises:
            FileFormatError: if a number is no energy, or every shower is empty.
            UnitError: if energies look as if they were in GeV.
        """
        inspection = Inspection(self.geometry, str(self.path))
        for part in self.chunks(strict=strict):
            inspection.add(part)
        return inspection.result(trust_units=trust_units)

    def __enter__(self) -> Self:
        self._handle = open_file(self.path)
        return self

    def __exit__(self, *_: object) -> None:
        if self._handle is not None:
            self._handle.close()
        self._handle = None

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"_handle": None}

    def __repr__(self) -> str:
        return (
            f"ShowerFile({self.path}, {self.events} showers, {self.geometry.name}, {self.format})"
        )

    def refuse_gev(self) -> None:
        """Look at some showers, spread over the file, and refuse energies in GeV.

        Raises:
            FileFormatError: if a number that is looked at is no energy.
            UnitError: if energies look as if they were in GeV.
        """
        inspection = Inspection(self.geometry, str(self.path))
        few = self.events <= _GLANCES * _SHOWERS_PER_GLANCE  # one piece is unpacked once then
        glances, size = (1, self.events) if few else (_GLANCES, _SHOWERS_PER_GLANCE)
        with self._file() as file:
            for start in sorted({self.events * i // glances for i in range(glances)}):
                stop = min(start + size, self.events)
                inspection.add(self._read(file, start, stop, strict=False))
        inspection.refuse_gev()

    @contextlib.contextmanager
    def _file(self) -> Iterator[h5py.File | Table]:
        if self._handle is not None:
            with translated(self.path):
                yield self._handle
            return
        with guarded(self.path) as file:
            yield file

    def _read(
        self, file: h5py.File | Table, start: int, stop: int, *, strict: bool
    ) -> VoxelShowers:
        rows = self._rows(file, start, stop)
        showers = VoxelShowers(
            energies=rows.energies,
            incident_energy=rows.incident_energy,
            geometry=self.geometry,
            conditions=rows.conditions,
            weight=rows.weight,
            provenance=self.provenance,
            lost=rows.lost,
        )
        refuse_bad_values(showers, f"{self.path}", first=start, strict=strict)
        return showers

    def _rows(self, file: h5py.File | Table, start: int, stop: int) -> Rows:
        layout = format_named(self.format)
        if self.points is not None:
            return self.points.voxel_rows(file, self.geometry, start, stop)
        if isinstance(layout, PointFormat):
            raise FileFormatError(f"{self.path}: {self.format} is no layout of voxels.")
        rows = layout.rows(file, self.geometry, start, stop)
        if self.energy_scale != 1.0:
            rows.energies[...] *= rows.energies.dtype.type(self.energy_scale)
        return rows

    def _step(self) -> int:
        row = self.geometry.voxels * self.dtype.itemsize
        aligned = self._content.chunk_events
        return max(1, _CHUNK_BYTES // row // aligned) * aligned


def open_showers(
    path: Path | str,
    *,
    geometry: str | Path | Geometry | None = None,
    format: str | None = None,
    energy_scale: float = 1.0,
    axis: tuple[float, float] = (0.0, 0.0),
) -> ShowerFile:
    """Open a file of showers without reading any.

    Keys, shapes, dtypes and links are checked here; numbers are checked when they are read.
    A file of points is read as voxels of the geometry; the points themselves are in ``points`` of
    the result.

    Args:
        path: an HDF5, ROOT or Parquet file of one of the known formats.
        geometry: the name of a built-in geometry, a binning XML or a geometry; by default what
            the file states, else the only built-in one with this number of voxels.
        format: name of the format; by default found from the keys.
        energy_scale: factor on the voxel energies, dimensionless; for example ``1 / 0.033`` to
            correct Par04's deposited energies for the sampling fraction.
        axis: x and y of the shower axis in the coordinates of a file of points, in mm.

    Raises:
        FileFormatError: if the file is missing, damaged, dangerous or of no known format, or
            has no showers.
        ShapeError: if its showers do not fit the geometry, naming one that they would fit.
        UnknownNameError: if the geometry or the format is not known.
        DependencyError: if the package for this kind of file is not installed.
    """
    path = Path(path)
    with guarded(path) as file:
        refuse_unsafe(file, path)
        layout = recognise(file) if format is None else format_named(format)
        content = layout.content(file)
        if content.events == 0:
            raise FileFormatError(
                f"{path}: has no showers; expected at least one. Did the program that wrote it "
                "stop early?"
            )
        provenance = read_attributes(file)
        said = geometry is not None or "geometry" in provenance
        told = (
            layout.geometry(file, provenance) if isinstance(layout, Format) and not said else None
        )
        found = find_geometry(provenance, content.voxels, path, geometry, told)
        if isinstance(layout, Format):
            layout.check_geometry(file, found)
        arrays = array_names(file)
    return ShowerFile(
        path,
        format=layout,
        content=content,
        geometry=found,
        provenance=provenance,
        arrays=arrays,
        energy_scale=energy_scale,
        axis=axis,
    )


def read_showers(
    path: Path | str,
    *,
    geometry: str | Path | Geometry | None = None,
    format: str | None = None,
    energy_scale: float = 1.0,
    strict: bool = False,
) -> VoxelShowers:
    """Read a whole file into memory and check it; for files that fit.

    Args:
        path: see :func:`open_showers`, like ``geometry``, ``format`` and ``energy_scale``.
        geometry: see there.
        format: see there.
        energy_scale: see there.
        strict: refuse negative voxels that are within rounding, as training does; otherwise
            they are counted and warned about once.

    Raises:
        FileFormatError: as :func:`open_showers` and :meth:`ShowerFile.validate`.
        UnitError: if energies look as if they were in GeV.
    """
    source = open_showers(path, geometry=geometry, format=format, energy_scale=energy_scale)
    showers = source.read(strict=strict)
    inspection = Inspection(source.geometry, str(path))
    inspection.add(showers)
    inspection.result()
    return showers
