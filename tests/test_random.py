"""The noise law: published test vectors, agreement of back-ends, independence from the batch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from scipy import stats

from simulacra import random
from simulacra.errors import RangeError
from simulacra.random import Stream, generator, normal, torch_normal, torch_uniform, uniform, words

ONES = 2**32 - 1

# Known answers of Philox4x32-10 from the authors' Random123 distribution, file kat_vectors:
# counter, key, output.
KNOWN = [
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((ONES,) * 4, (ONES,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]


@pytest.mark.reference
@pytest.mark.parametrize(("counter", "key", "expected"), KNOWN)
def test_published_vectors(counter, key, expected):
    block, stream, low, high = counter
    seed, event = key[0] | key[1] << 32, low | high << 32
    lanes = random._philox(seed, stream, np.array([event], np.uint64), np.array([block], np.uint64))
    assert tuple(int(lane[0, 0]) for lane in lanes) == expected


def test_words_follow_the_documented_counter():
    # word 5 of an event is output 1 of block 1
    lanes = random._philox(7, 2, np.array([11], np.uint64), np.array([1], np.uint64))
    assert words(7, [11], 6, stream=2)[0, 5] == int(lanes[1][0, 0])


@given(st.integers(0, 2**63 - 1), st.lists(st.integers(0, 2**62), min_size=1, max_size=5))
def test_the_law_on_a_device_agrees_with_numpy(seed, events):
    numbers, stream = torch.tensor(events), Stream.ORDER
    expected = uniform(seed, events, 9, stream=stream)
    assert_array_equal(expected, random._device_uniform(seed, numbers, 9, stream).numpy())
    assert_array_equal(expected, torch_uniform(seed, numbers, 9, stream=stream).numpy())
    expected = normal(seed, events, 9, stream=stream)
    on_device = random._device_normal(seed, numbers, 9, stream).numpy()
    np.testing.assert_allclose(on_device, expected, rtol=2e-6, atol=2e-6)
    assert_array_equal(expected, torch_normal(seed, numbers, 9, stream=stream).numpy())


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_the_law_on_a_gpu():
    numbers = torch.arange(1000, device="cuda")
    drawn = torch_normal(3, numbers, 100).cpu().numpy()
    np.testing.assert_allclose(drawn, normal(3, range(1000), 100), rtol=2e-6, atol=2e-6)


def test_single_precision_is_double_precision_rounded():
    single, double = (normal(3, range(100), 50, dtype=d) for d in (np.float32, np.float64))
    np.testing.assert_allclose(single, double, rtol=1e-5, atol=2e-6)


@given(st.integers(1, 60), st.integers(0, 20))
def test_an_event_does_not_depend_on_its_batch_or_on_how_much_is_drawn(count, event):
    together = normal(5, range(30), 64)
    alone = normal(5, [event], count)
    assert_array_equal(together[event, :count], alone[0])


def test_long_events_cross_the_working_set_unharmed():
    count = 4 * random._BLOCKS_AT_ONCE + 10
    assert_array_equal(words(1, [3], count)[0, -7:], words(1, [2, 3], count)[1, -7:])
    assert len(np.unique(words(1, [3], count))) > count - 20  # a handful of collisions expected


@pytest.mark.statistical
def test_normals_are_normal():
    """Kolmogorov-Smirnov at a false-alarm rate of 1e-6, seed fixed."""
    drawn = normal(2, range(2000), 100).ravel()
    assert stats.kstest(drawn, "norm").pvalue > 1e-6
    assert stats.kstest(uniform(2, range(2000), 100).ravel(), "uniform").pvalue > 1e-6


@pytest.mark.statistical
@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((1, 0, 0), (1 + 2**32, 0, 0)),  # torch's generator would collide here
        ((1, 0, 0), (1, 1, 0)),
        ((1, 0, 0), (1, 2**32, 0)),
        ((1, 0, 0), (1, 0, 1)),
    ],
)
def test_seeds_events_and_streams_are_unrelated(one, other):
    """5 sigma under independence."""
    a, b = (normal(seed, [event], 20_000, stream=stream)[0] for seed, event, stream in (one, other))
    assert abs(np.corrcoef(a, b)[0, 1]) < 5 / 20_000**0.5


def test_pairs_of_one_event_are_unrelated():
    a = normal(1, [0], 20_000)[0]
    assert abs(np.corrcoef(a[0::2], a[1::2])[0, 1]) < 5 / 10_000**0.5


def test_bounds():
    drawn = uniform(0, range(1000), 1000)
    assert drawn.min() > 0
    assert drawn.max() < 1
    assert np.abs(normal(0, range(1000), 1000)).max() < 6.77


def test_generators_are_owned_by_their_numbers():
    def first(*key):
        return generator(*key).random()

    assert first(1, Stream.ORDER, 3) == first(1, Stream.ORDER, 3)
    assert len({first(s, t, n) for s in (1, 2) for t in (0, 1) for n in (3, 4)}) == 8


def test_a_seed_of_too_many_bits_is_refused():
    with pytest.raises(RangeError, match="seed"):
        normal(2**64, [0], 1)


def test_no_events_get_no_numbers():
    for draw in (words, uniform, normal):
        assert draw(1, [], 5).shape == (0, 5)
