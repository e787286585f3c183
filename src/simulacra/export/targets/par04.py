"""Geant4's example Par04: its macro is the whole interface."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ...errors import ArtifactError
from ..exported import Exported, Material
from ..graph import quiet
from ..opening import float_inputs, session_of
from ..questions import Client
from .contract import Opened, Part, geometry_of, refuse_conditions
from .mesh import Mesh, mesh_of, voxels_at
from .vector import CONDITIONS, Fractions, Runner, VectorClient, vector_graph

__all__ = ["Par04"]

_GRAPH, _TORCH = "par04/model.onnx", "par04/model.pt"
_MACROS = {_GRAPH: "par04/simulacra_onnx.mac", _TORCH: "par04/simulacra_torch.mac"}
_WITH_ANGLE = 6  # conditions for torch, so that energy and angle are in its first argument
_COMMAND = "/Par04/inference/"


class Par04:
    """Geant4 11.4.0, ``examples/extended/parameterisations/Par04``, model type ``VAE``.

    The model type ``CaloDiT-2`` gives no noise to the network, which would have to draw it inside:
    the same random numbers in every thread and no trace of Geant4's seed. It is not written.
    """

    name = "par04"
    told = "Geant4's example Par04"

    def refuse(self, exported: Exported) -> None:
        mesh_of(exported.geometry, self.name)
        refuse_conditions(exported, self.name, CONDITIONS)

    def files(self, material: Material) -> dict[str, bytes]:
        mesh = mesh_of(material.exported.geometry, self.name)
        order = mesh.from_layers()
        size = material.exported.model.noise_size
        latent = torch.zeros(size + 2)
        example = latent, torch.zeros(1), torch.zeros(1), torch.zeros(2)
        content = io.BytesIO()
        with torch.no_grad(), quiet():
            traced = torch.jit.trace(
                Fractions(material.graph, order).eval(), example, check_trace=False
            )
            torch.jit.save(traced, content)
        macro = {
            _GRAPH: _macro(material.raw, mesh, size, 4, ("model.onnx", "ONNX")),
            _TORCH: _macro(material.raw, mesh, size, _WITH_ANGLE, ("model.pt", "TORCH")),
        }
        return {
            _GRAPH: vector_graph(material, order),
            _TORCH: content.getvalue(),
            **{_MACROS[name]: text.encode() for name, text in macro.items()},
        }

    def how(self, raw: Mapping[str, Any]) -> str:
        return f"""In the folder `par04` of this bundle, with the example built with ONNX Runtime:

```bash
examplePar04 -m simulacra_onnx.mac
```

The macro holds mesh, sizes and model; set detector, gun and file in it. `simulacra_torch.mac` and
`model.pt` are the same for LibTorch. Noise ({raw["noise"]["size"]} numbers) comes from Geant4's
random numbers. Energies outside the range of the training give the nearest shower, scaled."""

    def parts(self, opened: Opened) -> Iterable[Part]:
        yield Part("ONNX", lambda threads: _client(opened, _GRAPH, _onnx(opened, threads)))
        unlooked = "" if opened.trust else "TorchScript can run code; --trust loads it"
        yield Part(
            "LibTorch",
            (lambda _: _client(opened, _TORCH, _torch(opened))) if opened.trust else None,
            unlooked,
        )


def _macro(
    raw: Mapping[str, Any], mesh: Mesh, size: int, conditions: int, model: tuple[str, str]
) -> str:
    file, library = model
    cells = f"""setSizeOfRhoCells {mesh.width:.10g} mm
setSizeOfZCells {mesh.depth:.10g} mm
setNbOfRhoCells {mesh.rho}
setNbOfPhiCells {mesh.phi}
setNbOfZCells {mesh.z}"""
    readout = "\n".join(f"/Par04/mesh/{line}" for line in cells.splitlines())
    inference = "\n".join(f"{_COMMAND}{line}" for line in cells.splitlines())
    low, high = (value / 1000 for value in raw["conditions"][0]["trained"])
    return f"""# Showers of a simulacra model in Par04 of Geant4 11.4. Run it in its own folder.
# Set your detector here: the model knows only the one that it was trained for, and its layers of
# {mesh.depth:.10g} mm are the readout's, not the absorber's. Here is that of electrons-copula:
#/Par04/detector/setDetectorInnerRadius 80 cm
#/Par04/detector/setDetectorLength 2 m
#/Par04/detector/setNbOfLayers {mesh.z}
#/Par04/detector/setAbsorber 0 G4_PbWO4 4 mm true
#/Par04/detector/setAbsorber 1 G4_lAr 4 mm true
{readout}
/run/initialize

# trained from {low:.4g} to {high:.4g} GeV
/gun/energy {(low * high) ** 0.5:.4g} GeV
/gun/position 0 0 0
/gun/direction 0 1 0

# any generator is a "VAE" to Par04, whose latent vector is its noise
{_COMMAND}setSizeLatentVector {size}
{_COMMAND}setSizeConditionVector {conditions}
{_COMMAND}setModelPathName {file}
{_COMMAND}setModelType VAE
{_COMMAND}setProfileFlag 0
{_COMMAND}setOptimizationFlag 0
{_COMMAND}setCudaFlag 0
# opens the model, so path and flags come first
{_COMMAND}setInferenceLibrary {library}
{inference}

/analysis/setFileName par04_simulacra.root
# the mesh follows the particle; it comes before the model
/param/ActivateModel defineMesh
/param/ActivateModel inferenceModel
/run/beamOn 100
"""


def _client(opened: Opened, graph: str, run: Runner) -> Client:
    """Read the macro as Geant4 does, and compute where each cell is."""
    told = _commands(opened.text(_MACROS[graph]), graph)
    rho, phi, depth = (int(told[f"{_COMMAND}setNbOf{axis}Cells"]) for axis in ("Rho", "Phi", "Z"))
    width, thickness = (_length(told[f"{_COMMAND}setSizeOf{axis}Cells"]) for axis in ("Rho", "Z"))
    i, j, k = (part.ravel() for part in np.indices((rho, phi, depth)))
    angle = (j + 0.5) * 2 * np.pi / phi - np.pi
    where = geometry_of(opened)
    voxels: NDArray[np.int64] = voxels_at(where, (i + 0.5) * width, angle, (k + 0.5) * thickness)
    return VectorClient(
        run,
        rho * phi * depth,
        voxels,
        int(told[f"{_COMMAND}setSizeLatentVector"]),
        int(told[f"{_COMMAND}setSizeConditionVector"]),
    )


def _commands(text: str, graph: str) -> dict[str, str]:
    """Return the last value of each command, and refuse an order that Par04 cannot work with."""
    lines = [line.split(maxsplit=1) for line in text.splitlines() if line.startswith("/")]
    pairs = [(line[0], line[1] if len(line) > 1 else "") for line in lines]
    names = [name for name, _ in pairs]
    told = dict(pairs)
    active = [value for name, value in pairs if name == "/param/ActivateModel"]
    opens = f"{_COMMAND}setInferenceLibrary"
    early = [f"{_COMMAND}set{one}" for one in ("ModelPathName", "OptimizationFlag")]
    wrong = {
        "opens the model before its path or flags are set": opens not in names
        or any(name not in names or names.index(name) > names.index(opens) for name in early),
        f"names the model {told.get(early[0])!r}, expected {graph.rpartition('/')[2]!r}": told.get(
            early[0]
        )
        != graph.rpartition("/")[2],
        "has a model type other than VAE": told.get(f"{_COMMAND}setModelType") != "VAE",
        "activates the model before its mesh": active != ["defineMesh", "inferenceModel"],
    }
    found = [what for what, is_so in wrong.items() if is_so]
    needed = ("NbOfRhoCells", "NbOfPhiCells", "NbOfZCells", "SizeOfRhoCells", "SizeOfZCells")
    found += [
        f"does not set {name}"
        for name in (*needed, "SizeLatentVector", "SizeConditionVector")
        if f"{_COMMAND}set{name}" not in told
    ]
    if found:
        raise ArtifactError(f"{_MACROS[graph]}: {'; '.join(found)}")
    return told


def _length(text: str) -> float:
    value, unit = text.split()
    return float(value) * {"mm": 1.0, "cm": 10.0, "m": 1000.0}[unit]


def _onnx(opened: Opened, threads: int) -> Runner:
    """Feed one tensor ``(1, numbers)`` under the last input's name and read the first output."""
    session = session_of(opened.model, opened.graph(_GRAPH), threads, optimised=False)
    name = float_inputs(session, _GRAPH)
    if len(name) != 1:
        raise ArtifactError(f"{_GRAPH}: Par04 feeds one input, the graph has {len(name)}: {name}")

    def run(vector: NDArray[Any], /) -> NDArray[Any]:
        out: NDArray[Any] = session.run(None, {name[-1]: vector[None]})[0]
        return out

    return run


def _torch(opened: Opened) -> Runner:
    """Split the vector as ``Par04TorchInference`` of Geant4 11.4.0 does, with its shift by one."""
    try:
        with quiet():
            module = torch.jit.load(io.BytesIO(opened.graph(_TORCH)))
    except RuntimeError as error:
        raise ArtifactError(f"{_TORCH}: torch cannot load it ({str(error)[:100]})") from None

    def run(vector: NDArray[Any], /) -> NDArray[Any]:
        size = len(vector) - 4
        ends = ((0, size), (size + 1, size + 2), (size + 2, size + 3), (size + 2, size + 4))
        given = [torch.from_numpy(vector[first:end].copy()) for first, end in ends]
        with torch.no_grad():
            out: NDArray[Any] = module(*given).contiguous().numpy()
        return out

    return run
