"""Every family of generators on three densities of two numbers with known truth.

The same helper trains all of them, with the settings and the number of steps of the table below.
"""

from __future__ import annotations

import copy
import importlib.util
import math
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy import integrate

from simulacra.batch import Batch, Draws
from simulacra.generative import (
    AutoregressiveFlowConfig,
    CouplingFlowConfig,
    DiffusionConfig,
    FlowMatchingConfig,
    HasDensity,
    InverseAutoregressiveFlowConfig,
    VectorKit,
    build_family,
    initialised,
)


def _beside(name: str) -> Any:
    """Import the file of this folder; tests are no package."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    sys.modules[name] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


DENSITIES = _beside("densities").DENSITIES


@dataclass(frozen=True)
class Case:
    """How one family is trained here.

    Args:
        config: its settings.
        steps: training steps.
        batch: events of a step.
        rate: largest learning rate of Adam.
        teacher: what it learns from, if not from data.
    """

    config: Any
    steps: int = 3000
    batch: int = 1024
    rate: float = 3e-3
    teacher: str | None = None


FAMILIES = {
    "coupling flow": Case(CouplingFlowConfig(couplings=4, bins=24, bound=3.0), rate=5e-3),
    "autoregressive flow": Case(
        AutoregressiveFlowConfig(steps=2, bins=24, bound=3.0, width=128, depth=2), rate=5e-3
    ),
    "its student": Case(
        InverseAutoregressiveFlowConfig(steps=2, bins=24, bound=3.0, width=128, depth=2),
        rate=5e-3,
        teacher="autoregressive flow",
    ),
    "flow matching": Case(FlowMatchingConfig(solver="heun", steps=12)),
    "diffusion": Case(DiffusionConfig(steps=24)),
}
"""Every family with a vector form; others join here."""

KIT = VectorKit(2, 1, width=96, blocks=3)
NATS, AUC, HELD_OUT = 0.05, 0.55, 100_000


def _uniform(events, seed):
    return Draws(seed, 0, events).uniform(4, 90)


def train(case, density, seed=0):
    """Train a family on a density; return the average of its weights."""
    model = initialised(lambda: build_family(case.config, KIT), seed)
    if case.teacher:
        model.learn_from(train(FAMILIES[case.teacher], density, seed))
    weights = [p for p in model.parameters() if p.requires_grad]
    optimiser = torch.optim.Adam(weights, lr=case.rate, betas=(0.9, 0.99))
    average = copy.deepcopy([w.detach() for w in weights])
    condition, weight = torch.zeros(case.batch, 1), torch.ones(case.batch)
    for step in range(case.steps):
        for group in optimiser.param_groups:
            cosine = 0.5 * (1 + math.cos(math.pi * step / case.steps))
            group["lr"] = case.rate * min(1.0, step / 100) * cosine
        draws = Draws(seed + 1, step * case.batch, case.batch)
        x = density.draw(draws.uniform(4, 90))
        loss = model.loss(Batch(x, condition, weight), draws).mean()
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimiser.step()
        torch._foreach_lerp_(average, [w.detach() for w in weights], 1 - 0.998)
    for own, mean in zip(weights, average, strict=True):
        own.data.copy_(mean)
    return model.eval()


_trained: dict[tuple[str, str], Any] = {}


@pytest.fixture(params=[(f, d) for f in FAMILIES for d in DENSITIES], ids=" on ".join)
def trained(request):
    family, name = request.param
    if request.param not in _trained:
        _trained[request.param] = train(FAMILIES[family], DENSITIES[name])
    return _trained[request.param], DENSITIES[name]


def auc(first, second):
    """Area under the curve of boosted trees on unseen halves, and its error."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.metrics import roc_auc_score

    x, label = np.concatenate([first, second]), np.repeat([1, 0], [len(first), len(second)])
    seen = np.arange(len(x)) % 2 == 0
    trees = HistGradientBoostingClassifier(random_state=0).fit(x[seen], label[seen])
    area = roc_auc_score(label[~seen], trees.predict_proba(x[~seen])[:, 1])
    return float(area), math.sqrt(1 / (6 * seen.sum() / 2))


@pytest.mark.slow
@pytest.mark.statistical
def test_draws_are_hardly_told_apart_from_the_truth(trained, record_property):
    """40,000 draws against 40,000; three standard errors above the bound are allowed."""
    model, density = trained
    noise = Draws(12, 0, 40_000).normal(model.noise_size, 0)
    with torch.no_grad():
        drawn = model.draw(torch.zeros(40_000, 1), noise)
    assert drawn.isfinite().all()
    area, error = auc(density.draw(_uniform(40_000, 11)).numpy(), drawn.numpy())
    record_property("auc", f"{area:.4f} +- {error:.4f}")
    assert area < AUC + 3 * error


@pytest.mark.slow
@pytest.mark.statistical
def test_log_density_is_the_truth(trained, record_property):
    """Mean of ln p - ln q over events of p: the Kullback-Leibler divergence in nats."""
    model, density = trained
    if not isinstance(model, HasDensity):
        pytest.skip("this family has no density")
    x = density.draw(_uniform(HELD_OUT, 11))
    with torch.no_grad():
        found = torch.cat([model.log_density(part, part[:, :1] * 0) for part in x.split(20_000)])
    difference = density.log_density(x) - found.double()
    record_property("nats", f"{difference.mean():.4f}, absolute {difference.abs().mean():.4f}")
    assert found.isfinite().all()
    assert abs(float(difference.mean())) < NATS


@pytest.mark.parametrize("name", DENSITIES)
def test_a_density_integrates_to_one_and_is_that_of_its_draws(name):
    """Its entropy by quadrature and by its draws agree within five standard errors."""
    density = DENSITIES[name]
    side = torch.linspace(-3.2, 3.2, 801, dtype=torch.float64)
    grid = torch.cartesian_prod(side, side)
    values = density.log_density(grid)

    def integral(of):
        rows = integrate.simpson(of.reshape(801, 801).numpy(), x=side.numpy())
        return float(integrate.simpson(rows, x=side.numpy()))

    assert integral(values.exp()) == pytest.approx(1, abs=1e-4)
    drawn = density.draw(_uniform(20_000, 3))
    found = density.log_density(drawn)
    expected = integral(values.exp() * values)
    assert float(found.mean()) == pytest.approx(expected, abs=5 * float(found.std()) / 141)
    assert drawn.std(dim=0).tolist() == pytest.approx([1, 1], abs=0.03)
    assert drawn.mean(dim=0).tolist() == pytest.approx([0, 0], abs=0.04)


@pytest.mark.statistical
def test_the_judge_of_draws_can_fail():
    """Eight Gaussians a little too wide, and of equal width: told apart, and not."""
    density = DENSITIES["eight Gaussians"]
    truth, other = density.draw(_uniform(6000, 1)), density.draw(_uniform(6000, 2))
    noise = 0.25 * Draws(4, 0, 6000).normal(2, 0)
    assert auc(truth.numpy(), other.numpy())[0] < 0.53
    assert auc(truth.numpy(), (other + noise).numpy())[0] > 0.57
