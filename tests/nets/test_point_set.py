"""The network for sets: neither order nor padding counts, points do."""

import numpy as np
import torch

from simulacra.nets import PointSet


def rows(points, mask):
    return torch.cat([points, mask[..., None].float()], dim=2).flatten(1)


def test_order_and_padding_do_not_count():
    network = PointSet((4, 3), 2, width=8, hidden=1).initialise(np.random.default_rng(0))
    points = torch.randn(5, 4, 3, generator=torch.Generator().manual_seed(1))
    mask = torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0], [0, 1, 0, 1], [0, 0, 0, 1], [0, 0, 0, 0]]) > 0
    found = network(rows(points, mask))
    assert found.shape == (5, 2)
    order = [2, 0, 3, 1]
    torch.testing.assert_close(network(rows(points[:, order], mask[:, order])), found)
    other = torch.where(mask[..., None], points, torch.tensor(7.0))
    torch.testing.assert_close(network(rows(other, mask)), found)
    assert not torch.allclose(network(rows(points, mask.roll(1, 1))), found)


def test_the_sum_is_over_points():
    """Two equal points count twice what one does: before the second network all is linear."""
    network = PointSet((2, 1), 1, width=3, hidden=0).initialise(np.random.default_rng(2))
    point = torch.ones(1, 2, 1)
    none, one, two = (network(rows(point, torch.arange(2)[None] < n)) for n in range(3))
    torch.testing.assert_close(two - none, 2 * (one - none))
