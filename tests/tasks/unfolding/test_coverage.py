"""Three hundred pseudo-experiments on the closed form: the stated errors hold the truth."""

from __future__ import annotations

import numpy as np
import pytest

from simulacra.random import Stream, generator
from simulacra.tasks.unfolding import Expected, GaussianToy, coverage, method_config, unfolder

EDGES = np.linspace(-1.5, 2.1, 10)
TOY = GaussianToy()


@pytest.mark.slow
@pytest.mark.statistical
@pytest.mark.parametrize("name", ["bayes", "omnifold-polynomial"])
def test_errors_cover_in_300_experiments(name):
    config = method_config(name).updated(replicas=30)
    if name == "bayes":
        config = config.updated(edges={"x": list(EDGES)})
    truth = {"x": Expected(TOY.truth_in(EDGES, 1000))}

    def draw(n):
        data = int(generator(1, Stream.SPLIT, n).poisson(1000))
        return TOY.problem(4000, data, seed=1, experiment=n), truth

    found = coverage(unfolder(config), draw, {"x": EDGES}, experiments=300, seed=1)["x"]
    # 2 standard deviations of one bin's part; the mean of nine correlated bins scatters less.
    # Above the nominal part by more than that, errors would be too large by a fifth.
    assert found.covers, found.sentence()
    assert found.mean < 0.683 + 2 * found.allowed
    assert np.abs(found.pulls).max() < 0.6
