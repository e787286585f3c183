"""Our own layout for large sets: only the filled voxels, event after event."""

from __future__ import annotations

from typing import Any, ClassVar

import h5py
import numpy as np
from numpy.typing import DTypeLike, NDArray

from ...errors import FileFormatError, ShapeError
from ..geometry import Geometry
from ..showers import VoxelShowers, refuse_voxel_number
from .columns import Append, Columns, append_rows, native, required_dataset
from .contract import Content, Format, Rows
from .dense import CHUNK_BYTES, energies_dtype

__all__ = ["Sparse"]

_MAX_VOXELS = 10_000_000
"""A shower is unfolded in memory; the largest public ones have a quarter of a million."""


class Sparse(Format):
    """Compressed rows: the voxels that are not exactly 0, and where each event begins.

    ``voxel_energies`` (filled,) in MeV, ``voxel_index`` (filled,) as the flat index of the
    geometry, increasing within an event, ``event_offsets`` (events + 1,), so that event i is
    ``[event_offsets[i] : event_offsets[i + 1]]``; ``incident_energies`` (events,) in MeV and
    the optional columns of the challenge's layout. Attribute ``voxels``: voxels of a shower.
    """

    name: ClassVar[str] = "sparse"
    description: ClassVar[str] = "filled voxels only: voxel_energies, voxel_index, event_offsets"
    required: ClassVar[frozenset[str]] = frozenset(
        {"incident_energies", "voxel_energies", "voxel_index", "event_offsets"}
    )
    columns: ClassVar[Columns] = Columns("incident_energies")

    def content(self, file: h5py.File) -> Content:
        energies = required_dataset(file, "voxel_energies")
        index = required_dataset(file, "voxel_index")
        offsets = required_dataset(file, "event_offsets")
        whole = all(dataset.dtype.kind in "iu" for dataset in (index, offsets))
        flat = all(dataset.ndim == 1 for dataset in (energies, index, offsets))
        if not (whole and flat and len(offsets) and energies.shape == index.shape):
            raise FileFormatError(
                f"{file.filename}: expected `voxel_energies` and `voxel_index` of one length and "
                f"`event_offsets`, found shapes {energies.shape}, {index.shape}, {offsets.shape}."
            )
        self.columns.check(file, len(offsets) - 1)
        return Content(
            events=len(offsets) - 1,
            voxels=_declared_voxels(file),
            dtype=energies_dtype(energies),
            conditions=self.columns.present(file),
            weighted=self.columns.weighted(file),
            chunk_events=1,
        )

    def check_geometry(self, file: h5py.File, geometry: Geometry) -> None:
        if _declared_voxels(file) != geometry.voxels:
            events = len(file["event_offsets"]) - 1
            try:
                refuse_voxel_number((events, _declared_voxels(file)), geometry)
            except ShapeError as error:
                raise ShapeError(f"{file.filename}: {error}") from None

    def rows(self, file: h5py.File, geometry: Geometry, /, start: int, stop: int) -> Rows:
        offsets = file["event_offsets"][start : stop + 1].astype(np.int64)
        filled = len(file["voxel_energies"])
        counts = np.diff(offsets)
        if (
            (counts < 0).any()
            or (counts > geometry.voxels).any()
            or not 0 <= offsets[0] <= offsets[-1] <= filled
        ):
            raise _damaged(file, "event_offsets")
        values = native(file["voxel_energies"][offsets[0] : offsets[-1]])
        index = native(file["voxel_index"][offsets[0] : offsets[-1]]).astype(np.int64)
        if len(index) and (index.min() < 0 or index.max() >= geometry.voxels):
            raise _damaged(file, "voxel_index")
        index += np.repeat(np.arange(len(counts), dtype=np.int64) * geometry.voxels, counts)
        if (index[1:] <= index[:-1]).any():
            raise _damaged(file, "voxel_index")
        energies: NDArray[Any] = np.zeros(
            (len(counts), geometry.voxels), energies_dtype(file["voxel_energies"])
        )
        energies.reshape(-1)[index] = values
        return Rows(energies, *self.columns.read(file, start, stop))

    def create(self, file: h5py.File, first: VoxelShowers, dtype: DTypeLike) -> None:
        voxels = first.geometry.voxels
        file.attrs["voxels"] = voxels
        index = np.uint16 if voxels <= 2**16 else np.uint32
        for key, kind in (("voxel_energies", dtype), ("voxel_index", index)):
            file.create_dataset(
                key,
                shape=(0,),
                maxshape=(None,),
                chunks=(CHUNK_BYTES // np.dtype(kind).itemsize,),
                dtype=kind,
                compression="gzip",
                compression_opts=1,
                shuffle=True,
            )
        file.create_dataset(
            "event_offsets",
            data=np.zeros(1, np.int64),
            maxshape=(None,),
            chunks=(8192,),
            compression="gzip",
            shuffle=True,
        )
        self.columns.create(file, first)

    def append(self, file: h5py.File, part: VoxelShowers, add: Append = append_rows) -> None:
        flat = part.energies.reshape(-1)
        where = np.flatnonzero(flat)
        starts = np.arange(len(part) + 1, dtype=np.int64) * part.geometry.voxels
        bounds = np.searchsorted(where, starts)
        add(file["event_offsets"], len(file["voxel_energies"]) + bounds[1:])
        add(file["voxel_energies"], flat[where])
        where -= np.repeat(starts[:-1], np.diff(bounds))
        add(file["voxel_index"], where.astype(file["voxel_index"].dtype))
        self.columns.append(file, part)


def _declared_voxels(file: h5py.File) -> int:
    try:
        voxels = int(file.attrs["voxels"])
    except (KeyError, TypeError, ValueError):
        voxels = 0
    if not 0 < voxels <= _MAX_VOXELS:
        raise FileFormatError(
            f"{file.filename}: a sparse file states the voxels of a shower in its attribute "
            f"`voxels`; expected a number from 1 to {_MAX_VOXELS}."
        )
    return voxels


def _damaged(file: h5py.File, key: str) -> FileFormatError:
    return FileFormatError(
        f"{file.filename}: `{key}` does not describe events one after another; the file is "
        "damaged or was not written by this package."
    )
