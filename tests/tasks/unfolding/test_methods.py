"""The contract of every unfolding method, and the closed forms of the known ones."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chi2

from simulacra.classify.polynomial import PolynomialConfig
from simulacra.classify.ratio import RatioConfig
from simulacra.data.pairs import Pairs, Sample
from simulacra.data.weights import effective_events
from simulacra.errors import ArtifactError, RangeError, ShapeError, UnknownNameError
from simulacra.tasks.unfolding import (
    Bayes,
    BayesConfig,
    GaussianToy,
    OmniFold,
    OmniFoldConfig,
    Otus,
    OtusConfig,
    Posterior,
    PosteriorConfig,
    Unfolding,
    load_unfolded,
)
from simulacra.tasks.unfolding.recipes import METHODS as RECIPES
from simulacra.tasks.unfolding.recipes import method_config, unfolder
from simulacra.tasks.unfolding.sliced_autoencoder import SlicedAutoencoderConfig
from simulacra.train import TrainingConfig

EDGES = np.linspace(-1.5, 2.1, 7)
TOY = GaussianToy()
QUICK = TrainingConfig(epochs=2, batch_size=250, warmup_steps=5, average=0.9, threads=1)
MAPS = SlicedAutoencoderConfig(width=16, blocks=1, steps=5, batch=200, slices=5)
SMALL = RatioConfig(width=16, hidden=1, epochs=4, batch=200)

METHODS = {
    "bayes": lambda: Bayes(BayesConfig(edges={"x": tuple(EDGES)}, replicas=30)),
    "polynomial": lambda: OmniFold(
        OmniFoldConfig(ratio=PolynomialConfig(), replicas=15, iterations=8)
    ),
    "posterior": lambda: Posterior(
        PosteriorConfig(training=QUICK, width=16, blocks=1, members=4, iterations=2)
    ),
    "otus": lambda: Otus(OtusConfig(maps=MAPS, members=4)),
    "network": lambda: OmniFold(OmniFoldConfig(ratio=SMALL, replicas=3, iterations=2)),
}
DRAWING = ("posterior", "otus")
ACCURATE = ("bayes", "polynomial")


@pytest.fixture(params=METHODS)
def method(request):
    return METHODS[request.param]()


@pytest.fixture(scope="module")
def problem():
    return TOY.problem(3000, 1000, seed=2)


def _chi_squared(found, truth):
    """Return the p-value of the truth under the stated covariance; bins are correlated."""
    difference = found.counts - truth
    inverse = np.linalg.pinv(found.covariance, rcond=1e-3, hermitian=True)
    rank = np.linalg.matrix_rank(found.covariance, rtol=1e-3, hermitian=True)
    return chi2.sf(difference @ inverse @ difference, rank)


def test_the_same_seed_gives_the_same_result(method, problem):
    a, b = (method.fit(problem, seed=4).spectrum("x", EDGES) for _ in range(2))
    np.testing.assert_array_equal(a.counts, b.counts)
    np.testing.assert_array_equal(a.covariance, b.covariance)


def test_a_result_on_disk_is_the_result(method, problem, tmp_path):
    result = method.fit(problem, seed=4)
    again = load_unfolded(result.save(tmp_path / "unfolded"))
    a, b = (one.spectrum("x", EDGES) for one in (result, again))
    np.testing.assert_array_equal(a.counts, b.counts)
    np.testing.assert_array_equal(a.covariance, b.covariance)
    assert again.about == result.about
    assert again.iterations == result.iterations


def test_a_changed_result_is_refused(method, problem, tmp_path):
    folder = method.fit(problem, seed=4).save(tmp_path / "unfolded")
    weights = folder / "weights.safetensors"
    stored = bytearray(weights.read_bytes())
    stored[-1] ^= 1
    weights.write_bytes(stored)
    with pytest.raises(ArtifactError, match="was changed"):
        load_unfolded(folder)


@pytest.mark.parametrize("name", ["bayes", "polynomial", "network"])
def test_errors_have_the_size_of_the_statistics(name, problem):
    found = METHODS[name]().fit(problem, seed=4).spectrum("x", EDGES)
    assert found.counts.sum() == pytest.approx(1000 * np.diff(EDGES[[0, -1]] / 4)[0], rel=0.2)
    share = found.error / np.sqrt(found.counts)
    assert (share > 0.1).all()  # smoothing makes errors smaller than those of counting
    assert (share < 4).all()


@pytest.mark.parametrize("name", METHODS)
def test_the_prior_is_iteration_zero(name, problem):
    result = METHODS[name]().fit(problem, seed=4)
    prior = result.spectrum("x", EDGES, iteration=0)
    sample = problem.simulation.true_sample()
    counted = np.histogram(sample.values[:, 0], EDGES)[0]
    # generated events have another total than the data where members were resampled
    shares = prior.counts / (result.weights(0).sum() if name in DRAWING else 1000)
    np.testing.assert_allclose(shares, counted / 3000, rtol=1e-9)


def test_what_cannot_be_answered_is_refused(method, problem):
    result = method.fit(problem, seed=4)
    with pytest.raises(UnknownNameError, match="observable"):
        result.spectrum("y", EDGES)
    with pytest.raises(RangeError, match="iteration from 0"):
        result.spectrum("x", EDGES, iteration=99)
    with pytest.raises(ShapeError, match="increasing"):
        result.spectrum("x", EDGES[::-1])
    with pytest.raises(RangeError, match=r"1000 events for 1200 bins"):
        result.spectrum("x", np.linspace(-1.5, 2.1, 1201))


def test_an_error_needs_replicas(problem):
    lonely = OmniFold(OmniFoldConfig(ratio=PolynomialConfig(), replicas=1, iterations=1))
    with pytest.raises(RangeError, match="at least 2 bootstrap replicas"):
        lonely.fit(problem, seed=1).spectrum("x", EDGES)


@pytest.mark.statistical
@pytest.mark.parametrize("name", ACCURATE)
@pytest.mark.parametrize(
    "toy",
    [
        TOY,
        GaussianToy(efficiency=0.7, efficiency_slope=0.8),
        GaussianToy(fakes=0.2),
        GaussianToy(efficiency=0.8, efficiency_slope=-0.5, fakes=0.1),
    ],
    ids=["plain", "missed", "fakes", "both"],
)
def test_the_truth_comes_back(name, toy):
    # false-alarm rate 1e-4 for each of 8, if the covariance is right
    config = METHODS[name]().config.updated(replicas=60, iterations=30, tolerance=0.02)
    result = type(METHODS[name]())(config).fit(toy.problem(8000, 2000, seed=9), seed=1)
    found = result.spectrum("x", EDGES)
    assert _chi_squared(found, toy.truth_in(EDGES, 2000)) > 1e-4


def test_without_its_efficiency_the_truth_would_not_come_back():
    toy = GaussianToy(efficiency=0.5, efficiency_slope=1.5)
    problem = toy.problem(8000, 2000, seed=9)
    seen = problem.simulation.select(problem.simulation.in_reco)
    blind = METHODS["bayes"]().fit(Unfolding(seen, problem.measured), seed=1)
    assert _chi_squared(blind.spectrum("x", EDGES), toy.truth_in(EDGES, 2000)) < 1e-6


@pytest.mark.statistical
def test_every_iteration_of_omnifold_is_that_of_the_closed_form():
    toy = GaussianToy(mean=0.0, width=1.0, data_mean=0.5, data_width=0.8, noise=0.7)
    config = OmniFoldConfig(ratio=PolynomialConfig(), iterations=4, tolerance=0, replicas=0)
    result = OmniFold(config).fit(toy.problem(60_000, 60_000, seed=1), seed=1)
    means, widths = toy.closed_form(4)
    x = result.events[:, 0]
    for n in range(5):
        weight = result.weights(n)
        mean = np.average(x, weights=weight)
        width = np.sqrt(np.average((x - mean) ** 2, weights=weight))
        # 5 standard errors of a mean of 60,000 events, times 1.5 for two samples
        assert mean == pytest.approx(means[n], abs=5 * 1.5 / np.sqrt(60_000))
        assert width == pytest.approx(widths[n], abs=5 * 1.5 / np.sqrt(60_000))
    assert abs(means[1] - means[2]) > 0.1  # an iteration more or less would be seen


def test_an_iteration_of_bayes_by_hand():
    # true bins (10, 30) events; measured: 8 of the first stay, 2 go up, 6 of the second go down
    truth = np.repeat([0.5, 0.5, 1.5, 1.5], [8, 2, 6, 24])
    reco = np.repeat([0.5, 1.5, 0.5, 1.5], [8, 2, 6, 24])
    simulation = Pairs(truth[:, None], reco[:, None], ("x",))
    measured = Sample(np.repeat([0.5, 1.5], [20, 20])[:, None], ("x",))
    config = BayesConfig(edges={"x": (0, 1, 2)}, iterations=1, tolerance=0, reco_bins=1, replicas=0)
    result = Bayes(config).fit(Unfolding(simulation, measured), seed=0)
    # P(1 | low) = 8/14, P(1 | high) = 2/26: 20 * 8/14 + 20 * 2/26
    first = 20 * 8 / 14 + 20 * 2 / 26
    np.testing.assert_allclose(result.history["x"][1], [first, 40 - first])


def test_bayes_gives_back_what_a_perfect_detector_measures():
    rng = np.random.default_rng(3)
    truth = rng.normal(size=(2000, 1))
    seen = rng.random(2000) < 0.5
    simulation = Pairs(truth, truth, ("x",), pass_reco=seen)
    measured = Sample(rng.normal(0.2, 1, (500, 1)), ("x",))
    config = BayesConfig(edges={"x": (-1, 0, 1)}, replicas=0, iterations=1)
    result = Bayes(config).fit(Unfolding(simulation, measured), seed=0)
    counted = np.histogram(measured.values[:, 0], (-1, 0, 1))[0]
    kept = np.histogram(truth[seen], (-1, 0, 1))[0] / np.histogram(truth, (-1, 0, 1))[0]
    np.testing.assert_allclose(result.history["x"][-1], counted / kept)


@pytest.mark.parametrize("name", ACCURATE)
def test_a_weight_of_two_is_an_event_seen_twice(name, problem):
    simulation, measured = problem.simulation, problem.measured
    some = np.arange(len(measured)) % 3 == 0
    double = measured.weighted(np.where(some, 2.0, 1.0))
    seen_twice = Sample(np.concatenate([measured.values, measured.values[some]]), ("x",))
    method = METHODS[name]()
    method = type(method)(method.config.updated(iterations=3, tolerance=0, replicas=2))
    a = method.fit(Unfolding(simulation, double), seed=1).spectrum("x", EDGES)
    b = method.fit(Unfolding(simulation, seen_twice), seed=1).spectrum("x", EDGES)
    np.testing.assert_allclose(a.counts, b.counts, rtol=2e-3)


@pytest.mark.parametrize("name", ACCURATE)
def test_a_background_is_taken_away(name, problem):
    method = METHODS[name]()
    method = type(method)(method.config.updated(iterations=3, tolerance=0, replicas=2))
    rng = np.random.default_rng(8)
    other = rng.normal(1.0, 0.3, (400, 1))
    mixed = Sample(np.concatenate([problem.measured.values, other]), ("x",))
    simulation = problem.simulation
    taken = Unfolding(simulation, mixed, background=Sample(other, ("x",)))
    found = method.fit(taken, seed=1).spectrum("x", EDGES)
    plain = method.fit(problem, seed=1).spectrum("x", EDGES)
    np.testing.assert_allclose(found.counts, plain.counts, rtol=5e-3)


def test_bins_can_be_joined_and_not_cut(problem):
    result = METHODS["bayes"]().fit(problem, seed=1)
    fine, coarse = result.spectrum("x"), result.spectrum("x", EDGES[::2])
    np.testing.assert_allclose(coarse.counts, fine.counts.reshape(3, 2).sum(axis=1))
    joined = fine.covariance.reshape(3, 2, 3, 2).sum(axis=(1, 3))
    np.testing.assert_allclose(coarse.covariance, joined)
    with pytest.raises(ShapeError, match="not cut"):
        result.spectrum("x", [-1.5, 0.05, 2.1])


def test_shares_have_the_covariance_of_a_ratio(problem):
    found = METHODS["bayes"]().fit(problem, seed=1).spectrum("x")
    shares = found.normalised()
    assert shares.counts.sum() == pytest.approx(1)
    # the shares sum to one without an error
    np.testing.assert_allclose(shares.covariance.sum(axis=1), 0, atol=1e-12)


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"measured": Sample(np.full((50, 1), 1e3), ("x",))}, RangeError, "only 0% of the data"),
        ({"measured": Sample(np.zeros((50, 1)), ("y",))}, ShapeError, "observables x in the data"),
        (
            {"background": Sample(np.zeros((2000, 1)), ("x",))},
            RangeError,
            "data without their background",
        ),
    ],
)
def test_a_problem_that_makes_no_sense_is_refused(problem, changes, error, words):
    given = {"simulation": problem.simulation, "measured": problem.measured, **changes}
    with pytest.raises(error, match=words):
        Unfolding(**given)


def test_effective_events_of_equal_weights_are_the_events():
    assert effective_events(np.full(7, 0.3)) == pytest.approx(7)
    assert effective_events(np.array([1.0, 0, 0])) == pytest.approx(1)


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_is_a_whole_configuration(name):
    config = method_config(name)
    assert type(config).from_dict(config.to_dict()) == config
    assert unfolder(config).config == config
