"""OmniFold by sets of particles: the closed form, and what may not change it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from simulacra.classify.polynomial import PolynomialConfig
from simulacra.classify.ratio import RatioConfig
from simulacra.data.clouds import Clouds
from simulacra.data.pairs import Sample
from simulacra.errors import ShapeError
from simulacra.tasks.unfolding import (
    Bayes,
    GaussianToy,
    OmniFold,
    OmniFoldConfig,
    Otus,
    Posterior,
    Unfolding,
    load_unfolded,
)
from simulacra.tasks.unfolding.closure import pseudo_experiment

SMALL = RatioConfig(width=16, hidden=1, epochs=3, batch=200, threads=1)
QUICK = OmniFoldConfig(ratio=SMALL, replicas=2, iterations=1)


def _split(x, seed, places=4):
    """Return sets of 2 to 4 points that add up to x, in any order."""
    rng = np.random.default_rng(seed)
    mask = np.arange(places) < rng.integers(2, places + 1, len(x))[:, None]
    points = np.where(mask, rng.normal(0, 0.3, mask.shape), 0.0)
    count = mask.sum(axis=1, keepdims=True)
    points += np.where(mask, (x[:, None] - points.sum(axis=1, keepdims=True)) / count, 0.0)
    return Clouds(points[..., None], mask)


def _with_particles(problem):
    simulation, measured = problem.simulation, problem.measured
    return Unfolding(
        replace(
            simulation,
            truth_particles=_split(simulation.truth[:, 0], 1),
            reco_particles=_split(np.nan_to_num(simulation.reco[:, 0]), 2),
        ),
        replace(measured, particles=_split(measured.values[:, 0], 3)),
    )


@pytest.fixture(scope="module")
def problem():
    toy = GaussianToy(efficiency=0.8, efficiency_slope=0.5, fakes=0.1)
    return _with_particles(toy.problem(1500, 800, seed=2))


def test_sets_give_the_iterations_of_the_closed_form():
    toy = GaussianToy(mean=0.0, width=1.0, data_mean=0.5, data_width=0.8, noise=0.7)
    network = RatioConfig(width=24, hidden=1, epochs=12, batch=200, threads=1)
    config = OmniFoldConfig(ratio=network, iterations=2, tolerance=0, replicas=0)
    result = OmniFold(config).fit(_with_particles(toy.problem(6000, 6000, seed=1)), seed=1)
    means, widths = toy.closed_form(2)
    x, weight = result.events[:, 0], result.weights()
    mean = np.average(x, weights=weight)
    # 5 standard errors of two samples are 0.1; the prior is three times as far
    assert mean == pytest.approx(means[2], abs=0.1)
    assert np.sqrt(np.average((x - mean) ** 2, weights=weight)) == pytest.approx(widths[2], abs=0.1)
    assert means[2] > 0.3


def test_only_particles_are_read(problem):
    simulation = problem.simulation
    blind = replace(simulation, truth=-simulation.truth, reco=simulation.reco[::-1])
    a = OmniFold(QUICK).fit(problem, seed=4)
    b = OmniFold(QUICK).fit(replace(problem, simulation=blind), seed=4)
    np.testing.assert_array_equal(a.history, b.history)
    np.testing.assert_array_equal(a.replicas, b.replicas)
    assert a.about["particles"] == [4, 1]


def test_observables_that_are_asked_for_leave_particles_aside(problem):
    config = QUICK.updated(observables=("x",))
    plain = OmniFold(config).fit(problem.of(["x"]), seed=4)
    np.testing.assert_array_equal(OmniFold(config).fit(problem, seed=4).history, plain.history)
    assert "particles" not in plain.about


def test_a_result_of_particles_on_disk_is_the_result(problem, tmp_path):
    result = OmniFold(QUICK).fit(problem, seed=4)
    again = load_unfolded(result.save(tmp_path / "unfolded"))
    edges = np.linspace(-1, 1, 4)
    a, b = (one.spectrum("x", edges) for one in (result, again))
    np.testing.assert_array_equal(a.counts, b.counts)
    np.testing.assert_array_equal(a.covariance, b.covariance)
    assert (a.error > 0).all()
    assert again.about == result.about


def test_a_background_of_particles_is_taken_away(problem):
    values = np.random.default_rng(8).normal(1.0, 0.3, (150, 1))
    other = Sample(values, ("x",), particles=_split(values[:, 0], 5))
    mixed = Unfolding(problem.simulation, problem.measured, background=other)
    assert len(mixed.data.particles) == len(mixed.data) == len(problem.measured) + 150
    result = OmniFold(QUICK).fit(mixed, seed=1, errors=False)
    measured = problem.measured.weights.sum() - 150
    simulation = problem.simulation
    share = simulation.in_truth.sum() / simulation.in_reco.sum()
    assert result.weights(0).sum() == pytest.approx(measured * share)
    assert np.isfinite(result.history).all()
    with pytest.raises(ShapeError, match="same places and features in simulation, data"):
        Unfolding(problem.simulation, problem.measured, replace(other, particles=None))


def test_replicas_and_pseudo_experiments_keep_particles(problem):
    assert problem.resampled(1, 0).data.particles is not None
    factor = np.ones(len(problem.simulation))
    experiment, _ = pseudo_experiment(problem, factor, seed=1, experiment=0)
    assert experiment.particles == problem.particles == (4, 1)
    assert len(experiment.data.particles) == len(experiment.data)


@pytest.mark.parametrize(
    ("method", "words"),
    [
        (Bayes(), "bayes: unfolds observables and cannot read the particles"),
        (Otus(), "otus: unfolds observables"),
        (Posterior(), "posterior by flow_matching: unfolds observables"),
        (OmniFold(QUICK.updated(ratio=PolynomialConfig())), "a polynomial is one of observables"),
    ],
)
def test_methods_of_observables_say_so(problem, method, words):
    assert not method.reads_particles
    with pytest.raises(ShapeError, match=words):
        method.fit(problem, seed=1)
