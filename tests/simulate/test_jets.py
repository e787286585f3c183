"""Jets: closed forms of two and three particles, slow twins of the substructure, symmetries."""

from __future__ import annotations

import itertools
import subprocess
import sys

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from simulacra.data.events import Ragged
from simulacra.data.kinematics import (
    azimuth,
    azimuth_difference,
    from_cylinder,
    rapidity,
    transverse_momentum,
)
from simulacra.errors import ConfigError, DependencyError
from simulacra.simulate.jets import (
    JetDefinition,
    energy_correlators,
    find_constituents,
    find_jets,
    n_subjettiness,
    soft_drop,
)

pytest.importorskip("fastjet", reason="jets need the extra `pythia`")

FAT = JetDefinition(radius=1.0, pt_min=1000.0)


def rows(*momenta: tuple[float, float, float], mass: float = 0.0, pdg: int = 22) -> Ragged:
    """Return one event of particles (pt in MeV, y, phi)."""
    pt, eta, phi = np.array(momenta, float).reshape(-1, 3).T
    columns = from_cylinder(pt, eta, phi, np.full(len(pt), mass))
    columns["pdg"] = np.full(len(pt), pdg)
    return Ragged(np.array([0, len(pt)]), columns)


def random_event(seed: int, particles: int = 30, spread: float = 0.25) -> Ragged:
    random = np.random.default_rng(seed)
    pt = random.exponential(5000.0, particles) + 50
    return rows(*zip(pt, *random.normal(0, spread, (2, particles)), strict=True), mass=139.57)


def distances(particles: Ragged) -> np.ndarray:
    y, phi = rapidity(particles.columns), azimuth(particles.columns)
    return np.hypot(y[:, None] - y, azimuth_difference(phi[:, None], phi))


# --- clustering --------------------------------------------------------------------------------


def test_two_massless_particles_make_a_jet_of_known_mass():
    jets = find_jets(rows((5e4, 0.1, 0.2), (3e4, 0.4, -0.1)), FAT)
    assert_array_equal(jets.counts, 1)
    # m^2 = 2 pT1 pT2 (cosh d_eta - cos d_phi)
    expected = np.sqrt(2 * 5e4 * 3e4 * (np.cosh(0.3) - np.cos(0.3)))
    assert_allclose(jets["mass"], expected, rtol=1e-6)
    assert_array_equal(jets["constituents"], 2)
    assert_allclose(jets["z_groomed"], 3 / 8, rtol=1e-6)
    assert_allclose(jets["r_groomed"], 0.3 * np.sqrt(2), rtol=1e-6)
    assert_allclose(jets["e_2"], 15 / 64 * 0.3 * np.sqrt(2), rtol=1e-6)
    # One axis lies on the harder particle: what is left is the softer one's distance.
    assert_allclose(jets["tau_1"], 3 / 8 * 0.3 * np.sqrt(2), rtol=1e-6)
    assert_allclose([jets["tau_2"], jets["tau_3"], jets["e_3"], jets["d_2"]], 0, atol=1e-9)


def test_particles_further_apart_than_the_radius_are_two_jets():
    pair = rows((5e4, 0.0, 0.0), (3e4, 0.5, 0.0))
    assert find_jets(pair, JetDefinition(radius=0.4)).counts[0] == 2
    assert find_jets(pair, JetDefinition(radius=0.6)).counts[0] == 1


def test_the_hardest_jet_comes_first_and_soft_ones_are_left_out():
    event = rows((3e4, -1.0, 2.0), (9e4, 1.0, -1.0), (1e4, 0.0, 0.0), (6e4, 6.0, 0.0))
    jets = find_jets(event, JetDefinition(inside=False))
    assert_allclose(jets["pt"], [9e4, 3e4], rtol=1e-6)  # 10 GeV is soft, eta = 6 is outside
    assert_allclose(jets["phi"], [-1.0, 2.0], atol=1e-6)
    assert_allclose(jets["eta"], [1.0, -1.0], atol=1e-6)


def test_neutrinos_are_left_out():
    assert find_jets(rows((5e4, 0.1, 0.2), pdg=-14), FAT).counts[0] == 0


def test_jets_know_their_particles():
    events = Ragged.concatenate([random_event(1), rows(), random_event(2)])
    jets, inside = find_constituents(events, FAT)
    assert len(inside) == len(jets["pt"])
    assert jets.counts[1] == 0
    assert_array_equal(inside.counts, jets["constituents"])
    for name in ("px", "py", "pz"):
        total = np.bincount(inside.event, weights=inside[name])
        assert_allclose(total, jets[name], rtol=1e-6)


def test_no_events_and_no_particles_have_no_jets():
    assert len(find_jets(rows().select([]), FAT)) == 0
    assert_array_equal(find_jets(rows(), FAT).counts, [0])


def test_all_algorithms_find_a_lone_jet():
    for algorithm in ("antikt", "kt", "cambridge"):
        jets = find_jets(random_event(3, spread=0.05), FAT.updated(algorithm=algorithm))
        assert jets.counts[0] == 1


# --- symmetries --------------------------------------------------------------------------------


def test_neither_order_nor_batch_nor_rotation_nor_boost_matters():
    event = random_event(4)
    jets = find_jets(event, FAT)
    shuffled = np.random.default_rng(0).permutation(len(event["px"]))
    other = Ragged(event.offsets, {name: c[shuffled] for name, c in event.columns.items()})
    batch = find_jets(Ragged.concatenate([random_event(5), other, event]), FAT)
    for place in (1, 2):
        for name, column in batch.select([place]).columns.items():
            assert_allclose(column, jets[name], rtol=2e-5, atol=1e-5, err_msg=name)
    p = event.columns
    turned = from_cylinder(
        transverse_momentum(p), np.arcsinh(p["pz"] / transverse_momentum(p)), azimuth(p) + 1.0,
        p["mass"],
    )  # fmt: skip
    boosted = dict(turned)
    e = np.sqrt(sum(turned[name] ** 2 for name in ("px", "py", "pz", "mass")))
    boosted["pz"] = np.cosh(0.7) * turned["pz"] + np.sinh(0.7) * e
    moved = find_jets(Ragged(event.offsets, boosted), FAT)
    for name in ("pt", "mass", "mass_groomed", "z_groomed", "tau_1", "tau_2", "e_2", "e_3", "d_2"):
        assert_allclose(moved[name], jets[name], rtol=2e-4, err_msg=name)


def test_a_bit_of_nothing_and_a_split_along_the_way_change_little():
    """Infrared and collinear safety of jets and substructure."""
    event = random_event(6)
    jets = find_jets(event, FAT)
    soft = rows((1e-3, 0.3, 0.3), mass=0.0)
    p = {name: np.append(c, soft[name]) for name, c in event.columns.items()}
    p["mass"] = p["mass"] * 1.0
    half = {name: c.copy() for name, c in p.items()}
    for name in ("px", "py", "pz", "mass"):
        half[name] = np.append(half[name], half[name][0] / 2)
        half[name][0] /= 2
    half["pdg"] = np.append(half["pdg"], 22)
    safe = find_jets(Ragged(np.array([0, len(half["px"])]), half), FAT)
    for name in ("pt", "mass", "mass_groomed", "tau_1", "tau_2", "e_2", "e_3"):
        assert_allclose(safe[name], jets[name], rtol=1e-4, err_msg=name)


# --- slow twins --------------------------------------------------------------------------------


@pytest.mark.parametrize("beta", [0.5, 1.0, 2.0])
def test_energy_correlators_are_their_sums(beta):
    inside = random_event(7, particles=12)
    found = energy_correlators(inside, FAT.updated(beta=beta))
    z = transverse_momentum(inside.columns)
    z, r = z / z.sum(), distances(inside) ** beta
    pairs = itertools.combinations(range(12), 2)
    triples = itertools.combinations(range(12), 3)
    e_2 = sum(z[i] * z[j] * r[i, j] for i, j in pairs)
    e_3 = sum(z[i] * z[j] * z[k] * r[i, j] * r[j, k] * r[k, i] for i, j, k in triples)
    assert_allclose(found, [[e_2, e_3]], rtol=1e-9)


@pytest.mark.parametrize("beta", [1.0, 2.0])
def test_n_subjettiness_is_its_sum_over_winner_take_all_axes(beta):
    inside = random_event(8, particles=15)
    found = n_subjettiness(inside, FAT.updated(beta=beta))
    pt, y = transverse_momentum(inside.columns), rapidity(inside.columns)
    phi = azimuth(inside.columns)
    left = [(a, b, c) for a, b, c in zip(pt, y, phi, strict=True)]
    expected = {}
    while left:  # kT clustering; the harder one gives the direction
        if len(left) <= 3:
            apart = [
                np.hypot(y - b, azimuth_difference(phi, np.array(c))) ** beta for _, b, c in left
            ]
            expected[len(left)] = (pt * np.min(apart, axis=0)).sum() / pt.sum()
        if len(left) == 1:
            break

        def kt(pair: tuple[int, int], left: list = left) -> float:
            (a, b, c), (d, e, f) = left[pair[0]], left[pair[1]]
            return min(a, d) ** 2 * ((b - e) ** 2 + azimuth_difference(c, f) ** 2)

        i, j = min(itertools.combinations(range(len(left)), 2), key=kt)
        one, two = left[i], left[j]
        harder = max(one, two)
        left = [x for k, x in enumerate(left) if k not in (i, j)]
        left.append((one[0] + two[0], harder[1], harder[2]))
    assert_allclose(found, [[expected[n] for n in (1, 2, 3)]], rtol=1e-6)


def test_soft_drop_removes_a_soft_particle_at_wide_angle():
    # The third particle carries 2 % of the momentum and is clustered last.
    jet = rows((6e4, 0.0, 0.0), (4e4, 0.2, 0.0), (2e3, 0.0, 0.7))
    groomed = soft_drop(jet, FAT)
    expected = np.sqrt(2 * 6e4 * 4e4 * (np.cosh(0.2) - 1))
    assert_allclose(groomed["mass_groomed"], expected, rtol=1e-6)
    assert_allclose(groomed["z_groomed"], 0.4, rtol=1e-3)
    assert_allclose(groomed["r_groomed"], 0.2, rtol=1e-6)
    kept = soft_drop(jet, FAT.updated(soft_drop_z=0.01))
    assert kept["mass_groomed"] > 1.3 * expected
    loose = soft_drop(jet, FAT.updated(soft_drop_beta=-2.0, soft_drop_z=0.005))
    assert_allclose(loose["r_groomed"], kept["r_groomed"])


def test_one_particle_has_no_substructure():
    jets = find_jets(rows((5e4, 0.1, 0.2)), FAT)
    for name in ("z_groomed", "r_groomed", "tau_1", "tau_2", "e_2", "e_3", "d_2", "c_2"):
        assert_allclose(jets[name], 0, atol=1e-6, err_msg=name)


# --- bad input ---------------------------------------------------------------------------------


def test_clustering_is_silent():
    """FastJet prints a banner when it first clusters in a process, unless told otherwise."""
    code = """
import numpy as np
from simulacra.data.events import Ragged
from simulacra.simulate.jets import JetDefinition, find_jets
columns = {"px": np.array([5e4]), "py": np.zeros(1), "pz": np.zeros(1), "mass": np.zeros(1)}
find_jets(Ragged(np.array([0, 1]), columns), JetDefinition())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == done.stderr == ""


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "fastjet", None)
    with pytest.raises(DependencyError, match=r"pip install 'simulacra\[pythia\]'"):
        find_jets(random_event(9), FAT)


@pytest.mark.parametrize("wrong", [{"algorithm": "cone"}, {"radius": 0.0}, {"axes": 9}])
def test_a_definition_without_sense_is_refused(wrong):
    with pytest.raises(ConfigError):
        FAT.updated(**wrong)
