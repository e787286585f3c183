"""The cylinder of cells that Par04 and its descendants know, and where its cells are in showers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...data import Geometry, Layer
from ...errors import ArtifactError, ConfigError

__all__ = ["Mesh", "mesh_of", "voxels_at"]

_ROUNDING = 1e-6


@dataclass(frozen=True)
class Mesh:
    """Cells of equal size along radius, angle and depth.

    Args:
        rho: number of rings.
        phi: number of sectors.
        z: number of layers.
        width: of a ring in mm.
        depth: of a layer in mm.
    """

    rho: int
    phi: int
    z: int
    width: float
    depth: float

    @property
    def cells(self) -> int:
        """Number of cells."""
        return self.rho * self.phi * self.z

    def from_layers(self) -> NDArray[np.int64]:
        """Return where cell (radius slowest, angle, depth fastest) is in a shower's flat order."""
        flat = np.arange(self.cells).reshape(self.z, self.phi, self.rho)
        return flat.transpose(2, 1, 0)


def mesh_of(where: Geometry, target: str) -> Mesh:
    """Return a detector's mesh.

    Args:
        where: the detector.
        target: that needs a mesh, for the message.

    Raises:
        ConfigError: if it has none, naming one that would fit.
    """
    layers = [layer for layer in where.layers if isinstance(layer, Layer)]
    if not where.regular or len(layers) != len(where.layers):
        raise ConfigError(_refused(where, target, "its layers are not all of the same rings"))
    edges = np.array(layers[0].r_edges)
    if edges[0] != 0 or np.ptp(np.diff(edges)) > _ROUNDING * edges[-1]:
        raise ConfigError(
            _refused(where, target, "its rings are not of one width from the axis on")
        )
    ends = np.array([(layer.z_min, layer.z_max) for layer in layers])
    depth = float(ends[0, 1] - ends[0, 0])
    wanted = depth * np.arange(len(layers))
    if not np.allclose(ends, np.column_stack([wanted, wanted + depth]), atol=_ROUNDING * depth):
        raise ConfigError(
            _refused(where, target, "its layers are not of one known depth, one behind the other")
        )
    sectors, rings = layers[0].shape
    return Mesh(rings, sectors, len(layers), float(edges[-1] / rings), depth)


def voxels_at(
    where: Geometry, radius: ArrayLike, angle: ArrayLike, depth: ArrayLike
) -> NDArray[np.int64]:
    """Return the voxel in which each point lies, as its flat place in a shower.

    Args:
        where: the detector, of rings.
        radius: distance from the shower's axis in mm, ``(cells,)``.
        angle: in rad, any turn.
        depth: from the calorimeter's face in mm.

    Raises:
        ArtifactError: if points lie outside of the detector, or two in one voxel.
    """
    layers = [layer for layer in where.layers if isinstance(layer, Layer)]
    ends = np.array([layer.z_max for layer in layers])
    layer = np.searchsorted(ends, np.asarray(depth), side="right")
    edges = np.array(layers[0].r_edges)
    ring = np.searchsorted(edges, np.asarray(radius), side="right") - 1
    n_alpha, n_radius = layers[0].shape
    turn = np.mod(np.asarray(angle) + np.pi, 2 * np.pi) / (2 * np.pi)
    sector = np.minimum((turn * n_alpha).astype(np.int64), n_alpha - 1)
    inside = (layer < len(layers)) & (ring >= 0) & (ring < n_radius)
    places = (layer * n_alpha + sector) * n_radius + ring
    if not inside.all() or len(np.unique(places)) != len(places):
        raise ArtifactError(
            f"the client's cells do not cover the voxels one by one: {int((~inside).sum())} of "
            f"{len(places)} lie outside; its mesh is not that of the model"
        )
    return np.asarray(places, np.int64)


def _refused(where: Geometry, target: str, reason: str) -> str:
    return (
        f"export: {target} needs a mesh of equal rings, sectors and layers, and the model's "
        f"detector {where.name!r} has none: {reason}. A mesh that fits is that of calochallenge-2, "
        "45 layers x 16 sectors x 9 rings, which the shipped model electrons-copula has; this "
        "model becomes a bundle for triton or python."
    )
