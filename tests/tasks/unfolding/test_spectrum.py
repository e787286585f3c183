"""The covariance of replicas: what chance does to data, and what it does to networks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from simulacra.errors import RangeError
from simulacra.generative import FlowMatchingConfig
from simulacra.tasks.unfolding import GaussianToy, Posterior, PosteriorConfig, load_unfolded
from simulacra.tasks.unfolding.spectrum import ONE_SIGMA, replica_covariance
from simulacra.train import TrainingConfig

EDGES = np.array([-1.0, 0.0, 1.0])
QUICK = TrainingConfig(
    epochs=1, batch_size=64, warmup_steps=5, average=0.9, validation_fraction=0.1, threads=1
)


def _found(rng, replicas, networks, data=5.0, network=3.0, bins=6):
    """Return counts of 100 with known standard deviations, ``(replicas * networks, bins)``."""
    shared = data * rng.normal(size=(replicas, 1, bins))
    own = network * rng.normal(size=(replicas, networks, bins))
    return (100 + shared + own).reshape(-1, bins)


@pytest.mark.statistical
@pytest.mark.parametrize(("replicas", "networks"), [(4, 1), (8, 1), (6, 2), (12, 3)])
def test_errors_hold_the_truth_in_68_percent(replicas, networks):
    rng = np.random.default_rng(1)
    held = []
    for _ in range(2000):
        rows = _found(rng, replicas, networks)
        error = np.sqrt(np.diag(replica_covariance(rows, networks)))
        # one network: the centre is a single unfolding of the data; several: the mean of all,
        # whose own chance is that of the data, and of replicas * networks networks
        centre = 5.0 * rng.normal(size=6)
        centre += 3.0 / np.sqrt(replicas * networks if networks > 1 else 1) * rng.normal(size=6)
        held.append(np.abs(centre) <= error)
    # 12,000 bins: one standard deviation is 0.0043; false-alarm rate below 1e-5 if exact. The
    # share that is taken away is an estimate, whose own chance costs up to 0.02
    assert np.mean(held) == pytest.approx(ONE_SIGMA, abs=0.02 + 5 * 0.0043)


@pytest.mark.statistical
def test_what_networks_add_is_taken_away():
    rows = _found(np.random.default_rng(2), 4000, 2)
    with_networks = np.diag(replica_covariance(rows.reshape(4000, 2, 6).mean(axis=1)))
    without = np.diag(replica_covariance(rows, 2))
    # variances of 4000 replicas are known to 2.2 %
    np.testing.assert_allclose(with_networks, 25 + 4.5, rtol=0.12)
    np.testing.assert_allclose(without, 25, rtol=0.12)


def test_at_most_half_is_taken_away():
    rows = _found(np.random.default_rng(3), 50, 2, data=0.0, network=1.0)
    means = rows.reshape(50, 2, 6).mean(axis=1)
    np.testing.assert_allclose(replica_covariance(rows, 2), replica_covariance(means) / 2)


def test_one_replica_has_no_error():
    with pytest.raises(RangeError, match="at least 2 bootstrap replicas"):
        replica_covariance(np.ones((2, 3)), networks=2)


def test_two_networks_of_a_replica_stay_together_on_disk(tmp_path):
    config = PosteriorConfig(
        family=FlowMatchingConfig(), training=QUICK, later_epochs=1, width=8, blocks=1
    )
    method = Posterior(config.updated(iterations=2, members=3, networks=2))
    problem = GaussianToy().problem(600, 200, seed=1)
    result = method.fit(problem, seed=1)
    assert result.networks == 2
    assert result.replicas.shape[0] == 6
    # bootstrap weights of a replica are the same for both of its networks, draws are not
    sums = result.replicas.sum(axis=1)
    np.testing.assert_allclose(sums[::2], sums[1::2], rtol=1e-6)
    assert len(np.unique(result.events[:, 0])) > 5 * 200
    again = load_unfolded(result.save(tmp_path / "result"))
    assert again.networks == 2
    found, same = result.spectrum("x", EDGES), again.spectrum("x", EDGES)
    np.testing.assert_array_equal(found.covariance, same.covariance)
    naive = replace(result, networks=1).spectrum("x", EDGES)
    assert not np.array_equal(naive.covariance, found.covariance)
