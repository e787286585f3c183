"""The layouts of rectangular cells: an array per layer as CaloGAN has it, or one for all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import h5py
import numpy as np
from numpy.typing import DTypeLike

from ...errors import FileFormatError, ShapeError
from ..geometry import Geometry, geometries
from ..layers import GridLayer
from ..showers import VoxelShowers
from .columns import Append, Columns, append_rows, native, required_dataset
from .contract import Content, Format, Rows
from .dense import compression, energies_dtype, rows_per_chunk

__all__ = ["Cells"]

_MOST_LAYERS = 1000


class Cells(Format):
    """``incident_energies`` (events, 1) and cells in MeV, in one of two shapes.

    ``layer_0`` (events, x, y), ``layer_1`` and so on, as in M. Paganini, L. de Oliveira,
    B. Nachman, "CaloGAN", 2017, arXiv:1712.10321; or, where every layer sees one direction only
    and all have the same number of cells, ``showers`` (events, layers, cells), as the
    electromagnetic calorimeter of AMS-02 is read. Optional beside them: ``theta``, ``phi`` (rad),
    ``x``, ``y`` (mm), ``pdg`` and ``weights``.
    """

    name: ClassVar[str] = "cells"
    description: ClassVar[str] = (
        "rectangular cells: layer_0 (N, x, y), layer_1, ... or showers (N, layers, cells), and "
        "incident_energies (N, 1), MeV"
    )
    required: ClassVar[frozenset[str]] = frozenset({"incident_energies", "layer_0"})
    columns: ClassVar[Columns] = Columns("incident_energies", trailing=True)

    def recognises(self, file: h5py.File) -> bool:
        """Tell if a file has this layout; one array of three axes is this one, too."""
        showers = file.get("showers", getclass=True) is h5py.Dataset and file["showers"].ndim == 3
        return "incident_energies" in file and ("layer_0" in file or showers)

    def content(self, file: h5py.File) -> Content:
        datasets = _datasets(file)
        first = datasets[0]
        for dataset in datasets:
            if dataset.ndim != 3:
                raise FileFormatError(
                    f"{file.filename}: `{_name(dataset)}` has shape {dataset.shape}; expected "
                    "(events, cells along x, cells along y), or (events, layers, cells) for "
                    "`showers`."
                )
            if len(dataset) != len(first):
                raise ShapeError(
                    f"{file.filename}: `{_name(dataset)}` has {len(dataset)} showers, "
                    f"`{_name(first)}` {len(first)}; expected one each. Were two files mixed up?"
                )
        self.columns.check(file, len(first))
        return Content(
            events=len(first),
            voxels=sum(int(np.prod(dataset.shape[1:], dtype=object)) for dataset in datasets),
            dtype=max((energies_dtype(dataset) for dataset in datasets), key=lambda t: t.itemsize),
            conditions=self.columns.present(file),
            weighted=self.columns.weighted(file),
            chunk_events=max(d.chunks[0] if d.chunks else 1 for d in datasets),
        )

    def geometry(self, file: h5py.File, attributes: Mapping[str, Any]) -> Geometry:
        """Return the detector that shapes and the attribute ``width_mm`` tell.

        The built-in geometry with these cells, else squares of that width divided into equal
        cells.

        Raises:
            FileFormatError: if they tell nothing.
        """
        shapes = [tuple(map(int, dataset.shape[1:])) for dataset in _datasets(file)]
        width = attributes.get("width_mm")
        if "showers" in file:
            layers, cells = shapes[0]
            fits = [g for g in _grids() if g.voxels == layers * cells and _one_array(g)]
            fits = [g for g in fits if len(g.layers) == layers]
        else:
            fits = [g for g in _grids() if [layer.shape for layer in g.layers] == shapes]
        if width is not None:
            at = [g for g in fits if _width(g) == width]
            fits = [g for g in at if _stands_at(g, attributes)] or at
        if fits:
            return fits[0]
        if width is None or "showers" in file:
            known = ", ".join(g.name for g in _grids())
            raise FileFormatError(
                f"{file.filename}: holds rectangular cells of {shapes}, and nothing says how large "
                f"they are or which way they lie; expected those of {known}, or an attribute "
                "`geometry`. Pass the geometry of this file."
            )
        squares = tuple(
            GridLayer.square(i, n_x, n_y, float(width)) for i, (n_x, n_y) in enumerate(shapes)
        )
        return Geometry(str(attributes.get("detector", "cells")), "", 0, squares, 0.0)

    def check_geometry(self, file: h5py.File, geometry: Geometry) -> None:
        found = [tuple(map(int, dataset.shape[1:])) for dataset in _datasets(file)]
        expected = _shapes(geometry) if geometry.rectangular else []
        if found != expected:
            raise ShapeError(
                f"{file.filename}: holds rectangular cells of {found}, geometry "
                f'"{geometry.name}" has {expected or "rings"}. Pass the geometry of this file.'
            )

    def rows(self, file: h5py.File, _: Geometry, /, start: int, stop: int) -> Rows:
        parts = [native(dataset[start:stop]) for dataset in _datasets(file)]
        dtype = max((energies_dtype(d) for d in _datasets(file)), key=lambda t: t.itemsize)
        energies = np.concatenate([part.reshape(len(part), -1) for part in parts], axis=1)
        return Rows(energies.astype(dtype, copy=False), *self.columns.read(file, start, stop))

    def create(self, file: h5py.File, first: VoxelShowers, dtype: DTypeLike) -> None:
        where = first.geometry
        if not where.rectangular:
            raise ShapeError(
                f'geometry "{where.name}" has rings, the layout `cells` holds rectangular cells '
                "only. Write --to calochallenge or sparse."
            )
        rows = rows_per_chunk(where.voxels, dtype)
        for name, shape in zip(_names(where), _shapes(where), strict=True):
            file.create_dataset(
                name,
                shape=(0, *shape),
                maxshape=(None, *shape),
                chunks=(rows, *shape),
                dtype=dtype,
                **compression(first),
            )
        self.columns.create(file, first)

    def append(self, file: h5py.File, part: VoxelShowers, add: Append = append_rows) -> None:
        where, start = part.geometry, 0
        for name, shape in zip(_names(where), _shapes(where), strict=True):
            stop = start + int(np.prod(shape))
            add(file[name], part.energies[:, start:stop].reshape(-1, *shape))
            start = stop
        self.columns.append(file, part)


def _datasets(file: h5py.File) -> list[h5py.Dataset]:
    if "layer_0" not in file:
        return [required_dataset(file, "showers")]
    number = sum(f"layer_{i}" in file for i in range(_MOST_LAYERS))
    return [required_dataset(file, f"layer_{i}") for i in range(number)]


def _name(dataset: h5py.Dataset) -> str:
    return str(dataset.name).lstrip("/")


def _one_array(where: Geometry) -> bool:
    """Tell if every layer sees one direction only, with the same number of cells."""
    shapes = [layer.shape for layer in where.layers]
    return all(min(shape) == 1 for shape in shapes) and len({a * b for a, b in shapes}) == 1


def _names(where: Geometry) -> list[str]:
    return ["showers"] if _one_array(where) else [f"layer_{i}" for i in range(len(where.layers))]


def _shapes(where: Geometry) -> list[tuple[int, ...]]:
    if _one_array(where):
        return [(len(where.layers), where.layers[0].voxels)]
    return [layer.shape for layer in where.layers]


def _grids() -> list[Geometry]:
    return [known for known in geometries() if known.rectangular]


def _width(where: Geometry) -> float | None:
    """Return the side in mm of the squares that a geometry divides, None if there are none."""
    edges = {
        (e[0], e[-1])
        for layer in where.layers
        if isinstance(layer, GridLayer)
        for e in (layer.x_edges, layer.y_edges)
    }
    low, high = edges.pop()
    return None if edges or low != -high else high - low


def _stands_at(where: Geometry, attributes: Mapping[str, Any]) -> bool:
    depths = attributes.get("layer_z_max_mm")
    return depths == [layer.z_max for layer in where.layers]
