"""Files of pairs and of measured events: plain columns in Parquet, HDF5 or a ROOT tree.

A file of pairs has the columns ``truth_<observable>`` and ``reco_<observable>``, and if wanted
``weight``, ``pass_truth`` and ``pass_reco``. A file of measured events has ``reco_<observable>``,
and if wanted ``weight``. Whatever else is in a file is left aside; of ROOT, the first tree is read.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from ..errors import DependencyError, FileFormatError
from ..execute import atomic_path
from .formats.opening import guarded, refuse_unsafe
from .pairs import Pairs, Sample

__all__ = ["read_columns", "read_pairs", "read_sample", "write_columns", "write_pairs"]

Array = NDArray[Any]

_TRUTH, _RECO = "truth_", "reco_"
_FLAGS = ("pass_truth", "pass_reco")
_READ = (_TRUTH, _RECO, *_FLAGS, "weight")
_HDF5 = (".h5", ".hdf5")
_PARQUET = (".parquet", ".pq")


def read_pairs(path: Path | str) -> Pairs:
    """Read simulated events on both sides of a detector.

    Raises:
        FileFormatError: if the file is not of columns, or one side is missing.
        ShapeError: if columns differ in length.
        RangeError: if numbers that count are missing, or weights make no sense.
    """
    columns = read_columns(path, _READ)
    truth, reco = (_begins(columns, start) for start in (_TRUTH, _RECO))
    if not truth or not reco:
        raise FileFormatError(
            f"{path}: expected columns {_TRUTH}... and {_RECO}... for the two sides of the "
            f"detector, found {', '.join(columns) or 'none'}."
        )
    flags = {name: columns[name].astype(bool) for name in _FLAGS if name in columns}
    return Pairs(
        _stacked(path, truth),
        _stacked(path, reco),
        tuple(truth),
        tuple(reco),
        weight=columns.get("weight"),
        pass_truth=flags.get("pass_truth"),
        pass_reco=flags.get("pass_reco"),
    )


def read_sample(path: Path | str) -> Sample:
    """Read measured events; the truth that pseudo-data may carry is left aside.

    Events that do not pass ``pass_reco``, where there is such a column, were not measured.

    Raises:
        FileFormatError: if the file is not of columns, or none of them is measured.
        ShapeError: if columns differ in length.
        RangeError: if a number is missing, or weights make no sense.
    """
    columns = read_columns(path, (_RECO, "pass_reco", "weight"))
    reco = _begins(columns, _RECO)
    if not reco:
        raise FileFormatError(
            f"{path}: expected columns {_RECO}... of what was measured, found "
            f"{', '.join(columns) or 'none'}."
        )
    values = _stacked(path, reco)
    seen = columns.get("pass_reco", np.ones(len(values), bool)).astype(bool)
    weight = columns.get("weight", np.ones(len(values)))
    return Sample(values[seen], tuple(reco), weight[seen])


def read_columns(path: Path | str, starts: tuple[str, ...] = ("",)) -> dict[str, Array]:
    """Read columns of one number per event from a Parquet, HDF5 or ROOT file.

    Args:
        path: the file; its first bytes say which kind it is.
        starts: only columns whose names begin so.

    Raises:
        FileFormatError: if the file is none of these, is damaged, or such a column has anything
            else in it.
        DependencyError: if pyarrow or uproot is needed and not installed.
    """
    path = Path(path)
    with guarded(path) as file:
        refuse_unsafe(file, path)
        return {name: _numbers(path, name, file[name]) for name in file if name.startswith(starts)}


def write_columns(
    path: Path | str, columns: Mapping[str, Array], *, about: Mapping[str, Any] | None = None
) -> Path:
    """Write columns to a Parquet or an HDF5 file that appears whole or not at all.

    Args:
        path: the file; its ending says which kind.
        columns: shape ``(events,)`` each.
        about: plain data to keep with them, under ``simulacra``.

    Raises:
        FileFormatError: if the ending is of no kind that can be written.
        OutputError: if it cannot be written.
        DependencyError: if pyarrow is needed and not installed.
    """
    path, said = Path(path), json.dumps(dict(about or {}), sort_keys=True)
    if path.suffix not in (*_HDF5, *_PARQUET):
        raise FileFormatError(
            f"{path}: expected a name that ends with {', '.join((*_PARQUET, *_HDF5))}."
        )
    with atomic_path(path) as temporary:
        if path.suffix in _HDF5:
            with h5py.File(temporary, "w") as file:
                file.attrs["simulacra"] = said
                for name, column in columns.items():
                    file.create_dataset(name, data=column, compression="gzip", shuffle=True)
        else:
            arrow = _arrow()
            table = arrow.table({name: arrow.array(column) for name, column in columns.items()})
            table = table.replace_schema_metadata({"simulacra": said})
            with temporary.open("wb") as sink:
                arrow.parquet.write_table(table, sink)
    return path


def write_pairs(path: Path | str, pairs: Pairs, *, about: Mapping[str, Any] | None = None) -> Path:
    """Write pairs to a file that :func:`read_pairs` reads; see :func:`write_columns`."""
    columns: dict[str, Array] = {
        f"{_TRUTH}{name}": pairs.truth[:, k] for k, name in enumerate(pairs.names)
    }
    columns |= {f"{_RECO}{name}": pairs.reco[:, k] for k, name in enumerate(pairs.reco_names)}
    columns |= {
        "weight": pairs.weights,
        "pass_truth": pairs.in_truth,
        "pass_reco": pairs.in_reco,
    }
    return write_columns(path, columns, about=about)


def _begins(columns: Mapping[str, Array], start: str) -> dict[str, Array]:
    return {n.removeprefix(start): column for n, column in columns.items() if n.startswith(start)}


def _stacked(path: Path | str, columns: Mapping[str, Array]) -> NDArray[np.float64]:
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        raise FileFormatError(f"{path}: expected columns of one length, found {lengths}.")
    return np.stack([column.astype(np.float64) for column in columns.values()], axis=1)


def _numbers(path: Path, name: str, column: Any) -> Array:
    shape, dtype = getattr(column, "shape", None), getattr(column, "dtype", None)
    if shape is None or dtype is None or len(shape) != 1 or dtype.kind not in "fiub":
        raise FileFormatError(
            f"{path}: expected one number per event in `{name}`, found "
            + ("a group." if dtype is None else f"{dtype} of shape {shape}.")
        )
    return np.asarray(column[:])


def _arrow() -> Any:
    try:
        import pyarrow.parquet
    except ImportError:
        raise DependencyError(
            "files of Parquet need the package pyarrow; pip install 'simulacra[root]', or "
            "write HDF5."
        ) from None
    return pyarrow
