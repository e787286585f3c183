"""Point clouds from end to end: rows and back, training, drawing, files, refusals."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from tiny_surrogate import TINY
from typer.testing import CliRunner

from simulacra.cli.app import app
from simulacra.data import (
    Geometry,
    GridLayer,
    VoxelShowers,
    open_points,
    open_showers,
    to_points,
    voxelize,
    write_points,
    write_showers,
)
from simulacra.errors import ConfigError, RangeError
from simulacra.generative import PointCascadeConfig, PointFlowConfig
from simulacra.tasks.calorimeter import Surrogate, recipe, sample_to_file, spectrum
from simulacra.tasks.calorimeter.clouds import CloudRows

POINTS = PointCascadeConfig(
    channels=6,
    blocks=1,
    width=8,
    depth=2,
    places=10,
    energy_width=8,
    energy_blocks=1,
    shape=PointFlowConfig(steps=2),
    energy=TINY.model.energy,
)


def _config(*, cells):
    return TINY.updated(name="cloud", model=POINTS.updated(cells=cells).to_dict())


@pytest.fixture(scope="module", params=[True, False], ids=["cells", "free"])
def cloud(request, toy_showers):
    return Surrogate(_config(cells=request.param)).fit(toy_showers, seed=3)


def _energies(surrogate, events=20):
    low, high = surrogate.manifest["validity"]["ranges"]["incident_energy"]
    return np.geomspace(low, high, events)


def test_rows_are_the_points(toy_showers):
    points = to_points(toy_showers.select(slice(0, 50)), seed=1, spread=1.0)
    rows = CloudRows(toy_showers.geometry, places=10, smallest=1e-30)
    back = rows.points(rows.rows(points), points.incident_energy)
    assert_array_equal(back.counts, points.counts)
    one, other = (_sorted(cloud) for cloud in (points, back))
    assert_allclose(other, one, rtol=1e-4, atol=1e-3)


def _sorted(cloud):
    table = np.column_stack([cloud.event, cloud.energy, cloud.position])
    return table[np.lexsort(table.T[::-1])]


def test_too_many_points_in_a_ring_are_refused(toy_showers):
    points = to_points(toy_showers.select(slice(0, 50)), seed=1, spread=1.0)
    with pytest.raises(RangeError, match=r"has room for 2; set model\.places"):
        CloudRows(toy_showers.geometry, places=2, smallest=1e-30).rows(points)


def test_points_in_another_unit_are_refused(toy_showers):
    from dataclasses import replace

    points = to_points(toy_showers.select(slice(0, 50)), seed=1, spread=1.0)
    metres = replace(points, position=points.position * 1e4)
    with pytest.raises(RangeError, match="lies outside the rings"):
        CloudRows(toy_showers.geometry, places=10, smallest=1e-30).rows(metres)


def test_what_is_drawn_is_physics(cloud, toy_showers):
    drawn = cloud.sample(_energies(cloud), seed=2)
    assert drawn.energies.shape == (20, toy_showers.geometry.voxels)
    assert np.isfinite(drawn.energies).all()
    assert (drawn.energies >= 0).all()
    if drawn.lost is not None:
        assert not drawn.lost.any()


@pytest.mark.parametrize("batch", [1, 7])
def test_batches_change_nothing(cloud, batch):
    energy = _energies(cloud)
    whole = cloud.sample(energy, seed=2).energies
    pieces = [
        cloud.sample(energy[a : a + batch], seed=2, first_event=a).energies
        for a in range(0, len(energy), batch)
    ]
    assert_array_equal(np.concatenate(pieces), whole)


def test_a_loaded_model_draws_the_same_showers(cloud, tmp_path):
    cloud.save(tmp_path / "m")
    loaded = Surrogate.load(tmp_path / "m")
    energy = _energies(cloud)
    assert loaded.config == cloud.config
    assert_array_equal(loaded.sample(energy).energies, cloud.sample(energy).energies)


def test_a_file_of_points_is_the_file_of_voxels(cloud, tmp_path):
    particles = spectrum(*_energies(cloud)[[0, -1]], 30, seed=1)
    sample_to_file(cloud, tmp_path / "v.hdf5", particles, seed=4)
    sample_to_file(cloud, tmp_path / "p.hdf5", particles, seed=4, points=True, batch_size=8)
    voxels, points = open_showers(tmp_path / "v.hdf5"), open_points(tmp_path / "p.hdf5")
    assert points.geometry == voxels.geometry
    summed = voxelize(points.read(), points.geometry)
    assert_allclose(summed.energies, voxels.read().energies, rtol=1e-6)


def test_files_of_points_are_learned_as_points(toy_showers, tmp_path):
    points = to_points(toy_showers, seed=1, spread=1.0)
    write_points(tmp_path / "p.hdf5", points, geometry=toy_showers.geometry)
    surrogate = Surrogate(_config(cells=False)).fit(tmp_path / "p.hdf5", seed=3)
    drawn = surrogate.sample(_energies(surrogate))
    assert (drawn.energies > 0).any()
    assert_array_equal(np.sort(surrogate.training_keys), np.sort(points.event_keys()))


def test_rectangular_cells_are_refused(toy_showers):
    layers = tuple(
        GridLayer(i, (0.0, 1.0, 2.0), (0.0, 1.0), float(i), float(i + 1)) for i in range(2)
    )
    where = Geometry("grid", "photon", 22, layers, 1.0)
    showers = VoxelShowers(np.ones((200, 4)), np.geomspace(1e3, 1e4, 200), where)
    for cells in (True, False):
        with pytest.raises(ConfigError, match="voxels"):
            Surrogate(_config(cells=cells)).fit(showers)


def test_the_recipe_is_of_points():
    assert recipe("photons-cloud").model.family == "points"
    assert recipe("photons-cloud").model.cells


def test_the_command_line_trains_and_writes_either_form(toy_showers, tmp_path):
    write_showers(tmp_path / "train.hdf5", toy_showers)
    settings = ["training.epochs=1", "training.batch_size=64", "model.channels=6", "model.width=8",
                "model.blocks=1", "model.energy_width=8"]  # fmt: skip
    words = ["train", "photons-cloud", "--data", tmp_path / "train.hdf5", "--out", tmp_path / "m"]
    words += [word for setting in settings for word in ("--set", setting)]
    _invoke(words)
    for form in ("voxels", "points"):
        words = ["sample", tmp_path / "m", "--like", tmp_path / "train.hdf5"]
        _invoke([*words, "--out", tmp_path / f"{form}.hdf5", "--as", form])
    points = open_points(tmp_path / "points.hdf5").read()
    assert len(points) == len(toy_showers)
    assert points.depth_known


def _invoke(words):
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == 0, result.output
