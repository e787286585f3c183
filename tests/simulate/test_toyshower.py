"""The parton shower: Sudakov factors, conservation laws, multiplicities and exact weights."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats
from scipy.integrate import quad

from simulacra.data.events import Events
from simulacra.data.kinematics import energy
from simulacra.errors import ConfigError, FileFormatError, RangeError
from simulacra.simulate.dipoles import Partons
from simulacra.simulate.kernels import (
    C_A,
    C_F,
    NAMES,
    T_R,
    TERMS,
    Kernels,
    bounds,
    kernel_terms,
    refuse_negative,
    simple_kernels,
)
from simulacra.simulate.shower_weights import shower_scores, shower_weights
from simulacra.simulate.toyshower import PartonShower, coupling, shower

FALSE_ALARM = 1e-6
QCD = PartonShower()
FAR = Kernels(d_qq=1.2, f_qq=1.5, c_qq=2.0, d_gg=0.8, f_gg=2.0, c_gg=1.0, f_gq=1.4, c_gq=1.0)


@pytest.fixture(scope="module")
def drawn() -> Events:
    return shower(QCD, range(20_000), seed=1)


def value(kernels: Kernels, kind: int, z, y, flavours: int = 5):
    z, y = np.broadcast_arrays(np.asarray(z, float), np.asarray(y, float))
    strength = np.append(kernels.vector(), 0.0)[TERMS[kind]]
    return kernel_terms(np.full(z.size, kind), z.ravel(), y.ravel(), flavours) @ strength


# --- kernels -----------------------------------------------------------------------------------

Z, Y = (axis.ravel() for axis in np.meshgrid(np.linspace(0.01, 0.99, 50), np.linspace(0, 0.99, 50)))


def test_at_the_default_the_kernels_are_those_of_catani_and_seymour():
    # hep-ph/9605323, equations 5.7 to 5.9, at epsilon = 0, per spectator as in the module's text.
    assert_allclose(value(Kernels(), 0, Z, Y), C_F * (2 / (1 - Z * (1 - Y)) - (1 + Z)), rtol=1e-12)
    both = value(Kernels(), 1, Z, Y) + value(Kernels(), 1, 1 - Z, Y)
    poles = 1 / (1 - Z * (1 - Y)) + 1 / (1 - (1 - Z) * (1 - Y))
    assert_allclose(both, C_A * (poles - 2 + Z * (1 - Z)), rtol=1e-12)
    assert_allclose(value(Kernels(), 2, Z, Y), 5 * T_R / 2 * (1 - 2 * Z * (1 - Z)), rtol=1e-12)


def test_altarelli_and_parisi_are_the_collinear_limit():
    z = np.linspace(0.01, 0.99, 50)
    assert_allclose(value(Kernels(), 0, z, 0.0), C_F * (1 + z**2) / (1 - z), rtol=1e-12)


@given(st.lists(st.floats(0, 5), min_size=8, max_size=8))
def test_no_kernel_exceeds_its_bound(strengths):
    kernels = Kernels(**dict(zip(NAMES, strengths, strict=True)))
    refuse_negative(kernels)
    for kind, bound in enumerate(bounds(kernels)):
        simple = simple_kernels(np.full(len(Z), kind), Z, 5)
        assert (value(kernels, kind, Z, Y) <= simple * bound * (1 + 1e-12)).all()


@pytest.mark.parametrize("wrong", [{"d_qq": -1.0}, {"c_gg": -50.0}, {"f_gq": -0.1}, {"f_qq": -2.0}])
def test_a_negative_kernel_is_refused(wrong):
    with pytest.raises(RangeError, match=r"is negative at z = "):
        shower(PartonShower(kernels=Kernels(**wrong)), range(2), seed=0)


@pytest.mark.parametrize("wrong", [{"cutoff": 50.0}, {"cutoff": 50_000.0}])
def test_a_cutoff_that_is_too_low_or_too_high_is_refused(wrong):
    with pytest.raises(RangeError, match="coupling is"):
        shower(PartonShower(**wrong), range(2), seed=0)


def test_bad_settings_are_refused():
    with pytest.raises(RangeError, match="at least one event"):
        shower(QCD, [], seed=0)
    with pytest.raises(ConfigError, match="headroom"):
        PartonShower.from_dict({"headroom": 0.5})


def test_the_coupling_runs_from_the_mass_of_the_z():
    # alpha_s(10 GeV) = 0.118 / (1 + 23/(12 pi) 0.118 ln(10^2 / 91.188^2)) = 0.118 / 0.68174
    assert_allclose(
        coupling(QCD, np.array([91_188.0**2, 10_000.0**2])), [0.118, 0.17309], rtol=1e-4
    )
    assert coupling(PartonShower(running=False), np.array(1.0)) == 0.118


# --- events ------------------------------------------------------------------------------------


def test_momentum_is_conserved_and_partons_are_massless(drawn):
    partons = drawn["partons"]
    for name in ("px", "py", "pz"):
        total = np.bincount(partons.event, weights=partons[name])
        assert_allclose(total, 0.0, atol=1e-6)
    total = np.bincount(partons.event, weights=energy(partons.columns))
    assert_allclose(total, QCD.energy, rtol=1e-12)
    assert_array_equal(partons["mass"], 0)


def test_every_splitting_adds_a_parton_and_every_quark_has_its_antiquark(drawn):
    partons, trials = drawn["partons"], drawn["trials"]
    accepted = np.bincount(trials.event, weights=trials["accepted"], minlength=len(drawn))
    assert_array_equal(partons.counts, 2 + accepted)
    quarks = [
        np.bincount(partons.event[partons["pdg"] == pdg], minlength=len(drawn)) for pdg in (1, -1)
    ]
    assert_array_equal(*quarks)
    pairs = trials["accepted"] & (trials["kind"] == 2)
    assert_array_equal(quarks[0], 1 + np.bincount(trials.event, weights=pairs))


def test_colour_partners_know_each_other():
    events = 200
    random = np.random.default_rng(5)
    partons = Partons(91.0, random.random((events, 2)))
    rows = np.arange(events)
    for _ in range(20):
        emitter = (random.random(events) * partons.count).astype(int)
        linked = partons.link[rows, emitter] >= 0
        side = np.where(linked.all(axis=1), random.integers(0, 2, events), linked[:, 1])
        pair = partons.is_gluon(rows)[rows, emitter] & (random.random(events) < 0.2)
        z, y, turn = random.uniform(0.1, 0.9, (3, events))
        partons.split(rows, emitter, side, pair=pair, z=z, y=y, azimuth=7 * turn)
    event, parton, side = np.nonzero(partons.link >= 0)
    partner = partons.link[event, parton, side]
    assert_array_equal(partons.link[event, partner, 1 - side], parton)
    there = np.arange(partons.width) < partons.count[:, None]
    expected = np.select(
        [partons.pdg == 21, partons.pdg == 1, partons.pdg == -1], [3, 2, 1], default=0
    )
    assert_array_equal((partons.link >= 0) @ [1, 2], np.where(there, expected, 0))
    assert_allclose(partons.momentum.sum(axis=1), 0, atol=1e-9)
    assert_allclose(np.linalg.norm(partons.momentum, axis=2).sum(axis=1), 91.0, rtol=1e-9)


def test_trials_are_ordered_and_their_probabilities_below_one(drawn):
    trials = drawn["trials"]
    same = np.diff(trials.event) == 0
    assert (np.diff(trials["kt"])[same] <= 0).all()
    assert trials["kt"].min() >= QCD.cutoff * (1 - 1e-6)
    p = trials["d"] + trials["f"]
    assert p.min() >= 0
    assert p.max() <= 1 / QCD.headroom


def test_an_event_is_the_same_in_any_batch(drawn):
    which = [17, 5, 19_999, 4_096]
    again, whole = shower(QCD, which, seed=1), drawn.select(which)
    for name, table in whole.tables.items():
        for key, column in table.columns.items():
            assert_array_equal(column, again[name][key])
    other = shower(QCD, which, seed=2)
    assert not np.array_equal(other["trials"]["kt"][:5], whole["trials"]["kt"][:5])


def test_the_first_emission_is_where_it_was_drawn():
    """Two partons become three whose invariants are those of (kt, z, y)."""
    events = shower(QCD.updated(cutoff=10_000.0), range(20_000), seed=3)
    one = events.select(events["partons"].counts == 3)
    trials = one["trials"].where(one["trials"]["accepted"])
    p = one["partons"]
    four = np.stack([energy(p.columns), p["px"], p["py"], p["pz"]], axis=1).reshape(-1, 3, 4)
    product = np.einsum("eia,eja,a->eij", four, four, [1, -1, -1, -1])
    y, z = [], []
    for i, k in ((0, 1), (1, 0)):
        total = product[:, i, 2] + product[:, 2, k] + product[:, k, i]
        y.append(product[:, i, 2] / total)
        z.append(product[:, i, k] / (product[:, i, k] + product[:, 2, k]))
    near = [np.abs(a - trials["y"]) + np.abs(b - trials["z"]) for a, b in zip(y, z, strict=True)]
    assert_allclose(np.minimum(*near), 0, atol=1e-5)
    assert len(one) > 1000
    which = np.argmin(near, axis=0)
    assert 0.4 < which.mean() < 0.6
    rows = np.arange(len(one))
    kt2 = np.array(y)[which, rows] * np.array(z)[which, rows] * (1 - np.array(z)[which, rows])
    assert_allclose(np.sqrt(kt2) * QCD.energy, trials["kt"], rtol=1e-4)


def no_emission(config: PartonShower) -> float:
    """Integrate the rate of the first dipole's two ends: the Sudakov factor."""
    s, cut, k = config.energy**2, config.cutoff**2, config.kernels

    def inner(log_t: float) -> float:
        t = np.exp(log_t)
        edge = 2 * t / s / (1 + np.sqrt(1 - 4 * t / s))

        def rate(log_rest: float) -> float:
            rest = np.exp(log_rest)
            z, y = 1 - rest, t / (s * (1 - rest) * rest)
            soft = 2 * z * (1 - y) / (1 - z * (1 - y))
            return rest * (1 - y) * (k.d_qq * soft + k.f_qq * rest + k.c_qq * y * z * rest)

        span = quad(rate, np.log(edge), np.log1p(-edge), epsrel=1e-6)[0]
        return float(coupling(config, np.array(t))) / (2 * np.pi) * C_F * span

    top = np.log(s / 4) - 1e-12
    return float(np.exp(-2 * quad(inner, np.log(cut), top, epsrel=1e-6)[0]))


@pytest.mark.statistical
@pytest.mark.parametrize(
    "config",
    [
        QCD.updated(cutoff=3000.0),
        QCD.updated(cutoff=5000.0, kernels=FAR.to_dict()),
        PartonShower(running=False, cutoff=2000.0, headroom=1.0),
        PartonShower(energy=1e6, cutoff=30_000.0, kernels=Kernels(d_qq=0.3, f_qq=4.0)),
    ],
    ids=["QCD", "far from QCD", "constant coupling", "1 TeV"],
)
def test_nothing_is_emitted_as_often_as_the_sudakov_factor_says(config):
    counts = shower(config, range(20_000), seed=11)["partons"].counts
    alone = int((counts == 2).sum())
    assert stats.binomtest(alone, len(counts), no_emission(config)).pvalue > FALSE_ALARM


@pytest.mark.statistical
def test_a_kernel_without_logarithms_has_a_closed_sudakov_factor():
    # With only C_qq the rate is alpha_s C_F C / (2 pi) dy (1-y) z(1-z) dz: two ends of 1/12 each;
    # the cutoff leaves 1e-4 out.
    rest = Kernels(d_qq=0.0, f_qq=0.0, c_qq=60.0, d_gg=0.0, f_gg=0.0, f_gq=0.0)
    config = PartonShower(
        running=False, alpha_s=0.2, cutoff=300.0, flavours=0, headroom=1.0, kernels=rest
    )
    expected = np.exp(-2 * 0.2 * C_F * 60 / (2 * np.pi) / 12)
    counts = shower(config, range(5000), seed=12)["partons"].counts
    assert stats.binomtest(int((counts == 2).sum()), 5000, expected).pvalue > FALSE_ALARM


@pytest.mark.statistical
def test_dipoles_multiply_like_a_hyperbolic_cosine():
    r"""At leading logarithm N'' = a N in L = ln(s / t), a = alpha_s C_A / (2 pi), so N = cosh.

    With C_F = C_A / 2 and soft terms only. What is left out falls like a power series in
    sqrt(alpha_s) at fixed a L^2; two steps of Richardson's extrapolation leave 2 % of N here.
    """
    soft = Kernels(d_qq=9 / 8, f_qq=0.0, f_gg=0.0, f_gq=0.0)
    mean = []
    for alpha_s in (0.04, 0.01, 0.0025):
        length = np.sqrt(2 * np.pi / (C_A * alpha_s))  # a L^2 = 1
        config = PartonShower(
            alpha_s=alpha_s,
            running=False,
            flavours=0,
            cutoff=QCD.energy * np.exp(-length / 2),
            kernels=soft,
            headroom=1.0,
        )
        mean.append(shower(config, range(20_000), seed=13)["partons"].counts.mean() - 1)
    once = [2 * fine - coarse for coarse, fine in pairwise(mean)]
    twice = (4 * once[1] - once[0]) / 3
    # The error of a mean is 0.004; the weights of the three are 1/3, -2, 8/3: 0.013 in all.
    assert abs(twice - np.cosh(1.0)) < 5 * 0.013
    assert mean[0] < mean[1] < mean[2] < np.cosh(1.0)


# --- weights -----------------------------------------------------------------------------------


def test_at_the_same_parameters_every_weight_is_one(drawn):
    assert_allclose(shower_weights(drawn, Kernels()), 1.0, rtol=1e-12)


@pytest.mark.statistical
@pytest.mark.parametrize("kernels", [FAR, Kernels(d_qq=0.8, d_gg=1.2, f_gq=0.5)])
def test_weighted_events_are_a_sample_at_other_parameters(drawn, kernels):
    weight = shower_weights(drawn, kernels)
    n = len(drawn)
    assert abs(weight.mean() - 1) < 5 * weight.std() / np.sqrt(n)
    there = shower(QCD.updated(kernels=kernels.to_dict()), range(n), seed=2)

    def observables(events: Events) -> list[np.ndarray]:
        trials = events["trials"].where(events["trials"]["accepted"])
        hardest = np.zeros(len(events))
        np.maximum.at(hardest, trials.event, trials["kt"])
        partons = events["partons"]
        quarks = np.bincount(partons.event, weights=partons["pdg"] != 21)
        largest = np.zeros(len(events))
        np.maximum.at(largest, partons.event, energy(partons.columns))
        return [partons.counts, hardest, quarks, largest]

    for here, direct in zip(observables(drawn), observables(there), strict=True):
        edges = np.unique(np.quantile(direct, np.linspace(0, 1, 11)))
        edges[-1] += 1e-6 * abs(edges[-1])
        edges[0] -= 1
        bins = np.clip(np.digitize(here, edges), 1, len(edges) - 1)
        added = np.bincount(bins, weights=weight, minlength=len(edges))[1:]
        square = np.bincount(bins, weights=weight**2, minlength=len(edges))[1:]
        other = np.histogram(direct, edges)[0]
        chi2 = ((added - other) ** 2 / (square + other)).sum()
        assert stats.chi2.sf(chi2, len(other)) > FALSE_ALARM


def test_without_headroom_weights_may_be_negative_and_stay_exact():
    config = QCD.updated(headroom=1.0)
    events = shower(config, range(20_000), seed=4)
    weight = shower_weights(events, FAR)
    assert weight.min() < 0
    assert abs(weight.mean() - 1) < 5 * weight.std() / np.sqrt(len(events))


def test_scores_are_the_derivatives_of_the_weights(drawn):
    some = drawn.select(slice(0, 500))
    for where in (Kernels(), FAR):
        score = shower_scores(some, where)
        for place, name in enumerate(NAMES):
            step = 1e-4
            up, down = (
                shower_weights(some, where.updated(**{name: getattr(where, name) + change}))
                for change in (step, -step)
            )
            slope = (up - down) / (2 * step) / shower_weights(some, where)
            assert_allclose(slope, score[:, place], rtol=1e-5, atol=1e-5)


@pytest.mark.statistical
def test_scores_average_to_nothing_where_the_events_were_drawn(drawn):
    score = shower_scores(drawn)
    pull = score.mean(axis=0) / (score.std(axis=0) / np.sqrt(len(drawn)))
    assert (np.abs(pull) < 5.5).all()  # 3e-7 for all eight


@pytest.mark.statistical
def test_the_derivative_of_an_average_is_that_of_samples_apart(drawn):
    """d<n>/dD_qq from one sample against the difference of two, 0.2 apart on either side."""
    n = drawn["partons"].counts.astype(float)
    terms = n * shower_scores(drawn)[:, 0]
    slope, error = terms.mean(), terms.std() / np.sqrt(len(n))
    means = []
    for seed, d_qq in ((21, 0.8), (22, 1.2)):
        config = QCD.updated(kernels=Kernels(d_qq=d_qq).to_dict())
        counts = shower(config, range(20_000), seed=seed)["partons"].counts
        means.append((counts.mean(), counts.std() / np.sqrt(20_000)))
    (low, low_error), (high, high_error) = means
    difference = (high - low) / 0.4
    spread = np.hypot(np.hypot(low_error, high_error) / 0.4, error)
    assert abs(slope - difference) < 5 * spread
    assert slope > 10 * spread


def test_events_that_do_not_say_how_they_were_drawn_have_no_weights(drawn):
    bare = Events(drawn.number, drawn.tables)
    with pytest.raises(FileFormatError, match="which kernels"):
        shower_weights(bare, Kernels())


@settings(max_examples=10)
@given(st.integers(0, 2**40), st.integers(0, 2**64 - 1))
def test_any_event_of_any_seed_can_be_drawn(number, seed):
    one = shower(QCD, [number], seed=seed)
    assert len(one) == 1
    assert one["partons"].counts[0] >= 2
