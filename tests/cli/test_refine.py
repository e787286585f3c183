"""``simulacra refine`` on tables and showers: what it prints, what it writes, what it refuses."""

from __future__ import annotations

import json

import h5py
import numpy as np
import pytest

from simulacra.data import ToyShowers, read_showers, toy_geometry, write_showers
from simulacra.tasks.refinement import Refinement, Reweighter
from simulacra.tasks.refinement.closure import GaussianShift

FAST = ("--recipe", "weights-fast", "--set", "ratio.epochs=3", "--seed", 2)
COLUMNS = ("--observable", "a", "--observable", "b")


def write(path, rows, **further):
    with h5py.File(path, "w") as file:
        for name, column in {"a": rows[:, 0], "b": rows[:, 1], **further}.items():
            file[name] = column
    return path


@pytest.fixture
def tables(tmp_path):
    source, target = GaussianShift(0.8).draw(600, seed=1)
    weight = np.linspace(0.5, 1.5, 600)
    return (
        write(tmp_path / "source.hdf5", source, w=weight),
        write(tmp_path / "target.hdf5", target, w=np.ones(600)),
        source,
        weight,
    )


def test_a_table_gets_weights(simulacra, tables, tmp_path) -> None:
    source, target, rows, weight = tables
    out = tmp_path / "out"
    done = simulacra("refine", source, target, *COLUMNS, "--weight", "w", *FAST, "--out", out)
    assert done.code == 0, done.err
    assert "effective events" in done.out
    with h5py.File(out / "refined.hdf5") as file:
        np.testing.assert_array_equal(file["a"], rows[:, 0])
        weights = file["weight"][:]
    method = Reweighter.load(out / "method")
    np.testing.assert_allclose(weights, method.predict_weights(rows, weight))
    with h5py.File(out / "held_out.hdf5") as file:
        held_out = file["held_out"][:] == 1
    result = Refinement.load(out / "result")
    assert held_out.sum() == len(result.weights) == 300
    np.testing.assert_allclose(result.weights, weights[held_out])
    assert (out / "a.png").stat().st_size > 10_000


def test_a_table_is_moved(simulacra, tables, tmp_path) -> None:
    source, target, rows, _ = tables
    out = tmp_path / "out"
    few = ("--set", "steps=5", "--set", "batch=32", "--json")
    done = simulacra(
        "refine", source, target, *COLUMNS, "--recipe", "transport", *few, "--out", out
    )
    assert done.code == 0, done.err
    found = json.loads(done.out)
    assert found["method"] == "transport"
    assert found["effective"] == pytest.approx(300)
    with h5py.File(out / "refined.hdf5") as file:
        assert not np.allclose(file["a"], rows[:, 0])
        assert set(file["weight"][:]) == {1.0}


def test_showers_get_weights(simulacra, tmp_path) -> None:
    toy = ToyShowers(toy_geometry())
    for name, seed in (("source", 1), ("target", 2)):
        write_showers(tmp_path / f"{name}.hdf5", [toy.log_uniform(300, seed=seed)])
    files = tmp_path / "source.hdf5", tmp_path / "target.hdf5"
    done = simulacra("refine", *files, *FAST, "--out", tmp_path / "out")
    assert done.code == 0, done.err
    came, went = read_showers(files[0]), read_showers(tmp_path / "out" / "refined.hdf5")
    np.testing.assert_array_equal(came.energies, went.energies)
    assert went.weight is not None
    assert went.weight.std() > 0
    done = simulacra("refine", *files, "--recipe", "transport", "--out", tmp_path / "moved")
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "choose a recipe of weights" in done.err
    assert not (tmp_path / "moved" / "refined.hdf5").exists()


@pytest.mark.parametrize(
    "recipe",
    [FAST, ("--recipe", "transport", "--set", "steps=5", "--set", "batch=32", "--seed", 2)],
)
def test_a_saved_method_refines_a_table_again(simulacra, tables, tmp_path, recipe) -> None:
    """The same file gives the same bits; --apply asks for no observables."""
    source, target, *_ = tables
    out, again = tmp_path / "out", tmp_path / "again"
    run = ("refine", source, target, *COLUMNS, "--weight", "w", *recipe, "--out", out)
    assert simulacra(*run).code == 0
    done = simulacra(
        "refine", source, "--apply", out / "method", "--weight", "w", "--out", again, "--json"
    )
    assert done.code == 0, done.err
    path = json.loads(done.out)["refined"]
    with h5py.File(out / "refined.hdf5") as before, h5py.File(path) as after:
        assert set(before) == set(after) == {"a", "b", "weight"}
        for name in before:
            np.testing.assert_array_equal(before[name], after[name])


def test_a_saved_method_weighs_showers_of_its_detector_only(simulacra, tables, tmp_path) -> None:
    toy = ToyShowers(toy_geometry())
    for name, seed in (("one", 1), ("other", 2)):
        write_showers(tmp_path / f"{name}.hdf5", [toy.log_uniform(300, seed=seed)])
    files = tmp_path / "one.hdf5", tmp_path / "other.hdf5"
    assert simulacra("refine", *files, *FAST, "--out", tmp_path / "out").code == 0
    method = ("--apply", tmp_path / "out" / "method")
    done = simulacra("refine", files[0], *method, "--out", tmp_path / "again")
    assert done.code == 0, done.err
    before, after = (read_showers(tmp_path / n / "refined.hdf5") for n in ("out", "again"))
    np.testing.assert_array_equal(before.weight, after.weight)
    for further, words in (
        ((tables[0], *method), "the file has: a, b, w"),
        ((*files, *method), "got both"),
        ((files[0],), "got neither"),
        ((files[0], *method, *COLUMNS), "its own observables"),
        ((files[0], *method, "--weight", "w"), "showers carry their own weights"),
        ((files[0], "--apply", tmp_path / "out" / "result"), "a method that refines events"),
    ):
        done = simulacra("refine", *further, "--out", tmp_path / "refused")
        assert (done.code, done.err.count("\n")) == (2, 1)
        assert words in done.err
        assert not (tmp_path / "refused").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--observable", "a", "--observable", "mas"), "there is no column of"),
        ((*COLUMNS, "--recipe", "wieghts"), "Did you mean `weights`?"),
        ((*COLUMNS, "--set", "ratio.epoch=3"), "Did you mean `epochs`?"),
        (("--weight", "w"), "--observable columns"),
        (("--observable", "square"), "expected one number per event"),
        (("--observable", "a", "--observable", "short"), "columns of one length"),
        (("--observable", "a", "--observable", "holes"), "not a finite number"),
        (("--observable", "a", "--weight", "negative"), "sum to -600"),
    ],
)
def test_mistakes_are_one_line(simulacra, tmp_path, arguments, words) -> None:
    source, target = GaussianShift(0.8).draw(600, seed=1)
    further = {
        "w": np.ones(600),
        "square": np.ones((600, 2)),
        "short": np.ones(5),
        "holes": np.where(np.arange(600) % 2, np.nan, 1.0),
        "negative": -np.ones(600),
    }
    files = [
        write(tmp_path / f"{name}.hdf5", rows, **further)
        for name, rows in (("source", source), ("target", target))
    ]
    done = simulacra("refine", *files, *arguments, "--out", tmp_path / "out")
    assert done.code == 2
    assert words in done.err
    assert done.err.count("\n") == 1
    assert not (tmp_path / "out" / "result").exists()


def test_a_parquet_table_is_read(tmp_path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    arrow = pytest.importorskip("pyarrow")
    from simulacra.tasks.refinement import read_table

    rows = np.random.default_rng(1).normal(size=(50, 2))
    table = arrow.table({"a": rows[:, 0], "b": rows[:, 1].astype(np.float32), "w": np.arange(50)})
    parquet.write_table(table, tmp_path / "t.parquet")
    found = read_table(tmp_path / "t.parquet", ["b", "a"], "w")
    np.testing.assert_allclose(found.rows, rows[:, ::-1], rtol=1e-6)
    np.testing.assert_array_equal(found.weight, np.arange(50))
