"""Rectangular cells: closed forms of the geometry, round trips of files, points and back."""

from __future__ import annotations

import json
from dataclasses import replace

import h5py
import numpy as np
import pytest

from simulacra.data import (
    Geometry,
    GridLayer,
    Layer,
    ToyShowers,
    VoxelShowers,
    convert_showers,
    geometry,
    merge_showers,
    open_showers,
    to_points,
    toy_grid,
    voxelize,
    write_showers,
)
from simulacra.errors import FileFormatError, RangeError, ShapeError


def test_cells_of_a_layer_by_hand():
    """Two cells along x and three along y: y runs fastest."""
    layer = GridLayer(4, (-2.0, 0.0, 4.0), (-3.0, -1.0, 1.0, 3.0), 5.0, 6.0)
    assert (layer.shape, layer.voxels, layer.sees) == ((2, 3), 6, ("eta", "phi"))
    np.testing.assert_array_equal(layer.x, [-1, -1, -1, 2, 2, 2])
    np.testing.assert_array_equal(layer.y, [-2, 0, 2, -2, 0, 2])
    np.testing.assert_allclose(layer.radius, np.sqrt([5, 1, 5, 8, 4, 8]))
    np.testing.assert_allclose(layer.alpha[[1, 4]], [np.pi, 0])
    # rings as wide as the narrowest cell (2 mm): centres at 1 | 2, 2.24, 2.24, 2.83, 2.83
    assert layer.r_edges == (0.0, 2.0, 5.0)
    np.testing.assert_array_equal(layer.ring, [1, 0, 1, 1, 1, 1])
    np.testing.assert_array_equal(layer.ring_sums(np.arange(6.0)), [1.0, 14.0])
    flags = np.ones((300, 6), np.uint8)
    np.testing.assert_array_equal(layer.ring_sums(flags), np.tile([1, 5], (300, 1)))


def test_a_layer_that_sees_one_direction_has_distances_along_it():
    layer = GridLayer.square(0, 1, 4, 8.0)
    assert layer.sees == ("phi",)
    np.testing.assert_array_equal(layer.radius, [3, 1, 1, 3])
    assert layer.r_edges == (0.0, 2.0, 4.0)
    assert GridLayer.square(0, 1, 1, 8.0).sees == ()


@pytest.mark.parametrize("name", ["three-layer", "calogan", "ecal-18x72"])
def test_built_in_cells(name):
    where = geometry(name)
    assert where.rectangular
    assert Geometry.from_dict(json.loads(json.dumps(where.to_dict()))) == where
    assert where.eta.sum() == pytest.approx(0, abs=1e-9)
    for layer in where.layers:
        counts = np.bincount(layer.ring, minlength=layer.n_radius)
        assert counts.min() > 0
        assert counts.sum() == layer.voxels


def test_what_the_built_in_cells_are():
    """Sizes of M. Paganini et al., arXiv:1712.10321, section 2, and of the AMS-02 readout."""
    layers = geometry("calogan").layers
    sizes = [(x[1] - x[0], y[1] - y[0]) for x, y in (layer.cells for layer in layers)]
    assert sizes == [(160.0, 5.0), (40.0, 40.0), (40.0, 80.0)]
    assert [layer.z_max for layer in layers] == [90.0, 438.0, 480.0]
    assert [layer.z_max for layer in geometry("three-layer").layers] == [72.0, 320.0, 360.0]
    assert geometry("calogan").digest == geometry("three-layer").digest
    ecal = geometry("ecal-18x72")
    assert [layer.sees for layer in ecal.layers[:6]] == [
        ("eta",), ("eta",), ("phi",), ("phi",), ("eta",), ("eta",)]  # fmt: skip
    assert ecal.layers[0].x_edges[:2] == (-324.0, -315.0)
    assert not ecal.regular
    assert toy_grid(((3, 2), (3, 2))).shape == (2, 3, 2)


def test_cells_that_are_none_are_refused():
    with pytest.raises(RangeError, match="x edges must be"):
        GridLayer(0, (1.0, 1.0), (0.0, 1.0))
    with pytest.raises(RangeError, match="one kind"):
        replace(toy_grid(), layers=(Layer(0, (0.0, 1.0), 1), GridLayer.square(1, 2, 2, 4.0)))
    with pytest.raises(RangeError, match="at least 1 cell"):
        GridLayer.square(0, 0, 2, 4.0)


def test_other_cells_are_another_detector():
    digests = {toy_grid(cells).digest for cells in (((2, 3),), ((3, 2),), ((6, 1),))}
    digests.add(toy_grid(((2, 3),), width=81.0).digest)
    assert len(digests) == 4


def test_layers_go_into_arrays_of_their_own(tmp_path):
    showers = ToyShowers(toy_grid(((2, 3), (4, 1)))).log_uniform(5, seed=1)
    write_showers(tmp_path / "a.hdf5", showers)
    with h5py.File(tmp_path / "a.hdf5") as file:
        assert set(file) == {"incident_energies", "layer_0", "layer_1"}
        np.testing.assert_array_equal(file["layer_0"][2].ravel(), showers.energies[2, :6])
        np.testing.assert_array_equal(file["layer_1"][2].ravel(), showers.energies[2, 6:])


def test_layers_that_see_one_direction_share_an_array(tmp_path):
    showers = ToyShowers(toy_grid(((3, 1), (1, 3)))).log_uniform(5, seed=1)
    write_showers(tmp_path / "a.hdf5", showers)
    with h5py.File(tmp_path / "a.hdf5") as file:
        assert file["showers"].shape == (5, 2, 3)
    found = open_showers(tmp_path / "a.hdf5")
    assert found.geometry == showers.geometry
    np.testing.assert_array_equal(found.read().energies, showers.energies)


def _bare(path, **datasets):
    with h5py.File(path, "w") as file:
        file["incident_energies"] = np.full((4, 1), 5000.0)
        for name, shape in datasets.items():
            file[name] = np.full((4, *shape), 10.0)
    return path


def test_files_that_say_nothing_have_the_built_in_cells(tmp_path):
    three = _bare(tmp_path / "a.hdf5", layer_0=(3, 96), layer_1=(12, 12), layer_2=(12, 6))
    assert open_showers(three).geometry == geometry("three-layer")
    assert open_showers(three, geometry="calogan").geometry == geometry("calogan")
    ecal = _bare(tmp_path / "b.hdf5", showers=(18, 72))
    assert open_showers(ecal).geometry == geometry("ecal-18x72")
    with h5py.File(three, "a") as file:  # as `simulate` wrote them at first
        file.attrs["width_mm"] = 480.0
        file.attrs["layer_z_min_mm"] = [0.0, 90.0, 438.0]
        file.attrs["layer_z_max_mm"] = [90.0, 438.0, 480.0]
    assert open_showers(three).geometry == geometry("calogan")


def test_cells_of_a_stated_width(tmp_path):
    path = _bare(tmp_path / "a.hdf5", layer_0=(2, 3), layer_1=(1, 1))
    with pytest.raises(FileFormatError, match="nothing says how large"):
        open_showers(path)
    with h5py.File(path, "a") as file:
        file.attrs["width_mm"] = 6.0
    assert open_showers(path).geometry.layers[0].cells == ((-3.0, 0.0, 3.0), (-3.0, -1.0, 1.0, 3.0))


def test_cells_that_do_not_fit_are_refused(tmp_path):
    path = _bare(tmp_path / "a.hdf5", layer_0=(3, 96), layer_1=(12, 12), layer_2=(6, 12))
    with pytest.raises(ShapeError, match="has \\[\\(3, 96\\)"):
        open_showers(path, geometry="three-layer")
    with pytest.raises(ShapeError, match="rings"):
        open_showers(path, geometry="calochallenge-1-photons")
    flat = _bare(tmp_path / "b.hdf5", layer_0=(3, 96, 1))
    with pytest.raises(FileFormatError, match="cells along x"):
        open_showers(flat)
    with h5py.File(path, "a") as file:
        del file["layer_2"]
        file["layer_2"] = np.ones((3, 12, 6))
    with pytest.raises(ShapeError, match="Were two files mixed up"):
        open_showers(path)
    rings = ToyShowers(geometry("calochallenge-1-photons")).log_uniform(2, seed=1)
    with pytest.raises(ShapeError, match="rectangular cells only"):
        write_showers(tmp_path / "c.hdf5", rings, format="cells")


@pytest.mark.parametrize("format", ["calochallenge", "sparse", "points"])
def test_cells_in_other_formats(tmp_path, format):
    showers = ToyShowers(toy_grid()).log_uniform(9, seed=1)
    write_showers(tmp_path / "a.hdf5", showers)
    convert_showers(open_showers(tmp_path / "a.hdf5"), tmp_path / "b.hdf5", format=format)
    back = open_showers(tmp_path / "b.hdf5")
    assert back.geometry == showers.geometry
    np.testing.assert_allclose(back.read().energies, showers.energies, rtol=1e-6)


def test_shards_of_cells_merge(tmp_path):
    showers = ToyShowers(toy_grid()).log_uniform(9, seed=1)
    for number, part in enumerate((slice(0, 4), slice(4, 9))):
        shard = {"run": "r", "events_of_run": 9, "first_event": part.start}
        write_showers(tmp_path / f"{number}.hdf5", showers.select(part), attributes=shard)
    merge_showers(tmp_path / "all.hdf5", [tmp_path / "1.hdf5", tmp_path / "0.hdf5"])
    np.testing.assert_array_equal(open_showers(tmp_path / "all.hdf5").read().energies,
                                  showers.energies)  # fmt: skip


@pytest.mark.parametrize("spread", [0.0, 1.0])
def test_points_lead_back_to_their_cells(spread):
    showers = ToyShowers(toy_grid()).log_uniform(11, seed=4)
    back = voxelize(to_points(showers, seed=3, spread=spread), showers.geometry)
    np.testing.assert_array_equal(back.energies, showers.energies)
    assert not back.lost.any()


def test_points_beside_the_cells_are_lost():
    showers = ToyShowers(toy_grid(width=40.0)).log_uniform(7, seed=4)
    points = to_points(showers)
    back = voxelize(points, toy_grid(width=36.0), tolerance=1.0)
    outer = voxelize(replace(points, position=points.position * [0.8, 0.8, 1]), showers.geometry)
    total = back.energies.sum(axis=1) + back.lost
    np.testing.assert_allclose(total, showers.energies.sum(axis=1))
    assert not outer.lost.any()


def test_toy_cells_have_the_stated_mean():
    """20,000 toy showers: the mean of every cell within 5 sigma of its closed form."""
    toy = ToyShowers(toy_grid(), spread=0.2, concentration=20.0)
    assert toy.profile[:24].sum() == pytest.approx(1)
    found = toy.sample(np.full(20_000, 1000.0), seed=2).energies
    error = found.std(axis=0) / np.sqrt(len(found))
    assert (np.abs(found.mean(axis=0) - toy.mean_energies(1000.0)) < 5 * error).all()


def test_conditions_come_back(tmp_path):
    showers = ToyShowers(toy_grid()).log_uniform(6, seed=1)
    pdg = np.array([11, 22, -11, 11, 22, -11], np.int16)
    showers = replace(showers, conditions={"pdg": pdg, "theta": np.linspace(0, 0.3, 6)})
    write_showers(tmp_path / "a.hdf5", showers)
    found = open_showers(tmp_path / "a.hdf5").read()
    assert isinstance(found, VoxelShowers)
    np.testing.assert_array_equal(found.conditions["pdg"], pdg)
    np.testing.assert_array_equal(found.conditions["theta"], showers.conditions["theta"])
