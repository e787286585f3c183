"""Bit for bit the same event in any batch, order, shard, number of workers and of threads."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal

from simulacra.errors import RangeError
from simulacra.generative import FlowMatching, FlowMatchingConfig, draw, initialised, tiles
from simulacra.nets import ResidualNetwork

CONDITIONS = np.linspace(0, 1, 300, dtype=np.float32)[:, None]


@pytest.fixture(scope="module")
def model():
    def build():
        network = ResidualNetwork(33, 1, width=96, blocks=2)
        for parameter in network.parameters():
            parameter.data += 0.05 * torch.randn(parameter.shape)
        return FlowMatching(network, 33, FlowMatchingConfig(steps=2))

    return initialised(build, seed=0).eval()


def _drawn(model, events=range(300), tile=16, workers=1, seed=4):
    parts = draw(model, lambda a, b: CONDITIONS[a:b], events, seed=seed, tile=tile, workers=workers)
    return np.concatenate([part.x for part in parts])


@pytest.mark.parametrize("batch", [1, 7, 16, 100])
def test_any_batch_size(model, batch):
    pieces = [_drawn(model, range(a, min(a + batch, 300))) for a in range(0, 300, batch)]
    assert_array_equal(np.concatenate(pieces), _drawn(model))


def test_any_number_of_workers(model):
    assert_array_equal(_drawn(model, workers=3), _drawn(model))


def test_any_number_of_threads_around_it(model):
    expected, before = _drawn(model), torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        assert_array_equal(_drawn(model), expected)
    finally:
        torch.set_num_threads(before)


def test_events_come_in_order_and_know_their_number(model):
    parts = list(
        draw(model, lambda a, b: CONDITIONS[a:b], range(5, 60), seed=0, tile=16, workers=2)
    )
    assert [part.first for part in parts] == [5, 16, 32, 48]
    assert sum(len(part.x) for part in parts) == 55


def test_the_seed_and_the_event_matter(model):
    assert not np.allclose(_drawn(model), _drawn(model, seed=5))
    same_condition = draw(model, lambda a, b: np.zeros((b - a, 1)), range(2), seed=0, tile=16)
    first, second = next(same_condition).x
    assert not np.allclose(first, second)


def test_no_events(model):
    assert list(draw(model, lambda a, b: CONDITIONS[a:b], range(0), seed=0, tile=16)) == []


def test_a_consumer_that_stops_early_leaves_nothing_running(model):
    stream = draw(model, lambda a, b: CONDITIONS[a:b], range(300), seed=0, tile=16, workers=2)
    next(stream)
    stream.close()


@pytest.mark.parametrize("workers", [1, 2])
def test_the_number_of_threads_is_left_as_found(model, workers):
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        _drawn(model, workers=workers)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_no_worker_draws_nothing(model):
    with pytest.raises(RangeError, match="at least 1 thread, got 0"):
        _drawn(model, workers=0)


def _rows_seen(model, monkeypatch):
    seen, own = [], type(model).draw

    def draw(self, condition, noise):
        seen.append(len(noise))
        return own(self, condition, noise)

    monkeypatch.setattr(type(model), "draw", draw)
    return seen


def test_full_runs_of_tiles_are_computed_at_once(model, monkeypatch):
    alone = np.concatenate([_drawn(model, range(a, a + 16)) for a in range(0, 288, 16)])
    monkeypatch.setattr(tiles, "_ROWS_AT_ONCE", 64)
    seen = _rows_seen(model, monkeypatch)
    assert_array_equal(_drawn(model, range(3, 288)), alone[3:])
    assert seen.count(64) >= 4
    assert set(seen) == {16, 64}


def test_tiles_are_computed_alone_where_rows_change_the_bits(monkeypatch):
    class Touchy(torch.nn.Module):
        noise_size = 2

        def draw(self, condition, noise):
            return noise + condition * (1 + 1e-6 * len(noise))

    model = Touchy()
    alone = np.concatenate([_drawn(model, range(a, a + 16)) for a in range(0, 288, 16)])
    monkeypatch.setattr(tiles, "_ROWS_AT_ONCE", 64)
    seen = _rows_seen(model, monkeypatch)
    assert_array_equal(_drawn(model, range(288)), alone)
    assert seen.count(64) == 1  # the trial
