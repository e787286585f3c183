"""Columns of pairs on disk: what is written is read, what is something else is refused."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from simulacra.data.pair_files import read_pairs, read_sample, write_columns, write_pairs
from simulacra.data.pairs import Pairs
from simulacra.errors import FileFormatError, RangeError, ShapeError

ENDINGS = (".parquet", ".hdf5")
PAIRS = Pairs(
    np.arange(6.0).reshape(3, 2),
    np.arange(6.0).reshape(3, 2) + 0.5,
    ("mass", "width"),
    weight=np.array([1.0, -0.5, 2.0]),
    pass_truth=np.array([True, False, True]),
    pass_reco=np.array([True, True, False]),
)


@pytest.fixture(params=ENDINGS)
def path(request, tmp_path):
    pytest.importorskip("pyarrow")
    return tmp_path / f"pairs{request.param}"


def test_pairs_come_back(path):
    found = read_pairs(write_pairs(path, PAIRS))
    order = [found.names.index(name) for name in PAIRS.names]
    np.testing.assert_array_equal(found.truth[:, order], PAIRS.truth)
    np.testing.assert_array_equal(found.reco[:, order], PAIRS.reco)
    np.testing.assert_array_equal(found.weights, PAIRS.weights)
    np.testing.assert_array_equal(found.in_truth, PAIRS.in_truth)
    np.testing.assert_array_equal(found.in_reco, PAIRS.in_reco)


def test_pseudo_data_are_what_was_measured_of_them(path):
    sample = read_sample(write_pairs(path, PAIRS))
    assert len(sample) == 2
    np.testing.assert_array_equal(sample.column("width"), [1.5, 3.5])
    np.testing.assert_array_equal(sample.weights, [1.0, -0.5])


def test_a_side_that_is_missing_is_named(path):
    write_columns(path, {"mass": np.ones(3), "truth_mass": np.ones(3)})
    with pytest.raises(FileFormatError, match=r"expected columns truth_.* and reco_"):
        read_pairs(path)
    with pytest.raises(FileFormatError, match="of what was measured, found"):
        read_sample(path)


def test_missing_numbers_are_refused(path):
    columns = {"truth_x": np.ones(3), "reco_x": np.array([1.0, np.nan, 2.0])}
    with pytest.raises(RangeError, match="`x` is NaN or infinite in 1 of 3"):
        read_pairs(write_columns(path, columns))


def test_other_files_are_refused(tmp_path):
    with pytest.raises(FileFormatError, match="a name that ends with"):
        read_pairs(tmp_path / "pairs.root")
    (tmp_path / "bad.parquet").write_bytes(b"nothing")
    (tmp_path / "bad.hdf5").write_bytes(b"nothing")
    for name in ("bad.parquet", "bad.hdf5"):
        with pytest.raises(FileFormatError, match="cannot be read"):
            read_pairs(tmp_path / name)


def test_columns_of_different_lengths_are_refused(tmp_path):
    with h5py.File(tmp_path / "a.hdf5", "w") as file:
        file["truth_x"], file["reco_x"], file["reco_y"] = np.ones(3), np.ones(3), np.ones(2)
    with pytest.raises(FileFormatError, match="of one length"):
        read_pairs(tmp_path / "a.hdf5")
    with h5py.File(tmp_path / "b.hdf5", "w") as file:
        file["truth_x"], file["reco_x"], file["weight"] = np.ones(3), np.ones(3), np.ones(2)
    with pytest.raises(ShapeError, match="one for each of 3 events"):
        read_pairs(tmp_path / "b.hdf5")
    with h5py.File(tmp_path / "c.hdf5", "w") as file:
        file["truth_x"], file["reco_x"] = np.ones((3, 2)), np.ones(3)
    with pytest.raises(FileFormatError, match="one number per event in `truth_x`"):
        read_pairs(tmp_path / "c.hdf5")
