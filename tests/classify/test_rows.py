"""Rows come back bit for bit, wherever they lie and in whatever pieces they came."""

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulacra.classify import store_rows
from simulacra.classify.rows import DenseRows, PackedRows
from simulacra.errors import OutputError, RangeError, ShapeError

DENSE, MEMORY, FILE = (1 << 30, 0), (0, 1 << 30), (0, 0)


def sparse(rows, features, seed=0, filled=0.1):
    rng = np.random.default_rng(seed)
    values = rng.lognormal(sigma=3, size=(rows, features)).astype(np.float32)
    return np.where(rng.random((rows, features)) < filled, values, np.float32(0))


def stored(array, place, cuts=()):
    dense, memory = place
    pieces = np.split(array, cuts)
    return store_rows(pieces, *array.shape, dense_limit=dense, memory_limit=memory)


@settings(max_examples=40, deadline=None)
@given(
    rows=st.integers(1, 40),
    features=st.integers(1, 60),
    filled=st.sampled_from([0.0, 0.1, 1.0]),
    seed=st.integers(0, 100),
    cuts=st.lists(st.integers(0, 40), max_size=3),
)
def test_dense_is_packed_is_filed(rows, features, filled, seed, cuts):
    array = sparse(rows, features, seed, filled)
    which = np.random.default_rng(seed).integers(0, rows, 50)
    kinds = [stored(array, place, sorted(cuts)) for place in (DENSE, MEMORY, FILE)]
    for kind in kinds:
        assert len(kind) == rows
        assert kind.dense(which).tobytes() == array[which].tobytes()
    assert isinstance(kinds[0], DenseRows)
    assert isinstance(kinds[1], PackedRows)
    assert kinds[1].in_memory
    assert kinds[1].digest == kinds[2].digest
    assert kinds[0].digest == stored(array, DENSE).digest
    assert kinds[1].digest == stored(array, MEMORY).digest
    changed = array.copy()
    changed[-1, -1] += 1
    assert stored(changed, MEMORY).digest != kinds[1].digest


def test_rows_move_from_memory_to_the_file_when_the_budget_is_spent():
    array = sparse(60_000, 50, filled=0.3)
    half = stored(array, (0, 3_000_000))
    assert isinstance(half, PackedRows)
    assert not half.in_memory
    assert half.size > 3_000_000
    which = np.random.default_rng(0).permutation(60_000)
    assert half.dense(which).tobytes() == array[which].tobytes()


def test_more_columns_than_16_bits_count():
    array = sparse(3, 70_000, filled=0.01)
    assert stored(array, FILE).dense(np.arange(3)).tobytes() == array.tobytes()


def test_a_negative_zero_is_a_zero():
    array = np.array([[-0.0, 1.0]], np.float32)
    for place in (DENSE, MEMORY):
        assert not np.signbit(stored(array, place).dense(np.array([0]))).any()


def test_rows_in_a_file_travel_as_its_descriptor():
    array = sparse(20, 30)
    rows = stored(array, FILE)
    again = pickle.loads(pickle.dumps(rows))
    assert rows.files == (rows._records.descriptor,)
    assert stored(array, MEMORY).files == stored(array, DENSE).files == ()
    del rows
    assert again.dense(np.arange(20)).tobytes() == array.tobytes()


def test_nothing_is_left_in_the_folder(tmp_path):
    rows = store_rows([sparse(5, 6)], 5, 6, dense_limit=0, memory_limit=0, folder=tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert rows.dense(np.array([4])).any() or True
    with pytest.raises(OutputError, match="TMPDIR"):
        store_rows([sparse(5, 6)], 5, 6, dense_limit=0, memory_limit=0, folder=tmp_path / "none")


def test_bad_input_is_refused():
    with pytest.raises(ShapeError, match="expected 5 rows of 6 features"):
        store_rows([sparse(5, 7)], 5, 6)
    with pytest.raises(ShapeError, match="expected 6 rows, got 5"):
        store_rows([sparse(5, 6)], 6, 6)
    with pytest.raises(RangeError, match="finite"):
        store_rows([np.full((5, 6), np.inf)], 5, 6)
