"""Showers against what is known of showers; minutes, so slow."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.optimize import curve_fit
from scipy.special import gamma

from simulacra.data import embedded, read_showers
from simulacra.simulate import (
    Beam,
    Calorimeter,
    Ring,
    Rings,
    Setup,
    Slab,
    Stack,
    preset,
    simulate_to_file,
)

pytestmark = [pytest.mark.slow, pytest.mark.reference, pytest.mark.usefixtures("geant4")]

# Lead tungstate: radiation length, Moliere radius in mm, critical energy in MeV (Particle Data
# Group, "Atomic and nuclear properties of materials").
LENGTH, MOLIERE, CRITICAL = 8.903, 19.59, 9.64
LAYERS = 60


def _block(particle: str, energy: float) -> Setup:
    """30 radiation lengths of PbWO4 in layers of half a length, rings of Moliere radii."""
    layer = Ring(depth=LENGTH / 2, r_edges=(0.0, MOLIERE, 2 * MOLIERE, 250.0))
    return Setup(
        calorimeter=Calorimeter(
            name="block",
            width=600.0,
            stacks=(Stack(slabs=(Slab(material="G4_PbWO4", thickness=30 * LENGTH),)),),
            readout=Rings(layers=(layer,), repeat=LAYERS, deposits="all"),
        ),
        beam=Beam(particles=(particle,), energy=(energy, energy)),
    )


def _longo_sestili(t, a, b, scale):
    """E. Longo, I. Sestili, Nucl. Instrum. Meth. 128 (1975) 283: a gamma distribution in depth."""
    return scale * b * (b * t) ** (a - 1) * np.exp(-b * t) / gamma(a)


@pytest.fixture
def block_profile(tmp_path):
    """Simulate showers of one energy; mean profile per length, and containment in rings."""

    def simulate(particle: str, energy: float, events: int):
        path = tmp_path / f"{particle}-{energy:g}.hdf5"
        simulate_to_file(_block(particle, energy), path, events, seed=7, tables="rendered")
        voxels = read_showers(path).energies.astype(float).reshape(events, LAYERS, 3)
        rings = voxels.sum(axis=(0, 1))
        return voxels.sum(axis=2).mean(axis=0) / energy / 0.5, rings.cumsum() / rings.sum()

    return simulate


@pytest.mark.parametrize(("particle", "shift"), [("e-", -0.5), ("gamma", 0.5)])
def test_the_longitudinal_profile_and_its_growth_with_energy(block_profile, particle, shift):
    """t_max = ln(E / E_c) - 0.5 for electrons, + 0.5 for photons (Particle Data Group, 34.5).

    The formula holds to a few tenths of a radiation length; its slope of 1 per ln E is sharper.
    """
    depth = (np.arange(LAYERS) + 0.5) / 2
    energies = {1000.0: 300, 4000.0: 120, 16000.0: 60}
    found = []
    for energy, events in energies.items():
        profile, _ = block_profile(particle, energy, events)
        (a, b, scale), _ = curve_fit(_longo_sestili, depth[:50], profile[:50], p0=(3.0, 0.5, 1.0))
        misfit = _longo_sestili(depth[:50], a, b, scale) - profile[:50]
        assert np.sqrt(np.mean(misfit**2)) < 0.03 * profile.max()
        assert 0.42 < b < 0.58  # the group's figure for heavy materials: 0.5
        assert 0.95 < scale < 1.01
        found.append((a - 1) / b)
    slope = np.polyfit(np.log(list(energies)), found, 1)[0]
    assert slope == pytest.approx(1.0, abs=0.15)
    assert np.array(found) == pytest.approx(
        np.log(np.array(list(energies)) / CRITICAL) + shift, abs=0.8
    )


def test_the_moliere_radius_holds_nine_tenths(block_profile):
    """By the group's rule 90 % lie within one radius and 95 % within two."""
    _, contained = block_profile("e-", 8000.0, 60)
    assert contained[0] == pytest.approx(0.90, abs=0.04)
    assert contained[1] == pytest.approx(0.95, abs=0.01)


def test_the_resolution_of_sampling_falls_with_the_root_of_the_energy(tmp_path):
    """sigma / E = a / sqrt(E) with a of 9.4 %, known to 4 % at each energy with this many showers.

    Above 10 GeV a shower leaks out behind, which adds a constant term.
    """
    sizes = {1000.0: 400, 2000.0: 400, 4000.0: 400}
    terms = []
    for energy, events in sizes.items():
        setup = preset("pbwo4-lar")
        setup = setup.updated(beam={**setup.beam.to_dict(), "energy": [energy, energy]})
        path = tmp_path / f"{energy:g}.hdf5"
        simulate_to_file(setup, path, events, seed=8, tables="rendered")
        total = read_showers(path).energies.sum(axis=1, dtype=float)
        terms.append(total.std() / total.mean() * np.sqrt(energy / 1e3))
    assert np.array(terms) == pytest.approx(0.094, abs=0.014)


def test_showers_agree_with_those_of_another_program(tmp_path):
    """Our photons against the embedded ones: the same stack, simulated by G4HepEm.

    Means of response and of layer shares differ by less than 5 sigma and 3 %.
    """
    events = 400
    path = tmp_path / "photons.hdf5"
    simulate_to_file(preset("pbwo4-lar"), path, events, seed=9, tables="rendered")
    ours, theirs = read_showers(path), read_showers(embedded("photons-train"))
    assert json.loads(ours.provenance["setup"])["beam"]["energy"] == [1000.0, 64000.0]
    for name in ("response", "share"):
        a, b = (_measured(showers, name) for showers in (ours, theirs))
        error = np.sqrt(a.var(axis=0) / len(a) + b.var(axis=0) / len(b))
        assert (np.abs(a.mean(axis=0) - b.mean(axis=0)) < 5 * error).all(), name
        if name == "response":
            assert a.mean() == pytest.approx(b.mean(), rel=0.01)


def _measured(showers, name: str):
    layers = showers.layer_energies()
    if name == "response":
        return (layers.sum(axis=1) / showers.incident_energy)[:, None]
    return layers / layers.sum(axis=1, keepdims=True)
