"""Memorisation: uniform p-values for independent showers, copies found though they are few."""

from dataclasses import replace

import numpy as np
import planted_faults as plant
import pytest

from simulacra.data import embedded, open_showers
from simulacra.evaluation.memorised import compare_distances, memorised
from simulacra.evaluation.sample import Observed, Sample
from simulacra.evaluation.suite import CHALLENGE


@pytest.fixture(scope="module")
def showers():
    return open_showers(embedded("photons-train")).read()


def memory(reference, generated, training, limit=10_000):
    observed = [
        Observed.of(Sample(s, "generated"), s.geometry.threshold) for s in (reference, generated)
    ]
    return memorised(
        *observed,
        Sample(training, "training"),
        CHALLENGE.updated(memorisation_limit=limit),
        threshold=reference.geometry.threshold,
        seed=0,
    )


@pytest.mark.statistical
def test_p_values_are_uniform_for_equal_samples():
    """400 pairs: a Kolmogorov distance above 0.12 has a probability of 2e-5."""
    rng = np.random.default_rng(0)
    p = np.sort([compare_distances(*rng.gamma(5, size=(2, 800))).p_value for _ in range(400)])
    assert np.abs(p - np.arange(0.5, 400) / 400).max() < 0.12


def test_few_copies_are_found():
    rng = np.random.default_rng(1)
    reference, generated = rng.gamma(5, size=(2, 5000))
    generated[:50] *= 0.02
    found = compare_distances(generated, reference)
    assert found.p_value < 1e-6
    assert 20 < found.near_copies < 50
    assert found.p_all > 1e-3


def test_a_general_nearness_is_found():
    rng = np.random.default_rng(2)
    reference, generated = rng.gamma(5, size=(2, 5000))
    found = compare_distances(0.9 * generated, reference)
    assert found.p_all < 1e-6
    assert found.ratio == pytest.approx(0.9, abs=0.03)


@pytest.mark.statistical
def test_copies_with_noise_are_named(showers):
    """One in a hundred of 4,000 showers copied and smeared; clean ones pass at 1e-3."""
    reference, clean, training = (showers.select(slice(4000 * k, 4000 * (k + 1))) for k in range(3))
    assert memory(reference, clean, training).findings == ()
    copied = plant.copied(clean, training)
    noise = np.random.default_rng(3).normal(1, 0.02, copied.energies.shape)
    smeared = replace(copied, energies=(copied.energies * noise).astype(np.float32))
    found = memory(reference, smeared, training)
    (finding,) = found.findings
    assert finding.name == "near_copies"
    p_value, share, _ = found.scores
    assert p_value.value < 1e-3
    assert 0.002 < share.value < 0.012
    assert np.sum(np.diff(found.histogram.edges) * found.histogram.generated) == pytest.approx(1)


def test_the_limit_and_the_pieces(showers, monkeypatch):
    reference, clean, training = (showers.select(slice(300 * k, 300 * (k + 1))) for k in range(3))
    few = memory(reference, clean, training, limit=100)
    assert "100 reference and 100 generated" in few.scores[0].protocol
    whole = memory(reference, clean, training)
    monkeypatch.setattr(
        Sample, "chunks", lambda self: (self.source.select([k]) for k in range(self.events))
    )
    assert memory(reference, clean, training) == whole
