"""The trees of Geant4's example Par04: filled cells of a cylindrical mesh."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ...errors import FileFormatError, ShapeError
from ..geometry import Geometry
from ..showers import VoxelShowers
from .columns import Append, Columns, append_rows, required_dataset
from .contract import Content, Format, Rows
from .dense import rows_per_chunk
from .tables import Column, Lists, Table, TableWriter
from .tabular import same_lists

__all__ = ["Par04"]

_INDICES = ("rhoCell", "phiCell", "zCell")
_DTYPES = ("energy_dtype", "incident_dtype")


class Par04(Format):
    """Tree ``global`` with ``EnergyMC``; ``virtualReadout`` with the cells that are filled.

    ``EnergyMC`` and ``EnergyCell[]`` are in MeV and double; ``rhoCell[]``, ``phiCell[]``,
    ``zCell[]`` are the cell's numbers in the mesh. The angle's number is
    floor((pi + phi) / (2 pi / N)) of the azimuth phi, so that bins begin at -pi as ours do; a
    ``phiCell`` of floating point numbers is taken to be the azimuth itself, in rad. Cells of one
    number are added. All branches may stand in one tree, as in Par04 before Geant4 11.3.
    ``physicalReadout`` counts cells of the detector instead of the shower's mesh; it is not read.

    Written beside them: the columns ``theta``, ``phi``, ``x``, ``y``, ``pdg``, ``weights`` in
    ``global``, and ``SimTime`` as nan, for it is not known. Energies stay what they are; Par04's
    own are *deposited* ones, the sampling fraction below the incident energy.

    Source: Par04RunAction.cc and Par04EventAction.cc of Geant4
    (examples/extended/parameterisations/Par04).
    """

    name: ClassVar[str] = "par04"
    description: ClassVar[str] = "Par04's TTrees: EnergyMC, EnergyCell[], rhoCell[], ..., MeV"
    required: ClassVar[frozenset[str]] = frozenset({"EnergyMC", "EnergyCell", *_INDICES})
    columns: ClassVar[Columns] = Columns("EnergyMC")
    container: ClassVar[str] = "root"

    def content(self, file: Table) -> Content:
        for name in ("EnergyCell", *_INDICES):
            if not required_dataset(file, name).ragged:
                raise FileFormatError(
                    f"{file.filename}: `{name}` has shape {file[name].shape}; expected a list of "
                    "any length for each shower, one number per filled cell."
                )
        for name in ("rhoCell", "zCell"):
            if file[name].dtype.kind not in "iu":
                raise FileFormatError(
                    f"{file.filename}: `{name}` has dtype {file[name].dtype}; expected the cells' "
                    "whole numbers in the mesh, as Par04 writes them."
                )
        events = len(file["EnergyCell"])
        self.columns.check(file, events)
        return Content(
            events=events,
            voxels=0,
            dtype=_stated(file, "energy_dtype", file["EnergyCell"]),
            conditions=self.columns.present(file),
            weighted=self.columns.weighted(file),
            chunk_events=1,
        )

    def geometry(self, file: Table, attributes: Mapping[str, Any]) -> Geometry:
        raise FileFormatError(
            f"{file.filename}: Par04's trees do not say how many cells the mesh has; pass the "
            "geometry (9 x 16 x 45 cells, its default, are calochallenge-2; 18 x 50 x 45 are "
            "calochallenge-3; a binning XML gives any other)."
        )

    def check_geometry(self, file: Table, geometry: Geometry) -> None:
        _refuse_irregular(geometry)

    def rows(self, file: Table, geometry: Geometry, /, start: int, stop: int) -> Rows:
        offsets, cells = file["EnergyCell"].lists(start, stop)
        rho, phi, z = (
            same_lists(file[name], start, stop, offsets, "EnergyCell") for name in _INDICES
        )
        layers, angles, rings = geometry.shape
        if phi.dtype.kind == "f":
            phi = _bins(phi, angles)
        for name, index, count in (
            ("rhoCell", rho, rings),
            ("phiCell", phi, angles),
            ("zCell", z, layers),
        ):
            _refuse_outside(file, name, index, count, geometry)
        event = np.repeat(np.arange(stop - start), np.diff(offsets))
        flat = ((event * layers + z) * angles + phi) * rings + rho
        energies = np.zeros((stop - start, geometry.voxels))
        np.add.at(energies.reshape(-1), flat, cells)
        energies = energies.astype(_stated(file, "energy_dtype", file["EnergyCell"]), copy=False)
        incident, conditions, weight = self.columns.read(file, start, stop)
        dtype = _stated(file, "incident_dtype", file["EnergyMC"])
        return Rows(energies, incident.astype(dtype, copy=False), conditions, weight)

    def create(self, file: TableWriter, first: VoxelShowers, dtype: DTypeLike) -> None:
        _refuse_irregular(first.geometry)
        file.attrs["energy_dtype"] = np.dtype(dtype).name
        file.attrs["incident_dtype"] = first.incident_energy.dtype.name
        rows = rows_per_chunk(first.geometry.voxels, dtype)
        columns = {name: (array.dtype, 1) for name, array in self._columns(first).items()}
        file.declare("global", columns, rows)
        kinds = {name: (np.int32, None) for name in _INDICES}
        file.declare("virtualReadout", {"EnergyCell": (np.float64, None), **kinds}, rows)

    def append(self, file: TableWriter, part: VoxelShowers, add: Append = append_rows) -> None:
        file.extend("global", self._columns(part))
        flat = part.energies.reshape(-1)
        where = np.flatnonzero(flat)
        ends = np.arange(len(part) + 1, dtype=np.int64) * part.geometry.voxels
        offsets = np.searchsorted(where, ends).astype(np.int64)
        _, angles, rings = part.geometry.shape
        inside = where % part.geometry.voxels
        found: dict[str, Lists] = {
            "EnergyCell": (offsets, flat[where].astype(np.float64)),
            "rhoCell": (offsets, (inside % rings).astype(np.int32)),
            "phiCell": (offsets, (inside // rings % angles).astype(np.int32)),
            "zCell": (offsets, (inside // (rings * angles)).astype(np.int32)),
        }
        file.extend("virtualReadout", found)

    def _columns(self, part: VoxelShowers) -> dict[str, NDArray[Any]]:
        arrays = self.columns.arrays(part)
        energy = arrays["EnergyMC"].astype(np.float64)
        return arrays | {"EnergyMC": energy, "SimTime": np.full(len(part), np.nan)}


def _bins(phi: NDArray[Any], angles: int) -> NDArray[np.int64]:
    """Return the angular bin of azimuths in rad; pi itself belongs to the last one."""
    found = np.floor((np.pi + phi.astype(np.float64)) / (2 * np.pi / angles))
    found[(found == angles) & (np.abs(phi - np.pi) < 1e-6)] = angles - 1
    return np.nan_to_num(found, nan=-1.0, posinf=-1.0, neginf=-1.0).astype(np.int64)


def _stated(file: Table, key: str, column: Column) -> np.dtype[Any]:
    """Return the dtype that the numbers had before Par04's trees made them double."""
    if column.dtype.kind != "f":
        raise FileFormatError(
            f"{file.filename}: `{column.name}` has dtype {column.dtype}; expected floating point "
            "energies in MeV."
        )
    said = file.attrs.get(key)
    single = said == "float32" or (said is None and column.dtype.itemsize <= 4)
    return np.dtype(np.float32 if single else np.float64)


def _refuse_irregular(geometry: Geometry) -> None:
    if not geometry.regular:
        raise ShapeError(
            f'geometry "{geometry.name}" is irregular; Par04\'s trees hold cylinders of equal '
            "layers only. Write --to root, or pass the geometry of the mesh."
        )


def _refuse_outside(
    file: Table, name: str, index: NDArray[Any], count: int, geometry: Geometry
) -> None:
    if len(index) and (index.min() < 0 or index.max() >= count):
        wrong = int(index.max() if index.max() >= count else index.min())
        layers, angles, rings = geometry.shape
        raise ShapeError(
            f"{file.filename}: `{name}` has the cell {wrong}; the mesh of "
            f'"{geometry.name}" is {rings} x {angles} x {layers} cells (rho, phi, z), counted '
            "from 0. Pass the geometry of this file."
        )
