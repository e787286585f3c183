"""Regions: every shower in one of each kind, at numbers that people can read."""

import dataclasses

import numpy as np
import pytest

from simulacra.errors import RangeError
from simulacra.evaluation.observables import observe
from simulacra.evaluation.regions import FEWEST_SHOWERS, regions


@pytest.fixture(scope="module")
def observed(toy):
    base = observe(toy(1))

    def make(energy, **conditions):
        n = len(energy)
        rows = base.select(np.zeros(n, int))
        return dataclasses.replace(
            rows, incident_energy=np.asarray(energy, np.float32), conditions=conditions
        )

    return make


def log_uniform(events, seed=0, low=1e3, high=6.4e4):
    return low * (high / low) ** np.random.default_rng(seed).random(events)


def test_quantiles_at_readable_energies(observed):
    a, b = observed(log_uniform(4000)), observed(log_uniform(1000, seed=1))
    kept, skipped = regions(a, b)
    assert [r.key for r in kept] == ["energy-0", "energy-1", "energy-2", "energy-3"]
    assert [r.words for r in kept] == [
        "incident energy 1 to 3 GeV",
        "incident energy 3 to 8 GeV",
        "incident energy 8 to 20 GeV",
        "incident energy 20 to 64 GeV",
    ]
    assert skipped == ()
    for name, o in (("mask_reference", a), ("mask_generated", b)):
        masks = np.array([getattr(r, name) for r in kept])
        np.testing.assert_array_equal(masks.sum(axis=0), np.ones(len(o)))
    middle = b.incident_energy[kept[1].mask_generated]
    assert middle.min() >= 3e3
    assert middle.max() < 8e3


def test_a_narrow_range_gets_as_many_digits_as_it_needs(observed):
    o = observed(log_uniform(4000, low=1e4, high=1.1e4))
    kept, _ = regions(o, o)
    shares = [r.mask_reference.mean() for r in kept]
    assert len(kept) == 4
    assert shares == pytest.approx([0.25] * 4, abs=0.1)


def test_what_lies_outside_the_reference_falls_into_the_outermost_regions(observed):
    wide = observed(np.append(log_uniform(1000), [10.0, 1e6]))
    kept, _ = regions(observed(log_uniform(4000)), wide)
    assert kept[0].mask_generated[-2]
    assert kept[-1].mask_generated[-1]


def test_single_energies_are_taken_one_by_one(observed):
    energies = np.repeat(2.0 ** np.arange(8, 23), 60)
    other = np.repeat(2.0 ** np.arange(8, 23), 60) * (1 + 1e-6)
    kept, skipped = regions(observed(energies), observed(other))
    assert len(kept) == 15
    assert skipped == ()
    assert kept[0].words == "incident energy 256 MeV"
    assert kept[4].words == "incident energy 4.1 GeV"
    assert all(r.mask_reference.sum() == r.mask_generated.sum() == 60 for r in kept)


def test_a_region_with_few_showers_is_skipped_with_a_sentence(observed):
    reference = observed(log_uniform(4000))
    energy = log_uniform(1000, seed=1)
    energy = np.append(energy[(energy < 3e3) | (energy > 8e3)], np.full(FEWEST_SHOWERS - 1, 5e3))
    kept, skipped = regions(reference, observed(energy))
    assert [r.key for r in kept] == ["energy-0", "energy-2", "energy-3"]
    assert skipped == (
        "incident energy 3 to 8 GeV: 49 generated showers, fewer than 50; no scores there",
    )


def test_angles_and_particles(observed):
    rng = np.random.default_rng(0)

    def conditions(n):
        return {
            "theta": rng.uniform(0.87, 2.27, n),
            "phi": rng.uniform(-np.pi, np.pi, n),
            "pdg": rng.choice([11, 22, 2112], n),
            "x": rng.uniform(-20, 20, n),
        }

    energy = np.full(900, 5e3)
    kept, _ = regions(observed(energy, **conditions(900)), observed(energy, **conditions(900)))
    assert [r.key for r in kept] == [
        *(f"theta-{k}" for k in range(3)),
        *(f"phi-{k}" for k in range(3)),
        *("pdg-11", "pdg-22", "pdg-2112"),
    ]
    assert kept[0].words.startswith("polar angle 0.87")
    assert kept[0].words.endswith(" rad")
    assert [r.words for r in kept[6:]] == [
        "electrons",
        "photons",
        "particles with PDG number 2112",
    ]
    assert sum(r.mask_reference for r in kept[6:]).tolist() == [1] * 900


def test_a_condition_of_one_sample_only_makes_no_region(observed):
    theta = np.random.default_rng(0).uniform(0, 1, 500)
    kept, skipped = regions(observed(np.full(500, 1e3), theta=theta), observed(np.full(500, 1e3)))
    assert (kept, skipped) == ((), ())


def test_bins_are_checked(observed):
    with pytest.raises(RangeError, match="at least one bin"):
        regions(observed(log_uniform(9)), observed(log_uniform(9)), bins=0)
