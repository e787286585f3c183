"""Writing bundles: whole or not at all, and a reason where a family does not become a graph."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from toy_generator import Toy, exported

from simulacra.errors import ArtifactError, ConfigError, OutputError, SimulacraError
from simulacra.export import golden as golden_module
from simulacra.export import refuse_unexportable, single_shower, write_bundle
from simulacra.export.golden import difference, read_golden, tolerance_of
from simulacra.generative import (
    AutoregressiveFlowConfig,
    InverseAutoregressiveFlowConfig,
    PointCascade,
    PointCascadeConfig,
    ShowerLayout,
    VectorKit,
    VectorQuantisedConfig,
    build_family,
    initialised,
)

KIT = VectorKit(4, 1, width=8, blocks=1)


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        (AutoregressiveFlowConfig(steps=1, bins=4), "one feature after the other"),
        (
            VectorQuantisedConfig(local=2, whole=1, codes=8, depth=1, width=8, heads=2),
            "one token after the other",
        ),
    ],
    ids=["autoregressive_flow", "vector_quantised"],
)
def test_families_that_are_no_graph_say_why(config, reason):
    with pytest.raises(ConfigError, match=reason):
        refuse_unexportable(initialised(lambda: build_family(config, KIT), 0))


def test_points_say_why_and_a_student_of_a_slow_flow_is_welcome():
    layout = ShowerLayout(rings=((3, 1), (4, 6)), threshold=1.0)
    config = PointCascadeConfig(channels=4, blocks=1, width=8, depth=2, energy_width=8)
    with pytest.raises(ConfigError, match="sets of points"):
        refuse_unexportable(initialised(lambda: PointCascade(config, layout), 0))
    student = InverseAutoregressiveFlowConfig(steps=1, bins=4)
    refuse_unexportable(initialised(lambda: build_family(student, KIT), 0))


def test_nothing_is_overwritten(tmp_path):
    pytest.importorskip("onnxscript", reason="needs the extra `export`")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years")
    with pytest.raises(OutputError, match="stands there already"):
        write_bundle(tmp_path / "mine", exported())
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "years"


def test_a_graph_that_does_not_draw_what_torch_draws_is_not_written(
    toy_bundle, tmp_path, monkeypatch
):
    """The conversion is replaced by one that gives the graph of another model."""
    import simulacra.export.bundle as bundle_module

    content = (toy_bundle / "model_batch.onnx").read_bytes()
    monkeypatch.setattr(bundle_module, "onnx_graph", lambda *_: content)
    other = Toy()
    other.width *= 1.0001
    with pytest.raises(SimulacraError, match="does not draw what torch draws"):
        write_bundle(tmp_path / "bundle", exported(other))
    assert list(tmp_path.iterdir()) == []


def test_without_the_extra_one_sentence_says_what_to_install():
    code = """
import sys
sys.modules["onnxscript"] = None
from simulacra.errors import DependencyError
from simulacra.export.graph import require_exporter
try:
    require_exporter()
except DependencyError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert "'onnxscript' is not installed: pip install 'simulacra[export]'" in done.stdout


def test_the_graph_for_one_shower_is_static(toy_bundle):
    onnx = pytest.importorskip("onnx", reason="needs the extra `export`")
    again = single_shower((toy_bundle / "model_batch.onnx").read_bytes())
    assert again == (toy_bundle / "model.onnx").read_bytes()
    graph = onnx.load_from_string(again).graph
    shapes = [
        [d.dim_value for d in v.type.tensor_type.shape.dim] for v in (*graph.input, *graph.output)
    ]
    assert shapes == [[1, 60], [1, 3], [1, 60]]
    assert b"/src/simulacra" not in again  # nothing of the machine it was made on


def test_voxels_at_the_threshold_are_counted_apart():
    expected = np.array([[1.0, 2.0, 0.0, 4.0]], np.float32)
    found = np.array([[0.0, 2.0, 1.0, 4.4]], np.float32)
    told = difference(found, expected)
    assert (told.crossed, told.filled) == (2, 3)
    assert told.median == pytest.approx(0.05, rel=1e-4)
    assert np.isnan(difference(expected * np.nan, expected).median)
    own = tolerance_of(told)
    assert own.median == 1e-5  # never more, whatever float32 does
    assert not own.allows(told)
    assert own.allows(difference(expected, expected))


def test_golden_showers_are_not_believed_blindly(monkeypatch):
    with pytest.raises(ArtifactError, match="cannot be read"):
        read_golden(b"PK no archive", (1, 1, 1))
    packed = golden_module.Golden(*(np.ones((2, n), np.float32) for n in (3, 1, 4))).packed()
    assert read_golden(packed, (3, 1, 4)).expected.shape == (2, 4)
    with pytest.raises(ArtifactError, match="expected float32 with"):
        read_golden(packed, (3, 1, 5))
    monkeypatch.setattr(golden_module, "_LARGEST", 100)
    with pytest.raises(ArtifactError, match="unpacks to"):
        read_golden(packed, (3, 1, 4))
