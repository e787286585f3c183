"""Lepton and jet of deep-inelastic scattering: closed forms and symmetries."""

from __future__ import annotations

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from simulacra.cli.app import app
from simulacra.data.event_files import write_events
from simulacra.data.events import Events, Ragged
from simulacra.data.kinematics import energy, from_cylinder
from simulacra.errors import ConfigError, FileFormatError, UnknownNameError
from simulacra.tasks.unfolding.jets import open_measured, open_pairs
from simulacra.tasks.unfolding.lepton_jet import (
    LEPTON_JET_OBSERVABLES,
    LeptonJetSelection,
    lepton_jet_observables,
    lepton_jet_pairs,
    sigma_kinematics,
)
from simulacra.units import GeV

ELECTRON, PION = 11, 211
BEAM = 27.6 * GeV
WIDE = LeptonJetSelection(y=(0, 1), q2_min=0)


def _momentum(pt, eta, phi):
    return from_cylinder(*(np.atleast_1d(np.asarray(v, float)) for v in (pt, eta, phi, 0.0)))


def test_balanced_lepton_and_jet_have_no_imbalance():
    lepton, jet = _momentum(2e4, -0.5, 3.0), _momentum(2e4, 1.2, 3.0 - np.pi)
    pt, eta, qt, acoplanarity = lepton_jet_observables(lepton, jet, np.array([2e4]))[0]
    assert (pt, eta) == pytest.approx((2e4, 1.2))
    assert (qt, acoplanarity) == pytest.approx((0, 0), abs=1e-9)


def test_imbalance_by_hand():
    # at right angles, 3 and 4 GeV: q_T is 5 GeV; the angle is a quarter turn from back to back
    lepton, jet = _momentum(3 * GeV, 0.0, np.pi), _momentum(4 * GeV, 0.0, -np.pi / 2)
    _, _, qt, acoplanarity = lepton_jet_observables(lepton, jet, np.array([10 * GeV]))[0]
    assert (qt, acoplanarity) == pytest.approx((0.5, np.pi / 2))
    together = lepton_jet_observables(lepton, lepton, np.array([10 * GeV]))[0]
    assert together[3] == pytest.approx(np.pi)


def test_the_sigma_method_gives_the_kinematics_of_the_beam():
    lepton = _momentum([15 * GeV, 30 * GeV], [-1.0, 0.3], [0.1, 2.0])
    e = energy(lepton)
    y, q2 = sigma_kinematics(lepton, 2 * BEAM - (e - lepton["pz"]))  # nothing is lost
    np.testing.assert_allclose(y, 1 - (e - lepton["pz"]) / (2 * BEAM))
    np.testing.assert_allclose(q2, 2 * BEAM * (e + lepton["pz"]))  # -(k - k')^2


def _table(events):
    """Return particles from (pdg, pt, eta, phi) in each event."""
    rows = [row for event in events for row in event]
    pdg, pt, eta, phi = (np.array(column) for column in zip(*rows, strict=True))
    momenta = from_cylinder(pt.astype(float), eta.astype(float), phi, np.zeros(len(pdg)))
    charge = np.where(pdg == ELECTRON, -3, 3).astype(np.int8)
    offsets = np.cumsum([0, *map(len, events)])
    return Ragged(offsets, {"pdg": pdg, "charge": charge, **momenta})


def _events(number=300, seed=1, turn=0.0):
    """Return events of a lepton, a jet of two particles near its back, and one far forward."""
    rng = np.random.default_rng(seed)
    sides = {}
    truth = [
        (rng.uniform(15e3, 40e3), rng.uniform(-1, 1), rng.uniform(-3, 3)) for _ in range(number)
    ]
    for side, spread in (("truth", 0.0), ("reco", 0.05)):
        made = []
        for pt, eta, phi in truth:
            wide, near = rng.normal(0, 0.2), rng.normal(0, 0.1)
            back = phi + np.pi + wide + turn
            pt = pt * np.exp(spread * rng.normal())
            made.append(
                [
                    (PION, 0.6 * pt, eta + 0.5, back - near),
                    (ELECTRON, pt, eta - 1, phi + turn),
                    (ELECTRON, 1e3, eta + 0.5, back),  # soft, from a decay: part of the jet
                    (PION, 0.4 * pt, eta + 0.5, back + near),
                    (PION, 5e4, 4.0, phi + turn),  # out of the range of jets
                ]
            )
        sides[side] = _table(made)
    about = {"simulation": {"source": {"beams": [2212, 11]}}}
    return Events(np.arange(number), sides, {}, about)


def test_the_scattered_lepton_is_no_part_of_the_jet():
    pytest.importorskip("fastjet")
    table = _table(
        [
            [(PION, 2e4, 1.0, 0.5 - np.pi), (ELECTRON, 2e4, -0.5, 0.5)],
            [(PION, 2e4, 1.0, 0.5)],
            [(ELECTRON, 2e4, 1.0, 0.5)],
            [(ELECTRON, 2e4, 0.0, 0.5), (PION, 9e3, 1.0, 2.0), (PION, 9e4, 2.6, 2.0)],
        ]
    )
    events = Events(np.arange(4), {"truth": table, "reco": table})
    pairs = lepton_jet_pairs(events, selection=WIDE, particles=3)
    # no lepton; no jet; the jets are too soft or too far forward
    assert list(pairs.in_truth) == list(pairs.in_reco) == [True, False, False, False]
    np.testing.assert_allclose(pairs.truth[0], [2e4, 1.0, 0.0, 0.0], atol=1e-3)
    cloud = pairs.truth_particles
    expected = [[np.log(20), -0.5, -np.pi, -20, 0, -1, 1], [np.log(20), 1.0, 0, 20, 0, 1, 0]]
    np.testing.assert_allclose(cloud.points[0, :2], expected, atol=1e-5)
    np.testing.assert_array_equal(cloud.mask.sum(axis=1), [2, 1, 1, 1])


def test_turning_the_event_about_the_beam_changes_nothing():
    pytest.importorskip("fastjet")
    a, b = (
        lepton_jet_pairs(_events(turn=turn), selection=WIDE, particles=6) for turn in (0.0, 2.2)
    )
    np.testing.assert_allclose(a.truth, b.truth, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(a.reco, b.reco, rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(a.in_truth, b.in_truth)
    turns = np.abs(a.truth_particles.points - b.truth_particles.points)
    turns[..., 2] = np.minimum(turns[..., 2], 2 * np.pi - turns[..., 2])
    assert turns.max() < 1e-4


def test_events_without_both_sides_are_refused():
    with pytest.raises(FileFormatError, match="respond=true"):
        lepton_jet_pairs(Events(np.arange(1), {"truth": _table([[(PION, 1e3, 0, 0.0)]])}))


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    pytest.importorskip("fastjet")
    pytest.importorskip("pyarrow")
    folder = tmp_path_factory.mktemp("dis")
    for seed, name in ((1, "simulation"), (2, "data")):
        write_events(folder / f"{name}.parquet", _events(600, seed))
    return folder


def test_files_of_a_lepton_beam_are_lepton_and_jet(files):
    pairs = open_pairs(files / "simulation.parquet")
    assert pairs.names == LEPTON_JET_OBSERVABLES
    assert pairs.truth_particles is None
    sample = open_measured(files / "data.parquet", particles=4)
    assert sample.particles.points.shape == (len(sample), 4, 7)


def test_particles_from_the_command_line(files, tmp_path):
    options = ("method omnifold", "particles 4", "observable delta_phi", "test", "json")
    settings = ("replicas=2", "iterations=1", "ratio.epochs=2", "ratio.width=8", "ratio.networks=1")
    stored = json.loads(_run(files, tmp_path, options, settings))
    assert [one["observable"] for one in stored["spectra"]] == ["delta_phi"]
    assert stored["about"]["particles"] == [4, 7]
    assert (tmp_path / "out" / "spectra.png").exists()


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        (("particles 4",), ConfigError, "bayes unfolds observables and cannot read particles"),
        (
            ("particles 4", "method omnifold-polynomial"),
            ConfigError,
            "omnifold-polynomial unfolds observables and cannot",
        ),
        (
            ("particles 4", "method omnifold", "observable mass"),
            UnknownNameError,
            "observable 'mass'",
        ),
    ],
)
def test_who_cannot_read_particles_says_so(files, tmp_path, options, error, words):
    with pytest.raises(error, match=words):
        _run(files, tmp_path, options)


def _run(files, tmp_path, options, settings=()):
    command = ["unfold", str(files / "simulation.parquet"), str(files / "data.parquet")]
    command += [word for option in options for word in f"--{option}".split(" ")]
    command += [word for setting in settings for word in ("--set", setting)]
    result = CliRunner().invoke(app, [*command, "--out", str(tmp_path / "out")])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout
