"""Whole files into other files, piece by piece: filtered, split, converted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..errors import FileFormatError, RangeError
from ..execute import atomic_path
from .files import ShowerFile
from .formats import PointFormat, WrittenPoints, format_named
from .pointfiles import PointFile, write_points
from .points import PointShowers
from .showers import VoxelShowers
from .sink import container_of, refuse_misnamed
from .writing import write_showers

__all__ = [
    "Predicate",
    "convert_showers",
    "energy_between",
    "filtered",
    "own_format",
    "split_showers",
]

Showers = TypeVar("Showers", VoxelShowers, PointShowers)

Predicate = Callable[[VoxelShowers | PointShowers], NDArray[np.bool_]]
"""Says for each shower whether it is kept, shape ``(events,)``."""


def energy_between(low: float, high: float) -> Predicate:
    """Keep showers whose incident energy lies in ``[low, high)``.

    Args:
        low: in MeV.
        high: in MeV.

    Raises:
        RangeError: if the range is empty.
    """
    if not low < high:
        raise RangeError(f"expected an energy range low < high in MeV, got {low} to {high}.")

    def keep(part: VoxelShowers | PointShowers) -> NDArray[np.bool_]:
        kept: NDArray[np.bool_] = (part.incident_energy >= low) & (part.incident_energy < high)
        return kept

    return keep


def filtered(parts: Iterable[Showers], keep: Predicate) -> Iterator[Showers]:
    """Yield of each part the showers to keep; parts of which none is kept are left out."""
    for part in parts:
        mask = keep(part)
        if mask.all():
            yield part
        elif mask.any():
            yield part.select(mask)


def convert_showers(
    source: ShowerFile | PointFile,
    out: Path | str,
    *,
    format: str,
    keep: Predicate | None = None,
    attributes: Mapping[str, Any] | None = None,
) -> int:
    """Write a file in another format (or the same), in bounded memory.

    Points stay points if they are written as such; into any other format go the voxels of the
    geometry that the file was opened with.

    Args:
        source: the file to read.
        out: the file to write; another one than ``source``.
        format: name of the format to write.
        keep: which showers to write; by default all.
        attributes: further provenance (plain strings, numbers, lists).

    Returns:
        The number of showers written.

    Raises:
        RangeError: if no shower is kept, or ``out`` is the source itself.
        FileFormatError: if the source holds numbers that are no energies.
        UnitError: if they look as if they were in GeV.
        OutputError: if ``out`` cannot be written.
    """
    _refuse_same(source.path, Path(out))
    source.refuse_gev()

    def chosen(parts: Iterable[Showers]) -> Iterator[Showers]:
        return iter(parts) if keep is None else filtered(parts, keep)

    cloud = _cloud(source)
    more = dict(attributes or {})
    if cloud is not None and isinstance(format_named(format), WrittenPoints):
        return _write_cloud(source, out, chosen(cloud.chunks()), more, format)
    return write_showers(
        out,
        chosen(_voxelised(source).chunks()),
        format=format,
        attributes=_history(source) | more,
        arrays=_arrays(source),
    )


def split_showers(
    source: ShowerFile | PointFile,
    first: Path | str,
    second: Path | str,
    *,
    fraction: float | None = None,
    events: int | None = None,
    seed: int | None = None,
    format: str | None = None,
) -> tuple[int, int]:
    """Write two files that share no shower and together hold all of them, in file order.

    Args:
        source: the file to read.
        first: the file for the first part.
        second: the file for the rest.
        fraction: part of the showers that goes into ``first``, between 0 and 1.
        events: number of showers that go into ``first``; give this or ``fraction``.
        seed: which showers are chosen; by default the first ones by position, as the official
            splits of public data sets are made.
        format: name of the format to write; by default that of the source or the one that the
            name of the new file asks for, ``points`` for points.

    Returns:
        The number of showers in each.

    Raises:
        RangeError: if one part would be empty, or not exactly one size is given.
        UnitError: if energies look as if they were in GeV.
        OutputError: if a file cannot be written; then neither is there.
    """
    _refuse_same(source.path, Path(first))
    _refuse_same(source.path, Path(second))
    _refuse_same(Path(first), Path(second))
    chosen = _choice(source.events, fraction, events, seed)
    source.refuse_gev()
    history = _history(source) | {"split_seed": "by position" if seed is None else str(seed)}
    cloud = _cloud(source)
    with atomic_path(first) as path_a, atomic_path(second) as path_b:
        written = []
        pieces = ((first, path_a, chosen, "first"), (second, path_b, ~chosen, "second"))
        for final, path, mask, part in pieces:
            more = history | {"split_part": part}
            layout = format or own_format(source, final)
            refuse_misnamed(final, format_named(layout))
            if cloud is not None and isinstance(format_named(layout), WrittenPoints):
                parts_of_cloud = _picked(cloud.chunks(), mask)
                written.append(_write_cloud(source, path, parts_of_cloud, more, layout))
                continue
            parts = _picked(_voxelised(source).chunks(), mask)
            arrays = _arrays(source)
            written.append(
                write_showers(path, parts, format=layout, attributes=more, arrays=arrays)
            )
    return written[0], written[1]


def own_format(source: ShowerFile | PointFile, out: Path | str) -> str:
    """Return the format in which showers are written where none is said.

    The one that the name of the new file asks for; else the source's own, if it is written.
    """
    layout, container = format_named(source.format), container_of(out)
    points = isinstance(layout, PointFormat)
    if container not in ("hdf5", layout.container):
        return f"{container}-points" if points else container
    return "points" if points and not isinstance(layout, WrittenPoints) else layout.name


def _choice(
    total: int, fraction: float | None, events: int | None, seed: int | None
) -> NDArray[np.bool_]:
    if (fraction is None) == (events is None):
        raise RangeError("a split needs its size: give either a fraction or a number of events.")
    count = events if events is not None else round(total * (fraction or 0.0))
    if not 0 < count < total:
        raise RangeError(
            f"a split of {total} showers with {count} in the first part leaves one part empty."
        )
    chosen = np.zeros(total, bool)
    if seed is None:
        chosen[:count] = True
    else:
        chosen[np.random.default_rng(seed).permutation(total)[:count]] = True
    return chosen


def _picked(parts: Iterable[Showers], mask: NDArray[np.bool_]) -> Iterator[Showers]:
    start = 0
    for part in parts:
        kept = mask[start : start + len(part)]
        start += len(part)
        if kept.any():
            yield part.select(kept)


def _cloud(source: ShowerFile | PointFile) -> PointFile | None:
    return source if isinstance(source, PointFile) else source.points


def _write_cloud(
    source: ShowerFile | PointFile,
    out: Path | str,
    parts: Iterator[PointShowers],
    attributes: dict[str, Any],
    format: str,
) -> int:
    return write_points(
        out,
        parts,
        format=format,
        geometry=source.geometry,
        attributes=_history(source) | attributes,
        arrays=_arrays(source),
    )


def _voxelised(source: ShowerFile | PointFile) -> ShowerFile:
    if isinstance(source, PointFile):
        raise FileFormatError(
            f"{source.path}: holds points; they become voxels in a geometry only. Pass one, or "
            "write the format points."
        )
    return source


def _history(source: ShowerFile | PointFile) -> dict[str, Any]:
    """Provenance to add: where the showers were taken from."""
    return {"made_from": source.path.name}


def _arrays(source: ShowerFile | PointFile) -> dict[str, NDArray[Any]]:
    return {name: source.array(name) for name in source.arrays}


def _refuse_same(one: Path, other: Path) -> None:
    if one.resolve() == other.resolve():
        raise RangeError(f"{other}: would be written over {one}; give another name.")
