"""Profiles, fits, correlations and their scores against toys in closed form."""

import dataclasses

import numpy as np
import pytest

from simulacra.data.toys import ToyShowers, toy_geometry
from simulacra.errors import RangeError
from simulacra.evaluation.averages import weighted_mean, weighted_width
from simulacra.evaluation.correlation import correlation_score
from simulacra.evaluation.observables import observe
from simulacra.evaluation.profiles import matrices, physics_scores, profiles
from simulacra.evaluation.response import fit_linearity, fit_resolution

TOY = ToyShowers(toy_geometry(), spread=0.3)


def observed(events, seed, energy=None, toy=TOY):
    if energy is None:
        return observe(toy.log_uniform(events, seed=seed))
    return observe(toy.sample(np.resize(energy, events), seed=seed))


def widened(o, factor):
    """Widen the response around 1, all layers alike."""
    ratio = o.total_energy / o.incident_energy
    new = 1 + factor * (ratio - 1)
    return dataclasses.replace(
        o,
        total_energy=new * o.incident_energy,
        layer_energy=o.layer_energy * (new / ratio)[:, None],
    )


@pytest.fixture(scope="module")
def pair():
    return observed(4000, 0), observed(3000, 1)


@pytest.fixture(scope="module")
def found(pair):
    return {p.name: p for p in profiles(*pair)}


def test_all_profiles_are_there(found):
    assert list(found) == [
        *("longitudinal", "radial", "radial/0", "radial/1", "radial/2"),
        *("linearity", "resolution"),
    ]
    for p in found.values():
        assert len(p.reference) == len(p.generated) == len(p.edges) - 1
        assert p.cannot_see
        assert p.label
        assert p.note


def assert_within(values, errors, expected, sigma=5):
    """5 standard deviations: false alarm below 1e-6 for each number."""
    pulls = (np.asarray(values) - expected) / np.asarray(errors)
    assert (np.abs(pulls) < sigma).all()


def test_longitudinal_profile_is_even_for_equal_layers(found):
    p = found["longitudinal"]
    assert p.edges == (0, 20, 40, 60)
    assert p.x_unit == "mm"
    assert_within(p.reference, p.reference_error, 1 / 3)
    assert_within(p.generated, p.generated_error, 1 / 3)
    assert "mean depth" in p.note
    assert "mm" in p.note


@pytest.mark.parametrize(("name", "layers"), [("radial", 3), ("radial/1", 1)])
def test_radial_profile_falls_as_the_toy_does(found, pair, name, layers):
    p = found[name]
    tails = np.exp(-np.asarray(p.edges) / TOY.radial_length)
    shares = (tails[:-1] - tails[1:]) / (1 - tails[-1])
    mean = pair[0].incident_energy.mean() * layers / 3
    expected = mean * shares / (np.pi * np.diff(np.asarray(p.edges) ** 2))
    error = np.hypot(p.reference_error, expected * 1e-6)
    assert_within(p.reference, error, expected)
    assert p.log_y
    assert p.unit == "MeV/mm$^2$"


def test_linearity_and_resolution_of_the_toy(found):
    """Mean response 1, relative width sqrt((e^(sigma^2) - 1) / 3), both at every energy."""
    p = found["linearity"]
    assert len(p.reference) == 10
    assert_within(p.reference, p.reference_error, 1)
    assert_within(p.generated, p.generated_error, 1)
    assert "per decade" in p.note
    assert p.log_x
    p = found["resolution"]
    expected = np.sqrt(np.expm1(0.3**2) / 3)
    assert_within(p.reference, p.reference_error, expected)
    assert "c = " in p.note


def test_single_energies_have_a_bin_each():
    energy = 1000.0 * 2.0 ** np.arange(5)
    a, b = observed(1000, 0, energy), observed(990, 1, energy)
    p = {p.name: p for p in profiles(a, b)}["linearity"]
    assert len(p.reference) == 5
    np.testing.assert_allclose(p.edges[1:-1], energy[:-1] * np.sqrt(2))
    for k, e in enumerate(energy):
        inside = a.incident_energy == e
        ratio = a.total_energy[inside] / e
        assert p.reference[k] == pytest.approx(ratio.mean())
        assert p.reference_error[k] == pytest.approx(ratio.std() / np.sqrt(inside.sum()))
    one = {p.name: p for p in profiles(observed(500, 0, [5e3]), observed(500, 1, [5e3]))}
    assert len(one["linearity"].reference) == 1
    assert "left out" in one["resolution"].note


def test_a_bin_with_few_showers_is_empty():
    energy = np.append(np.full(500, 1e3), np.full(10, 4e3))
    p = {p.name: p for p in profiles(observed(510, 0, energy), observed(510, 1, energy))}
    assert np.isfinite(p["resolution"].reference).tolist() == [True, False]


def test_weight_two_is_seen_twice(pair):
    o = pair[0].select(slice(0, 600))
    times = np.random.default_rng(0).integers(0, 3, 600)
    weighted = dataclasses.replace(o, weight=times.astype(float))
    repeated = o.select(np.repeat(np.arange(600), times))
    values = np.column_stack([o.total_energy, o.centre_r[:, 0]])
    for measure in (weighted_mean, weighted_width):
        a, _ = measure(values, weighted.weights)
        b, _ = measure(values[np.repeat(np.arange(600), times)], np.ones(times.sum()))
        np.testing.assert_allclose(a, b)
    for a, b in zip(profiles(weighted, o), profiles(repeated, o), strict=True):
        if a.name in ("longitudinal", "radial", "radial/2"):
            np.testing.assert_allclose(a.reference, b.reference)
    a, b = matrices(weighted, o)[0], matrices(repeated, o)[0]
    np.testing.assert_allclose(a.reference, b.reference)


def test_errors_are_those_of_repeated_samples():
    """Stated errors against the spread over 300 samples: within 20 % (5 sigma of 300 draws).

    Events of weight -1 are drawn from the same distribution, so that the mean stays what it is.
    """
    means, widths = [], []
    for seed in range(300):
        rng = np.random.default_rng(seed)
        x, w = rng.normal(2, 1, 400), rng.choice([-1.0, 1.0, 4.0], 400, p=[0.1, 0.6, 0.3])
        means.append(weighted_mean(x, w))
        widths.append(weighted_width(x, w))
    for each, truth in ((means, 2), (widths, 0.5)):
        value, error = np.array(each).T
        assert error.mean() == pytest.approx(value.std(), rel=0.2)
        assert abs(value.mean() - truth) < 5 * value.std() / np.sqrt(300) + 5e-3 * truth


def test_nan_takes_no_part_in_a_mean():
    values = np.array([[1.0, np.nan], [3.0, 5.0]])
    mean, error = weighted_mean(values, np.ones(2))
    assert mean.tolist() == [2, 5]
    assert error.tolist() == pytest.approx([np.sqrt(2) / 2, 0])
    assert np.isnan(weighted_mean(np.full(3, np.nan), np.ones(3))[0])


def test_exact_points_give_back_their_terms():
    e = np.geomspace(1e3, 1e6, 8)
    gev = e / 1e3
    for a, b, c in ((0.1, 0.3, 0.01), (0.1, 0.0, 0.0), (0.0, 0.2, 0.05)):
        width = np.sqrt((a / np.sqrt(gev)) ** 2 + (b / gev) ** 2 + c**2)
        fit = fit_resolution(e, width, 0.01 * width)
        assert fit.values == pytest.approx((a, b, c), abs=1e-5)
        assert fit.chi2 == pytest.approx(0, abs=1e-8)
    assert fit_resolution(e[:1], np.array([0.2]), np.array([0.01])).values == (0, 0, 0.2)
    two = fit_resolution(e[[0, 7]], np.array([0.2, 0.1]), np.array([0.01, 0.01]))
    assert two.values[1] == 0
    line = fit_linearity(e, 0.9 + 0.02 * (np.log10(e) - 4.5), np.full(8, 0.01))
    assert line.values == pytest.approx((0.9, 0.02))
    assert line.points == 8
    assert fit_linearity(e[:1], np.array([0.9]), np.array([0.1])).values == (0.9, 0)
    assert np.isnan(fit_resolution(e, np.full(8, np.nan), np.full(8, np.nan)).values).all()


def test_a_rising_width_leaves_terms_out_that_would_come_out_negative():
    e = np.geomspace(1e3, 1e5, 6)
    fit = fit_resolution(e, np.linspace(0.05, 0.1, 6), np.full(6, 0.002))
    assert fit.values[:2] == (0, 0)
    assert fit.errors[:2] == (0, 0)
    assert 0.05 < fit.values[2] < 0.1


@pytest.mark.statistical
def test_errors_of_the_fit():
    """300 fits of points that scatter by their errors: pulls of width 1 within 20 % (5 sigma)."""
    e = np.geomspace(1e3, 1e6, 10)
    truth = np.array([0.1, 0.3, 0.02])
    gev = e / 1e3
    width = np.sqrt((0.1 / np.sqrt(gev)) ** 2 + (0.3 / gev) ** 2 + 0.02**2)
    rng = np.random.default_rng(0)
    pulls = []
    for _ in range(300):
        fit = fit_resolution(e, width * (1 + 0.02 * rng.normal(size=10)), 0.02 * width)
        pulls.append((np.array(fit.values) - truth) / fit.errors)
    assert np.abs(np.std(pulls, axis=0) - 1).max() < 0.2


def test_planted_faults_stand_above_the_floor(pair):
    a, b = pair
    names = [s.name for s in physics_scores(a, b, seed=0)]
    assert names == ["response", "linearity", "resolution", "layer_correlation"]

    def excess(name, o):
        score = {s.name: s for s in physics_scores(a, o, seed=0)}[name]
        assert score.cannot_see
        assert score.floor_from
        return (score.value - score.floor) / np.hypot(score.error, score.floor_error)

    wide = widened(b, 1.2)
    assert excess("resolution", b) < 3 < excess("resolution", wide)
    high = dataclasses.replace(b, total_energy=1.03 * b.total_energy)
    assert excess("response", b) < 3 < excess("response", high)
    ramp = 1 + 0.06 * np.log(b.incident_energy / 8e3)
    tilted = dataclasses.replace(b, total_energy=ramp * b.total_energy)
    assert excess("linearity", b) < 3 < excess("linearity", tilted)
    mixed = b.layer_energy.copy()
    mixed[:, 1] = 0.8 * mixed[:, 1] + 0.2 * mixed[:, 0]
    mixed = dataclasses.replace(b, layer_energy=mixed)
    assert excess("layer_correlation", b) < 3 < excess("layer_correlation", mixed)


@pytest.mark.statistical
def test_response_scores_of_equal_samples_stand_on_their_floors():
    """100 null comparisons: mean pull within 0.5, width within 0.35 (5 standard errors each)."""
    every = observed(100 * 500, 5)
    pulls = []
    for k in range(100):
        parts = [every.select(slice(start, start + 250)) for start in (500 * k, 500 * k + 250)]
        scores = physics_scores(*parts, seed=k)
        pulls.append([(s.value - s.floor) / s.floor_error for s in scores])
    mean, width = np.mean(pulls, axis=0), np.std(pulls, axis=0)
    assert (np.abs(mean) < 0.5).all()
    assert (np.abs(width - 1) < 0.35).all()


def test_correlations_against_numpy(pair):
    table = matrices(*pair)[0]
    assert table.name == "layer_correlation"
    assert table.labels == ("layer 0", "layer 1", "layer 2")
    for o, rows in zip(pair, (table.reference, table.generated), strict=True):
        expected = np.corrcoef((o.layer_energy / o.incident_energy[:, None]).T)
        np.testing.assert_allclose(rows, expected, atol=1e-9)


def test_an_independent_reference_gives_the_floor_of_the_correlation(pair):
    a, b = pair
    third = observed(1000, 2)
    score = correlation_score(a, b, seed=0, independent=third)
    tables = [np.corrcoef((o.layer_energy / o.incident_energy[:, None]).T) for o in (a, third)]
    factor = np.sqrt((1 / 4000 + 1 / 3000) / (1 / 4000 + 1 / 1000))
    assert score.floor == pytest.approx(np.abs(tables[0] - tables[1]).max() * factor)
    assert "1000 independent" in score.floor_from
    assert correlation_score(a, b, seed=0) == correlation_score(a, b, seed=0)


def test_a_constant_layer_has_no_correlation(pair):
    a, b = pair
    empty = dataclasses.replace(a, layer_energy=a.layer_energy * [1, 0, 1])
    table = np.array(matrices(empty, b)[0].reference)
    assert np.isnan(table[1]).all()
    assert np.isfinite(correlation_score(empty, b, seed=0).value)


def test_a_single_layer_has_no_correlations():
    toy = ToyShowers(toy_geometry(layers=1))
    a = observed(200, 0, toy=toy)
    assert [s.name for s in physics_scores(a, a, seed=0)] == ["response", "linearity", "resolution"]
    with pytest.raises(RangeError, match="two layers"):
        correlation_score(a, a, seed=0)
