"""The runtime without torch: the same showers in any batch size, and bundles that are refused."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from toy_generator import Toy

from simulacra.deploy import graph_facts, load, read_manifest
from simulacra.deploy import runtime as runtime_module
from simulacra.deploy.bundle import digest_of
from simulacra.errors import ArtifactError, ConfigError, DependencyError, RangeError, ShapeError
from simulacra.random import normal

ENERGY = np.array([1500.0, 20000.0, 63000.0, 2000.0, 5000.0], np.float32)
FURTHER = {"theta": np.full(5, 0.2), "pdg": np.array([11, 22, 22, 11, 11])}


def test_the_same_showers_as_torch(toy_bundle):
    drawn = load(toy_bundle).sample(ENERGY, FURTHER, seed=5, first_event=7)
    table = np.column_stack([ENERGY, FURTHER["theta"], FURTHER["pdg"]]).astype(np.float32)
    noise = torch.from_numpy(normal(5, range(7, 12), 60))
    expected = Toy().draw(torch.from_numpy(table), noise).numpy()
    assert drawn.dtype == np.float32
    assert_allclose(drawn, expected, rtol=2e-6)


@pytest.mark.parametrize("batch_size", [1, 2, 100])
def test_a_shower_does_not_depend_on_its_batch(toy_bundle, batch_size):
    model = load(toy_bundle)
    whole = model.sample(ENERGY, FURTHER, seed=5)
    assert_allclose(model.sample(ENERGY, FURTHER, seed=5, batch_size=batch_size), whole, rtol=1e-6)
    last = {name: column[3:] for name, column in FURTHER.items()}
    part = model.sample(ENERGY[3:], last, seed=5, first_event=3)
    assert_allclose(part, whole[3:], rtol=1e-6)


def test_no_showers_are_no_showers(toy_bundle):
    empty = {name: np.zeros(0) for name in FURTHER}
    assert load(toy_bundle).sample(np.zeros(0), empty).shape == (0, 60)


def test_ones_own_noise_and_conditions_beyond_the_range_are_clamped(toy_bundle):
    model = load(toy_bundle)
    noise = np.repeat(normal(1, [0], 60), 3, axis=0)
    table = np.array([[64640, 0.1, 22], [1e9, 0.1, 22], [1e9, 0.1, 9999]], np.float32)
    one, two, three = model.run(noise, table)
    assert_array_equal(one, two)
    assert_array_equal(one, three)


def test_nonsense_is_refused_in_one_sentence(toy_bundle):
    model = load(toy_bundle)
    with pytest.raises(RangeError, match=r"incident_energy: .* 1000 to 64000 MeV, 1 of 5"):
        model.sample([900.0, *ENERGY[1:]], FURTHER)
    with pytest.raises(RangeError, match="incident_energy"):
        model.sample([np.nan, *ENERGY[1:]], FURTHER)
    with pytest.raises(RangeError, match="pdg: the model was trained with 11, 22"):
        model.sample(ENERGY, {**FURTHER, "pdg": np.full(5, 13)})
    with pytest.raises(ConfigError, match="theta, pdg, got none"):
        model.sample(ENERGY)
    with pytest.raises(ShapeError, match="one number per shower"):
        model.sample(ENERGY[:2], FURTHER)
    with pytest.raises(ShapeError, match=r"noise: expected \(events, 60\)"):
        model.run(np.zeros((2, 59)), np.zeros((2, 3)))
    with pytest.raises(RangeError, match="threads"):
        load(toy_bundle, threads=0)
    with pytest.raises(RangeError, match="batch size"):
        model.sample(ENERGY, FURTHER, batch_size=0)


@pytest.mark.parametrize(
    "name", ["model.onnx", "model_batch.onnx", "golden.npz", "README.md", "weights.safetensors"]
)
def test_a_missing_file_is_named(copied, name):
    (copied / name).unlink()
    with pytest.raises(ArtifactError, match=f"{name}: missing"):
        load(copied)


def test_what_is_no_bundle_is_refused(tmp_path, copied, signed):
    with pytest.raises(ArtifactError, match="found none there"):
        load(tmp_path / "nothing")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ArtifactError, match=r"manifest.json: missing"):
        load(tmp_path / "empty")
    signed(copied, kind="voxel-shower-surrogate")
    with pytest.raises(ArtifactError, match="simulacra export MODEL"):
        load(copied)
    (copied / "manifest.json").write_bytes(b"\xff{")
    with pytest.raises(ArtifactError, match="is not JSON"):
        load(copied)


def test_a_changed_byte_is_seen(copied):
    path = copied / "model_batch.onnx"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(ArtifactError, match=r"model_batch.onnx: was changed"):
        load(copied).sample(ENERGY, FURTHER)
    manifest = copied / "manifest.json"
    manifest.write_text(manifest.read_text().replace("64000.0", "99000.0"))
    with pytest.raises(ArtifactError, match=r"manifest.json: was changed"):
        load(copied)


def test_newer_schemas_and_other_noise_are_refused(copied, signed):
    signed(copied, schema=2)
    with pytest.raises(ArtifactError, match=r"found 2\. Install a newer simulacra"):
        load(copied)
    signed(copied, schema=1, noise={"law": "mersenne/1", "size": 60})
    with pytest.raises(ArtifactError, match="other showers"):
        load(copied)


def test_nothing_outside_the_folder_is_read(copied, tmp_path):
    path = copied / "model.onnx"
    path.rename(tmp_path / "elsewhere.onnx")
    path.symlink_to(tmp_path / "elsewhere.onnx")
    with pytest.raises(ArtifactError, match="is a link"):
        load(copied).sample(2000.0, {"theta": 0.1, "pdg": 11})
    raw = json.loads((copied / "manifest.json").read_text())
    raw["files"]["../elsewhere.onnx"] = hashlib.sha256(b"").hexdigest()
    raw["digest"] = digest_of(raw)
    (copied / "manifest.json").write_text(json.dumps(raw))
    with pytest.raises(ArtifactError, match=r"'\.\./elsewhere\.onnx'; refused"):
        load(copied)


@pytest.mark.parametrize(
    "change",
    [
        {"conditions": []},
        {"conditions": [{"name": "incident_energy"}]},
        {"noise": {"size": 10**12, "law": "philox4x32-10/box-muller/1"}},
        {"output": {"voxels": -1, "threshold_mev": 1.0}},
        {"requires": None},
    ],
    ids=str,
)
def test_a_manifest_that_makes_no_sense_is_refused(copied, signed, change):
    signed(copied, **change)
    with pytest.raises(ArtifactError, match="does not describe a bundle"):
        load(copied)


def test_a_file_that_is_too_large_is_not_read(copied):
    with (copied / "manifest.json").open("ab") as file:
        file.truncate(2 * 2**20)
    with pytest.raises(ArtifactError, match="expected at most 1048576"):
        load(copied)


def test_bytes_that_are_no_graph_are_refused(copied, signed):
    for content in (b"", b"no graph at all", b"\x08\x08" + b"\x3a\xff\xff\xff\x7f"):
        (copied / "model.onnx").write_bytes(content)
        signed(copied)
        with pytest.raises(ArtifactError, match="expected an ONNX file"):
            load(copied).sample(2000.0, {"theta": 0.1, "pdg": 11})


def test_an_onnxruntime_that_is_missing_or_too_old_is_named(toy_bundle, monkeypatch):
    class Old:
        __version__ = "1.9.0"

    monkeypatch.setattr(runtime_module, "import_module", lambda _: Old)
    with pytest.raises(DependencyError, match=r"at least 1\.14, .*found 1\.9\.0"):
        load(toy_bundle)

    def absent(name):
        raise ImportError(name)

    monkeypatch.setattr(runtime_module, "import_module", absent)
    with pytest.raises(DependencyError, match="simulacra\\[deploy\\]"):
        load(toy_bundle)


def test_a_graph_says_what_it_is(toy_bundle):
    facts = graph_facts((toy_bundle / "model.onnx").read_bytes())
    assert (facts.ir, facts.opsets, facts.outside) == (8, {"": 18}, False)
    assert "Exp" in facts.operators
    assert not facts.draws


def test_sampling_needs_no_torch(toy_bundle):
    code = f"""
import sys
from simulacra.deploy import load
drawn = load({str(toy_bundle)!r}).sample([2000.0, 3000.0], {{"theta": [0, 0], "pdg": [11, 22]}})
assert drawn.shape == (2, 60)
print([name for name in ("torch", "onnx", "h5py", "pydantic", "scipy") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "[]", done.stderr


def test_the_manifest_says_what_a_client_must_know(toy_bundle):
    raw = read_manifest(toy_bundle).raw
    assert raw["output"]["unit"] == "MeV"
    assert raw["output"]["mesh"] == [3, 4, 5]
    assert raw["noise"]["size"] == 60
    assert [one["unit"] for one in raw["conditions"]] == ["MeV", "rad", ""]
    assert raw["licence"] == "CC BY 4.0"
    assert len(raw["geometry"]["digest"]) >= 16


@pytest.mark.parametrize("workers", [2, 3])
def test_workers_change_no_bit(toy_bundle, workers):
    model = load(toy_bundle)
    whole = model.sample(ENERGY, FURTHER, seed=5, batch_size=2)
    side_by_side = model.sample(ENERGY, FURTHER, seed=5, batch_size=2, workers=workers)
    assert_array_equal(side_by_side, whole)
    with pytest.raises(RangeError, match="workers: expected at least 1, got 0"):
        model.sample(ENERGY, FURTHER, workers=0)
