"""Attributes of a file: provenance as plain data, and the geometry the showers live in."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from ..errors import FileFormatError, OutputError, RangeError
from .formats.guard import plain
from .formats.tables import Table, TableWriter
from .geometry import Geometry, geometries, geometries_with, geometry

__all__ = [
    "array_names",
    "find_geometry",
    "read_array",
    "read_attributes",
    "write_array",
    "write_attributes",
]

_OWNED = frozenset(
    {"geometry", "layer_z_min_mm", "layer_z_max_mm", "units", "format", "voxels", "written_by"}
    | {"energy_dtype", "incident_dtype"}
)
_MAX_ENTRIES = 100_000
_MAX_BYTES = 60_000


def read_attributes(file: h5py.File | Table) -> dict[str, Any]:
    """Return the attributes of a file as plain strings, numbers and lists.

    Attributes of other kinds (references, compounds, very long ones) are left out.
    """
    if isinstance(file, Table):
        stated = {str(name): _plain_value(value) for name, value in file.attrs.items()}
        return {name: value for name, value in stated.items() if value is not None}
    found = {}
    attributes = file.attrs  # made anew at each mention, and a set may have a thousand files
    for name in attributes:
        if math.prod(attributes.get_id(name).shape or (1,)) > _MAX_ENTRIES:
            continue
        value = _plain_value(attributes[name])
        if value is not None:
            found[str(name)] = value
    return found


def array_names(file: h5py.File | Table) -> tuple[str, ...]:
    """Return the names of the further arrays stored beside the showers."""
    if isinstance(file, Table):
        return file.array_names()
    extra = file.get("arrays")
    return tuple(map(str, extra)) if isinstance(extra, h5py.Group) else ()


def read_array(file: h5py.File | Table, name: str) -> NDArray[Any]:
    """Read one of the further arrays."""
    return file.array(name) if isinstance(file, Table) else np.asarray(file["arrays"][name][()])


def write_array(file: h5py.File | TableWriter, name: str, array: NDArray[Any]) -> None:
    """Store a further array beside the showers."""
    if isinstance(file, TableWriter):
        file.add_array(name, array)
    else:
        file.create_dataset(f"arrays/{name}", data=array, compression="gzip", shuffle=True)


def write_attributes(
    file: h5py.File | TableWriter, where: Geometry | None, attributes: Mapping[str, Any]
) -> None:
    """Store provenance, geometry, depths and units in the attributes of a file.

    Args:
        file: a file open for writing.
        where: the showers' geometry; a built-in one is stored by name, None not at all.
        attributes: plain strings, numbers and lists of them; mappings are stored as JSON.

    Raises:
        RangeError: if an attribute is longer than HDF5 can store.
    """
    for name, value in attributes.items():
        if name in _OWNED or value is None:
            continue
        stored = json.dumps(value) if isinstance(value, Mapping) else value
        if np.asarray(stored).nbytes > _MAX_BYTES:
            raise RangeError(
                f"attribute {name!r}: {np.asarray(stored).nbytes} bytes, at most {_MAX_BYTES} can "
                "be stored; pass it in `arrays` instead."
            )
        file.attrs[name] = stored
    file.attrs["units"] = "MeV, mm, rad"
    if where is None:
        return
    file.attrs["geometry"] = _stored_geometry(where)
    depths = np.array([(layer.z_min, layer.z_max) for layer in where.layers])
    if np.isfinite(depths).all():
        file.attrs["layer_z_min_mm"], file.attrs["layer_z_max_mm"] = depths.T


def find_geometry(
    attributes: Mapping[str, Any],
    voxels: int,
    path: Path,
    given: str | Path | Geometry | None = None,
    told: Geometry | None = None,
) -> Geometry:
    """Find the geometry of a file: given, else stated in the file, else unique by voxels.

    Args:
        attributes: the file's, see :func:`read_attributes`.
        voxels: number of voxels of its showers; 0 for points, which fit into any.
        path: the file, for messages.
        given: a geometry, the name of a built-in one or a binning XML.
        told: what the layout tells, where neither is there.

    Returns:
        The geometry, at the layer depths that the file states.

    Raises:
        FileFormatError: if nothing says what the geometry is, or what is said is nonsense.
        UnknownNameError: if ``given`` is a name that nobody knows.
    """
    if isinstance(given, Geometry):
        base = given
    elif given is not None:
        base = geometry(given)
    elif "geometry" in attributes:
        base = _stated_geometry(attributes["geometry"], path)
    elif told is not None:
        base = told
    else:
        base = _geometry_by_voxels(voxels, path)
    depths = [attributes.get(name) for name in ("layer_z_min_mm", "layer_z_max_mm")]
    if voxels == 0 and given is not None and not _lacks_these(base, depths):
        return base  # points are judged in other voxels than those that the file states
    if base.voxels != (voxels or base.voxels) or all(depth is None for depth in depths):
        return base
    if not all(isinstance(depth, list) and _numbers(depth) for depth in depths):
        raise FileFormatError(
            f"{path}: expected `layer_z_min_mm` and `layer_z_max_mm` as one number per layer."
        )
    return base.with_depths(*depths)  # type: ignore[arg-type]


def _lacks_these(base: Geometry, depths: list[Any]) -> bool:
    known = np.isfinite(base.z_centres).any()
    fitting = all(isinstance(depth, list) and len(depth) == len(base.layers) for depth in depths)
    return fitting and not known


def _numbers(values: list[Any]) -> bool:
    return all(isinstance(value, (int, float)) for value in values)


def _stored_geometry(where: Geometry) -> str:
    for known in geometries():
        same = (known.name, known.particle, known.pdg, known.threshold, known.digest) == (
            where.name,
            where.particle,
            where.pdg,
            where.threshold,
            where.digest,
        )
        identities = [layer.identity for layer in known.layers]
        if same and identities == [layer.identity for layer in where.layers]:
            depths = np.array([(layer.z_min, layer.z_max) for layer in where.layers])
            if np.isfinite(depths).all() or known == where:
                return known.name
    text = json.dumps(where.to_dict())
    if len(text) > _MAX_BYTES:
        raise OutputError(
            f'geometry "{where.name}": its description needs {len(text)} bytes, at most '
            f"{_MAX_BYTES} can be stored in a file's attributes."
        )
    return text


def _stated_geometry(stated: Any, path: Path) -> Geometry:
    if not isinstance(stated, str):
        raise FileFormatError(f"{path}: attribute `geometry` is not a text.")
    if not stated.lstrip().startswith("{"):
        known = {found.name: found for found in geometries()}
        if stated not in known:
            raise FileFormatError(
                f"{path}: states the geometry {plain(stated, 60)!r}, which is not built in; pass "
                "its binning XML as geometry."
            )
        return known[stated]
    try:
        return Geometry.from_dict(json.loads(stated))
    except (ValueError, RecursionError) as error:
        raise FileFormatError(
            f"{path}: attribute `geometry` does not describe one: {plain(error)}"
        ) from None


def _geometry_by_voxels(voxels: int, path: Path) -> Geometry:
    fits = geometries_with(voxels)
    if len(fits) == 1:
        return fits[0]
    known = ", ".join(f"{found.name} ({found.voxels})" for found in geometries())
    if voxels == 0:
        raise FileFormatError(
            f"{path}: holds points, which are judged in voxels, and the file does not say in "
            f"which; pass a geometry. Built in are {known}; a binning XML gives any other."
        )
    raise FileFormatError(
        f"{path}: showers of {voxels} voxels, and the file does not say of which geometry; "
        f"built in are {known}. Pass the file's own binning XML as geometry."
    )


def _plain_value(value: Any) -> Any:
    """Return strings, numbers, booleans and lists of them; None for anything else."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, (str, bool, int, float)):
        return str(value) if isinstance(value, str) else value
    if isinstance(value, np.generic) and value.dtype.kind in "fiubSU":
        return _plain_value(value.item())
    if isinstance(value, np.ndarray) and value.ndim == 0:
        return _plain_value(value.item())
    if isinstance(value, list) or (isinstance(value, np.ndarray) and value.ndim == 1):
        items = [_plain_value(item) for item in list(value)[:_MAX_ENTRIES]]
        return None if any(item is None or isinstance(item, list) for item in items) else items
    return None
