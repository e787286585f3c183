"""The hardest jet on both sides of the detector, as pairs of six observables."""

from __future__ import annotations

import numpy as np
import pytest

from simulacra.data.events import Events, Ragged
from simulacra.data.kinematics import from_cylinder
from simulacra.data.pair_files import write_pairs
from simulacra.errors import FileFormatError
from simulacra.simulate import PROCESSES, EventSimulation
from simulacra.simulate.event_run import simulate_events_to_file
from simulacra.simulate.jets import JetDefinition, find_jets
from simulacra.tasks.unfolding import Bayes, BayesConfig, Unfolding
from simulacra.tasks.unfolding.closure import closure
from simulacra.tasks.unfolding.jets import JET_OBSERVABLES, jet_pairs, open_pairs
from simulacra.tasks.unfolding.report import default_edges
from simulacra.units import GeV

NAMES = ("pt", "eta", "phi", "mass", "constituents", "mass_groomed", "z_groomed", "tau_1", "tau_2")


def _jets(*events):
    rows = [row for event in events for row in event]
    columns = {name: np.array([row.get(name, 0.1) for row in rows]) for name in NAMES}
    offsets = np.concatenate([[0], np.cumsum([len(event) for event in events])])
    return Ragged(offsets.astype(np.int64), columns)


def _jet(**given):
    return {"pt": 2e5, "eta": 0.0, "phi": 3.1, **given}


EVENTS = Events(
    np.arange(4),
    {
        # found on both sides (across the seam of the azimuth), missed, soft on both, torn apart
        "jets_truth": _jets(
            [_jet(mass=1e4, mass_groomed=2e4, tau_1=0.2, tau_2=0.1), _jet(pt=1e5 + 1)],
            [_jet()],
            [_jet(pt=9e4)],
            [_jet(eta=1.0)],
        ),
        "jets_reco": _jets(
            [_jet(phi=-3.1, mass=2e4, mass_groomed=0.0)], [], [_jet(pt=5e4)], [_jet()]
        ),
    },
    {"weight": np.array([1.0, 2.0, 3.0, 4.0])},
)


def test_an_event_is_a_pair_a_miss_or_a_miss_and_a_fake():
    pairs = jet_pairs(EVENTS)
    assert pairs.names == JET_OBSERVABLES
    assert list(pairs.in_truth) == [True, True, False, True, False]
    assert list(pairs.in_reco) == [True, False, False, False, True]
    assert list(pairs.weights) == [1, 2, 3, 4, 4]


def test_observables_are_those_of_the_hardest_jet():
    pairs = jet_pairs(EVENTS)
    mass, width, _, ln_rho, tau21, _ = pairs.truth[0]
    assert (mass, width, tau21) == pytest.approx((1e4, 0.2, 0.5))
    assert ln_rho == pytest.approx(np.log(0.01))  # (2e4 / 2e5)^2
    assert pairs.reco[0, 0] == 2e4
    assert pairs.reco[0, 3] == -14.0


def test_events_without_jets_on_both_sides_are_refused():
    with pytest.raises(FileFormatError, match="respond=true"):
        jet_pairs(Events(np.arange(1), {"jets_truth": _jets([_jet()])}))


def test_particles_of_the_hardest_jet_by_falling_momentum():
    pytest.importorskip("fastjet")
    pt = np.array([30.0, 90.0, 60.0, 20.0, 150.0]) * GeV
    eta = np.array([0.1, 0.0, 0.0, 3.0, -1.0])
    phi = np.array([3.1, -3.1, 3.1, 0.0, 1.0])
    momenta = from_cylinder(pt, eta, phi, np.zeros(5))
    kinds = {"pdg": np.array([22, 211, -211, 211, 130]), "charge": np.array([0, 3, -3, 3, 0])}
    particles = Ragged(np.array([0, 4, 4, 5]), {**kinds, **momenta})  # the second event is empty
    jets = find_jets(particles, JetDefinition())
    tables = {
        f"{kind}{side}": t
        for side in ("truth", "reco")
        for kind, t in (("", particles), ("jets_", jets))
    }
    pairs = jet_pairs(Events(np.arange(3), tables), particles=3)
    cloud = pairs.truth_particles
    np.testing.assert_array_equal(cloud.mask, [[1, 1, 1], [0, 0, 0], [1, 0, 0]])
    axis = {name: column[0] for name, column in jets.columns.items()}
    ln_share, share, d_eta, d_phi, distance, spread, charge, light, ln_pt = cloud.points[0].T
    np.testing.assert_allclose(np.exp(ln_share), share, rtol=1e-5)
    np.testing.assert_allclose(distance, np.hypot(d_eta, d_phi), rtol=1e-5)
    np.testing.assert_allclose(spread, share * distance, rtol=1e-5)
    np.testing.assert_allclose(share, [90e3, 60e3, 30e3] / axis["pt"], rtol=1e-5)
    np.testing.assert_allclose(d_eta, [0, 0, 0.1] - axis["eta"], atol=1e-5)
    assert d_phi[0] - d_phi[1] == pytest.approx(2 * np.pi - 6.2, abs=1e-5)  # across the seam
    np.testing.assert_array_equal(charge, [1, -1, 0])
    np.testing.assert_array_equal(light, [0, 0, 1])
    np.testing.assert_allclose(ln_pt, np.log(axis["pt"] / GeV), rtol=1e-5)
    np.testing.assert_allclose(cloud.points[2, 0, 2:6], 0, atol=1e-5)  # it is the jet
    assert jet_pairs(EVENTS).reco_particles is None


def test_columns_have_no_particles(tmp_path):
    file = write_pairs(tmp_path / "pairs.hdf5", jet_pairs(EVENTS))
    with pytest.raises(FileFormatError, match="leave out --particles"):
        open_pairs(file, particles=3)


@pytest.mark.slow
def test_simulated_collisions_close(tmp_path):
    pytest.importorskip("pythia8mc")
    pytest.importorskip("fastjet")
    simulation = EventSimulation(
        source=PROCESSES["znunujets"].updated(multiparton_interactions=False, hard=False),
        respond=True,
        cluster=True,
    )
    file = tmp_path / "jets.parquet"
    simulate_events_to_file(simulation, file, 4000, seed=7)
    pairs = open_pairs(file)
    half = len(pairs) // 2
    known, behind = pairs.select(slice(0, half)), pairs.select(slice(half, None))
    problem = Unfolding(known, behind.reco_sample())
    edges = default_edges(problem)
    result = Bayes(BayesConfig(edges={n: tuple(e) for n, e in edges.items()})).fit(problem, seed=1)
    rows = closure(result, problem, behind.true_sample(), edges, seed=1)
    assert [row.observable for row in rows] == list(JET_OBSERVABLES)
    # the floor is a mean over chances; raw spectra of mass and width are far above it
    assert sum(row.unfolded < 3 * row.floor for row in rows) >= 5
    assert {row.observable for row in rows if row.raw > 3 * row.floor} >= {"mass", "width"}
