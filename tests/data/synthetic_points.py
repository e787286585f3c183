"""Random point clouds, and files of them in the layouts of other people."""

from __future__ import annotations

from dataclasses import replace

import h5py
import numpy as np

from simulacra.data import Geometry, Layer, PointShowers

DETECTOR = Geometry(
    name="three",
    particle="photon",
    pdg=22,
    layers=(
        Layer(0, (0.0, 5.0, 20.0), 1, 0.0, 10.0),
        Layer(1, (0.0, 2.0, 5.0, 11.0), 4, 10.0, 20.0),
        Layer(12, (4.0, 10.0, 40.0), 3, 25.0, 60.0),  # a gap before it and a hole in it
    ),
    threshold=0.1,
)


def cloud(
    events: int = 7, mean: int = 30, *, seed: int = 0, dtype: type = np.float32, **more: object
) -> PointShowers:
    """Showers of about so many points around the axis; every third one is empty."""
    rng = np.random.default_rng(seed)
    counts = rng.poisson(mean, events)
    counts[1::3] = 0
    offsets = np.concatenate([[0], np.cumsum(counts)])
    points = int(offsets[-1])
    position = np.column_stack(
        [rng.normal(0, 8, points), rng.normal(0, 8, points), rng.uniform(0, 60, points)]
    )
    energy = rng.exponential(50.0, points)
    return PointShowers(
        position=position.astype(np.float32),
        energy=energy.astype(dtype),
        offsets=offsets,
        incident_energy=np.full(events, 50.0 * max(mean, 1)).astype(dtype),
        **more,
    )


def dressed(points: PointShowers, seed: int = 1) -> PointShowers:
    """The same showers with layers, conditions and weights of which some are negative."""
    rng = np.random.default_rng(seed)
    return replace(
        points,
        layer=rng.choice([0, 1, 12], len(points.energy)),
        conditions={"theta": rng.normal(size=len(points)), "pdg": np.full(len(points), 22)},
        weight=rng.normal(size=len(points)),
    )


def padded(points: PointShowers, room: int) -> np.ndarray:
    """As one array (events, room, 4): x, y, z, energy."""
    array = np.zeros((len(points), room, 4), np.float32)
    for event in range(len(points)):
        one = points.select([event])
        array[event, : len(one.energy), :3] = one.position
        array[event, : len(one.energy), 3] = one.energy
    return array


def write_caloclouds(path, points: PointShowers, *, last: bool = False, front: bool = True) -> None:
    """As CaloClouds stores showers: x, layer, z, energy in GeV, padded in front."""
    array = padded(points, 80)
    layer = np.zeros(array.shape[:2])
    for event in range(len(points)):
        one = points.select([event])
        layer[event, : len(one.energy)] = one.layer
    file_order = np.stack([array[..., 1], layer, array[..., 0], array[..., 3] / 1000], axis=1)
    if front:
        file_order = file_order[:, :, ::-1]
    with h5py.File(path, "w") as file:
        file["events"] = file_order.transpose(0, 2, 1) if last else file_order
        file["energy"] = points.incident_energy[:, None] / 1000


def write_showerdata(path, points: PointShowers, width: int = 5) -> None:
    """As the package showerdata stores showers, with times if ``width`` is 5."""
    events = len(points)
    with h5py.File(path, "w") as file:
        file.create_dataset("showers", (events,), dtype=h5py.vlen_dtype(np.float32))
        for event in range(events):
            one = points.select([event])
            row = np.zeros((len(one.energy), width), np.float32)
            row[:, :2] = one.position[:, :2]
            row[:, 2] = one.layer
            row[:, 3] = one.energy / 1000
            file["showers"][event] = row.ravel()
        file["energies"] = (points.incident_energy[:, None] / 1000).astype(np.float32)
        file["directions"] = np.tile([0.6, 0.0, 0.8], (events, 1)).astype(np.float32)
        file["pdg"] = np.full(events, 22, np.int32)
        file["shower_ids"] = np.arange(events, dtype=np.int32)
        file["shape"] = np.array([events, int(points.counts.max(initial=0)), width])
        file["num_points"] = points.counts.astype(np.int32)
        file.attrs["showerdata_version"] = "0.6.1"
