"""The detector: bending by geometry, resolutions as stated, merging, no energy counted twice."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

from simulacra.data.events import Events, Ragged
from simulacra.data.kinematics import (
    azimuth,
    azimuth_difference,
    energy,
    from_cylinder,
    pseudorapidity,
    transverse_momentum,
)
from simulacra.errors import ConfigError
from simulacra.simulate.detectors import Detector, respond
from simulacra.simulate.helix import Cylinder, entry
from simulacra.simulate.particle_flow import Calorimeter

FALSE_ALARM = 1e-6
CMS = Detector()
CHARGES = {11: -3, -11: 3, 13: -3, -13: 3, 211: 3, -211: -3, 321: 3, 2212: 3}
MASSES = {11: 0.511, 13: 105.66, 211: 139.57, 130: 497.6, 2112: 939.57, 321: 493.7, 2212: 938.27}


def particles(*rows: tuple[int, float, float, float], events: int = 1) -> Events:
    """Return the same particles (pdg, pt in MeV, eta, phi) in each of some events."""
    pdg, pt, eta, phi = (np.tile(np.array(column), events) for column in zip(*rows, strict=True))
    pdg = pdg.astype(np.int32)
    mass = np.array([MASSES.get(abs(int(one)), 0.0) for one in pdg])
    charge = np.array([CHARGES.get(int(one), 0) for one in pdg], np.int8)
    columns = {"pdg": pdg, "charge": charge, **from_cylinder(pt, eta, phi, mass)}
    offsets = np.arange(events + 1) * len(rows)
    return Events(np.arange(events), {"particles": Ragged(offsets, columns)})


def seen(events: Events, detector: Detector = CMS, seed: int = 1) -> Ragged:
    return respond(events, detector, seed=seed)["reco"]


def busy_events(events: int = 40, seed: int = 0) -> Events:
    """Return events of many particles of all kinds, with vertices."""
    random = np.random.default_rng(seed)
    counts = random.integers(0, 120, events)
    offsets = np.r_[0, np.cumsum(counts)]
    n = offsets[-1]
    pdg = random.choice([22, 211, -211, 130, 2112, 11, 13, 12, 321], n).astype(np.int32)
    momenta = from_cylinder(
        random.exponential(4000.0, n) + 100,
        random.uniform(-5.5, 5.5, n),
        random.uniform(-np.pi, np.pi, n),
        np.array([MASSES.get(abs(int(one)), 0.0) for one in pdg]),
    )
    charge = np.array([CHARGES.get(int(one), 0) for one in pdg], np.int8)
    places = {name: random.normal(0, 5, n) for name in ("x", "y", "z")}
    columns = {"pdg": pdg, "charge": charge, **momenta, **places}
    return Events(np.arange(100, 100 + events), {"particles": Ragged(offsets, columns)})


# --- helices -----------------------------------------------------------------------------------


@given(
    st.floats(1000, 1e6), st.floats(-np.pi, np.pi), st.floats(-2, 2), st.sampled_from([-1.0, 1.0])
)
def test_a_track_from_the_centre_turns_by_its_chord(pt, phi, eta, charge):
    """The chord of length rho on a circle of radius R turns by asin(rho / 2R)."""
    volume = Cylinder(1000.0, 1e9, 3.0)
    p = from_cylinder(*(np.array([x]) for x in (pt, eta, phi, 0.0)))
    momentum = np.column_stack([p[name] for name in ("px", "py", "pz")])
    (x, y, z), radius = entry(momentum, np.array([charge]), np.zeros((1, 3)), volume)[0], 0
    radius = pt / (0.299792458 * 3.0)
    assert_allclose(np.hypot(x, y), 1000.0, rtol=1e-9)
    turned = azimuth_difference(np.arctan2(y, x), phi)
    assert_allclose(turned, -charge * np.arcsin(1000.0 / (2 * radius)), atol=1e-9)
    arc = 2 * radius * np.arcsin(1000.0 / (2 * radius))
    assert_allclose(z, arc * np.sinh(eta), rtol=1e-9, atol=1e-6)


@pytest.mark.parametrize("charge", [-1.0, 0.0, 1.0])
def test_a_helix_followed_in_small_steps_ends_at_the_same_place(charge):
    random = np.random.default_rng(1)
    volume = Cylinder(1290.0, 3000.0, 3.8)
    momentum = random.normal(0, 1500, (200, 3))
    vertex = random.uniform(-400, 400, (200, 3))
    found = entry(momentum, np.full(200, charge), vertex, volume)
    place, direction = vertex.copy(), momentum / np.linalg.norm(momentum, axis=1)[:, None]
    size, step = np.linalg.norm(momentum, axis=1), 1.0
    inside = np.ones(200, bool)
    turn = -0.299792458 * charge * volume.field / size * step  # per step, about z
    cosine, sine = np.cos(turn / 2), np.sin(turn / 2)
    for _ in range(60_000):
        half = direction.copy()
        half[:, 0] = cosine * direction[:, 0] - sine * direction[:, 1]
        half[:, 1] = sine * direction[:, 0] + cosine * direction[:, 1]
        place[inside] += step * half[inside]
        direction[:, 0] = cosine * half[:, 0] - sine * half[:, 1]
        direction[:, 1] = sine * half[:, 0] + cosine * half[:, 1]
        inside &= (np.hypot(place[:, 0], place[:, 1]) < 1290) & (np.abs(place[:, 2]) < 3000)
        if not inside.any():
            break
    followed = ~inside
    assert followed.mean() > 0.95
    assert np.abs(place - found)[followed].max() < 2 * step


def test_special_tracks():
    volume = Cylinder(1000.0, 2000.0, 3.8)
    momentum = np.array([[100.0, 0, 0], [0, 0, -5.0], [1e6, 0, 0], [1.0, 0, 10.0]])
    vertex = np.array([[0, 0, 0], [3.0, 4.0, 0], [1500.0, 0, 0], [0, 0, 0]])
    found = entry(momentum, np.array([1.0, 0, 1, 0]), vertex, volume)
    assert np.isnan(found[0]).all()  # turns for ever
    assert_allclose(found[1], [3, 4, -2000])  # along the beam
    assert_allclose(found[2], vertex[2])  # made outside
    assert_allclose(found[3], [200, 0, 2000])  # through the end cap


# --- single particles --------------------------------------------------------------------------


@pytest.mark.statistical
@pytest.mark.parametrize(
    ("pdg", "pt", "eta"), [(211, 5000.0, 0.7), (13, 1e6, -1.2), (11, 3e4, 2.0)]
)
def test_tracks_are_found_and_smeared_as_stated(pdg, pt, eta):
    n = 20_000
    reco = seen(particles((pdg, pt, eta, 0.3), events=n))
    tracks = reco.where(reco["charge"] != 0)
    expected = CMS.efficiency if pdg == 211 else CMS.lepton_efficiency
    found = len(tracks["pdg"])
    assert stats.binomtest(found, n, expected).pvalue > FALSE_ALARM
    assert set(tracks["pdg"]) == {pdg}
    curve = pt / transverse_momentum(tracks.columns)
    width = np.hypot(CMS.track_constant, CMS.track_linear * pt / 1000)
    for value, mean, sigma in (
        (curve, 1.0, width),
        (pseudorapidity(tracks.columns), eta, CMS.angle),
        (azimuth(tracks.columns), 0.3, CMS.angle),
    ):
        assert stats.kstest((value - mean) / sigma, "norm").pvalue > FALSE_ALARM


@pytest.mark.statistical
@pytest.mark.parametrize("e", [5000.0, 100_000.0])
def test_photons_have_the_calorimeters_resolution(e):
    n = 20_000
    centre = CMS.ecal.eta_cells // 2
    eta = (centre + 0.5) * 2 * CMS.ecal.eta_max / CMS.ecal.eta_cells - CMS.ecal.eta_max
    reco = seen(particles((22, e / np.cosh(eta), eta, 0.3), events=n))
    assert_array_equal(reco.counts, 1)
    assert_array_equal(reco["pdg"], 22)
    found = energy(reco.columns)
    sigma = np.hypot(np.hypot(0.03 * np.sqrt(e * 1000), 0.005 * e), 40.0)
    assert abs(found.mean() - e) < 5 * sigma / np.sqrt(n)
    assert abs(found.std() / sigma - 1) < 5 / np.sqrt(2 * n)
    assert np.abs(azimuth_difference(azimuth(reco.columns), 0.3)).max() < np.pi / 256
    assert_array_equal(reco["mass"], 0)


@pytest.mark.statistical
def test_a_neutral_hadron_becomes_up_to_two_objects_with_its_energy():
    n, e = 20_000, 50_000.0
    reco = seen(particles((130, e, 0.0125, 0.02), events=n))
    assert set(reco["pdg"]) == {22, 130}
    assert 1.8 < reco.counts.mean() <= 2.0
    total = np.bincount(reco.event, weights=energy(reco.columns), minlength=n)
    assert abs(total.mean() / e - 1) < 0.005
    assert_array_equal(reco["truth"], 0)


@pytest.mark.parametrize("pdg", [12, -14, 16])
def test_neutrinos_leave_nothing(pdg):
    pair = respond(particles((pdg, 1e5, 0.1, 0.2)), CMS, seed=1)
    assert len(pair["truth"]["pdg"]) == len(pair["reco"]["pdg"]) == 0


def test_muons_leave_a_track_only():
    reco = seen(particles((13, 1e5, 0.1, 0.2), events=200), CMS.updated(lepton_efficiency=1.0))
    assert_array_equal(reco.counts, 1)
    lost = seen(particles((13, 1e5, 0.1, 0.2), events=200), CMS.updated(lepton_efficiency=0.0))
    assert_array_equal(lost.counts, 0)


# --- several particles -------------------------------------------------------------------------


def test_two_photons_in_a_cell_are_one():
    size = 2 * CMS.ecal.eta_max / CMS.ecal.eta_cells
    near = particles((22, 8000.0, size * 0.3, 0.013), (22, 4000.0, size * 0.7, 0.013), events=100)
    reco = seen(near)
    assert_array_equal(reco.counts, 1)
    assert abs(energy(reco.columns).mean() / 12_000 - 1) < 0.01
    assert_array_equal(reco["truth"], 0)  # the harder one
    apart = seen(particles((22, 8000.0, 0.3 * size, 0.013), (22, 4000.0, 2.3 * size, 0.013)))
    assert_array_equal(apart.counts, 2)
    assert_array_equal(apart["truth"], [0, 1])


@pytest.mark.statistical
def test_the_energy_of_a_track_is_not_counted_twice():
    n = 5000
    sure = CMS.updated(efficiency=1.0)
    reco = seen(particles((211, 2e4, 0.3, 0.2), events=n), sure)
    total = np.bincount(reco.event, weights=energy(reco.columns), minlength=n)
    true = 2e4 * np.cosh(0.3)
    assert total.mean() < 1.12 * true  # what is counted twice is an excess of 1.5 sigma by chance
    assert (reco.counts == 1).mean() > 0.8
    careful = seen(particles((211, 2e4, 0.3, 0.2), events=n), sure.updated(excess=10.0))
    assert (careful.counts == 1).mean() > 0.999


def test_a_photon_beside_a_track_is_seen():
    """An electron's track explains its own energy in the cell; the photon's is left."""
    detector = CMS.updated(lepton_efficiency=1.0, field=0.0)
    reco = seen(particles((11, 1e4, 0.01, 0.02), (22, 2e4, 0.01, 0.02), events=300), detector)
    photons = reco.where(reco["pdg"] == 22)
    assert_array_equal(photons.counts, 1)
    assert abs(energy(photons.columns).mean() / (2e4 * np.cosh(0.01)) - 1) < 0.02


def test_the_field_parts_a_track_and_a_photon():
    """With field a 1.5 GeV electron enters 0.54 rad away; its cell is another."""
    detector = CMS.updated(lepton_efficiency=0.0)
    events = particles((11, 1500.0, 0.0, 0.0), (22, 1500.0, 0.0, 0.0), events=50)
    both = seen(events, detector)
    assert_array_equal(both.counts, 2)
    assert_array_equal(seen(events, detector.updated(field=0.0)).counts, 1)
    bent = both.where(both["truth"] == 0)
    radius = 1500.0 / (0.299792458 * 3.8)
    place = azimuth(bent.columns)  # a negative charge turns counter-clockwise
    assert_allclose(place, np.arcsin(1290.0 / (2 * radius)), atol=np.pi / 256)


@pytest.mark.parametrize("threshold", [200.0, 5000.0])
def test_cells_below_the_threshold_are_silent(threshold):
    detector = CMS.updated(ecal=CMS.ecal.updated(threshold=threshold).to_dict())
    reco = seen(particles((22, 3000.0, 0.01, 0.2), events=200), detector)
    assert_array_equal(reco.counts, int(threshold < 3000))


def test_energy_is_about_conserved_in_busy_events():
    events = busy_events(200)
    kept = events["particles"].where(events["particles"]["pdg"] != 13)  # forward ones are lost
    pair = respond(events.with_tables(particles=kept), CMS, seed=3)
    reco, truth = (energy(pair[name].columns).sum() for name in ("reco", "truth"))
    assert 0.95 < reco / truth < 1.05


# --- contract ----------------------------------------------------------------------------------


def test_a_response_belongs_to_its_event():
    events = busy_events()
    whole = respond(events, CMS, seed=5)
    which = [7, 39, 0, 12]
    some, picked = respond(events.select(which), CMS, seed=5), whole.select(which)
    for name in ("truth", "reco"):
        assert_array_equal(some[name].offsets, picked[name].offsets)
        for key, column in picked[name].columns.items():
            assert_array_equal(column, some[name][key])
    other = respond(events.select(which), CMS, seed=6)["reco"]
    assert not np.array_equal(other.counts, some["reco"].counts)


def test_what_comes_out_is_in_order_and_points_to_its_truth():
    events = busy_events()
    pair = respond(events, CMS, seed=5)
    truth, reco = pair["truth"], pair["reco"]
    assert set(pair.tables) == {"truth", "reco"}
    pt = transverse_momentum(reco.columns)
    assert (np.diff(pt)[np.diff(reco.event) == 0] <= 0).all()
    assert (reco["truth"] >= 0).all()
    assert (reco["truth"] < truth.counts[reco.event]).all()
    rows = truth.offsets[reco.event] + reco["truth"]
    charged = reco["charge"] != 0
    assert_array_equal(reco["charge"][charged], truth["charge"][rows][charged])
    near = np.abs(pseudorapidity(truth.columns)[rows] - pseudorapidity(reco.columns))[charged]
    assert near.max() < 10 * CMS.angle
    assert np.isfinite(pt).all()


def test_events_without_particles_stay():
    events = busy_events(3)
    none = Events(
        events.number,
        {"particles": events["particles"].where(np.zeros(len(events["particles"]["pdg"]), bool))},
    )
    pair = respond(none, CMS, seed=1)
    assert_array_equal(pair["reco"].counts, [0, 0, 0])
    assert_array_equal(pair["truth"].counts, [0, 0, 0])


def test_cells_cover_the_grid():
    grid = Calorimeter(10, 8, 2.0, 0.1, 0.01, 1.0, 1.0)
    eta, phi = grid.centre(np.arange(80))
    assert_array_equal(grid.cell(eta, phi), np.arange(80))
    assert_array_equal(grid.cell(np.array([-2.01, 2.0, np.inf]), np.zeros(3)), -1)
    assert_array_equal(grid.cell(np.zeros(2), np.array([-np.pi, np.pi])), [40, 40])


def test_impossible_detectors_are_refused():
    with pytest.raises(ConfigError, match="efficiency"):
        CMS.updated(efficiency=1.1)
    with pytest.raises(ConfigError, match="at most 524288 cells"):
        CMS.updated(ecal={**CMS.ecal.to_dict(), "eta_cells": 1000, "phi_cells": 1000})
