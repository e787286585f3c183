"""A surrogate leaves the house: from the command line to the same showers without torch."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest
from tiny_surrogate import TINY

from simulacra.cli import main
from simulacra.deploy import graph_facts, load
from simulacra.errors import ArtifactError, DependencyError, RangeError
from simulacra.export.golden import difference
from simulacra.export.graph import require_exporter
from simulacra.tasks.calorimeter import Surrogate
from simulacra.tasks.calorimeter.exporting import export, verify

ONE_STEP = {"family": "flow_matching", "solver": "euler", "steps": 1}
FAMILIES = {
    "flow_matching": {"steps": 2},
    "diffusion": {"steps": 2},
    "mean_flow": {},
    "coupling_flow": {"couplings": 2, "bins": 4},
    "variational": {"local": 2, "whole": 3, "prior": ONE_STEP},
    "wasserstein_gan": {},
    "layerwise": {"layer": ONE_STEP},
    "independent": {},
}
WHOLE = {
    "calogan": {"noise": 5, "channels": 2, "width": 12},
    "likeness_gan": {"noise": 3, "channels": 6, "factors": (2, 2)},
}


def _trained(showers, **shape):
    model = {**TINY.model.to_dict(), "energy": ONE_STEP, "shape": shape}
    return Surrogate(TINY.updated(model=model)).fit(showers, seed=3)


@pytest.fixture(autouse=True)
def _converter():
    try:
        require_exporter()
    except DependencyError as error:
        pytest.skip(str(error))


def _run(monkeypatch, capsys, *arguments):
    monkeypatch.setattr(sys, "argv", ["simulacra", *map(str, arguments)])
    with pytest.raises(SystemExit) as end:
        main()
    said = capsys.readouterr()
    return end.value.code, said.out, said.err


def test_from_the_command_line_to_showers_without_torch(
    toy_showers, tiny, tmp_path, monkeypatch, capsys
):
    surrogate = _trained(toy_showers, **ONE_STEP)
    folder, bundle = surrogate.save(tmp_path / "model"), tmp_path / "bundle"
    code, out, _ = _run(monkeypatch, capsys, "export", folder, "--out", bundle, "--json")
    assert code == 0
    assert json.loads(out)["tolerance"]["median"] <= 1e-5

    code, out, _ = _run(monkeypatch, capsys, "verify", bundle, "--model", folder)
    assert code == 0, out
    assert "passed" in out

    operators = graph_facts((bundle / "model_batch.onnx").read_bytes()).operators
    assert "GatherND" not in operators  # ten times as slow as GatherElements for single numbers

    deployed = load(bundle)
    low, high = surrogate.manifest["validity"]["ranges"]["incident_energy"]
    energy = np.geomspace(low, high, 20).astype(np.float32)
    expected = surrogate.sample(energy, seed=11, first_event=5).energies
    for batch_size in (1, 7, 20):
        drawn = deployed.sample(energy, seed=11, first_event=5, batch_size=batch_size)
        told = difference(drawn, expected)
        assert told.median < 1e-5
        assert told.crossed <= 2
    assert len(deployed.sample([0.995 * low, 1.005 * high])) == 2
    for outside in (0.98 * low, 1.02 * high):
        with pytest.raises(RangeError):
            deployed.sample([outside])

    with pytest.raises(ArtifactError, match="was exported from the model"):
        verify(bundle, model=tiny)

    (bundle / "golden.npz").write_bytes(b"")
    code, out, _ = _run(monkeypatch, capsys, "verify", bundle)
    assert code == 1
    assert "WRONG" in out
    assert "1 of 3 checks failed" in out

    code, _, err = _run(monkeypatch, capsys, "export", folder, "--out", bundle)
    assert code == 2
    assert "stands there already" in err


def test_a_family_that_is_no_graph_says_why(toy_showers, tmp_path, monkeypatch, capsys):
    surrogate = _trained(toy_showers, family="autoregressive_flow", steps=1, bins=4)
    folder = surrogate.save(tmp_path / "model")
    code, _, err = _run(monkeypatch, capsys, "export", folder, "--out", tmp_path / "bundle")
    assert code == 2
    assert "one feature after the other" in err
    assert len(err.splitlines()) == 1
    assert not (tmp_path / "bundle").exists()


def _refuse_faults(surrogate, tmp_path):
    surrogate.save(tmp_path / "model")
    export(surrogate, tmp_path / "bundle")
    failed = [check for check in verify(tmp_path / "bundle", model=surrogate) if not check.passed]
    assert failed == []


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_every_other_family_becomes_a_graph(family, toy_showers, tmp_path):
    _refuse_faults(_trained(toy_showers, family=family, **FAMILIES[family]), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("family", WHOLE)
def test_generators_of_whole_showers_become_graphs(family, toy_showers, tmp_path):
    config = TINY.updated(model={"family": family, **WHOLE[family]})
    _refuse_faults(Surrogate(config).fit(toy_showers, seed=3), tmp_path)


@pytest.mark.slow
def test_the_student_of_a_slow_flow_becomes_a_graph(toy_showers, tmp_path):
    teacher = _trained(toy_showers, family="autoregressive_flow", steps=1, bins=4)
    folder = teacher.save(tmp_path / "teacher")
    shape = {"family": "inverse_autoregressive_flow", "steps": 1, "bins": 4}
    model = {**teacher.config.model.to_dict(), "shape": shape}
    config = teacher.config.updated(model=model, teacher=str(folder))
    _refuse_faults(Surrogate(config).fit(toy_showers, seed=3), tmp_path)


@pytest.mark.slow
def test_layers_one_by_one_become_a_graph(toy_showers, tmp_path):
    model = {"layers": "logarithms", "spectra": "layer", "copula": "symmetric"}
    model = {
        **TINY.model.to_dict(),
        **model,
        "energy": ONE_STEP,
        "shape": {"family": "independent"},
    }
    surrogate = Surrogate(TINY.updated(model=model)).fit(toy_showers, seed=3)
    _refuse_faults(surrogate, tmp_path)
