"""Files of showers in rectangular cells: one array per readout layer, or one for all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
from numpy.typing import NDArray

from ..data.merging import refuse_incomplete
from ..data.sink import Hdf5Sink
from ..errors import FileFormatError, RangeError
from ..execute import atomic_path
from .voxels import Voxels

__all__ = ["CellShowers", "holds_cells", "merge_cells", "write_cells"]

Array = NDArray[Any]

_FORMAT = "cells"
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
    with atomic_path(path) as temporary, Hdf5Sink(temporary) as sink:
        file = sink.file
        for part in parts:
            columns = {"incident_energies": part.incident_energy[:, None], **part.conditions}
            for name, array in {**columns, **_by_layer(voxels, part.energies)}.items():
                _append(file, name, array)
            sink.check()
            written += len(part.energies)
        if not written:
            raise RangeError(f"{path}: there are no showers to write; expected at least one.")
        file.attrs.update(attributes)
        file.attrs["format"] = _FORMAT
        file.attrs["units"] = "MeV, mm, rad"
        file.attrs["layer_z_min_mm"] = voxels.edges[:-1]
        file.attrs["layer_z_max_mm"] = voxels.edges[1:]
        file.attrs["width_mm"] = voxels.width
    return written


def holds_cells(path: Path | str) -> bool:
    """Tell if a file was written by :func:`write_cells`; False for anything else."""
    try:
        with h5py.File(path, "r") as file:
            return bool(file.attrs.get("format") == _FORMAT)
    except (OSError, RuntimeError):
        return False


def merge_cells(path: Path | str, parts: Sequence[Path | str]) -> int:
    """Join shards of one run, in any order, without loading them.

    Args:
        path: the file to write.
        parts: every shard of the run.

    Returns:
        The number of showers written.

    Raises:
        FileFormatError: if the shards are of different runs, one is missing, or two overlap.
        OutputError: if the file cannot be written.
    """
    with ExitStack() as stack:
        files = [stack.enter_context(_opened(Path(part))) for part in parts]
        files = _in_order(files)
        with atomic_path(path) as temporary, Hdf5Sink(temporary) as sink:
            whole = sink.file
            for file in files:
                for name, dataset in file.items():
                    for start in range(0, len(dataset), _ROWS_PER_CHUNK):
                        _append(whole, name, dataset[start : start + _ROWS_PER_CHUNK])
                    sink.check()
            whole.attrs.update({**files[0].attrs, "first_event": 0, "shard": "0/1"})
            return len(whole["incident_energies"])


@contextmanager
def _opened(path: Path) -> Iterator[h5py.File]:
    if not holds_cells(path):
        raise FileFormatError(
            f"{path}: is no file of cells that `simulacra simulate` has written, like the others."
        )
    with h5py.File(path, "r") as file:
        yield file


def _in_order(files: list[h5py.File]) -> list[h5py.File]:
    """Sort shards, and refuse what is not exactly one whole run."""
    if len({file.attrs["run"] for file in files}) > 1:
        raise FileFormatError(
            "merge: the files belong to different runs (other setup, seed or number); only shards "
            "of one run can be joined."
        )
    files = sorted(files, key=lambda file: int(file.attrs["first_event"]))
    shards = [
        (Path(f.filename).name, int(f.attrs["first_event"]), len(f["incident_energies"]))
        for f in files
    ]
    refuse_incomplete(shards, int(files[0].attrs["events_of_run"]))
    return files


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
