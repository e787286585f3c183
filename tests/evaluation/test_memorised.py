"""Memorisation as part of a verdict: few copies with noise are found, clean showers pass."""

from dataclasses import replace

import numpy as np
import planted_faults as plant
import pytest

from simulacra.data import embedded, open_showers
from simulacra.evaluation.memorised import memorised
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
    p_value, share = found.scores
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
