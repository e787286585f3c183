"""Layouts of ROOT trees and Parquet files with a row per shower: voxels, and point clouds."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ...errors import FileFormatError, ShapeError
from ..points import PointShowers
from ..showers import VoxelShowers
from .calochallenge import CaloChallenge
from .columns import Append, Columns, append_rows, required_dataset
from .contract import Content
from .dense import energies_dtype, rows_per_chunk
from .points import WrittenPoints, layer_numbers
from .tables import Column, Lists, Table, TableWriter

__all__ = ["ParquetPoints", "ParquetVoxels", "RootPoints", "RootVoxels", "same_lists"]

_TREE = "showers"
_POINTS_PER_PIECE = 1 << 19
_AXES = ("x", "y", "z")


class RootVoxels(CaloChallenge):
    """A flat tree: branches ``incident_energies`` and ``showers[voxels]`` in MeV.

    Optional beside them: ``theta``, ``phi`` (rad), ``x``, ``y`` (mm), ``pdg`` and ``weights``.
    Rows of ``showers`` may be vectors, if all have one length.
    """

    name: ClassVar[str] = "root"
    description: ClassVar[str] = "TTree: showers[voxels] and incident_energies, MeV"
    columns: ClassVar[Columns] = Columns("incident_energies")
    container: ClassVar[str] = "root"

    def create(self, file: TableWriter, first: VoxelShowers, dtype: DTypeLike) -> None:
        voxels = first.geometry.voxels
        kinds = {name: (array.dtype, 1) for name, array in self.columns.arrays(first).items()}
        file.declare(_TREE, {**kinds, "showers": (dtype, voxels)}, rows_per_chunk(voxels, dtype))

    def append(self, file: TableWriter, part: VoxelShowers, add: Append = append_rows) -> None:
        file.extend(_TREE, {**self.columns.arrays(part), "showers": part.energies})


class ParquetVoxels(RootVoxels):
    """Columns ``incident_energies`` and ``showers``, a list of fixed size, in MeV."""

    name: ClassVar[str] = "parquet"
    description: ClassVar[str] = "Parquet: showers (fixed size lists), incident_energies, MeV"
    container: ClassVar[str] = "parquet"


class RootPoints(WrittenPoints):
    """A flat tree with an array per shower: ``x``, ``y``, ``z`` in mm and ``energy`` in MeV.

    ``incident_energies`` in MeV; optional: ``layer`` (whole numbers) beside the points, with which
    z may be nan, and ``theta``, ``phi`` in rad, ``pdg``, ``weights``. The place where a particle
    enters is called ``x_impact``, ``y_impact`` (mm).
    """

    name: ClassVar[str] = "root-points"
    description: ClassVar[str] = "point clouds: TTree with arrays x, y, z (mm) and energy (MeV)"
    required: ClassVar[frozenset[str]] = frozenset({"incident_energies", *_AXES, "energy"})
    columns: ClassVar[Columns] = Columns("incident_energies", {"x": "x_impact", "y": "y_impact"})
    container: ClassVar[str] = "root"

    def content(self, file: Table) -> Content:
        names = [*_AXES, "energy", *(["layer"] if "layer" in file else [])]
        for name in names:
            if not required_dataset(file, name).ragged:
                raise FileFormatError(
                    f"{file.filename}: `{name}` has shape {file[name].shape}; expected a list of "
                    "numbers of any length for each shower, one per point."
                )
        energy = file["energy"]
        if "layer" in file and file["layer"].dtype.kind not in "iu":
            raise FileFormatError(f"{file.filename}: `layer` has to hold whole numbers.")
        self.columns.check(file, len(energy))
        return Content(
            events=len(energy),
            voxels=0,
            dtype=energies_dtype(energy),
            conditions=self.columns.present(file),
            weighted=self.columns.weighted(file),
            chunk_events=energy.chunks[0],
            points=energy.values,
        )

    def points(self, file: Table, start: int, stop: int) -> PointShowers:
        offsets, energy = file["energy"].lists(start, stop)
        axes = [same_lists(file[name], start, stop, offsets, "energy") for name in _AXES]
        layer = None
        if "layer" in file:
            layer = same_lists(file["layer"], start, stop, offsets, "energy").astype(np.int64)
        incident, conditions, weight = self.columns.read(file, start, stop)
        return PointShowers(
            position=np.column_stack(axes).astype(np.float32, copy=False),
            energy=energy.astype(energies_dtype(file["energy"]), copy=False),
            offsets=offsets,
            incident_energy=incident,
            layer=layer,
            conditions=conditions,
            weight=weight,
        )

    def create(self, file: TableWriter, first: PointShowers) -> None:
        kinds: dict[str, Any] = {
            name: (array.dtype, 1) for name, array in self.columns.arrays(first).items()
        }
        kinds |= {name: (lists[1].dtype, None) for name, lists in _lists(first).items()}
        points = max(1, len(first.energy) // max(1, len(first)))
        file.declare(_TREE, kinds, max(1, _POINTS_PER_PIECE // points))

    def append(self, file: TableWriter, part: PointShowers) -> None:
        file.extend(_TREE, {**self.columns.arrays(part), **_lists(part)})


class ParquetPoints(RootPoints):
    """Lists ``x``, ``y``, ``z`` (mm) and ``energy`` (MeV) of each shower."""

    name: ClassVar[str] = "parquet-points"
    description: ClassVar[str] = "point clouds: Parquet with lists x, y, z (mm) and energy (MeV)"
    container: ClassVar[str] = "parquet"


def same_lists(
    column: Column, start: int, stop: int, offsets: NDArray[np.int64], partner: str
) -> NDArray[Any]:
    """Read lists that must be as long as those of their partner.

    Raises:
        ShapeError: if a shower has another number of entries.
    """
    found, values = column.lists(start, stop)
    wrong = (
        np.flatnonzero(np.diff(found) != np.diff(offsets)) if len(found) == len(offsets) else [0]
    )
    if len(wrong):
        one = int(wrong[0])
        raise ShapeError(
            f"{column.file.filename}: shower {start + one} has {int(np.diff(found)[one])} entries "
            f"in `{column.name}` and {int(np.diff(offsets)[one])} in `{partner}`; expected one "
            "each. Were two files mixed up?"
        )
    return values


def _lists(part: PointShowers) -> dict[str, Lists]:
    offsets = part.offsets.astype(np.int64, copy=False)
    found = {
        name: (offsets, part.position[:, axis].astype(np.float32))
        for axis, name in enumerate(_AXES)
    }
    found["energy"] = (offsets, part.energy)
    layer = layer_numbers(part)
    return found if layer is None else {**found, "layer": (offsets, layer)}
