"""The beam: each particle is a function of (seed, event)."""

from __future__ import annotations

import numpy as np
import pytest

from simulacra.errors import RangeError, UnknownNameError
from simulacra.simulate import Beam
from simulacra.simulate.beam import draw_energies, draw_primaries
from simulacra.simulate.geant4 import transport_indices
from simulacra.tasks.calorimeter import spectrum

WIDE = Beam(
    particles=("gamma", "e-", "e+"),
    energy=(1000.0, 64000.0),
    x=(-20.0, 10.0),
    y=(5.0, 6.0),
    theta=(0.1, 0.5),
    phi=(0.0, 1.0),
)


def test_a_particle_does_not_depend_on_its_company():
    whole = draw_primaries(WIDE, 3, range(100))
    tail = draw_primaries(WIDE, 3, range(60, 100))
    assert np.array_equal(whole.energy[60:], tail.energy)
    assert np.array_equal(whole.pdg[60:], tail.pdg)
    assert np.array_equal(whole.direction[60:], tail.direction)
    assert np.array_equal(whole.impact[60:], tail.impact)
    assert not np.array_equal(whole.energy, draw_primaries(WIDE, 4, range(100)).energy)


def test_the_law_stays_as_it_is():
    """Frozen: a change of these numbers would change every simulated set."""
    drawn = draw_primaries(WIDE, 3, range(7, 8))
    assert (int(drawn.pdg[0]), float(drawn.energy[0])) == (22, pytest.approx(10586.083, abs=1e-3))
    wanted = {"x": -14.157979, "y": 5.280950, "theta": 0.3286535, "phi": 0.0647509}
    assert {n: float(c[0]) for n, c in drawn.conditions.items()} == pytest.approx(wanted, rel=1e-6)
    place = [[1837813454608956468, 10871758547379802950]]
    assert transport_indices(7, range(3, 4)).tolist() == place


def test_energies_are_those_that_sample_draws():
    drawn = draw_energies(WIDE, 5, range(50))
    assert np.array_equal(drawn, spectrum(1000.0, 64000.0, 50, seed=5).incident_energy)
    flat = Beam(energy=(1000.0, 64000.0), spectrum="uniform")
    law = spectrum(1000.0, 64000.0, 50, seed=5, shape="uniform").incident_energy
    assert np.array_equal(draw_energies(flat, 5, range(50)), law)


@pytest.mark.statistical
def test_distributions_are_what_the_settings_say():
    """Means of 20,000 draws within 5 sigma each: false alarm below 5e-6 in all."""
    n = 20_000
    drawn = draw_primaries(WIDE, 1, range(n))

    def pull(values, low, high):
        return (values.mean() - (low + high) / 2) / ((high - low) / np.sqrt(12 * n))

    assert abs(pull(np.log(drawn.energy), np.log(1000), np.log(64000))) < 5
    assert abs(pull(drawn.conditions["x"], -20, 10)) < 5
    assert abs(pull(drawn.conditions["y"], 5, 6)) < 5
    assert abs(pull(drawn.conditions["phi"], 0, 1)) < 5
    assert abs(pull(np.cos(drawn.conditions["theta"]), np.cos(0.5), np.cos(0.1))) < 5
    for pdg in (22, 11, -11):
        assert abs((drawn.pdg == pdg).mean() - 1 / 3) < 5 * np.sqrt(2 / 9 / n)
    for name, (low, high) in {"x": WIDE.x, "theta": WIDE.theta, "phi": WIDE.phi}.items():
        assert drawn.conditions[name].min() >= np.float32(low)
        assert drawn.conditions[name].max() <= np.float32(high)


def test_directions_are_unit_vectors_into_the_calorimeter():
    direction = draw_primaries(WIDE, 2, range(200)).direction
    assert np.allclose(np.linalg.norm(direction, axis=1), 1.0)
    assert (direction[:, 2] > np.cos(0.51)).all()
    straight = draw_primaries(Beam(), 2, range(3)).direction
    assert np.array_equal(straight, [[0, 0, 1]] * 3)


def test_a_file_keeps_what_varies():
    assert draw_primaries(Beam(), 1, range(2)).varying(Beam()) == {}
    assert set(draw_primaries(WIDE, 1, range(2)).varying(WIDE)) == {"x", "y", "theta", "phi", "pdg"}


@pytest.mark.parametrize(
    ("change", "error", "told"),
    [
        ({"particles": ("gama",)}, UnknownNameError, "Did you mean `gamma`"),
        ({"energy": (0.0, 10.0)}, RangeError, "positive energies"),
        ({"energy": (20.0, 10.0)}, RangeError, "20 to 10"),
        ({"x": (1.0, -1.0)}, RangeError, "beam.x"),
        ({"theta": (0.0, 20.0)}, RangeError, "in degrees"),
    ],
)
def test_what_cannot_be_shot_is_refused(change, error, told):
    with pytest.raises(error, match=told):
        Beam(**change).refuse_nonsense()
