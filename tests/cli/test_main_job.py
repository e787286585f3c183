"""The main job by its commands, on a model of one second, and every mistake a user can make."""

from __future__ import annotations

import json

import numpy as np
import pytest
import yaml
from numpy.testing import assert_array_equal

from simulacra.data import ToyShowers, VoxelShowers, read_showers, toy_geometry, write_showers
from simulacra.tasks import calorimeter

SMALL = [
    "model.channels=6",
    "model.blocks=1",
    "model.width=8",
    "model.energy_width=8",
    "model.energy_blocks=1",
    "model.shape.steps=2",
    "training.epochs=1",
    "training.batch_size=64",
    "training.threads=0",
]
SETTINGS = [word for setting in SMALL for word in ("--set", setting)]


@pytest.fixture(scope="session")
def files(tmp_path_factory):
    """A training file, a test file and a GeV file of toy showers."""
    folder = tmp_path_factory.mktemp("showers")
    toys = ToyShowers(toy_geometry())
    write_showers(folder / "train.hdf5", toys.log_uniform(300, seed=1))
    write_showers(folder / "test.hdf5", toys.log_uniform(60, seed=2))
    return folder


@pytest.fixture
def model(simulacra, files, tmp_path):
    out = tmp_path / "model"
    done = simulacra(
        "train", "photons-demo", "--data", files / "train.hdf5", "--out", out, *SETTINGS
    )
    assert done.code == 0, done.err
    assert f"{out}: trained on 300 showers" in done.out
    return out


def test_train_sample_evaluate_merge(simulacra, files, model, tmp_path):
    low, high = json.loads((model / "manifest.json").read_text())["validity"]["ranges"][
        "incident_energy"
    ]
    energy = f"{low}:{high}"
    common = ("--energy", energy, "-n", 40, "--seed", 3)
    whole = tmp_path / "whole.hdf5"
    assert simulacra("sample", model, "--out", whole, *common).code == 0
    parts = [tmp_path / f"part-{i}.hdf5" for i in range(3)]
    for i, part in enumerate(parts):
        run = simulacra("sample", model, "--out", part, *common, "--shard", f"{i}/3", "--json")
        assert json.loads(run.out)["shard"] == f"{i}/3"
    merged = tmp_path / "merged.hdf5"
    assert simulacra("merge", merged, *parts).out == f"{merged}: 40 showers\n"
    assert_array_equal(read_showers(merged).energies, read_showers(whole).energies)

    like = tmp_path / "like.hdf5"
    reference = files / "test.hdf5"
    assert simulacra("sample", model, "--out", like, "--like", reference).code == 0
    assert len(read_showers(like)) == 60
    own = simulacra("evaluate", like, "--reference", files / "train.hdf5", "--out", tmp_path / "v")
    assert own.code == 2
    assert "the reference is a file that the model was trained on" in own.err
    assert not (tmp_path / "v").exists()


def test_particles_of_another_detector_are_taken_with_a_warning(simulacra, model, tmp_path):
    other = ToyShowers(toy_geometry(layers=2)).log_uniform(20, seed=4)
    write_showers(tmp_path / "other.hdf5", other)
    out = tmp_path / "f.hdf5"
    run = simulacra(
        "sample", model, "--out", out, "--like", tmp_path / "other.hdf5", "--extrapolate"
    )
    assert run.code == 0
    assert 'geometry "toy-2x4x5"; only its incident particles are taken' in run.err


def test_training_twice_into_one_folder_needs_resume(simulacra, files, model):
    again = simulacra(
        "train", "photons-demo", "--data", files / "train.hdf5", "--out", model, *SETTINGS
    )
    assert again.code == 2
    assert "holds a trained model already" in again.err
    resumed = simulacra(
        "train",
        "photons-demo",
        "--data",
        files / "train.hdf5",
        "--out",
        model,
        *SETTINGS,
        "--resume",
    )
    assert resumed.code == 0


def test_a_configuration_file_is_a_recipe(simulacra, files, model, tmp_path):
    config = json.loads((model / "manifest.json").read_text())["config"]
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(config))
    out = tmp_path / "other"
    run = simulacra("train", tmp_path / "mine.yaml", "--data", files / "train.hdf5", "--out", out)
    assert run.code == 0, run.err
    one, other = (json.loads((f / "manifest.json").read_text()) for f in (model, out))
    assert one["files"] == other["files"]  # the same weights, byte for byte


def test_version_and_citation(simulacra):
    assert simulacra("--version").out.startswith("simulacra 0.")
    assert simulacra("--cite").out.startswith("@software{simulacra")


def test_models_lists_what_ships(simulacra):
    listed = json.loads(simulacra("models", "--json").out)
    assert isinstance(listed, list)
    assert all({"name", "geometry", "scores", "ranges"} <= entry.keys() for entry in listed)
    page = simulacra("models")
    assert page.code == 0
    lines = page.out.splitlines()
    assert len(lines) < 12 * (1 + len(listed))  # a table to look at, not every score of every card
    for entry in listed:
        (low,) = (f"{s['value']:.3f}" for s in entry["scores"] if s["name"] == "auc/low_level")
        row = next(line for line in lines if line.split()[:1] == [entry["name"]])
        assert entry["geometry"] in row
        assert low in row
        assert f"judged by {entry['judged_by']}" in page.out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["train", "photos", "--data", "X", "--out", "O"], "Did you mean `photons`?"),
        (["train", "photons-demo", "--data", "X", "--out", "O"], "X"),
        (
            ["train", "photons-demo", "--data", "X", "--out", "O", "--set", "training.epoch=3"],
            "Did you mean `epochs`?",
        ),
        (["sample", "nonsense", "--out", "O", "-n", "3", "--energy", "1GeV"], "Known: "),
        (["smaple"], "sample"),
        (["sample", "X", "--out", "O", "--shards", "0/2"], "--shard"),
        (["merge", "O", "X"], "X"),
        (["data", "info", "X"], "X"),
    ],
)
def test_mistakes_are_one_line_and_exit_code_2(
    simulacra, arguments, sentence, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    run = simulacra(*arguments)
    assert run.code == 2
    assert sentence in run.err
    assert run.err.startswith("simulacra: ")
    assert run.err.count("\n") == 1
    assert run.out == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["-n", "5"], "expected either --like FILE or --energy"),
        (["--energy", "2GeV"], "needs the number of showers"),
        (["--energy", "2parsec", "-n", "3"], "expected an energy such as `2GeV`"),
        (["--energy", "1TeV", "-n", "3"], "the model was trained from"),
        (["--energy", "5GeV", "-n", "0"], "expected at least 1 shower"),
        (["--energy", "5GeV", "-n", "9", "--shard", "3/3"], "shards count from 0"),
        (["--energy", "5GeV", "-n", "9", "--batch-size", "0"], "batch size"),
        (["--energy", "5GeV", "-n", "9", "--condition", "theta=1"], "depends on the energy alone"),
        (["--energy", "5GeV", "-n", "9", "--condition", "theta"], "expected --condition NAME"),
        (["--energy", "5GeV", "-n", "9", "--seed", "-1"], "seed: expected"),
        (["--energy", "5GeV", "-n", "9" * 13], "at most 1e+09 showers"),
        (["--energy", "5GeV", "-n", "9", "--workers", "-1"], "--workers"),
        (["--energy", "5GeV", "-n", "9", "--device", "nonsense"], "not on this machine"),
    ],
)
def test_mistakes_in_sampling(simulacra, model, arguments, sentence, tmp_path):
    out = tmp_path / "out.hdf5"
    run = simulacra("sample", model, "--out", out, *arguments)
    assert run.code == 2
    assert sentence in run.err
    assert not out.exists()


def test_a_model_with_a_changed_byte_is_refused(simulacra, model, tmp_path):
    weights = model / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x7f")
    run = simulacra("sample", model, "--out", tmp_path / "o.hdf5", "--energy", "5GeV", "-n", "1")
    assert run.code == 2
    assert "was changed after it was written" in run.err


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda f: f["showers"].__setitem__(slice(None), f["showers"][:] / 1000), "GeV"),
        (lambda f: f["showers"].__setitem__((3, 4), np.nan), "nan"),
        (lambda f: f["showers"].__setitem__((3, 4), -1e-9), "negative"),
        (lambda f: f.__delitem__("incident_energies"), "incident_energies"),
    ],
)
def test_files_that_cannot_be_trained_on(simulacra, files, tmp_path, spoil, sentence):
    import shutil

    import h5py

    shutil.copy(files / "train.hdf5", tmp_path / "bad.hdf5")
    with h5py.File(tmp_path / "bad.hdf5", "r+") as file:
        spoil(file)
    out = tmp_path / "model"
    run = simulacra(
        "train", "photons-demo", "--data", tmp_path / "bad.hdf5", "--out", out, *SETTINGS
    )
    assert run.code == 2
    assert sentence.lower() in run.err.lower()
    assert not out.exists()


def test_a_yaml_that_is_not_plain_data(simulacra, files, tmp_path):
    (tmp_path / "evil.yaml").write_text("!!python/object/apply:os.system ['true']")
    run = simulacra(
        "train", tmp_path / "evil.yaml", "--data", files / "train.hdf5", "--out", tmp_path / "m"
    )
    assert run.code == 2
    assert "plain data" in run.err


def test_a_device_that_is_not_here_is_refused_before_the_training(simulacra, files, tmp_path):
    out = tmp_path / "never"
    arguments = ("--data", files / "train.hdf5", "--out", out, "--device", "nonsense", *SETTINGS)
    run = simulacra("train", "photons-demo", *arguments)
    assert run.code == 2
    assert run.err.startswith("simulacra: device: 'nonsense' is not on this machine")
    assert run.err.count("\n") == 1
    assert not out.exists()


def test_a_model_that_no_memory_holds_is_one_line(simulacra, files, tmp_path):
    out = tmp_path / "never"
    arguments = ("--data", files / "train.hdf5", "--out", out, *SETTINGS)
    run = simulacra("train", "photons-demo", *arguments, "--set", f"model.channels={10**12}")
    assert run.code == 2
    assert "not enough memory" in run.err
    assert run.err.count("\n") == 1
    assert not out.exists()


def test_gev_files_are_not_passed_on(simulacra, files, tmp_path):
    good = read_showers(files / "test.hdf5")
    gev = ("energies", "incident_energy")
    source, out = tmp_path / "gev.hdf5", tmp_path / "out.hdf5"
    for name in gev:
        spoiled = {**vars(good), name: getattr(good, name) / 1000}
        write_showers(source, type(good)(**spoiled))
        for words in (
            ["data", "convert", source, "--to", "sparse", "--out", out],
            ["data", "split", source, "--fraction", "0.5", "--out", out, "--rest", f"{out}.b"],
            ["merge", out, files / "test.hdf5", source],
        ):
            run = simulacra(*words)
            assert run.code == 2
            assert "in GeV" in run.err
            assert sorted(path.name for path in tmp_path.iterdir()) == ["gev.hdf5"]


def test_an_interruption_is_one_line_and_exit_code_130(simulacra, model, tmp_path, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(calorimeter, "sample_to_file", interrupted)
    run = simulacra("sample", model, "--out", tmp_path / "o", "--energy", "5GeV", "-n", "1")
    assert run.code == 130
    assert run.err.strip() == "simulacra: interrupted; nothing was left half-written."


@pytest.mark.parametrize("verb", ["train", "sample", "evaluate"])
def test_a_place_that_cannot_be_written_is_refused_before_work(simulacra, files, tmp_path, verb):
    (tmp_path / "file").write_text("in the way")
    out = tmp_path / "file" / "sub" / "result"
    data = files / "test.hdf5"
    words = {
        "train": ["train", "photons-demo", "--data", data],
        "sample": ["sample", "no-model", "--energy", "5GeV", "-n", "1"],
        "evaluate": ["evaluate", data, "--reference", data],
    }[verb]
    run = simulacra(*words, "--out", out)
    assert run.code == 2
    assert "is a file; choose another folder" in run.err
    assert run.err.count("\n") == 1


def test_training_showers_in_gev_cannot_hide_an_overlap(simulacra, files, tmp_path):
    good = read_showers(files / "test.hdf5")
    gev = VoxelShowers(**{**vars(good), "energies": good.energies / 1000})
    write_showers(tmp_path / "gev.hdf5", gev)
    reference = ("--reference", files / "test.hdf5", "--training", tmp_path / "gev.hdf5")
    run = simulacra("evaluate", files / "train.hdf5", *reference, "--out", tmp_path / "verdict")
    assert run.code == 2
    assert "look as if they were in GeV" in run.err
    assert not (tmp_path / "verdict").exists()
