"""Faults have names: each planted one is found and said, equal samples show none."""

import re
from dataclasses import replace

import numpy as np
import planted_faults as plant
import pytest

from simulacra.data import embedded, open_showers
from simulacra.evaluation.findings import FALSE_ALARMS, find_copies, find_faults
from simulacra.evaluation.sample import Observed, Sample


@pytest.fixture(scope="module")
def showers():
    return open_showers(embedded("photons-train")).read()


def observed(showers):
    return Observed.of(Sample(showers, "generated"), showers.geometry.threshold)


@pytest.fixture(scope="module")
def reference(showers):
    return observed(showers.select(slice(0, 6000)))


@pytest.fixture(scope="module")
def clean(showers):
    return showers.select(slice(6000, 12000))


FAULTS = {
    "a turned layer": (plant.turned, "turned_layer/2", r"layer 2 is turned by 3\d"),
    "a reversed radius": (plant.reversed_radius, "reversed_radius/1", "order of layer 1"),
    "a scaled layer": (plant.scaled, "layer_scale/2", r"layer 2 is (1\.[89]|2|2\.[01]) ±"),
    "missing energies": (plant.without_energies, "incident_energy", "between 8"),
    "noise": (lambda s: plant.noisy(s, 3), "ring_voxels", "voxels above the threshold"),
    "a wide resolution": (lambda s: plant.widened(s, 0.08), "resolution", "wider"),
}


@pytest.mark.statistical
@pytest.mark.parametrize("fault", FAULTS)
def test_planted_faults_are_named(reference, clean, fault):
    planted, name, words = FAULTS[fault]
    found = find_faults(reference, observed(planted(clean)))
    named = [f for f in found if f.name.startswith(name)]
    assert named, [f.sentence for f in found]
    assert re.search(words, named[0].sentence), named[0].sentence


@pytest.mark.statistical
def test_equal_samples_show_no_fault(showers):
    """Nine kinds in 12 pages at a chance of 1e-3 each: more than 2 has a probability below 3e-4."""
    alarms = 0
    for seed in range(12):
        order = np.random.default_rng(seed).permutation(len(showers))
        halves = [showers.select(np.sort(order[k : k + 3000])) for k in (0, 3000)]
        alarms += len(find_faults(*map(observed, halves)))
    assert FALSE_ALARMS == 1e-3
    assert alarms <= 2


@pytest.mark.statistical
def test_the_size_of_a_fault_is_right(reference, clean):
    """Each within 5 of its errors."""
    (scale,) = [
        f
        for f in find_faults(reference, observed(plant.scaled(clean, factor=1.05)))
        if f.name == "layer_scale/2"
    ]
    size, error = map(float, re.search(r"is ([\d.]+) ± ([\d.]+) %", scale.sentence).groups())
    assert abs(size - 5) < 5 * error < 2
    assert scale.layer == 2


def test_copies_are_counted(reference, clean):
    twice = clean.select(np.r_[0:6000, 0:60])
    (found,) = [f for f in find_faults(reference, observed(twice)) if f.name == "repeated"]
    assert "60 of 6060" in found.sentence
    (copied,) = find_copies(observed(clean), 60)
    assert "60 of 6000 generated showers (1 %) are exact copies" in copied.sentence
    assert not find_copies(observed(clean), 0)


def test_weights_count(reference, clean):
    """A shower of weight two is there twice, a fault without weight is none."""
    half = plant.scaled(clean.select(slice(0, 3000)), factor=1.2)
    both = type(clean).concatenate([half, clean.select(slice(3000, 6000))])
    weight = np.r_[np.zeros(3000), np.ones(3000)]
    unweighted = find_faults(reference, observed(both))
    weighted = find_faults(reference, observed(replace(both, weight=weight)))
    assert any(f.name == "layer_scale/2" for f in unweighted)
    assert not any("scale" in f.name for f in weighted)
