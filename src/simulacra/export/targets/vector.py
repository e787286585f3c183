"""One vector in, fractions of the energy out: how Par04 and DDML feed a "VAE", whatever it is.

The vector is ``[noise, E / 1024000 MeV, theta / 90 degrees, 0, 1]``; its noise comes from Geant4's
random numbers, so that any generator whose noise is an input can take the place of a decoder.
What comes out are fractions of the incident energy, which the client multiplies by it. Energies
beyond the model's range give the shower of the nearest energy, scaled, since both clients call a
model outside of its range.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ...errors import ArtifactError
from ..adapter import Adapter
from ..exported import Material

__all__ = [
    "CONDITIONS",
    "LARGEST_ANGLE",
    "LARGEST_ENERGY",
    "Fractions",
    "Runner",
    "VectorClient",
    "vector_graph",
]

Array = NDArray[Any]

CONDITIONS = ("incident_energy", "theta")
LARGEST_ENERGY = 1_024_000.0  # MeV: fMaxEnergy of both clients
LARGEST_ANGLE = np.pi / 2
_TAIL = 4  # energy, angle, and two for the detector


def vector_graph(material: Material, order: NDArray[np.int64]) -> bytes:
    """Return the graph ``(1, noise + 4)`` to ``(1, voxels)``.

    Args:
        material: of the bundle.
        order: where each cell of the output is in the model's order.
    """
    size = material.exported.model.noise_size
    graph = Adapter(material.single)
    graph.columns("vector", 0, size, to="noise")
    told = graph.columns("vector", size, size + 1)
    energy = graph.add("Mul", told, graph.constant([[LARGEST_ENERGY]]))
    columns = [energy]
    if len(material.exported.conditions) > 1:
        turn = graph.columns("vector", size + 1, size + 2)
        columns.append(graph.add("Mul", turn, graph.constant([[LARGEST_ANGLE]])))
    graph.add("Concat", *columns, to="condition", axis=1)
    inside, _ = graph.scaled(energy, material.exported.conditions[0].accepted)
    graph.core()
    share = graph.add("Div", "energies", inside)
    places = graph.constant(order.ravel(), np.int64)
    graph.add("Gather", share, places, to="fractions", axis=1)
    return graph.graph({"vector": (1, size + _TAIL)}, ("fractions", (1, order.size)))


class Fractions(nn.Module):
    """The same in torch, for ``torch::jit::load``.

    Par04 splits its vector into four arguments and, in Geant4 11.4.0, shifts the last three by one
    place: the network gets the angle for the energy. With two conditions more than there are
    (``setSizeConditionVector 6``) energy and angle are the last numbers of the first argument,
    before and after a repair, so that argument alone is read.

    Args:
        graph: a :class:`~simulacra.export.DrawingGraph`.
        order: where each cell of the output is in the model's order.

    Shapes:
        latent: ``(noise + 2,)``, the noise, the energy and the angle.
        energy, angle: ``(1,)``, not read.
        detector: ``(2,)``, not read.
        output: fractions of the energy, ``(voxels,)``.
    """

    order: Tensor

    def __init__(self, graph: Any, order: NDArray[np.int64]) -> None:
        super().__init__()
        self.graph = graph
        self.register_buffer("order", torch.from_numpy(np.ascontiguousarray(order.ravel())))

    def forward(self, latent: Tensor, energy: Tensor, angle: Tensor, detector: Tensor) -> Tensor:
        noise, told, turn = latent[None, :-2], latent[None, -2:-1], latent[None, -1:]
        incident = told * LARGEST_ENERGY
        columns = (
            [incident] if len(self.graph.conditions) == 1 else [incident, turn * LARGEST_ANGLE]
        )
        drawn = self.graph(noise, torch.cat(columns, dim=1))
        low, high = self.graph.lowest[:1], self.graph.highest[:1]
        inside = torch.minimum(torch.maximum(incident, low), high)
        shares: Tensor = (drawn / inside)[0].index_select(0, self.order)
        return shares


class Runner(Protocol):
    """What a client hands its vector to."""

    def __call__(self, vector: Array, /) -> Array:
        """Return the first output as one row of numbers.

        Args:
            vector: float32, ``(numbers,)``.
        """
        ...


class VectorClient:
    """What the C++ of Par04 does around a network, and that of DDML beside its other angle.

    Source: ``Par04InferenceSetup::GetEnergies`` of Geant4 11.4.0 and ``Par04ExampleVAE`` of DDML.

    Args:
        run: the network.
        cells: how many numbers the client reads.
        voxels: the place of each cell in the model's order, from the cells' positions.
        noise_size: numbers of noise that the client draws.
        size_conditions: numbers that follow them.
    """

    rescales = True

    def __init__(
        self,
        run: Runner,
        cells: int,
        voxels: NDArray[np.int64],
        noise_size: int,
        size_conditions: int = _TAIL,
    ) -> None:
        self._run, self._cells, self._voxels = run, cells, voxels
        self._noise, self._further = noise_size, size_conditions

    def run(self, noise: Array, condition: Array, /) -> Array:
        """Return energies in MeV in the model's order, ``(events, voxels)``."""
        if noise.shape[1] != self._noise:
            raise ArtifactError(
                f"the client draws {self._noise} normal numbers, the model needs {noise.shape[1]}"
            )
        out = np.zeros((len(noise), self._cells), np.float32)
        for row, (drawn, told) in enumerate(zip(noise, condition, strict=True)):
            vector = np.zeros(self._noise + self._further, np.float32)
            vector[: self._noise] = drawn
            angle = np.float32(told[1]) if len(told) > 1 else np.float32(0)
            vector[self._noise] = float(told[0]) / LARGEST_ENERGY
            vector[self._noise + 1] = float(np.rad2deg(float(angle))) / 90.0
            vector[self._noise + 2 : self._noise + _TAIL] = 0, 1
            found = np.asarray(self._run(vector)).ravel()
            if len(found) != self._cells:
                raise ArtifactError(
                    f"the client reads {self._cells} numbers and does not look how many there "
                    f"are, the graph gives {len(found)}"
                )
            out[row, self._voxels] = found.astype(np.float64) * float(told[0])
        return out
