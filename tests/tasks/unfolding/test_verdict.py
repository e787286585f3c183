"""When a verdict says that a spectrum is not to be believed, and when not."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from simulacra.classify.polynomial import PolynomialConfig
from simulacra.data.pairs import Pairs, Sample
from simulacra.errors import RangeError
from simulacra.tasks.unfolding import (
    Bayes,
    BayesConfig,
    GaussianToy,
    OmniFold,
    OmniFoldConfig,
    Unfolder,
    Unfolding,
)
from simulacra.tasks.unfolding.closure import (
    Coverage,
    Expected,
    closure,
    coverage,
    pseudo_experiment,
    self_coverage,
)
from simulacra.tasks.unfolding.refold import found_factors, truth_factors
from simulacra.tasks.unfolding.spectrum import histogram
from simulacra.tasks.unfolding.verdict import prior_shifts, verdict

EDGES = np.linspace(-1.5, 2.1, 7)
TOY = GaussianToy()
CONFIG = BayesConfig(edges={"x": tuple(EDGES)}, replicas=40, iterations=60, tolerance=0.2)


class _TooSure(Unfolder):
    """States a quarter of its errors."""

    def fit(self, problem, *, seed, errors=True, progress=None):
        found = Bayes(CONFIG).fit(problem, seed=seed)
        middle = found.replicas["x"].mean(axis=0)
        return replace(found, replicas={"x": middle + 0.25 * (found.replicas["x"] - middle)})


BINS = {"x": EDGES}


def _draw(n):
    return TOY.problem(3000, 1000, seed=5, experiment=n), {"x": Expected(TOY.truth_in(EDGES, 1000))}


def _findings(problem, method=None, **given):
    method = method or Bayes(CONFIG)
    result = method.fit(problem, seed=1)
    found = result.spectrum("x", EDGES)
    return {f.name: f for f in verdict(problem, result, found, **given).findings}


@pytest.mark.statistical
def test_errors_that_cover_are_told_from_errors_that_do_not():
    # 6 bins, 30 experiments: the mean of an honest method scatters by 0.05 around 0.68
    honest = coverage(Bayes(CONFIG), _draw, BINS, experiments=30, seed=1)["x"]
    assert 0.5 < honest.mean < 0.85
    assert honest.covers
    assert honest.sentence().startswith("errors cover as far as so few experiments can tell")
    sure = coverage(_TooSure(), _draw, BINS, experiments=30, seed=1)["x"]
    assert not sure.covers
    assert "do NOT cover" in sure.sentence()
    assert sure.allowed == pytest.approx(2 * math.sqrt(0.6827 * 0.3173 / 30), rel=1e-3)


def test_one_bin_that_does_not_cover_is_not_hidden_by_the_others():
    covered, pulls = np.full(10, 0.75), np.zeros(10)
    good = Coverage(covered, pulls, 300)
    assert good.covers
    assert good.says_much
    assert good.sentence().startswith("errors cover:")
    covered = covered.copy()
    covered[3] = 0.55  # five standard deviations of 300 experiments
    torn = Coverage(covered, pulls, 300)
    assert torn.mean > 0.683
    assert not torn.covers
    assert "no bin below 60" in torn.sentence()
    assert Coverage(covered, pulls, 20).covers
    assert not Coverage(covered, pulls, 20).says_much


@pytest.mark.statistical
def test_chance_alone_hardly_ever_fails_a_bin():
    """False alarms in 1 % of 2000 honest coverages; the bound is 5 deviations above."""
    drawn = np.random.default_rng(1).binomial(300, 0.6827, (2000, 12)) / 300
    failed = sum(bool((row < Coverage(row, row, 300).least).any()) for row in drawn)
    assert failed < 2000 * 0.01 + 5 * math.sqrt(2000 * 0.01)


def test_a_verdict_knows_coverage_without_the_truth():
    problem = TOY.problem(6000, 1000, seed=3)
    result = Bayes(CONFIG).fit(problem, seed=1)
    spectra = [result.spectrum("x", EDGES)]
    (tested,) = self_coverage(_TooSure(), problem, result, spectra, experiments=20, seed=2)
    assert not tested.covers
    assert _findings(problem, coverage=tested)["coverage"].level == "bad"
    assert _findings(problem)["coverage"].level == "weak"


def test_pseudo_experiments_have_the_found_truth_and_as_many_events():
    problem = TOY.problem(40_000, 1000, seed=3)
    found = Bayes(CONFIG).fit(problem, seed=1).spectrum("x", EDGES)
    factor = truth_factors(problem.simulation, found)
    pseudo, truth = pseudo_experiment(problem, factor, seed=4, experiment=0)
    assert pseudo.measured.weights.sum() == pytest.approx(1000, abs=5 * math.sqrt(1000))
    counts = histogram(truth.column("x"), truth.weights, EDGES)
    shares, wanted = counts / counts.sum(), found.counts / found.counts.sum()
    np.testing.assert_allclose(shares, wanted, rtol=0.1)  # 13,333 events in 6 bins
    assert len(pseudo.simulation) == 13_333


def test_no_experiments_are_refused():
    with pytest.raises(RangeError, match="at least 1 experiment"):
        coverage(Bayes(CONFIG), _draw, BINS, experiments=0, seed=1)


def test_a_prior_is_remembered_after_one_iteration_and_forgotten_after_many():
    toy = GaussianToy(noise=0.8, data_mean=0.8)
    problem = toy.problem(20_000, 5000, seed=6)
    shifts = {}
    for iterations in (1, 100):
        config = CONFIG.updated(iterations=iterations, tolerance=0.0)
        result = Bayes(config).fit(problem, seed=1)
        spectra = [result.spectrum("x", EDGES)]
        shifts[iterations] = prior_shifts(Bayes(config), problem, result, spectra, seed=1)[0]
    assert np.abs(shifts[1]).max() > 1
    assert np.abs(shifts[100]).max() < 0.5
    assert _findings(problem, shift=shifts[1])["prior"].level == "bad"
    assert _findings(problem, shift=shifts[100])["prior"].level == "good"
    assert _findings(problem)["prior"].level == "weak"


def test_a_hidden_variable_that_differs_in_the_data_is_seen():
    same = GaussianToy(hidden=0.5).problem(8000, 4000, seed=2)
    other = GaussianToy(hidden=0.5, hidden_mean=0.5).problem(8000, 4000, seed=2)
    assert _findings(same)["hidden h"].level == "good"
    assert _findings(other)["hidden h"].level == "bad"
    assert "Unfold it too" in _findings(other)["hidden h"].sentence


def test_a_truth_that_does_not_refold_is_seen():
    problem = TOY.problem(8000, 4000, seed=2)
    assert _findings(problem)["refolding"].level == "good"
    shifted = Unfolding(problem.simulation, Sample(problem.measured.values + 0.8, ("x",)))
    stiff = Bayes(CONFIG.updated(iterations=1))
    assert _findings(shifted, stiff)["refolding"].level == "bad"


def test_weights_of_events_are_what_is_refolded():
    problem = TOY.problem(8000, 4000, seed=2)
    method = OmniFold(OmniFoldConfig(ratio=PolynomialConfig(), replicas=5))
    assert _findings(problem, method)["refolding"].level == "good"


def test_data_outside_of_the_simulation_are_named():
    problem = TOY.problem(3000, 1000, seed=2)
    values = problem.measured.values.copy()
    values[:100] = 50.0
    finding = _findings(Unfolding(problem.simulation, Sample(values, ("x",))))["support"]
    assert finding.level == "bad"
    assert "10.0% of the data lie outside" in finding.sentence


def test_a_bin_without_simulated_events_is_named():
    few = TOY.problem(60, 1000, seed=2)
    assert _findings(few)["statistics"].level == "bad"


def test_only_what_is_all_good_is_believed():
    problem = TOY.problem(8000, 1000, seed=2)
    method = Bayes(CONFIG)
    result = method.fit(problem, seed=1)
    found = result.spectrum("x", EDGES)
    tested = coverage(method, _draw, BINS, experiments=5, seed=1)["x"]
    open_ = verdict(problem, result, found)
    assert not open_.believable
    assert len(open_.remarks) == 2
    few = verdict(problem, result, found, shift=np.zeros(6), coverage=tested)
    assert not few.believable  # five experiments prove nothing
    many = replace(tested, experiments=300)
    full = verdict(problem, result, found, shift=np.zeros(6), coverage=many)
    assert full.believable == many.covers


def test_factors_carry_the_simulation_to_a_spectrum():
    problem = TOY.problem(8000, 1000, seed=2)
    found = Bayes(CONFIG).fit(problem, seed=1).spectrum("x", EDGES)
    factor = truth_factors(problem.simulation, found)
    x = problem.simulation.truth[:, 0]
    counts = np.histogram(x, EDGES, weights=factor)[0]
    np.testing.assert_allclose(counts / counts.sum(), found.counts / found.counts.sum(), rtol=1e-9)
    assert (factor[x < EDGES[0]] == factor[(x > EDGES[0]) & (x < EDGES[1])][0]).all()


def test_factors_of_several_spectra_carry_the_simulation_to_all_of_them():
    problem = _two_observables()
    result = Bayes(BayesConfig(edges={"x": tuple(EDGES), "y": tuple(EDGES)}, replicas=2)).fit(
        problem, seed=1
    )
    spectra = [result.spectrum(name, EDGES) for name in ("x", "y")]
    factor = found_factors(problem.simulation, result, spectra)
    for found in spectra:
        values = problem.simulation.truth[:, result.names.index(found.observable)]
        counts = histogram(values, factor, EDGES)
        shares, wanted = counts / counts.sum(), found.counts / found.counts.sum()
        np.testing.assert_allclose(shares, wanted, atol=2e-3)
    alone = truth_factors(problem.simulation, spectra[0])
    np.testing.assert_allclose(found_factors(problem.simulation, result, spectra[:1]), alone)


def test_coverage_of_several_spectra_takes_one_set_of_experiments():
    problem = _two_observables()
    method = Bayes(BayesConfig(edges={"x": tuple(EDGES), "y": tuple(EDGES)}, replicas=10))
    result = method.fit(problem, seed=1)
    spectra = [result.spectrum(name, EDGES) for name in ("x", "y")]
    done = []
    tests = self_coverage(
        method,
        problem,
        result,
        spectra,
        experiments=3,
        seed=1,
        progress=lambda now, of: done.append((now, of)),
    )
    assert done == [(1, 3), (2, 3), (3, 3)]
    assert [test.experiments for test in tests] == [3, 3]
    assert not np.array_equal(tests[0].pulls, tests[1].pulls)


def _two_observables():
    """Correlated truths, each measured with noise; the data are shifted in both."""
    rng = np.random.default_rng(3)

    def drawn(events, shift):
        truth = rng.multivariate_normal([shift, -shift], [[1, 0.5], [0.5, 1]], events)
        return truth, truth + 0.4 * rng.normal(size=truth.shape)

    truth, reco = drawn(20_000, 0.0)
    names = ("x", "y")
    return Unfolding(Pairs(truth, reco, names, names), Sample(drawn(4000, 0.3)[1], names))


@pytest.mark.statistical
def test_a_closure_test_closes_and_a_stress_test_helps():
    edges = {"x": EDGES}
    # the floor is a mean: a distance of twice its size has a probability of about 5 %
    same = GaussianToy(data_mean=0.0, data_width=1.0)
    for toy, closes in ((same, True), (GaussianToy(data_mean=0.8), False)):
        problem = toy.problem(20_000, 20_000, seed=4)
        behind = np.random.default_rng(1).normal(toy.data_mean, toy.data_width, (20_000, 1))
        truth = Sample(behind, ("x",))
        result = Bayes(CONFIG).fit(problem, seed=1)
        row = closure(result, problem, truth, edges, seed=1)[0]
        assert row.unfolded < 4 * row.floor
        assert (row.prior <= 4 * row.floor) == closes
        assert row.helps != closes
