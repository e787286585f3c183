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
        write_pairs(tmp_path / "pairs.root", PAIRS)
    with pytest.raises(FileFormatError, match="no such file"):
        read_pairs(tmp_path / "pairs.root")
    for content in (b"nothing", b"PAR1nothing", b"rootnothing"):
        (tmp_path / "bad").write_bytes(content)
        with pytest.raises(FileFormatError, match="bad: "):
            read_pairs(tmp_path / "bad")


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


def _tree(path, columns, **further):
    uproot = pytest.importorskip("uproot")
    awkward = pytest.importorskip("awkward")
    lists = {name: awkward.Array(value) for name, value in further.items()}
    kinds = {name: column.dtype for name, column in columns.items()}
    with uproot.recreate(path) as file:
        tree = file.mktree("events", {**kinds, **dict.fromkeys(lists, "var * float64")})
        for half in (slice(0, 2), slice(2, None)):  # baskets of different lengths
            parts = {name: value[half] for name, value in {**columns, **lists}.items()}
            tree.extend(parts)
    return path


def test_trees_of_root_are_read(tmp_path):
    columns = {f"truth_{name}": PAIRS.truth[:, k] for k, name in enumerate(PAIRS.names)}
    columns |= {f"reco_{name}": PAIRS.reco[:, k] for k, name in enumerate(PAIRS.names)}
    columns |= {
        "weight": PAIRS.weights.astype(np.float32),
        "pass_truth": PAIRS.in_truth,
        "pass_reco": PAIRS.in_reco.astype(np.int32),
    }
    path = _tree(tmp_path / "pairs.root", columns, jet_pt=[[1.0], [], [2.0, 3.0]])
    found = read_pairs(path)
    assert found.names == PAIRS.names
    np.testing.assert_array_equal(found.truth, PAIRS.truth)
    np.testing.assert_array_equal(found.reco, PAIRS.reco)
    np.testing.assert_array_equal(found.weights, PAIRS.weights)
    np.testing.assert_array_equal(found.in_truth, PAIRS.in_truth)
    np.testing.assert_array_equal(found.in_reco, PAIRS.in_reco)
    sample = read_sample(path)
    np.testing.assert_array_equal(sample.column("mass"), PAIRS.reco[:2, 0])


def test_a_branch_of_lists_is_no_observable(tmp_path):
    path = _tree(tmp_path / "pairs.root", {"truth_x": np.ones(3)}, reco_x=[[1.0], [], [2.0]])
    with pytest.raises(FileFormatError, match="one number per event in `reco_x`"):
        read_pairs(path)
