"""The contract of every generator, over one table that names them all."""

from __future__ import annotations

import copy
import math
from dataclasses import replace

import pytest
import torch
from scipy import stats

from simulacra.batch import Batch, Draws
from simulacra.generative import (
    AutoregressiveFlowConfig,
    CaloGan,
    CaloGanConfig,
    CascadeConfig,
    CouplingFlowConfig,
    DiffusionConfig,
    Flow,
    FlowMatching,
    FlowMatchingConfig,
    GridKit,
    LayerwiseConfig,
    LikenessGan,
    LikenessGanConfig,
    MeanFlowConfig,
    PointCascade,
    PointCascadeConfig,
    PointFlowConfig,
    RingKit,
    ShowerCascade,
    ShowerLayout,
    VariationalAutoencoderConfig,
    VectorKit,
    VectorQuantised,
    VectorQuantisedConfig,
    WassersteinGanConfig,
    build_family,
    initialised,
)
from simulacra.nets import ResidualNetwork
from simulacra.preprocess import CellPlaces

LAYOUT = ShowerLayout(rings=((3, 1), (4, 6), (2, 6)), threshold=1.0)
EVENTS = 300


KIT = VectorKit(4, 1, width=24, blocks=2)


def _vector():
    return build_family(FlowMatchingConfig(solver="heun", steps=3), KIT)


def _of(config):
    """Return how the family of some settings is built on plain vectors."""
    return lambda: build_family(config, KIT)


def _showers():
    return ShowerCascade(
        CascadeConfig(channels=8, blocks=1, width=12, energy_width=12, energy_blocks=1), LAYOUT
    )


def _showers_of(config):
    """Return how a cascade is built whose voxels are of a family."""
    small = CascadeConfig(channels=8, blocks=1, width=12, energy_width=12, energy_blocks=1)
    return lambda: ShowerCascade(small.updated(shape=config.to_dict()), LAYOUT)


def _flow_on_rings(config):
    kit = RingKit(LAYOUT.rings, 1, channels=8, blocks=1, width=12)
    return lambda: build_family(config, kit)


def _layerwise():
    kit = RingKit(((2, 6),) * 3, 1, channels=8, blocks=1, width=12)
    return build_family(LayerwiseConfig(layer=FlowMatchingConfig(steps=2, along="angle")), kit)


def _regular_data():
    draw = torch.Generator().manual_seed(0)
    return torch.randn(EVENTS, 36, generator=draw), torch.rand(EVENTS, 1, generator=draw)


def _showers_behind_a_copula():
    small = CascadeConfig(channels=8, blocks=1, width=12, energy_width=12, energy_blocks=1)
    return ShowerCascade(small.updated(copula="symmetric", mirror=True), LAYOUT)


def _ring_data():
    draw = torch.Generator().manual_seed(0)
    return torch.randn(EVENTS, 39, generator=draw), torch.rand(EVENTS, 1, generator=draw)


def _points(*, cells):
    """Return how a cascade of points is built: filled voxels, or points anywhere."""
    config = PointCascadeConfig(
        cells=cells,
        places=5,
        channels=8,
        blocks=1,
        width=12,
        depth=4,
        energy_width=12,
        energy_blocks=1,
        shape=PointFlowConfig(steps=2),
    )
    return lambda: PointCascade(config, LAYOUT)


def _cloud_data():
    """Return energies, angles, shares of area and depth of up to 5 points in each of 9 rings."""
    draw = torch.Generator().manual_seed(0)
    incident = 1000 * 64 ** torch.rand(EVENTS, 1, generator=draw)
    x = torch.rand(EVENTS, 4, 45, generator=draw)
    x[:, 0] = torch.exp(5 * x[:, 0])
    x[:, 1] *= 6
    there = torch.rand(EVENTS, 1, 45, generator=draw) < 0.5
    return (x * there).flatten(1), incident


def _vector_data():
    draw = torch.Generator().manual_seed(0)
    return torch.randn(EVENTS, 4, generator=draw), torch.rand(EVENTS, 1, generator=draw)


def _shower_data():
    draw = torch.Generator().manual_seed(0)
    incident = 1000 * 64 ** torch.rand(EVENTS, 1, generator=draw)
    x = torch.exp(2 * torch.randn(EVENTS, LAYOUT.voxels, generator=draw)) * incident / 5000
    return torch.where(x >= 1, x, 0.0), incident


CELLS = ShowerLayout(
    rings=(),
    threshold=1.0,
    conditions=("incident_energy", "theta", "phi", "x", "pdg"),
    cells=((2, 6), (3, 4), (5, 1)),
    particles=(-11, 11, 22),
)


def _cells_of(config):
    """Return how a cascade of rectangular cells is built whose cells are of a family."""
    small = CascadeConfig(
        equivariant=False, patch=4, channels=8, blocks=1, width=12, energy_width=12, energy_blocks=1
    )
    return lambda: ShowerCascade(small.updated(shape=config.to_dict()), CELLS)


def _cells_at(what):
    """Return how a cascade is built whose scores are taken at the layer or at the axis."""
    edges = [tuple(torch.linspace(-30, 30, n + 1).tolist()) for n in range(7)]
    places = tuple(CellPlaces(edges[a], edges[b], (0.0, 30.0)) for a, b in CELLS.cells)
    config = CascadeConfig(
        equivariant=False,
        spectra=what,
        patch=4,
        channels=8,
        width=12,
        energy_width=12,
        energy_blocks=1,
        shape=CouplingFlowConfig(couplings=2, depth=1, bins=4),
        energy=CouplingFlowConfig(couplings=2, depth=1, bins=4),
    )
    return lambda: ShowerCascade(config, replace(CELLS, places=places))


def _cell_data():
    draw = torch.Generator().manual_seed(0)
    incident = 1000 * 64 ** torch.rand(EVENTS, 1, generator=draw)
    rest = torch.rand(EVENTS, 3, generator=draw) * torch.tensor([0.3, 6.0, 20.0])
    pdg = torch.tensor([-11.0, 11.0, 22.0]).repeat(EVENTS // 3)[:, None]
    x = torch.exp(2 * torch.randn(EVENTS, CELLS.voxels, generator=draw)) * incident / 5000
    return torch.where(x >= 1, x, 0.0), torch.cat([incident, rest, pdg], dim=1)


LEARNS_WITHOUT_NOISE = (Flow, VectorQuantised)

GENERATORS = {
    "flow matching": (_vector, _vector_data),
    "diffusion": (_of(DiffusionConfig(steps=4)), _vector_data),
    "diffusion, cosine, ddim": (
        _of(DiffusionConfig(noise="cosine", sampler="ddim", steps=4)),
        _vector_data,
    ),
    "diffusion, stochastic": (_of(DiffusionConfig(sampler="stochastic", steps=4)), _vector_data),
    "mean flow": (_of(MeanFlowConfig(steps=2)), _vector_data),
    "mean flow, unit": (_of(MeanFlowConfig(state="unit")), _vector_data),
    "variational autoencoder": (
        _of(VariationalAutoencoderConfig(local=3, whole=2, prior=FlowMatchingConfig(steps=2))),
        _vector_data,
    ),
    "vector-quantised autoencoder": (
        _of(VectorQuantisedConfig(local=2, whole=1, codes=8, depth=2, width=8, heads=2)),
        _vector_data,
    ),
    "wasserstein gan": (_of(WassersteinGanConfig()), _vector_data),
    "calogan": (
        lambda: CaloGan(CaloGanConfig(noise=5, channels=2, width=12), LAYOUT),
        _shower_data,
    ),
    "likeness gan": (
        lambda: LikenessGan(
            LikenessGanConfig(noise=3, channels=6, factors=(3,)),
            ShowerLayout(rings=((13, 3),) * 3, threshold=1.0),
        ),
        lambda: (torch.cat([_shower_data()[0]] * 3, dim=1), _shower_data()[1]),
    ),
    "coupling flow": (_of(CouplingFlowConfig(couplings=3, bins=4)), _vector_data),
    "coupling flow, rotated": (
        _of(CouplingFlowConfig(couplings=3, bins=4, mixing="rotation")),
        _vector_data,
    ),
    "autoregressive flow": (_of(AutoregressiveFlowConfig(steps=2, bins=4)), _vector_data),
    "coupling flow, rings": (_flow_on_rings(CouplingFlowConfig(couplings=4, bins=4)), _ring_data),
    "autoregressive flow, rings": (
        _flow_on_rings(AutoregressiveFlowConfig(steps=2, bins=4)),
        _ring_data,
    ),
    "coupling flow, cells": (
        lambda: build_family(
            CouplingFlowConfig(couplings=2, bins=4), GridKit(((2, 2),), 1, channels=8, blocks=1)
        ),
        _vector_data,
    ),
    **{
        f"cells, {config.family}": (_cells_of(config), _cell_data)
        for config in (
            FlowMatchingConfig(steps=2),
            DiffusionConfig(steps=2),
            MeanFlowConfig(),
            CouplingFlowConfig(couplings=2, bins=4),
            AutoregressiveFlowConfig(steps=1, bins=4),
            VariationalAutoencoderConfig(local=2, whole=3),
            VectorQuantisedConfig(local=1, whole=2, codes=8, depth=2, width=8, heads=2),
            WassersteinGanConfig(),
        )
    },
    **{f"cells at their {at}": (_cells_at(at), _cell_data) for at in ("layer", "axis")},
    "calogan, cells": (
        lambda: CaloGan(CaloGanConfig(noise=5, channels=8, width=12), CELLS),
        _cell_data,
    ),
    "layerwise": (_layerwise, _regular_data),
    "shower cascade": (_showers, _shower_data),
    "shower cascade, copula": (_showers_behind_a_copula, _shower_data),
    "points, cells": (_points(cells=True), _shower_data),
    "points, free": (_points(cells=False), _cloud_data),
    **{
        f"shower cascade, {config.family}": (_showers_of(config), _shower_data)
        for config in (
            VariationalAutoencoderConfig(local=2, whole=3),
            VectorQuantisedConfig(local=1, whole=2, codes=8, depth=2, width=8, heads=2),
            WassersteinGanConfig(),
        )
    },
}


@pytest.fixture(params=GENERATORS.values(), ids=GENERATORS.keys())
def case(request):
    build, data = request.param
    x, condition = data()
    model = initialised(build, seed=1)
    model.fit_constants(x, condition, torch.ones(EVENTS), Draws(1, 0, EVENTS))
    model.twin = lambda: initialised(build, seed=99)
    return model, x, condition


def _loss(model, x, condition):
    batch = Batch(model.encode(x, condition), condition, torch.ones(len(x)))
    return model.loss(batch, Draws(2, 0, len(x)))


def test_one_loss_per_event(case):
    model, x, condition = case
    loss = _loss(model, x, condition)
    assert loss.shape == (EVENTS,)
    assert loss.isfinite().all()


def test_loss_is_a_function_of_seed_and_sample_number(case):
    model, x, condition = case
    torch.testing.assert_close(_loss(model, x, condition), _loss(model, x, condition))
    later = model.loss(
        Batch(model.encode(x, condition), condition, torch.ones(EVENTS)), Draws(2, 999, EVENTS)
    )
    if not isinstance(model, LEARNS_WITHOUT_NOISE):
        assert not torch.allclose(later, _loss(model, x, condition))


def test_gradient_reaches_every_parameter(case):
    model, x, condition = case
    for parameter in model.parameters():
        parameter.data += 0.01  # layers that start at zero block the gradient at first
    _loss(model, x, condition).mean().backward()
    silent = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert not silent


def test_noise_in_events_out(case):
    model, x, condition = case
    noise = torch.randn(7, model.noise_size, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        drawn = model.draw(condition[:7], noise)
        again = model.draw(condition[:7], noise)
        other = model.draw(condition[:7], -noise)
        part = model.draw(condition[2:4], noise[2:4])
    assert drawn.shape == (7, x.shape[1])
    assert torch.equal(drawn, again)
    assert not torch.allclose(drawn, other)
    torch.testing.assert_close(part, drawn[2:4], rtol=1e-3, atol=1e-3)


def test_the_state_dict_is_the_whole_model(case):
    model, _, condition = case
    noise = torch.randn(5, model.noise_size, generator=torch.Generator().manual_seed(1))
    twin = model.twin()
    twin.load_state_dict(model.state_dict())
    with torch.no_grad():
        assert torch.equal(twin.draw(condition[:5], noise), model.draw(condition[:5], noise))


def test_initial_weights_are_owned_by_the_seed():
    one, same, other = (initialised(_vector, seed=s).state_dict() for s in (1, 1, 2))
    assert all(torch.equal(a, b) for a, b in zip(one.values(), same.values(), strict=True))
    assert any(not torch.equal(a, b) for a, b in zip(one.values(), other.values(), strict=True))


def test_a_network_of_zeros_hands_the_noise_through():
    """The straight part of the velocity maps a normal onto itself, up to the solver's error."""

    class Zero(torch.nn.Module):
        def forward(self, t, x, condition):
            return torch.zeros_like(x)

    noise = torch.randn(50, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)

    def error(steps):
        model = FlowMatching(Zero(), 3, FlowMatchingConfig(steps=steps))
        return float((model.draw(noise[:, :0], noise) - noise).abs().max())

    assert error(32) < 3e-3
    assert error(16) / error(32) > 3.5  # second order or, by the path's symmetry, better


def test_whatever_a_cascade_draws_is_physics():
    model, x, condition = initialised(_showers, 3), *_shower_data()
    model.fit_constants(x, condition, torch.ones(EVENTS), Draws(1, 0, EVENTS))
    noise = 3 * torch.randn(EVENTS, model.noise_size, generator=torch.Generator().manual_seed(5))
    with torch.no_grad():
        drawn = model.draw(condition, noise)
    assert drawn.isfinite().all()
    assert (drawn >= 0).all()
    assert (drawn[drawn > 0] >= LAYOUT.threshold * (1 - 1e-5)).all()


@pytest.mark.statistical
def test_flow_matching_learns_a_conditional_gaussian():
    """x | c is normal with mean (c, -c) and correlation c; 6,000 draws at each of two conditions.

    Kolmogorov-Smirnov at 1e-6 would see the 2 % that so short a training leaves; the bounds are
    on what it has to learn: mean and correlation within 0.08.
    """
    model = initialised(
        lambda: FlowMatching(
            ResidualNetwork(2, 1, width=64, blocks=2), 2, FlowMatchingConfig(steps=8)
        ),
        seed=0,
    )
    optimiser = torch.optim.Adam(model.parameters(), lr=3e-3)
    for step in range(800):
        draw = Draws(7, step * 256, 256)
        c = 1.6 * draw.uniform(1, 90) - 0.8
        z = draw.normal(2, 91)
        x = torch.cat([c + z[:, :1], -c + c * z[:, :1] + (1 - c**2).sqrt() * z[:, 1:]], dim=1)
        loss = model.loss(Batch(x, c, torch.ones(256)), draw).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        for group in optimiser.param_groups:
            group["lr"] = 3e-3 * 0.5 * (1 + math.cos(math.pi * step / 800))
    for c in (-0.7, 0.7):
        with torch.no_grad():
            x = model.draw(torch.full((6000, 1), c), Draws(8, 0, 6000).normal(2, 0))
        assert x.mean(0).tolist() == pytest.approx([c, -c], abs=0.08)
        assert float(torch.corrcoef(x.T)[0, 1]) == pytest.approx(c, abs=0.08)
        assert stats.kstest((x[:, 0] - c).numpy(), "norm").statistic < 0.05


def test_configurations_survive_being_stored():
    config = CascadeConfig(channels=7, shape=FlowMatchingConfig(solver="rk4", steps=2))
    assert CascadeConfig.from_dict(config.to_dict()) == config
    assert copy.deepcopy(config) == config
