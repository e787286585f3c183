"""Observables of point clouds themselves, which no voxel has blurred."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ...data import PointShowers, ShowerFile, VoxelShowers, voxelize
from ...data.joined import JoinedFiles
from ...errors import FileFormatError, RangeError, ShapeError
from .spectrum import bin_index

__all__ = [
    "PointObservables",
    "count_points",
    "energy_in_bins",
    "observe_points",
    "read_and_observe",
]

Array = NDArray[Any]
FloatArray = NDArray[np.float64]

_RUN_POINTS = 1 << 16  # what is held per point stays in the cache


@dataclass(frozen=True, eq=False)
class PointObservables:
    r"""Numbers per shower, from its points above the threshold.

    With the energies :math:`e_i` of a shower's points and a coordinate :math:`x_i` (x, y, depth,
    or the distance r from the axis):

    .. math::
        \langle x \rangle = \frac{\sum_i x_i e_i}{\sum_i e_i}, \quad
        \sigma_x = \sqrt{\frac{\sum_i (x_i - \langle x \rangle)^2 e_i}{\sum_i e_i}}, \quad
        n_\mathrm{eff} = \frac{(\sum_i e_i)^2}{\sum_i e_i^2}

    A shower without points has centre and width nan. All shapes are ``(events,)``.

    Args:
        incident_energy: in MeV.
        total_energy: sum of the points in MeV.
        number: number of points.
        brightest: largest energy of a point in MeV; 0 without points.
        effective_number: :math:`n_\mathrm{eff}`: how many equal points would carry the energy.
        centre_x: in mm.
        centre_y: in mm.
        centre_depth: in ``depth_unit``.
        centre_r: in mm.
        width_x: in mm.
        width_y: in mm.
        width_depth: in ``depth_unit``.
        width_r: in mm.
        mean_distance: energy-weighted mean distance of the points from their centre in mm, in
            space where the depth is known in mm, else across the axis.
        depth_unit: ``mm``, or ``layer`` where the points know the number of their layer only;
            ``""`` if there is no point.
        lost_energy: energy outside the voxels of a geometry in MeV, if that was asked for.
        weight: event weights; None where there are none.
    """

    incident_energy: FloatArray
    total_energy: FloatArray
    number: FloatArray
    brightest: FloatArray
    effective_number: FloatArray
    centre_x: FloatArray
    centre_y: FloatArray
    centre_depth: FloatArray
    centre_r: FloatArray
    width_x: FloatArray
    width_y: FloatArray
    width_depth: FloatArray
    width_r: FloatArray
    mean_distance: FloatArray
    depth_unit: str
    lost_energy: FloatArray | None = None
    weight: FloatArray | None = None

    def __len__(self) -> int:
        return len(self.incident_energy)

    def select(self, which: slice | Array | Sequence[int]) -> PointObservables:
        """Return the showers picked by a slice, a mask or indices, in that order."""
        return PointObservables(
            **{name: getattr(self, name)[which] for name in _ARRAYS},
            depth_unit=self.depth_unit,
            lost_energy=None if self.lost_energy is None else self.lost_energy[which],
            weight=None if self.weight is None else self.weight[which],
        )

    @classmethod
    def concatenate(cls, parts: Iterable[PointObservables]) -> PointObservables:
        """Join the observables of consecutive showers.

        Raises:
            RangeError: if there is no part.
            ShapeError: if only some of the showers know their depth in mm.
        """
        parts = list(parts)
        if not parts:
            raise RangeError("expected at least one set of showers to observe, got none.")
        units = {part.depth_unit for part in parts if part.depth_unit}
        if len(units) > 1:
            raise ShapeError(
                "some showers have their depth in mm, others the number of a layer only; expected "
                "one of the two. Drop z (set it to nan) or the showers without it."
            )
        weights = [np.ones(len(p)) if p.weight is None else p.weight for p in parts]
        lost = [part.lost_energy for part in parts if part.lost_energy is not None]
        return cls(
            **{name: np.concatenate([getattr(part, name) for part in parts]) for name in _ARRAYS},
            depth_unit="".join(units),
            lost_energy=np.concatenate(lost) if len(lost) == len(parts) else None,
            weight=np.concatenate(weights) if any(p.weight is not None for p in parts) else None,
        )


_ARRAYS = (
    "incident_energy",
    "total_energy",
    "number",
    "brightest",
    "effective_number",
    "centre_x",
    "centre_y",
    "centre_depth",
    "centre_r",
    "width_x",
    "width_y",
    "width_depth",
    "width_r",
    "mean_distance",
)


def observe_points(
    points: PointShowers, threshold: float = 0.0, *, lost: Array | None = None
) -> PointObservables:
    """Compute the observables of point clouds.

    Sums run in float64 in the order of the points: the result has the same bits however the
    showers are cut into pieces.

    Args:
        points: the showers, in MeV and mm.
        threshold: points below it (MeV) do not count; the default drops negative ones only.
        lost: energy of each shower outside the voxels in MeV, shape ``(events,)``.

    Raises:
        ShapeError: if only some of the points know their depth in mm.
    """
    parts = [_observe(points.select(run), threshold) for run in points.runs(_RUN_POINTS)]
    found = PointObservables.concatenate(parts or [_observe(points, threshold)])
    weight = None if points.weight is None else points.weight.astype(np.float64)
    return replace(
        found, weight=weight, lost_energy=None if lost is None else lost.astype(np.float64)
    )


def read_and_observe(
    source: ShowerFile | JoinedFiles, start: int, stop: int, *, threshold: float = 0.0
) -> tuple[VoxelShowers, PointObservables]:
    """Read a run of files of points once: their voxels, and the observables of the points.

    Only the voxels are held at once, the points pass by in pieces.

    Args:
        source: files of points, opened with a geometry.
        start: number of the first shower.
        stop: number after the last one.
        threshold: points below it (MeV) do not count in the observables of points; the voxels
            hold all points.

    Raises:
        FileFormatError: if a file holds voxels, or numbers that are no points.
        RangeError: if the run has no shower.
    """
    files = source.files if isinstance(source, JoinedFiles) else (source,)
    voxels, found, first = [], [], 0
    for file in files:
        if file.points is None:
            raise FileFormatError(f"{file.path}: holds voxels; expected points to observe.")
        low, high = max(start - first, 0), min(stop - first, len(file))
        for piece in file.points.chunks(None, low, high):
            showers = voxelize(piece, file.geometry, tolerance=1.0)
            voxels.append(showers)
            found.append(observe_points(piece, threshold, lost=showers.lost))
        first += len(file)
    return VoxelShowers.concatenate(voxels), PointObservables.concatenate(found)


def count_points(points: PointShowers, edges: Array, *, threshold: float = 0.0) -> NDArray[Any]:
    """Count the points of each shower in bins of their energy.

    Args:
        points: the showers, in MeV.
        edges: increasing edges in MeV, shape ``(bins + 1,)``.
        threshold: points below it (MeV) are dropped, and those without energy.

    Returns:
        Numbers of points, shape ``(events, bins + 2)``, int32; the first and last columns hold
        what lies outside the range.
    """
    kept = points.thresholded(max(threshold, 0.0))
    counts = _in_bins(kept, kept.energy, edges, None)
    return counts.astype(np.int32)


def energy_in_bins(
    points: PointShowers,
    along: Literal["depth", "radius"],
    edges: Array,
    *,
    threshold: float = 0.0,
) -> FloatArray:
    """Sum the energy of each shower in bins of depth or of the distance from the axis.

    Args:
        points: the showers, in MeV and mm.
        along: ``depth`` (z in mm, or the layer's number where z is not known) or ``radius`` (mm).
        edges: increasing edges in that unit, shape ``(bins + 1,)``.
        threshold: points below it (MeV) are dropped.

    Returns:
        Energies in MeV, shape ``(events, bins + 2)``; the first and last columns hold what lies
        outside the range.
    """
    kept = points.thresholded(max(threshold, 0.0))
    where = _depth(kept)[0] if along == "depth" else _radius(kept)
    return _in_bins(kept, where, edges, kept.energy).astype(np.float64, copy=False)


def _in_bins(points: PointShowers, values: Array, edges: Array, weight: Array | None) -> Array:
    columns = len(edges) + 1
    index = bin_index(values, np.asarray(edges, np.float64)) + columns * points.event
    found = np.bincount(index, weight, minlength=columns * len(points))
    return found.reshape(len(points), columns)


def _observe(points: PointShowers, threshold: float) -> PointObservables:
    kept = points.thresholded(max(threshold, 0.0))
    energy = kept.energy.astype(np.float64)
    depth, unit = _depth(kept)
    total = kept.totals()
    coordinates = {
        "x": kept.position[:, 0].astype(np.float64),
        "y": kept.position[:, 1].astype(np.float64),
        "depth": depth,
        "r": _radius(kept),
    }
    moments, square = {}, np.zeros(len(energy))
    for name, values in coordinates.items():
        centre = _ratio(_summed(kept, energy * values), total)
        away = (values - centre[kept.event]) ** 2
        moments[f"centre_{name}"] = centre
        moments[f"width_{name}"] = np.sqrt(_ratio(_summed(kept, energy * away), total))
        if name in ("x", "y") or (name == "depth" and unit == "mm"):
            square += away
    brightest = np.zeros(len(kept))
    filled = kept.counts > 0
    if filled.any():
        brightest[filled] = np.maximum.reduceat(energy, kept.offsets[:-1][filled])
    return PointObservables(
        incident_energy=points.incident_energy.astype(np.float64),
        total_energy=total,
        number=kept.counts.astype(np.float64),
        brightest=brightest,
        effective_number=_ratio(total**2, _summed(kept, energy**2)),
        mean_distance=_ratio(_summed(kept, energy * np.sqrt(square)), total),
        depth_unit=unit,
        **moments,
    )


def _summed(points: PointShowers, values: FloatArray) -> FloatArray:
    sums = np.bincount(points.event, values, len(points))
    return sums.astype(np.float64, copy=False)


def _ratio(above: FloatArray, below: FloatArray) -> FloatArray:
    found: FloatArray = np.divide(above, below, out=np.full(len(below), np.nan), where=below > 0)
    return found


def _radius(points: PointShowers) -> FloatArray:
    x, y = points.position[:, 0].astype(np.float64), points.position[:, 1].astype(np.float64)
    radius: FloatArray = np.sqrt(x * x + y * y)
    return radius


def _depth(points: PointShowers) -> tuple[FloatArray, str]:
    """Return the depth of each point and its unit."""
    depth = points.position[:, 2].astype(np.float64)
    unknown = np.isnan(depth)
    if not len(depth):
        return depth, ""
    if not unknown.any():
        return depth, "mm"
    if points.layer is None or not unknown.all():
        raise ShapeError(
            "some points have their depth in mm, others do not; expected one of the two for all."
        )
    return points.layer.astype(np.float64), "layer"
