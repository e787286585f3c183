"""Deposits to voxels, against a slow twin that looks at one point after the other."""

from __future__ import annotations

import math

import numpy as np
import pytest

from simulacra.simulate import preset
from simulacra.simulate.calorimeter import Cells, Ring
from simulacra.simulate.voxels import Voxels, rotations

RINGS = Voxels(
    np.array([0.0, 2.0, 5.0, 6.0]),
    (
        Ring(depth=2.0, r_edges=(0.0, 1.0, 3.0), n_alpha=1),
        Ring(depth=3.0, r_edges=(0.5, 2.0, 2.5, 4.0), n_alpha=5),
        Ring(depth=1.0, r_edges=(0.0, 1.0, 3.0), n_alpha=1),
    ),
)
GRID = Voxels(
    np.array([0.0, 2.0, 5.0]),
    (Cells(depth=2.0, n_x=2, n_y=5), Cells(depth=3.0, n_x=4, n_y=1)),
    width=6.0,
)


def _slowly(voxels: Voxels, x: float, y: float, z: float) -> int:
    start = 0
    for place, layer in enumerate(voxels.layers):
        low, high = voxels.edges[place], voxels.edges[place + 1]
        if isinstance(layer, Ring):
            n, rings = layer.n_alpha, len(layer.r_edges) - 1
            if low <= z < high:
                for ring in range(rings):
                    if layer.r_edges[ring] <= math.hypot(x, y) < layer.r_edges[ring + 1]:
                        sector = int((math.atan2(y, x) + math.pi) / (2 * math.pi) * n)
                        return start + min(sector, n - 1) * rings + ring
                return -1
            start += n * rings
        else:
            if low <= z < high:
                i = math.floor((x + voxels.width / 2) / (voxels.width / layer.n_x))
                j = math.floor((y + voxels.width / 2) / (voxels.width / layer.n_y))
                inside = 0 <= i < layer.n_x and 0 <= j < layer.n_y
                return start + i * layer.n_y + j if inside else -1
            start += layer.n_x * layer.n_y
    return -1


@pytest.mark.parametrize("voxels", [RINGS, GRID], ids=["rings", "grid"])
def test_the_fast_way_finds_what_the_slow_one_finds(voxels):
    points = np.random.default_rng(0).uniform([-5, -5, -1], [5, 5, 7], (3000, 3))
    found = voxels.find(*points.T)
    assert found.tolist() == [_slowly(voxels, *point) for point in points.tolist()]
    assert set(found) == {-1, *range(voxels.count)}


def test_edges_belong_to_the_voxel_behind_them():
    x = np.array([0.0, 1.0, 3.0, -1e-12])
    assert RINGS.find(x, 0 * x, 0 * x).tolist() == [0, 1, -1, 0]
    z = np.array([0.0, 2.0, 5.0, 6.0, -1e-9])
    assert RINGS.find(0 * z + 0.7, 0 * z, z).tolist() == [0, 2 + 2 * 3, 17, -1, -1]


def test_angles_begin_at_minus_pi():
    angle = np.array([-np.pi, -np.pi + 0.01, -0.01, 0.01, np.pi])
    found = RINGS.find(np.cos(angle), np.sin(angle), 0 * angle + 3.0)
    assert ((found - 2) // 3).tolist() == [0, 0, 2, 2, 4]
    assert ((found - 2) % 3 == 0).all()


def test_voxels_lie_where_the_geometry_says():
    calorimeter = preset("pbwo4-lar").calorimeter
    where, voxels = calorimeter.geometry(), Voxels.of(calorimeter)
    depth = where.z_centres[where.layer_index]
    found = voxels.find(where.eta, where.phi, depth)
    assert found.tolist() == list(range(where.voxels))


def test_energy_is_summed_per_event_and_voxel():
    event = np.array([0, 1, 1, 1])
    voxel = np.array([2, 0, 0, -1])
    filled = GRID.fill(3, event, voxel, np.array([1.0, 2.0, 4.0, 8.0]))
    assert filled.shape == (3, 14)
    assert (filled[0, 2], filled[1, 0], filled.sum()) == (1.0, 6.0, 7.0)


def test_a_particles_frame_is_a_rotation_that_follows_it():
    rng = np.random.default_rng(1)
    direction = rng.normal(size=(20, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    frames = rotations(direction)
    assert np.allclose(frames @ np.swapaxes(frames, 1, 2), np.eye(3))
    assert np.allclose(np.linalg.det(frames), 1.0)
    assert np.allclose(np.einsum("eij,ej->ei", frames, direction), [0, 0, 1])
    assert np.allclose(rotations(np.array([[0.0, 0.0, 1.0]])), np.eye(3))
