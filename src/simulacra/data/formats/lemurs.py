"""The layout of Par04 and LEMURS: cylinders with axes radius, phi, z."""

from __future__ import annotations

from typing import ClassVar

import h5py
import numpy as np
from numpy.typing import DTypeLike

from ...errors import FileFormatError, ShapeError
from ..geometry import Geometry
from ..showers import VoxelShowers
from .columns import Append, Columns, append_rows, native, required_dataset
from .contract import Content, Format, Rows
from .dense import compression, energies_dtype, rows_per_chunk

__all__ = ["Lemurs"]


class Lemurs(Format):
    """``showers`` (events, R, PHI, Z) and ``incident_energy`` (events,) in MeV.

    Optional: ``incident_theta``, ``incident_phi`` in rad, and ``x``, ``y`` (mm), ``pdg``,
    ``weights`` as our own addition. Energies are handed out as they are: files of the LEMURS
    data hold the *deposited* energy, a sampling fraction (0.033 for Par04's silicon-tungsten)
    below that of the challenge's data sets 2 and 3; to compare with those, open the file with
    ``energy_scale=1 / 0.033``.

    Source: "LEMURS: Large European Module for Universal and Realistic Showers", 2025,
    arXiv:2509.05108; example Par04 of Geant4.
    """

    name: ClassVar[str] = "lemurs"
    description: ClassVar[str] = "dense: showers (N, R, PHI, Z) and incident_energy (N,), MeV"
    required: ClassVar[frozenset[str]] = frozenset({"incident_energy", "showers"})
    columns: ClassVar[Columns] = Columns(
        "incident_energy", {"theta": "incident_theta", "phi": "incident_phi"}
    )

    def content(self, file: h5py.File) -> Content:
        showers = required_dataset(file, "showers")
        if showers.ndim != 4:
            raise FileFormatError(
                f"{file.filename}: `showers` has shape {showers.shape}; expected "
                "(events, R, PHI, Z) in the layout of Par04 and LEMURS."
            )
        self.columns.check(file, showers.shape[0])
        return Content(
            events=showers.shape[0],
            voxels=int(np.prod(showers.shape[1:], dtype=object)),
            dtype=energies_dtype(showers),
            conditions=self.columns.present(file),
            weighted=self.columns.weighted(file),
            chunk_events=showers.chunks[0] if showers.chunks else 1,
        )

    def check_geometry(self, file: h5py.File, geometry: Geometry) -> None:
        found = tuple(int(n) for n in file["showers"].shape[1:])
        if not geometry.regular or geometry.shape[::-1] != found:
            wanted = geometry.shape[::-1] if geometry.regular else "irregular layers"
            raise ShapeError(
                f"{file.filename}: `showers` has (R, PHI, Z) = {found}, geometry "
                f'"{geometry.name}" has {wanted}. Pass the geometry of this file.'
            )

    def rows(self, file: h5py.File, _: Geometry, /, start: int, stop: int) -> Rows:
        showers = file["showers"]
        block = native(showers[start:stop]).astype(energies_dtype(showers), copy=False)
        energies = np.ascontiguousarray(block.transpose(0, 3, 2, 1)).reshape(len(block), -1)
        return Rows(energies, *self.columns.read(file, start, stop))

    def create(self, file: h5py.File, first: VoxelShowers, dtype: DTypeLike) -> None:
        if not first.geometry.regular:
            raise ShapeError(
                f'geometry "{first.geometry.name}" is irregular; the layout of Par04 and LEMURS '
                "holds cylinders of equal layers only. Write --to calochallenge or sparse."
            )
        shape = first.geometry.shape[::-1]
        file.create_dataset(
            "showers",
            shape=(0, *shape),
            maxshape=(None, *shape),
            chunks=(rows_per_chunk(first.geometry.voxels, dtype), *shape),
            dtype=dtype,
            **compression(first),
        )
        self.columns.create(file, first)

    def append(self, file: h5py.File, part: VoxelShowers, add: Append = append_rows) -> None:
        block = part.energies.reshape(len(part), *part.geometry.shape).transpose(0, 3, 2, 1)
        add(file["showers"], np.ascontiguousarray(block))
        self.columns.append(file, part)
