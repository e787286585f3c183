"""The contract of every bijection, over one table that names them all."""

from __future__ import annotations

import math
from copy import deepcopy

import pytest
import torch
from torch.autograd.functional import jacobian

from simulacra.errors import RangeError
from simulacra.preprocess import (
    Chain,
    Gaussianize,
    LayerRatios,
    Log,
    Logit,
    Standardize,
)

FEATURES, EVENTS = 5, 400


def _seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _fractions(seed: int = 0, events: int = EVENTS) -> torch.Tensor:
    return 0.01 + 0.98 * torch.rand(events, FEATURES, generator=_seeded(seed), dtype=torch.float64)


def _energies(seed: int = 0, events: int = EVENTS) -> torch.Tensor:
    return 1000 * torch.rand(events, FEATURES, generator=_seeded(seed), dtype=torch.float64) + 1.0


BIJECTIONS = {
    "log": (lambda: Log(0.5), _energies),
    "logit": (lambda: Logit(1e-3), _fractions),
    "standardize": (lambda: Standardize(FEATURES), _energies),
    "layer ratios": (LayerRatios, _energies),
    "quantiles": (lambda: Gaussianize([0, 0, 1, 1, 2], spike=False), _fractions),
    "quantiles above a spike": (lambda: Gaussianize(range(5), spike=True), _fractions),
    "ratios then quantiles": (
        lambda: Chain(LayerRatios(), Gaussianize(range(5), spike=False)),
        _energies,
    ),
}


def _log_energy(events: int = EVENTS) -> torch.Tensor:
    return torch.linspace(math.log(1e3), math.log(6e4), events, dtype=torch.float64)


@pytest.fixture(params=BIJECTIONS.values(), ids=BIJECTIONS.keys())
def case(request):
    build, data = request.param
    return build().double(), data


def test_inverse_undoes_forward(case):
    step, data = case
    step.fit(data(), _log_energy())
    x = data(seed=1)
    back = step.inverse(step(x, _log_energy()), _log_energy())
    torch.testing.assert_close(back, x, rtol=1e-7, atol=1e-7)


def test_log_det_is_the_autograd_jacobian(case):
    step, data = case
    step.fit(data(), _log_energy())
    for event in (3, 200, 390):
        x, energy = data(seed=2)[event : event + 1], _log_energy()[event : event + 1]
        matrix = jacobian(lambda v, e=energy: step(v, e)[0], x)[:, 0]
        torch.testing.assert_close(
            step.log_det(x, energy)[0], torch.linalg.slogdet(matrix).logabsdet
        )


def test_fitted_constants_travel_in_the_state_dict(case):
    step, data = case
    blank = deepcopy(step)
    step.fit(data(), _log_energy())
    blank.load_state_dict(step.state_dict())
    x = data(seed=3)
    torch.testing.assert_close(blank(x, _log_energy()), step(x, _log_energy()), atol=0, rtol=0)


def test_each_event_is_mapped_on_its_own(case):
    step, data = case
    step.fit(data(), _log_energy())
    x = data(seed=4)
    whole = step(x, _log_energy())
    torch.testing.assert_close(whole[7:9], step(x[7:9], _log_energy()[7:9]), atol=0, rtol=0)


@pytest.mark.parametrize("name", ["standardize", "quantiles", "ratios then quantiles"])
def test_weight_two_means_seen_twice(name):
    build, data = BIJECTIONS[name]
    rows = torch.arange(4000)
    x, energy = data(events=len(rows)), _log_energy(len(rows))
    weight = torch.where(rows % 3 == 0, 2.0, 1.0).double()
    twice = torch.cat([rows, rows[::3]]).sort().values
    weighted = build().double().fit(x, energy, weight)
    repeated = build().double().fit(x[twice], energy[twice])
    for a, b in zip(weighted.state_dict().values(), repeated.state_dict().values(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-6)


def test_weights_without_a_positive_sum_are_refused():
    with pytest.raises(RangeError, match="positive sum"):
        Standardize(FEATURES).fit(_energies(), _log_energy(), -torch.ones(EVENTS))
    with pytest.raises(RangeError, match="positive sum"):
        Gaussianize(range(5), spike=False).fit(_energies(), _log_energy(), torch.zeros(EVENTS))


def test_layer_ratios_by_hand():
    # E_inc = 10, layers 2, 3, 5: response 1, u_1 = 2/10, u_2 = 3/8
    y = LayerRatios()(torch.tensor([[2.0, 3.0, 5.0]]), torch.tensor([math.log(10.0)]))
    expected = [1.0, math.log(0.2 / 0.8), math.log(0.375 / 0.625)]
    torch.testing.assert_close(y, torch.tensor([expected]))


def test_layer_ratios_conserve_energy():
    y = torch.randn(100, FEATURES, generator=_seeded(0), dtype=torch.float64) * 3
    y[:, 0] = 0.9
    energies = LayerRatios().inverse(y, _log_energy(100))
    torch.testing.assert_close(energies.sum(1), 0.9 * _log_energy(100).exp())
    assert (energies > 0).all()


def test_a_feature_that_never_changes_stays_finite():
    x = torch.full((300, 2), 0.3)
    for step in (Standardize(2), Gaussianize([0, 1], spike=False)):
        assert step.fit(x, _log_energy(300).float())(x, _log_energy(300).float()).isfinite().all()


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Log(0.0), r"`threshold` must be positive \(MeV\), got 0.0"),
        (lambda: Logit(0.7), r"`offset` must be between 0 and 0.5, got 0.7"),
        (lambda: Gaussianize([0], spike=True, knots=1), "at least 2 knots"),
    ],
)
def test_settings_outside_their_range_say_so(build, message):
    with pytest.raises(RangeError, match=message):
        build()
