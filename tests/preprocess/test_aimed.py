"""Scores around the axis: a blob that moves with its particle looks the same everywhere."""

from __future__ import annotations

import math

import pytest
import torch

from simulacra.errors import RangeError
from simulacra.preprocess import AimedScores, CellPlaces, ExpectedShares

WIDTH = 9.0  # of the blob, mm
NAMES = ("incident_energy", "theta", "phi", "x", "y")


def _edges(cells: int, extent: float = 120.0) -> tuple[float, ...]:
    return tuple(torch.linspace(-extent / 2, extent / 2, cells + 1).tolist())


PLACES = [
    CellPlaces(_edges(1), _edges(24), (0.0, 20.0)),
    CellPlaces(_edges(8), _edges(6), (20.0, 60.0)),
]


def _true_shares(condition: torch.Tensor, depths=(10.0, 40.0)) -> torch.Tensor:
    """Shares of a round normal blob on the line of flight, ``(events, cells)``."""
    _, theta, phi, x, y = condition.T
    found = []
    for place, z in zip(PLACES, depths, strict=True):
        along = []
        for edges, at in (
            (place.x_edges, x + z * theta.tan() * phi.cos()),
            (place.y_edges, y + z * theta.tan() * phi.sin()),
        ):
            below = torch.special.ndtr((torch.tensor(edges) - at[:, None]) / WIDTH)
            below[:, 0], below[:, -1] = 0.0, 1.0
            along.append(below.diff(dim=1))
        found.append((along[0][:, :, None] * along[1][:, None]).flatten(1))
    return torch.cat(found, dim=1)


def _blobs(events: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Energies in MeV with fluctuating cells, and conditions."""
    draw = torch.Generator().manual_seed(seed)
    low = torch.tensor([0.0, 0.0, -math.pi, -20.0, -20.0])
    high = torch.tensor([1.0, 0.3, math.pi, 20.0, 20.0])
    condition = low + (high - low) * torch.rand(events, 5, generator=draw)
    condition[:, 0] = 1000 * 8 ** condition[:, 0]
    bend = 0.3 * torch.randn(events, 72, generator=draw)
    x = condition[:, :1] * 0.5 * _true_shares(condition) * bend.exp()
    return torch.where(x >= 1.0, x, 0.0), condition


def test_expected_shares_are_those_of_the_blob():
    energies, condition = _blobs(2000)
    axis = ExpectedShares(PLACES, NAMES).fit(energies, condition, torch.ones(2000))
    _, elsewhere = _blobs(300, seed=1)
    expected, truth = axis(elsewhere), _true_shares(elsewhere)
    for layer in expected.split([24, 48], dim=1):
        torch.testing.assert_close(layer.sum(dim=1), torch.ones(300), rtol=1e-4, atol=1e-4)
    assert float((expected - truth).abs().max()) < 0.1
    assert float(expected.min()) > 0


def test_the_axis_is_where_the_particle_flies():
    energies, condition = _blobs(2000)
    axis = ExpectedShares(PLACES, NAMES).fit(energies, condition, torch.ones(2000))
    like = torch.tensor([[3000.0, 0.3, 0.5, 5.0, -7.0]])
    tangent = math.tan(0.3)
    along = tangent * math.cos(0.5), tangent * math.sin(0.5)
    for layer, depth in enumerate((10.0, 40.0)):
        line = torch.tensor([5.0 + along[0] * depth, -7.0 + along[1] * depth])
        assert float((axis.centres(like)[0, layer] - line).abs().max()) < 1.5


def test_without_position_and_angle_the_profile_is_as_wide_as_all_showers_together():
    energies, condition = _blobs(2000)
    axis = ExpectedShares(PLACES, NAMES[:1]).fit(energies, condition[:, :1], torch.ones(2000))
    shares = (energies[:, :24] / energies[:, :24].sum(dim=1, keepdim=True)).mean(dim=0)
    assert float((axis(condition[:1, :1])[0, :24] - shares).abs().max()) < 0.03


@pytest.fixture(scope="module")
def scores() -> AimedScores:
    energies, condition = _blobs(4000)
    noise = torch.randn(4000, 2, generator=torch.Generator().manual_seed(1))
    return AimedScores(PLACES, 1.0, NAMES).fit(energies, condition, noise, torch.ones(4000))


def test_showers_come_back(scores):
    energies, condition = _blobs(200, seed=2)
    noise = torch.zeros(200, 2)
    layers = scores.encode_layers(scores.layer_energies(energies), condition, noise)
    back = scores.decode(layers, scores.encode_voxels(energies, condition), condition)
    # scaling to the layer's energy may push a voxel at the threshold below it
    at_edge = (energies > 0) & (energies < 1.01)
    torch.testing.assert_close(back[~at_edge], energies[~at_edge], rtol=5e-3, atol=1e-3)


def test_the_brightest_cell_is_in_the_middle_wherever_the_particle_goes(scores):
    """What is on the axis comes to the middle of each layer; here without a fluctuation."""
    _, condition = _blobs(100, seed=3)
    shares = _true_shares(condition)
    rolled = scores.rolled(shares, condition)
    first = rolled[:, :24].argmax(dim=1)
    assert int((first - 12).abs().max()) <= 1
    second = rolled[:, 24:].argmax(dim=1)
    assert int((second // 6 - 4).abs().max()) <= 1
    assert int((second % 6 - 3).abs().max()) <= 1
    torch.testing.assert_close(scores.rolled(rolled, condition, back=True), shares)
    assert float(scores.further(condition).abs().max()) <= 3**0.5 + 1e-3


@pytest.mark.statistical
def test_filled_scores_are_normal_at_the_core_and_far_away(scores):
    """Cells that should hold as much share a table: means within 0.25, widths within 15 % of 1."""
    energies, condition = _blobs(1500, seed=4)
    draw = torch.Generator().manual_seed(5)
    uniform = torch.rand(energies.shape, generator=draw)
    given = scores.encode_voxels(energies, condition)
    layers = scores.layer_energies(energies)
    filled = scores.fill_voxels(given, layers, condition, uniform)
    for place in (12, 10, 5, 24 + 4 * 6 + 3, 24 + 2 * 6 + 3, 24):
        assert abs(float(filled[:, place].mean())) < 0.25
        assert abs(float(filled[:, place].std()) - 1) < 0.15


def test_independent_scores_give_showers_on_their_axis(scores):
    """Before any training, the centre of gravity follows the particle."""
    _, condition = _blobs(500, seed=6)
    draw = torch.Generator().manual_seed(7)
    drawn = scores.decode(
        torch.randn(500, 2, generator=draw), torch.randn(500, 72, generator=draw), condition
    )
    strips = drawn[:, :24]
    at = torch.linspace(-57.5, 57.5, 24)
    centre = (strips * at).sum(dim=1) / strips.sum(dim=1)
    line = condition[:, 4] + 10 * condition[:, 1].tan() * condition[:, 2].sin()
    assert float((centre - line).std()) < 3.0
    assert float(line.std()) > 10.0


def test_layers_sum_to_their_energies_and_empty_ones_stay_empty(scores):
    _, condition = _blobs(50, seed=8)
    layers = torch.full((50, 2), -8.0)
    drawn = scores.decode(layers, torch.zeros(50, 72), condition)
    assert bool(((drawn == 0) | (drawn >= 1.0 - 1e-4)).all())
    assert bool(torch.isfinite(drawn).all())


def test_a_threshold_of_zero_is_refused():
    with pytest.raises(RangeError, match="expected a positive energy in MeV, got 0"):
        AimedScores(PLACES, 0.0, NAMES)
