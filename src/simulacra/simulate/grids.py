"""Files of showers in rectangular cells: one array per readout layer, or one for all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
from numpy.typing import NDArray

from ..errors import RangeError
from ..execute import atomic_path
from .voxels import Voxels

__all__ = ["CellShowers", "write_cells"]

Array = NDArray[Any]

_ROWS_PER_CHUNK = 256


@dataclass(frozen=True, eq=False)
class CellShowers:
    """Showers in rectangular cells.

    Args:
        energies: of the cells in MeV, layer by layer, y fastest, shape ``(events, cells)``.
        incident_energy: in MeV, shape ``(events,)``.
        conditions: further columns by name, shape ``(events,)`` each.
    """

    energies: Array
    incident_energy: Array
    conditions: Mapping[str, Array]


def write_cells(
    path: Path | str,
    voxels: Voxels,
    parts: Iterable[CellShowers],
    *,
    attributes: Mapping[str, Any],
) -> int:
    """Write showers to an HDF5 file that appears whole or not at all.

    ``incident_energies`` (N, 1) and the conditions (N,); where every layer has the same number of
    cells in one direction only, ``showers`` (N, layers, cells), as the AMS-02 calorimeter is read;
    else ``layer_0`` (N, cells in x, cells in y) and so on, the layout of CaloGAN.

    Args:
        path: the file.
        voxels: the cells.
        parts: showers in order.
        attributes: provenance, plain strings and numbers.

    Returns:
        The number of showers written.

    Raises:
        RangeError: if there is no shower.
        OutputError: if the file cannot be written.
    """
    written = 0
    with atomic_path(path) as temporary, h5py.File(temporary, "w") as file:
        for part in parts:
            columns = {"incident_energies": part.incident_energy[:, None], **part.conditions}
            for name, array in {**columns, **_by_layer(voxels, part.energies)}.items():
                _append(file, name, array)
            written += len(part.energies)
        if not written:
            raise RangeError(f"{path}: there are no showers to write; expected at least one.")
        file.attrs.update({name: value for name, value in attributes.items()})
        file.attrs["units"] = "MeV, mm, rad"
        file.attrs["layer_z_min_mm"] = voxels.edges[:-1]
        file.attrs["layer_z_max_mm"] = voxels.edges[1:]
        file.attrs["width_mm"] = voxels.width
    return written


def _by_layer(voxels: Voxels, energies: Array) -> dict[str, Array]:
    shapes = voxels.shapes
    cells = {a * b for a, b in shapes}
    if len(cells) == 1 and all(min(shape) == 1 for shape in shapes):
        return {"showers": energies.reshape(len(energies), len(shapes), -1)}
    starts = voxels.starts
    return {
        f"layer_{place}": energies[:, starts[place] : starts[place + 1]].reshape(-1, *shape)
        for place, shape in enumerate(shapes)
    }


def _append(file: h5py.File, name: str, array: Array) -> None:
    if name not in file:
        file.create_dataset(
            name,
            shape=(0, *array.shape[1:]),
            maxshape=(None, *array.shape[1:]),
            chunks=(_ROWS_PER_CHUNK, *array.shape[1:]),
            dtype=array.dtype,
            compression="gzip",
            compression_opts=2,
            shuffle=True,
        )
    data = file[name]
    start = len(data)
    data.resize(start + len(array), axis=0)
    data[start:] = array
