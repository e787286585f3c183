"""Artefacts: what is written is what is read, every byte is watched, nothing foreign is touched."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal

from simulacra.artifact import Artifact, load_artifact, save_artifact
from simulacra.errors import ArtifactError, OutputError

KEYS = np.array([3, 2**64 - 1, 7], np.uint64)


def _artifact(value=1.0):
    weights = {
        "shape.network.weight": torch.full((10, 10), value) / 3,
        "scores.table": torch.full((100,), value) / 3,
    }
    manifest = {
        "name": "toy",
        "validity": {"energy": [1.0, 2.0]},
        "scores": [{"label": "AUC", "value": 0.6, "error": 0.01, "floor": 0.5}],
    }
    return Artifact(manifest, weights, KEYS)


def test_round_trip(tmp_path):
    loaded = load_artifact(save_artifact(tmp_path / "m", _artifact()))
    for name, tensor in _artifact().weights.items():
        assert torch.equal(loaded.weights[name], tensor)
    assert_array_equal(loaded.event_keys, np.sort(KEYS))
    assert loaded.manifest["validity"] == {"energy": [1.0, 2.0]}


def test_half_precision_rounds_networks_and_spares_constants(tmp_path):
    loaded = load_artifact(save_artifact(tmp_path / "m", _artifact(), half_precision=True))
    network = loaded.weights["shape.network.weight"]
    assert network.dtype == torch.float32
    assert 0 < float((network - 1 / 3).abs().max()) < 2e-4
    assert torch.equal(loaded.weights["scores.table"], _artifact().weights["scores.table"])


def test_the_folder_holds_what_it_says_and_no_pickle(tmp_path):
    folder = save_artifact(tmp_path / "m", _artifact())
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["card.md", "events.safetensors", "manifest.json", "weights.safetensors"]
    assert "| AUC | 0.6 | 0.01 | 0.5 |" in (folder / "card.md").read_text()


@pytest.mark.parametrize("name", ["weights.safetensors", "events.safetensors", "manifest.json"])
def test_a_changed_byte_is_detected(tmp_path, name):
    folder = save_artifact(tmp_path / "m", _artifact())
    content = bytearray((folder / name).read_bytes())
    place = content.index(b"toy") if name == "manifest.json" else len(content) - 5
    content[place] ^= 1
    (folder / name).write_bytes(bytes(content))
    with pytest.raises(ArtifactError, match="was changed after it was written"):
        load_artifact(folder)


@pytest.mark.parametrize("name", ["weights.safetensors", "events.safetensors"])
def test_a_missing_file_is_named(tmp_path, name):
    folder = save_artifact(tmp_path / "m", _artifact())
    (folder / name).unlink()
    with pytest.raises(ArtifactError, match=f"{name}: missing"):
        load_artifact(folder)


@pytest.mark.parametrize(
    ("text", "message"),
    [("{", "is not JSON"), ("[1]", "expected a model's manifest"), ("{}", "manifest")],
)
def test_a_manifest_that_is_none(tmp_path, text, message):
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(ArtifactError, match=message):
        load_artifact(tmp_path)


def test_a_folder_without_manifest(tmp_path):
    with pytest.raises(ArtifactError, match="expected the folder of a trained model"):
        load_artifact(tmp_path)


def test_a_newer_schema_is_refused(tmp_path):
    folder = save_artifact(tmp_path / "m", _artifact())
    manifest = json.loads((folder / "manifest.json").read_text()) | {"schema": 99}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(ArtifactError, match="expected schema 1, found 99"):
        load_artifact(folder)


def test_a_manifest_cannot_point_outside_its_folder(tmp_path):
    folder = save_artifact(tmp_path / "m", _artifact())
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"]["../secret"] = "0" * 64
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(ArtifactError):
        load_artifact(folder)


def test_an_earlier_model_is_replaced_and_anything_else_is_spared(tmp_path):
    folder = save_artifact(tmp_path / "m", _artifact(1.0))
    save_artifact(folder, _artifact(2.0))
    assert float(load_artifact(folder).weights["scores.table"][0]) == pytest.approx(2 / 3)
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.tex").write_text("years of work")
    with pytest.raises(ArtifactError, match="is not a model's folder"):
        save_artifact(tmp_path / "thesis", _artifact())
    assert (tmp_path / "thesis" / "chapter.tex").read_text() == "years of work"


def test_a_failure_while_writing_keeps_the_earlier_model(tmp_path, monkeypatch):
    folder = save_artifact(tmp_path / "m", _artifact(1.0))

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("simulacra.artifact.store.card", full)
    with pytest.raises(OutputError, match="disk is full"):
        save_artifact(folder, _artifact(2.0))
    assert float(load_artifact(folder).weights["scores.table"][0]) == pytest.approx(1 / 3)
    assert len(list(folder.iterdir())) == 4
