"""FastCaloSim: four inputs by name, one flat output, and the voxels in HDF5."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from ...data import Geometry, Layer
from ...errors import ArtifactError, ConfigError
from ..adapter import Adapter
from ..exported import Exported, Material
from ..opening import float_inputs, session_of
from .contract import Opened, Part, geometry_of, refuse_conditions

__all__ = ["FastCaloSim"]

Array = NDArray[Any]
_GRAPH, _VOXELS, _BINNING = (
    "fastcalosim/model.onnx",
    "fastcalosim/voxels.h5",
    "fastcalosim/binning.xml",
)
_COLUMNS = ("binstart_radius", "binsize_radius", "binstart_alpha", "binsize_alpha")
_RETRIES = 5


class FastCaloSim:
    """The experiment-independent FastCaloSim of 2026: ``TFCSMLCalorimeterSimulator``."""

    name = "fastcalosim"
    told = "FastCaloSim"

    def refuse(self, exported: Exported) -> None:
        where, size = exported.geometry, exported.model.noise_size
        if where.rectangular:
            raise ConfigError(
                f"export: fastcalosim knows voxels in rings and sectors, and those of "
                f"{where.name!r} are rectangular cells; a model of rings fits, such as the shipped "
                "model photons. This one becomes a bundle for triton or python."
            )
        refuse_conditions(exported, self.name, ("incident_energy",))
        most = where.voxels + len(where.layers)
        if size > most:
            raise ConfigError(
                f"export: fastcalosim gives {most} normal numbers (one per voxel and layer), the "
                f"model needs {size}; export one with less noise, or this one for triton or python."
            )

    def files(self, material: Material) -> dict[str, bytes]:
        where = material.exported.geometry
        return {
            _GRAPH: _graph(material),
            _VOXELS: _voxels(where),
            _BINNING: _binning(where).encode(),
        }

    def how(self, raw: Mapping[str, Any]) -> str:
        layers = raw["geometry"]["layers"]
        bounds = np.cumsum([0, *(int(np.prod(shape)) for shape in raw["output"]["layers"])])
        return f"""In the folder `fastcalosim` of this bundle: `model.onnx` for
`TFCSMLCalorimeterSimulator::loadSimulator`, `voxels.h5` for `load_meta_data`, `binning.xml` for
readers of FastCaloGAN's binning. Numbers that `TFCSMLCalorimeterSimulator` has to be set to:

| | |
|---|---|
| voxels | {raw["output"]["voxels"]} |
| layers | {[layer["id"] for layer in layers]} |
| layer boundaries | {bounds.tolist()} |

Inputs: `inn_eta_in` (1), not used by this model; `inn_einc_in` (1), MeV; `cfm_z_shape` and
`inn_z_energy`, standard normal. Output in MeV; energies outside the range of the training give the
nearest shower, scaled."""

    def parts(self, opened: Opened) -> Iterable[Part]:
        yield Part("TFCSMLCalorimeterSimulator", lambda threads: _Simulator(opened, threads))


def _graph(material: Material) -> bytes:
    where, size = material.exported.geometry, material.exported.model.noise_size
    graph = Adapter(material.single)
    whole = graph.add("Concat", "inn_z_energy", "cfm_z_shape", axis=0)
    one = graph.add("Reshape", whole, graph.constant([1, -1], np.int64))
    graph.columns(one, 0, size, to="noise")
    energy = graph.add("Reshape", "inn_einc_in", graph.constant([1, 1], np.int64), to="condition")
    _, scale = graph.scaled(energy, material.exported.conditions[0].accepted)
    graph.core()
    scaled = graph.add("Mul", "energies", scale)
    graph.add("Reshape", scaled, graph.constant([-1], np.int64), to="voxel_energies")
    inputs = {
        "inn_eta_in": (1,),
        "inn_einc_in": (1,),
        "cfm_z_shape": (where.voxels,),
        "inn_z_energy": (len(where.layers),),
    }
    return graph.graph(inputs, ("voxel_energies", (where.voxels,)))


def _rings(where: Geometry) -> Iterable[tuple[int, dict[str, Array]]]:
    """Give for each layer's number the low ends and widths of its voxels, in their flat order."""
    for layer in where.layers:
        assert isinstance(layer, Layer)
        edges = np.array(layer.r_edges, np.float32)
        turn = np.linspace(-np.pi, np.pi, layer.n_alpha + 1)
        columns: tuple[Array, ...] = (
            np.tile(edges[:-1], layer.n_alpha),
            np.tile(np.diff(edges), layer.n_alpha),
            np.repeat(turn[:-1], layer.n_radius),
            np.repeat(np.diff(turn), layer.n_radius),
        )
        named = zip(_COLUMNS, columns, strict=True)
        yield layer.identity, {name: column.astype(np.float32) for name, column in named}


def _voxels(where: Geometry) -> bytes:
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        for number, columns in _rings(where):
            for name, values in columns.items():
                file.create_dataset(f"{name}_layer_{number}", data=values, track_times=False)
    return content.getvalue()


def _binning(where: Geometry) -> str:
    layers = "\n".join(
        f'   <Layer id="{layer.identity}" r_edges="'
        + ",".join(f"{edge:.10g}" for edge in layer.r_edges)
        + f'" n_bin_alpha="{layer.n_alpha}" />'
        for layer in where.layers
        if isinstance(layer, Layer)
    )
    return f"""<Bins>
 <Particle pid="{where.pdg}" latentDim="{where.voxels}" symmetriseAlpha="false">
  <Bin etaMin="0" etaMax="500" regionId="1" ganVersion="1">
{layers}
  </Bin>
 </Particle>
</Bins>
"""


class _Simulator:
    """``TFCSMLCalorimeterSimulator`` over ``TFCSONNXHandler``: maps of texts, in their order."""

    rescales = True

    def __init__(self, opened: Opened, threads: int) -> None:
        content = opened.graph(_GRAPH)
        self._session = session_of(opened.model, content, threads)
        self._shapes = {value.name: value.shape for value in self._session.get_inputs()}
        float_inputs(self._session, _GRAPH)
        where = geometry_of(opened)
        self._voxels, self._layers = where.voxels, len(where.layers)
        self._refuse_voxels(opened, where)
        known = {"inn_eta_in", "inn_einc_in", "cfm_z_shape", "inn_z_energy"}
        if not set(self._shapes) <= known:
            raise ArtifactError(
                f"{_GRAPH}: FastCaloSim gives {', '.join(sorted(known))}; the graph wants "
                f"{', '.join(sorted(set(self._shapes) - known))} too"
            )

    def run(self, noise: Array, condition: Array, /) -> Array:
        """Return energies in MeV in the model's order, ``(events, voxels)``."""
        rows = [self._event(*row) for row in zip(noise, condition[:, 0], strict=True)]
        return np.stack(rows).astype(np.float32)

    def _event(self, noise: Array, energy: np.float32) -> Array:
        numbers = np.zeros(self._layers + self._voxels, np.float32)
        numbers[: len(noise)] = noise
        given = {
            "inn_eta_in": np.array([2.0], np.float32),
            "inn_einc_in": np.array([energy], np.float32),
            # the map that carries them is in the order of texts: 0, 1, 10, 100, ...
            "inn_z_energy": _unsorted(numbers[: self._layers]),
            "cfm_z_shape": _unsorted(numbers[self._layers :]),
        }
        for _ in range(1 + _RETRIES):
            found = self._compute(given)
            if not np.isnan(found).any():
                break
        if len(found) < self._voxels:
            raise ArtifactError(
                f"{_GRAPH}: FastCaloSim reads {self._voxels} voxels, the graph gives {len(found)}"
            )
        voxels = found[: self._voxels]
        kept = np.where((voxels > 0) | np.isnan(voxels) | (voxels < 0), voxels, 0)
        return np.asarray(kept / energy * energy)  # stored as a fraction in float32

    def _compute(self, given: Mapping[str, Array]) -> Array:
        """Fill each input from its map, element by element in the order of the keys."""
        feeds = {}
        for name, shape in self._shapes.items():
            sizes = [size if isinstance(size, int) and size > 0 else 1 for size in shape]
            values = _sorted(given[name])
            if len(values) < np.prod(sizes):
                raise ArtifactError(
                    f"{_GRAPH}: {name} has {int(np.prod(sizes))} numbers, FastCaloSim gives "
                    f"{len(values)}"
                )
            feeds[name] = values[: int(np.prod(sizes))].reshape(sizes)
        out: Array = self._session.run(None, feeds)[0].ravel()
        return out

    def _refuse_voxels(self, opened: Opened, where: Geometry) -> None:
        with h5py.File(io.BytesIO(opened.graph(_VOXELS)), "r") as file:
            for number, columns in _rings(where):
                for name, expected in columns.items():
                    dataset = file.get(f"{name}_layer_{number}")
                    if dataset is None or dataset.shape != expected.shape:
                        raise ArtifactError(
                            f"{_VOXELS}: expected {name}_layer_{number} with {len(expected)} voxels"
                        )
                    if not np.allclose(dataset[()], expected, atol=1e-5):
                        told = "the angle is off" if "alpha" in name else "the rings are others"
                        raise ArtifactError(f"{_VOXELS}: {name}_layer_{number}: {told}")


def _places(size: int) -> NDArray[np.int64]:
    return np.array(sorted(range(size), key=lambda i: f"variable_{i}"), np.int64)


def _sorted(values: Array) -> Array:
    return values[_places(len(values))]


def _unsorted(values: Array) -> Array:
    out = np.empty_like(values)
    out[_places(len(values))] = values
    return out
