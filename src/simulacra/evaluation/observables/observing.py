"""Showers in, observables out: tile by tile, as matrix products."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...data import Geometry, GridLayer, Layer, VoxelShowers
from .products import steady_product
from .showers import (
    EPSILON,
    FEW_LAYERS,
    ShowerObservables,
    angular_layers,
    ring_edges,
)
from .tiling import each_tile

__all__ = ["filled_voxels", "observe"]

Array = NDArray[Any]
FloatArray = NDArray[np.float64]

_VANISHING = 1e-9  # of the largest coordinate: what is this small is 0 up to rounding


def observe(showers: VoxelShowers, *, threshold: float = 0.0) -> ShowerObservables:
    """Compute the observables of showers.

    Layer energies are summed in the file's precision, as the challenge does; the other sums run
    in float64, since a width is a small difference of large numbers. The bits do not depend on
    how the showers are cut into pieces nor on the threads of the linear algebra.

    Args:
        showers: the showers, in MeV.
        threshold: voxels below it (MeV) count as empty; the default cuts negative ones only.

    Returns:
        The observables, one row per shower.

    Raises:
        RangeError: if there is no shower.
    """
    return ShowerObservables.concatenate(
        each_tile(lambda tile: _observe_tile(tile, threshold), showers)
    )


def filled_voxels(showers: VoxelShowers, threshold: float) -> NDArray[np.bool_]:
    """Return which voxels are above 0 and not below the threshold, shape ``(events, voxels)``.

    Args:
        showers: the showers, in MeV.
        threshold: in MeV; compared in the showers' precision, as the challenge does.
    """
    cut = float(threshold)
    return showers.energies >= cut if cut > 0 else showers.energies > 0


@dataclass(frozen=True, eq=False)
class _Block:
    """Consecutive layers of equal shape: their voxels and what these are multiplied with.

    Args:
        part: the flat range of their voxels.
        layers: how many they are.
        layer: one of them.
        coordinates: r, and in angular layers eta and phi, of a layer's voxels in mm,
            shape ``(voxels, coordinates)``.
        rings: ring by ring 1 where a voxel lies in it, and in angular layers cos(alpha) and
            sin(alpha), shape ``(voxels, rings or rings + 2)``.
    """

    part: slice
    layers: int
    layer: Layer | GridLayer
    coordinates: FloatArray
    rings: NDArray[np.float32]

    @cached_property
    def moments(self) -> FloatArray:
        """Coordinates, then their squares, shape ``(2 coordinates, voxels)``."""
        return np.concatenate([self.coordinates.T, self.coordinates.T**2])

    def split(self, voxels: Array) -> Array:
        """Return voxels, shape ``(events, all voxels)``, as ``(events, layers, voxels)``."""
        return voxels[:, self.part].reshape(len(voxels), self.layers, self.layer.voxels)

    def rows(self, voxels: Array) -> Array:
        """Return voxels as ``(events * layers, voxels)``."""
        return voxels[:, self.part].reshape(-1, self.layer.voxels)


@lru_cache(maxsize=8)
def _blocks(geometry: Geometry) -> tuple[_Block, ...]:
    return tuple(_each_block(geometry))


def _each_block(geometry: Geometry) -> Iterator[_Block]:
    first = 0
    for _, same in groupby(geometry.layers, lambda layer: layer.cells):
        layers = list(same)
        layer, boundaries = layers[0], geometry.boundaries
        part = slice(int(boundaries[first]), int(boundaries[first + len(layers)]))
        one = slice(part.start, part.start + layer.voxels)
        r, alpha = geometry.radius[one], geometry.alpha[one]
        rings = np.eye(layer.n_radius)[layer.ring]
        if layer.sees:
            coordinates = np.column_stack([r, geometry.eta[one], geometry.phi[one]])
            rings = np.column_stack([rings, np.cos(alpha), np.sin(alpha)])
        else:
            coordinates = r[:, None]
        yield _Block(part, len(layers), layer, coordinates, rings.astype(np.float32))
        first += len(layers)


@lru_cache(maxsize=8)
def _shares(geometry: Geometry) -> NDArray[np.float32]:
    """Return the fraction of each layer's ring in each common one, shape (all rings, rings)."""
    edges = ring_edges(geometry)
    found = []
    for layer in geometry.layers:
        low, high = (np.asarray(r)[:, None] for r in (layer.r_edges[:-1], layer.r_edges[1:]))
        inside = np.minimum(high, edges[1:]) - np.maximum(low, edges[:-1])
        found.append(np.clip(inside, 0, None) / (high - low))
    return np.concatenate(found).astype(np.float32)


def _observe_tile(showers: VoxelShowers, threshold: float) -> ShowerObservables:
    geometry, blocks = showers.geometry, _blocks(showers.geometry)
    filled = filled_voxels(showers, threshold)
    kept = np.multiply(showers.energies, filled, order="C")
    flags = filled.view(np.uint8)
    hits = [np.add.reduce(b.split(flags), axis=2, dtype=np.uint32) for b in blocks]
    layer_energy = np.concatenate([b.split(kept).sum(axis=2) for b in blocks], axis=1)
    return ShowerObservables(
        geometry=geometry,
        incident_energy=showers.incident_energy,
        total_energy=kept.sum(axis=1),
        layer_energy=layer_energy,
        hits=np.concatenate(hits, axis=1).astype(np.int32),
        **_centres_and_widths(blocks, kept, layer_energy),
        **_rings(geometry, blocks, kept, layer_energy),
        weight=None if showers.weight is None else showers.weight.astype(np.float64),
        conditions=dict(showers.conditions),
        **_two_brightest(geometry, blocks, kept),  # last: it overwrites the voxels
    )


def _centres_and_widths(
    blocks: tuple[_Block, ...], kept: Array, layer_energy: Array
) -> dict[str, Array]:
    double, first = kept.astype(np.float64, copy=False), 0
    found: dict[str, list[Array]] = {
        f"{kind}_{x}": [np.empty((len(kept), 0))]
        for kind in ("centre", "width")
        for x in ("r", "eta", "phi")
    }
    for block in blocks:
        norm = layer_energy[:, first : first + block.layers] + EPSILON
        first += block.layers
        moments = (
            steady_product(block.moments, block.rows(double).T).reshape(-1, *norm.shape) / norm
        )
        number = block.coordinates.shape[1]
        for x, name in enumerate(("r", "eta", "phi")[:number]):
            centre, square = moments[x], moments[number + x]
            square -= centre**2
            _again(block.coordinates[:, x], centre, square, norm, block.split(kept))
            found[f"centre_{name}"].append(centre)
            found[f"width_{name}"].append(np.sqrt(np.maximum(square, 0, out=square), out=square))
    return {name: np.concatenate(parts, axis=1) for name, parts in found.items()}


def _again(
    x: FloatArray, centre: FloatArray, variance: FloatArray, norm: Array, voxels: Array
) -> None:
    """Compute centres and variances anew, voxel after voxel, where one is 0 up to rounding.

    0 is an edge of the challenge's histograms, so the order of the sum decides on the bin.
    """
    far = float(np.abs(x).max())
    nearest = np.minimum(np.abs(centre) * far, variance)
    event, layer = np.nonzero(nearest <= _VANISHING * far**2)
    filled = norm[event, layer] > EPSILON
    event, layer = event[filled], layer[filled]
    if len(event):
        these, total = voxels[event, layer], norm[event, layer]
        centre[event, layer] = mean = (x * these).sum(axis=1) / total
        variance[event, layer] = (x * x * these).sum(axis=1) / total - mean**2


def _rings(
    geometry: Geometry, blocks: tuple[_Block, ...], kept: Array, layer_energy: Array
) -> dict[str, Array]:
    """Return energies in rings and first harmonics; single precision is enough for them."""
    single = kept.astype(np.float32, copy=False)
    rings, angles = [], [np.empty((len(kept), 0, 2), np.float32)]
    for block in blocks:
        sums = steady_product(block.rows(single), block.rings)
        rings.append(sums[:, : block.layer.n_radius].reshape(len(kept), -1))
        if block.layer.sees:
            angles.append(sums[:, block.layer.n_radius :].reshape(len(kept), block.layers, 2))
    energy = layer_energy[:, angular_layers(geometry)] + EPSILON
    harmonic = np.concatenate(angles, axis=1) / energy[..., None]
    every = np.concatenate(rings, axis=1)
    return {
        "harmonic_cos": harmonic[..., 0].astype(np.float32),
        "harmonic_sin": harmonic[..., 1].astype(np.float32),
        "ring_energy": steady_product(every, _shares(geometry)),
        "layer_ring_energy": every if len(geometry.layers) <= FEW_LAYERS else every[:, :0],
    }


def _two_brightest(geometry: Geometry, blocks: tuple[_Block, ...], kept: Array) -> dict[str, Array]:
    """Return the two largest voxels of each layer; the largest are overwritten with 0."""
    starts = geometry.boundaries[:-1]
    largest = np.concatenate([b.split(kept).argmax(axis=2) for b in blocks], axis=1) + starts
    rows = np.arange(len(kept))[:, None]
    first = kept[rows, largest]
    kept[rows, largest] = 0
    return {"brightest": first, "second_brightest": np.maximum.reduceat(kept, starts, axis=1)}
