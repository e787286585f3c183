"""The padded layout of CaloClouds and CaloHadronic, in GeV."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import h5py
import numpy as np

from ...errors import FileFormatError, RangeError
from ...units import GeV
from ..points import PointShowers
from .columns import Columns, native, required_dataset
from .contract import Content
from .points import PointFormat, refuse_mev

__all__ = ["CaloClouds"]

_COLUMNS = (2, 0, 1, 3)
"""Where x, y, depth and energy of our frame stand among the file's x, y, z, energy."""


class CaloClouds(PointFormat):
    """``events`` (events, 4, room) or (events, room, 4) and ``energy`` (events, 1), in GeV.

    The four numbers of a point are x in mm, the *number of its layer* along y, z in mm, and its
    energy in GeV; points without energy are padding. Showers run along the file's y, hence our
    (x, y) are its (z, x): a right-handed frame, the one that CaloClouds3 calls local
    (``hdf5:xyz==local:yzx``). Energies are deposited ones in the silicon, about 0.03 of the
    incident energy. A fifth number, the time, is not read. The shower axis of the public photons
    (``10-90GeV_x36_grid_regular_524k``) lies at x = 40 mm: open them with ``axis=(40, 0)``.

    Files of later productions that hold y in mm instead of a layer's number are refused: the
    layout does not say where their layers lie.

    Source: the readers of the authors' repositories FLC-QU-hep/CaloClouds (E. Buhmann et al.,
    "CaloClouds: Fast Geometry-Independent Highly-Granular Calorimeter Simulation", 2023,
    arXiv:2305.04847), CaloClouds-2 (arXiv:2309.05704), CaloClouds-3 (arXiv:2511.01460: axes,
    depths and centre of gravity in its ``pointcloud/metadata``) and CaloHadronic
    (arXiv:2506.21720).
    """

    name: ClassVar[str] = "caloclouds"
    description: ClassVar[str] = "point clouds: events (N, 4, room), energy (N, 1), GeV, read only"
    required: ClassVar[frozenset[str]] = frozenset({"events", "energy"})
    columns: ClassVar[Columns] = Columns("energy", unit=GeV)

    def content(self, file: h5py.File) -> Content:
        events = required_dataset(file, "events")
        _features(events)
        if events.dtype.kind != "f":
            raise FileFormatError(
                f"{file.filename}: `events` has dtype {events.dtype}; expected floating point "
                "numbers: x and z in mm, y as a layer's number, energy in GeV."
            )
        self.columns.check(file, events.shape[0])
        refuse_mev(file, "energy")
        return Content(
            events=events.shape[0],
            voxels=0,
            dtype=np.dtype(np.float32 if events.dtype.itemsize <= 4 else np.float64),
            conditions=self.columns.present(file),
            weighted=self.columns.weighted(file),
            chunk_events=events.chunks[0] if events.chunks else 1,
            points=events.shape[0] * max(events.shape[1:]),
        )

    def points(self, file: h5py.File, start: int, stop: int) -> PointShowers:
        block = native(file["events"][start:stop])
        if _features(file["events"]) == 1:
            block = block.transpose(0, 2, 1)
        incident, conditions, weight = self.columns.read(file, start, stop)
        try:
            found = PointShowers.from_padded(
                block,
                incident,
                columns=_COLUMNS,
                depth_is_layer=True,
                conditions=conditions,
                weight=weight,
            )
        except RangeError as error:
            raise FileFormatError(
                f"{file.filename}: {error} This layout has layer numbers along y; read other "
                "arrays with `PointShowers.from_padded` and write them with `write_points`."
            ) from None
        return replace(found, energy=found.energy * found.energy.dtype.type(GeV))


def _features(events: h5py.Dataset) -> int:
    """Return the axis of the four or five numbers of a point.

    Raises:
        FileFormatError: if no axis or more than one can be it.
    """
    found = [axis for axis in (1, 2) if events.ndim == 3 and events.shape[axis] in (4, 5)]
    if len(found) != 1:
        raise FileFormatError(
            f"{events.file.filename}: `events` has shape {events.shape}; expected (events, 4, "
            "room) or (events, room, 4) with room for more than five points."
        )
    return found[0]
