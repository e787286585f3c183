"""Maps learned without pairs: closed forms, joint laws, and what nobody can know."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from simulacra.data.pairs import Pairs, Sample
from simulacra.errors import ConfigError, RangeError
from simulacra.generative import initialised
from simulacra.random import Stream, generator
from simulacra.tasks.unfolding import GaussianToy, Otus, OtusConfig, Unfolding, load_unfolded
from simulacra.tasks.unfolding.sliced_autoencoder import (
    Side,
    SlicedAutoencoder,
    SlicedAutoencoderConfig,
    distance_and_floor,
    train_unpaired,
)
from simulacra.tasks.unfolding.verdict import verdict

QUICK = SlicedAutoencoderConfig(width=32, blocks=1, steps=40, batch=500, slices=16)
STEADY = QUICK.updated(steps=100, batch=1000, slices=1)  # in one dimension a slice is all
EDGES = np.linspace(-1.5, 2.1, 7)
SMEARED = GaussianToy(data_mean=0.6, data_width=0.8, noise=0.7)


def _unfolded(problem, maps=QUICK, **settings):
    config = OtusConfig(maps=maps, **settings)
    return Otus(config).fit(problem, seed=1, errors=False)


def _mean_and_width(result):
    x, weight = result.events[:, 0], result.weights()
    mean = np.average(x, weights=weight)
    return mean, np.sqrt(np.average((x - mean) ** 2, weights=weight))


def _findings(problem, result):
    found = replace(result, replicas=np.stack([result.replicas[0]] * 2)).spectrum("x", EDGES)
    return {finding.name: finding for finding in verdict(problem, result, found).findings}


def _correlated(number, correlation, events=4000):
    drawn = generator(5, Stream.NOISE, number).normal(size=(events, 2))
    drawn[:, 1] = correlation * drawn[:, 0] + np.sqrt(1 - correlation**2) * drawn[:, 1]
    return drawn


@pytest.mark.statistical
def test_the_map_of_one_observable_is_that_of_its_quantiles():
    problem = SMEARED.problem(4000, 4000, seed=3)
    simulation = problem.simulation
    wanted = np.interp(
        problem.measured.values[:, 0],
        np.sort(simulation.reco[:, 0]),
        np.sort(simulation.truth[:, 0]),
    )
    mean, width = _mean_and_width(_unfolded(problem, STEADY))
    # 5 times the scatter of such trainings, 0.0045 and 0.006
    assert mean == pytest.approx(wanted.mean(), abs=0.023)
    assert width == pytest.approx(wanted.std(), abs=0.03)


def test_quantiles_of_normal_laws_have_the_closed_form():
    problem = SMEARED.problem(200_000, 200_000, seed=3)
    reco, truth = (
        np.sort(side[:, 0]) for side in (problem.simulation.reco, problem.simulation.truth)
    )
    moved = np.interp(problem.measured.values[:, 0], reco, truth)
    mean, width = SMEARED.transported()
    # 5 standard errors of as many data and simulated events
    assert moved.mean() == pytest.approx(mean, abs=5 * np.sqrt(2 / 200_000))
    assert moved.std() == pytest.approx(width, abs=5 / np.sqrt(200_000))
    # neither the truth nor one iteration of Bayes' theorem
    assert SMEARED.data_mean - mean > 0.1
    assert mean - SMEARED.closed_form(1)[0][1] > 0.08


@pytest.mark.statistical
def test_a_detector_that_stretches_is_undone():
    truth = _correlated(0, 0.0)[:, :1]
    behind = 0.5 + 0.8 * _correlated(1, 0.0)[:, :1]
    simulation = Pairs(truth, 1.5 * truth + 0.4, ("x",))
    problem = Unfolding(simulation, Sample(1.5 * behind + 0.4, ("x",)))
    result = _unfolded(problem)
    mean, width = _mean_and_width(result)
    assert mean == pytest.approx(0.5, abs=5 * 0.8 / np.sqrt(4000) + 0.02)
    assert width == pytest.approx(0.8, abs=5 * 0.8 / np.sqrt(8000) + 0.02)
    assert _findings(problem, result)["pairs"].level == "good"


def test_the_law_of_all_observables_together_is_learned():
    truth, measured = (
        Side(_correlated(0, 0.8), np.ones(4000)),
        Side(_correlated(1, -0.2), np.ones(4000)),
    )
    numbers = np.arange(4000, dtype=np.uint64)
    shared = ((0, 0), (1, 1))
    far = []
    for steps in (1, 150):
        config = QUICK.updated(steps=steps, learning_rate=3e-3)
        model = train_unpaired(truth, measured, shared, config, seed=2)
        encoded = Side(model.truth_of(measured.values, numbers, 1), measured.weight)
        distance, floor = distance_and_floor(encoded, truth, seed=1)
        far.append(distance / floor)
    assert np.corrcoef(encoded.values.T)[0, 1] == pytest.approx(0.8, abs=0.1)
    assert far[0] > 20
    assert far[1] < far[0] / 10


def _untrained(shared):
    return initialised(lambda: SlicedAutoencoder(2, 2, shared, QUICK), 1)


def test_two_laws_do_not_tell_a_map_from_its_mirror():
    z, x = (torch.from_numpy(_correlated(n, 0.3, 2000)).float() for n in (0, 1))
    noise = torch.zeros(3, 2000, QUICK.noise)
    model = _untrained(((0, 0), (1, 1)))
    right = model.loss(z, x, noise, seed=1, step=0, anchor=0.0).item()
    model.carry *= -1
    mirrored = model.loss(z, x, noise, seed=1, step=0, anchor=0.0).item()
    # two distances of samples of one law, each below 0.005 times a weight of 10
    assert right < 0.1
    assert mirrored < 0.1


def test_an_anchor_keeps_what_both_sides_have_where_it_is():
    x = torch.from_numpy(_correlated(0, 0.0, 500)).float()
    noise = torch.zeros(3, 500, QUICK.noise)
    model = _untrained(((0, 0),))
    torch.nn.init.constant_(model.encoder.leave.bias, 0.5)
    free, held = (model.loss(x, x, noise, seed=1, step=0, anchor=a).item() for a in (0.0, 2.0))
    # the encoder moves the one shared observable by 0.5, the decoder by nothing
    assert held - free == pytest.approx(2 * 0.25, rel=1e-4)


@pytest.mark.statistical
def test_which_event_belongs_to_which_is_not_used():
    problem = SMEARED.problem(4000, 4000, seed=3)
    simulation = problem.simulation
    order = generator(2, Stream.ORDER).permutation(len(simulation))
    torn = replace(simulation, reco=simulation.reco[order])
    other = Unfolding(torn, problem.measured)
    a, b = (_unfolded(one, STEADY) for one in (problem, other))
    # the same events on either side: nothing but the order of batches differs, which makes 0.006
    np.testing.assert_allclose(_mean_and_width(a), _mean_and_width(b), atol=5 * 1.4 * 0.006)
    checks = [result.about["map"]["x"] for result in (a, b)]
    assert checks[0]["decoder"] == pytest.approx(checks[1]["decoder"], abs=0.05)
    assert checks[1]["detector"] > 2 * checks[0]["detector"]


@pytest.mark.statistical
def test_fakes_and_missed_events_are_accounted_for():
    toy = GaussianToy(
        data_mean=0.0, data_width=1.0, efficiency=0.6, efficiency_slope=1.0, fakes=0.2
    )
    result = _unfolded(toy.problem(8000, 4000, seed=5))
    # of 4000 true events about 2400 and 800 fakes are measured: 5 standard errors of 3200 / 0.6
    assert result.weights().sum() == pytest.approx(4000, abs=5 * np.sqrt(3200) / 0.6)
    assert _mean_and_width(result)[0] == pytest.approx(0.0, abs=0.12)


@pytest.mark.statistical
def test_events_are_drawn_as_often_as_they_weigh():
    side = Side(np.arange(4.0)[:, None], np.array([1.0, 0.0, 2.0, 1.0]))
    drawn = side.batch(generator(1, Stream.ORDER), 40_000).numpy()[:, 0]
    shares = np.bincount(drawn.astype(int), minlength=4) / 40_000
    # 5 standard deviations of a share
    np.testing.assert_allclose(shares, [0.25, 0, 0.5, 0.25], atol=5 * 0.5 / np.sqrt(40_000))


@pytest.mark.statistical
def test_a_weighted_simulation_is_the_prior_of_its_weights():
    problem = SMEARED.problem(8000, 8000, seed=3)
    x = problem.simulation.truth[:, 0]
    # N(0, 1) times exp(0.6 x) is N(0.6, 1), the mean of the data: nothing is left of the bias
    nearer = replace(problem, simulation=problem.simulation.weighted(np.exp(0.6 * x)))
    assert _mean_and_width(_unfolded(nearer))[0] == pytest.approx(0.6, abs=0.06)


def test_other_names_on_either_side_are_mapped_without_an_anchor():
    truth = _correlated(0, 0.0)
    measured = np.concatenate([truth, truth[:, :1] ** 2], axis=1)
    simulation = Pairs(truth, measured, ("a", "b"), ("p", "q", "r"))
    problem = Unfolding(simulation, Sample(measured[:2000], ("p", "q", "r")))
    result = _unfolded(problem, QUICK.updated(learning_rate=3e-3))
    assert result.events.shape == (6000, 2)
    assert result.about["map"] == {}
    assert result.events[4000:].std(axis=0).min() > 0.5


def test_a_smearing_detector_is_named_as_one_that_is_not_found(tmp_path):
    problem = SMEARED.problem(4000, 4000, seed=3)
    result = load_unfolded(_unfolded(problem).save(tmp_path / "unfolded"))
    findings = _findings(problem, result)
    assert findings["map"].level == "good"
    assert findings["decoder"].level == "good"
    assert findings["pairs"].level == "weak"
    assert "leans on its prior" in findings["pairs"].sentence
    # its own decoder gives the data back, the simulated detector does not
    assert findings["refolding"].level == "bad"
    assert "nearer to the data" in findings["refolding"].sentence


def test_maps_that_have_not_learned_are_named():
    truth, measured = _correlated(0, 0.9), _correlated(0, 0.0)
    problem = Unfolding(Pairs(truth, measured, ("x", "y")), Sample(measured, ("x", "y")))
    findings = _findings(problem, _unfolded(problem, QUICK.updated(steps=1)))
    assert findings["map"].level == "bad"
    assert "more steps" in findings["map"].sentence


def test_negative_simulated_weights_are_refused():
    problem = SMEARED.problem(500, 300, seed=1)
    weight = np.where(np.arange(500) % 10 == 0, -0.5, 1.0)
    negative = replace(problem, simulation=problem.simulation.weighted(weight))
    with pytest.raises(RangeError, match="50 simulated events have negative weights"):
        _unfolded(negative)


@pytest.mark.statistical
def test_a_background_is_taken_away():
    problem = SMEARED.problem(4000, 4000, seed=3)
    other = generator(3, Stream.NOISE).normal(1.0, 0.3, (1000, 1))
    mixed = Sample(np.concatenate([problem.measured.values, other]), ("x",))
    taken = Unfolding(problem.simulation, mixed, background=Sample(other, ("x",)))
    # the same training: the map does not see the data
    plain = _mean_and_width(_unfolded(problem))
    np.testing.assert_allclose(_mean_and_width(_unfolded(taken)), plain, atol=0.01)


def test_settings_are_strict():
    with pytest.raises(ConfigError, match="slice"):
        SlicedAutoencoderConfig.from_dict({"slice": 10})
