"""Showers in rectangular cells before the judge: observables by hand, pictures, planted faults."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from simulacra.data import Geometry, GridLayer, ToyShowers, VoxelShowers, toy_grid
from simulacra.evaluation import QUICK, Verdict, evaluate, plots
from simulacra.evaluation.observables import ring_edges, shower_observables
from simulacra.evaluation.observables.inputs import high_level_inputs, high_level_names
from simulacra.evaluation.observables.observing import observe
from simulacra.evaluation.report.showers import average_showers, single_showers
from simulacra.evaluation.report.viewer import viewer
from simulacra.evaluation.suite import CHALLENGE

SUITE = QUICK.updated(
    classifiers=[],
    regions=0,
    bootstrap=20,
    memorisation_limit=0,
    physics_distance=False,
    manifold=False,
)
VIEWS = toy_grid(((6, 1), (6, 1), (1, 6), (1, 6), (6, 1), (6, 1), (1, 6), (1, 6), (6, 1), (6, 1)))


def _showers(energies, where) -> VoxelShowers:
    energies = np.asarray(energies, np.float64)
    return VoxelShowers(energies, np.full(len(energies), 100.0), where)


@pytest.fixture(scope="module")
def verdict() -> Verdict:
    toy = ToyShowers(toy_grid())
    return evaluate(
        toy.log_uniform(400, seed=1), toy.log_uniform(400, seed=2), suite=SUITE, seed=3, threads=1
    )


def test_observables_by_hand():
    """Cells of 2 x 2 mm with centres at +-1: 30 MeV at (-1, 1) and 10 MeV at (1, 1)."""
    where = Geometry("hand", "", 0, (GridLayer.square(5, 2, 2, 4.0),), 0.1)
    o = observe(_showers([[0.0, 30.0, 0.0, 10.0], [0.0] * 4], where))
    assert o.centre_eta[0, 0] == pytest.approx(-0.5)
    assert o.centre_phi[0, 0] == pytest.approx(1.0)
    assert o.width_eta[0, 0] == pytest.approx(np.sqrt(0.75))
    assert o.width_phi[0, 0] == pytest.approx(0, abs=1e-7)
    assert o.centre_r[0, 0] == pytest.approx(np.sqrt(2))
    assert o.sparsity[:, 0].tolist() == [0.5, 1.0]
    assert o.layer_ring_energy[0].tolist() == [40.0]
    assert ring_edges(where).tolist() == pytest.approx([0, 2 * np.sqrt(2)])


def test_a_direction_that_is_not_seen_has_no_observables():
    names = {o.name for o in shower_observables(VIEWS)}
    assert {"centre_eta/0", "width_eta/4", "centre_phi/2", "width_phi/3"} <= names
    assert not {"centre_phi/0", "width_phi/4", "centre_eta/2"} & names
    o = observe(ToyShowers(VIEWS).log_uniform(20, seed=1))
    assert high_level_inputs(o).shape[1] == len(high_level_names(VIEWS))
    assert np.isfinite(high_level_inputs(o)).all()


def test_equal_samples_are_found_equal(verdict):
    assert [f.sentence for f in verdict.findings] == []
    assert {p.name for p in verdict.profiles} >= {"radial", "radial/0", "longitudinal"}
    radial = next(p for p in verdict.profiles if p.name == "radial/1")
    assert radial.unit == "MeV/mm"
    width, edges = np.asarray(radial.reference), np.asarray(radial.edges)
    layers = next(h for h in verdict.histograms if h.name == "layer_energy/1")
    assert layers.unit == "MeV"
    assert (width * np.diff(edges)).sum() > 0


def test_images_have_the_cells_and_survive_being_stored(verdict):
    back = Verdict.from_dict(json.loads(json.dumps(verdict.to_dict())))
    assert back.images == verdict.images
    image = verdict.images[0]
    assert (image.r_edges, image.n_alpha) == ((), 0)
    assert np.asarray(image.reference).shape == (2, 12)
    assert image.x_edges == (-40.0, 0.0, 40.0)


def test_cells_are_drawn_where_they_lie(verdict):
    figure = plots.mean_image(verdict.images[0], "toy")
    mesh = figure.axes[0].collections[0]
    assert mesh.get_array().shape == (12, 2)  # rows along y, columns along x
    np.testing.assert_allclose(mesh.get_array().T, verdict.images[0].reference)
    assert figure.axes[0].get_xlabel() == "x [mm]"


def test_the_page_and_its_turning_view_know_cells(verdict):
    view = viewer([verdict], ["toy"])
    layers = json.loads(str(view.json))["layers"]
    assert layers[1]["x"] == [-40.0, -20.0, 0.0, 20.0, 40.0]
    assert "r" not in layers[1]
    assert not view.compressed
    assert len(single_showers([verdict], ["toy"]).shown) > 0


def test_both_views_are_among_the_layers_that_are_shown():
    toy = ToyShowers(VIEWS)
    verdict = evaluate(
        toy.log_uniform(60, seed=1),
        toy.log_uniform(60, seed=2),
        suite=SUITE.updated(examples=1, profiles=False),
        seed=3,
        threads=1,
    )
    shown = [picture.caption for picture in average_showers([verdict], ["toy"]).shown]
    numbers = {int(caption.split()[1].strip(",(")) for caption in shown}
    assert {VIEWS.layers[n].sees for n in numbers} == {("eta",), ("phi",)}


def test_planted_faults_are_found():
    """A layer mirrored along x shows in its centre; one scaled by 3 % in the findings."""
    toy = ToyShowers(toy_grid(), spread=0.05)
    truth, ours = (toy.log_uniform(1500, seed=s) for s in (1, 2))
    lopsided = np.linspace(0.5, 1.5, 4)[:, None] * np.ones(4)
    change = np.ones(44)
    change[24:40] = lopsided.ravel()
    truth, ours = (replace(s, energies=s.energies * change) for s in (truth, ours))
    mirrored = ours.energies.copy()
    mirrored[:, 24:40] = ours.energies[:, 24:40].reshape(-1, 4, 4)[:, ::-1].reshape(-1, 16)
    mirrored[:, 40:] *= 1.03
    verdict = evaluate(replace(ours, energies=mirrored), truth, suite=SUITE, seed=3, threads=1)
    scores = {s.name: s for s in verdict.scores}
    assert scores["separation/centre_eta/1"].value > 0.2
    assert scores["separation/centre_phi/1"].value < 0.1
    assert any(f.name == "layer_scale/2" for f in verdict.findings)


def test_the_challenge_suite_leaves_out_what_needs_equal_layers():
    kept = {task.name for task in CHALLENGE.for_geometry(toy_grid()).classifiers}
    assert "resnet" not in kept
    assert {"low_level", "high_level"} <= kept
