"""Layouts of point clouds: the contract, and our own one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import h5py
import numpy as np
from numpy.typing import NDArray

from ...errors import FileFormatError, ShapeError, UnitError
from ..points import PointShowers
from .columns import Columns, append_rows, native, required_dataset
from .contract import Content
from .dense import CHUNK_BYTES, energies_dtype

__all__ = ["PointFormat", "Points", "WrittenPoints", "layer_numbers", "refuse_mev"]

_HIGHEST_GEV = 5e3
"""Ten times the energies that these layouts were made for, 10 to 126 GeV, and more."""


class PointFormat(ABC):
    """One public layout of point clouds in a file; instances hold no state."""

    name: ClassVar[str]
    """What the format is called on the command line."""

    description: ClassVar[str]
    """One line for people: keys, shapes, units."""

    required: ClassVar[frozenset[str]]
    """Keys that every file of this format has."""

    columns: ClassVar[Columns]
    """Where the format keeps what is one number per shower."""

    container: ClassVar[str] = "hdf5"
    """What kind of file it is, see :class:`~.contract.Format`."""

    @abstractmethod
    def content(self, file: h5py.File) -> Content:
        """Describe the file from keys, shapes and dtypes.

        Raises:
            FileFormatError: if a key is missing or has the wrong shape or dtype.
            ShapeError: if the number of energies differs from the number of showers.
            UnitError: if the incident energies are in another unit than the layout's.
        """

    @abstractmethod
    def points(self, file: h5py.File, start: int, stop: int) -> PointShowers:
        """Read showers ``start`` to ``stop``, in MeV and mm.

        Raises:
            FileFormatError: if the points are not cut into events or not in their layers.
        """


class WrittenPoints(PointFormat):
    """A layout of point clouds that is written, too."""

    @abstractmethod
    def create(self, file: h5py.File, first: PointShowers) -> None:
        """Make empty datasets for showers like ``first``."""

    @abstractmethod
    def append(self, file: h5py.File, part: PointShowers) -> None:
        """Add showers at the end."""


class Points(WrittenPoints):
    """Our own layout: the points of all showers one after another, nothing padded.

    ``point_position`` (points, 3) as x, y, z in mm from the shower axis and the calorimeter's
    face; ``point_energy`` (points,) in MeV; ``event_offsets`` (events + 1,), so that the points of
    event i are ``[event_offsets[i] : event_offsets[i + 1]]``; ``incident_energies`` (events,) in
    MeV. Optional: ``point_layer`` (points,), numbers of the layers, with which z may be nan, and
    the columns of the challenge's layout (``theta``, ``phi`` in rad, ``x``, ``y`` in mm, ``pdg``,
    ``weights``). Attribute ``geometry``: the voxels to judge the showers in, if stated.
    """

    name: ClassVar[str] = "points"
    description: ClassVar[str] = "point clouds: point_position (mm), point_energy (MeV), offsets"
    required: ClassVar[frozenset[str]] = frozenset(
        {"incident_energies", "point_position", "point_energy", "event_offsets"}
    )
    columns: ClassVar[Columns] = Columns("incident_energies")

    def content(self, file: h5py.File) -> Content:
        position = required_dataset(file, "point_position")
        energy = required_dataset(file, "point_energy")
        offsets = required_dataset(file, "event_offsets")
        layer = required_dataset(file, "point_layer") if "point_layer" in file else None
        found = [energy.shape] if layer is None else [energy.shape, layer.shape]
        if (
            energy.ndim != 1
            or set(found) != {energy.shape}
            or (position.shape != (*energy.shape, 3))
        ):
            raise FileFormatError(
                f"{file.filename}: expected `point_position` (points, 3) and `point_energy` "
                f"(points,), like `point_layer` if there is one; found {position.shape} and "
                f"{', '.join(map(str, found))}."
            )
        whole = [offsets] if layer is None else [offsets, layer]
        if offsets.ndim != 1 or not len(offsets) or any(d.dtype.kind not in "iu" for d in whole):
            raise FileFormatError(
                f"{file.filename}: expected `event_offsets` (events + 1,) and `point_layer` as "
                f"whole numbers, found {offsets.shape} of {offsets.dtype}."
            )
        events = len(offsets) - 1
        self.columns.check(file, events)
        return Content(
            events=events,
            voxels=0,
            dtype=energies_dtype(energy),
            conditions=self.columns.present(file),
            weighted=self.columns.weighted(file),
            chunk_events=1,
            points=len(energy),
        )

    def points(self, file: h5py.File, start: int, stop: int) -> PointShowers:
        offsets = file["event_offsets"][start : stop + 1].astype(np.int64)
        first, last = int(offsets[0]), int(offsets[-1])
        if (np.diff(offsets) < 0).any() or not 0 <= first <= last <= len(file["point_energy"]):
            raise FileFormatError(
                f"{file.filename}: `event_offsets` does not describe events one after another; "
                "the file is damaged or was not written by this package."
            )
        energy = native(file["point_energy"][first:last])
        layer = None
        if "point_layer" in file:
            layer = native(file["point_layer"][first:last]).astype(np.int64)
        incident, conditions, weight = self.columns.read(file, start, stop)
        return PointShowers(
            position=native(file["point_position"][first:last]).astype(np.float32, copy=False),
            energy=energy.astype(energies_dtype(file["point_energy"]), copy=False),
            offsets=offsets - first,
            incident_energy=incident,
            layer=layer,
            conditions=conditions,
            weight=weight,
        )

    def create(self, file: h5py.File, first: PointShowers) -> None:
        arrays = _arrays(first)
        for key, array in arrays.items():
            tail = array.shape[1:]
            rows = CHUNK_BYTES // (array.dtype.itemsize * int(np.prod(tail, initial=1)))
            file.create_dataset(
                key,
                shape=(0, *tail),
                maxshape=(None, *tail),
                chunks=(rows, *tail),
                dtype=array.dtype,
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

    def append(self, file: h5py.File, part: PointShowers) -> None:
        append_rows(file["event_offsets"], len(file["point_energy"]) + part.offsets[1:])
        for key, array in _arrays(part).items():
            append_rows(file[key], array)
        self.columns.append(file, part)


def _arrays(part: PointShowers) -> dict[str, NDArray[Any]]:
    """Return the datasets with one row per point."""
    found = {
        "point_position": part.position.astype(np.float32, copy=False),
        "point_energy": part.energy,
    }
    layer = layer_numbers(part)
    return found if layer is None else {**found, "point_layer": layer}


def layer_numbers(part: PointShowers) -> NDArray[np.int32] | None:
    """Return the points' layers as they are stored, or None if they have none.

    Raises:
        ShapeError: if one does not fit into 32 bits.
    """
    if part.layer is None:
        return None
    if len(part.layer) and not -(2**31) <= int(part.layer.min()) <= part.layer.max() < 2**31:
        raise ShapeError("layer: expected numbers below 2**31.")
    return part.layer.astype(np.int32, copy=False)


def refuse_mev(file: h5py.File, key: str) -> None:
    """Refuse incident energies in MeV in a layout that holds GeV.

    Raises:
        UnitError: if half of the first thousand are above 5 TeV when read as GeV.
    """
    energy = np.asarray(file[key][:1000], np.float64)
    if len(energy) and np.median(energy) > _HIGHEST_GEV:
        raise UnitError(
            f"{file.filename}: `{key}` has the median {np.median(energy):.6g} in a layout whose "
            "energies are in GeV; energies look as if they were in MeV. Divide all of the file's "
            "energies by 1000, or write the showers with `write_points`, which takes MeV."
        )
