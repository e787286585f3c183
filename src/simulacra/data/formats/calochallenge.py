"""The layout of the CaloChallenge: dense showers, radius fastest, then alpha, then layer."""

from __future__ import annotations

from typing import ClassVar

import h5py
from numpy.typing import DTypeLike

from ...errors import FileFormatError, ShapeError
from ..geometry import Geometry
from ..showers import VoxelShowers, refuse_voxel_number
from .columns import Append, Columns, append_rows, native, required_dataset
from .contract import Content, Format, Rows
from .dense import compression, energies_dtype, rows_per_chunk

__all__ = ["CaloChallenge"]


class CaloChallenge(Format):
    """``incident_energies`` (events, 1) and ``showers`` (events, voxels), both in MeV.

    Optional beside them: ``theta``, ``phi`` (rad), ``x``, ``y`` (mm), ``pdg`` and ``weights``.
    The dtype is the file's (data set 1 is double, 2 and 3 usually single precision).

    Source: Krause et al., "CaloChallenge 2022: A Community Challenge for Fast Calorimeter
    Simulation", 2024, arXiv:2410.21611.
    """

    name: ClassVar[str] = "calochallenge"
    description: ClassVar[str] = "dense: showers (N, voxels) and incident_energies (N, 1), MeV"
    required: ClassVar[frozenset[str]] = frozenset({"incident_energies", "showers"})
    columns: ClassVar[Columns] = Columns("incident_energies", trailing=True)

    def content(self, file: h5py.File) -> Content:
        showers = required_dataset(file, "showers")
        if showers.ndim != 2:
            raise FileFormatError(
                f"{file.filename}: `showers` has shape {showers.shape}; expected "
                "(events, voxels) in the layout of the CaloChallenge."
            )
        self.columns.check(file, showers.shape[0])
        return Content(
            events=showers.shape[0],
            voxels=showers.shape[1],
            dtype=energies_dtype(showers),
            conditions=self.columns.present(file),
            weighted=self.columns.weighted(file),
            chunk_events=showers.chunks[0] if showers.chunks else 1,
        )

    def check_geometry(self, file: h5py.File, geometry: Geometry) -> None:
        if file["showers"].shape[1] != geometry.voxels:
            try:
                refuse_voxel_number(file["showers"].shape, geometry)
            except ShapeError as error:
                raise ShapeError(f"{file.filename}: {error}") from None

    def rows(self, file: h5py.File, _: Geometry, /, start: int, stop: int) -> Rows:
        showers = file["showers"]
        energies = native(showers[start:stop]).astype(energies_dtype(showers), copy=False)
        return Rows(energies, *self.columns.read(file, start, stop))

    def create(self, file: h5py.File, first: VoxelShowers, dtype: DTypeLike) -> None:
        voxels = first.geometry.voxels
        file.create_dataset(
            "showers",
            shape=(0, voxels),
            maxshape=(None, voxels),
            chunks=(rows_per_chunk(voxels, dtype), voxels),
            dtype=dtype,
            **compression(first),
        )
        self.columns.create(file, first)

    def append(self, file: h5py.File, part: VoxelShowers, add: Append = append_rows) -> None:
        add(file["showers"], part.energies)
        self.columns.append(file, part)
