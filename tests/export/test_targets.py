"""Every target: its bundle passes, and every planted mistake is called by its name there, too."""

from __future__ import annotations

import io
import re
import shutil

import h5py
import numpy as np
import pytest
from toy_generator import ANGLE, CONDITIONS, ENERGY, Showerlike, simple

from simulacra.data import toy_geometry, toy_grid
from simulacra.deploy import Condition, load, read_manifest
from simulacra.errors import ArtifactError, ConfigError, UnknownNameError
from simulacra.export import TARGETS, verify, verify_bundle, write_bundle
from simulacra.export.graph import onnx_graph
from simulacra.export.targets import Opened, target_named

onnx = pytest.importorskip("onnx", reason="needs the extra `export`")
helper, numpy_helper = onnx.helper, onnx.numpy_helper

GRAPHS = {
    "par04": ("par04/model.onnx", "fractions"),
    "ddml": ("ddml/model.onnx", "fractions"),
    "fastcalosim": ("fastcalosim/model.onnx", "voxel_energies"),
    "triton": ("triton/toy/1/model.onnx", "energies"),
}
PLAYERS = {
    "par04": "ONNX",
    "ddml": "EmbeddedPyInference",
    "fastcalosim": "TFCSMLCalorimeterSimulator",
    "triton": "Triton",
}
MESHED = ("par04", "ddml")


@pytest.fixture(scope="session")
def bundles(tmp_path_factory):
    """One bundle for each target, from one conversion."""
    folder = tmp_path_factory.mktemp("targets")
    known = []

    def once(*given):
        known[:] = known or [onnx_graph(*given)]
        return known[0]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("simulacra.export.bundle.onnx_graph", once)
        for target in TARGETS:
            write_bundle(folder / target, simple(), target=target)
    return folder


@pytest.fixture
def copy_of(bundles, tmp_path):
    return lambda target: shutil.copytree(bundles / target, tmp_path / target)


def _complaints(folder, **settings):
    """Ask the whole bundle."""
    return {
        check.name: check.found for check in verify_bundle(folder, **settings) if not check.passed
    }


def _clients(folder, **settings):
    """Ask the files and the client of the target only."""
    model = load(folder)
    contents, checks = verify._files(model)
    opened = Opened(model, contents, **settings)
    for part in target_named(model.manifest.target).parts(opened):
        checks += verify._played(model, part)
    return {check.name: check.found for check in checks if not check.passed}


def _spoiled(folder, target, change):
    name, _ = GRAPHS[target]
    proto = onnx.load(folder / name)
    change(proto.graph)
    onnx.save(proto, folder / name)


def _behind(graph, output, nodes, **constants):
    for node in graph.node:
        for place, one in enumerate(node.output):
            if one == output:
                node.output[place] = "raw"
    for name, value in constants.items():
        graph.initializer.append(numpy_helper.from_array(np.asarray(value), name))
    graph.node.extend(nodes)


@pytest.mark.parametrize("target", TARGETS)
def test_a_good_bundle_passes_every_question_of_its_client(bundles, target):
    checks = verify_bundle(bundles / target, trust=True)
    assert [check for check in checks if not check.passed] == []
    assert read_manifest(bundles / target).target == target
    played = {"python": 0, "par04": 2}.get(target, 1)
    assert sum(check.name.endswith(": golden showers") for check in checks) == played + 1


@pytest.mark.parametrize("target", GRAPHS)
def test_a_wrong_unit_is_named(copy_of, signed, target):
    folder, output = copy_of(target), GRAPHS[target][1]
    node = helper.make_node("Mul", ["raw", "factor"], [output])
    _spoiled(folder, target, lambda g: _behind(g, output, [node], factor=np.float32(1e-3)))
    signed(folder)
    assert "in GeV" in _clients(folder)[f"{PLAYERS[target]}: golden showers"]


@pytest.mark.parametrize("target", GRAPHS)
def test_a_transposed_mesh_is_named(copy_of, signed, target):
    """The client's own order: radius, angle, depth for those with a mesh."""
    folder, output = copy_of(target), GRAPHS[target][1]
    sizes = [5, 4, 3] if target in MESHED else [3, 4, 5]
    places = np.arange(60).reshape(sizes).transpose(2, 1, 0).ravel()
    axis = 0 if target == "fastcalosim" else 1
    node = helper.make_node("Gather", ["raw", "places"], [output], axis=axis)
    _spoiled(folder, target, lambda g: _behind(g, output, [node], places=places))
    signed(folder)
    assert "transposed" in _clients(folder)[f"{PLAYERS[target]}: golden showers"]


@pytest.mark.parametrize("target", GRAPHS)
def test_an_angle_that_is_off_by_pi_is_named(copy_of, signed, target):
    folder, output = copy_of(target), GRAPHS[target][1]
    sizes = [5, 4, 3] if target in MESHED else [3, 4, 5]
    places = np.roll(np.arange(60).reshape(sizes), 2, axis=1).ravel()
    axis = 0 if target == "fastcalosim" else 1
    node = helper.make_node("Gather", ["raw", "places"], [output], axis=axis)
    _spoiled(folder, target, lambda g: _behind(g, output, [node], places=places))
    signed(folder)
    assert "off by pi" in _clients(folder)[f"{PLAYERS[target]}: golden showers"]


@pytest.mark.parametrize("target", GRAPHS)
def test_noise_that_is_drawn_inside_is_named(copy_of, signed, target):
    folder = copy_of(target)

    def change(graph):
        for node in graph.node:
            for place, given in enumerate(node.input):
                if given == "noise":
                    node.input[place] = "inner"
        inner = helper.make_node("RandomNormalLike", ["noise"], ["inner"])
        made = [i for i, node in enumerate(graph.node) if "noise" in node.output]
        graph.node.insert(made[0] + 1 if made else 0, inner)

    _spoiled(folder, target, change)
    signed(folder)
    found = _clients(folder)
    assert "draws noise inside (RandomNormalLike)" in found[GRAPHS[target][0]]


@pytest.mark.parametrize("target", GRAPHS)
def test_external_data_are_named_and_never_read(copy_of, signed, target):
    folder, (name, _) = copy_of(target), GRAPHS[target]
    proto = onnx.load(folder / name)
    options = {"location": "numbers.bin", "size_threshold": 0}
    onnx.save(proto, folder / name, save_as_external_data=True, **options)
    signed(folder)
    assert "external data" in _clients(folder)[name]


@pytest.mark.parametrize("target", GRAPHS)
def test_a_range_that_is_clipped_is_named(copy_of, signed, target):
    folder = copy_of(target)

    def change(graph):
        changed = 0
        for tensor in graph.initializer:
            values = numpy_helper.to_array(tensor)
            if values.dtype == np.float32 and (values == np.float32(64640.0)).any():
                narrow = np.where(values == np.float32(64640.0), np.float32(30000.0), values)
                tensor.CopyFrom(numpy_helper.from_array(narrow, tensor.name))
                changed += 1
        assert changed

    _spoiled(folder, target, change)
    signed(folder)
    found, who = _clients(folder), PLAYERS[target]
    assert "the range of incident_energy is clipped" in found[f"{who}: golden showers"]
    assert "clipped" in found[f"{who}: ends of the ranges"]


@pytest.mark.parametrize("target", GRAPHS)
@pytest.mark.parametrize(
    ("value", "words"), [(np.nan, "NaN"), (-5.0, "negative energies")], ids=["NaN", "negative"]
)
def test_impossible_energies_are_named(copy_of, signed, target, value, words):
    folder, output = copy_of(target), GRAPHS[target][1]
    node = helper.make_node("Where", ["odd", "value", "raw"], [output])
    odd = np.arange(60) == 7
    _spoiled(folder, target, lambda g: _behind(g, output, [node], odd=odd, value=np.float32(value)))
    signed(folder)
    assert words in _clients(folder)[f"{PLAYERS[target]}: golden showers"]


@pytest.mark.parametrize("target", MESHED)
def test_a_second_input_is_named(copy_of, signed, target):
    folder = copy_of(target)

    def change(graph):
        further = helper.make_tensor_value_info("more", onnx.TensorProto.FLOAT, [1])
        graph.input.append(further)

    _spoiled(folder, target, change)
    signed(folder)
    assert "one input" in _clients(folder)[f"{PLAYERS[target]}: runs"]


@pytest.mark.parametrize("target", MESHED)
def test_an_output_that_is_too_short_is_named(copy_of, signed, target):
    folder, output = copy_of(target), GRAPHS[target][1]

    def change(graph):
        node = helper.make_node("Gather", ["raw", "places"], [output], axis=1)
        _behind(graph, output, [node], places=np.arange(59))
        graph.output[0].type.tensor_type.shape.dim[1].dim_value = 59

    _spoiled(folder, target, change)
    signed(folder)
    assert "reads 60 numbers" in _clients(folder)[f"{PLAYERS[target]}: runs"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("setNbOfPhiCells 4", "setNbOfPhiCells 5"), "do not cover"),
        (("setSizeOfRhoCells 10 mm", "setSizeOfRhoCells 20 mm"), "lie outside"),
        (("setSizeLatentVector 60", "setSizeLatentVector 10"), "draws 10 normal numbers"),
        (("setModelType VAE", "setModelType CaloDiT-2"), "model type"),
        (("ActivateModel defineMesh", "ActivateModel later"), "before its mesh"),
        (("setModelPathName model.onnx", "setModelPathName ../model.onnx"), "names the model"),
    ],
    ids=lambda change: str(change[1]),
)
def test_a_macro_that_does_not_fit_is_named(copy_of, signed, change, words):
    folder = copy_of("par04")
    macro = folder / "par04" / "simulacra_onnx.mac"
    assert change[0] in macro.read_text()
    macro.write_text(macro.read_text().replace(*change))
    signed(folder)
    found = _clients(folder)
    assert any(words in text for text in found.values()), found


def test_torchscript_is_loaded_only_if_trusted(copy_of, signed):
    folder = copy_of("par04")
    (folder / "par04" / "model.pt").write_bytes(b"no TorchScript")
    signed(folder)
    checks = {check.name: check for check in verify_bundle(folder)}
    assert "--trust" in checks["LibTorch: not looked at"].found
    assert "cannot load it" in _clients(folder, trust=True)["LibTorch: runs"]


def test_a_module_that_was_changed_is_run_only_if_trusted(copy_of, signed, tmp_path):
    folder = copy_of("ddml")
    module = folder / "ddml" / "simulacra_inference.py"
    mark = tmp_path / "it-ran"
    module.write_text(module.read_text() + f"\nPath({str(mark)!r}).touch()\n")
    signed(folder)
    checks = verify_bundle(folder)
    assert any("--trust runs it" in check.found for check in checks)
    assert not mark.exists()
    verify_bundle(folder, trust=True)
    assert mark.exists()


def test_noise_that_ignores_geant4_is_named(copy_of, signed):
    folder = copy_of("ddml")
    module = folder / "ddml" / "simulacra_inference.py"
    module.write_text(module.read_text().replace("key=words", "key=1"))
    signed(folder)
    found = _clients(folder, trust=True)
    assert "not a function of the 10 numbers" in found["EmbeddedPyInference: runs"]


def test_ddmls_ten_numbers_are_enough(bundles):
    """The same ten give the same shower, others give others, and all of them the right energy."""
    from simulacra.export.targets.ddml import _imported

    model = load(bundles / "ddml")
    names = ("ddml/model.onnx", "ddml/simulacra_inference.py")
    contents = {name: (bundles / "ddml" / name).read_bytes() for name in names}
    run = _imported(Opened(model, contents), 1)["run_inference"]
    told = np.array([2e4 / 1_024_000, 0, 0, 1], np.float32)
    keys = np.random.default_rng(0).standard_normal((200, 10), dtype=np.float32)
    drawn = np.stack([run([np.concatenate([key, told])[None]]) for key in keys])
    assert np.array_equal(drawn[0], run([np.concatenate([keys[0], told])]))
    assert len(np.unique(drawn.sum(axis=1))) == 200
    expected = model.sample(np.full(2000, 2e4), seed=1).sum(axis=1) / 2e4
    total = drawn.sum(axis=1)
    error = expected.std() / 200**0.5
    assert abs(total.mean() - expected.mean()) < 5 * error


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("binstart_alpha_layer_1", lambda x: x + np.pi, "the angle is off"),
        ("binsize_radius_layer_0", lambda x: 2 * x, "the rings are others"),
        ("binstart_radius_layer_2", lambda x: x[:-1], "with 20 voxels"),
    ],
)
def test_voxels_that_do_not_fit_are_named(copy_of, signed, name, change, words):
    folder = copy_of("fastcalosim")
    with h5py.File(folder / "fastcalosim" / "voxels.h5", "r+") as file:
        values = change(file[name][()])
        del file[name]
        file[name] = values
    signed(folder)
    assert words in _clients(folder)["TFCSMLCalorimeterSimulator: runs"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("dims: [ 60 ]", "dims: [ 61 ]"), "the graph has"),
        (('name: "toy"', 'name: "other"'), "its folder 'toy'"),
        (("max_batch_size: 4096", "max_batch_size:"), "max_batch_size"),
        (("TYPE_FP32", "TYPE_FP64"), "the graph has"),
    ],
    ids=lambda change: str(change[1]),
)
def test_a_triton_configuration_that_does_not_fit_is_named(copy_of, signed, change, words):
    folder = copy_of("triton")
    config = folder / "triton" / "toy" / "config.pbtxt"
    assert change[0] in config.read_text()
    config.write_text(config.read_text().replace(*change))
    signed(folder)
    assert words in _clients(folder)["Triton: runs"]


@pytest.mark.parametrize("target", MESHED)
def test_a_detector_without_a_mesh_is_told_which_would_fit(tmp_path, target):
    from simulacra.data import geometry

    for where in (geometry("calochallenge-1-photons"), toy_grid()):
        with pytest.raises(ConfigError, match=r"calochallenge-2, 45 layers x 16 sectors x 9 rings"):
            write_bundle(tmp_path / "bundle", simple(geometry=where), target=target)
    assert list(tmp_path.iterdir()) == []


def test_a_target_that_cannot_run_a_model_says_why(tmp_path):
    odd = toy_geometry(n_alpha=3)
    noisy = Showerlike(100)
    place = Condition("x", "mm", (0.0, 1.0), (-0.01, 1.01))
    for target, given, words in (
        ("ddml", simple(geometry=odd), "an even number"),
        ("par04", simple((ENERGY, ANGLE, CONDITIONS[2])), "depends on pdg"),
        ("ddml", simple((ENERGY, place)), "depends on x"),
        ("fastcalosim", simple((ENERGY, ANGLE)), "depends on theta"),
        ("fastcalosim", simple(model=noisy), "gives 63 normal numbers .* needs 100"),
        ("fastcalosim", simple(geometry=toy_grid()), "rectangular cells"),
    ):
        with pytest.raises(ConfigError, match=words):
            write_bundle(tmp_path / "bundle", given, target=target)
    with pytest.raises(UnknownNameError, match="par4"):
        write_bundle(tmp_path / "bundle", simple(), target="par4")
    assert list(tmp_path.iterdir()) == []


def test_an_angle_reaches_the_model(tmp_path):
    write_bundle(tmp_path / "bundle", simple((ENERGY, ANGLE)), target="par04")
    assert _complaints(tmp_path / "bundle", trust=True) == {}


def test_a_bundle_of_another_target_says_so(bundles):
    with pytest.raises(ArtifactError, match="exported for python and holds no files for par04"):
        verify_bundle(bundles / "python", target="par04")
    with pytest.raises(UnknownNameError, match="geant"):
        verify_bundle(bundles / "python", target="geant")
    assert _complaints(bundles / "par04", target="python") == {}


def test_files_of_targets_are_held_to_the_same_rules(copy_of, signed, tmp_path):
    folder = copy_of("par04")
    macro = folder / "par04" / "simulacra_onnx.mac"
    macro.write_text(macro.read_text() + "/control/shell true\n")
    assert "simulacra_onnx.mac: was changed" in _complaints(folder)["files"]
    (folder / "par04").rename(tmp_path / "elsewhere")
    (folder / "par04").symlink_to(tmp_path / "elsewhere")
    assert "is a link" in _complaints(folder)["files"]
    files = read_manifest(folder).raw["files"]
    for name in ("par04/../../secret", "ddml/model.onnx", "par04/.hidden", "/etc/passwd", "par04"):
        (tmp_path / "copy").mkdir(exist_ok=True)
        raw = dict(read_manifest(folder).raw)
        with pytest.raises(ArtifactError, match=re.escape(repr(name))):
            _refused(folder, {**raw, "files": {**files, name: "0" * 64}})


def _refused(folder, raw):
    import json

    from simulacra.deploy.bundle import MANIFEST, digest_of

    before = (folder / MANIFEST).read_text()
    try:
        (folder / MANIFEST).write_text(json.dumps({**raw, "digest": digest_of(raw)}))
        read_manifest(folder)
    finally:
        (folder / MANIFEST).write_text(before)


def test_a_name_cannot_leave_the_folder(tmp_path):
    write_bundle(tmp_path / "bundle", simple(name='../../"evil"\n'), target="triton")
    (repository,) = (tmp_path / "bundle" / "triton").iterdir()
    assert re.fullmatch(r"[A-Za-z0-9_-]+", repository.name)
    assert _complaints(tmp_path / "bundle") == {}


def test_the_legacy_preset_is_what_it_says(tmp_path):
    write_bundle(tmp_path / "bundle", simple(), target="par04", preset="legacy")
    raw = read_manifest(tmp_path / "bundle").raw
    assert raw["requires"] == {"preset": "legacy", "onnxruntime": "1.11", "opset": 16, "ir": 8}
    assert _complaints(tmp_path / "bundle") == {}
    with pytest.raises(UnknownNameError, match="preset"):
        write_bundle(tmp_path / "other", simple(), preset="newest")


def test_voxels_lie_where_the_file_says(bundles):
    where = toy_geometry()
    content = (bundles / "fastcalosim" / "fastcalosim" / "voxels.h5").read_bytes()
    with h5py.File(io.BytesIO(content)) as file:
        parts = [
            [file[f"{side}_{kind}_layer_{layer.identity}"][()] for side in ("binstart", "binsize")]
            for kind in ("radius", "alpha")
            for layer in where.layers
        ]
    middle = [start + size / 2 for start, size in parts]
    np.testing.assert_allclose(np.concatenate(middle[:3]), where.radius, rtol=1e-6)
    np.testing.assert_allclose(np.concatenate(middle[3:]), where.alpha, rtol=1e-5)
