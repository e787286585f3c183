"""The verifier: a good bundle passes, and every planted mistake is called by its name."""

from __future__ import annotations

import numpy as np
import pytest

from simulacra.deploy import load
from simulacra.export import judged, verify_bundle

onnx = pytest.importorskip("onnx", reason="needs the extra `export`")
helper, numpy_helper = onnx.helper, onnx.numpy_helper


def _complaints(folder):
    return {check.name: check.found for check in verify_bundle(folder) if not check.passed}


def _spoiled(folder, change):
    """Let both graphs go through a change of theirs."""
    for name in ("model.onnx", "model_batch.onnx"):
        proto = onnx.load(folder / name)
        change(proto.graph)
        onnx.save(proto, folder / name)


def _behind(graph, nodes, **constants):
    """Put operators behind the output; the first reads ``raw``, the last writes ``energies``."""
    for node in graph.node:
        for place, output in enumerate(node.output):
            if output == "energies":
                node.output[place] = "raw"
    for name, value in constants.items():
        graph.initializer.append(numpy_helper.from_array(np.asarray(value), name))
    graph.node.extend(nodes)


def test_a_good_bundle_passes_every_check(toy_bundle):
    checks = verify_bundle(toy_bundle)
    assert len(checks) == 10
    assert [check for check in checks if not check.passed] == []


def test_a_model_that_draws_the_same_agrees_and_another_does_not(toy_bundle):
    model = load(toy_bundle)

    def own(table, seed):
        return model.sample(table[:, 0], {"theta": table[:, 1], "pdg": table[:, 2]}, seed=seed)

    last = verify_bundle(toy_bundle, against=own)[-1]
    assert last.name == "the trained model"
    assert last.passed
    other = verify_bundle(toy_bundle, against=lambda table, seed: own(table, seed + 1))[-1]
    assert not other.passed


@pytest.mark.parametrize(
    ("factor", "words"), [(1e-3, "in GeV"), (0.5, "multiplied by 0.5")], ids=["GeV", "half"]
)
def test_a_wrong_unit_is_named(copied, signed, factor, words):
    node = helper.make_node("Mul", ["raw", "factor"], ["energies"])
    _spoiled(copied, lambda graph: _behind(graph, [node], factor=np.float32(factor)))
    signed(copied)
    found = _complaints(copied)
    assert words in found["golden showers"]
    assert words in found["one by one: golden showers"]


def test_fractions_of_the_energy_are_named(copied, signed):
    nodes = [
        helper.make_node("Slice", ["condition", "from", "to", "axis"], ["energy"]),
        helper.make_node("Div", ["raw", "energy"], ["energies"]),
    ]

    def change(graph):
        ends = {"from": [0], "to": [1], "axis": [1]}
        _behind(graph, nodes, **{name: np.array(v, np.int64) for name, v in ends.items()})

    _spoiled(copied, change)
    signed(copied)
    assert "fractions of the incident energy" in _complaints(copied)["golden showers"]


@pytest.mark.parametrize(
    ("axes", "words"),
    [((0, 1, 3, 2), "axes run layer, radius, angle"), ((0, 3, 2, 1), "axes run radius")],
)
def test_a_transposed_mesh_is_named(copied, signed, axes, words):
    nodes = [
        helper.make_node("Reshape", ["raw", "mesh"], ["cube"]),
        helper.make_node("Transpose", ["cube"], ["turned"], perm=list(axes)),
        helper.make_node("Reshape", ["turned", "flat"], ["energies"]),
    ]
    mesh = load(copied).manifest.raw["output"]["mesh"]

    def change(graph):
        shapes = {"mesh": np.array([-1, *mesh]), "flat": np.array([-1, 60])}
        _behind(graph, nodes, **shapes)

    _spoiled(copied, change)
    signed(copied)
    found = _complaints(copied)["golden showers"]
    assert "transposed" in found
    assert words in found


def test_an_angle_that_is_off_by_pi_is_named(copied, signed):
    places = np.roll(np.arange(60).reshape(load(copied).manifest.raw["output"]["mesh"]), 2, axis=1)
    node = helper.make_node("Gather", ["raw", "places"], ["energies"], axis=1)
    _spoiled(copied, lambda graph: _behind(graph, [node], places=places.ravel()))
    signed(copied)
    assert "off by pi" in _complaints(copied)["golden showers"]


def test_noise_that_is_drawn_inside_is_named(copied, signed):
    def change(graph):
        inner = helper.make_node("RandomNormalLike", ["noise"], ["inner"])
        for node in graph.node:
            for place, given in enumerate(node.input):
                if given == "noise":
                    node.input[place] = "inner"
        graph.node.insert(0, inner)

    _spoiled(copied, change)
    signed(copied)
    found = _complaints(copied)
    assert "draws noise inside (RandomNormalLike)" in found["model.onnx"]
    assert "draws noise inside" in found["model_batch.onnx"]


def test_external_data_are_named_and_never_read(copied, signed):
    proto = onnx.load(copied / "model.onnx")
    onnx.save(
        proto,
        copied / "model.onnx",
        save_as_external_data=True,
        location="numbers.bin",
        size_threshold=0,
    )
    signed(copied)
    assert "external data" in _complaints(copied)["model.onnx"]


def test_a_range_that_is_clipped_is_named(copied, signed):
    highest = np.array([64640.0, 0.505, 22.11], np.float32)

    def change(graph):
        for tensor in graph.initializer:
            if np.array_equal(numpy_helper.to_array(tensor), highest):
                narrow = np.array([30000.0, 0.505, 22.11], np.float32)
                tensor.CopyFrom(numpy_helper.from_array(narrow, tensor.name))
                return
        raise AssertionError("the graph does not hold its range")

    _spoiled(copied, change)
    signed(copied)
    found = _complaints(copied)
    assert "the range of incident_energy is clipped" in found["golden showers"]
    assert "clipped" in found["ends of the ranges"]


def test_energy_that_is_lost_is_named(copied, signed):
    keep = np.ones(60, np.float32)
    keep[:3] = 0
    node = helper.make_node("Mul", ["raw", "keep"], ["energies"])
    _spoiled(copied, lambda graph: _behind(graph, [node], keep=keep))
    signed(copied)
    assert "energy is not conserved" in _complaints(copied)["golden showers"]


@pytest.mark.parametrize(
    ("value", "words"), [(np.nan, "NaN"), (-5.0, "negative energies")], ids=["NaN", "negative"]
)
def test_impossible_energies_are_named(copied, signed, value, words):
    """Only above 60 GeV, as such faults come: somewhere, not everywhere."""
    nodes = [
        helper.make_node("Slice", ["condition", "from", "to", "axis"], ["energy"]),
        helper.make_node("Greater", ["energy", "limit"], ["high"]),
        helper.make_node("Where", ["high", "odd", "raw"], ["energies"]),
    ]

    def change(graph):
        ends = {"from": [0], "to": [1], "axis": [1]}
        numbers = {name: np.array(v, np.int64) for name, v in ends.items()}
        _behind(graph, nodes, limit=np.float32(6e4), odd=np.float32(value), **numbers)

    _spoiled(copied, change)
    signed(copied)
    assert words in _complaints(copied)["golden showers"]


def test_a_changed_file_ends_the_questions(copied):
    (copied / "model.onnx").write_bytes((copied / "model.onnx").read_bytes() + b"\0")
    found = _complaints(copied)
    assert list(found) == ["files"]
    assert "model.onnx: was changed" in found["files"]


def test_the_judge_sees_energies_that_are_a_little_off(toy_bundle):
    model = load(toy_bundle)

    def reference(table, seed):
        further = {"theta": table[:, 1], "pdg": table[:, 2]}
        return model.sample(table[:, 0], further, seed=seed)

    class Off:
        rescales = False

        def run(self, noise, condition):
            return 1.2 * model.run(noise, condition)

    good = judged(model, model, reference)
    assert good.passed, good.found
    bad = judged(model, Off(), reference)
    assert not bad.passed
    assert "farthest from its floor" in bad.found
