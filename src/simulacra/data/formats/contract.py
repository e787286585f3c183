"""The contract that every file format of voxel showers keeps."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import h5py
import numpy as np
from numpy.typing import DTypeLike, NDArray

from ..geometry import Geometry
from ..showers import VoxelShowers
from .columns import Append, Columns, append_rows

__all__ = ["Content", "Format", "Rows"]


@dataclass(frozen=True)
class Content:
    """What a file holds, as its keys, shapes and dtypes say; no shower is read for it.

    Args:
        events: number of showers.
        voxels: number of voxels of each; 0 if the layout does not say.
        dtype: of the voxel energies as they are handed out.
        conditions: names of the conditions besides the incident energy.
        weighted: whether the file has event weights.
        chunk_events: showers that lie together on disk; read in multiples of it.
        points: number of points of all showers together, padding included; 0 for voxels.
    """

    events: int
    voxels: int
    dtype: np.dtype[Any]
    conditions: tuple[str, ...]
    weighted: bool
    chunk_events: int
    points: int = 0


@dataclass(frozen=True)
class Rows:
    """A run of showers off the disk, in MeV, mm and rad.

    Args:
        energies: voxel energies in MeV, shape ``(events, voxels)``, radius fastest, then alpha,
            then layer.
        incident_energy: in MeV, shape ``(events,)``.
        conditions: by name, shape ``(events,)`` each.
        weight: event weights, shape ``(events,)``, or None.
        lost: energy outside the voxels in MeV, shape ``(events,)``, where they were summed from
            points; else None.
    """

    energies: NDArray[Any]
    incident_energy: NDArray[Any]
    conditions: dict[str, NDArray[Any]]
    weight: NDArray[Any] | None
    lost: NDArray[Any] | None = None


class Format(ABC):
    """One public layout of showers in a file; instances hold no state."""

    name: ClassVar[str]
    """What the format is called on the command line."""

    description: ClassVar[str]
    """One line for people: keys, shapes, units."""

    required: ClassVar[frozenset[str]]
    """Keys that every file of this format has."""

    columns: ClassVar[Columns]
    """Where the format keeps what is one number per shower."""

    container: ClassVar[str] = "hdf5"
    """What kind of file it is, also the end of its name: ``hdf5``, ``root`` or ``parquet``."""

    def geometry(self, file: h5py.File, attributes: Mapping[str, Any]) -> Geometry | None:
        """Return the detector that the layout tells where nothing else does, or None.

        Raises:
            FileFormatError: if the layout cannot tell and voxels alone do not either.
        """
        return None

    @abstractmethod
    def content(self, file: h5py.File) -> Content:
        """Describe the file from keys, shapes and dtypes.

        Raises:
            FileFormatError: if a key is missing or has the wrong shape or dtype.
            ShapeError: if the number of energies differs from the number of showers.
        """

    @abstractmethod
    def check_geometry(self, file: h5py.File, geometry: Geometry) -> None:
        """Refuse a geometry that the file's voxels do not fit.

        Raises:
            ShapeError: naming the geometry that they would fit.
        """

    @abstractmethod
    def rows(self, file: h5py.File, geometry: Geometry, /, start: int, stop: int) -> Rows:
        """Read showers ``start`` to ``stop``."""

    @abstractmethod
    def create(self, file: h5py.File, first: VoxelShowers, dtype: DTypeLike) -> None:
        """Make empty datasets for showers like ``first``.

        Raises:
            ShapeError: if the format cannot hold this geometry.
        """

    @abstractmethod
    def append(self, file: h5py.File, part: VoxelShowers, add: Append = append_rows) -> None:
        """Add showers at the end; ``add`` puts the rows of a dataset there."""
