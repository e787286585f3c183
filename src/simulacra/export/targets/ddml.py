"""DDML of key4hep: a Python module that its embedded interpreter calls."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray

from ...errors import ArtifactError, ConfigError
from ..exported import Exported, Material
from ..opening import float_inputs, session_of
from ..questions import Client
from .contract import Opened, Part, geometry_of, refuse_conditions
from .mesh import Mesh, mesh_of, voxels_at
from .vector import CONDITIONS, VectorClient, vector_graph

__all__ = ["Ddml"]

_GRAPH, _MODULE = "ddml/model.onnx", "ddml/simulacra_inference.py"
_STEER, _CONFIG, _PLUGIN = "ddml/steer_snippet.py", "ddml/model_config.py", "ddml/plugin.cc.txt"
_CLASS = "Par04ExampleVAEPolyhedraBarrelPyEmbeddedModel"
_LATENT = 10  # numbers that DDML's model class draws, whatever LatentVectorSize says


class Ddml:
    """The class ``Par04ExampleVAE`` of DDML with the inference ``EmbeddedPyInference``.

    What its ONNX inference alone cannot do: its vector has 14 numbers, 10 of them noise
    (``m_tensDims`` is fixed before ``LatentVectorSize`` is read), and generators need as many as
    voxels. The module takes these 10, which Geant4's seeded engine drew, as the key of a
    counter-based generator, so that noise is a function of Geant4's seed.
    """

    name = "ddml"
    told = "DDML of key4hep"

    def refuse(self, exported: Exported) -> None:
        mesh = mesh_of(exported.geometry, self.name)
        refuse_conditions(exported, self.name, CONDITIONS)
        if mesh.phi % 2:
            raise ConfigError(
                f"export: ddml counts sectors from 0 and the model from -pi; with {mesh.phi} "
                "sectors they do not fall together. Expected an even number, such as the 16 of "
                "calochallenge-2."
            )

    def files(self, material: Material) -> dict[str, bytes]:
        mesh = mesh_of(material.exported.geometry, self.name)
        order = np.roll(mesh.from_layers(), -(mesh.phi // 2), axis=1)
        size = material.exported.model.noise_size
        texts = {
            _MODULE: _module(size),
            _STEER: _steering(material.raw, mesh),
            _CONFIG: _config(mesh),
            _PLUGIN: _PLUGIN_TEXT,
        }
        return {
            _GRAPH: vector_graph(material, order),
            **{name: text.encode() for name, text in texts.items()},
        }

    def how(self, raw: Mapping[str, Any]) -> str:
        return """In the folder `ddml` of this bundle:

| file | where it goes |
|---|---|
| `plugin.cc.txt` | two lines for `src/MLModelActions.cc` of a DDML with its Python inference |
| `steer_snippet.py` | into the steering file of ddsim |
| `model_config.py` | in place of it, for a DDML with `ddml.model` |
| `simulacra_inference.py`, `model.onnx` | stay here; needs numpy and onnxruntime |

The region named in the snippet has to be in the detector's XML, and the detector to have as many
layers as the mesh. Noise is a function of the ten normal numbers that Geant4's engine draws."""

    def parts(self, opened: Opened) -> Iterable[Part]:
        size = opened.model.noise_size
        own = opened.contents.get(_MODULE) == _module(size).encode()
        unlooked = (
            ""
            if own or opened.trust
            else f"{_MODULE} is not what this version writes; --trust runs it"
        )
        start = None if unlooked else lambda threads: _client(opened, threads)
        yield Part("EmbeddedPyInference", start, unlooked)


def _client(opened: Opened, threads: int) -> Client:
    """Read the steering as ddsim does, and run the module as the embedded interpreter does."""
    told = _properties(opened.text(_STEER))
    rho, phi, depth = (int(told[f"NCells{axis}"]) for axis in ("Rho", "Phi", "Z"))
    where = geometry_of(opened)
    thickness = mesh_of(where, "ddml").depth  # the layers are the detector's own
    i, j, k = (part.ravel() for part in np.indices((rho, phi, depth)))
    width = float(told["CellSizeRho"])
    voxels = voxels_at(where, (i + 0.5) * width, (j + 0.5) * 2 * np.pi / phi, (k + 0.5) * thickness)
    module = _imported(opened, threads)
    size = opened.model.noise_size

    def run(vector: NDArray[Any], /) -> NDArray[Any]:
        _refuse_noise_that_ignores_its_key(module, vector, size)
        out: NDArray[Any] = module["run_inference"]([vector[None]])
        return out

    return VectorClient(run, rho * phi * depth, voxels, size)


def _imported(opened: Opened, threads: int) -> dict[str, Any]:
    """Run the module's text with its model in a folder of its own."""
    content = opened.graph(_GRAPH)
    names = float_inputs(session_of(opened.model, content, threads), _GRAPH)
    if len(names) != 1:
        raise ArtifactError(f"{_GRAPH}: expected one input, the graph has {len(names)}: {names}")
    names_of: dict[str, Any] = {"__name__": "simulacra_inference"}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        path.write_bytes(content)
        told = {"DDML_MODEL_PATH": str(path), "DDML_INTRA_OP_NUM_THREADS": str(threads)}
        with patch.dict("os.environ", told):
            exec(compile(opened.text(_MODULE), _MODULE, "exec"), names_of)
    return names_of


def _refuse_noise_that_ignores_its_key(module: dict[str, Any], vector: Any, size: int) -> None:
    """Ask for the noise of two keys, as DDML's ten numbers give them."""
    one, other = (module["noise_of"](vector[first : first + _LATENT]) for first in (0, 1))
    again = module["noise_of"](vector[:_LATENT])
    if one.shape != (size,) or not np.array_equal(one, again) or np.array_equal(one, other):
        raise ArtifactError(
            f"{_MODULE}: noise is not a function of the {_LATENT} numbers that Geant4 drew"
        )


def _properties(text: str) -> dict[str, str]:
    found = {}
    for line in text.splitlines():
        name, is_set, value = line.strip().partition(" = ")
        if is_set and name.startswith("model."):
            found[name.removeprefix("model.")] = value.strip()
    needed = ("NCellsRho", "NCellsPhi", "NCellsZ", "CellSizeRho")
    missing = [name for name in needed if name not in found]
    if missing:
        raise ArtifactError(f"{_STEER}: does not set {', '.join(missing)}")
    return found


def _module(size: int) -> str:
    return f'''"""Showers for DDML's EmbeddedPyInference, from model.onnx beside this file.

DDML draws {_LATENT} normal numbers with Geant4's engine. They are the key of the noise, so that the
same seed gives the same shower in any order and any number of threads. A vector that
brings all of its noise is used as it is.
"""

import hashlib
import os
from pathlib import Path

import numpy as np
import onnxruntime

NOISE, LATENT = {size}, {_LATENT}

_options = onnxruntime.SessionOptions()
_options.intra_op_num_threads = max(1, int(os.environ.get("DDML_INTRA_OP_NUM_THREADS", "1")))
_options.log_severity_level = 3
_path = Path(os.environ.get("DDML_MODEL_PATH") or Path(__file__).with_name("model.onnx"))
_session = onnxruntime.InferenceSession(
    _path.read_bytes(), _options, providers=["CPUExecutionProvider"]
)
_input = _session.get_inputs()[0].name


def noise_of(latent):
    """Return standard normal numbers, (NOISE,), that are a function of a few others."""
    key = hashlib.sha256(np.ascontiguousarray(latent, np.float32).tobytes()).digest()
    words = np.frombuffer(key[:16], np.uint64)
    generator = np.random.Generator(np.random.Philox(key=words))
    return generator.standard_normal(NOISE, dtype=np.float32)


def run_inference(inputs):
    """Return fractions of the energy, flat, for DDML's one vector."""
    vector = np.asarray(inputs[0], np.float32).ravel()
    if len(vector) == LATENT + 4:
        vector = np.concatenate([noise_of(vector[:LATENT]), vector[LATENT:]])
    if len(vector) != NOISE + 4:
        raise ValueError(f"expected {{LATENT + 4}} or {{NOISE + 4}} numbers, got {{len(vector)}}")
    (shares,) = _session.run(None, {{_input: vector[None]}})
    return np.ascontiguousarray(shares, np.float32).ravel()
'''


def _steering(raw: Mapping[str, Any], mesh: Mesh) -> str:
    low = raw["conditions"][0]["trained"][0] / 1000
    return f"""# Part of a ddsim steering file: SIM.physics.setupUserPhysics and geometry come as in
# scripts/ddsim_steer.py of DDML, with this model in place of its own.
import os

BUNDLE = os.environ["SIMULACRA_BUNDLE"]  # the folder that holds ddml/


def simulacra_model(kernel, sequence):
    from DDG4 import DetectorConstruction
    from g4units import GeV

    model = DetectorConstruction(kernel, "{_CLASS}/ShowerModel")
    model.RegionName = "EcalBarrelRegion"
    model.Detector = "EcalBarrel"
    model.Symmetry = 8
    model.Enable = True
    model.CorrectForAngles = False
    model.ApplicableParticles = {{"e+", "e-", "gamma"}}
    model.Etrigger = {{"e+": {low:.4g} * GeV, "e-": {low:.4g} * GeV, "gamma": {low:.4g} * GeV}}
    model.NCellsRho = {mesh.rho}
    model.NCellsPhi = {mesh.phi}
    model.NCellsZ = {mesh.z}
    model.CellSizeRho = {mesh.width:.10g}
    model.CellSizeZ = {mesh.depth:.10g}
    model.PythonPath = os.path.join(BUNDLE, "ddml")
    model.PythonModule = "simulacra_inference"
    model.EntryPoint = "run_inference"
    model.ModelPath = os.path.join(BUNDLE, "ddml", "model.onnx")
    model.IntraOpNumThreads = 1
    model.enableUI()
    sequence.adopt(model)
"""


def _config(mesh: Mesh) -> str:
    return f"""# For a DDML with the configuration layer ddml.model.
import os

from ddml.model import ModelConfig

BUNDLE = os.environ["SIMULACRA_BUNDLE"]  # the folder that holds ddml/

MODEL = ModelConfig(
    plugin="{_CLASS}",
    plugin_properties={{
        "NCellsRho": {mesh.rho},
        "NCellsPhi": {mesh.phi},
        "NCellsZ": {mesh.z},
        "CellSizeRho": {mesh.width:.10g},
        "CellSizeZ": {mesh.depth:.10g},
        "PythonPath": os.path.join(BUNDLE, "ddml"),
        "PythonModule": "simulacra_inference",
        "EntryPoint": "run_inference",
        "ModelPath": os.path.join(BUNDLE, "ddml", "model.onnx"),
        "IntraOpNumThreads": 1,
    }},
    applicable_particles=["e+", "e-", "gamma"],
    correct_angles=False,
    is_hadron=False,
)
"""


_PLUGIN_TEXT = f"""// Two lines for src/MLModelActions.cc, inside namespace ddml and behind it:
typedef FastMLShower<FastMLModel<ddml::EmbeddedPyInference, ddml::Par04ExampleVAE,
                                 ddml::PolyhedraBarrelGeometry>> {_CLASS};
DECLARE_GEANT4ACTION_NS(ddml, {_CLASS})
"""
